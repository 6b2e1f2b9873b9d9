"""Decide which shards of a stream may be read, and from where: children after all their parents; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from aiorekostream.results.kinesis.port import Shard
from aiorekostream.results.kinesis.positions import SHARD_END, Position, PositionType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["ShardGraph"]

_OLDEST = Position(PositionType.TRIM_HORIZON)


@attrs.define(eq=False)
class ShardGraph:
    """The shards of a stream.

    A shard is ready when each of its parents is done, or is gone from the stream because its records have expired. A
    shard that appears later than the first list begins at its oldest record, so that resharding loses nothing.
    """

    _shards: dict[str, Shard] = attrs.field(factory=dict[str, Shard], init=False)
    _positions: dict[str, Position] = attrs.field(factory=dict[str, Position], init=False)
    _reading: set[str] = attrs.field(factory=set[str], init=False)

    def begin(self, shards: Iterable[Shard], starts: Mapping[str, Position]) -> None:
        """Take in the first list of shards of a consumer without checkpoints.

        Args:
            shards: the shards.
            starts: the position of each shard at which reading begins; the end for those that are not read.
        """
        for shard in shards:
            self._add(shard, starts[shard.id])

    def resume(self, shards: Iterable[Shard], saved: Mapping[str, Position]) -> list[str]:
        """Take in the first list of shards of a consumer with checkpoints.

        Args:
            shards: the shards.
            saved: the checkpoints by the ids of shards.

        Returns:
            The ids of the shards that have a checkpoint, and have expired before they were read to their end.
        """
        for shard in shards:
            self._add(shard, saved.get(shard.id, _OLDEST))
        return [
            shard_id for shard_id, position in saved.items() if shard_id not in self._shards and position != SHARD_END
        ]

    def extend(self, shards: Iterable[Shard]) -> None:
        """Take in a later list, or the children of a shard, and add the shards that are new."""
        for shard in shards:
            if shard.id not in self._shards:
                self._add(shard, _OLDEST)

    def forget_expired(self, shards: Iterable[Shard]) -> list[str]:
        """Remove the shards that are absent from a complete list, unless they are being read.

        Returns:
            The ids of those that were not read to their end.
        """
        listed = {shard.id for shard in shards}
        gone = [shard_id for shard_id in self._shards if shard_id not in listed and shard_id not in self._reading]
        unread = [shard_id for shard_id in gone if not self._is_done(shard_id)]
        for shard_id in gone:
            del self._shards[shard_id], self._positions[shard_id]
        return unread

    def take_ready(self) -> list[tuple[str, Position]]:
        """Return the shards that may be read from now on, with the position to begin at; each is returned once."""
        ready = [
            (shard.id, self._positions[shard.id])
            for shard in self._shards.values()
            if shard.id not in self._reading
            and not self._is_done(shard.id)
            and all(self._is_done(parent) for parent in shard.parents)
        ]
        self._reading.update(shard_id for shard_id, _ in ready)
        return ready

    def finish(self, shard_id: str) -> None:
        """Note that a shard is read to its end, and that all its records are settled."""
        self._reading.discard(shard_id)
        if shard_id in self._positions:
            self._positions[shard_id] = SHARD_END

    @property
    def lacks_children(self) -> bool:
        """Whether a shard is done whose children are not known yet, so that another list is needed."""
        parents = {parent for shard in self._shards.values() for parent in shard.parents}
        return any(position == SHARD_END and shard_id not in parents for shard_id, position in self._positions.items())

    def positions(self) -> dict[str, Position]:
        """Return the positions of the shards that are not being read."""
        return {shard_id: position for shard_id, position in self._positions.items() if shard_id not in self._reading}

    def _add(self, shard: Shard, position: Position) -> None:
        self._shards[shard.id] = shard
        self._positions[shard.id] = position

    def _is_done(self, shard_id: str) -> bool:
        return self._positions.get(shard_id, SHARD_END) == SHARD_END
