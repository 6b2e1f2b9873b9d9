"""The fleet: starts and stops many processors at the rate of the quotas, with one outcome for each request."""

from __future__ import annotations

import math
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeAlias, cast

from aiorekostream.domain.requests import FaceSearchStart, LabelDetectionStart, StartRequest
from aiorekostream.errors import InvalidRequestError, ValidationIssue
from aiorekostream.fleet.monitor import PolledSessions, SessionMonitor, active_sessions
from aiorekostream.fleet.options import FleetOptions
from aiorekostream.fleet.outcomes import Failed, StartOutcome, StopOutcome
from aiorekostream.fleet.queue import QueuedRequest
from aiorekostream.fleet.report import StartReport, StopReport
from aiorekostream.fleet.requests import FleetRequest, WhenBusy
from aiorekostream.fleet.runs import PendingRequests, StartRun, StopRun
from aiorekostream.fleet.starting import Starter
from aiorekostream.fleet.stopping import QueuedStop, Stopper

if TYPE_CHECKING:
    import datetime
    from types import TracebackType
    from typing import Self

    from aiorekostream.client import Client
    from aiorekostream.fleet.events import FleetEvent
    from aiorekostream.fleet.start_queue import QueuedStart

__all__ = ["Fleet"]

StartRequests: TypeAlias = Iterable[StartRequest | FleetRequest] | AsyncIterable[StartRequest | FleetRequest]


class Fleet:
    """Many processors, started and stopped at the rate of the account's quotas, with nothing lost.

    Every request that the fleet takes gets exactly one outcome, in whatever order they come. There are never more
    sessions at once than ``limits`` of the client allows for the kind and Region, as far as the fleet knows: it knows
    the sessions that it started, and the others after ``sync_sessions``. Requests above the limit wait for a session to
    end. Each processor is started by one request at a time.

    Any number of tasks of one event loop may share a fleet. It keeps track of its sessions from one call to the next:
    have one for an account and Region. ``async with`` closes it; the client stays open.
    """

    __slots__ = ("_client", "_clock", "_options", "_starter", "_stopper")

    def __init__(
        self,
        client: Client,
        *,
        when_busy: WhenBusy = "queue",
        expires_after: datetime.timedelta | float | None = None,
        on_event: Callable[[FleetEvent], None] | None = None,
        max_in_flight: int | None = None,
        max_pending: int = 1000,
        session_monitor: SessionMonitor | None = None,
        poll_interval: datetime.timedelta | float = 5.0,
    ) -> None:
        """Set a fleet up; nothing is sent yet.

        Args:
            client: makes the calls, with its retries, its rate limiter, its limits and its clock.
            when_busy: what happens to a request for a processor that this fleet is starting, or has a session of:
                ``"queue"`` sends it when that session has ended, ``"share"`` gives it the same outcome, ``"reject"``
                fails it with ``ProcessorBusyError``.
            expires_after: how long after its arrival a request is worth sending, as a ``timedelta`` or in seconds; no
                limit if not given. A ``FleetRequest`` may have an earlier deadline of its own.
            on_event: a plain function that is called with each event. It must not block; an exception that it
                raises is logged.
            max_in_flight: the most calls under way at once, at least 1. If not given, what the quota allows in
                5 seconds, from 2 to 100; 100 for a client without a rate limiter.
            max_pending: the most requests of one run that are read without having an outcome (or, while the run is
                iterated, one that was not handed on), at least 1. It bounds memory, and how far ahead is read.
            session_monitor: tells which sessions have ended; by default the fleet polls through the client.
            poll_interval: time between two polls, as a ``timedelta`` or in seconds, from 0.1 to 3600. The fleet polls
                only while a request waits for a session to end, or while requests are pending and ``on_event`` is set.

        Raises:
            InvalidRequestError: arguments break their rules; all issues at once.
        """
        options = FleetOptions(
            client=client,
            on_event=on_event,
            session_monitor=session_monitor,
            when_busy=when_busy,
            expires_after=expires_after,
            max_in_flight=max_in_flight,
            max_pending=max_pending,
            poll_interval=poll_interval,
        )
        self._client = client
        self._clock = client.pipeline.clock
        self._options = options
        self._starter = Starter(options, PolledSessions(client) if session_monitor is None else session_monitor)
        self._stopper = Stopper(options, self._starter)

    def __repr__(self) -> str:
        return f"Fleet({self._client!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Cancel the queued requests, and wait for the outcomes of those in flight.

        The client stays open, and the fleet can be used again.
        """
        await self._stopper.aclose()
        await self._starter.aclose()

    # ----------------------------------------------------------------------------------------------------------- starts

    async def start(self, requests: StartRequests) -> StartReport:
        """Start processors, and return when every request has its outcome.

        It is ``await iter_start(requests).wait()``: keep the run to have its report after a cancellation.

        Args:
            requests: starts, or ``FleetRequest``; any iterable or async iterable.

        Raises:
            InvalidRequestError: a single request instead of a collection of them; nothing was sent.
        """
        return await self.iter_start(requests).wait()

    def iter_start(self, requests: StartRequests) -> StartRun:
        """Start processors, and hand on each outcome as it comes; the iterable may be endless.

        The next request is read only when there is room for it, so memory is bounded. Use ``async with`` on the run to
        cancel the queued requests, and to wait for those in flight, at the end of a block.

        Args:
            requests: starts, or ``FleetRequest``; any iterable or async iterable. It is closed at the end.

        Raises:
            InvalidRequestError: a single request instead of a collection of them; nothing was sent.
        """
        _check_many("requests", requests, "a collection of starts, or an iterator or async iterator of them")
        pending = PendingRequests[StartRequest | FleetRequest, StartRequest, StartOutcome](
            self._starter, self._queued_start, self._options.max_pending
        )
        return StartRun(requests, pending, StartReport)

    # ------------------------------------------------------------------------------------------------------------ stops

    async def stop(self, names: Iterable[str] | AsyncIterable[str]) -> StopReport:
        """Stop processors, and return when every name has its outcome. Quota: 1 a second.

        A processor that has nothing to stop is a success, ``AlreadyStopped``. One that is at work and that the service
        does not let be stopped now is ``Failed`` with ``ResourceInUseError``; it is described to tell the two apart. A
        name that is asked for several times at once is stopped once. A stop's ``total`` begins with its permit.

        Args:
            names: the processors; any iterable or async iterable.

        Raises:
            InvalidRequestError: a single name instead of a collection of them; nothing was sent.
        """
        return await self.iter_stop(names).wait()

    def iter_stop(self, names: Iterable[str] | AsyncIterable[str]) -> StopRun:
        """Stop processors, and hand on each outcome as it comes; see ``iter_start`` and ``stop``."""
        _check_many("names", names, "a collection of names, or an iterator or async iterator of them")
        pending = PendingRequests[str, str, StopOutcome](self._stopper, _queued_stop, self._options.max_pending)
        return StopRun(names, pending, StopReport)

    # --------------------------------------------------------------------------------------------------------- sessions

    async def sync_sessions(self) -> None:
        """Count the sessions that other clients have under way, so that the limit is kept together with them.

        It takes one sweep over ListStreamProcessors, and a DescribeStreamProcessor for each processor that is at work.

        Raises:
            ServiceError: the service refused.
            TransportError: a call was lost on the way.
        """
        queue, clock = self._starter.queue, self._clock
        queue.advance(clock.now())  # sessions may have ended since the last poll
        async for name, kind in active_sessions(self._client):
            queue.track_external(name, kind, clock.now())

    @property
    def running(self) -> int:
        """The number of sessions that the fleet knows to be under way or about to begin."""
        return len(self._starter.slots)

    # ---------------------------------------------------------------------------------------------------------- details

    def _queued_start(self, item: StartRequest | FleetRequest) -> QueuedStart | Failed[StartRequest]:
        clock, start, urgent, lifetime = self._clock, item, False, self._options.expires_after
        if isinstance(item, FleetRequest):
            start, urgent = item.request, item.urgent
            if item.expires_at is not None:
                lifetime = min(lifetime, (item.expires_at - clock.wall()).total_seconds())
        if not isinstance(start, FaceSearchStart | LabelDetectionStart):
            issue = ValidationIssue(("request",), start, "a FaceSearchStart, a LabelDetectionStart or a FleetRequest")
            return Failed(cast("StartRequest", start), InvalidRequestError([issue]))
        deadline = math.inf if lifetime == math.inf else clock.now() + lifetime
        return QueuedRequest(start, deadline=deadline, urgent=urgent)


def _queued_stop(name: str) -> QueuedStop | Failed[str]:
    if not isinstance(name, str):
        issue = ValidationIssue(("name",), name, "the name of a stream processor")
        return Failed(name, InvalidRequestError([issue]))
    return QueuedRequest(name)


def _check_many(parameter: str, value: object, expected: str) -> None:
    # A name is an iterable too, of letters; and boto3's keyword arguments are one, of keys.
    if not isinstance(value, Iterable | AsyncIterable) or isinstance(value, str | bytes | Mapping):
        raise InvalidRequestError([ValidationIssue((parameter,), value, expected)])
