"""What scenes of the simulation have in common: a client, its requests, and the truth about an outcome."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import attrs

import aiorekostream as rks
from aiorekostream.pipeline import CallEvent
from aiorekostream.resilience.paces import LocalPacing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from aiorekostream.resilience.paces import Pacing
    from tests.simulation.service import Service

Answer = rks.StartedSession | rks.CreatedStreamProcessor | rks.StreamProcessor | rks.RekostreamError | None
"""What a call came to: its value, or its error."""

_LOOKED = 0.5


def make_client(
    service: Service,
    *,
    total: float = 600.0,
    believed: rks.Quota | None = None,
    pacing: Pacing | None = LocalPacing(),  # noqa: B008 - a value
    retry: rks.RetryPolicy | None = None,
) -> rks.Client:
    """A client of the service whose dice are thrown with the service's seed."""
    quotas = dict(service.quotas)
    if believed is not None:
        quotas |= {"StartStreamProcessor": believed, "StopStreamProcessor": believed}
    client = rks.Client(
        transport=service,
        pacing=pacing,
        retry=retry,
        timeout=rks.Timeout(total=total),
        limits=rks.Limits(quotas=quotas),
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


def untruth(service: Service, told: Told) -> str:
    """What is untrue about the outcome of the only call of its kind for a processor; empty if it is true."""
    done = [deed for deed in service.done(told.operation, told.name) if deed.at <= told.ended]
    answer = told.answer
    if isinstance(answer, rks.RekostreamError):
        # What is carried out late, between the last look and the telling, cannot be foreseen.
        done = [deed for deed in done if not deed.late or deed.at < told.ended - _LOOKED]
        return f"{answer!r} says that {told.name} was left alone, but {done}" if answer.retry_safe and done else ""
    if isinstance(answer, rks.StartedSession) and answer.session_id is not None:
        ids = {deed.session_id for deed in done}
        return "" if answer.session_id in ids else f"{answer} is none of {ids}"
    if answer is None and told.is_fulfilled:
        return ""
    return "" if done else f"{answer!r} for {told.name}, but nothing was done"


@attrs.frozen(kw_only=True)
class Told:
    """What a call came to.

    Attributes:
        operation: AWS's name.
        name: the processor.
        answer: what it said.
        begun: when it began.
        ended: when it ended.
        is_fulfilled: whether a session that was to be stopped was over then, or a processor to be deleted gone.
        is_idle: whether the processor had no session then.
        changed: when the processor last changed before that.
        lasts: how long the session should have lasted that was to be started; infinity for a face search.
    """

    operation: str
    name: str
    answer: Answer
    begun: float
    ended: float
    is_fulfilled: bool
    is_idle: bool
    changed: float
    lasts: float


async def tell(service: Service, operation: str, name: str, call: Awaitable[Answer], *, lasts: float = 0.0) -> Told:
    """Make a call, and take down what it came to."""
    begun = service.now
    answer = await outcome_of(call)
    is_idle, is_stop = not service.at_work(name), operation == "StopStreamProcessor"
    changed = service.changed(name)
    return Told(
        operation=operation,
        name=name,
        answer=answer,
        begun=begun,
        ended=service.now,
        is_fulfilled=(is_idle or changed > begun) if is_stop else name not in service.account.processors,
        is_idle=is_idle,
        changed=changed,
        lasts=lasts,
    )


@attrs.define
class Story:
    """What happened to one call, in order."""

    events: list[CallEvent] = attrs.field(factory=list)

    def __call__(self, event: CallEvent) -> None:
        self.events.append(event)
