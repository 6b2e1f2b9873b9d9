"""Put the simulated service behind a transport in memory: every answer takes as long, and none is lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import attrs

from aiorekostream.emulator import DependencyFaults, Timings
from aiorekostream.emulator.world.answers import Success
from aiorekostream.errors import ProvisionedThroughputExceededError, ThrottlingError
from aiorekostream.limits import DEFAULT_LIMITS, Limits
from aiorekostream.pipeline import Pipeline
from aiorekostream.rate_limiting.limiter import LocalRateLimiter
from aiorekostream.retry.policy import RetryPolicy
from aiorekostream.testing import MemoryTransport
from aiorekostream.transport.port import Reply
from tests.emulator.samples import faces, labels, session
from tests.simulation.scenes import SimulatedClock
from tests.simulation.service import EPOCH, HERE, SimulatedService

if TYPE_CHECKING:
    from aiorekostream.emulator.world import World

__all__ = ["VirtualAws"]


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
    transport: MemoryTransport = attrs.field(init=False)
    throttled: int = attrs.field(default=0, init=False)
    _service: SimulatedService = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._service = SimulatedService(quotas=self.limits.quotas, limits=self.limits, timings=self.timings)
        self.transport = MemoryTransport(self.answer)

    @property
    def world(self) -> World:
        return self._service.world

    @property
    def pipeline(self) -> Pipeline:
        """A pipeline to this account with a rate limiter and without jitter."""
        return Pipeline(
            transport=self.transport,
            retry=RetryPolicy(),
            total_timeout=60,
            limits=self.limits,
            rate_limiter=LocalRateLimiter(),
            clock=SimulatedClock(),
            random=lambda: 0.5,
        )

    @property
    def now(self) -> float:
        return EPOCH + asyncio.get_running_loop().time()

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
        self.world.schedule_failure(name, message, self.now, after=after)

    async def answer(self, operation: str, body: Mapping[str, object]) -> Reply | Mapping[str, object] | Exception:
        await asyncio.sleep(self.latency / 2)
        answer = self.meddle(operation, body) or self._served(operation, body)
        await asyncio.sleep(self.latency / 2)
        return answer

    def _served(self, operation: str, body: Mapping[str, object]) -> Mapping[str, object] | Exception:
        answer = self._service.answer(operation, body)
        self.throttled += isinstance(answer, ThrottlingError | ProvisionedThroughputExceededError)
        # Without the service's date, as from a proxy that drops the header.
        return answer.body if isinstance(answer, Reply) else answer
