"""Waiting for one processor or for ten thousand: what may be waited for, and for how long."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, cast

from aiorekostream.client.goals import Goal
from aiorekostream.client.poller import Poller
from aiorekostream.domain.fields import finite
from aiorekostream.domain.replies import StreamProcessorSummary
from aiorekostream.domain.requests import DescribeRequest
from aiorekostream.errors import InvalidRequestError, ValidationIssue

if TYPE_CHECKING:
    from aiorekostream.domain.status import Status
    from aiorekostream.pipeline import Pipeline

__all__ = ["Watcher"]

# AWS calls a face search that is STARTING for more than two minutes stuck.
_RUNNING = 150.0
# A session ends only with a video fragment.
_BEYOND_DURATION = 60.0
_STOPPED = 60.0
_DELETED = 60.0
_LONGEST = 1e9


class Watcher:
    """Waits for processors to come to what somebody wants of them.

    Any number of tasks of one event loop may wait at once, each with a timeout of its own. They share one poller, which
    lives while somebody waits: it draws on the same pacing as every other call, takes no more than half of a quota, and
    outlives throttling and lost answers. A few processors are described one by one; for many, the list is read, so that
    calls grow with its pages and not with the processors.
    """

    __slots__ = ("_pipeline", "_poller")

    def __init__(self, pipeline: Pipeline) -> None:
        """Nothing is sent before somebody waits."""
        self._pipeline = pipeline
        self._poller = Poller(pipeline)

    async def until_running(
        self,
        name: str,
        *,
        timeout: datetime.timedelta | float | None = None,  # noqa: ASYNC109 - the time is part of what is asked
    ) -> StreamProcessorSummary:
        """Wait until a face search is RUNNING.

        A label detection never is; see https://docs.aws.amazon.com/rekognition/latest/dg/streaming-labels-detection.html.

        Args:
            name: the processor.
            timeout: for how long, in seconds; 150 if not given.

        Returns:
            The processor as it was seen, which is RUNNING.

        Raises:
            InvalidRequestError: it is a label detection, or an argument breaks its rule.
            StreamProcessorFailedError: it is FAILED, or it was STARTING and has been stopped.
            ResourceNotFoundError: there is no such processor, not even after some seconds.
            WaitTimeoutError: the time is over.
            ServiceError: the service refuses to be asked.
        """
        return await self._until(Goal.RUNNING, name, _seconds(timeout, _RUNNING))

    async def until_finished(
        self,
        name: str,
        *,
        timeout: datetime.timedelta | float | None = None,  # noqa: ASYNC109 - the time is part of what is asked
    ) -> StreamProcessorSummary:
        """Wait until the session of a label detection is over; to be called once it was started.

        AWS has no status of a session. So a look after this call that finds the processor STOPPED ends the wait: a
        short session may be over by then. In the first second that may be what was before the start, and is looked at
        once more. See
        https://docs.aws.amazon.com/rekognition/latest/dg/streaming-labels-detection.html.

        Args:
            name: the processor.
            timeout: for how long, in seconds; if not given, a minute more than the longest session of the limits (180).

        Returns:
            The processor as it was seen, which is STOPPED.

        Raises:
            InvalidRequestError: it is a face search, or an argument breaks its rule.
            StreamProcessorFailedError: it is FAILED.
            ResourceNotFoundError: there is no such processor, not even after some seconds.
            WaitTimeoutError: the time is over.
            ServiceError: the service refuses to be asked.
        """
        return await self._until(Goal.FINISHED, name, _seconds(timeout, self._longest_session()))

    async def until_stopped(
        self,
        name: str,
        *,
        timeout: datetime.timedelta | float | None = None,  # noqa: ASYNC109 - the time is part of what is asked
    ) -> StreamProcessorSummary:
        """Wait until a processor of either kind is STOPPED.

        See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_StopStreamProcessor.html.

        Args:
            name: the processor.
            timeout: for how long, in seconds; 60 if not given.

        Returns:
            The processor as it was seen, which is STOPPED.

        Raises:
            InvalidRequestError: an argument breaks its rule.
            StreamProcessorFailedError: it is FAILED.
            ResourceNotFoundError: there is no such processor, not even after some seconds.
            WaitTimeoutError: the time is over.
            ServiceError: the service refuses to be asked.
        """
        return await self._until(Goal.STOPPED, name, _seconds(timeout, _STOPPED))

    async def until_at_rest(
        self,
        name: str,
        *,
        timeout: datetime.timedelta | float | None = None,  # noqa: ASYNC109 - the time is part of what is asked
    ) -> StreamProcessorSummary:
        """Wait until a processor of either kind does nothing any longer: as ``until_stopped``, but FAILED will do.

        Args:
            name: the processor.
            timeout: for how long, in seconds; if not given, a minute more than the longest session of the limits (180).

        Returns:
            The processor as it was seen: STOPPED, or FAILED.

        Raises:
            InvalidRequestError: an argument breaks its rule.
            ResourceNotFoundError: there is no such processor, not even after some seconds.
            WaitTimeoutError: the time is over.
            ServiceError: the service refuses to be asked.
        """
        return await self._until(Goal.AT_REST, name, _seconds(timeout, self._longest_session()))

    async def until_settled(
        self,
        name: str,
        *,
        timeout: datetime.timedelta | float | None = None,  # noqa: ASYNC109 - the time is part of what is asked
    ) -> StreamProcessorSummary:
        """Wait until a processor rests or runs, or is seen to start again after it was seen to stop.

        Args:
            name: the processor.
            timeout: for how long, in seconds; if not given, a minute more than the longest session of the limits (180).

        Returns:
            The processor as it was seen: STOPPED, FAILED, RUNNING, or STARTING after STOPPING.

        Raises:
            InvalidRequestError: an argument breaks its rule.
            ResourceNotFoundError: there is no such processor, not even after some seconds.
            WaitTimeoutError: the time is over.
            ServiceError: the service refuses to be asked.
        """
        return await self._until(Goal.SETTLED, name, _seconds(timeout, self._longest_session()))

    async def until_deleted(
        self,
        name: str,
        *,
        timeout: datetime.timedelta | float | None = None,  # noqa: ASYNC109 - the time is part of what is asked
    ) -> None:
        """Wait until there is no processor of this name; the name may be taken for some seconds more.

        See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_DeleteStreamProcessor.html.

        Args:
            name: the processor.
            timeout: for how long, in seconds; 60 if not given.

        Raises:
            InvalidRequestError: an argument breaks its rule.
            WaitTimeoutError: the time is over.
            ServiceError: the service refuses to be asked.
        """
        await self._until(Goal.DELETED, name, _seconds(timeout, _DELETED))

    def _longest_session(self) -> float:
        return self._pipeline.limits.max_duration_in_seconds + _BEYOND_DURATION

    async def _until(self, goal: Goal, name: str, seconds: float) -> StreamProcessorSummary:
        name = DescribeRequest(name).name
        sight = await self._poller.until(goal, name, seconds)
        return StreamProcessorSummary(name, cast("Status", sight.status))


def _seconds(timeout: datetime.timedelta | float | None, default: float) -> float:
    if timeout is None:
        return default
    try:
        return finite(
            timeout.total_seconds() if isinstance(timeout, datetime.timedelta) else timeout, least=0, most=_LONGEST
        )
    except InvalidRequestError as error:
        allowed = "a timedelta or a number of seconds, 0 or more, or None for the default"
        raise InvalidRequestError([ValidationIssue(("timeout",), timeout, allowed)]) from error
