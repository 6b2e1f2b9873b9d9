"""Bring processors to a desired state, whatever state they are in: running, stopped, or existing.

Each function describes the processor, decides by its status, acts, and polls again when another client was quicker.
Invariant: a call whose outcome is unknown is sent again only after ``UnknownOutcomeError.retry_safe_at``, and a start
only if nothing has changed since the poll before it. So one call of ``running`` never begins two sessions.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, TypeVar

import attrs

from aiorekostream.client import reconcile
from aiorekostream.client.drift import EnsuredProcessor, drift
from aiorekostream.client.wait_conditions import WaitCondition
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.requests import DescribeRequest, FaceSearchStart, ListTagsRequest, StopRequest
from aiorekostream.domain.responses import StartedSession, StreamProcessorSummary
from aiorekostream.domain.status import ACTIVE, STARTABLE, Status
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

if TYPE_CHECKING:
    import datetime
    from collections.abc import Awaitable

    from aiorekostream.client.poller import Poller
    from aiorekostream.domain.processors import Processor
    from aiorekostream.domain.requests import StartRequest
    from aiorekostream.domain.responses import StreamProcessor
    from aiorekostream.pipeline import Pipeline

__all__ = ["Action", "EnsuredRunning", "action_to_run", "action_to_stop", "created", "running", "stopped"]

_T = TypeVar("_T")

# Another client that starts and stops the same processor could keep this one busy without end.
_MAX_TRIES = 8
# Seconds between two tries, at most; half of it is jitter.
_PAUSE = 1.0


class Action(enum.Enum):
    """The next step towards the desired state of a processor."""

    NONE = enum.auto()
    """It is there, or on its way."""
    CALL = enum.auto()
    """Start it, or stop it."""
    WAIT = enum.auto()
    """Wait for what is under way. A status that this version does not know is waited for as well."""


def action_to_run(status: Status) -> Action:
    """Return what brings a processor of this status to run."""
    return Action.NONE if status in ACTIVE else Action.CALL if status in STARTABLE else Action.WAIT


def action_to_stop(status: Status) -> Action:
    """Return what brings a processor of this status to rest."""
    return Action.NONE if status in STARTABLE else Action.CALL if status in ACTIVE else Action.WAIT


@attrs.frozen(kw_only=True)
class EnsuredRunning:
    """A processor that runs.

    Attributes:
        name: the processor.
        status: RUNNING for a face search, STARTING for a label detection, which is never RUNNING.
        session: the session that was started now; ``None`` if the processor was running already.
    """

    name: str
    status: Status
    session: StartedSession | None = None


async def running(
    pipeline: Pipeline,
    poller: Poller,
    request: StartRequest,
    *,
    timeout: datetime.timedelta | float | None = None,  # noqa: ASYNC109 - the limit of each wait, not of the call
) -> EnsuredRunning:
    """Start a processor unless it runs. See ``Client.ensure_running``."""
    START.validate_request(request)
    begun = pipeline.clock.now()
    refusal: RekostreamError | None = None
    before: tuple[Status, datetime.datetime | None] | None = None
    safe_at = 0.0
    for _ in range(_MAX_TRIES):
        found = await _describe(pipeline, request.name, after=refusal)
        _check_kind(request, found)
        action, session = action_to_run(found.status), None
        if action is Action.WAIT:
            await poller.until(WaitCondition.AT_REST, request.name, timeout=timeout)
            continue
        if action is Action.CALL and isinstance(refusal, UnknownOutcomeError):
            if await _sleep_until(pipeline, safe_at):
                continue
            if _state(found) != before:
                raise refusal  # the lost start may have begun a session that is over
        refusal = None
        if action is Action.CALL:
            before = _state(found)
            session, refusal = await _attempt(reconcile.start(pipeline, request))
            safe_at = _safe_at(pipeline, refusal)
        if refusal is None:
            status = found.status if session is None else Status.STARTING
            if isinstance(request, FaceSearchStart) and status is not Status.RUNNING:
                status = (await poller.until(WaitCondition.RUNNING, request.name, timeout=timeout)).status
            return EnsuredRunning(name=request.name, status=status, session=session)
    raise refusal or _never_still(pipeline, request.name, "running", begun)


async def stopped(
    pipeline: Pipeline,
    poller: Poller,
    name: str,
    *,
    timeout: datetime.timedelta | float | None = None,  # noqa: ASYNC109 - the limit of each wait, not of the call
) -> StreamProcessorSummary:
    """Stop a processor unless it is at rest, and wait for that. See ``Client.ensure_stopped``."""
    begun = pipeline.clock.now()
    refusal: RekostreamError | None = None
    safe_at = 0.0
    for _ in range(_MAX_TRIES):
        found = await _describe(pipeline, name, after=refusal)
        action = action_to_stop(found.status)
        if action is Action.NONE:
            return StreamProcessorSummary(name, found.status)
        if action is Action.CALL:
            if await _sleep_until(pipeline, safe_at):
                continue
            _, refusal = await _attempt(reconcile.stop(pipeline, StopRequest(name)))
            safe_at = _safe_at(pipeline, refusal)
        else:
            refusal = None
        # UNCERTAIN: whether AWS lets a label detection be stopped. If not, it ends by itself.
        if refusal is not None and found.kind is ProcessorKind.LABEL_DETECTION:
            return await poller.until(WaitCondition.AT_REST, name, timeout=timeout)
        # UNCERTAIN: whether AWS lets a face search be stopped that is STARTING. If not, it is stopped once it runs.
        if refusal is None or found.status is Status.STARTING:
            seen = await poller.until(WaitCondition.STEADY, name, timeout=timeout)
            if action_to_stop(seen.status) is Action.NONE:
                return seen
    raise refusal or _never_still(pipeline, name, "stopped", begun)


async def created(pipeline: Pipeline, processor: Processor) -> EnsuredProcessor:
    """Create a processor unless it exists, and compare it otherwise. See ``Client.ensure_created``."""
    CREATE.validate_request(processor)
    begun = pipeline.clock.now()
    refusal: RekostreamError | None = None
    safe_at = 0.0
    for _ in range(_MAX_TRIES):
        try:
            found = await _describe(pipeline, processor.name, after=refusal)
        except ResourceNotFoundError:
            if await _sleep_until(pipeline, safe_at):
                continue
            new, refusal = await _attempt(reconcile.create(pipeline, processor))
            safe_at = _safe_at(pipeline, refusal)
            if new is not None:
                arn = new.stream_processor_arn
                return EnsuredProcessor(processor=processor, stream_processor_arn=arn, created=True)
        else:
            arn = found.stream_processor_arn
            try:
                tags = (await pipeline.call(LIST_TAGS, ListTagsRequest(arn))).tags
            except ResourceNotFoundError as error:  # another client deleted it in between
                refusal = error
                continue
            differences = drift(processor, found, tags)
            return EnsuredProcessor(processor=processor, stream_processor_arn=arn, created=False, drift=differences)
    raise refusal or _never_still(pipeline, processor.name, "there", begun)


async def _describe(pipeline: Pipeline, name: str, *, after: Exception | None) -> StreamProcessor:
    """Describe the processor, after a pause if another client was quicker."""
    if after is not None:
        await pipeline.clock.sleep(_PAUSE * (0.5 + pipeline.random() / 2))
    return await pipeline.call(DESCRIBE, DescribeRequest(name))


async def _attempt(call: Awaitable[_T]) -> tuple[_T | None, RekostreamError | None]:
    """Return the result of a call, or a refusal after which another poll is useful."""
    try:
        return await call, None
    except (ResourceInUseError, UnknownOutcomeError) as refusal:
        return None, refusal


def _safe_at(pipeline: Pipeline, refusal: RekostreamError | None) -> float:
    """Return the moment of the clock from which the call may be made again; to be asked as soon as it has failed."""
    if not isinstance(refusal, UnknownOutcomeError):
        return 0.0
    if refusal.retry_safe_at is None:
        raise refusal
    return pipeline.clock.now() + (refusal.retry_safe_at - pipeline.clock.wall()).total_seconds()


async def _sleep_until(pipeline: Pipeline, moment: float) -> bool:
    """Sleep until the moment; return whether it was still to come, so that a new poll is needed."""
    seconds = moment - pipeline.clock.now()
    if seconds <= 0:
        return False
    await pipeline.clock.sleep(seconds)
    return True


def _state(found: StreamProcessor) -> tuple[Status, datetime.datetime | None]:
    return found.status, found.last_update_timestamp


def _never_still(pipeline: Pipeline, name: str, wanted: str, begun: float) -> WaitTimeoutError:
    seconds, hint = pipeline.clock.now() - begun, "Another client changes it again and again"
    return WaitTimeoutError(name=name, wanted=wanted, status=None, seconds=seconds, hint=hint)


def _check_kind(request: StartRequest, found: StreamProcessor) -> None:
    if found.kind not in {None, request.kind}:
        raise InvalidRequestError([ValidationIssue((), request, f"a start of the processor's own kind, {found.kind}")])
