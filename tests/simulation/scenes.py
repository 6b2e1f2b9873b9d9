"""Share what the simulation's scenes need: a client, its requests, and the oracle of outcomes."""

from __future__ import annotations

import asyncio
import datetime
from typing import TYPE_CHECKING

import attrs

import aiorekostream as rks
from aiorekostream.clock import SystemClock
from aiorekostream.domain.responses import CreatedStreamProcessor
from aiorekostream.domain.status import Status
from aiorekostream.rate_limiting.limiter import LocalRateLimiter
from tests.simulation.service import EPOCH

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from aiorekostream.rate_limiting.port import RateLimiter
    from tests.simulation.service import SimulatedService

__all__ = [
    "RUN_ON",
    "Answer",
    "SimulatedClock",
    "Told",
    "at_most",
    "label_start",
    "make_client",
    "outcome_of",
    "tell",
    "untruth",
]

Answer = rks.StartedSession | CreatedStreamProcessor | rks.StreamProcessor | rks.RekostreamError | None
"""What a call came to: its value, or its error."""

RUN_ON = 60.0
"""Seconds for which a scene goes on after its last outcome before that is judged: twice the longest apply delay."""

_START, _STOP = "StartStreamProcessor", "StopStreamProcessor"
_CREATE, _DELETE = "CreateStreamProcessor", "DeleteStreamProcessor"


class SimulatedClock(SystemClock):
    """The loop's time, and a date that follows it."""

    def wall(self) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(EPOCH + self.now(), datetime.UTC)


def make_client(
    service: SimulatedService,
    *,
    total: float = 600.0,
    believed: rks.Quota | None = None,
    rate_limiter: RateLimiter | None = LocalRateLimiter(),  # noqa: B008 - a value
    retry: rks.RetryPolicy | None = None,
) -> rks.Client:
    """A client of the service whose jitter comes from the service's seed."""
    quotas = dict(service.quotas)
    if believed is not None:
        quotas |= {_START: believed, _STOP: believed}
    client = rks.Client(
        transport=service,
        rate_limiter=rate_limiter,
        retry=retry,
        timeout=rks.Timeout(total=total),
        limits=rks.Limits(quotas=quotas),
        clock=SimulatedClock(),
    )
    client._pipeline = attrs.evolve(client.pipeline, random=service.chance)
    return client


def label_start(name: str, seconds: int = 10) -> rks.LabelDetectionStart:
    return rks.LabelDetectionStart(
        name=name,
        start_selector=rks.ProducerTimestamp(1_700_000_000_000),
        stop_selector=rks.StopSelector(seconds),
    )


async def outcome_of(call: Awaitable[Answer]) -> Answer:
    """What a call came to."""
    try:
        return await call
    except rks.RekostreamError as error:
        return error


async def at_most(
    many: int,
    requests: Iterable[rks.StartRequest],
    send: Callable[[rks.StartRequest], Awaitable[Answer]],
) -> list[Answer]:
    """Make calls, so many of them at once, and give what they came to in their order."""
    slots = asyncio.Semaphore(many)

    async def one(request: rks.StartRequest) -> Answer:
        async with slots:
            return await outcome_of(send(request))

    return await asyncio.gather(*map(one, requests))


@attrs.frozen(kw_only=True)
class Told:
    """What a call came to, and how its processor was then.

    Attributes:
        operation: AWS's name.
        name: the processor.
        answer: what it said.
        begun: when it began.
        ended: when it ended.
        status: the processor's status when it ended; ``None`` where there was no such processor.
        changed: when the processor last changed before that.
        lasts: how long the session should last that was to be started; 0 for what begins no session of a given length.
    """

    operation: str
    name: str
    answer: Answer
    begun: float
    ended: float
    status: Status | None
    changed: float
    lasts: float


async def tell(
    service: SimulatedService, operation: str, name: str, call: Awaitable[Answer], *, lasts: float = 0.0
) -> Told:
    """Make a call, and take down what it came to."""
    begun = service.now
    answer = await outcome_of(call)
    processor = service.account.processors.get(name)
    is_there = processor is not None and processor.removed_at is None
    return Told(
        operation=operation,
        name=name,
        answer=answer,
        begun=begun,
        ended=service.now,
        status=processor.status if processor is not None and is_there else None,
        changed=service.changed(name),
        lasts=lasts,
    )


def untruth(service: SimulatedService, told: Told) -> str:
    """What is untrue about the outcome of the only call of its kind for a processor; empty if it is true.

    To be asked when the scene has gone on for ``RUN_ON`` seconds: what is told must be true, and stay true.
    """
    applied = service.applied(told.operation, told.name)
    if told.operation == _START and len(applied) > 1:
        return f"one start of {told.name} began {len(applied)} sessions: {applied}"
    if isinstance(told.answer, rks.RekostreamError):
        return _untruth_of_error(service, told, told.answer)
    if any(decision.at <= told.ended for decision in applied):
        ids = {None, *(decision.session_id for decision in applied)}
        is_other = isinstance(told.answer, rks.StartedSession) and told.answer.session_id not in ids
        return f"{told.answer} is none of {ids}" if is_other else ""
    if _is_fulfilled(told) or cannot_be_told(service, told):
        return ""
    return f"{told.answer!r} for {told.name}, but it was not applied"


def _untruth_of_error(service: SimulatedService, told: Told, error: rks.RekostreamError) -> str:
    applied = service.applied(told.operation, told.name)
    if error.retry_safe:
        return f"{error!r} says that {told.name} was left alone, but {applied}" if applied else ""
    if not isinstance(error, rks.UnknownOutcomeError):
        return f"{error!r} does not say what became of the {told.operation} of {told.name}"
    if error.retry_safe_at is None:
        return f"{error!r} does not say when {told.name} may be asked for again"
    safe_at = error.retry_safe_at.timestamp() - EPOCH
    late = [decision for decision in applied if decision.at > safe_at + _ROUNDING]
    return f"{told.name} was told to be safe at {safe_at}, but {late}" if late else ""


_ROUNDING = 1e-3  # of dates, in seconds


def _is_fulfilled(told: Told) -> bool:
    """Whether what was asked is so, although the call itself did not do it."""
    if told.operation == _STOP:
        is_idle = told.status not in {Status.STARTING, Status.RUNNING}
        return is_idle or told.changed > told.begun  # another session than the one that was to be stopped
    return told.operation == _DELETE and told.status is None


def cannot_be_told(service: SimulatedService, told: Told) -> bool:
    """Whether another client did what looks in every respect like the call's own work. This alone is excused.

    DescribeStreamProcessor shows a status and when it last changed, and AWS has no client token. So a start of another
    client is taken for the call's own if it left the same status in the time in which the call would have done it:
    STARTING from 1 s before to 3 s after the sending, RUNNING up to 10 s later, and the end of a session up to 10 s
    after its length. Dates are told to the second, and a poll takes its time on the way. Likewise a creation.
    """
    theirs = service.applied(told.operation, told.name, is_ours=False)
    if told.operation not in {_START, _CREATE} or not any(decision.at <= told.ended for decision in theirs):
        return False
    slack = service.network.latency + service.network.jitter + 1.0 + service.has_whole_seconds
    sendings = service.sendings.get(told.name, [])

    def is_within(moment: float, earliest: float, latest: float) -> bool:
        return any(earliest - slack <= moment - sent <= latest + slack for sent in sendings)

    if any(is_within(decision.at, -1.0, 3.0) for decision in theirs):
        return True
    if told.status is Status.RUNNING:
        return is_within(told.changed, 1.0, 13.0)
    return told.lasts > 0 and is_within(told.changed, told.lasts - 1.0, told.lasts + 13.0)
