"""Read one shard, at the rate that AWS allows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import attrs

from aiorekostream.clock import Clock
from aiorekostream.errors import RekostreamError
from aiorekostream.results.kinesis.cursor import ShardCursor
from aiorekostream.results.kinesis.inbox import RecordInbox
from aiorekostream.results.kinesis.port import MAX_RECORDS, RecordBatch, RecordStream, Shard, is_expired
from aiorekostream.results.kinesis.positions import Position, PositionType
from aiorekostream.results.queue_port import may_succeed_later
from aiorekostream.retry.policy import full_jitter

__all__ = ["ShardReader"]

_log = logging.getLogger("aiorekostream")

# AWS allows five reads a second of a shard, and 2 MB a second, of all consumers together; a read that exceeds the bytes
# is answered, and those after it are throttled. A little more than a fifth of a second, because requests do not all
# take equally long to arrive. https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
_BETWEEN_READS = 0.22
_BYTES_PER_SECOND = 2_000_000
# Seconds between reads at the tip of a shard; the same as in Amazon's own consumer library.
_AT_THE_TIP = 1.0
# Seconds between reads that fail, with all retries of a call: at most the first to begin with, at most the second.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0


@attrs.define(eq=False, kw_only=True)
class ShardReader:
    """Read a shard to its end.

    It reads no more records than there is room for, so that the memory is bounded; the others stay in the stream.

    Attributes:
        stream: the stream.
        cursor: the position in the shard.
        inbox: takes in the records.
        share: returns how many records of the shard may be held.
        clock: measures the time.
        random: returns a number from 0 to 1 each time.
        is_from_tip: whether to begin at records that arrive from now on, and not at the position of the cursor.
        behind: seconds from the arrival of the last record read to the time of the read.
        children: the shards that this one was split or merged into, once its end is reached.
    """

    stream: RecordStream
    cursor: ShardCursor
    inbox: RecordInbox
    share: Callable[[], int]
    clock: Clock
    random: Callable[[], float]
    is_from_tip: bool = False
    behind: float = attrs.field(default=0.0, init=False)
    children: Sequence[Shard] = attrs.field(default=(), init=False)
    _has_room: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _failures: int = attrs.field(default=0, init=False)

    def room_changed(self) -> None:
        """Check ``share`` again."""
        self._has_room.set()

    async def run(self) -> None:
        """Read until the shard ends.

        Raises:
            ResourceNotFoundError: the shard does not exist any more.
            RekostreamError: another failure that is not transient.
        """
        iterator: str | None = None
        while True:
            count = await self._room()
            try:
                if iterator is None:
                    iterator = await self._iterator()
                began = self.clock.now()
                batch = await self.stream.read(iterator, count=count)
            except RekostreamError as error:
                if is_expired(error):
                    iterator = None
                    await self.clock.sleep(_BETWEEN_READS)
                    continue
                if not may_succeed_later(error):
                    raise
                await self._wait_after(error)
                continue
            self._recovered()
            self.behind = batch.behind
            self.inbox.accept(self.cursor, batch.records)
            iterator = batch.next_iterator
            if iterator is None:
                self.children = batch.children
                return
            await self.clock.sleep(_pause(batch, self.clock.now() - began))

    async def _iterator(self) -> str:
        position = Position(PositionType.LATEST) if self.is_from_tip else self.cursor.position
        iterator = await self.stream.iterator(self.cursor.shard_id, position)
        # Only the first iterator is that of the tip: a second one would lose what has arrived since.
        self.is_from_tip = False
        return iterator

    async def _room(self) -> int:
        while True:
            share = self.share()
            room = share - len(self.cursor)
            # At least half of the share, unless the handlers have nothing left: reads of single records are expensive.
            if room > 0 and (room * 2 >= share or not self.inbox.has_waiting):
                return min(room, MAX_RECORDS)
            self._has_room.clear()
            self.inbox.full.add(self._has_room)
            try:
                await self._has_room.wait()
            finally:
                self.inbox.full.discard(self._has_room)

    async def _wait_after(self, error: RekostreamError) -> None:
        self._failures += 1
        level = logging.WARNING if self._failures == 1 else logging.DEBUG
        _log.log(level, "the shard %s cannot be read: %s", self.cursor.shard_id, error)
        self.is_from_tip = False  # an iterator after the outage would lose what arrived meanwhile
        await self.clock.sleep(full_jitter(self._failures, base=_FIRST_PAUSE, cap=_LONGEST_PAUSE, random=self.random()))

    def _recovered(self) -> None:
        if self._failures:
            _log.info("the shard %s is read again", self.cursor.shard_id)
            self._failures = 0


def _pause(batch: RecordBatch, taken: float) -> float:
    """Return the seconds to wait after a read, which took a number of seconds."""
    size = sum(len(record.data) for record in batch.records)
    return max((_BETWEEN_READS if batch.behind > 0 else _AT_THE_TIP) - taken, size / _BYTES_PER_SECOND)
