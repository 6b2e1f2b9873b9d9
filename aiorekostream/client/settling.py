"""Calls whose lost answers are settled by DescribeStreamProcessor before the caller hears of them."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, NoReturn, TypeVar

import attrs

from aiorekostream.client.evidence import Evidence, Sending
from aiorekostream.client.settlement import Verdict, on_create, on_delete, on_start, on_stop
from aiorekostream.codec import decode
from aiorekostream.domain.replies import CreatedStreamProcessor, StartedSession, StreamProcessor
from aiorekostream.domain.requests import (
    DeleteRequest,
    DescribeRequest,
    FaceSearchStart,
    LabelDetectionStart,
    StopRequest,
)
from aiorekostream.domain.status import Status
from aiorekostream.errors import (
    CallError,
    DeadlineExceededError,
    RateLimitedError,
    RekostreamError,
    ResourceInUseError,
    ResourceNotFoundError,
    ServiceError,
    UnknownOutcomeError,
)
from aiorekostream.operations import CREATE, DELETE, DESCRIBE, START, STOP, Operation
from aiorekostream.pipeline import CallEvent, Pipeline

if TYPE_CHECKING:
    from aiorekostream.domain.processors import Processor
    from aiorekostream.domain.requests import StartRequest

__all__ = ["create", "delete", "start", "stop"]

_RequestT = TypeVar("_RequestT")
_ReplyT = TypeVar("_ReplyT")

# What was done may take a while to be shown: the seconds between one look and the next.
_SHOWS = (1.0, 2.0, 2.0)
# The least rest between two questions that the pacer does not let through, in seconds.
_LEAST_REST = 0.1

# The part of a call's time that is kept for settling it, in seconds at the most.
_RESERVE_SHARE = 0.25
_RESERVE = 10.0


async def start(
    pipeline: Pipeline,
    request: StartRequest,
    notify: Callable[[CallEvent], None] | None,
    *,
    since: float | None = None,
) -> StartedSession:
    """Start a processor; a start whose answer was lost is found again by its effect.

    Args:
        pipeline: makes the calls.
        request: the start.
        notify: told what happens on the way.
        since: the moment whose place in the queue it has, on the clock; now if not given.
    """

    def judge(evidence: Evidence) -> Verdict:
        found = evidence.processor
        if found is None:
            return Verdict.NOT_DONE  # to start it again does no harm, and says what is the matter
        in_time = may_be_over = False
        if isinstance(request, LabelDetectionStart) and found.status is Status.STOPPED:
            length = datetime.timedelta(seconds=request.stop_selector.max_duration_in_seconds)
            in_time, may_be_over = evidence.has_lasted(length), evidence.may_show_an_end()
        elif isinstance(request, FaceSearchStart) and found.status is Status.RUNNING:
            in_time = evidence.has_come_to_run()
        return on_start(found.status, evidence.changed, in_time=in_time, may_be_over=may_be_over)

    reconciled = StartedSession(reconciled=True)
    return await _Settling(
        pipeline, START, request, request.name, judge, lambda _: reconciled, notify, since=since
    ).made()


async def stop(
    pipeline: Pipeline,
    request: StopRequest,
    notify: Callable[[CallEvent], None] | None,
    *,
    since: float | None = None,
) -> None:
    """Stop a processor; a stop whose answer was lost was carried out if the processor is ending. See ``start``."""

    def judge(evidence: Evidence) -> Verdict:
        found = evidence.processor
        if found is None:
            return Verdict.NOT_DONE  # as for a start
        return on_stop(found.status, evidence.changed, came_to_run=evidence.has_gone_on_to_run())

    await _Settling(pipeline, STOP, request, request.name, judge, lambda _: None, notify, since=since).made()


async def create(pipeline: Pipeline, request: Processor) -> CreatedStreamProcessor:
    """Create a processor; a create whose answer was lost is found again by name, stream and time."""

    def judge(evidence: Evidence) -> Verdict:
        return on_create(evidence.processor, request, evidence.created)

    def reply(evidence: Evidence) -> CreatedStreamProcessor:
        return CreatedStreamProcessor(evidence.processor.stream_processor_arn if evidence.processor else "")

    return await _Settling(pipeline, CREATE, request, request.name, judge, reply, None).made()


async def delete(pipeline: Pipeline, request: DeleteRequest) -> None:
    """Delete a processor; a delete whose answer was lost was carried out if the processor is gone."""

    def judge(evidence: Evidence) -> Verdict:
        return on_delete(evidence.processor, evidence.created)

    await _Settling(pipeline, DELETE, request, request.name, judge, lambda _: None, None).made()


@attrs.define
class _Settling(Generic[_RequestT, _ReplyT]):
    """One call that is made, settled, and made again if it turns out not to have been carried out."""

    pipeline: Pipeline
    operation: Operation[_RequestT, _ReplyT]
    request: _RequestT
    name: str
    judge: Callable[[Evidence], Verdict]
    reconciled: Callable[[Evidence], _ReplyT]
    notify: Callable[[CallEvent], None] | None
    since: float | None = attrs.field(default=None, kw_only=True)
    begun: float = attrs.field(init=False)
    attempts: int = attrs.field(default=0, init=False)
    _paid: int = attrs.field(default=0, init=False)
    _sent: float = attrs.field(default=0.0, init=False)
    _doubted: list[float] = attrs.field(factory=list, init=False)

    async def made(self) -> _ReplyT:
        self.begun = self.now
        self.since = self.begun if self.since is None else self.since
        while True:
            try:
                return await self._called()
            except CallError as error:
                if self._is_gone(error):
                    return self.reconciled(Evidence(None))
                if not self._leaves_doubt(error):
                    raise
                doubt = error
            evidence, verdict = await self._judged(doubt)
            if verdict is Verdict.OURS:
                return self.reconciled(evidence)
            if verdict is Verdict.OTHERS:
                self._in_use(doubt, evidence)
            if verdict is Verdict.UNKNOWN:
                raise self._unknown(doubt, str(evidence)) from doubt
            await self._wait_for_another(doubt)

    async def _called(self) -> _ReplyT:
        try:
            reply = await self.pipeline.call(
                self.operation, self.request, notify=self._told, since=self.since, within=max(self._left, 0.0)
            )
        except CallError as error:
            self.attempts += error.attempts
            error.attempts = self.attempts
            if isinstance(error, DeadlineExceededError):
                error.deadline = self.now - self.begun
            raise
        if self._paid:
            self.pipeline.retry_tokens.succeeded(self._paid)
        return reply

    @property
    def now(self) -> float:
        return self.pipeline.clock.now()

    @property
    def _end(self) -> float:
        return self.begun + self.pipeline.total_timeout

    @property
    def _left(self) -> float:
        """Seconds to make the call in; the rest of its time is for settling it."""
        total = self.pipeline.total_timeout
        return self._end - min(_RESERVE, total * _RESERVE_SHARE) - self.now

    def _is_gone(self, error: CallError) -> bool:
        """Whether there is nothing left to delete, after a delete that may have been carried out."""
        return self.operation is DELETE and bool(self._doubted) and isinstance(error, ResourceNotFoundError)

    def _leaves_doubt(self, error: CallError) -> bool:
        """Whether it must be seen what became of the call.

        Once one attempt is in doubt, so is why a later one finds the processor in use: the first may have been late.
        """
        if not error.retry_safe:
            self._doubted.append(self._sent)
            return True
        return bool(self._doubted) and isinstance(error, ResourceInUseError)

    async def _judged(self, doubt: CallError) -> tuple[Evidence, Verdict]:
        """What became of the call; a look that does not explain why the service finds it in use is repeated.

        Describe may show for a while what was before.
        """
        evidence = await self._seen(doubt)
        for pause in _SHOWS:
            verdict = self.judge(evidence)
            is_explained = verdict in {Verdict.OURS, Verdict.OTHERS} or not isinstance(doubt, ResourceInUseError)
            if is_explained or self.now + pause >= self._end:
                return evidence, verdict
            await self.pipeline.clock.sleep(pause)
            evidence = await self._seen(doubt)
        return evidence, self.judge(evidence)

    async def _seen(self, doubt: CallError) -> Evidence:
        self._told(CallEvent.SETTLING)
        asked = self.now

        def told(event: CallEvent) -> None:
            nonlocal asked
            if event is CallEvent.SENT:
                asked = self.now

        pipeline = attrs.evolve(self.pipeline, urgent=True)
        while True:
            try:
                reply = await pipeline.exchange(
                    DESCRIBE, DescribeRequest(self.name), notify=told, within=max(self._end - self.now, 0.0)
                )
                found = decode(reply.body, StreamProcessor, operation=DESCRIBE.name, request_id=reply.request_id)
            except ResourceNotFoundError:
                return Evidence(None)
            except RateLimitedError as error:
                # Only the call itself was not to wait. That it was sent cannot be undone.
                rest = max(error.retry_after, _LEAST_REST)
                if self.now + rest >= self._end:
                    raise self._unknown(doubt, "there was no time to ask what became of it") from doubt
                await self.pipeline.clock.sleep(rest)
            except RekostreamError as error:
                raise self._unknown(doubt, f"DescribeStreamProcessor did not tell either: {error}") from error
            else:
                date = reply.date
                if date is None:  # this machine's clock may be hours off
                    return Evidence(found)
                now = self.now
                sent = [Sending.before(date, least=asked - each, most=now - each) for each in self._doubted]
                return Evidence(found, sent)

    async def _wait_for_another(self, doubt: CallError) -> None:
        """Wait before the call is made again, which was not carried out; or end it, if there is no more to hope for."""
        if isinstance(doubt, ResourceInUseError):
            raise doubt
        asked = doubt.retry_after if isinstance(doubt, ServiceError) else 0.0
        delay = max(asked, self.pipeline.retry.delay(self.attempts, self.pipeline.random()))
        if isinstance(doubt, DeadlineExceededError):
            # It was not broken off by the service, which may still be at it.
            raise self._unknown(doubt, "it was not carried out as far as was seen") from doubt
        if (
            self.attempts >= self.pipeline.retry.max_attempts
            or delay >= self._left
            or not (self.pipeline.pacing is not None or self.pipeline.retry_tokens.acquire())
        ):
            doubt.retry_safe = True
            doubt.hint = "DescribeStreamProcessor shows that it was not carried out"
            raise doubt
        self._paid += self.pipeline.pacing is None
        self._told(CallEvent.RETRIED)
        await self.pipeline.clock.sleep(delay)

    def _told(self, event: CallEvent) -> None:
        if event is CallEvent.SENT:
            self._sent = self.now
        if self.notify is not None:
            self.notify(event)

    def _unknown(self, doubt: CallError, seen: str) -> UnknownOutcomeError:
        message = f"the answer was lost ({doubt}), and {seen}"
        return UnknownOutcomeError(message, operation=self.operation.name, attempts=self.attempts)

    def _in_use(self, doubt: CallError, evidence: Evidence) -> NoReturn:
        raise ResourceInUseError(
            f"the answer was lost, and {self.name} is somebody else's doing: {evidence}",
            operation=self.operation.name,
            code="ResourceInUseException",
            http_status=400,
            attempts=self.attempts,
            retry_safe=True,
        ) from doubt
