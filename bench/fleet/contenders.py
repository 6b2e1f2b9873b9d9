"""Define the contenders: clients, each with a way to start or stop many cameras."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

import attrs
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.exceptions import ClientError

import aiorekostream as rks
from aiorekostream.errors import CallError
from bench.fleet.cases import FleetCase, Kind
from bench.fleet.measurement import Reported, ReportedOutcome
from bench.fleet.raw_client import REGION

if TYPE_CHECKING:
    from aiorekostream.fleet import StartOutcome, StopOutcome

__all__ = ["CONTENDERS", "Batch", "Contender"]

Batch: TypeAlias = Callable[[Sequence[str]], Awaitable[list[ReportedOutcome]]]
"""Starts or stops many cameras, and returns the outcome of each."""

_Open: TypeAlias = Callable[[FleetCase, str], AbstractAsyncContextManager[Batch]]

_UNLIMITED = 100_000
# The defaults of botocore.config.Config: connections, and seconds.
_BOTOCORE_POOL = 10
_BOTOCORE_READ_TIMEOUT = 60
_POOL = 100
_TIMESTAMP_MS = 1_763_892_000_000
_MAX_DURATION_SECONDS = 120
# Seconds. All calls of a gather over the client wait in the queue of the rate limiter, and that counts.
_TOTAL_TIMEOUT = 600
_SERVER_ERROR = 500  # the first HTTP status of the service's own failures
_CAPO = "capo_rekognition"


@attrs.frozen
class Contender:
    """A client that is measured.

    Attributes:
        title: its name in the tables.
        open: opens it for a case, at a URL.
        module: the module that it needs, where that may not be installed.
    """

    title: str
    open: _Open
    module: str | None = None

    @property
    def is_installed(self) -> bool:
        """Whether its module is installed."""
        return self.module is None or importlib.util.find_spec(self.module) is not None


# -------------------------------------------------------------------------------------------------------- aiorekostream


def _open_client(case: FleetCase, url: str) -> rks.Client:
    quotas = {} if case.believed is None else {str(case.kind): case.believed}
    limits = rks.Limits(quotas=quotas, concurrent_label_detection={REGION: _UNLIMITED})
    timeout = rks.Timeout(total=_TOTAL_TIMEOUT)
    if case.read_timeout is not None:
        timeout = rks.Timeout(total=_TOTAL_TIMEOUT, read=case.read_timeout)
    return rks.Client(
        region=REGION,
        endpoint_url=url,
        limits=limits,
        timeout=timeout,
        max_connections=_POOL,
        rate_limiter=None if case.believed is None else rks.LocalRateLimiter(),
    )


def _start(name: str) -> rks.LabelDetectionStart:
    return rks.LabelDetectionStart(
        name=name,
        start_selector=rks.ProducerTimestamp(_TIMESTAMP_MS),
        stop_selector=rks.StopSelector(max_duration_in_seconds=_MAX_DURATION_SECONDS),
    )


@contextlib.asynccontextmanager
async def _fleet(case: FleetCase, url: str) -> AsyncGenerator[Batch]:
    async with _open_client(case, url) as client:

        async def batch(names: Sequence[str]) -> list[ReportedOutcome]:
            # A fleet queues a start behind the session that it knows: each round has a fleet of its own.
            fleet = rks.Fleet(client, expires_after=case.expires_after)
            if case.kind is Kind.STOP:
                return [_reported(outcome) for outcome in (await fleet.stop(names)).outcomes]
            return [_reported(outcome) for outcome in (await fleet.start(map(_start, names))).outcomes]

        yield batch


def _reported(outcome: StartOutcome | StopOutcome) -> ReportedOutcome:
    match outcome:
        case rks.Started(session=session):
            return ReportedOutcome(outcome.name, Reported.DONE, session.session_id)
        case rks.Stopped() | rks.AlreadyStopped():
            return ReportedOutcome(outcome.name, Reported.DONE)
        case rks.Unknown():
            return ReportedOutcome(outcome.name, Reported.UNKNOWN)
        case rks.Expired():
            return ReportedOutcome(outcome.name, Reported.EXPIRED)
        case rks.Failed() | rks.AlreadyRunning():
            return ReportedOutcome(outcome.name, Reported.REFUSED)


@contextlib.asynccontextmanager
async def _client(case: FleetCase, url: str) -> AsyncGenerator[Batch]:
    async with _open_client(case, url) as client:

        async def start(name: str) -> str | None:
            if case.kind is Kind.STOP:
                await client.stop_stream_processor(name)
                return None
            return (await client.start_stream_processor(_start(name))).session_id

        yield _gathered(start, lambda error: isinstance(error, CallError) and error.retry_safe)


# ------------------------------------------------------------------------------------------------------- aiobotocore


def _aiobotocore(mode: str, pool: int = _BOTOCORE_POOL) -> _Open:
    """Return aiobotocore's client with its defaults except the retry mode and, if given, the pool."""

    @contextlib.asynccontextmanager
    async def bare(case: FleetCase, url: str) -> AsyncGenerator[Batch]:
        config = AioConfig(
            retries={"mode": mode}, max_pool_connections=pool, read_timeout=case.read_timeout or _BOTOCORE_READ_TIMEOUT
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
                    StartSelector={"KVSStreamStartSelector": {"ProducerTimestamp": _TIMESTAMP_MS}},
                    StopSelector={"MaxDurationInSeconds": _MAX_DURATION_SECONDS},
                )
                return str(reply["SessionId"])

            yield _gathered(ask, _is_refusal_by_aws)

    return bare


def _is_refusal_by_aws(error: BaseException) -> bool:
    if not isinstance(error, ClientError):
        return False
    metadata = cast("Mapping[str, object]", error.response.get("ResponseMetadata", {}))
    status = metadata.get("HTTPStatusCode")
    return isinstance(status, int) and status < _SERVER_ERROR


# -------------------------------------------------------------------------------------------------------------- capo


class _Capo(Protocol):
    async def start_stream_processor(
        self, name: str, *, start_selector: object, stop_selector: object
    ) -> Mapping[str, str]: ...

    async def stop_stream_processor(self, name: str) -> object: ...


def _capo(*, wide: bool = False) -> _Open:
    @contextlib.asynccontextmanager
    async def capo(case: FleetCase, url: str) -> AsyncGenerator[Batch]:
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
                    start_selector={"kvs_stream_start_selector": {"producer_timestamp": _TIMESTAMP_MS}},
                    stop_selector={"max_duration_in_seconds": _MAX_DURATION_SECONDS},
                )
                return reply["session_id"]

            def refused(error: BaseException) -> bool:
                status = getattr(getattr(error, "response", None), "status", None)
                return isinstance(error, refusal) and isinstance(status, int) and status < _SERVER_ERROR

            yield _gathered(ask, refused)

    return capo


# ------------------------------------------------------------------------------------------------------------- gather


def _gathered(call: Callable[[str], Awaitable[str | None]], is_refusal: Callable[[BaseException], bool]) -> Batch:
    """Make all calls at once. An error that is no refusal by the service counts as an unknown outcome."""

    def reported(name: str, result: str | BaseException | None) -> ReportedOutcome:
        if not isinstance(result, BaseException):
            return ReportedOutcome(name, Reported.DONE, result)
        return ReportedOutcome(name, Reported.REFUSED if is_refusal(result) else Reported.UNKNOWN)

    async def batch(names: Sequence[str]) -> list[ReportedOutcome]:
        results = await asyncio.gather(*map(call, names), return_exceptions=True)
        return [reported(name, result) for name, result in zip(names, results, strict=True)]

    return batch


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
