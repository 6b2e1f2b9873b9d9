"""Make calls that change something, and reconcile lost responses with DescribeStreamProcessor before they return.

"Not applied" is concluded only when Describe shows it and the service can no longer apply the call, which is an
assumption about time; see ``RetryPolicy.max_apply_delay``. Only then is a call sent again, so that one request never
becomes two sessions. Where the call's time ends before, the outcome is ``UnknownOutcomeError``.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

from aiorekostream.client.reconcile_rules import (
    Evidence,
    Resolution,
    SendWindow,
    on_create,
    on_delete,
    on_start,
    on_stop,
)
from aiorekostream.domain.requests import (
    DeleteRequest,
    DescribeRequest,
    FaceSearchStart,
    LabelDetectionStart,
    StopRequest,
)
from aiorekostream.domain.responses import CreatedStreamProcessor, StartedSession
from aiorekostream.domain.status import Status
from aiorekostream.errors import (
    CallError,
    RateLimitedError,
    RekostreamError,
    ResourceInUseError,
    ResourceNotFoundError,
    UnknownOutcomeError,
)
from aiorekostream.operations import CREATE, DELETE, DESCRIBE, START, STOP, Operation
from aiorekostream.pipeline import CallEvent, CallTrace, Pipeline
from aiorekostream.rate_limiting.port import Permit, Priority

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiorekostream.domain.processors import Processor
    from aiorekostream.domain.requests import StartRequest

__all__ = ["create", "delete", "start", "stop"]

_RequestT = TypeVar("_RequestT")
_ReplyT = TypeVar("_ReplyT")

# Seconds between polls while the service may still apply the call: the first and the last poll show nearly everything,
# and each of them takes a permit of Describe.
_FIRST_PAUSE = 4.0
# Describe may show for a while what was before the call: the seconds between polls of a processor that the service
# finds in use although Describe shows it at rest. UNCERTAIN: AWS does not say how long.
_STALE_PAUSES = (1.0, 2.0, 2.0)
# For so many seconds Describe may still show a processor that was deleted. UNCERTAIN: AWS says only that deleting takes
# some time. The emulator needs 2 seconds.
_DELETING = 10.0
# Event loops may wake a little before the time: the last poll is sent this many seconds after it.
_MARGIN = 0.01
# The least wait after a rate limiter that does not wait has refused a poll, in seconds.
_LEAST_REST = 0.1


async def start(
    pipeline: Pipeline,
    request: StartRequest,
    *,
    permit: Permit | None = None,
    trace: CallTrace | None = None,
    retries_throttled: bool = True,
) -> StartedSession:
    """Start a processor; a start whose response was lost is reconciled by its effect.

    Args:
        pipeline: makes the calls.
        request: the start.
        permit: a permit that the caller holds for the first attempt.
        trace: where the call writes how far it has come.
        retries_throttled: whether throttled attempts are made again here; see ``Pipeline.call``.
    """

    def judge(evidence: Evidence) -> Resolution:
        found = evidence.processor
        if found is None:
            return Resolution.NOT_APPLIED  # another start does no harm, and its error says what is wrong
        in_time = may_be_over = False
        if found.status is Status.STOPPED:
            # A face search does not end by itself, but another client may have stopped it right after its start.
            may_be_over = evidence.may_show_an_end()
            if isinstance(request, LabelDetectionStart):
                in_time = evidence.has_lasted(datetime.timedelta(seconds=request.stop_selector.max_duration_in_seconds))
        elif isinstance(request, FaceSearchStart) and found.status is Status.RUNNING:
            in_time = evidence.has_come_to_run()
        return on_start(found.status, evidence.changed, in_time=in_time, may_be_over=may_be_over)

    recovery = _Recovery(
        pipeline, START, request.name, judge, lambda _: StartedSession(reconciled=True), trace or CallTrace()
    )
    return await recovery.call(request, permit=permit, retries_throttled=retries_throttled)


async def stop(
    pipeline: Pipeline,
    request: StopRequest,
    *,
    permit: Permit | None = None,
    trace: CallTrace | None = None,
    retries_throttled: bool = True,
) -> None:
    """Stop a processor; a stop whose response was lost was applied if the processor is ending. See ``start``."""

    def judge(evidence: Evidence) -> Resolution:
        found = evidence.processor
        if found is None:
            return Resolution.NOT_APPLIED  # as for a start
        return on_stop(found.status, evidence.changed, came_to_run=evidence.has_gone_on_to_run())

    recovery = _Recovery(pipeline, STOP, request.name, judge, lambda _: None, trace or CallTrace())
    await recovery.call(request, permit=permit, retries_throttled=retries_throttled)


async def create(pipeline: Pipeline, request: Processor) -> CreatedStreamProcessor:
    """Create a processor; a create whose response was lost is reconciled by name, stream and time."""

    def judge(evidence: Evidence) -> Resolution:
        return on_create(evidence.processor, request, evidence.created)

    def reply(evidence: Evidence) -> CreatedStreamProcessor:
        return CreatedStreamProcessor(evidence.processor.stream_processor_arn if evidence.processor else "")

    return await _Recovery(pipeline, CREATE, request.name, judge, reply).call(request)


async def delete(pipeline: Pipeline, request: DeleteRequest) -> None:
    """Delete a processor; a delete whose response was lost was applied if the processor is gone."""

    def judge(evidence: Evidence) -> Resolution:
        return on_delete(evidence.processor, evidence.created)

    await _Recovery(pipeline, DELETE, request.name, judge, lambda _: None).call(request)


@attrs.define
class _Recovery(Generic[_RequestT, _ReplyT]):
    """Determine the outcome of one call after a response was lost.

    Attributes:
        pipeline: makes the calls.
        operation: what is called.
        name: the processor.
        judge: decides by what one poll shows.
        reconciled: the value of a call that a poll shows to be applied.
        trace: how far the call has come.
        end: when the call's time is over, on the clock.
    """

    pipeline: Pipeline
    operation: Operation[_RequestT, _ReplyT]
    name: str
    judge: Callable[[Evidence], Resolution]
    reconciled: Callable[[Evidence], _ReplyT]
    trace: CallTrace = attrs.field(factory=CallTrace)
    end: float = attrs.field(default=0.0, init=False)

    async def call(
        self, request: _RequestT, *, permit: Permit | None = None, retries_throttled: bool = True
    ) -> _ReplyT:
        self.end = self._now + self.pipeline.total_timeout
        return await self.pipeline.call(
            self.operation,
            request,
            permit=permit,
            trace=self.trace,
            recover=self._recover,
            retries_throttled=retries_throttled,
        )

    @property
    def _now(self) -> float:
        return self.pipeline.clock.now()

    async def _recover(self, error: CallError) -> _ReplyT:
        """Find out what became of the call; see ``pipeline.Recover``."""
        if self.operation is DELETE and isinstance(error, ResourceNotFoundError):
            return self._applied(Evidence(None))  # an earlier attempt deleted it
        if self.trace.unresolved:
            return await self._recover_lost(error)
        if isinstance(error, ResourceInUseError):
            return await self._recover_refused(error)
        raise error

    async def _recover_lost(self, error: CallError) -> _ReplyT:
        """Poll until the call is seen to be applied, or can no longer be applied."""
        self.trace.on_event(CallEvent.RECONCILING)
        unchanged: tuple[object, ...] | None = None
        for pause in self._pauses():
            evidence, asked_at = await self._poll(error)
            resolution = self.judge(evidence)
            # What an early poll shows to be older than the call is still so when a later poll shows the same, even if
            # the service's dates of the two polls differ by a second.
            if unchanged is not None and evidence.state == unchanged:
                resolution = Resolution.NOT_APPLIED
            if resolution is Resolution.APPLIED:
                return self._applied(evidence)
            if resolution is Resolution.UNDETERMINED:
                raise self._unknown(error, str(evidence)) from error
            if asked_at >= self._resolved_by:
                raise self._not_applied(error, evidence, resolution)
            if resolution is Resolution.NOT_APPLIED:
                unchanged = evidence.state
            await self._pause(pause, error, evidence)
        raise AssertionError  # the pauses have no end

    async def _recover_refused(self, error: ResourceInUseError) -> _ReplyT:
        """Look why a retry is refused: Describe may still show what was before an earlier attempt was applied."""
        self.trace.on_event(CallEvent.RECONCILING)
        evidence, _ = await self._poll(error)
        for pause in _STALE_PAUSES:
            resolution = self.judge(evidence)
            if resolution in {Resolution.APPLIED, Resolution.CONFLICT} or self._now + pause >= self.end:
                break
            await self.pipeline.clock.sleep(pause)
            evidence, _ = await self._poll(error)
        match self.judge(evidence):
            case Resolution.APPLIED:
                return self._applied(evidence)
            case Resolution.UNDETERMINED:
                raise self._unknown(error, str(evidence)) from error
            case Resolution.CONFLICT:
                raise self._in_use(evidence) from error
            case Resolution.NOT_APPLIED:
                raise error

    def _applied(self, evidence: Evidence) -> _ReplyT:
        self.trace.unresolved = False
        return self.reconciled(evidence)

    def _not_applied(self, error: CallError, evidence: Evidence, resolution: Resolution) -> CallError:
        self.trace.unresolved = False
        if resolution is Resolution.CONFLICT:
            in_use = self._in_use(evidence)
            in_use.__cause__ = error
            return in_use
        error.retry_safe = True
        error.hint = "DescribeStreamProcessor shows that it was not applied"
        return error

    @property
    def _resolved_by(self) -> float:
        """The moment from which a poll shows the call for certain, if it was applied."""
        return self.trace.applied_by + (_DELETING if self.operation is DELETE else 0.0)

    async def _pause(self, pause: float, error: CallError, evidence: Evidence) -> None:
        if self._now + pause >= self.end:
            raise self._unknown(error, f"{evidence}, and the service may still apply the call") from error
        await self.pipeline.clock.sleep(pause)

    def _pauses(self) -> Iterator[float]:
        """Seconds until each next poll; the last poll is sent when the service no longer applies the call."""
        pause = _FIRST_PAUSE
        while True:
            left = self._resolved_by - self._now
            # A poll shortly before the last one would show no more than that one.
            yield max(0.0, left) + _MARGIN if left < 1.5 * pause else pause
            pause *= 2

    async def _poll(self, error: CallError) -> tuple[Evidence, float]:
        """What Describe shows, and when it was asked."""
        while True:
            trace = CallTrace()
            try:
                found = await self.pipeline.call(
                    DESCRIBE,
                    DescribeRequest(self.name),
                    trace=trace,
                    priority=Priority.RECOVERY,
                    within=max(self.end - self._now, 0.0),
                )
            except ResourceNotFoundError:
                return Evidence(None), self._asked_at(trace)
            except RateLimitedError as limited:
                # The caller may have chosen not to wait for a permit; the call was sent, and that cannot be undone.
                rest = max(limited.retry_after, _LEAST_REST)
                if self._now + rest >= self.end:
                    raise self._unknown(error, "there was no time to ask what became of it") from error
                await self.pipeline.clock.sleep(rest)
            except RekostreamError as failure:
                raise self._unknown(error, f"DescribeStreamProcessor failed, too: {failure}") from failure
            else:
                asked_at = self._asked_at(trace)
                if trace.date is None:  # the clock of this machine may be hours off
                    return Evidence(found), asked_at
                now = self._now
                sent = [
                    SendWindow.before(trace.date, least=asked_at - lost.sent_at, most=now - lost.sent_at)
                    for lost in self.trace.lost
                ]
                return Evidence(found, sent), asked_at

    def _asked_at(self, trace: CallTrace) -> float:
        return self._now if trace.sent_at is None else trace.sent_at

    def _unknown(self, error: CallError, seen: str) -> UnknownOutcomeError:
        clock = self.pipeline.clock
        left = datetime.timedelta(seconds=max(0.0, self.trace.applied_by - clock.now()))
        return UnknownOutcomeError(
            f"the response was lost ({error}), and {seen}",
            operation=self.operation.name,
            retry_safe_at=clock.wall() + left,
            attempts=self.trace.attempts,
        )

    def _in_use(self, evidence: Evidence) -> ResourceInUseError:
        return ResourceInUseError(
            f"the response was lost, and {self.name} is in use by another client: {evidence}",
            operation=self.operation.name,
            code="ResourceInUseException",
            http_status=400,
            attempts=self.trace.attempts,
            retry_safe=True,
        )
