"""Provide the fleet: it starts and stops many processors at the rate of the quotas, each with one outcome."""

import asyncio
import datetime
import functools
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from types import TracebackType
from typing import Self, TypeAlias, cast

from aiorekostream.client import Client
from aiorekostream.client.poller import wait_seconds
from aiorekostream.domain.requests import StartRequest
from aiorekostream.errors import InvalidRequestError, ValidationIssue
from aiorekostream.fleet.ensure import Ensurer
from aiorekostream.fleet.events import FleetEvent
from aiorekostream.fleet.monitor import SessionMonitor
from aiorekostream.fleet.options import FleetOptions
from aiorekostream.fleet.outcomes import StartOutcome, StopOutcome
from aiorekostream.fleet.report import StartReport, StopReport
from aiorekostream.fleet.requests import FleetRequest, WhenBusy
from aiorekostream.fleet.runs import PendingRequests, StartRun, StopRun
from aiorekostream.fleet.sessions import SessionEnd, SessionSnapshot
from aiorekostream.fleet.slot_sharing import SharedSessionSlots
from aiorekostream.fleet.start_queue import QueuedStart, queued_start
from aiorekostream.fleet.starting import Starter
from aiorekostream.fleet.stopping import Stopper, queued_stop

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

    __slots__ = ("_options", "_queued_start", "_starter", "_stopper")

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
        slots: SharedSessionSlots | None = None,
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
            session_monitor: reports which sessions have ended, when it is asked or by itself (``NotifyingMonitor``,
                such as ``results.NotifiedSessions``); by default the fleet polls through the client.
            poll_interval: time between two polls, as a ``timedelta`` or in seconds, from 0.1 to 3600. The fleet polls
                only while a request waits for a session to end, while ``session_ends`` is iterated, or while requests
                are pending and ``on_event`` is set.
            slots: session slots that fleets on other hosts share, such as a ``RedisSessionSlots``; by default the
                fleet counts the sessions that it knows.

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
            slots=slots,
        )
        self._options = options
        self._queued_start = functools.partial(
            queued_start, clock=client.pipeline.clock, lifetime=options.expires_after
        )
        self._starter = Starter(options)
        self._stopper = Stopper(options, self._starter)

    def __repr__(self) -> str:
        return f"Fleet({self._options.client!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Cancel the queued requests, wait for the outcomes of those in flight, and end ``session_ends``.

        The client stays open, the sessions go on, and the fleet can be used again.
        """
        try:
            await asyncio.gather(self._stopper.aclose(), self._starter.aclose())
        finally:
            await self._starter.end_polls()

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
        return self._start_run(requests, self._starter)

    async def submit(
        self, start: StartRequest, *, expires_at: datetime.datetime | None = None, urgent: bool = False
    ) -> StartOutcome:
        """Start one processor, and return its outcome.

        Use it where requests come one by one, as in a web service: any number of tasks may wait at once. A cancellation
        of the task cancels a request that is still queued. One that was sent gets its true outcome, which only
        ``FleetEvent`` reports then. ``max_pending`` does not apply.

        Args:
            start: the start.
            expires_at: the date and time, with a time zone, after which it is no longer worth sending. If
                ``expires_after`` of the fleet is earlier, that applies.
            urgent: whether it goes before those that are not urgent.

        Returns:
            ``Started``, ``AlreadyRunning``, ``Failed``, ``Expired`` or ``Unknown``; a refusal by the service is an
            outcome, too.

        Raises:
            InvalidRequestError: an argument breaks its rule; nothing was sent.
        """
        request = self._queued_start(FleetRequest(start, expires_at=expires_at, urgent=urgent))
        return cast("StartOutcome", await self._starter.run(cast("QueuedStart", request)))

    async def ensure_running(
        self,
        starts: StartRequests,
        *,
        timeout: datetime.timedelta | float | None = None,  # noqa: ASYNC109 - the limit of each wait
    ) -> StartReport:
        """Start the processors that do not run, at the rate of the quota, and return when all run.

        Each processor is polled first. One that runs is left alone, with the selectors that it was started with. One
        that is ending or being updated is started once it is at rest. A face search runs when it is RUNNING, a label
        detection when its session has begun. Requests for one processor share one start, whatever ``when_busy`` says.

        Args:
            starts: starts, or ``FleetRequest``; any iterable or async iterable that ends.
            timeout: the longest wait for a status of one processor, as a ``timedelta`` or in seconds, from 0 to 1e9. If
                not given, 150 s until it is RUNNING, and 180 s for what must end first.

        Returns:
            One outcome each: ``Started`` or ``AlreadyRunning`` for what runs. ``Failed`` has the error of the wait if a
            processor that was started does not come to run. Events report the outcomes of the single calls.

        Raises:
            InvalidRequestError: an argument breaks its rule, such as a single request instead of a collection of them;
                nothing was sent.
        """
        ensurer = Ensurer(self._starter, self._starter, wait_seconds(timeout))
        return await self._start_run(starts, ensurer).wait()

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

    async def ensure_stopped(
        self,
        names: Iterable[str] | AsyncIterable[str],
        *,
        timeout: datetime.timedelta | float | None = None,  # noqa: ASYNC109 - the limit of each wait
    ) -> StopReport:
        """Stop the processors that run, at the rate of the quota, and return when all are at rest.

        Each processor is polled first, and one that is at rest is sent nothing. A face search that may not be stopped
        while it is STARTING is stopped once it is RUNNING. A session that another client begins meanwhile is stopped,
        too. A stop whose outcome is unknown is sent again once that is safe, if the processor still runs.

        Args:
            names: the processors; any iterable or async iterable that ends.
            timeout: the longest wait for one processor to be at rest, from the answer to its stop, as a ``timedelta``
                or in seconds, from 0 to 1e9; 180 s if not given.

        Returns:
            One outcome each: ``Stopped`` or ``AlreadyStopped`` for what is at rest (STOPPED or FAILED). ``Failed`` has
            the error of the wait if a processor that was stopped does not come to rest. Events report the outcomes of
            the single calls.

        Raises:
            InvalidRequestError: an argument breaks its rule, such as a single name instead of a collection of them;
                nothing was sent.
        """
        ensurer = Ensurer(self._stopper, self._starter, wait_seconds(timeout))
        return await self._stop_run(names, ensurer).wait()

    def iter_stop(self, names: Iterable[str] | AsyncIterable[str]) -> StopRun:
        """Stop processors, and hand on each outcome as it comes; see ``iter_start`` and ``stop``."""
        return self._stop_run(names, self._stopper)

    # --------------------------------------------------------------------------------------------------------- sessions

    @property
    def sessions(self) -> SessionSnapshot:
        """A snapshot of the sessions that the fleet knows, and the time of the last poll; nothing is sent.

        Raises:
            ConfigurationError: no event loop is running: read it in a coroutine.
        """
        return self._starter.snapshot()

    async def sync_sessions(self) -> SessionSnapshot:
        """Bring ``sessions`` up to date with the account and Region, other clients included, and return them.

        Sessions that have ended are freed, and those of other clients are counted against the limit. It takes one sweep
        over ListStreamProcessors, and a DescribeStreamProcessor for each processor that has a session.

        Raises:
            ServiceError: the service refused.
            TransportError: a call was lost on the way.
        """
        await self._starter.sync()
        return self.sessions

    def session_ends(self) -> AsyncIterator[SessionEnd]:
        """Iterate over the ends of sessions from now on, until the fleet is closed.

        While the iterator exists and there are sessions, the fleet polls every ``poll_interval``. Each iterator has
        every end and keeps it until it is read, so drop an iterator that is not read any more. A session that is FAILED
        comes with its StatusMessage. Sessions are those that the fleet knows: its own, and those of other clients after
        ``sync_sessions``.

        Raises:
            ConfigurationError: no event loop is running; by the iteration, the client was closed.
        """
        return self._starter.session_ends()

    @property
    def running(self) -> int:
        """The number of sessions that the fleet knows to be under way or about to begin."""
        return len(self._starter.slots)

    # ---------------------------------------------------------------------------------------------------------- details

    def _start_run(self, requests: StartRequests, executor: Starter | Ensurer[StartRequest]) -> StartRun:
        _check_many("requests", requests, "a collection of starts, or an iterator or async iterator of them")
        pending = PendingRequests[StartRequest | FleetRequest, StartRequest, StartOutcome](
            executor, self._queued_start, self._options.max_pending
        )
        return StartRun(requests, pending, StartReport)

    def _stop_run(self, names: Iterable[str] | AsyncIterable[str], executor: Stopper | Ensurer[str]) -> StopRun:
        _check_many("names", names, "a collection of names, or an iterator or async iterator of them")
        pending = PendingRequests[str, str, StopOutcome](executor, queued_stop, self._options.max_pending)
        return StopRun(names, pending, StopReport)


def _check_many(parameter: str, value: object, expected: str) -> None:
    # A name is an iterable too, of letters; and boto3's keyword arguments are one, of keys.
    issue = ValidationIssue((parameter,), value, expected)
    if not isinstance(value, Iterable | AsyncIterable) or isinstance(value, str | bytes | Mapping):
        raise InvalidRequestError([issue])
