"""Determine the outcome of a call whose response was lost: poll DescribeStreamProcessor, and evaluate what it shows.

``reconcile.call`` loads this module when a response is lost for the first time.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

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
from aiorekostream.domain.processors import Processor
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
from aiorekostream.operations import CREATE, DELETE, DESCRIBE, START, STOP, Operation
from aiorekostream.pipeline import CallTrace, Pipeline, unknown_error
from aiorekostream.rate_limiting.port import LEAST_REST, Priority

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Recovery"]

_RequestT = TypeVar("_RequestT", bound=StartRequest | StopRequest | Processor | DeleteRequest)
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

# For each operation: the rule that evaluates what a poll shows, and the value of a call that was shown to be applied.
_EFFECTS: dict[str, tuple[Callable[[Evidence, Any], Resolution], Callable[[Evidence], object]]] = {
    START.name: (on_start, lambda _: StartedSession(reconciled=True)),
    STOP.name: (lambda evidence, _: on_stop(evidence), lambda _: None),
    CREATE.name: (
        on_create,
        lambda evidence: CreatedStreamProcessor(evidence.processor.stream_processor_arn if evidence.processor else ""),
    ),
    DELETE.name: (lambda evidence, _: on_delete(evidence), lambda _: None),
}


@attrs.frozen(eq=False, repr=False)
class Recovery(Generic[_RequestT, _ReplyT]):
    """Determine the outcome of one call after a response was lost; see ``pipeline.Recover``.

    Attributes:
        pipeline: makes the calls.
        operation: what is called.
        request: its value.
        trace: how far the call has come.
        end: when the call's time is over, on the clock.
    """

    pipeline: Pipeline
    operation: Operation[_RequestT, _ReplyT]
    request: _RequestT
    trace: CallTrace
    end: float

    async def __call__(self, error: CallError) -> _ReplyT:
        """Return the value of the applied call, or raise. See ``pipeline.Recover``."""
        if self.operation is DELETE and isinstance(error, ResourceNotFoundError):
            return self._applied(Evidence(None))  # an earlier attempt deleted it
        is_refused = isinstance(error, ResourceInUseError)
        if not is_refused and not self.trace.unresolved:
            raise error
        if self.trace.on_event is not None:
            self.trace.on_event("reconciling")
        return await (self._recover_lost(error) if self.trace.unresolved else self._recover_refused(error))

    @property
    def _now(self) -> float:
        return self.pipeline.clock.now()

    async def _recover_lost(self, error: CallError) -> _ReplyT:
        """Poll until the call is seen to be applied, or can no longer be applied."""
        # From this moment on, a poll shows the call for certain, if it was applied.
        resolved_by = self.trace.applied_by + (_DELETING if self.operation is DELETE else 0.0)
        unchanged: tuple[object, ...] | None = None
        pause = _FIRST_PAUSE
        while True:
            evidence, asked_at = await self._poll(error)
            resolution = self._evaluate(evidence)
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

    async def _recover_refused(self, error: CallError) -> _ReplyT:
        """Look why a retry is refused: Describe may still show what was before an earlier attempt was applied."""
        for pause in (*_STALE_PAUSES, math.inf):
            evidence, _ = await self._poll(error)
            resolution = self._evaluate(evidence)
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

    def _evaluate(self, evidence: Evidence) -> Resolution:
        rule, _ = _EFFECTS[self.operation.name]
        return rule(evidence, self.request)

    def _applied(self, evidence: Evidence) -> _ReplyT:
        self.trace.unresolved = False
        _, reply = _EFFECTS[self.operation.name]
        return cast("_ReplyT", reply(evidence))

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
                    DescribeRequest(self.request.name),
                    trace=trace,
                    priority=Priority.RECOVERY,
                    within=max(self.end - self._now, 0.0),
                )
            except ResourceNotFoundError:
                found = None
            except RateLimitedError as limited:
                # The caller may have chosen not to wait for a permit; the call was sent, and that cannot be undone.
                rest = max(limited.retry_after, LEAST_REST)
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
        reason, pipeline = f"the response was lost ({error}), and {seen}", self.pipeline
        return unknown_error(self.operation.name, self.trace, reason, clock=pipeline.clock, policy=pipeline.retry)

    def _in_use(self, evidence: Evidence) -> ResourceInUseError:
        return ResourceInUseError(
            f"the response was lost, and {self.request.name} is in use by another client: {evidence}",
            operation=self.operation.name,
            code="ResourceInUseException",
            http_status=400,
            attempts=self.trace.attempts,
            retry_safe=True,
        )
