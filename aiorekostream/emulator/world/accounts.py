"""Hold the state of one account in one Region: processors, stream ownership, sessions and the queue of due events."""

from __future__ import annotations

import bisect
import heapq
from typing import TYPE_CHECKING

import attrs

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.emulator.world.answers import not_found, refuse
from aiorekostream.emulator.world.face_sessions import FaceSessions
from aiorekostream.emulator.world.identity import Caller, Stream
from aiorekostream.emulator.world.label_sessions import LabelSessions
from aiorekostream.emulator.world.processors import Processor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


__all__ = ["Account"]


def _no_active() -> dict[ProcessorKind, set[str]]:
    return {kind: set() for kind in ProcessorKind}


@attrs.define
class Account:
    """Store the processors of one account in one Region. Only ``advance`` moves time, and only forward.

    Invariant: every due event up to ``now`` has been applied.

    Attributes:
        account_id: the account id, twelve digits.
        region: the Region.
        now: the time up to which events have been applied, in epoch seconds.
        label_sessions: the label detections in progress, which publish results.
        face_sessions: the face searches in progress, which write records.
    """

    account_id: str
    region: str
    now: float = 0.0
    label_sessions: LabelSessions = attrs.field(
        default=attrs.Factory(lambda self: LabelSessions(owner=Caller(self.account_id, self.region)), takes_self=True),
        kw_only=True,
    )
    face_sessions: FaceSessions = attrs.field(
        default=attrs.Factory(lambda self: FaceSessions(owner=Caller(self.account_id, self.region)), takes_self=True),
        kw_only=True,
    )
    _processors: dict[str, Processor] = attrs.field(factory=dict)
    _names: list[str] = attrs.field(factory=list)
    _stream_owners: dict[Stream, str] = attrs.field(factory=dict)
    _active: dict[ProcessorKind, set[str]] = attrs.field(factory=_no_active)
    _event_queue: list[tuple[float, str]] = attrs.field(factory=list)

    @property
    def processors(self) -> Mapping[str, Processor]:
        """All processors by name, including those that are being deleted."""
        return self._processors

    @property
    def names(self) -> Sequence[str]:
        """The names of all processors, in alphabetical order."""
        return self._names

    def active(self, kind: ProcessorKind) -> int:
        """Return the number of active processors of a kind."""
        return len(self._active[kind])

    def stream_owner(self, stream: Stream) -> str | None:
        """Return the name of the processor that uses a stream, or None."""
        return self._stream_owners.get(stream)

    def get(self, name: str) -> Processor:
        """Return a processor, including one that is being deleted.

        Raises:
            RefusedError: there is no processor of this name.
        """
        processor = self._processors.get(name)
        if processor is None:
            raise refuse(not_found(f"Stream processor {name}"))
        return processor

    def get_undeleted(self, name: str) -> Processor:
        """Return a processor that is not being deleted.

        Raises:
            RefusedError: there is no processor of this name, or it is being deleted.
        """
        processor = self.get(name)
        if processor.removed_at is not None:
            raise refuse(not_found(f"Stream processor {name}"))
        return processor

    def put(self, processor: Processor) -> None:
        """Add a processor, or replace it with its new state."""
        name = processor.name
        if name not in self._processors:
            bisect.insort(self._names, name)
            for stream in processor.definition.streams:
                self._stream_owners[stream] = name
        self._processors[name] = processor
        active = self._active[processor.kind]
        if processor.is_active:
            active.add(name)
        else:
            active.discard(name)
        self.label_sessions.changed(processor)
        self.face_sessions.changed(processor)
        due_at = processor.next_event_at
        if due_at is not None:
            heapq.heappush(self._event_queue, (due_at, name))

    def advance(self, now: float) -> None:
        """Apply every event that is due by ``now``, in time order."""
        while self._event_queue and self._event_queue[0][0] <= now:
            due_at, name = heapq.heappop(self._event_queue)
            self.label_sessions.advance(due_at)
            processor = self._processors.get(name)
            if processor is None:
                continue
            if processor.removed_at is not None and processor.removed_at <= due_at:
                self._remove(processor)
            elif (advanced := processor.advanced(due_at)) is not processor:
                self.put(advanced)
        self.now = max(self.now, now)
        self.label_sessions.advance(self.now)

    def next_event_at(self) -> float | None:
        """Return when the next event is due, in epoch seconds, or None if no event is queued."""
        while self._event_queue:
            due_at, name = self._event_queue[0]
            processor = self._processors.get(name)
            if processor is not None and processor.next_event_at == due_at:
                return due_at
            heapq.heappop(self._event_queue)
        return None

    def next_result_at(self) -> float | None:
        """Return when a session publishes next, unless it fails before: epoch seconds, or None."""
        due_times = (self.label_sessions.next_due(), self.next_event_at())
        return min((due_at for due_at in due_times if due_at is not None), default=None)

    def _remove(self, processor: Processor) -> None:
        del self._processors[processor.name]
        del self._names[bisect.bisect_left(self._names, processor.name)]
        self._active[processor.kind].discard(processor.name)
        for stream in processor.definition.streams:
            del self._stream_owners[stream]
