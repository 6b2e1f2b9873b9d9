"""Hold the data streams of all accounts. Bounded: beyond the maximum count and size the oldest records are removed."""

from __future__ import annotations

import attrs

from aiorekostream.emulator.world.identity import Caller, partition_of
from aiorekostream.emulator.world.shard import StreamTotals
from aiorekostream.emulator.world.stream import EmulatedStream

__all__ = ["Streams"]

# The emulator's own choices: an hour of 200 cameras and more. A record of a face search is a description until it is
# read, and takes less than 400 bytes.
_MAX_RECORDS = 1_000_000
_MAX_BYTES = 384 * 1024 * 1024
_MAX_STREAMS = 10_000
# The part of the fullest shard that is removed at once, so that a full emulator does not look for it at each record.
_REMOVED_PART = 16


@attrs.define
class Streams:
    """The streams of all accounts and Regions.

    Attributes:
        max_records: the maximum number of records in all streams.
        max_bytes: the maximum size of the records in all streams.
        dropped: how many records were removed because there were too many.
    """

    max_records: int = _MAX_RECORDS
    max_bytes: int = _MAX_BYTES
    dropped: int = attrs.field(default=0, init=False)
    _totals: StreamTotals = attrs.field(factory=StreamTotals, init=False)
    _streams: dict[tuple[Caller, str], EmulatedStream] = attrs.field(factory=dict, init=False)

    def get(self, owner: Caller, name: str) -> EmulatedStream | None:
        """Return a stream, or None."""
        return self._streams.get((owner, name))

    def of(self, owner: Caller) -> list[EmulatedStream]:
        """Return the streams of an account in a Region, by name."""
        found = (stream for key, stream in self._streams.items() if key[0] == owner)
        return sorted(found, key=lambda stream: stream.name)

    def open(self, owner: Caller, name: str, now: float) -> EmulatedStream | None:
        """Return a stream, created with one shard if it does not exist; None if there are too many."""
        found = self._streams.get((owner, name))
        if found is None and len(self._streams) < _MAX_STREAMS:
            region = owner.region
            found = EmulatedStream(
                name=name,
                owner=owner,
                arn=f"arn:{partition_of(region)}:kinesis:{region}:{owner.account}:stream/{name}",
                created=now,
                max_records=self.max_records,
                totals=self._totals,
                is_implicit=True,
            )
            found.open_evenly(1, now)
            self._streams[owner, name] = found
        return found

    def delete(self, stream: EmulatedStream) -> None:
        """Delete a stream with its records."""
        stream.clear()
        self._streams.pop((stream.owner, stream.name), None)

    def clear(self) -> None:
        """Delete all streams."""
        for stream in self._streams.values():
            stream.clear()
        self._streams.clear()

    def enforce_bounds(self) -> None:
        """Remove the oldest records of the fullest shards while there are too many."""
        while self._totals.records > self.max_records or self._totals.size > self.max_bytes:
            fullest = max((shard for stream in self._streams.values() for shard in stream.shards.values()), key=len)
            count = max(len(fullest) // _REMOVED_PART, 1)
            fullest.remove(count)
            self.dropped += count
