"""Determine the outcome of a call whose response was lost: poll DescribeStreamProcessor, and evaluate what it shows.

``reconcile.call`` loads this module when a response is lost for the first time.
"""

import math
from typing import Generic, TypeVar, cast

import attrs

from aiorekostream.client.reconcile_rules import EFFECTS, Evidence, Resolution, SendWindow
from aiorekostream.domain.processors import Processor
from aiorekostream.domain.requests import DeleteRequest, DescribeRequest, StartRequest, StopRequest
from aiorekostream.errors import (
    CallError,
    RateLimitedError,
    ResourceInUseError,
    ResourceNotFoundError,
    UnknownOutcomeError,
)
from aiorekostream.operations import DELETE, DESCRIBE, Operation
from aiorekostream.pipeline import CallTrace, Pipeline, unknown_error
from aiorekostream.rate_limiting.port import LEAST_REST, Priority

__all__ = ["Recovery"]

_RequestT = TypeVar("_RequestT", bound=StartRequest | StopRequest | Processor | DeleteRequest)
_ReplyT = TypeVar("_ReplyT")

# Seconds between polls while the service may still apply the call: the first and the last poll show nearly everything,
# and each of them takes a permit of Describe.
_FIRST_PAUSE = 4.0
# For so many seconds Describe may show what was before the call: a processor that the service finds in use although
# Describe shows it at rest is polled until then, first after the shorter pause. UNCERTAIN: AWS does not say how long.
_STALE, _FIRST_STALE_PAUSE = 5.0, 1.0
# For so many seconds Describe may still show a processor that was deleted. UNCERTAIN: AWS says only that deleting takes
# some time. The emulator needs 2 seconds.
_DELETING = 10.0
# Event loops may wake a little before the time: the last poll is sent this many seconds after it.
_MARGIN = 0.01


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
        trace, is_lost = self.trace, self.trace.unresolved
        if self.operation is DELETE and isinstance(error, ResourceNotFoundError):
            evidence, resolution = Evidence(None), Resolution.APPLIED  # an earlier attempt deleted it
        elif not is_lost and not isinstance(error, ResourceInUseError):
            raise error
        else:
            if trace.on_event is not None:
                trace.on_event("reconciling")
            evidence, resolution = await self._resolve(error, is_lost=is_lost)
        if resolution is Resolution.UNDETERMINED:
            raise self._unknown(error, str(evidence)) from error
        trace.unresolved = False
        if resolution is Resolution.APPLIED:
            _, reply = EFFECTS[self.operation.name]
            return cast("_ReplyT", reply(evidence))
        if resolution is Resolution.CONFLICT:
            raise self._in_use(evidence) from error
        if is_lost:
            error.retry_safe = True
            error.hint = "DescribeStreamProcessor shows that it was not applied"
            if self._now >= trace.send_by:
                why = "it was cancelled" if trace.send_by == -math.inf else "its deadline (expires_at) has passed"
                error.hint += f"; it is not sent again, since {why}"
        raise error

    @property
    def _now(self) -> float:
        return self.pipeline.clock.now()

    async def _resolve(self, error: CallError, *, is_lost: bool) -> tuple[Evidence, Resolution]:
        """Poll until a poll is conclusive, and return what it shows.

        A lost call may still be applied, and one that was refused may have been applied by an earlier attempt, which
        Describe does not show yet. So both are polled until no later poll can show anything else.
        """
        if is_lost:
            conclusive_at = self.trace.applied_by + (_DELETING if self.operation is DELETE else 0.0)
            pause, conclusive = _FIRST_PAUSE, {Resolution.APPLIED, Resolution.UNDETERMINED}
        else:
            conclusive_at = self._now + _STALE
            pause, conclusive = _FIRST_STALE_PAUSE, {Resolution.APPLIED, Resolution.CONFLICT}
        rule, _ = EFFECTS[self.operation.name]
        unchanged: tuple[object, ...] | None = None
        while True:
            evidence, asked_at = await self._poll(error)
            resolution = rule(evidence, self.request)
            # What an early poll shows to be older than the call is still so when a later poll shows the same, even if
            # the service's dates of the two polls differ by a second.
            if unchanged is not None and evidence.state == unchanged:
                resolution = Resolution.NOT_APPLIED
            if resolution in conclusive or asked_at >= conclusive_at:
                return evidence, resolution
            if resolution is Resolution.NOT_APPLIED:
                unchanged = evidence.state
            left = max(0.0, conclusive_at - self._now)
            # A poll shortly before the last one would show no more than that one.
            rest = left + _MARGIN if left < 1.5 * pause else pause
            if not is_lost and self._now + rest >= self.end:
                return evidence, resolution
            await self._rest(rest, error, f"{evidence}, and the service may still apply the call")
            pause *= 2

    async def _rest(self, seconds: float, error: CallError, seen: str) -> None:
        """Sleep before another poll; where the call's time ends before, its outcome stays unknown."""
        if self._now + seconds >= self.end:
            raise self._unknown(error, seen) from error
        await self.pipeline.clock.sleep(seconds)

    async def _poll(self, error: CallError) -> tuple[Evidence, float]:
        """Return what Describe shows, and when it was asked."""
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
                rest = max(LEAST_REST, limited.retry_after)
                await self._rest(rest, error, "there was no time to ask what became of it")
                continue
            except Exception as failure:  # the rate limiter and the transport may be the user's code
                seen = f"DescribeStreamProcessor failed, too: {failure}"
                raise self._unknown(error, seen) from failure
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
