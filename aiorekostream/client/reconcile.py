"""Make calls that change something, and reconcile lost responses with DescribeStreamProcessor before they return.

"Not applied" is concluded only when Describe shows it and the service can no longer apply the call, which is an
assumption about time; see ``RetryPolicy.max_apply_delay``. Only then is a call sent again, so that one request never
becomes two sessions. Where the call's time ends before, the outcome is ``UnknownOutcomeError``.
"""

from __future__ import annotations

import datetime
import math
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
from aiorekostream.domain.requests import DeleteRequest, DescribeRequest, StartRequest, StopRequest
from aiorekostream.domain.responses import CreatedStreamProcessor, StartedSession
from aiorekostream.errors import (
    CallError,
    RateLimitedError,
    RekostreamError,
    ResourceInUseError,
    ResourceNotFoundError,
    UnknownOutcomeError,
)
from aiorekostream.operations import CREATE, DELETE, DESCRIBE, START, STOP
from aiorekostream.pipeline import CallEvent, CallTrace, LostAttempt, Pipeline
from aiorekostream.rate_limiting.port import Permit, Priority

if TYPE_CHECKING:
    from aiorekostream.domain.processors import Processor

__all__ = ["create", "delete", "start", "stop", "unknown_error"]

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
        return on_start(evidence, request)

    trace = trace or CallTrace()
    recover = _Recovery(pipeline, START.name, request.name, trace, judge, lambda _: StartedSession(reconciled=True))
    session = await pipeline.call(
        START, request, permit=permit, trace=trace, recover=recover, retries_throttled=retries_throttled
    )
    return attrs.evolve(session, name=request.name)


async def stop(
    pipeline: Pipeline,
    request: StopRequest,
    *,
    permit: Permit | None = None,
    trace: CallTrace | None = None,
    retries_throttled: bool = True,
) -> None:
    """Stop a processor; a stop whose response was lost was applied if the processor is ending. See ``start``."""
    trace = trace or CallTrace()
    recover = _Recovery(pipeline, STOP.name, request.name, trace, on_stop, lambda _: None)
    await pipeline.call(STOP, request, permit=permit, trace=trace, recover=recover, retries_throttled=retries_throttled)


async def create(pipeline: Pipeline, request: Processor) -> CreatedStreamProcessor:
    """Create a processor; a create whose response was lost is reconciled by name, stream and time."""

    def judge(evidence: Evidence) -> Resolution:
        return on_create(evidence, request)

    def reply(evidence: Evidence) -> CreatedStreamProcessor:
        return CreatedStreamProcessor(evidence.processor.stream_processor_arn if evidence.processor else "")

    trace = CallTrace()
    recover = _Recovery(pipeline, CREATE.name, request.name, trace, judge, reply)
    return await pipeline.call(CREATE, request, trace=trace, recover=recover)


async def delete(pipeline: Pipeline, request: DeleteRequest) -> None:
    """Delete a processor; a delete whose response was lost was applied if the processor is gone."""
    trace = CallTrace()
    recover = _Recovery(pipeline, DELETE.name, request.name, trace, on_delete, lambda _: None)
    await pipeline.call(DELETE, request, trace=trace, recover=recover)


@attrs.define
class _Recovery(Generic[_ReplyT]):
    """Determine the outcome of one call after a response was lost; see ``pipeline.Recover``.

    Attributes:
        pipeline: makes the calls.
        operation: AWS's name of what is called.
        name: the processor.
        trace: how far the call has come.
        judge: decides by what one poll shows.
        reconciled: the value of a call that a poll shows to be applied.
        end: when the call's time is over, on the clock.
    """

    pipeline: Pipeline
    operation: str
    name: str
    trace: CallTrace
    judge: Callable[[Evidence], Resolution]
    reconciled: Callable[[Evidence], _ReplyT]
    end: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.end = self._now + self.pipeline.total_timeout

    async def __call__(self, error: CallError) -> _ReplyT:
        if self.operation == DELETE.name and isinstance(error, ResourceNotFoundError):
            return self._applied(Evidence(None))  # an earlier attempt deleted it
        if self.trace.unresolved:
            return await self._recover_lost(error)
        if isinstance(error, ResourceInUseError):
            return await self._recover_refused(error)
        raise error

    @property
    def _now(self) -> float:
        return self.pipeline.clock.now()

    async def _recover_lost(self, error: CallError) -> _ReplyT:
        """Poll until the call is seen to be applied, or can no longer be applied."""
        self.trace.on_event(CallEvent.RECONCILING)
        # From this moment on, a poll shows the call for certain, if it was applied.
        resolved_by = self.trace.applied_by + (_DELETING if self.operation == DELETE.name else 0.0)
        unchanged: tuple[object, ...] | None = None
        pause = _FIRST_PAUSE
        while True:
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
            if asked_at >= resolved_by:
                self.trace.unresolved = False
                if resolution is Resolution.CONFLICT:
                    raise self._in_use(evidence) from error
                error.retry_safe = True
                error.hint = "DescribeStreamProcessor shows that it was not applied"
                if self._now >= self.trace.send_by:
                    is_cancelled = self.trace.send_by == -math.inf
                    why = "it was cancelled" if is_cancelled else "its deadline (expires_at) has passed"
                    error.hint += f"; it is not sent again, since {why}"
                raise error
            if resolution is Resolution.NOT_APPLIED:
                unchanged = evidence.state
            left = max(0.0, resolved_by - self._now)
            # A poll shortly before the last one would show no more than that one.
            rest = left + _MARGIN if left < 1.5 * pause else pause
            await self._rest(rest, error, f"{evidence}, and the service may still apply the call")
            pause *= 2

    async def _recover_refused(self, error: ResourceInUseError) -> _ReplyT:
        """Look why a retry is refused: Describe may still show what was before an earlier attempt was applied."""
        self.trace.on_event(CallEvent.RECONCILING)
        for pause in (*_STALE_PAUSES, math.inf):
            evidence, _ = await self._poll(error)
            resolution = self.judge(evidence)
            if resolution is Resolution.APPLIED:
                return self._applied(evidence)
            if resolution is Resolution.CONFLICT:
                raise self._in_use(evidence) from error
            if self._now + pause >= self.end:
                if resolution is Resolution.UNDETERMINED:
                    raise self._unknown(error, str(evidence)) from error
                raise error
            await self.pipeline.clock.sleep(pause)
        raise AssertionError  # the last pause has no end

    def _applied(self, evidence: Evidence) -> _ReplyT:
        self.trace.unresolved = False
        return self.reconciled(evidence)

    async def _rest(self, seconds: float, error: CallError, seen: str) -> None:
        """Sleep before another poll; where the call's time ends before, its outcome stays unknown."""
        if self._now + seconds >= self.end:
            raise self._unknown(error, seen) from error
        await self.pipeline.clock.sleep(seconds)

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
                found = None
            except RateLimitedError as limited:
                # The caller may have chosen not to wait for a permit; the call was sent, and that cannot be undone.
                rest = max(limited.retry_after, _LEAST_REST)
                await self._rest(rest, error, "there was no time to ask what became of it")
                continue
            except RekostreamError as failure:
                raise self._unknown(error, f"DescribeStreamProcessor failed, too: {failure}") from failure
            now = self._now
            asked_at = now if trace.sent_at is None else trace.sent_at
            # Without the service's date nothing is known of when: the clock of this machine may be hours off.
            sent = [
                SendWindow.before(trace.date, least=asked_at - lost.sent_at, most=now - lost.sent_at)
                for lost in self.trace.lost
                if trace.date is not None
            ]
            return Evidence(found, sent), asked_at

    def _unknown(self, error: CallError, seen: str) -> UnknownOutcomeError:
        return unknown_error(self.pipeline, self.operation, self.trace, f"the response was lost ({error}), and {seen}")

    def _in_use(self, evidence: Evidence) -> ResourceInUseError:
        return ResourceInUseError(
            f"the response was lost, and {self.name} is in use by another client: {evidence}",
            operation=self.operation,
            code="ResourceInUseException",
            http_status=400,
            attempts=self.trace.attempts,
            retry_safe=True,
        )


def unknown_error(
    pipeline: Pipeline,
    operation: str,
    trace: CallTrace,
    reason: str,
) -> UnknownOutcomeError:
    """The error of a call that the service may have applied, with the moment from which a retry is safe."""
    clock = pipeline.clock
    if trace.in_flight:  # the answer will not be read
        sent_at = clock.now() if trace.sent_at is None else trace.sent_at
        trace.lost.append(LostAttempt(sent_at, sent_at + pipeline.retry.max_apply_delay))
        trace.unresolved = True
    left = max(0.0, trace.applied_by - clock.now())
    retry_safe_at = clock.wall() + datetime.timedelta(seconds=left)
    return UnknownOutcomeError(reason, operation=operation, retry_safe_at=retry_safe_at, attempts=trace.attempts)
