"""Consume the records of face searches from a Kinesis data stream."""

import datetime
import math
import random as _random  # noqa: TID251 - the default source of randomness
from collections.abc import AsyncGenerator, Mapping
from typing import Literal, final

import attrs

from aiorekostream.clock import Clock
from aiorekostream.domain.faces import FaceSearchRecord
from aiorekostream.domain.fields import seconds
from aiorekostream.results.calls import open_calls
from aiorekostream.results.consumer import Consumer
from aiorekostream.results.delivery import Delivery
from aiorekostream.results.kinesis.checkpoints import Checkpoints
from aiorekostream.results.kinesis.cursor import ShardCursor
from aiorekostream.results.kinesis.inbox import RecordInbox
from aiorekostream.results.kinesis.options import KinesisOptions
from aiorekostream.results.kinesis.order import VideoOrder, frame_key
from aiorekostream.results.kinesis.port import RecordStream
from aiorekostream.results.kinesis.positions import Position, SequenceNumber
from aiorekostream.results.kinesis.readers import ShardReaders
from aiorekostream.results.kinesis.service import KinesisStream
from aiorekostream.results.kinesis.writer import CheckpointWriter, owner_name
from aiorekostream.retry.policy import RetryPolicy
from aiorekostream.transport.options import AwsSession
from aiorekostream.transport.timeout import Timeout

__all__ = ["KinesisConsumer", "KinesisReport"]

_LONGEST_WINDOW = 3_600  # seconds
# Reads at a time; a stream may have more shards than that, whose reads wait for a connection.
_CONNECTIONS = 64


@final
@attrs.frozen(kw_only=True)
class KinesisReport:
    """What a consumer of Kinesis has done so far.

    Attributes:
        received: records read.
        delivered: deliveries to handlers.
        acknowledged: records acknowledged.
        malformed: malformed records, which were delivered and do not hold the checkpoint.
        released: deliveries that were released by ``nack`` or by an exception of their handler.
        behind: seconds from the arrival of the last record read to that read, in the slowest shard; 0 at the tip.
        unacknowledged: the ids of the records that are held now: read, and not acknowledged.
    """

    received: int
    delivered: int
    acknowledged: int
    malformed: int
    released: int
    behind: float
    unacknowledged: tuple[str, ...]


class KinesisConsumer(Consumer[FaceSearchRecord]):
    """Consume the records of face searches from all shards of a Kinesis data stream.

    An async context manager and async iterator of ``Delivery``. Any number of tasks of one event loop may iterate over
    it; each delivery goes to one of them. Delivery is at least once, in the order of each shard::

        async with KinesisConsumer("faces", checkpoints=SqliteCheckpoints("faces.sqlite")) as consumer:
            async for delivery in consumer:
                async with delivery:
                    handle(delivery.event)

    The checkpoint of a shard is the last record up to which all are acknowledged. It is written at most once a second,
    and when the block is left. After a kill, the next consumer begins at the checkpoints and delivers again the records
    after them. A record that is released is delivered again after a delay and holds the checkpoint. A malformed record
    is delivered once and does not hold it.

    A shard that was split or merged is read to its end, and all its records are acknowledged, before the shards that it
    became are read. Resharding and expired iterators lose no records. Transient failures, of the network or the
    service, are logged and retried without end; all others are raised by the iteration.

    One consumer at a time reads a stream under a name: it has a lease in the store of checkpoints, which it renews.
    Entering a second one raises ``ConsumerLeaseError``. After a kill, the lease ends within 20 seconds.

    Requires the permissions ``kinesis:ListShards``, ``kinesis:GetShardIterator`` and ``kinesis:GetRecords``, and
    ``kms:Decrypt`` for a stream that is encrypted with a key of the account. See
    https://docs.aws.amazon.com/rekognition/latest/dg/streaming-video-kinesis-output.html and
    https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html.
    """

    def __init__(
        self,
        stream: str,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        profile: str | None = None,
        session: AwsSession | None = None,
        start: Literal["latest", "oldest"] | datetime.datetime | SequenceNumber = "latest",
        checkpoints: Checkpoints | None = None,
        name: str = "default",
        max_in_flight: int = 10_000,
        retry: RetryPolicy | None = None,
        timeout: Timeout | datetime.timedelta | float | None = None,
        clock: Clock | None = None,
        record_stream: RecordStream | None = None,
    ) -> None:
        """Set up a consumer; nothing is opened or sent yet.

        Args:
            stream: the name or the ARN of the stream. Checkpoints belong to this text, so give the same one always.
            region: the Region; that of the ARN by default.
            endpoint_url: the endpoint URL; AWS's endpoint by default.
            profile: a profile of the AWS config files.
            session: an aiobotocore session with credentials and settings.
            start: where to begin without checkpoints: at records that arrive from now on (``"latest"``), at the oldest
                ones of the stream (``"oldest"``), at those that have arrived since a time (a ``datetime`` with a time
                zone), or at a record, and those that have arrived since in the other shards (a ``SequenceNumber``).
            checkpoints: the store of checkpoints; by default one in memory, which ends with this consumer.
            name: the name of the consumer, 1 to 128 characters of a-z, A-Z, 0-9, ``_``, ``.``, ``-``. Consumers with
                different names have checkpoints of their own; all of them together may read a shard 5 times a second.
            max_in_flight: the most records that are held at a time, 1 to 1,000,000: those being handled, those waiting
                for a handler, and those released. Each shard has an equal share, of one record at least. A record of
                two faces has about 2 KB.
            retry: the retries of a call.
            timeout: a ``Timeout``, or the total time of a call as a ``timedelta`` or in seconds; 60 s by default.
            clock: measures the time; the event loop's clock by default.
            record_stream: the stream to use in place of Kinesis, for tests.

        Raises:
            InvalidRequestError: arguments break their rules; all issues at once.
        """
        options = KinesisOptions(
            stream=stream,
            start=start,
            name=name,
            max_in_flight=max_in_flight,
            checkpoints=checkpoints,
            record_stream=record_stream,
            region=region,
            endpoint_url=endpoint_url,
            profile=profile,
            session=session,
            retry=retry,
            timeout=timeout,
            clock=clock,
        )
        super().__init__(clock=options.clock)
        self._max_in_flight = options.max_in_flight
        self._stream: RecordStream = (
            options.record_stream
            if options.record_stream is not None
            else KinesisStream(
                options.stream,
                open_calls("kinesis", options, region=options.stream_region, max_connections=_CONNECTIONS),
            )
        )
        self._inbox = RecordInbox(clock=self._clock, on_delivery=self._news.set, on_settled=self._settled)
        self._writer = CheckpointWriter(
            store=options.checkpoints,
            consumer=f"{options.stream}/{options.name}",
            owner=owner_name(_random.random()),  # noqa: S311 - no secret
            clock=self._clock,
            positions=self._positions,
        )
        self._readers = ShardReaders(
            stream=self._stream,
            start=options.start,
            max_in_flight=options.max_in_flight,
            inbox=self._inbox,
            clock=self._clock,
            random=_random.random,
            spawn=self._spawn,
            on_begin=self._writer.write,
            on_change=self._writer.changed,
        )

    @property
    def report(self) -> KinesisReport:
        """What the consumer has done so far."""
        return KinesisReport(
            **attrs.asdict(self._inbox.counts),
            behind=self._readers.behind,
            unacknowledged=tuple(self._readers.unsettled()),
        )

    def in_order(self, *, window: datetime.timedelta | float = 10) -> AsyncGenerator[Delivery[FaceSearchRecord], None]:
        """Iterate over the deliveries, the records of each video in the order of their frames.

        Rekognition spreads the records of a video over all shards, so they arrive in no order. Each record is held for
        the window, and then delivered after the earlier ones of its video, by fragment number and offset. A record that
        arrives after a later one was delivered is delivered at once, with ``is_late`` true. So is a malformed one.

        Iterate in one task only. At most half of ``max_in_flight`` records are held; more are delivered before the
        window has passed.

        Args:
            window: for how long a record is held, a ``timedelta`` or seconds from 0 to 3,600.

        Raises:
            InvalidRequestError: the window is out of its range.
        """
        order: VideoOrder[Delivery[FaceSearchRecord]] = VideoOrder(
            window=seconds(window, least=0, most=_LONGEST_WINDOW), most=self._max_in_flight // 2
        )
        return self._sorted(order)

    async def _sorted(
        self, order: VideoOrder[Delivery[FaceSearchRecord]]
    ) -> AsyncGenerator[Delivery[FaceSearchRecord], None]:
        try:
            while True:
                try:
                    delivery = await self._next_before(order.next_moment)
                except StopAsyncIteration:
                    break
                now = self._clock.now()
                if delivery is not None and not _is_held(order, now, delivery):
                    yield delivery
                while (earliest := order.pop(now)) is not None:
                    yield earliest
            while (earliest := order.pop(math.inf)) is not None:
                yield earliest
        finally:  # closed before the end: another iteration may deliver the held records
            while (held := order.pop(math.inf)) is not None:
                await held.nack(0)

    async def _next_before(self, moment: float) -> Delivery[FaceSearchRecord] | None:
        if moment == math.inf:
            return await anext(self)
        try:
            async with self._clock.timeout_at(moment):
                return await anext(self)
        except TimeoutError:
            self._raise_failure()  # the timeout may be that of a store
            return None

    async def _start(self) -> None:
        saved = await self._writer.acquire()
        _ = self._spawn(self._writer.run())
        self._readers.begin(saved)

    def _next_delivery(self) -> Delivery[FaceSearchRecord] | None:
        return self._inbox.next_delivery()

    async def _stop_receiving(self) -> None:
        await self._readers.stop()
        self._inbox.drop_waiting()

    def _release_all(self) -> None:
        self._inbox.close()

    async def _confirm(self) -> None:
        self._raise_failure()
        await self._writer.write()

    def _end(self, error: BaseException) -> None:
        """Do nothing: acknowledgements are written until the consumer is closed."""

    async def _disconnect(self) -> None:
        try:
            await self._writer.release()
        finally:  # also when it is cancelled
            await self._stream.aclose()

    def _count_unsettled(self) -> int:
        return len(self.report.unacknowledged)

    # The parts of a consumer refer to each other, so the first ones reach the later ones by these methods.

    def _settled(self, cursor: ShardCursor) -> None:
        self._readers.settled(cursor)

    def _positions(self) -> Mapping[str, Position] | None:
        return self._readers.positions()


def _is_held(order: VideoOrder[Delivery[FaceSearchRecord]], now: float, delivery: Delivery[FaceSearchRecord]) -> bool:
    """Hold a delivery unless it is malformed, or late."""
    if delivery.is_malformed:
        return False
    record = delivery.event
    delivery.is_late = not order.add(now, record.kinesis_video_stream_arn, frame_key(record.position), delivery)
    return not delivery.is_late
