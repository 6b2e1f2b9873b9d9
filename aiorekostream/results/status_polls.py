"""Poll the statuses of sessions, for the ends that no notification reports."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from aiorekostream.client import Client
from aiorekostream.client.wait_conditions import SHOWN_AFTER
from aiorekostream.clock import TimerHandle
from aiorekostream.domain.status import WITHOUT_SESSION, Status
from aiorekostream.errors import ConfigurationError, RekostreamError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiorekostream.client.wait_conditions import Observation

__all__ = ["PolledSession", "StatusPolls", "failure_message"]

_log = logging.getLogger("aiorekostream")

# Polls begin this share of the interval apart: their answer takes time, and the end is to be seen within the interval.
_CADENCE = 0.8


@attrs.frozen(eq=False, kw_only=True)
class PolledSession:
    """A session whose status is polled.

    Attributes:
        client: the client that started it.
        name: its processor.
        since: when its start was answered, on the client's clock.
        latest_end: when it cannot last any longer.
        poll_interval: the most seconds until an end is seen.
        on_end: called once, with the status and StatusMessage that showed the end; with ``None`` where no status did.
        on_failure: called in its place where no end can be seen any more, since the client is closed.
    """

    client: Client
    name: str
    since: float
    latest_end: float
    poll_interval: float
    on_end: Callable[[Status | None, str | None], None]
    on_failure: Callable[[ConfigurationError], None]


@attrs.define(eq=False)
class StatusPolls:
    """Poll the sessions that were started with one client or its views, all of them together.

    Attributes:
        client: polls, with the poller that it shares with its waits and fleets.
    """

    client: Client
    _sessions: dict[str, PolledSession] = attrs.field(factory=dict[str, PolledSession], init=False)
    _timer: TimerHandle | None = attrs.field(default=None, init=False)
    _next_at: float = attrs.field(default=math.inf, init=False)
    _task: asyncio.Task[None] | None = attrs.field(default=None, init=False)

    def add(self, session: PolledSession) -> None:
        """Poll a session. An earlier one of the same processor is over: a start is refused while there is one."""
        earlier = self._sessions.get(session.name)
        self._sessions[session.name] = session
        if earlier is not None:
            earlier.on_end(None, None)
        self._poll_by(session.since + _CADENCE * session.poll_interval)

    @property
    def is_idle(self) -> bool:
        """Whether no session is polled."""
        return not self._sessions

    def remove(self, session: PolledSession) -> None:
        """Stop polling a session; has no effect where its end was seen."""
        if self._sessions.get(session.name) is not session:
            return
        del self._sessions[session.name]
        if not self._sessions:
            self._stop()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._next_at = None, math.inf
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
            self._task = None

    def _poll_by(self, moment: float) -> None:
        if self._task is None and moment < self._next_at:
            if self._timer is not None:
                self._timer.cancel()
            self._next_at, self._timer = moment, self.client.pipeline.clock.call_at(moment, self._begin)

    def _begin(self) -> None:
        self._timer, self._next_at = None, math.inf
        self._task = asyncio.get_running_loop().create_task(self._poll(), name="aiorekostream polls sessions")

    async def _poll(self) -> None:
        if (failure := await self.client.poller.failure()) is not None:
            self._fail(failure)
            return
        clock = self.client.pipeline.clock
        began = clock.now()
        asked = {name: each for name, each in self._sessions.items() if each.since <= began - SHOWN_AFTER}
        seen = await self._observe(asked)
        unexplained: list[PolledSession] = []
        for name, session in asked.items():
            shown = seen.get(name)
            if shown is not None and (shown.status is None or shown.status in WITHOUT_SESSION):
                if shown.status is Status.FAILED and shown.message is None:
                    unexplained.append(session)  # a list has no StatusMessage
                else:
                    self._end(session, shown.status, shown.message)
            elif session.latest_end <= began:
                self._end(session, None, None)
        await asyncio.gather(*map(self._explain, unexplained))
        self._task = None
        if self._sessions:
            self._poll_by(began + _CADENCE * min(each.poll_interval for each in self._sessions.values()))

    async def _observe(self, asked: Mapping[str, PolledSession]) -> dict[str, Observation]:
        try:
            return await self.client.poller.observe(asked.keys())
        except Exception as error:  # noqa: BLE001 - the transport may be the user's code; the next poll may succeed
            _log.warning("could not poll for ended sessions: %r", error)
            return {}

    def _fail(self, failure: ConfigurationError) -> None:
        self._task = None
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            session.on_failure(failure)

    async def _explain(self, session: PolledSession) -> None:
        self._end(session, Status.FAILED, await failure_message(session.client, session.name))

    def _end(self, session: PolledSession, status: Status | None, message: str | None) -> None:
        if self._sessions.get(session.name) is session:
            del self._sessions[session.name]
            session.on_end(status, message)


async def failure_message(client: Client, name: str) -> str | None:
    """Return the StatusMessage of a processor that is FAILED; ``None`` where it cannot be read, or is no longer."""
    try:
        found = await client.describe_stream_processor(name)
    except RekostreamError as error:
        _log.debug("could not describe %s: %r", name, error)
        return None
    return found.status_message if found.status is Status.FAILED else None
