"""Hold the records of one shard of a data stream, and limit how fast they are read.

A pure state machine: the time is an argument. See
https://docs.aws.amazon.com/streams/latest/dev/key-concepts.html#shard.
"""

from __future__ import annotations

import bisect
from operator import attrgetter
from typing import Protocol

import attrs

from aiorekostream.emulator.world.quotas import QuotaBucket
from aiorekostream.limits import Quota

__all__ = ["EmulatedShard", "ProducedRecord", "ShardRead", "StoredRecord", "StreamTotals", "shard_id"]

# AWS's limits of GetRecords, of one shard: calls in a second, bytes in a second, and bytes of one response. See
# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html.
_READS = Quota(rate=5, burst=5)
_BYTES_PER_SECOND = 2 * 1024 * 1024
_MAX_READ_BYTES = 10 * 1024 * 1024
# Bytes; what a record takes beside its data.
_OVERHEAD = 400

_sequence_number = attrgetter("sequence_number")
_arrived_at = attrgetter("arrived_at")


class ProducedRecord(Protocol):
    """The description of a record that a source writes. Its data are written when it is read."""

    @property
    def arrived_at(self) -> float:
        """When it arrives, in epoch seconds."""
        ...

    @property
    def partition_key(self) -> str:
        """The partition key; always the same."""
        ...

    def render(self) -> bytes:
        """Return the data; always the same."""
        ...


@attrs.frozen(kw_only=True)
class StoredRecord:
    """A record in a shard.

    Attributes:
        sequence_number: the sequence number, unique in the stream.
        arrived_at: when it arrived, in epoch seconds of the emulator's clock.
        content: the partition key and the data, or the description from which they are written.
    """

    sequence_number: int
    arrived_at: float
    content: tuple[str, bytes] | ProducedRecord

    @property
    def partition_key(self) -> str:
        """The partition key."""
        return self.content[0] if isinstance(self.content, tuple) else self.content.partition_key

    @property
    def data(self) -> bytes:
        """The data."""
        return self.content[1] if isinstance(self.content, tuple) else self.content.render()

    @property
    def stored_bytes(self) -> int:
        """The bytes that it takes while it is stored."""
        return _OVERHEAD + (len(self.content[1]) if isinstance(self.content, tuple) else 0)


@attrs.define
class StreamTotals:
    """The records of all streams.

    Attributes:
        records: their number.
        size: their bytes.
    """

    records: int = 0
    size: int = 0


@attrs.frozen
class ShardRead:
    """What was read from a shard.

    Attributes:
        records: the records with their data.
        position: the sequence number from which the next read continues.
        unread_since: when the first unread record arrived, in epoch seconds; None if none is left.
    """

    records: tuple[tuple[StoredRecord, bytes], ...]
    position: int
    unread_since: float | None


def shard_id(number: int) -> str:
    """Return the id of the shard with a number, counted from 0 in its stream."""
    return f"shardId-{number:012}"


@attrs.define(kw_only=True, eq=False)
class EmulatedShard:
    """A shard.

    Attributes:
        number: the number in the stream, from 0.
        first_hash: the first hash key of its range.
        last_hash: the last hash key of its range.
        first_sequence_number: a number that no record of it is below.
        created: when it was opened, in epoch seconds.
        parents: the ids of the shards from which it was split or merged.
        totals: the records of all streams, with which it counts its own.
        last_sequence_number: a number that no record of it is above; None while it is open.
        closed_at: when it was closed, in epoch seconds; None while it is open.
    """

    number: int
    first_hash: int
    last_hash: int
    first_sequence_number: int
    created: float
    parents: tuple[str, ...] = ()
    totals: StreamTotals
    last_sequence_number: int | None = None
    closed_at: float | None = None
    _records: list[StoredRecord] = attrs.field(factory=list, init=False)
    _reads: QuotaBucket | None = attrs.field(default=None, init=False)
    _bytes_free_at: float = attrs.field(default=0.0, init=False)

    @property
    def shard_id(self) -> str:
        """The id."""
        return shard_id(self.number)

    @property
    def is_open(self) -> bool:
        """Whether records can be added."""
        return self.closed_at is None

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._records)

    def close(self, sequence_number: int, now: float) -> None:
        """Accept no more records."""
        self.last_sequence_number, self.closed_at = sequence_number, now

    def add(self, record: StoredRecord) -> None:
        """Add a record, whose sequence number is higher than those before."""
        self._records.append(record)
        self.totals.records += 1
        self.totals.size += record.stored_bytes

    def remove(self, count: int) -> None:
        """Remove the oldest records."""
        removed = self._records[:count]
        del self._records[:count]
        self.totals.records -= len(removed)
        self.totals.size -= sum(record.stored_bytes for record in removed)

    def expire(self, until: float) -> None:
        """Remove the records that arrived until a moment, in epoch seconds."""
        if self._records and self._records[0].arrived_at <= until:
            self.remove(bisect.bisect_right(self._records, until, key=_arrived_at))

    def position_at(self, moment: float) -> int | None:
        """Return the sequence number of the first record that arrived at or after a moment; None if there is none."""
        index = bisect.bisect_left(self._records, moment, key=_arrived_at)
        return self._records[index].sequence_number if index < len(self._records) else None

    def read(self, position: int, most: int) -> ShardRead:
        """Return the records from a sequence number on, up to a number of them and to AWS's limit of bytes."""
        index = bisect.bisect_left(self._records, position, key=_sequence_number)
        found: list[tuple[StoredRecord, bytes]] = []
        size = 0
        for record in self._records[index : index + most]:
            data = record.data
            size += len(data)
            if found and size > _MAX_READ_BYTES:
                break
            found.append((record, data))
        if found:
            position = found[-1][0].sequence_number + 1
        rest = index + len(found)
        unread_since = self._records[rest].arrived_at if rest < len(self._records) else None
        return ShardRead(tuple(found), position, unread_since)

    def admits_read(self, now: float) -> bool:
        """Count a call of GetRecords; return False if it exceeds the calls or the bytes of a second.

        Args:
            now: the time on the readers' clock, in epoch seconds.
        """
        if self._reads is None:
            self._reads = QuotaBucket(_READS, _READS.burst, now, now)
        return self._reads.try_acquire(now) and self._bytes_free_at <= now

    def count_read(self, size: int, now: float) -> None:
        """Count the bytes of a response.

        After a response above 2 MB, AWS refuses calls for as long as it takes at 2 MB a second. Smaller responses
        share the 2 MB of a second.
        """
        begin = now if size > _BYTES_PER_SECOND else now - 1
        self._bytes_free_at = max(self._bytes_free_at, begin) + size / _BYTES_PER_SECOND
