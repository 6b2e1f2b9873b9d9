"""Who takes part: each is a client that is open, and a way to start or stop many cameras with it."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias, cast

import attrs
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.exceptions import ClientError

import aiorekostream as rks
from aiorekostream.fleet import AlreadyRunning, AlreadyStopped, Failed, Fleet, Started, Stopped, Unknown
from aiorekostream.limits import Limits
from aiorekostream.transport.timeout import Timeout
from bench.fleet.cases import Case, Kind
from bench.fleet.truth import Answer, Told
from bench.fleet.wire import REGION

__all__ = ["CONTENDERS", "Contender", "Crowd"]

Crowd: TypeAlias = Callable[[Sequence[str]], Awaitable[list[Told]]]
"""Starts or stops many cameras, and says what became of each."""

_Open: TypeAlias = Callable[[Case, str], AbstractAsyncContextManager[Crowd]]

_MANY = 100_000
_BOTOCORES_POOL = 10
_BOTOCORES_READ_TIMEOUT = 60
_POOL = 100
_MOMENT_MS = 1_763_892_000_000
_SECONDS = 120
_SERVER_FAULT = 500
_CAPO = "capo_rekognition"


@attrs.frozen
class Contender:
    """Somebody who takes part.

    Attributes:
        title: its name in the tables.
        open: opens it for a case, at a URL.
        module: what it is made of, where that need not be installed.
    """

    title: str
    open: _Open
    module: str | None = None

    @property
    def is_here(self) -> bool:
        """Whether what it is made of is installed."""
        return self.module is None or importlib.util.find_spec(self.module) is not None


# ---------------------------------------------------------------------------------------------------------------- ours


def _ours(case: Case, url: str) -> rks.Client:
    quotas = {} if case.believed is None else {str(case.kind): case.believed}
    limits = Limits(quotas=quotas, concurrent_label_detection={REGION: _MANY})
    # A gather over the client waits in one long queue; each call's time is for that, too.
    timeout = Timeout(total=600) if case.read_timeout is None else Timeout(total=600, read=case.read_timeout)
    return rks.Client(
        region=REGION,
        endpoint_url=url,
        limits=limits,
        timeout=timeout,
        max_connections=_POOL,
        pacing=None if case.believed is None else rks.LocalPacing(),
    )


def _start(name: str) -> rks.LabelDetectionStart:
    return rks.LabelDetectionStart(
        name=name,
        start_selector=rks.ProducerTimestamp(_MOMENT_MS),
        stop_selector=rks.StopSelector(max_duration_in_seconds=_SECONDS),
    )


@contextlib.asynccontextmanager
async def _fleet(case: Case, url: str) -> AsyncGenerator[Crowd]:
    async with _ours(case, url) as client:

        async def crowd(names: Sequence[str]) -> list[Told]:
            fleet = Fleet(client)
            if case.kind is Kind.STOP:
                return [_outcome(outcome) for outcome in (await fleet.stop(names)).outcomes]
            return [_outcome(outcome) for outcome in (await fleet.start(map(_start, names))).outcomes]

        yield crowd


def _outcome(outcome: object) -> Told:
    match outcome:
        case Started(request, session):
            return Told(request.name, Answer.DONE, session.session_id)
        case Stopped(name) | AlreadyStopped(name):
            return Told(name, Answer.DONE)
        case Unknown():
            return Told(outcome.name, Answer.UNKNOWN)
        case Failed() | AlreadyRunning():
            return Told(outcome.name, Answer.REFUSED)
        case _:
            message = f"no outcome of this benchmark: {outcome}"
            raise RuntimeError(message)


@contextlib.asynccontextmanager
async def _client(case: Case, url: str) -> AsyncGenerator[Crowd]:
    async with _ours(case, url) as client:

        async def start(name: str) -> str | None:
            if case.kind is Kind.STOP:
                await client.stop_stream_processor(name)
                return None
            return (await client.start_stream_processor(_start(name))).session_id

        yield _gathered(start, lambda error: isinstance(error, rks.CallError) and error.retry_safe)


# ------------------------------------------------------------------------------------------------------- aiobotocore


def _aiobotocore(mode: str, pool: int = _BOTOCORES_POOL) -> _Open:
    """With its defaults, but for the retry mode and, if given, the pool."""

    @contextlib.asynccontextmanager
    async def bare(case: Case, url: str) -> AsyncGenerator[Crowd]:
        config = AioConfig(
            retries={"mode": mode}, max_pool_connections=pool, read_timeout=case.read_timeout or _BOTOCORES_READ_TIMEOUT
        )
        async with AioSession().create_client("rekognition", REGION, endpoint_url=url, config=config) as client:
            call = cast(
                "Callable[..., Awaitable[Mapping[str, object]]]",
                client.start_stream_processor if case.kind is Kind.START else getattr(client, "stop_stream_processor"),  # noqa: B009 - the stubs do not know it
            )

            async def ask(name: str) -> str | None:
                if case.kind is Kind.STOP:
                    await call(Name=name)
                    return None
                reply = await call(
                    Name=name,
                    StartSelector={"KVSStreamStartSelector": {"ProducerTimestamp": _MOMENT_MS}},
                    StopSelector={"MaxDurationInSeconds": _SECONDS},
                )
                return str(reply["SessionId"])

            yield _gathered(ask, _refused_by_aws)

    return bare


def _refused_by_aws(error: BaseException) -> bool:
    if not isinstance(error, ClientError):
        return False
    metadata = cast("Mapping[str, object]", error.response.get("ResponseMetadata", {}))
    status = metadata.get("HTTPStatusCode")
    return isinstance(status, int) and status < _SERVER_FAULT


# -------------------------------------------------------------------------------------------------------------- capo


class _Capo(Protocol):
    async def start_stream_processor(
        self, name: str, *, start_selector: object, stop_selector: object
    ) -> Mapping[str, str]: ...

    async def stop_stream_processor(self, name: str) -> object: ...


def _capo(*, wide: bool = False) -> _Open:
    @contextlib.asynccontextmanager
    async def capo(case: Case, url: str) -> AsyncGenerator[Crowd]:
        sdk, http = importlib.import_module(_CAPO), importlib.import_module("zapros")
        pool = {"max_connections_per_host": _POOL, "max_idle_connections_per_host": _POOL}
        handler = cast("Callable[..., object]", http.AsyncStdNetworkHandler)
        make = cast("Callable[..., AbstractAsyncContextManager[_Capo]]", sdk.AsyncRekognitionClient)
        refusal = cast("type[Exception]", importlib.import_module(f"{_CAPO}.errors").ServiceError)
        wire = handler(http1=pool if wide else True, read_timeout=case.read_timeout)
        async with make(http_handler=wire, region=REGION, endpoint=url) as client:

            async def ask(name: str) -> str | None:
                if case.kind is Kind.STOP:
                    await client.stop_stream_processor(name)
                    return None
                reply = await client.start_stream_processor(
                    name,
                    start_selector={"kvs_stream_start_selector": {"producer_timestamp": _MOMENT_MS}},
                    stop_selector={"max_duration_in_seconds": _SECONDS},
                )
                return reply["session_id"]

            def refused(error: BaseException) -> bool:
                status = getattr(getattr(error, "response", None), "status", None)
                return isinstance(error, refusal) and isinstance(status, int) and status < _SERVER_FAULT

            yield _gathered(ask, refused)

    return capo


# ------------------------------------------------------------------------------------------------------------- gather


def _gathered(ask: Callable[[str], Awaitable[str | None]], refused: Callable[[BaseException], bool]) -> Crowd:
    """What every program writes first. An error that is no refusal by the service counts as a doubt."""

    async def crowd(names: Sequence[str]) -> list[Told]:
        found = await asyncio.gather(*map(ask, names), return_exceptions=True)
        return [_told(name, one, refused) for name, one in zip(names, found, strict=True)]

    return crowd


def _told(name: str, found: str | BaseException | None, refused: Callable[[BaseException], bool]) -> Told:
    if not isinstance(found, BaseException):
        return Told(name, Answer.DONE, found)
    return Told(name, Answer.REFUSED if refused(found) else Answer.UNKNOWN)


CONTENDERS: Mapping[str, Contender] = {
    "fleet": Contender("aiorekostream, Fleet", _fleet),
    "client": Contender("aiorekostream, gather over the client", _client),
    "legacy": Contender("aiobotocore, legacy retries", _aiobotocore("legacy")),
    "legacy-wide": Contender("aiobotocore, legacy retries, pool of 100", _aiobotocore("legacy", _POOL)),
    "standard": Contender("aiobotocore, standard retries", _aiobotocore("standard")),
    "standard-wide": Contender("aiobotocore, standard retries, pool of 100", _aiobotocore("standard", _POOL)),
    "adaptive": Contender("aiobotocore, adaptive retries", _aiobotocore("adaptive")),
    "capo": Contender("capo-rekognition", _capo(), _CAPO),
    "capo-wide": Contender("capo-rekognition, pool of 100", _capo(wide=True), _CAPO),
}
