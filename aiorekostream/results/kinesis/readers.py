"""Read all shards of a stream, also while they are split and merged."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence

import attrs

from aiorekostream.clock import Clock
from aiorekostream.errors import ConfigurationError, RekostreamError, ResourceNotFoundError
from aiorekostream.results.kinesis.cursor import ShardCursor
from aiorekostream.results.kinesis.graph import ShardGraph
from aiorekostream.results.kinesis.inbox import RecordInbox
from aiorekostream.results.kinesis.port import RecordStream, Shard, may_list_later
from aiorekostream.results.kinesis.positions import (
    SHARD_END,
    Position,
    PositionType,
    SequenceNumber,
    StreamStart,
    record_id,
)
from aiorekostream.results.kinesis.reader import ShardReader
from aiorekostream.retry.policy import full_jitter

__all__ = ["ShardReaders"]

_log = logging.getLogger("aiorekostream")

# Seconds between lists of shards that fail, or lack the children of a shard that has ended: at most the first to begin
# with, at most the second.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0


@attrs.define(eq=False, kw_only=True)
class ShardReaders:
    """Run a reader for each shard that may be read.

    A shard is done when it is read to its end and all its records are settled. Then its children are read.

    Attributes:
        stream: the stream.
        start: where reading begins without checkpoints.
        max_in_flight: the most records that are held, in equal shares for the shards that are being read.
        inbox: takes in the records.
        clock: sleeps between lists.
        random: returns a number from 0 to 1 each time.
        spawn: runs a reader in a task.
        on_begin: called before the first read, when ``positions`` has the positions to begin at.
        on_change: called when ``positions`` may have changed.
    """

    stream: RecordStream
    start: StreamStart
    max_in_flight: int
    inbox: RecordInbox
    clock: Clock
    random: Callable[[], float]
    spawn: Callable[[Coroutine[object, object, None]], asyncio.Task[None]]
    on_begin: Callable[[], Awaitable[None]]
    on_change: Callable[[], None]
    _graph: ShardGraph = attrs.field(factory=ShardGraph, init=False)
    _readers: dict[str, ShardReader] = attrs.field(factory=dict[str, ShardReader], init=False)
    _tasks: set[asyncio.Task[None]] = attrs.field(factory=set[asyncio.Task[None]], init=False)
    _from_tip: set[str] = attrs.field(factory=set[str], init=False)
    _shard_ended: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _has_begun: bool = attrs.field(default=False, init=False)

    def begin(self, saved: Mapping[str, Position]) -> None:
        """Begin at the checkpoints, or where a consumer without checkpoints begins."""
        self._spawn(self._run(saved))

    async def stop(self) -> None:
        """Stop reading."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def settled(self, cursor: ShardCursor) -> None:
        """Note that a record of a shard was settled."""
        if (reader := self._readers.get(cursor.shard_id)) is not None:
            reader.room_changed()
            if cursor.is_done:
                self._finish(reader)
        self.on_change()

    def positions(self) -> Mapping[str, Position] | None:
        """Return the checkpoint of each shard; ``None`` before the first list of shards."""
        if not self._has_begun:
            return None
        reading = {shard_id: reader.cursor.checkpoint for shard_id, reader in self._readers.items()}
        return self._graph.positions() | reading

    def unsettled(self) -> Iterator[str]:
        """Return the ids of the records that are held."""
        for shard_id, reader in self._readers.items():
            for value in reader.cursor.pending():
                yield record_id(shard_id, value)

    @property
    def behind(self) -> float:
        """The seconds by which the slowest shard is behind its tip."""
        return max((reader.behind for reader in self._readers.values()), default=0.0)

    async def _run(self, saved: Mapping[str, Position]) -> None:
        shards = await self._list()
        if saved:
            _warn_of_expired(self._graph.resume(shards, saved))
        else:
            self._graph.begin(shards, await self._starts(shards))
        self._has_begun = True
        await self.on_begin()
        lists = 0
        while True:
            self._start_ready()
            await self._wait_for_end(lists)
            self._start_ready()  # the end of a shard names its children, which a list may not have yet
            lists = lists + 1 if self._graph.lacks_children else 0
            shards = await self._list()
            self._graph.extend(shards)
            _warn_of_expired(self._graph.forget_expired(shards))
            self.on_change()

    async def _starts(self, shards: Sequence[Shard]) -> Mapping[str, Position]:
        match self.start:
            case "latest":
                # The checkpoints begin with the time, so that a consumer that is killed before its first record loses
                # nothing. The first iterators are those of the tip: AWS refuses a time in the future, which the clock
                # of this machine may take for the present.
                self._from_tip = {shard.id for shard in shards if not shard.is_closed}
                now = Position.at_time(self.clock.wall())
                return {shard.id: SHARD_END if shard.is_closed else now for shard in shards}
            case "oldest":
                return dict.fromkeys((shard.id for shard in shards), Position(PositionType.TRIM_HORIZON))
            case SequenceNumber(value=value, shard_id=shard_id):
                if shard_id not in {shard.id for shard in shards}:
                    raise ConfigurationError(f"start={self.start}: the stream has no shard {shard_id!r}")
                position = Position(PositionType.AT_SEQUENCE_NUMBER, value)
                others = await self._arrival(shard_id, position)
                return dict.fromkeys((shard.id for shard in shards), others) | {shard_id: position}
            case moment:
                return dict.fromkeys((shard.id for shard in shards), Position.at_time(moment))

    async def _arrival(self, shard_id: str, position: Position) -> Position:
        """Return the position, in any shard, of the time at which a record arrived."""
        iterator: str | None = await self.stream.iterator(shard_id, position)
        while iterator is not None:
            batch = await self.stream.read(iterator, count=1)
            if batch.records and (arrived_at := batch.records[0].arrived_at) is not None:
                return Position.at_time(arrived_at)
            if batch.records or batch.behind <= 0:
                break
            iterator = batch.next_iterator
        return Position(PositionType.TRIM_HORIZON)

    async def _list(self) -> Sequence[Shard]:
        failures = 0
        while True:
            try:
                return await self.stream.shards()
            except RekostreamError as error:
                if not may_list_later(error):
                    raise
                failures += 1
                _log.log(logging.WARNING if failures == 1 else logging.DEBUG, "the shards cannot be listed: %s", error)
            await self.clock.sleep(self._pause(failures))

    async def _wait_for_end(self, lists: int) -> None:
        if self._graph.lacks_children:
            with contextlib.suppress(TimeoutError):
                async with self.clock.timeout_at(self.clock.now() + self._pause(lists + 1)):
                    await self._shard_ended.wait()
        else:
            await self._shard_ended.wait()
        self._shard_ended.clear()

    def _pause(self, number: int) -> float:
        return full_jitter(number, base=_FIRST_PAUSE, cap=_LONGEST_PAUSE, random=self.random())

    def _start_ready(self) -> None:
        for shard_id, position in self._graph.take_ready():
            self._readers[shard_id] = reader = ShardReader(
                stream=self.stream,
                cursor=ShardCursor(shard_id, position),
                inbox=self.inbox,
                share=self._share,
                clock=self.clock,
                random=self.random,
                is_from_tip=shard_id in self._from_tip,
            )
            self._spawn(self._read(reader))

    def _share(self) -> int:
        return max(1, self.max_in_flight // max(1, len(self._readers)))

    async def _read(self, reader: ShardReader) -> None:
        shard_id = reader.cursor.shard_id
        try:
            await reader.run()
        except ResourceNotFoundError:
            if shard_id in {shard.id for shard in await self._list()}:
                raise
            _warn_of_expired([shard_id])
        reader.cursor.reach_end()
        if reader.cursor.is_done:
            self._finish(reader)

    def _finish(self, reader: ShardReader) -> None:
        shard_id = reader.cursor.shard_id
        del self._readers[shard_id]
        self._graph.finish(shard_id)
        self._graph.extend(reader.children)
        for other in self._readers.values():
            other.room_changed()  # the shares have grown
        self._shard_ended.set()
        self.on_change()

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = self.spawn(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _warn_of_expired(shard_ids: Sequence[str]) -> None:
    for shard_id in shard_ids:
        _log.warning("the shard %s has expired before it was read to its end: its last records are lost", shard_id)
