"""Bring processors to a desired state, whatever state they are in: running, stopped, or existing.

``Tries`` has the procedure of each goal, for the client and for fleets: observe the processor, decide by its status,
make the call, and observe it again when another client was quicker.

Invariant: a call whose outcome is unknown is sent again only after ``UnknownOutcomeError.retry_safe_at``, and a start
only if nothing has changed since the poll before it. So one call of ``running`` never begins two sessions.
"""

import abc
import functools
import math
from typing import Any, Generic, TypeVar, final

import attrs

from aiorekostream.client import reconcile
from aiorekostream.client.drift import Drift, drift
from aiorekostream.client.poller import Poller
from aiorekostream.client.wait_conditions import WaitCondition
from aiorekostream.client.wait_errors import contested_error, wrong_kind_error
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.fields import Duration
from aiorekostream.domain.processors import Processor
from aiorekostream.domain.requests import (
    RESET,
    DescribeRequest,
    LabelDetectionUpdate,
    ListTagsRequest,
    StartRequest,
    StopRequest,
)
from aiorekostream.domain.responses import StartedSession, StreamProcessor
from aiorekostream.domain.status import ACTIVE, STARTABLE, Status
from aiorekostream.errors import RekostreamError, ResourceInUseError, ResourceNotFoundError, UnknownOutcomeError
from aiorekostream.operations import CREATE, DESCRIBE, LIST_TAGS, START, STOP, Operation
from aiorekostream.pipeline import Pipeline

__all__ = ["Ensured", "EnsuredProcessor", "EnsuredRunning", "Tries", "created", "running", "stopped"]

_RequestT = TypeVar("_RequestT", bound=StartRequest | StopRequest | Processor)
_ReplyT = TypeVar("_ReplyT")

# Another client that starts and stops the same processor could keep this one busy without end.
_MAX_TRIES = 8
# Seconds until a processor is polled again whose call was refused, at most; a quarter is jitter. It is more than the
# second for which a poll may show the status from before.
_PAUSE = 1.5


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


@attrs.define(eq=False, repr=False)
class Tries(abc.ABC):
    """The tries to bring one processor to a state. Subclasses say how it is observed, and how the call is made.

    Attributes:
        pipeline: has the clock, and the randomness of the pauses.
        name: the processor.
        refusal: the error with which the last call was refused or lost; ``None`` where there is none.
    """

    pipeline: Pipeline
    name: str
    refusal: RekostreamError | None = attrs.field(default=None, init=False)
    # The moment of the clock from which a lost call may be made again.
    _safe_at: float = attrs.field(default=-math.inf, init=False)

    @abc.abstractmethod
    async def observe(self) -> Status | None:
        """Poll the processor; ``None`` where its status is not known, so that the answer to the call decides."""

    @abc.abstractmethod
    async def until(self, condition: WaitCondition) -> Status:
        """Wait until the processor satisfies a condition."""

    @abc.abstractmethod
    async def send(self) -> bool:
        """Make the call; false where the processor is in use.

        Raises:
            ResourceInUseError: the same, with the error of the service.
            UnknownOutcomeError: the response was lost; the call is made again when that is safe. The error of the last
                call is raised again where no other may follow.
        """

    async def running(self, kind: ProcessorKind) -> Status:
        """Start the processor unless it runs, and wait until a face search is RUNNING."""
        began, status = self.pipeline.clock.now(), None
        for _ in range(_MAX_TRIES):
            status = await self.observe()
            if status in ACTIVE:
                break
            if status is not None and status not in STARTABLE:
                await self.until(WaitCondition.STEADY)
            elif await self.call():
                status = Status.STARTING
                break
        else:
            if status is not None:
                raise self.error("running", began)
        if kind is ProcessorKind.FACE_SEARCH and status is not Status.RUNNING:
            return await self.until(WaitCondition.RUNNING)
        return status or Status.STARTING  # a label detection that is in use has a session, though no poll shows it

    async def stopped(self) -> Status:
        """Stop the processor unless it is at rest, and wait until it is."""
        began = self.pipeline.clock.now()
        for _ in range(_MAX_TRIES):
            status = await self.observe()
            if status is None or status in ACTIVE:
                if not await self.call() and (self.is_lost or status is Status.RUNNING):
                    continue
            elif status in STARTABLE:
                return status
            # UNCERTAIN: whether AWS lets a processor be stopped that is STARTING. If not, a label detection ends by
            # itself, and a face search is stopped once it runs.
            status = await self.until(WaitCondition.STEADY)
            if status in STARTABLE:
                return status
        raise self.error("at rest", began)

    @property
    def is_lost(self) -> bool:
        """Whether the response to the last call was lost."""
        return isinstance(self.refusal, UnknownOutcomeError)

    async def call(self) -> bool:
        """Make the call once that is safe; false, after a pause, where another poll shows whether it is needed."""
        clock, is_applied = self.pipeline.clock, False
        if (seconds := self._safe_at - clock.now()) > 0:
            await clock.sleep(seconds)
            return False
        try:
            is_applied, self.refusal = await self.send(), None
        except ResourceInUseError as refusal:
            self.refusal = refusal
        except UnknownOutcomeError as refusal:
            if refusal.retry_safe_at is None or refusal is self.refusal:
                raise
            self.refusal = refusal
            self._safe_at = clock.now() + (refusal.retry_safe_at - clock.wall()).total_seconds()
        if not is_applied:
            await clock.sleep(_PAUSE * (0.75 + self.pipeline.random() / 4))
        return is_applied

    def error(self, wanted: str, began: float) -> RekostreamError:
        """Return the error after the last of the tries, the first of which began at that moment of the clock."""
        return self.refusal or contested_error(self.name, wanted, self.pipeline.clock.now() - began)


@attrs.define(eq=False, repr=False)
class _ClientTries(Tries, Generic[_RequestT, _ReplyT]):
    """Tries with DescribeStreamProcessor and calls of the client's own.

    Attributes:
        poller: polls while a status is waited for.
        operation: ``START``, ``STOP`` or ``CREATE``.
        request: its value.
        timeout: the longest wait for a status; see ``Poller.until``.
        reply: the answer to the call that was applied.
        is_applied: whether a call was.
    """

    poller: Poller
    operation: Operation[_RequestT, _ReplyT]
    request: _RequestT
    timeout: Duration | None
    reply: _ReplyT | None = attrs.field(default=None, init=False)
    is_applied: bool = attrs.field(default=False, init=False)
    _state: object = attrs.field(default=None, init=False)
    _state_at_call: object = attrs.field(default=None, init=False)

    async def describe(self) -> StreamProcessor:
        """Describe the processor."""
        return await self.pipeline.call(DESCRIBE, DescribeRequest(self.name))

    async def observe(self) -> Status:
        """See ``Tries``."""
        found = await self.describe()
        if isinstance(self.request, StartRequest) and found.kind not in {None, self.request.kind}:
            raise wrong_kind_error(self.request, found.kind)
        self._state = found.status, found.last_update_timestamp
        return found.status

    async def until(self, condition: WaitCondition) -> Status:
        """See ``Tries``."""
        return (await self.poller.until(condition, self.name, timeout=self.timeout)).status

    async def send(self) -> bool:
        """See ``Tries``."""
        is_start, is_changed = isinstance(self.request, StartRequest), self._state != self._state_at_call
        if isinstance(self.refusal, UnknownOutcomeError) and is_start and is_changed:
            raise self.refusal  # the lost start may have begun a session that is over
        self._state_at_call = self._state
        self.reply = await reconcile.call(self.pipeline, self.operation, self.request)
        self.is_applied = True
        return True


async def running(
    pipeline: Pipeline, poller: Poller, request: StartRequest, *, timeout: Duration | None = None
) -> EnsuredRunning:
    """Start a processor unless it runs. See ``Client.ensure_running``."""
    START.validate_request(request)
    tries = _ClientTries(pipeline, request.name, poller, START, request, timeout)
    status = await tries.running(request.kind)
    return EnsuredRunning(name=request.name, status=status, changed=tries.is_applied, session=tries.reply)


async def stopped(pipeline: Pipeline, poller: Poller, name: str, *, timeout: Duration | None = None) -> Ensured:
    """Stop a processor unless it is at rest, and wait for that. See ``Client.ensure_stopped``."""
    tries = _ClientTries(pipeline, name, poller, STOP, StopRequest(name), timeout)
    status = await tries.stopped()
    return Ensured(name=name, status=status, changed=tries.is_applied)


async def created(pipeline: Pipeline, poller: Poller, processor: Processor) -> EnsuredProcessor:
    """Create a processor unless it exists, and compare it otherwise. See ``Client.ensure_created``."""
    CREATE.validate_request(processor)
    tries = _ClientTries(pipeline, processor.name, poller, CREATE, processor, None)
    ensured = functools.partial(EnsuredProcessor, name=processor.name, processor=processor)
    began = pipeline.clock.now()
    for _ in range(_MAX_TRIES):
        try:
            found = await tries.describe()
            tags = (await pipeline.call(LIST_TAGS, ListTagsRequest(found.stream_processor_arn))).tags
        except ResourceNotFoundError:
            if await tries.call() and (new := tries.reply) is not None:
                return ensured(status=Status.STOPPED, changed=True, stream_processor_arn=new.stream_processor_arn)
        else:
            arn, differences = found.stream_processor_arn, drift(processor, found, tags)
            return ensured(status=found.status, changed=False, stream_processor_arn=arn, drift=differences)
    raise tries.error("there", began)
