"""A Kinesis data stream in memory, on the time of the event loop: it reshards, expires, throttles and breaks."""

from __future__ import annotations

import asyncio
import datetime
import itertools
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import attrs

from aiorekostream.clock import SystemClock
from aiorekostream.error_codes import error_class
from aiorekostream.errors import ConnectError, RekostreamError, ServiceError
from aiorekostream.results import Checkpoints, ConsumerLease, Position, PositionType, RecordBatch, Shard, StreamRecord

__all__ = [
    "LAG",
    "VIDEO",
    "BrokenCheckpoints",
    "MemoryStream",
    "StreamClock",
    "StreamConnection",
    "face_record",
    "refused",
]

VIDEO = "arn:aws:kinesisvideo:us-east-1:111122223333:stream/porch/1650000000000"
EPOCH = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
ITERATOR_LIFE = 300.0
LAG = 1.5  # seconds, of every read after which there are more records
READS_PER_SECOND, BYTES_PER_SECOND = 5, 2_000_000
MAX_BYTES = 10_000_000


class StreamClock(SystemClock):
    """The time of the event loop, with a date that begins in 2026."""

    def wall(self) -> datetime.datetime:
        return EPOCH + datetime.timedelta(seconds=self.now())


def face_record(fragment: int, *, offset: float = 0.0, video: str = VIDEO) -> bytes:
    """A record of a frame without faces."""
    position = {
        "StreamArn": video,
        "FragmentNumber": str(fragment),
        "ServerTimestamp": 1.65e9 + fragment,
        "ProducerTimestamp": 1.65e9 + fragment,
        "FrameOffsetInSeconds": offset,
    }
    return json.dumps(
        {
            "InputInformation": {"KinesisVideo": position},
            "StreamProcessorInformation": {"Status": "RUNNING"},
            "FaceSearchResponse": [],
        }
    ).encode()


def refused(code: str, *, retry_safe: bool = False) -> ServiceError:
    """An error of the service."""
    return error_class(code)("", operation="Kinesis", code=code, http_status=400, retry_safe=retry_safe)


@attrs.define(eq=False)
class StoredShard:
    """A shard: its records, without those that have expired."""

    id: str
    parents: tuple[str, ...] = ()
    is_closed: bool = False
    records: list[StreamRecord] = attrs.field(factory=list)
    reads: deque[float] = attrs.field(factory=deque)
    bytes_until: float = 0.0

    def after(self, position: Position) -> int:
        """The sequence number after which reading begins at a position."""
        earlier = [record for record in self.records if not _is_at(record, position)]
        return int(earlier[-1].sequence_number) if earlier else 0

    def throttle(self, now: float) -> bool:
        """Count a read, and return whether it exceeds the limits of a shard."""
        while self.reads and self.reads[0] <= now - 1:
            self.reads.popleft()
        if len(self.reads) >= READS_PER_SECOND or now < self.bytes_until:
            return True
        self.reads.append(now)
        return False


def _is_at(record: StreamRecord, position: Position) -> bool:
    match position.type:
        case PositionType.AT_TIMESTAMP:
            assert record.arrived_at is not None
            assert position.timestamp is not None
            return record.arrived_at >= position.timestamp
        case PositionType.AT_SEQUENCE_NUMBER:
            return int(record.sequence_number) >= int(position.sequence_number)
        case PositionType.AFTER_SEQUENCE_NUMBER:
            return int(record.sequence_number) > int(position.sequence_number)
        case _:
            assert position.type is not PositionType.SHARD_END
            return position.type is PositionType.TRIM_HORIZON


@attrs.define(eq=False)
class MemoryStream:
    """The service. It answers after ``latency`` seconds of the loop's time.

    Attributes:
        shards: the number of shards to begin with.
        latency: the seconds of a call.
        throttled: the reads that exceeded the limits of a shard.
        names_children: whether the end of a shard names its children.
        listed: whether a list has a shard; a new one may not be there at once.
        answer: returns the error of a call, if it fails, by its operation and the id of the shard.
    """

    shards: int = 4
    latency: float = 0.01
    stored: dict[str, StoredShard] = attrs.field(factory=dict, init=False)
    calls: list[tuple[str, str]] = attrs.field(factory=list, init=False)
    throttled: int = attrs.field(default=0, init=False)
    names_children: bool = attrs.field(default=True, init=False)
    answer: Callable[[str, str], RekostreamError | None] = attrs.field(default=lambda _, __: None, init=False)
    listed: Callable[[Shard], bool] = attrs.field(default=lambda _: True, init=False)
    _record_numbers: itertools.count[int] = attrs.field(factory=lambda: itertools.count(1000), init=False)
    _shard_numbers: itertools.count[int] = attrs.field(factory=itertools.count, init=False)

    def __attrs_post_init__(self) -> None:
        for _ in range(self.shards):
            self._add()

    def put(self, shard_id: str, *contents: bytes) -> list[str]:
        """Put records into an open shard, and return their ids as deliveries have them."""
        shard = self.stored[shard_id]
        assert not shard.is_closed
        ids: list[str] = []
        for content in contents:
            number = str(next(self._record_numbers))
            shard.records.append(StreamRecord(sequence_number=number, data=content, arrived_at=StreamClock().wall()))
            ids.append(f"{shard_id}:{number}")
        return ids

    def split(self, shard_id: str) -> tuple[str, str]:
        """Split a shard in two."""
        self.stored[shard_id].is_closed = True
        return self._add(shard_id), self._add(shard_id)

    def merge(self, one: str, other: str) -> str:
        """Merge two shards."""
        self.stored[one].is_closed = self.stored[other].is_closed = True
        return self._add(one, other)

    @property
    def only(self) -> str:
        """The id of the only shard that takes records."""
        [shard_id] = self.open_shards()
        return shard_id

    def open_shards(self) -> list[str]:
        """The ids of the shards that take records."""
        return [shard.id for shard in self.stored.values() if not shard.is_closed]

    def described(self, shard: StoredShard) -> Shard:
        """A shard as a list has it."""
        return Shard(id=shard.id, parents=shard.parents, is_closed=shard.is_closed)

    def connect(self) -> StreamConnection:
        """Open a connection."""
        return StreamConnection(self)

    def count(self, operation: str, shard_id: str | None = None) -> int:
        """The calls of an operation."""
        return sum(1 for name, shard in self.calls if name == operation and shard_id in {None, shard})

    def read(self, iterator: str, count: int) -> RecordBatch:
        """Read records at an iterator: the id of the shard, a sequence number, and when it was made."""
        shard_id, after, created = iterator.split("/")
        now = asyncio.get_running_loop().time()
        if now > float(created) + ITERATOR_LIFE:
            raise refused("ExpiredIteratorException")
        shard = self._find(shard_id)
        if shard.throttle(now):
            self.throttled += 1
            raise refused("ProvisionedThroughputExceededException", retry_safe=True)
        waiting = [record for record in shard.records if int(record.sequence_number) > int(after)]
        taken: list[StreamRecord] = []
        size = 0
        while len(taken) < min(count, len(waiting)) and size + len(waiting[len(taken)].data) <= MAX_BYTES:
            size += len(waiting[len(taken)].data)
            taken.append(waiting[len(taken)])
        shard.bytes_until = now + size / BYTES_PER_SECOND
        last = taken[-1].sequence_number if taken else after
        is_at_end = shard.is_closed and len(taken) == len(waiting)
        children = [self.described(child) for child in self.stored.values() if shard_id in child.parents]
        return RecordBatch(
            records=taken,
            next_iterator=None if is_at_end else f"{shard_id}/{last}/{now}",
            behind=0.0 if len(taken) == len(waiting) else LAG,
            children=children if is_at_end and self.names_children else (),
        )

    def iterator(self, shard_id: str, position: Position) -> str:
        """Make an iterator."""
        shard = self._find(shard_id)
        after = next(self._record_numbers) if position.type is PositionType.LATEST else shard.after(position)
        return f"{shard_id}/{after}/{asyncio.get_running_loop().time()}"

    def _find(self, shard_id: str) -> StoredShard:
        if shard_id not in self.stored:
            raise refused("ResourceNotFoundException")
        return self.stored[shard_id]

    def _add(self, *parents: str) -> str:
        shard = StoredShard(f"shardId-{next(self._shard_numbers):012}", parents)
        self.stored[shard.id] = shard
        return shard.id


@attrs.define(eq=False)
class StreamConnection:
    """A connection to the stream: the port that the consumer uses.

    Attributes:
        stream: the service.
        broken: whether nothing reaches the service any more, as after the end of the process.
        closed: whether ``aclose`` was called.
    """

    stream: MemoryStream
    broken: bool = attrs.field(default=False, init=False)
    closed: bool = attrs.field(default=False, init=False)

    async def shards(self) -> Sequence[Shard]:
        await self._travel("shards", "")
        found = [self.stream.described(shard) for shard in self.stream.stored.values()]
        await self._travel(None, "")
        return [shard for shard in found if self.stream.listed(shard)]

    async def iterator(self, shard_id: str, position: Position) -> str:
        await self._travel("iterator", shard_id)
        iterator = self.stream.iterator(shard_id, position)
        await self._travel(None, "")
        return iterator

    async def read(self, iterator: str, *, count: int) -> RecordBatch:
        assert 1 <= count <= 10_000
        await self._travel("read", iterator.partition("/")[0])
        batch = self.stream.read(iterator, count)
        await self._travel(None, "")
        return batch

    async def aclose(self) -> None:
        self.closed = True

    async def _travel(self, operation: str | None, shard_id: str) -> None:
        assert not self.closed
        await asyncio.sleep(self.stream.latency / 2)
        if self.broken:
            raise ConnectError("broken", operation="Kinesis", retry_safe=True)
        if operation is not None:
            self.stream.calls.append((operation, shard_id))
            if (error := self.stream.answer(operation, shard_id)) is not None:
                raise error


@attrs.frozen
class BrokenCheckpoints:
    """A store that a consumer reaches as long as its connection is not broken."""

    store: Checkpoints
    connection: StreamConnection

    async def acquire(self, consumer: str, lease: ConsumerLease, *, now: datetime.datetime) -> ConsumerLease:
        await self._travel()
        return await self.store.acquire(consumer, lease, now=now)

    async def load(self, consumer: str) -> Mapping[str, str]:
        await self._travel()
        return await self.store.load(consumer)

    async def save(self, consumer: str, owner: str, positions: Mapping[str, str | None]) -> bool:
        await self._travel()
        return await self.store.save(consumer, owner, positions)

    async def release(self, consumer: str, owner: str) -> None:
        await self._travel()
        await self.store.release(consumer, owner)

    async def _travel(self) -> None:
        await asyncio.sleep(0.001)
        if self.connection.broken:
            raise ConnectError("broken", operation="store", retry_safe=True)
