"""Bring processors to a desired state, whatever state they are in: running, stopped, or existing.

Each function describes the processor, decides by its status, acts, and polls again when another client was quicker.
Invariant: a call whose outcome is unknown is sent again only after ``UnknownOutcomeError.retry_safe_at``, and a start
only if nothing has changed since the poll before it. So one call of ``running`` never begins two sessions.
"""

import functools
from collections.abc import Awaitable
from typing import Any, TypeVar, final

import attrs

from aiorekostream.client import reconcile
from aiorekostream.client.drift import Drift, drift
from aiorekostream.client.poller import Poller
from aiorekostream.client.wait_conditions import WaitCondition
from aiorekostream.client.wait_errors import contested_error, wrong_kind_error
from aiorekostream.domain.fields import Duration
from aiorekostream.domain.processors import Processor
from aiorekostream.domain.requests import (
    RESET,
    DescribeRequest,
    FaceSearchStart,
    LabelDetectionUpdate,
    ListTagsRequest,
    StartRequest,
    StopRequest,
)
from aiorekostream.domain.responses import StartedSession, StreamProcessor
from aiorekostream.domain.status import ACTIVE, STARTABLE, Status
from aiorekostream.errors import RekostreamError, ResourceInUseError, ResourceNotFoundError, UnknownOutcomeError
from aiorekostream.operations import CREATE, DESCRIBE, LIST_TAGS, START, STOP
from aiorekostream.pipeline import Pipeline

__all__ = ["Ensured", "EnsuredProcessor", "EnsuredRunning", "created", "running", "stopped"]

_T = TypeVar("_T")

# Another client that starts and stops the same processor could keep this one busy without end.
_MAX_TRIES = 8
# Seconds between two tries, at most; half of it is jitter.
_PAUSE = 1.0


@attrs.frozen(kw_only=True)
class Ensured:
    """A processor that is in the state that was asked for.

    Attributes:
        name: the processor.
        status: its status: RUNNING for a face search that runs, STARTING for a label detection that runs (it is never
            RUNNING), STOPPED or FAILED after ``ensure_stopped``, the actual one after ``ensure_created``.
        changed: whether the call started, stopped or created the processor; false if it was in that state already.
    """

    name: str
    status: Status
    changed: bool


@final
@attrs.frozen(kw_only=True)
class EnsuredRunning(Ensured):
    """A processor that runs.

    Attributes:
        session: the session that was started now; ``None`` if the processor was running already.
    """

    session: StartedSession | None = None


@final
@attrs.frozen(kw_only=True)
class EnsuredProcessor(Ensured):
    """A processor that exists, and how it differs from the desired configuration.

    Attributes:
        processor: the desired configuration.
        stream_processor_arn: the processor's ARN.
        drift: one entry for each field that differs; empty if the call created the processor.
    """

    processor: Processor
    stream_processor_arn: str
    drift: tuple[Drift, ...] = ()

    def update(self) -> LabelDetectionUpdate | None:
        """Return the update that removes the updatable drift; ``None`` if no drift is updatable."""
        changes: dict[str, Any] = {each.field: each.desired for each in self.drift if each.updatable}
        for field, desired in changes.items():
            if desired is None or desired == ():
                changes[field] = RESET  # to AWS's default
        return LabelDetectionUpdate(name=self.name, **changes) if changes else None


async def running(
    pipeline: Pipeline, poller: Poller, request: StartRequest, *, timeout: Duration | None = None
) -> EnsuredRunning:
    """Start a processor unless it runs. See ``Client.ensure_running``."""
    START.validate_request(request)
    tries = _Tries(pipeline, request.name, pipeline.clock.now())
    before: object = None
    for _ in range(_MAX_TRIES):
        found = await tries.describe()
        if found.kind not in {None, request.kind}:
            raise wrong_kind_error(request, found.kind)
        status, session = found.status, None
        if status in STARTABLE:
            state = status, found.last_update_timestamp
            if await tries.sleep_until_safe():
                continue
            if isinstance(tries.refusal, UnknownOutcomeError) and state != before:
                raise tries.refusal  # the lost start may have begun a session that is over
            before = state
            session = await tries.call(reconcile.call(pipeline, START, request))
            if session is None:
                continue
            status = Status.STARTING
        elif status not in ACTIVE:
            await poller.until(WaitCondition.STEADY, request.name, timeout=timeout)
            continue
        if isinstance(request, FaceSearchStart) and status is not Status.RUNNING:
            status = (await poller.until(WaitCondition.RUNNING, request.name, timeout=timeout)).status
        return EnsuredRunning(name=request.name, status=status, changed=session is not None, session=session)
    raise tries.error("running")


async def stopped(pipeline: Pipeline, poller: Poller, name: str, *, timeout: Duration | None = None) -> Ensured:
    """Stop a processor unless it is at rest, and wait for that. See ``Client.ensure_stopped``."""
    tries, changed = _Tries(pipeline, name, pipeline.clock.now()), False
    for _ in range(_MAX_TRIES):
        found = await tries.describe()
        if found.status in STARTABLE:
            return Ensured(name=name, status=found.status, changed=changed)
        if found.status in ACTIVE:
            if await tries.sleep_until_safe():
                continue
            await tries.call(reconcile.call(pipeline, STOP, StopRequest(name)))
            changed |= tries.refusal is None
        else:
            tries.refusal = None
        # UNCERTAIN: whether AWS lets a processor be stopped that is STARTING. If not, a label detection ends by itself,
        # and a face search is stopped once it runs.
        if tries.refusal is None or found.status is Status.STARTING:
            seen = await poller.until(WaitCondition.STEADY, name, timeout=timeout)
            if seen.status in STARTABLE:
                return Ensured(name=name, status=seen.status, changed=changed)
    raise tries.error("stopped")


async def created(pipeline: Pipeline, processor: Processor) -> EnsuredProcessor:
    """Create a processor unless it exists, and compare it otherwise. See ``Client.ensure_created``."""
    CREATE.validate_request(processor)
    tries = _Tries(pipeline, processor.name, pipeline.clock.now())
    ensured = functools.partial(EnsuredProcessor, name=processor.name, processor=processor)
    for _ in range(_MAX_TRIES):
        try:
            found = await tries.describe()
            tags = (await pipeline.call(LIST_TAGS, ListTagsRequest(found.stream_processor_arn))).tags
        except ResourceNotFoundError:
            if await tries.sleep_until_safe():
                continue
            new = await tries.call(reconcile.call(pipeline, CREATE, processor))
            if new is None:
                continue
            return ensured(status=Status.STOPPED, changed=True, stream_processor_arn=new.stream_processor_arn)
        arn, differences = found.stream_processor_arn, drift(processor, found, tags)
        return ensured(status=found.status, changed=False, stream_processor_arn=arn, drift=differences)
    raise tries.error("there")


@attrs.define(eq=False, repr=False)
class _Tries:
    """The tries to bring one processor to a state, and how the last call was refused.

    Attributes:
        pipeline: makes the calls.
        name: the processor.
        begun: when the first try began, on the clock.
        refusal: how the last call was refused; ``None`` if it was not.
        safe_at: the moment of the clock from which the call may be made again.
    """

    pipeline: Pipeline
    name: str
    begun: float
    refusal: RekostreamError | None = attrs.field(default=None, init=False)
    safe_at: float = attrs.field(default=0.0, init=False)

    async def describe(self) -> StreamProcessor:
        """Describe the processor, after a pause if another client was quicker."""
        if self.refusal is not None:
            await self.pipeline.clock.sleep(_PAUSE * (0.5 + self.pipeline.random() / 2))
        return await self.pipeline.call(DESCRIBE, DescribeRequest(self.name))

    async def sleep_until_safe(self) -> bool:
        """Sleep until the call may be made; return whether it could not yet, so that a new poll is needed."""
        seconds = self.safe_at - self.pipeline.clock.now()
        if seconds <= 0:
            return False
        await self.pipeline.clock.sleep(seconds)
        return True

    async def call(self, call: Awaitable[_T]) -> _T | None:
        """Await a call; ``None`` after a refusal that another poll may explain."""
        clock = self.pipeline.clock
        self.refusal, self.safe_at = None, 0.0
        try:
            return await call
        except ResourceInUseError as refusal:
            self.refusal = refusal
        except UnknownOutcomeError as refusal:
            if refusal.retry_safe_at is None:
                raise
            self.refusal = refusal
            self.safe_at = clock.now() + (refusal.retry_safe_at - clock.wall()).total_seconds()
        return None

    def error(self, wanted: str) -> RekostreamError:
        """Return the error after the last try."""
        return self.refusal or contested_error(self.name, wanted, self.pipeline.clock.now() - self.begun)
