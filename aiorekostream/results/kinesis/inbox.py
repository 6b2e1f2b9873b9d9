"""Hold the records that were read and are not settled, and hand them to handlers."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import attrs

from aiorekostream.clock import Clock, TimerHandle
from aiorekostream.codec.face_records import parse_face_record
from aiorekostream.deadline_queue import DeadlineQueue
from aiorekostream.errors import ConfigurationError, MalformedEventError
from aiorekostream.results.delivery import Delivery, outcome_of
from aiorekostream.results.kinesis.cursor import ShardCursor
from aiorekostream.results.kinesis.port import StreamRecord
from aiorekostream.results.kinesis.positions import record_id

if TYPE_CHECKING:
    from aiorekostream.domain.faces import FaceSearchRecord

__all__ = ["RecordCounts", "RecordInbox"]

_log = logging.getLogger("aiorekostream")

# Seconds until a record is delivered again whose handler raised: the first doubles each time, up to the second.
_FIRST_DELAY, _LONGEST_DELAY = 1.0, 60.0


@attrs.define(eq=False)
class RecordCounts:
    """Counts of records by what happened to them; see ``KinesisReport``."""

    received: int = 0
    delivered: int = 0
    acknowledged: int = 0
    malformed: int = 0
    released: int = 0


@attrs.define(eq=False)
class _HeldRecord:
    """A record that is read and not settled."""

    cursor: ShardCursor
    record: StreamRecord
    receive_count: int = 0


@attrs.define(eq=False, kw_only=True)
class RecordInbox:
    """The records that a consumer holds.

    Invariant: every record that a cursor has as not settled waits here, or is being handled, or will be delivered again
    after a delay.

    Attributes:
        clock: measures the delays of released records.
        on_delivery: called when there is a delivery.
        on_settled: called with the cursor whose record was settled.
        full: events of the readers that wait for room, which are set when the handlers have nothing left.
        counts: the counts for the report.
    """

    clock: Clock
    on_delivery: Callable[[], None]
    on_settled: Callable[[ShardCursor], None]
    full: set[asyncio.Event] = attrs.field(factory=set[asyncio.Event], init=False)
    counts: RecordCounts = attrs.field(factory=RecordCounts)
    _waiting: deque[_HeldRecord] = attrs.field(factory=deque[_HeldRecord], init=False)
    _delayed: DeadlineQueue[_HeldRecord] = attrs.field(factory=DeadlineQueue[_HeldRecord], init=False)
    _timer: TimerHandle | None = attrs.field(default=None, init=False)
    _fires_at: float = attrs.field(default=math.inf, init=False)
    _closed: bool = attrs.field(default=False, init=False)

    @property
    def has_waiting(self) -> bool:
        """Whether a delivery waits for a handler."""
        return bool(self._waiting)

    def accept(self, cursor: ShardCursor, records: Sequence[StreamRecord]) -> None:
        """Take in the records of a read."""
        self.counts.received += len(records)
        for record in records:
            cursor.read(record.sequence_number)
            self._waiting.append(_HeldRecord(cursor, record))
        if records:
            self.on_delivery()

    def next_delivery(self) -> Delivery[FaceSearchRecord] | None:
        """Return a delivery that waits for a handler; ``None`` if there is none."""
        if not self._waiting:
            return None
        held = self._waiting.popleft()
        if not self._waiting:
            for event in self.full:
                event.set()
        held.receive_count += 1
        self.counts.delivered += 1
        # Parsed as late as possible: a read has up to 10,000 records, which would take the event loop too long.
        outcome = outcome_of(parse_face_record, held.record.data)
        name = record_id(held.cursor.shard_id, held.record.sequence_number)
        if isinstance(outcome, MalformedEventError):
            self.counts.malformed += 1
            _log.warning("the record %s is malformed: %s", name, outcome)
            self._settle(held)  # a further delivery would be malformed, too, so the checkpoint moves on
        return Delivery(
            outcome,
            raw=held.record.data,
            id=name,
            settlement=_RecordSettlement(self, held, isinstance(outcome, MalformedEventError)),
            receive_count=held.receive_count,
        )

    def acknowledge(self, held: _HeldRecord) -> None:
        """Settle a record that was handled.

        Raises:
            ConfigurationError: the consumer is closed.
        """
        if self._closed:
            raise ConfigurationError("the consumer is closed, so the event will be delivered again")
        self.counts.acknowledged += 1
        self._settle(held)

    def release(self, held: _HeldRecord, delay: float | None) -> None:
        """Deliver a record again after a number of seconds; with no number, later each time."""
        if self._closed:
            return
        self.counts.released += 1
        if delay is None:
            delay = min(_LONGEST_DELAY, _FIRST_DELAY * 2.0 ** (min(held.receive_count, 32) - 1))
        self._delayed.set(held, self.clock.now() + delay)
        self._set_timer()

    def drop_waiting(self) -> None:
        """Stop handing out deliveries. Those that handlers have can still be settled."""
        self._waiting.clear()
        for held in list(self._delayed):
            self._delayed.remove(held)
        self._set_timer()

    def close(self) -> None:
        """Stop settling records, and drop what waits."""
        self._closed = True
        self.drop_waiting()

    def _settle(self, held: _HeldRecord) -> None:
        held.cursor.settle(held.record.sequence_number)
        self.on_settled(held.cursor)

    def _set_timer(self) -> None:
        moment = self._delayed.next_moment
        if moment == self._fires_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._fires_at = moment
        self._timer = self.clock.call_at(moment, self._redeliver) if moment < math.inf else None

    def _redeliver(self) -> None:
        self._timer, self._fires_at = None, math.inf
        self._waiting.extend(self._delayed.pop_due(self.clock.now()))
        self._set_timer()
        if self._waiting:
            self.on_delivery()


@attrs.frozen
class _RecordSettlement:
    """Settle one record; a malformed one is settled already."""

    inbox: RecordInbox
    held: _HeldRecord
    is_settled: bool

    async def acknowledge(self) -> None:
        if not self.is_settled:
            self.inbox.acknowledge(self.held)

    async def release(self, delay: float | None) -> None:
        if not self.is_settled:
            self.inbox.release(self.held, delay)
