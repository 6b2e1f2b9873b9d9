"""The ends of sessions that a monitor reports by itself, matched to the sessions of a fleet."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Mapping

import attrs

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.fleet.monitor import NotifyingMonitor, SessionMonitor
from aiorekostream.fleet.sessions import SessionEnd
from aiorekostream.fleet.slots import SessionSlot, SessionSlots

__all__ = ["NotifiedEnds"]

# Seconds that a notification may take before its session is overdue. UNCERTAIN: SNS promises no time.
_ON_THE_WAY = 1.0
# Sessions that are remembered as ended: a notification that overtook the answer to its start is delivered again.
_REMEMBERED = 1_000


@attrs.define(eq=False, kw_only=True)
class NotifiedEnds:
    """Receive the ends that a monitor reports, if it reports any.

    Attributes:
        monitor: the monitor; one that only answers is polled.
        slots: the sessions that the fleet knows. The ends of others are reported to the slots that many hosts share.
        session_ended: called with an end, and with the slot of its session.
        early: ends that may have overtaken the answer to the start in flight, by the names of the processors.
    """

    monitor: SessionMonitor
    slots: SessionSlots
    session_ended: Callable[[SessionEnd, SessionSlot], None]
    early: dict[str, SessionEnd] = attrs.field(factory=dict[str, SessionEnd], init=False)
    _ended: dict[str, None] = attrs.field(factory=dict[str, None], init=False)

    def __attrs_post_init__(self) -> None:
        if isinstance(self.monitor, NotifyingMonitor):
            self.monitor.listen(self.receive)

    def receive(self, end: SessionEnd) -> bool:
        """Record an end, and tell whether the session is the fleet's. See ``NotifyingMonitor.listen``."""
        session_id = None if end.session is None else end.session.session_id
        if session_id is None:
            return False
        if (slot := self.slots.get(end.name)) is not None:
            is_known = slot.session is not None and slot.session.session_id == session_id
            if is_known and slot.since < math.inf:
                self._remember(session_id)
                self.session_ended(end, slot)
            elif not is_known and slot.since == math.inf:
                self.early[end.name] = end
            if is_known:
                return True
        if session_id in self._ended:
            return True
        if self.slots.leases is not None:  # of another host; only label detections have ids
            self.slots.leases.end_session(end.name, ProcessorKind.LABEL_DETECTION, session_id)
        return False

    def start_completed(self, name: str) -> None:
        """Record the end that overtook the answer to a start of this processor, if there is one."""
        if (end := self.early.pop(name, None)) is not None:
            # Soon: the queue is in the midst of the completion.
            asyncio.get_running_loop().call_soon(self.receive, end)

    def unreported(
        self, slots: Mapping[str, SessionSlot], unpolled: Collection[str], now: float
    ) -> dict[str, SessionSlot]:
        """Return the sessions that must be polled: all of them, unless the monitor reports ends by itself.

        Then they are those that are overdue, those whose notification cannot be recognized, since their id is not
        known, and those that a request waits to know about.
        """
        if not isinstance(self.monitor, NotifyingMonitor):
            return dict(slots)
        return {
            name: slot
            for name, slot in slots.items()
            if slot.expected_end <= now - _ON_THE_WAY
            or slot.session is None
            or slot.session.session_id is None
            or name in unpolled
        }

    def _remember(self, session_id: str) -> None:
        self._ended[session_id] = None
        if len(self._ended) > _REMEMBERED:
            del self._ended[next(iter(self._ended))]
