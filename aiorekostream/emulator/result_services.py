"""Hold the services with which results are read, SQS, S3 and Kinesis, and what leads from the world to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import attrs

from aiorekostream.emulator.clocks import EmulatorClock, RealClock, ScaledClock
from aiorekostream.emulator.fault_script import FaultScript
from aiorekostream.emulator.http.kinesis import KinesisPlane
from aiorekostream.emulator.http.pump import ResultPump
from aiorekostream.emulator.http.s3 import S3Plane
from aiorekostream.emulator.http.sqs import SqsPlane
from aiorekostream.emulator.outbox import LocalDestination, Outbox, ResultDestination
from aiorekostream.emulator.world import World
from aiorekostream.emulator.world.dependency_faults import DependencyFaults
from aiorekostream.emulator.world.objects import Buckets
from aiorekostream.emulator.world.queues import Queues
from aiorekostream.emulator.world.streams import Streams

if TYPE_CHECKING:
    from aiorekostream.emulator.arguments import EmulatorArguments
    from aiorekostream.emulator.http.callers import CallerDirectory
    from aiorekostream.emulator.http.dispatch import Plane

__all__ = ["ResultServices"]


class ResultServer(ResultDestination, Protocol):
    """A server to which results are delivered."""

    @property
    def undelivered(self) -> int:
        """How many results could not be delivered."""
        ...

    def start(self) -> None:
        """Begin to send, on the running event loop."""
        ...

    async def aclose(self) -> None:
        """Send what is pending, for a while, and end."""
        ...

    def clear(self) -> None:
        """Drop what is pending."""
        ...


@attrs.define(kw_only=True, eq=False)
class ResultServices:
    """The queues, buckets and data streams of an emulator, or the server to which results are delivered instead.

    Attributes:
        clock: the emulator's clock.
        fault_script: the pending faults.
        is_raw: whether messages are delivered without SNS's envelope.
        remote: the server to which results are delivered; None for the emulator's own queues, buckets and streams.
        limits_reads: whether data streams refuse reads above AWS's rates.
        outbox: takes the results of the world.
        pump: makes results when they are due.
    """

    clock: EmulatorClock
    fault_script: FaultScript
    is_raw: bool
    remote: ResultServer | None
    limits_reads: bool = True
    outbox: Outbox = attrs.field(init=False)
    pump: ResultPump = attrs.field(init=False)
    _reader_clock: EmulatorClock = attrs.field(init=False)
    _queues: Queues = attrs.field(factory=Queues, init=False)
    _buckets: Buckets = attrs.field(factory=Buckets, init=False)
    _streams: Streams = attrs.field(factory=Streams, init=False)
    _world: World | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        # Consumers measure visibility timeouts and the age of iterators in real time. A clock that is faster would end
        # both too early.
        self._reader_clock = RealClock() if isinstance(self.clock, ScaledClock) else self.clock
        local = LocalDestination(
            queues=self._queues,
            buckets=self._buckets,
            streams=self._streams,
            now=self._reader_clock.now,
            is_raw=self.is_raw,
        )
        destination: ResultDestination = local if self.remote is None else self.remote
        self.outbox = Outbox(destination=destination, fault_script=self.fault_script)
        self.pump = ResultPump(
            clock=self.clock, advance=self.advance, next_due=self._next_due, is_eager=self.remote is not None
        )

    @classmethod
    def open(cls, given: EmulatorArguments, *, fault_script: FaultScript) -> ResultServices:
        """Create the services.

        Args:
            given: the arguments of the emulator.
            fault_script: the pending faults.

        Raises:
            ConfigurationError: the URL is invalid, or is another machine and that is not allowed.
        """
        remote: ResultServer | None = None
        if given.deliver_to is not None:
            # It imports aiobotocore, which an emulator with queues of its own does not need.
            from aiorekostream.emulator.remote import RemoteDestination, check_target  # noqa: PLC0415

            check_target(given.deliver_to, allow_remote=given.allow_remote)
            remote = RemoteDestination(url=given.deliver_to)
        return cls(
            clock=given.clock,
            fault_script=fault_script,
            is_raw=given.raw_message_delivery,
            remote=remote,
            limits_reads=given.quotas,
        )

    def watch(self, world: World) -> None:
        """Take the results of a world, whose sink is the outbox."""
        self._world = world

    def planes(self, callers: CallerDirectory) -> tuple[Plane, ...]:
        """Return the APIs of SQS, Kinesis and S3."""
        return (
            SqsPlane(queues=self._queues, callers=callers, pump=self.pump, clock=self._reader_clock),
            KinesisPlane(
                streams=self._streams,
                callers=callers,
                pump=self.pump,
                clock=self.clock,
                reader_clock=self._reader_clock,
                dependency_faults=self._dependency_faults,
                limits_reads=self.limits_reads,
            ),
            S3Plane(buckets=self._buckets, callers=callers, pump=self.pump, clock=self.clock),
        )

    @property
    def undelivered(self) -> int:
        """How many results could not be delivered to another server."""
        return 0 if self.remote is None else self.remote.undelivered

    def start(self) -> None:
        """Begin, on the running event loop."""
        if self.remote is not None:
            self.remote.start()
        self.pump.start()

    async def aclose(self) -> None:
        """End; deliver what is pending to another server."""
        self.pump.close()
        if self.remote is not None:
            await self.remote.aclose()

    def advance(self) -> None:
        """Make the results that are due."""
        now = self.clock.now()
        if self._world is not None:
            self._world.advance(now)
        self.outbox.advance(now)

    def _dependency_faults(self) -> DependencyFaults:
        return DependencyFaults() if self._world is None else self._world.dependency_faults

    def clear(self) -> None:
        """Remove all results, queues, buckets and data streams."""
        self.outbox.clear()
        self._queues.clear()
        self._buckets.clear()
        self._streams.clear()
        if self.remote is not None:
            self.remote.clear()

    def _next_due(self) -> float | None:
        due_times = (None if self._world is None else self._world.next_result_at(), self.outbox.next_due())
        return min((due_at for due_at in due_times if due_at is not None), default=None)
