"""Observe the ends of a fleet's sessions: by polls, and by what a monitor reports by itself."""

import asyncio
import logging
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol, runtime_checkable

import attrs

from aiorekostream.client import Client
from aiorekostream.client.poller import OBSERVE_TIMEOUT
from aiorekostream.clock import Clock, is_cancelled
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.status import WITHOUT_SESSION
from aiorekostream.errors import WaitTimeoutError
from aiorekostream.fleet.sessions import SessionEnd
from aiorekostream.fleet.slots import SessionSlot, SessionSlots

__all__ = ["NotifiedEnds", "NotifyingMonitor", "PolledSessions", "SessionMonitor", "ask"]

_log = logging.getLogger("aiorekostream")

# The processors that the error of a failed poll names.
_SHOWN = 3
# Seconds after which a monitor without an answer has failed: twice as long as the fleet's own polls may take.
_ANSWER = 2 * OBSERVE_TIMEOUT
# Seconds that a notification may take before its session is overdue. UNCERTAIN: SNS promises no time.
_ON_THE_WAY = 1.0
# Sessions that are remembered as ended: a notification that overtook the answer to its start is delivered again.
_REMEMBERED = 1_000


class SessionMonitor(Protocol):
    """Report which sessions have ended; implement it to learn of ends in another way than by polling."""

    async def ended(self, names: Collection[str]) -> Iterable[SessionEnd | str]:
        """Return those of these processors that have no session now; a name stands for an end without details.

        The fleet asks every ``poll_interval`` while a request waits for a session to end, or ``session_ends`` is
        iterated. An exception, or no answer within two minutes, is logged, and the fleet asks again later.
        """
        ...


@runtime_checkable
class NotifyingMonitor(SessionMonitor, Protocol):
    """A ``SessionMonitor`` that also reports ends as they happen, without polls, such as ``results.NotifiedSessions``.

    The fleet asks ``ended`` only about sessions that are overdue by their stop selector, that have no id, or that a
    request for the same processor waits to know about.
    """

    def listen(self, on_end: Callable[[SessionEnd], bool]) -> None:
        """Call a function with the end of each session from now on, on the event loop of the fleet.

        Args:
            on_end: a plain function of an end, whose ``session`` has the id of the session. It returns whether the
                session is the fleet's. Calls with ends of other sessions, and repeated calls, have no effect.
        """
        ...


async def ask(monitor: SessionMonitor, names: Collection[str], clock: Clock) -> list[SessionEnd] | None:
    """Return the sessions that have ended; ``None`` where the monitor has failed."""
    try:
        async with clock.timeout_at(clock.now() + _ANSWER):
            ended = await monitor.ended(names)
        ends = [each if isinstance(each, SessionEnd) else SessionEnd(each) for each in ended]
        return [end for end in ends if end.name in names]
    except asyncio.CancelledError as error:
        if is_cancelled():
            raise
        failure: BaseException = error  # raised by the monitor itself
    except Exception as error:  # noqa: BLE001 - the monitor may be the user's code; the next poll may succeed
        failure = error
    _log.warning("could not poll for ended sessions: %r", failure)
    return None


@attrs.frozen
class PolledSessions:
    """Poll through the client's poller, which the waits and all fleets of the client share."""

    client: Client

    async def ended(self, names: Collection[str]) -> Iterable[SessionEnd | str]:
        """Return the processors that were seen at rest, or not to exist.

        Raises:
            WaitTimeoutError: the service showed none of them.
        """
        seen = await self.client.poller.observe(names)
        if names and not seen:
            some = ", ".join(sorted(names)[:_SHOWN])
            raise WaitTimeoutError(name=some, wanted="observed", status=None, seconds=OBSERVE_TIMEOUT)
        return [
            SessionEnd(name, each.status, status_message=each.message)
            for name, each in seen.items()
            if each.status is None or each.status in WITHOUT_SESSION
        ]


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
        """Record an end, and return whether the session is the fleet's. See ``NotifyingMonitor.listen``."""
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
