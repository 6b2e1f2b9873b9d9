"""The emulated world behind a transport in memory, on the loop's own virtual time: no HTTP, no real seconds."""

from __future__ import annotations

import asyncio
import datetime
import itertools
from collections import Counter
from collections.abc import Callable, Mapping

import attrs

from aiorekostream.emulator.answers import Success
from aiorekostream.emulator.dependency_faults import DependencyFaults
from aiorekostream.emulator.quotas import Quotas
from aiorekostream.emulator.timings import Timings
from aiorekostream.emulator.world import World
from aiorekostream.limits import DEFAULT_LIMITS, Limits
from aiorekostream.pipeline import Pipeline
from aiorekostream.resilience.paces import LocalPacing
from aiorekostream.retry.policy import RetryPolicy
from aiorekostream.transport.attempts import Attempt
from aiorekostream.transport.error_mapping import service_error
from aiorekostream.transport.memory import MemoryTransport
from tests.emulator.samples import HERE, faces, labels, session

__all__ = ["VirtualAws"]

_EPOCH = 1_700_000_000
_MOMENTS = ("CreationTimestamp", "LastUpdateTimestamp")


def _as_it_is(_operation: str, _body: Mapping[str, object]) -> None:
    pass


@attrs.define
class VirtualAws:
    """An account whose answers take 60 ms.

    Attributes:
        timings: how long things take.
        limits: the account's numbers.
        meddle: may answer in the account's place, by operation and request.
    """

    timings: Timings = attrs.field(factory=Timings)
    limits: Limits = DEFAULT_LIMITS
    meddle: Callable[[str, Mapping[str, object]], Exception | None] = _as_it_is
    latency: float = 0.06
    world: World = attrs.field(init=False)
    transport: MemoryTransport = attrs.field(init=False)
    throttled: int = attrs.field(default=0, init=False)
    _quotas: Quotas = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        numbers = itertools.count(1)
        self.world = World(new_id=lambda: f"session-{next(numbers)}", timings=self.timings, limits=self.limits)
        self._quotas = Quotas(self.limits.quotas)
        self.transport = MemoryTransport(self._answer)

    @property
    def pipeline(self) -> Pipeline:
        """A pipeline to this account, paced and without jitter."""
        return Pipeline(
            transport=self.transport,
            retry=RetryPolicy(),
            total_timeout=60,
            limits=self.limits,
            pacing=LocalPacing(),
            random=lambda: 0.5,
        )

    @property
    def now(self) -> float:
        return _EPOCH + asyncio.get_running_loop().time()

    @property
    def calls(self) -> Counter[str]:
        """How often each operation was called."""
        return Counter(operation.removesuffix("StreamProcessor") for operation, _ in self.transport.calls)

    def do(self, operation: str, **members: object) -> None:
        """Change the account behind the client's back."""
        answer = self.world.serve(HERE, operation, members, self.now)
        assert isinstance(answer, Success), answer

    def faces(self, *names: str, started: bool = False) -> None:
        """Have face searches."""
        for name in names:
            self.do("CreateStreamProcessor", **faces(name))
            if started:
                self.do("StartStreamProcessor", Name=name)

    def labels(self, *names: str, seconds: int | None = None) -> None:
        """Have label detections, with sessions of so many seconds."""
        for name in names:
            self.do("CreateStreamProcessor", **labels(name))
            if seconds is not None:
                self.do("StartStreamProcessor", **session(name, seconds=seconds))

    def stop(self, name: str) -> None:
        self.do("StopStreamProcessor", Name=name)

    def delete(self, name: str) -> None:
        self.do("DeleteStreamProcessor", Name=name)

    def deny(self, **dependency_faults: tuple[str, ...]) -> None:
        """Put something out of reach."""
        self.world.dependency_faults = DependencyFaults(**dependency_faults)

    def fail(self, name: str, message: str, *, after: float = 0.0) -> None:
        self.world.doom(name, message, self.now, after=after)

    async def _answer(self, operation: str, body: Mapping[str, object]) -> Mapping[str, object] | Exception:
        await asyncio.sleep(self.latency / 2)
        error = self.meddle(operation, body)
        answer = error or self._served(operation, body)
        await asyncio.sleep(self.latency / 2)
        return answer

    def _served(self, operation: str, body: Mapping[str, object]) -> Mapping[str, object] | Exception:
        refusal = self._quotas.refusal(HERE, operation, self.now)
        self.throttled += refusal is not None
        answer = refusal or self.world.serve(HERE, operation, body, self.now)
        if isinstance(answer, Success):
            reply = dict(answer.body or {})
            for name in _MOMENTS:
                if isinstance(moment := reply.get(name), float):
                    reply[name] = datetime.datetime.fromtimestamp(moment, datetime.UTC)
            return reply
        response = {
            "Error": {"Code": answer.code, "Message": answer.message},
            "ResponseMetadata": {"HTTPStatusCode": answer.status},
        }
        return service_error(response, Attempt(operation, idempotent=operation.startswith(("Describe", "List"))))
