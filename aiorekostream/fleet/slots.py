"""Count the sessions of an account, and begin never more of a kind than the limit allows. Pure.

A label detection ends by itself, at the latest a little after its longest duration. A face search ends only when it is
stopped or fails. A slot is freed when its session was seen to have ended, or cannot last any longer.
"""

import math
from collections import Counter
from collections.abc import Collection, Mapping

import attrs

from aiorekostream.deadline_queue import DeadlineQueue
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.responses import StartedSession
from aiorekostream.domain.status import Status
from aiorekostream.fleet.slot_leases import SlotLeases
from aiorekostream.limits import Limits

__all__ = ["MARGIN", "MAX_PROCESSORS", "SessionSlot", "SessionSlots", "limits_of_region"]

MARGIN = 20.0
"""Seconds that a session may last beyond its longest duration: AWS checks the time only at the end of a fragment, and
those are up to 20 seconds long. See https://docs.aws.amazon.com/rekognition/latest/dg/streaming-labels-detection.html.
"""

MAX_PROCESSORS = 10_000
"""The quota on processors: no account has more sessions. https://docs.aws.amazon.com/general/latest/gr/rekognition.html."""


def limits_of_region(limits: Limits, region: str) -> dict[ProcessorKind | None, int]:
    """Return the most sessions at once in a Region, by kind; a kind that is not named has no limit."""
    faces, labels = limits.concurrent_face_search, limits.concurrent_label_detection
    by_kind = (ProcessorKind.FACE_SEARCH, faces), (ProcessorKind.LABEL_DETECTION, labels)
    return {kind: by_region[region] for kind, by_region in by_kind if region in by_region}


@attrs.frozen(eq=False)
class SessionSlot:
    """A session that is under way, may be, or is about to begin.

    Attributes:
        kind: the limit that it counts against; ``None`` where only a stop of it is known.
        since: when it began, on the clock; infinity while its start is dispatched. A poll asked before does not count.
        expected_end: when it should end by itself; infinity for a face search.
        session: the last session that this fleet began there; ``None`` if it began none, or its end was seen.
        latest_end: when it cannot last any longer; infinity for a face search.
        previous: the slot that the processor had when its start was dispatched; it is kept if the start is not applied.
    """

    kind: ProcessorKind | None
    since: float = math.inf
    expected_end: float = math.inf
    session: StartedSession | None = None
    latest_end: float = math.inf
    previous: "SessionSlot | None" = None


@attrs.define
class LearnedLimit:
    """A limit below the account's, learned from a refused start: other clients have sessions that are not known here.

    It rises by one, then by two, by four and so on, since those sessions end, too.
    """

    sessions: int
    rises_at: float
    step: int = 1


@attrs.define
class SessionSlots:
    """The sessions of one account in one Region, at most one for each processor.

    Attributes:
        limits: the most sessions at once, by kind; a kind that is not named has no limit.
        retry_interval: seconds until a start that was refused for the session limit is tried again, if no session ends.
        leases: the slots that many hosts share, to which every change is reported; ``None`` without shared slots.
    """

    limits: Mapping[ProcessorKind | None, int] = attrs.field(factory=dict[ProcessorKind | None, int])
    retry_interval: float = 5.0
    leases: SlotLeases | None = None
    _slots: dict[str, SessionSlot] = attrs.field(factory=dict, init=False)
    _counts: Counter[ProcessorKind | None] = attrs.field(factory=Counter[ProcessorKind | None], init=False)
    _ends: DeadlineQueue[str] = attrs.field(factory=DeadlineQueue[str], init=False)
    _learned: dict[ProcessorKind | None, LearnedLimit] = attrs.field(factory=dict, init=False)

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, name: str) -> bool:
        return name in self._slots

    def count(self, kind: ProcessorKind | None) -> int:
        """Return the number of slots of a kind that are taken."""
        return self._counts[kind]

    def has_room(self, kind: ProcessorKind | None) -> bool:
        """Return whether one more session of this kind may begin."""
        return self.allows(kind) and (self.leases is None or kind is None or self.leases.has_room(kind))

    def is_full(self, kind: ProcessorKind | None) -> bool:
        """Return whether a session must end before one more may begin."""
        return not self.allows(kind) or (self.leases is not None and kind is not None and self.leases.is_full(kind))

    def allows(self, kind: ProcessorKind | None) -> bool:
        """Return whether one more session may begin as far as this fleet knows, whatever other hosts have."""
        limit = self.limits.get(kind, math.inf)
        if self._learned and (learned := self._learned.get(kind)) is not None:
            limit = min(limit, learned.sessions)
        return self._counts[kind] < limit

    def get(self, name: str) -> SessionSlot | None:
        """Return the slot of a processor."""
        return self._slots.get(name)

    def reserve(self, name: str, kind: ProcessorKind | None) -> None:
        """Take a slot for a start that is dispatched."""
        previous = self._slots.get(name)
        if self.leases is not None and kind is not None:
            self.leases.take(name, kind)
        self._put(name, SessionSlot(kind, session=None if previous is None else previous.session, previous=previous))

    def restore(self, name: str) -> None:
        """Return the slot of a start that was not applied, or restore what the processor had before."""
        slot = self._slots.get(name)
        if slot is None:
            return
        if self.leases is not None and slot.kind is not None:
            self.leases.restore(name, slot.kind)
        if slot.previous is not None:
            self._put(name, slot.previous)
        else:
            self._remove(name)

    def occupy(self, name: str, slot: SessionSlot, now: float, *, is_external: bool = False) -> None:
        """Record a session that there is or may be.

        Args:
            name: the processor.
            slot: its session.
            now: the present.
            is_external: whether it was found, rather than begun by this fleet.
        """
        self._put(name, slot)
        if self.leases is not None and slot.kind is not None:
            self.leases.occupy(
                name,
                slot.kind,
                seconds=slot.latest_end - now,
                begins_in=max(0.0, slot.since - now),
                session=slot.session,
                is_external=is_external,
            )

    def share(self, leases: SlotLeases, now: float) -> None:
        """Report every session, and each change from now on, to slots that many hosts share."""
        self.leases = leases
        for name, slot in tuple(self._slots.items()):
            if math.isfinite(slot.since):
                self.occupy(name, slot, now, is_external=True)

    def mark_stopping(self, name: str, now: float) -> None:
        """Record that a stop of a processor was sent.

        UNCERTAIN: whether a session that is STOPPING counts against the limit. The slot is kept until the session is
        seen to have ended, or for the margin.
        """
        slot = self._slots.get(name) or SessionSlot(None, since=now)
        if slot.since <= now:
            latest_end = min(slot.latest_end, now + MARGIN)
            self._put(name, attrs.evolve(slot, expected_end=now, latest_end=latest_end))
            if self.leases is not None:
                self.leases.stopping(name, MARGIN)

    def free(self, name: str, status: Status | None = None) -> None:
        """Free the slot of a processor that has no session, and was seen in this status."""
        slot = self._remove(name)
        if slot is not None and self.leases is not None and slot.kind is not None:
            self.leases.free(name, slot.kind, status)

    def learn_limit(self, kind: ProcessorKind | None, now: float) -> None:
        """Learn from a start that was refused for the session limit: what is taken now is all there is for a while."""
        self._learned[kind] = LearnedLimit(self._counts[kind], now + self.retry_interval)

    def expire(self, now: float) -> dict[str, SessionSlot]:
        """Free the slots of sessions that cannot last any longer, and return them by the names of the processors."""
        ended: dict[str, SessionSlot] = {}
        for name in self._ends.pop_due(now):
            slot = self._slots.get(name)
            if slot is not None:  # else shared slots have reported its end while that of another one was reported
                ended[name] = slot
                self.free(name)
        for kind, learned in list(self._learned.items()):
            if learned.rises_at <= now:
                learned.sessions += learned.step
                learned.step *= 2
                learned.rises_at = now + self.retry_interval
                if learned.sessions >= min(self.limits.get(kind, MAX_PROCESSORS), MAX_PROCESSORS):
                    del self._learned[kind]
        return ended

    @property
    def next_change(self) -> float:
        """When ``expire`` will have something to do; infinity for never."""
        moment = self._ends.next_moment
        return min(moment, *(learned.rises_at for learned in self._learned.values())) if self._learned else moment

    def items(self) -> Collection[tuple[str, SessionSlot]]:
        """Return all slots, with the names of their processors."""
        return self._slots.items()

    def begun_before(self, moment: float) -> dict[str, SessionSlot]:
        """Return the slots of sessions that began before a moment, by the names of their processors."""
        return {name: slot for name, slot in self._slots.items() if slot.since < moment}

    def _remove(self, name: str) -> SessionSlot | None:
        slot = self._slots.pop(name, None)
        if slot is not None:
            self._counts[slot.kind] -= 1
            self._ends.remove(name)
        return slot

    def _put(self, name: str, slot: SessionSlot) -> None:
        if (before := self._slots.get(name)) is not None:
            self._counts[before.kind] -= 1
        self._counts[slot.kind] += 1
        self._slots[name] = slot
        self._ends.set(name, slot.latest_end)
