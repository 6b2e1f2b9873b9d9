"""Hold one data stream: its shards, the splits and merges of them, and the sources that write to it.

A pure state machine: the time is an argument. Changes that take AWS some seconds (CREATING, UPDATING) are immediate.
See https://docs.aws.amazon.com/streams/latest/dev/kinesis-using-sdk-java-resharding.html.
"""

from __future__ import annotations

import bisect
import hashlib
from operator import attrgetter
from typing import TYPE_CHECKING, Protocol

import attrs

from aiorekostream.emulator.world.identity import Caller
from aiorekostream.emulator.world.shard import EmulatedShard, ProducedRecord, StoredRecord, StreamTotals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["MAX_HASH_KEY", "EmulatedStream", "RecordSource"]

MAX_HASH_KEY = (1 << 128) - 1
"""The highest hash key: hash keys are MD5 digests of partition keys."""

# Seconds; AWS's default retention period.
_RETENTION = 86_400.0
# A sequence number is this, milliseconds and a count: 56 digits, as at AWS, that grow with time. AWS does not document
# the format, so programs must not rely on it.
_BASE, _TIME_BIT = 1 << 185, 80

_first_hash, _arrived_at = attrgetter("first_hash"), attrgetter("arrived_at")


class RecordSource(Protocol):
    """Writes records to a stream. It is asked for them only when the stream is used."""

    @property
    def is_exhausted(self) -> bool:
        """Whether no record follows those that were taken."""
        ...

    def next_due(self) -> float | None:
        """Return when the next record arrives, in epoch seconds; None if none does."""
        ...

    def take_due(self, now: float, most: int) -> Sequence[ProducedRecord]:
        """Return the records that arrived by ``now`` and were not taken before, in time order.

        Args:
            now: the time in epoch seconds.
            most: the maximum number; the latest ones are returned.
        """
        ...


@attrs.define(kw_only=True, eq=False)
class EmulatedStream:
    """A data stream.

    Attributes:
        name: the name.
        owner: the account and the Region.
        arn: the ARN.
        created: when it was created, in epoch seconds.
        max_records: the maximum number of records that are taken from a source at once.
        totals: the records of all streams.
        retention: the seconds after which a record is removed.
        is_on_demand: whether it was created in the on-demand mode.
        is_implicit: whether a processor made it and no CreateStream has set its shards.
    """

    name: str
    owner: Caller
    arn: str
    created: float
    max_records: int
    totals: StreamTotals = attrs.field(factory=StreamTotals)
    retention: float = _RETENTION
    is_on_demand: bool = False
    is_implicit: bool = False
    _shards: dict[str, EmulatedShard] = attrs.field(factory=dict, init=False)
    _open: list[EmulatedShard] = attrs.field(factory=list, init=False)
    _sources: list[RecordSource] = attrs.field(factory=list, init=False)
    _shard_count: int = attrs.field(default=0, init=False)
    _record_count: int = attrs.field(default=0, init=False)
    _latest: int = attrs.field(default=0, init=False)

    @property
    def shards(self) -> Mapping[str, EmulatedShard]:
        """The shards by id, in the order in which they were opened; closed ones until their records have expired."""
        return self._shards

    @property
    def open_shards(self) -> Sequence[EmulatedShard]:
        """The open shards, in the order of their hash keys."""
        return self._open

    def open_evenly(self, count: int, now: float) -> None:
        """Open shards that share the hash keys evenly, in place of those that exist."""
        self.clear()
        self._shards.clear()
        self._open.clear()
        self._shard_count = 0
        size = (MAX_HASH_KEY + 1) // count
        for index in range(count):
            last = MAX_HASH_KEY if index == count - 1 else (index + 1) * size - 1
            self._open_shard(index * size, last, now)

    def attach(self, source: RecordSource, now: float) -> None:
        """Take records from a source, too."""
        self.advance(now)
        self._sources.append(source)

    def advance(self, now: float) -> None:
        """Take the records that arrived by ``now`` from the sources, and remove what has expired."""
        due = [record for source in self._sources for record in source.take_due(now, self.max_records)]
        for record in sorted(due, key=_arrived_at):
            self._add(record, record.arrived_at)
        self._sources = [source for source in self._sources if not source.is_exhausted]
        expired = now - self.retention
        for shard in tuple(self._shards.values()):
            shard.expire(expired)
            if shard.closed_at is not None and shard.closed_at <= expired:
                del self._shards[shard.shard_id]

    def put(
        self, partition_key: str, hash_key: int | None, data: bytes, now: float
    ) -> tuple[EmulatedShard, StoredRecord]:
        """Add a record, and return it with its shard.

        Args:
            partition_key: the partition key.
            hash_key: the hash key; None for that of the partition key.
            data: the data.
            now: the time in epoch seconds, up to which the stream was advanced.
        """
        return self._add((partition_key, data), now, hash_key=hash_key)

    def split(self, shard: EmulatedShard, hash_key: int, now: float) -> None:
        """Close an open shard, and open one below a hash key and one from it on."""
        self._close(shard, now)
        self._open_shard(shard.first_hash, hash_key - 1, now, shard)
        self._open_shard(hash_key, shard.last_hash, now, shard)

    def merge(self, shard: EmulatedShard, adjacent: EmulatedShard, now: float) -> None:
        """Close two open shards whose hash keys are adjacent, and open one with the hash keys of both."""
        for closed in (shard, adjacent):
            self._close(closed, now)
        first, last = min(shard.first_hash, adjacent.first_hash), max(shard.last_hash, adjacent.last_hash)
        self._open_shard(first, last, now, shard, adjacent)

    def children(self, shard: EmulatedShard) -> list[EmulatedShard]:
        """Return the shards that were split or merged from a shard."""
        return [child for child in self._shards.values() if shard.shard_id in child.parents]

    def next_sequence_number(self, now: float) -> int:
        """Return a number that is higher than those of all records, and not higher than those of later ones."""
        self._latest = max(self._latest, round(now * 1000))
        return _BASE + (self._latest << _TIME_BIT) + self._record_count + 1

    def clear(self) -> None:
        """Remove all records."""
        for shard in self._shards.values():
            shard.remove(len(shard))

    def _add(
        self, content: tuple[str, bytes] | ProducedRecord, now: float, *, hash_key: int | None = None
    ) -> tuple[EmulatedShard, StoredRecord]:
        record = StoredRecord(sequence_number=self.next_sequence_number(now), arrived_at=now, content=content)
        self._record_count += 1
        shard = self._open[0] if len(self._open) == 1 else self._shard_of(record, hash_key)
        shard.add(record)
        return shard, record

    def _shard_of(self, record: StoredRecord, hash_key: int | None) -> EmulatedShard:
        if hash_key is None:
            digest = hashlib.md5(record.partition_key.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()
            hash_key = int.from_bytes(digest, "big")
        return self._open[bisect.bisect_right(self._open, hash_key, key=_first_hash) - 1]

    def _open_shard(self, first_hash: int, last_hash: int, now: float, *parents: EmulatedShard) -> None:
        shard = EmulatedShard(
            number=self._shard_count,
            first_hash=first_hash,
            last_hash=last_hash,
            first_sequence_number=self.next_sequence_number(now),
            created=now,
            parents=tuple(parent.shard_id for parent in parents),
            totals=self.totals,
        )
        self._shard_count += 1
        self._shards[shard.shard_id] = shard
        bisect.insort(self._open, shard, key=_first_hash)

    def _close(self, shard: EmulatedShard, now: float) -> None:
        shard.close(self.next_sequence_number(now), now)
        # The next shard begins after the last record that this one may have.
        self._record_count += 1
        self._open.remove(shard)
