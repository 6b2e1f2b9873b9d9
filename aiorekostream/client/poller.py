"""Poll processors for all waits of a client, with one task and one poll at a time.

``poll_planner.py`` chooses the polls, ``wait_conditions.py`` evaluates them, ``wait_errors.py`` has the errors; this
module does the awaiting.
"""

import asyncio
import contextlib
from collections.abc import Collection, Iterable

from aiorekostream.client.poll_planner import DescribePoll, Idle, ListPoll, PollPlanner
from aiorekostream.client.wait_conditions import Evaluation, Observation, WaitCondition, Waiter
from aiorekostream.client.wait_errors import timeout_error, wait_error
from aiorekostream.clock import Clock
from aiorekostream.domain.fields import Duration, seconds
from aiorekostream.domain.requests import DescribeRequest
from aiorekostream.domain.responses import StreamProcessorSummary
from aiorekostream.errors import (
    AccessDeniedError,
    CallError,
    ConfigurationError,
    InvalidPaginationTokenError,
    InvalidRequestError,
    RekostreamError,
    ResourceNotFoundError,
    ServiceError,
)
from aiorekostream.limits import DEFAULT_LIMITS
from aiorekostream.operations import DESCRIBE, LIST
from aiorekostream.pipeline import Pipeline
from aiorekostream.retry.classify import is_transient

__all__ = ["OBSERVE_TIMEOUT", "Poller", "wait_seconds"]

# The longest that one poll may take, in seconds: polls are made one at a time, so an answer that never comes holds up
# every wait for this long.
_POLL_TIMEOUT = 10.0
# Seconds that `observe` takes at most: a service that stays away would hold it up for ever.
OBSERVE_TIMEOUT = 60.0
# Default timeouts in seconds. AWS's troubleshooting page calls a face search that is STARTING for more than two minutes
# stuck.
_DEFAULT_TIMEOUTS = {WaitCondition.RUNNING: 150.0, WaitCondition.STOPPED: 60.0, WaitCondition.DELETED: 60.0}
# The other conditions wait for the longest session and so many seconds more: a session ends only at the end of a video
# fragment.
_BEYOND_SESSION = 60.0
_LONGEST_TIMEOUT = 1e9


class Poller:
    """Polls processors while there are waits for them, of any number of tasks of one event loop.

    All waits share the polls, which take permits from the same rate limiter as every other call, and no more than half
    of each quota. Throttling and lost answers do not end a wait.

    The task begins with the first wait and ends with the last one. An error that it cannot survive ends every wait.
    Invariant: at most one List or Describe call is in flight.

    Attributes:
        clock: the clock of the client, which measures the waits.
    """

    __slots__ = ("_ends", "_pipeline", "_planner", "_task", "_trouble", "_wake", "clock")

    clock: Clock

    def __init__(self, pipeline: Pipeline) -> None:
        """Set up; nothing is sent before the first wait."""
        quotas = pipeline.limits.quotas
        describe, listing = (quotas.get(op.name, DEFAULT_LIMITS.quotas[op.name]) for op in (DESCRIBE, LIST))
        self.clock, self._pipeline = pipeline.clock, pipeline
        self._planner = PollPlanner(describe.rate, listing.rate)
        self._ends: dict[Waiter, asyncio.Future[None]] = {}
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._trouble: RekostreamError | None = None

    async def until(
        self, condition: WaitCondition, name: str, *, timeout: Duration | None = None
    ) -> StreamProcessorSummary:
        """Wait until a processor satisfies a condition. See ``Client.wait_until_running`` and its siblings.

        Args:
            condition: what is waited for.
            name: the processor.
            timeout: the longest wait, as a ``timedelta`` or in seconds, from 0 to 1e9; by default, a number of seconds
                that suits the condition.

        Returns:
            The processor as it was seen then; for ``DELETED``, its status is not to be used.

        Raises:
            InvalidRequestError: an argument breaks its rule, or the processor's kind never satisfies the condition.
            RekostreamError: the condition cannot be satisfied, or is not in time.
        """
        return (await self.wait(condition, name, timeout=timeout)).summary

    async def wait(self, condition: WaitCondition, name: str, *, timeout: Duration | None = None) -> Waiter:
        """Wait like ``until``, and return all that the polls have shown."""
        name, duration = DescribeRequest(name).name, self.seconds(condition, timeout)
        (waiter,) = await self._wait([name], condition, duration)
        if not waiter.has_ended:
            raise timeout_error(waiter, duration) from self._trouble
        if (error := wait_error(waiter)) is not None:
            raise error
        return waiter

    async def observe(self, names: Collection[str], *, timeout: float = OBSERVE_TIMEOUT) -> dict[str, Observation]:
        """Observe each of these processors once, by polls that begin after this call and are shared with all waits.

        A status may come from a list, without kind and message. That a processor does not exist (a status of ``None``)
        comes from Describe's ResourceNotFoundException alone.

        Args:
            names: the processors.
            timeout: seconds after which the observations made so far are returned.

        Returns:
            An observation by name, without the processors that the service refused to show.

        Raises:
            RekostreamError: the poller cannot go on, for instance because the client is closed.
        """
        if not names:
            return {}
        found: dict[str, Observation] = {}
        for waiter in await self._wait(set(names), WaitCondition.OBSERVED, timeout):
            error = wait_error(waiter)
            if waiter.evaluation is Evaluation.SATISFIED:
                found[waiter.name] = waiter.observation
            elif error is not None and not isinstance(error, ServiceError):
                raise error
        return found

    async def failure(self) -> ConfigurationError | None:
        """Return why no poll can succeed any more, such as a closed client; ``None`` where the next one may."""
        try:
            await self._pipeline.open()
        except ConfigurationError as error:
            return error
        except Exception:  # noqa: BLE001 - the transport may be the user's code; a poll shows and reports it
            return None
        return None

    def seconds(self, condition: WaitCondition, timeout: Duration | None) -> float:
        """Return the longest wait for a condition, in seconds.

        Args:
            condition: what is waited for.
            timeout: see ``until``.

        Raises:
            InvalidRequestError: the timeout breaks its rule.
        """
        if (given := wait_seconds(timeout)) is not None:
            return given
        longest_session = self._pipeline.limits.max_duration_in_seconds
        return _DEFAULT_TIMEOUTS.get(condition, longest_session + _BEYOND_SESSION)

    async def _wait(self, names: Collection[str], condition: WaitCondition, duration: float) -> Collection[Waiter]:
        """Wait until every wait has ended or the time is over."""
        loop, now = asyncio.get_running_loop(), self.clock.now()
        if self._task is not None and self._task.get_loop() is not loop:
            self._leave_loop(self._task.get_loop())
        if self._task is None or self._task.done():
            # Each task has a planner of its own, so that a dying one cannot disturb it.
            self._task, self._trouble, self._planner = None, None, self._planner.successor(now)
            self._wake = asyncio.Event()  # an event belongs to the event loop of its task, which may be another one now
        planner = self._planner
        ends = {planner.join(name, condition, now): loop.create_future() for name in names}
        self._ends |= ends
        self._task = self._task or asyncio.create_task(self._run(planner), name="aiorekostream-poller")
        self._wake.set()
        try:
            with contextlib.suppress(TimeoutError):
                async with self.clock.timeout_at(now + duration):
                    await asyncio.wait(ends.values())
        finally:
            await self._leave(planner, ends)
        return ends.keys()

    def _leave_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Forget the waits of a loop that was closed before they ended, which nothing can wake any more."""
        if not loop.is_closed():
            raise ConfigurationError(
                "the client has waits in another event loop, which is not closed: make a client for each loop"
            )
        self._task, self._ends = None, {}

    async def _leave(self, planner: PollPlanner, waiters: Iterable[Waiter]) -> None:
        for waiter in waiters:
            planner.leave(waiter)
            self._ends.pop(waiter, None)
        task = self._task
        if not self._ends and task is not None:
            self._task = None
            if not task.get_loop().is_closed():
                task.cancel()
                await asyncio.wait([task])

    async def _run(self, planner: PollPlanner) -> None:
        try:
            while planner.waits:
                self._wake.clear()
                poll = planner.next_poll(self.clock.now())
                if isinstance(poll, Idle):
                    with contextlib.suppress(TimeoutError):
                        async with self.clock.timeout_at(poll.until):
                            await self._wake.wait()
                    continue
                self._end(await self._poll(planner, poll))
        except BaseException as error:
            # Every wait ends with it. If other code cancels all tasks, the waits are cancelled too.
            self._end(planner.refused(error))
            if not isinstance(error, Exception):
                raise

    def _end(self, waiters: Iterable[Waiter]) -> None:
        for waiter in waiters:
            end = self._ends.pop(waiter, None)
            if end is not None and not end.get_loop().is_closed():
                end.set_result(None)

    async def _poll(self, planner: PollPlanner, poll: DescribePoll | ListPoll) -> list[Waiter]:
        """Make a poll, and return the waits that it ended."""
        pipeline, within = self._pipeline, min(_POLL_TIMEOUT, self._pipeline.total_timeout)
        now = self.clock.now
        try:
            if isinstance(poll, ListPoll):
                page, self._trouble = await pipeline.call(LIST, poll.request, within=within), None
                return planner.listed(poll, page, now=now(), random=pipeline.random())
            found, self._trouble = await pipeline.call(DESCRIBE, DescribeRequest(poll.name), within=within), None
            seen = Observation(status=found.status, kind=found.kind, message=found.status_message, described=True)
        except RekostreamError as error:
            self._trouble = None if isinstance(error, ResourceNotFoundError) else error
            if _may_succeed_later(error):
                planner.lost(poll, now())
                return []
            if isinstance(poll, ListPoll) and isinstance(error, AccessDeniedError):
                planner.list_denied(now())
                return []
            if isinstance(poll, ListPoll) or isinstance(error, ConfigurationError):
                raise
            seen = Observation(status=None, described=True, error=error)
        return planner.described(poll, seen, now=now(), random=pipeline.random())


def wait_seconds(timeout: Duration | None) -> float | None:
    """Return the longest wait in seconds; ``None`` for the default.

    Raises:
        InvalidRequestError: the timeout is not from 0 to 1e9 seconds.
    """
    try:
        return None if timeout is None else seconds(timeout, least=0, most=_LONGEST_TIMEOUT)
    except InvalidRequestError as error:
        raise InvalidRequestError([issue.under("timeout") for issue in error.issues]) from error


def _may_succeed_later(error: RekostreamError) -> bool:
    """Tell whether another poll may succeed: a refusal by the service is final unless it is transient."""
    if isinstance(error, ServiceError):
        return is_transient(error) or isinstance(error, InvalidPaginationTokenError)
    return isinstance(error, CallError)
