"""What somebody wants a processor to be, whatever it is now: at work, at rest, or there at all.

What to do in each status is a table in ``steps.py``; here it is done, and looked at again when somebody was quicker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import attrs

from aiorekostream.client import settling
from aiorekostream.client.drift import EnsuredProcessor, drift
from aiorekostream.client.steps import Step, step_to_rest, step_to_work
from aiorekostream.client.waiting import Watcher
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.replies import StartedSession, StreamProcessorSummary
from aiorekostream.domain.requests import DescribeRequest, FaceSearchStart, ListTagsRequest, StopRequest
from aiorekostream.domain.status import Status
from aiorekostream.errors import (
    InvalidRequestError,
    RekostreamError,
    ResourceInUseError,
    ResourceNotFoundError,
    UnknownOutcomeError,
    ValidationIssue,
    WaitTimeoutError,
)
from aiorekostream.operations import CREATE, DESCRIBE, LIST_TAGS, START
from aiorekostream.pipeline import Pipeline

if TYPE_CHECKING:
    import datetime
    from collections.abc import Awaitable

    from aiorekostream.domain.processors import Processor
    from aiorekostream.domain.replies import StreamProcessor
    from aiorekostream.domain.requests import StartRequest

__all__ = ["EnsuredRunning", "Intent"]

_T = TypeVar("_T")

# Somebody else who starts and stops the same processor could go on for ever.
_MOST_TRIES = 8
_BETWEEN_TRIES = 1.0


@attrs.frozen(kw_only=True)
class EnsuredRunning:
    """A processor that is at work.

    Attributes:
        name: the processor.
        status: RUNNING for a face search, STARTING for a label detection, which is never RUNNING.
        session: what was started now; ``None`` if it was at work already.
    """

    name: str
    status: Status
    session: StartedSession | None = None


@attrs.frozen
class Intent:
    """Brings processors to what is wanted of them.

    Attributes:
        pipeline: makes the calls.
        watcher: does the waiting.
    """

    pipeline: Pipeline
    watcher: Watcher

    async def running(
        self,
        request: StartRequest,
        *,
        timeout: datetime.timedelta | float | None = None,  # noqa: ASYNC109 - the time is part of what is asked
    ) -> EnsuredRunning:
        """Have a processor at work: start it if it is not.

        A face search is waited for until it is RUNNING, whoever started it. A label detection is at work as soon as it
        is STARTING; a session that is under way is left to itself, with the selectors that it was started with. What is
        ending or being updated is waited for, and started then. See
        https://docs.aws.amazon.com/rekognition/latest/APIReference/API_StartStreamProcessor.html.

        Args:
            request: the start.
            timeout: for how long each wait may last, in seconds; if not given, 150 until it is RUNNING, and 180
                for what must end first. Calls have the client's own timeout.

        Raises:
            InvalidRequestError: the processor is of another kind than the start, or an argument breaks its rule.
            StreamProcessorFailedError: it FAILED when it was started, or was stopped again.
            ResourceNotFoundError: there is no such processor.
            ResourceInUseError: it is at rest, and yet the service does not let it start.
            UnknownOutcomeError: what became of the start could not be found out.
            WaitTimeoutError: the time is over, or somebody else stops it again and again.
        """
        START.validate_request(request)
        begun, refusal = self.pipeline.clock.now(), None
        for _ in range(_MOST_TRIES):
            found = await self._looked_at(request.name, after=refusal)
            _must_fit(request, found)
            step, session, refusal = step_to_work(found.status), None, None
            if step is Step.WAIT:
                await self.watcher.until_at_rest(request.name, timeout=timeout)
                continue
            if step is Step.ACT:
                session, refusal = await _tried(settling.start(self.pipeline, request, None))
            if refusal is None:
                status = found.status if session is None else Status.STARTING
                if isinstance(request, FaceSearchStart) and status is not Status.RUNNING:
                    status = (await self.watcher.until_running(request.name, timeout=timeout)).status
                return EnsuredRunning(name=request.name, status=status, session=session)
        raise refusal or self._never_still(request.name, "at work", begun)

    async def stopped(
        self,
        name: str,
        *,
        timeout: datetime.timedelta | float | None = None,  # noqa: ASYNC109 - the time is part of what is asked
    ) -> StreamProcessorSummary:
        """Have a processor at rest: stop it if it is not, and wait until that is done.

        Where there is nothing to stop, that is a success. A face search that may not be stopped while it is STARTING is
        stopped once it is RUNNING, and what somebody starts again meanwhile is stopped again. See
        https://docs.aws.amazon.com/rekognition/latest/APIReference/API_StopStreamProcessor.html.

        Args:
            name: the processor.
            timeout: for how long each wait may last, in seconds; 180 if not given. Calls have the client's own timeout.

        Returns:
            The processor as it was seen: STOPPED, or FAILED.

        Raises:
            InvalidRequestError: an argument breaks its rule.
            ResourceNotFoundError: there is no such processor.
            ResourceInUseError: it works, and yet the service does not let it be stopped.
            UnknownOutcomeError: what became of the stop could not be found out.
            WaitTimeoutError: the time is over, or somebody else starts it again and again.
        """
        begun, refusal = self.pipeline.clock.now(), None
        for _ in range(_MOST_TRIES):
            found = await self._looked_at(name, after=refusal)
            step, refusal = step_to_rest(found.status), None
            if step is Step.NONE:
                return StreamProcessorSummary(name, found.status)
            if step is Step.ACT:
                _, refusal = await _tried(settling.stop(self.pipeline, StopRequest(name), None))
            # UNCERTAIN: whether AWS lets a label detection be stopped. If not, it ends by itself.
            if refusal is not None and found.kind is ProcessorKind.LABEL_DETECTION:
                return await self.watcher.until_at_rest(name, timeout=timeout)
            # UNCERTAIN too: whether it lets a face search be stopped that is STARTING.
            if refusal is None or found.status is Status.STARTING:
                seen = await self.watcher.until_settled(name, timeout=timeout)
                if step_to_rest(seen.status) is Step.NONE:
                    return seen
        raise refusal or self._never_still(name, "at rest", begun)

    async def created(self, processor: Processor) -> EnsuredProcessor:
        """Have a processor exist: create it if it does not, and if it does, say in what it differs.

        Nothing that exists is changed; ``update()`` of the report is what ``update_stream_processor`` takes. It asks
        for the tags too, which needs leave for rekognition:ListTagsForResource. See
        https://docs.aws.amazon.com/rekognition/latest/APIReference/API_CreateStreamProcessor.html.

        Args:
            processor: what there should be.

        Raises:
            InvalidRequestError: this is no processor.
            ResourceInUseError: there is none of this name, and yet the service does not let it be created: one of its
                streams belongs to another one, or one of this name is being deleted.
            LimitExceededError: the account has as many processors as it may.
            UnknownOutcomeError: what became of the creation could not be found out.
        """
        CREATE.validate_request(processor)
        begun, refusal = self.pipeline.clock.now(), None
        for _ in range(_MOST_TRIES):
            try:
                found = await self._looked_at(processor.name, after=refusal)
            except ResourceNotFoundError:
                new, refusal = await _tried(settling.create(self.pipeline, processor))
                if new is not None:
                    arn = new.stream_processor_arn
                    return EnsuredProcessor(processor=processor, stream_processor_arn=arn, created=True)
            else:
                arn = found.stream_processor_arn
                try:
                    tags = (await self.pipeline.call(LIST_TAGS, ListTagsRequest(arn))).tags
                except ResourceNotFoundError as error:  # somebody has deleted it in between
                    refusal = error
                    continue
                differences = drift(processor, found, tags)
                return EnsuredProcessor(processor=processor, stream_processor_arn=arn, created=False, drift=differences)
        raise refusal or self._never_still(processor.name, "there", begun)

    async def _looked_at(self, name: str, *, after: Exception | None) -> StreamProcessor:
        """Describe it: at once at first, and a little later once somebody else was quicker."""
        if after is not None:
            await self.pipeline.clock.sleep(_BETWEEN_TRIES * (0.5 + self.pipeline.random() / 2))
        return await self.pipeline.call(DESCRIBE, DescribeRequest(name))

    def _never_still(self, name: str, wanted: str, begun: float) -> WaitTimeoutError:
        seconds, hint = self.pipeline.clock.now() - begun, "Somebody else changes it again and again"
        return WaitTimeoutError(name=name, wanted=wanted, status=None, seconds=seconds, hint=hint)


async def _tried(call: Awaitable[_T]) -> tuple[_T | None, RekostreamError | None]:
    """The result of a call, or a refusal after which it is worth looking again."""
    try:
        return await call, None
    except (ResourceInUseError, UnknownOutcomeError) as refusal:
        return None, refusal


def _must_fit(request: StartRequest, found: StreamProcessor) -> None:
    if found.kind not in {None, request.kind}:
        raise InvalidRequestError([ValidationIssue((), request, f"a start of the processor's own kind, {found.kind}")])
