"""A host of the simulation: the package's client and fleet, which handle motion events as the example's worker does."""

from __future__ import annotations

import asyncio
import datetime
from typing import TYPE_CHECKING, Any, cast

import attrs

import aiorekostream as rks
from aiorekostream.distributed import RedisRateLimiter, RedisSessionSlots
from aiorekostream.fleet import StartOutcome
from aiorekostream.fleet.monitor import PolledSessions
from tests.simulation.scenes import SimulatedClock
from tests.simulation.script_server import ScriptRedis, ScriptServer
from tests.simulation.service import EPOCH, SimulatedService

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from aiorekostream.fleet import SessionEnd
    from aiorekostream.limits import Limits
    from aiorekostream.transport.port import Reply

__all__ = ["DEADLINE", "SESSION", "VISIBILITY", "Motion", "MotionHost"]

# Seconds, as in the example: a session, the deadline of a start, the visibility timeout, and a call.
SESSION, DEADLINE, VISIBILITY, _CALL = 30, 25.0, 15.0, 5.0


@attrs.define(eq=False)
class Motion:
    """A motion event, and what became of it.

    Attributes:
        at: when.
        camera: where.
        outcomes: the outcomes of its deliveries; the last one is final if it was acknowledged.
        is_acknowledged: whether it was deleted from the queue.
        is_ambiguous: whether a delivery may have begun a session without its outcome: the host died, or could not know.
        deliveries: all of them.
    """

    at: float
    camera: str
    outcomes: list[StartOutcome] = attrs.field(factory=list)
    is_acknowledged: bool = False
    is_ambiguous: bool = False
    deliveries: int = 0

    @property
    def milliseconds(self) -> int:
        """The start point of its session, which identifies it."""
        return round((EPOCH + self.at) * 1000)


@attrs.define(eq=False)
class _Way:
    """A host's way to the service, which ends when the host dies."""

    service: SimulatedService
    is_cut: bool = False

    def __getattr__(self, name: str) -> object:
        return getattr(self.service, name)

    async def send(self, operation: str, body: Mapping[str, object], *, on_sent: Callable[[], None]) -> Reply:
        if self.is_cut:
            await asyncio.get_running_loop().create_future()
        reply = await self.service.send(operation, body, on_sent=on_sent)
        if self.is_cut:
            await asyncio.get_running_loop().create_future()
        return reply


class _QueueMonitor:
    """Reports the ends of sessions by the notifications that this host receives."""

    def __init__(self, client: rks.Client) -> None:
        self.polled = PolledSessions(client)
        self.on_end: Callable[[SessionEnd], bool] | None = None

    async def ended(self, names: Collection[str]) -> Iterable[SessionEnd | str]:
        return await self.polled.ended(names)

    def listen(self, on_end: Callable[[SessionEnd], bool]) -> None:
        self.on_end = on_end


class MotionHost:
    """One host, as the example's worker.

    Attributes:
        redis: its way to the server.
    """

    def __init__(self, server: ScriptServer, service: SimulatedService, limits: Limits, *, expected_hosts: int) -> None:
        self.redis = ScriptRedis.of(server)
        self.way = _Way(service)
        self.limiter = RedisRateLimiter(self.redis, expected_hosts=expected_hosts)
        self.slots = RedisSessionSlots(self.redis)
        self.client = rks.Client(
            transport=cast("Any", self.way),
            rate_limiter=self.limiter,
            limits=limits,
            timeout=_CALL,
            clock=SimulatedClock(),
        )
        self.monitor = _QueueMonitor(self.client)
        self.fleet = rks.Fleet(self.client, when_busy="share", slots=self.slots, session_monitor=self.monitor)
        self.tasks: set[asyncio.Task[None]] = set()

    def handle(self, motion: Motion) -> None:
        """Handle one delivery of a motion event."""
        motion.deliveries += 1
        task = asyncio.get_running_loop().create_task(self._handle(motion))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _handle(self, motion: Motion) -> None:
        now = asyncio.get_running_loop().time()
        start = rks.LabelDetectionStart(
            name=motion.camera,
            start_selector=rks.ProducerTimestamp(motion.milliseconds),
            stop_selector=rks.StopSelector(SESSION),
        )
        expires = EPOCH + min(motion.at + DEADLINE, now + VISIBILITY - _CALL)
        if motion.deliveries > 1 and await self._is_at_work(motion.camera):
            outcome: StartOutcome = rks.AlreadyRunning(start)
        else:
            at = datetime.datetime.fromtimestamp(expires, datetime.UTC)
            try:
                outcome = await self.fleet.submit(start, expires_at=at)
            except asyncio.CancelledError:
                motion.is_ambiguous = True
                raise
        motion.outcomes.append(outcome)
        match outcome:
            case rks.Started() | rks.AlreadyRunning():
                motion.is_acknowledged = True
            case rks.Expired():
                motion.is_acknowledged = asyncio.get_running_loop().time() >= motion.at + DEADLINE - 0.01
            case rks.Unknown():
                motion.is_ambiguous = True
            case _:
                pass

    async def _is_at_work(self, camera: str) -> bool:
        try:
            return (await self.client.describe_stream_processor(camera)).status is rks.Status.STARTING
        except rks.RekostreamError:
            return False

    async def die(self) -> None:
        """Be killed: nothing that it does reaches the service or the server any more."""
        self.way.is_cut = True
        self.redis.break_down("killed")
        for task in tuple(self.tasks):
            task.cancel()
        await self.aclose()

    async def aclose(self) -> None:
        """Close what it has."""
        await self.fleet.aclose()
        await self.slots.aclose()
        await self.limiter.aclose()
        await self.client.aclose()
        await self.redis.aclose()
