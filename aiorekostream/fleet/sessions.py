"""Report sessions: snapshots of those that a fleet knows, and the ends of sessions as they are seen."""

import asyncio
import datetime
import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Self, final

import attrs

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.responses import StartedSession
from aiorekostream.domain.status import Status
from aiorekostream.errors import copy_error
from aiorekostream.fleet.slots import SessionSlots
from aiorekostream.service_text import one_line

__all__ = ["ActiveSession", "SessionEnd", "SessionEnds", "SessionSnapshot", "snapshot"]


def _shown(message: str | None) -> str | None:
    return one_line(message) if message is not None and issubclass(type(message), str) else message


@final
@attrs.frozen
class SessionEnd:
    """A session that is over, or a start with an ``Unknown`` outcome that has no session (any more).

    Attributes:
        name: the processor.
        status: the processor's status after the session, such as STOPPED or FAILED. ``None`` if that was not seen: the
            session cannot last any longer by its stop selector, a new one has begun, the processor was deleted, or a
            ``NotifyingMonitor`` reported the end.
        status_message: AWS's StatusMessage, which says why a session is FAILED, cut at 300 characters and with control
            characters escaped; ``None`` where there is none.
        session: the session, where this fleet started it.
    """

    name: str
    status: Status | None = None
    status_message: str | None = attrs.field(default=None, kw_only=True, converter=_shown)
    session: StartedSession | None = attrs.field(default=None, kw_only=True)


@final
@attrs.frozen(kw_only=True)
class ActiveSession:
    """A session that is under way, may be, or is about to begin.

    Attributes:
        name: the processor.
        kind: the kind of the processor; ``None`` where only a stop of it is known.
        session: the last session that this fleet began there and did not see end; ``None`` for that of another client.
        started_at: the date and time in UTC from which the fleet counts it; ``None`` while its start is dispatched.
        ends_by: the date and time in UTC after which it cannot last any longer; ``None`` for a face search.
    """

    name: str
    kind: ProcessorKind | None
    session: StartedSession | None
    started_at: datetime.datetime | None
    ends_by: datetime.datetime | None


@final
@attrs.frozen
class SessionSnapshot(Mapping[str, ActiveSession]):
    """The sessions that a fleet knows, by the name of the processor.

    Attributes:
        sessions: the sessions.
        as_of: the date and time in UTC of the last poll or ``sync_sessions`` that succeeded; ``None`` before the first.
            Starts and stops of the fleet itself are always included.
    """

    sessions: Mapping[str, ActiveSession]
    as_of: datetime.datetime | None

    def __getitem__(self, name: str) -> ActiveSession:
        return self.sessions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.sessions)

    def __len__(self) -> int:
        return len(self.sessions)


def snapshot(slots: SessionSlots, now: float, wall: datetime.datetime, polled_at: float) -> SessionSnapshot:
    """Take a snapshot of the sessions that a fleet knows.

    Args:
        slots: the sessions.
        now: the present, on the clock.
        wall: the present, as date and time in UTC.
        polled_at: when the last poll began, on the clock; minus infinity before the first.
    """

    def date(moment: float) -> datetime.datetime | None:
        return wall + datetime.timedelta(seconds=moment - now) if math.isfinite(moment) else None

    sessions = {
        name: ActiveSession(
            name=name,
            kind=slot.kind,
            session=slot.session,
            started_at=date(slot.since),
            ends_by=date(slot.latest_end),
        )
        for name, slot in slots.items()
    }
    return SessionSnapshot(sessions, date(polled_at))


class SessionEnds:
    """The ends of a fleet's sessions from now on, as an async iterator. See ``Fleet.session_ends``."""

    __slots__ = ("__weakref__", "_closed_by", "_ends", "_on_wait", "_waits")

    def __init__(self, on_wait: Callable[[], None]) -> None:
        """Begin with the next end; ``on_wait`` is called when a caller waits for one."""
        self._ends: deque[SessionEnd] = deque()
        self._closed_by: Exception | None = None
        self._on_wait = on_wait
        self._waits: set[asyncio.Future[None]] = set()

    def add(self, end: SessionEnd) -> None:
        """Hand on an end."""
        self._ends.append(end)
        self._wake()

    def close(self, failure: Exception | None = None) -> None:
        """End the iteration after what was handed on, with an error where no more ends can be seen."""
        self._closed_by = failure or StopAsyncIteration()
        self._wake()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionEnd:
        while not self._ends:
            if self._closed_by is not None:
                raise copy_error(self._closed_by)
            # A future for each wait, where an event would belong to the event loop of the first one.
            wait: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waits.add(wait)
            self._on_wait()
            try:
                await wait
            finally:
                self._waits.discard(wait)
        return self._ends.popleft()

    def _wake(self) -> None:
        for wait in self._waits:
            if not wait.done() and not wait.get_loop().is_closed():
                wait.set_result(None)
