"""The fleet: starts and stops many processors at the speed of the quotas, and tells what became of each."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, TypeAlias, cast

from aiorekostream.client import settling
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.requests import FaceSearchStart, LabelDetectionStart, StartRequest, StopRequest
from aiorekostream.errors import InvalidRequestError, RekostreamError, ResourceInUseError, ValidationIssue
from aiorekostream.fleet.desk import Desk
from aiorekostream.fleet.ends import AT_REST, Ends, ListedEnds, under_way
from aiorekostream.fleet.outcomes import AlreadyStopped, Failed, Outcome, Started, StartOutcome, StopOutcome, Stopped
from aiorekostream.fleet.plan import Plan
from aiorekostream.fleet.progress import Progress, Teller
from aiorekostream.fleet.report import StartReport, StopReport
from aiorekostream.fleet.requests import FleetRequest, WhenBusy
from aiorekostream.fleet.run import Run, Runs
from aiorekostream.fleet.settings import Settings
from aiorekostream.fleet.slots import Slots
from aiorekostream.fleet.tickets import Ticket
from aiorekostream.fleet.verdicts import Verdict, on_start, on_stop
from aiorekostream.operations import START, STOP

if TYPE_CHECKING:
    import datetime

    from aiorekostream.client import Client
    from aiorekostream.domain.status import Status
    from aiorekostream.pipeline import CallEvent, Pipeline

__all__ = ["Fleet"]

_Requests: TypeAlias = Iterable[StartRequest | FleetRequest] | AsyncIterable[StartRequest | FleetRequest]

# Calls on their way are those of so many seconds at the speed of the quota: enough to keep the pacer busy, and few
# enough that none of them uses its own time up in the queue.
_SECONDS_ABREAST = 5
_LEAST_ABREAST = 2
_MOST_ABREAST = 100


class Fleet:
    """Many processors, started and stopped at the speed of the account's quotas, with nothing lost.

    Every request that the fleet takes gets exactly one outcome, in whatever order they come. There are never more
    sessions at once than ``limits`` of the client allows for the kind and Region, as far as the fleet knows: it knows
    of those that it started, and of the others after ``take_stock``. What is too many waits for a session to end. Each
    processor is started by one request at a time.

    A fleet may be used by any number of tasks of one event loop at once, and keeps track of its sessions from one call
    to the next: have one for an account and Region.
    """

    __slots__ = ("_client", "_settings", "_start_runs", "_starts", "_stop_runs", "_stops", "_urgent")

    def __init__(
        self,
        client: Client,
        *,
        when_busy: WhenBusy | str = WhenBusy.WAIT,
        expires_after: datetime.timedelta | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        max_in_flight: int | None = None,
        max_waiting: int = 1000,
        ends: Ends | None = None,
        look_every: float = 5.0,
    ) -> None:
        """Set a fleet up; nothing is sent yet.

        Args:
            client: makes the calls, with its retries, its pacing and its limits.
            when_busy: what becomes of a request for a processor that this fleet is starting, or has a session of:
                ``"wait"`` sends it when that session has ended, ``"join"`` shares its outcome, ``"refuse"`` fails it.
            expires_after: how long after it was taken a request is worth sending; for ever if not given. A
                ``FleetRequest`` may have an earlier deadline of its own.
            on_progress: told of everything that happens. It must not wait; its exceptions are written to the log.
            max_in_flight: the most calls on their way at once, at least 1. If not given, what the quota lets through in
                5 seconds, from 2 to 100; 100 for a client without pacing.
            max_waiting: the most requests of one iterable that are taken without having an outcome (or, in
                ``starting``, one that was handed on), at least 1. It bounds memory, and how far ahead is read.
            ends: tells which sessions have ended; a sweep over ListStreamProcessors if not given.
            look_every: seconds between two questions to ``ends``, from 0.1 to 3600. It is asked only while a request
                waits for a session to end, or while requests are carried out that ``on_progress`` watches.

        Raises:
            InvalidRequestError: arguments break their rules; all issues at once.
        """
        settings = Settings(
            client=client,
            on_progress=on_progress,
            ends=ends,
            when_busy=when_busy,
            expires_after=expires_after,
            max_in_flight=max_in_flight,
            max_waiting=max_waiting,
            look_every=look_every,
        )
        pipeline = client.pipeline
        self._client = client
        self._urgent = client.with_options(urgent=True)
        self._settings = settings
        teller = Teller(on_progress)
        self._starts = Desk(
            plan=Plan(
                Slots(pause=settings.look_every),
                max_in_flight=settings.max_in_flight or _most_in_flight(pipeline, START.name),
                when_busy=settings.when_busy,
                longest=pipeline.limits.max_duration_in_seconds,
                patience=pipeline.total_timeout / 2,
                memory=settings.look_every,
            ),
            send=self._send_start,
            clock=pipeline.clock,
            teller=teller,
            ends=ListedEnds(client) if ends is None else ends,
            look_every=settings.look_every,
        )
        self._stops = Desk(
            plan=Plan(
                Slots(),
                max_in_flight=settings.max_in_flight or _most_in_flight(pipeline, STOP.name),
                when_busy=WhenBusy.JOIN,
                patience=pipeline.total_timeout / 2,
            ),
            send=self._send_stop,
            clock=pipeline.clock,
            teller=teller,
            ends=None,
            look_every=settings.look_every,
        )
        self._start_runs, self._stop_runs = Runs(), Runs()

    def __repr__(self) -> str:
        return f"Fleet({self._client!r})"

    # ----------------------------------------------------------------------------------------------------------- starts

    async def start(self, requests: _Requests) -> StartReport:
        """Start processors, and come back when every request has its outcome.

        If it is cancelled, or the iterable raises, requests that were not sent are withdrawn (``Failed`` with
        ``RequestCancelledError``), those under way are settled, and ``report`` has all of it. A second cancellation
        does not wait for those under way: they are ``Unknown`` then.

        Args:
            requests: starts, or ``FleetRequest``; any iterable or async iterable.

        Raises:
            InvalidRequestError: it is one, and not many; nothing was sent.
            ConfigurationError: no Region, no credentials, or the client is closed; nothing was sent.
            ConnectError: the credentials could not be fetched; nothing was sent.
        """
        run = self._start_runs.new(self._settings.max_waiting, hands_on=False)
        await self._drive_starts(run, requests)
        return _started(run)

    async def starting(self, requests: _Requests) -> AsyncGenerator[StartOutcome, None]:
        """Start processors, and hand on each outcome as it comes; the iterable may be without an end.

        The next request is read only when there is room for it, so memory is bounded. Leaving the loop withdraws what
        was not sent and settles what is under way; ``report`` has the outcomes that were not handed on. Use
        ``contextlib.aclosing`` to wait for that at the end of a block.

        Args:
            requests: starts, or ``FleetRequest``; any iterable or async iterable.

        Raises:
            InvalidRequestError: it is one, and not many; nothing was sent.
            ConfigurationError: no Region, no credentials, or the client is closed; nothing was sent.
            ConnectError: the credentials could not be fetched; nothing was sent.
        """
        run = self._start_runs.new(self._settings.max_waiting, hands_on=True)
        async with contextlib.aclosing(_handed_on(run, self._drive_starts(run, requests))) as outcomes:
            async for outcome in outcomes:
                yield cast("StartOutcome", outcome)

    @property
    def report(self) -> StartReport:
        """The outcomes so far of the latest ``start``, or those of the latest ``starting`` that were not handed on.

        It is the latest of the task that asks, or of all if it has made none: several may use a fleet at once.
        """
        return _started(self._start_runs.latest)

    # ------------------------------------------------------------------------------------------------------------ stops

    async def stop(self, names: Iterable[str] | AsyncIterable[str]) -> StopReport:
        """Stop processors, and come back when every name has its outcome. Quota: 1 a second.

        One that has nothing to stop is a success, ``AlreadyStopped``. One that is at work, and which the service does
        not let be stopped now, is ``Failed`` with ``ResourceInUseError``; it is described to tell the two apart. If
        this is cancelled, or the iterable raises, it behaves as ``start`` does, with ``stop_report``.

        Raises:
            InvalidRequestError: it is one, and not many; nothing was sent.
            ConfigurationError: no Region, no credentials, or the client is closed; nothing was sent.
            ConnectError: the credentials could not be fetched; nothing was sent.
        """
        run = self._stop_runs.new(self._settings.max_waiting, hands_on=False)
        await self._drive_stops(run, names)
        return _stopped(run)

    async def stopping(self, names: Iterable[str] | AsyncIterable[str]) -> AsyncGenerator[StopOutcome, None]:
        """Stop processors, and hand on each outcome as it comes; see ``starting``."""
        run = self._stop_runs.new(self._settings.max_waiting, hands_on=True)
        async with contextlib.aclosing(_handed_on(run, self._drive_stops(run, names))) as outcomes:
            async for outcome in outcomes:
                yield cast("StopOutcome", outcome)

    @property
    def stop_report(self) -> StopReport:
        """The outcomes so far of the latest ``stop``, or those of the latest ``stopping`` that were not handed on.

        It is the latest of the task that asks, or of all if it has made none: several may use a fleet at once.
        """
        return _stopped(self._stop_runs.latest)

    # --------------------------------------------------------------------------------------------------------- sessions

    async def take_stock(self) -> None:
        """Count the sessions that others have under way, so that they are not exceeded together.

        It takes one sweep over ListStreamProcessors, and a DescribeStreamProcessor for each processor that is at work.

        Raises:
            ServiceError: the service refused.
            TransportError: a call was lost on the way.
        """
        self._starts.pump()  # sessions may have come to their end since anybody looked
        async for name, kind in under_way(self._client):
            self._starts.plan.adopt(name, kind, self._starts.clock.now())

    @property
    def running(self) -> int:
        """How many sessions the fleet knows to be under way or about to begin."""
        return len(self._starts.plan.slots)

    # ---------------------------------------------------------------------------------------------------------- details

    async def _drive_starts(self, run: Run, requests: _Requests) -> None:
        _must_be_many(requests, "a collection of starts, or an iterator or async iterator of them")
        await self._client.pipeline.open()  # the Region is known from now on
        self._starts.plan.slots.limits = _concurrency(self._client.pipeline)
        await self._starts.drive(run, requests, self._ticket)

    async def _drive_stops(self, run: Run, names: Iterable[str] | AsyncIterable[str]) -> None:
        _must_be_many(names, "a collection of names, or an iterator or async iterator of them")
        await self._client.pipeline.open()
        await self._stops.drive(run, names, _stop)

    def _ticket(self, wanted: StartRequest | FleetRequest) -> Ticket | Outcome:
        clock = self._starts.clock
        deadline, urgent = clock.now() + self._settings.expires_after, False
        if isinstance(wanted, FleetRequest):
            urgent = wanted.urgent
            if wanted.expires_at is not None:
                deadline = min(deadline, clock.now() + (wanted.expires_at - clock.wall()).total_seconds())
            wanted = wanted.request
        if not isinstance(wanted, FaceSearchStart | LabelDetectionStart):
            issue = ValidationIssue((), wanted, "a FaceSearchStart, a LabelDetectionStart or a FleetRequest")
            return Failed(wanted, InvalidRequestError([issue]))
        lasts = wanted.stop_selector.max_duration_in_seconds if isinstance(wanted, LabelDetectionStart) else math.inf
        return Ticket(wanted, wanted.name, kind=wanted.kind, lasts=lasts, deadline=deadline, urgent=urgent)

    async def _send_start(self, ticket: Ticket, notify: Callable[[CallEvent], None]) -> Outcome | Verdict:
        request = cast("StartRequest", ticket.request)
        pipeline = (self._urgent if ticket.urgent else self._client).pipeline
        try:
            return Started(request, await settling.start(pipeline, request, notify, since=ticket.since))
        except RekostreamError as error:
            return on_start(request, error, may_repeat=ticket.may_repeat)

    async def _send_stop(self, ticket: Ticket, notify: Callable[[CallEvent], None]) -> Outcome | Verdict:
        outcome: Outcome | Verdict
        sessions, status = self._starts, None
        hold = sessions.plan.slots.held(ticket.name)
        try:
            await settling.stop(self._client.pipeline, StopRequest(ticket.name), notify, since=ticket.since)
            outcome = Stopped(ticket.name)
        except ResourceInUseError as error:
            status = await self._status(ticket.name)
            outcome = on_stop(ticket.name, error, may_repeat=ticket.may_repeat, status=status)
        except RekostreamError as error:
            outcome = on_stop(ticket.name, error, may_repeat=ticket.may_repeat)
        if status in AT_REST:
            if hold is not None and hold.since <= sessions.clock.now():
                sessions.plan.ended(ticket.name, hold)
        elif isinstance(outcome, Stopped | AlreadyStopped):
            sessions.plan.told_to_stop(ticket.name, sessions.clock.now(), hold)
        sessions.pump()
        return outcome

    async def _status(self, name: str) -> Status | None:
        """A processor's status; ``None`` if the service does not tell."""
        try:
            return (await self._client.describe_stream_processor(name)).status
        except RekostreamError:
            return None


def _must_be_many(value: object, allowed: str) -> None:
    if _is_one(value):
        raise InvalidRequestError([ValidationIssue((), value, allowed)])


def _is_one(value: object) -> bool:
    # A name is an iterable too, of letters; and boto3's keyword arguments are one, of keys.
    return isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable | AsyncIterable)


def _stop(name: str) -> Ticket | Outcome:
    if not isinstance(name, str):
        return Failed(name, InvalidRequestError([ValidationIssue((), name, "the name of a stream processor")]))
    return Ticket(name, name)


async def _handed_on(run: Run, driving: Coroutine[object, object, None]) -> AsyncGenerator[Outcome, None]:
    """The outcomes of a run that a task of its own drives; closing this ends the run."""
    driver = asyncio.create_task(driving, name="aiorekostream drives a fleet")
    try:
        while await run.has_news(driver):
            yield run.hand_on()
        await driver
    finally:
        interruption = None
        driver.cancel()
        while not driver.done():
            try:
                await asyncio.wait([driver])
            except asyncio.CancelledError as error:
                driver.cancel()  # it breaks off what is under way, and waits for nothing
                interruption = error
        if interruption is not None:
            raise interruption
        if not driver.cancelled():
            driver.exception()  # it was raised above, or nobody is there to hear of it


def _started(run: Run | None) -> StartReport:
    return StartReport(cast("tuple[StartOutcome, ...]", tuple(run.outcomes if run else ())))


def _stopped(run: Run | None) -> StopReport:
    return StopReport(cast("tuple[StopOutcome, ...]", tuple(run.outcomes if run else ())))


def _most_in_flight(pipeline: Pipeline, operation: str) -> int:
    quota = pipeline.limits.quotas.get(operation)
    if pipeline.pacing is None or quota is None:
        return _MOST_ABREAST
    return max(_LEAST_ABREAST, min(_MOST_ABREAST, round(quota.rate * _SECONDS_ABREAST)))


def _concurrency(pipeline: Pipeline) -> dict[ProcessorKind, int]:
    region = pipeline.transport.region or ""
    limits = {
        ProcessorKind.FACE_SEARCH: pipeline.limits.concurrent_face_search,
        ProcessorKind.LABEL_DETECTION: pipeline.limits.concurrent_label_detection,
    }
    return {kind: by_region[region] for kind, by_region in limits.items() if region in by_region}
