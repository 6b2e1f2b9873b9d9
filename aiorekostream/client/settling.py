"""Calls whose lost answers are settled by DescribeStreamProcessor before the caller hears of them."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, NoReturn, TypeVar

import attrs

from aiorekostream.client.settlement import Age, Verdict, age, on_create, on_delete, on_start, on_stop
from aiorekostream.codec import decode
from aiorekostream.domain.replies import CreatedStreamProcessor, StartedSession, StreamProcessor
from aiorekostream.domain.requests import DeleteRequest, DescribeRequest, LabelDetectionStart, StopRequest
from aiorekostream.errors import (
    CallError,
    RekostreamError,
    ResourceInUseError,
    ResourceNotFoundError,
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

# The service tells the time to the second; the rest is for clocks of servers that differ.
_MARGIN = datetime.timedelta(seconds=2)
# The part of a call's time that is kept for settling it, in seconds at the most.
_RESERVE_SHARE = 0.25
_RESERVE = 10.0


@attrs.frozen
class _Evidence:
    """What was seen after the answer was lost: the processor, if there is one, and when the call was first sent."""

    processor: StreamProcessor | None
    sent: datetime.datetime
    passed: datetime.timedelta

    def age(self, moment: datetime.datetime | None) -> Age | None:
        return age(moment, sent=self.sent, margin=_MARGIN)

    def __str__(self) -> str:
        if self.processor is None:
            return "there is no such processor"
        changed = self.processor.last_update_timestamp
        return f"it is {self.processor.status}" + (f", last changed at {changed.isoformat()}" if changed else "")


async def start(
    pipeline: Pipeline, request: StartRequest, notify: Callable[[CallEvent], None] | None
) -> StartedSession:
    """Start a processor; a start whose answer was lost is found again by its effect."""

    def judge(evidence: _Evidence) -> Verdict:
        found = evidence.processor
        if found is None:
            return Verdict.UNKNOWN
        over = isinstance(request, LabelDetectionStart) and (
            evidence.passed.total_seconds() >= request.stop_selector.max_duration_in_seconds
        )
        return on_start(found.status, evidence.age(found.last_update_timestamp), may_be_over=over)

    return await _Settling(
        pipeline, START, request, request.name, judge, lambda _: StartedSession(recovered=True), notify
    ).made()


async def stop(pipeline: Pipeline, request: StopRequest, notify: Callable[[CallEvent], None] | None) -> None:
    """Stop a processor; a stop whose answer was lost was carried out if the processor is ending."""

    def judge(evidence: _Evidence) -> Verdict:
        return Verdict.UNKNOWN if evidence.processor is None else on_stop(evidence.processor.status)

    await _Settling(pipeline, STOP, request, request.name, judge, lambda _: None, notify).made()


async def create(pipeline: Pipeline, request: Processor) -> CreatedStreamProcessor:
    """Create a processor; a create whose answer was lost is found again by name, stream and time."""

    def judge(evidence: _Evidence) -> Verdict:
        found = evidence.processor
        created = None if found is None else evidence.age(found.creation_timestamp)
        return on_create(found, request, created)

    def reply(evidence: _Evidence) -> CreatedStreamProcessor:
        return CreatedStreamProcessor(evidence.processor.stream_processor_arn if evidence.processor else "")

    return await _Settling(pipeline, CREATE, request, request.name, judge, reply, None).made()


async def delete(pipeline: Pipeline, request: DeleteRequest) -> None:
    """Delete a processor; a delete whose answer was lost was carried out if the processor is gone."""

    def judge(evidence: _Evidence) -> Verdict:
        return on_delete(evidence.processor)

    await _Settling(pipeline, DELETE, request, request.name, judge, lambda _: None, None).made()


@attrs.define
class _Settling(Generic[_RequestT, _ReplyT]):
    """One call that is made, settled, and made again if it turns out not to have been carried out."""

    pipeline: Pipeline
    operation: Operation[_RequestT, _ReplyT]
    request: _RequestT
    name: str
    judge: Callable[[_Evidence], Verdict]
    recovered: Callable[[_Evidence], _ReplyT]
    notify: Callable[[CallEvent], None] | None
    begun: float = attrs.field(init=False)
    sent: float = attrs.field(default=math.inf, init=False)
    attempts: int = attrs.field(default=0, init=False)

    async def made(self) -> _ReplyT:
        clock = self.pipeline.clock
        self.begun = clock.now()
        total = self.pipeline.total_timeout
        reserve = min(_RESERVE, total * _RESERVE_SHARE)
        doubt: CallError | None = None
        while True:
            left = self.begun + total - reserve - clock.now()
            if doubt is not None and (left <= 0 or self.attempts >= self.pipeline.retry.max_attempts):
                self._give_up(doubt, "it was not carried out as far as was seen")
            try:
                return await self._within(left).call(self.operation, self.request, notify=self._told)
            except CallError as error:
                self.attempts += error.attempts
                if doubt is not None and isinstance(error, ResourceNotFoundError) and self.operation is DELETE:
                    return self.recovered(_Evidence(None, clock.wall(), datetime.timedelta()))
                if not self._leaves_doubt(error, doubt):
                    error.attempts = self.attempts
                    raise
                doubt = error
            evidence = await self._seen(doubt)
            match self.judge(evidence):
                case Verdict.OURS:
                    return self.recovered(evidence)
                case Verdict.OTHERS:
                    self._in_use(doubt, evidence)
                case Verdict.UNKNOWN:
                    self._give_up(doubt, str(evidence))
                case Verdict.NOT_DONE:
                    await clock.sleep(self.pipeline.retry.delay(self.attempts, self.pipeline.chance()))

    @staticmethod
    def _leaves_doubt(error: CallError, doubt: CallError | None) -> bool:
        """Whether it must be seen what became of the call.

        Once one attempt is in doubt, so is why a later one finds the processor in use: the first may have been late.
        """
        return not error.retry_safe or (doubt is not None and isinstance(error, ResourceInUseError))

    async def _seen(self, doubt: CallError) -> _Evidence:
        self._told(CallEvent.SETTLING)
        clock, pipeline = self.pipeline.clock, self._within(self.begun + self.pipeline.total_timeout - self.now)
        request = DescribeRequest(self.name)
        processor: StreamProcessor | None = None
        date: datetime.datetime | None = None
        try:
            reply = await pipeline.exchange(DESCRIBE, request)
            processor = decode(reply.body, StreamProcessor, operation=DESCRIBE.name, request_id=reply.request_id)
            date = reply.date
        except ResourceNotFoundError:
            pass
        except RekostreamError as error:
            raise self._unknown(doubt, f"DescribeStreamProcessor did not tell either: {error}") from error
        passed = datetime.timedelta(seconds=clock.now() - self.sent)
        return _Evidence(processor, (date or clock.wall()) - passed, passed)

    def _told(self, event: CallEvent) -> None:
        if event is CallEvent.SENT:
            self.sent = min(self.sent, self.now)
        if self.notify is not None:
            self.notify(event)

    @property
    def now(self) -> float:
        return self.pipeline.clock.now()

    def _within(self, seconds: float) -> Pipeline:
        return attrs.evolve(self.pipeline, total_timeout=max(seconds, 0.0))

    def _unknown(self, doubt: CallError, seen: str) -> UnknownOutcomeError:
        message = f"the answer was lost ({doubt}), and {seen}"
        return UnknownOutcomeError(message, operation=self.operation.name, attempts=self.attempts)

    def _give_up(self, doubt: CallError, seen: str) -> NoReturn:
        raise self._unknown(doubt, seen) from doubt

    def _in_use(self, doubt: CallError, evidence: _Evidence) -> NoReturn:
        raise ResourceInUseError(
            f"the answer was lost, and {self.name} is somebody else's doing: {evidence}",
            operation=self.operation.name,
            code="ResourceInUseException",
            http_status=400,
            attempts=self.attempts,
            retry_safe=True,
        ) from doubt
