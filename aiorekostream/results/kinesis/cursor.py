"""Keep the position of one shard: what is read, what is settled, and the checkpoint that follows; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from aiorekostream.results.kinesis.positions import SHARD_END, Position

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ShardCursor"]


@attrs.define(eq=False)
class ShardCursor:
    """The position of one shard.

    Invariant: every record up to the checkpoint is settled. Memory grows with the records that are not settled, and not
    with those that were read.

    Attributes:
        shard_id: the id of the shard.
        start: where reading begins while no record was read.
    """

    shard_id: str
    start: Position
    # The sequence number of each record that is not settled, and that of the record before it; "" before the first one.
    _pending: dict[str, str] = attrs.field(factory=dict[str, str], init=False)
    _last: str = attrs.field(default="", init=False)
    _is_at_end: bool = attrs.field(default=False, init=False)

    def __len__(self) -> int:
        """Return the number of records that were read and are not settled."""
        return len(self._pending)

    def pending(self) -> Iterator[str]:
        """Return the sequence numbers of the records that are not settled, in their order."""
        return iter(self._pending)

    def read(self, sequence_number: str) -> None:
        """Record that the next record was read."""
        self._pending[sequence_number] = self._last
        self._last = sequence_number

    def reach_end(self) -> None:
        """Record that the shard is closed and has no more records."""
        self._is_at_end = True

    def settle(self, sequence_number: str) -> None:
        """Record that a record is not delivered any more."""
        del self._pending[sequence_number]

    @property
    def position(self) -> Position:
        """Where the next read begins."""
        return self._after(self._last)

    @property
    def checkpoint(self) -> Position:
        """The position after the last record up to which all are settled."""
        if self._pending:
            return self._after(next(iter(self._pending.values())))
        return SHARD_END if self._is_at_end else self.position

    @property
    def is_done(self) -> bool:
        """Whether the shard is read to its end, and all its records are settled."""
        return self._is_at_end and not self._pending

    def _after(self, sequence_number: str) -> Position:
        return Position.after(sequence_number) if sequence_number else self.start
