"""Bring many processors to a state: poll, start or stop what is not in it, and wait, for each request on its own."""

import abc
import asyncio
import functools
import logging
from typing import Generic, TypeVar, cast

import attrs

from aiorekostream.client.wait_conditions import WaitCondition
from aiorekostream.client.wait_errors import contested_error, wrong_kind_error
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.requests import StartRequest
from aiorekostream.domain.status import ACTIVE, STARTABLE, WITHOUT_SESSION, Status
from aiorekostream.errors import (
    RekostreamError,
    ResourceInUseError,
    StreamProcessorFailedError,
)
from aiorekostream.fleet.events import FleetEventType
from aiorekostream.fleet.executor import Executor
from aiorekostream.fleet.outcomes import AlreadyRunning, AlreadyStopped, Failed, Outcome, Started, Stopped
from aiorekostream.fleet.queue import QueuedRequest
from aiorekostream.fleet.sessions import SessionEnd
from aiorekostream.fleet.starting import Starter

__all__ = ["EnsureRunning", "EnsureStopped", "Ensurer"]

_RequestT = TypeVar("_RequestT", bound=StartRequest | str)
_log = logging.getLogger("aiorekostream")

# Another client that starts and stops the same processor could keep a request busy without end.
_MAX_TRIES = 5
# Seconds until a processor is polled again that the service finds in use, at most; a quarter is jitter. It is more
# than the second for which a poll may show the status from before.
_PAUSE = 1.5


@attrs.define(eq=False)
class Ensurer(abc.ABC, Generic[_RequestT]):
    """Carry out the requests of one run, in place of the executor that makes its calls.

    Attributes:
        executor: makes the calls.
        starter: knows the sessions, and the client that polls.
        timeout: the longest wait for a status, in seconds; ``None`` for the defaults of the poller.
    """

    executor: Executor[_RequestT]
    starter: Starter
    timeout: float | None
    _tasks: dict[QueuedRequest[_RequestT], asyncio.Task[Outcome]] = attrs.field(factory=dict, init=False)

    def add(self, request: QueuedRequest[_RequestT]) -> None:
        """See ``Executor.add``."""
        task = self._tasks[request] = asyncio.get_running_loop().create_task(self._outcome(request))
        task.add_done_callback(functools.partial(self._on_done, request))

    def cancel(self, request: QueuedRequest[_RequestT]) -> None:
        """See ``Executor.run``: a call that was sent is not waited for."""
        self._tasks[request].cancel()

    def abort(self, request: QueuedRequest[_RequestT]) -> None:
        """See ``cancel``."""
        self.cancel(request)

    def notify(self, kind: FleetEventType, name: str, outcome: Outcome) -> None:
        """See ``Executor.notify``."""
        self.executor.notify(kind, name, outcome)

    async def _outcome(self, request: QueuedRequest[_RequestT]) -> Outcome:
        try:
            return await self._ensure(request)
        except RekostreamError as error:
            return Failed(request.request, error)
        except Exception as error:  # noqa: BLE001 - an error of one processor must not harm the others
            _log.exception("%s could not be brought to its state", request.name)
            return Failed(request.request, error)

    def _on_done(self, request: QueuedRequest[_RequestT], task: asyncio.Task[Outcome]) -> None:
        del self._tasks[request]
        outcome = request.cancellation() if task.cancelled() else task.result()
        # attrs.evolve takes no union
        request.on_complete(request, attrs.evolve(cast("Failed[StartRequest | str]", outcome), tag=request.tag))

    @abc.abstractmethod
    async def _ensure(self, request: QueuedRequest[_RequestT]) -> Outcome:
        """Bring the processor of a request to its state, and return the outcome."""

    async def _until(self, condition: WaitCondition, name: str) -> Status:
        """Wait for a condition, and record the end of the session where one is seen."""
        slot = self.starter.slots.get(name)
        status = (await self.starter.client.poller.until(condition, name, timeout=self.timeout)).status
        if status in WITHOUT_SESSION:
            self.starter.session_ended(SessionEnd(name, status), slot)
        return status


class EnsureRunning(Ensurer[StartRequest]):
    """See ``Fleet.ensure_running``."""

    async def _ensure(self, request: QueuedRequest[StartRequest]) -> Outcome:
        start, pipeline, status = request.request, self.starter.client.pipeline, None
        began = pipeline.clock.now()
        for _ in range(_MAX_TRIES):
            status = await self.starter.observe(start.name, start.kind)
            if status in ACTIVE:
                break
            if status is not None and status not in STARTABLE:
                await self._until(WaitCondition.STEADY, start.name)
                continue
            outcome = await self.executor.run(attrs.evolve(request, when_busy="share"))
            if isinstance(outcome, Started):
                await self._check(start, Status.STARTING)
            if not isinstance(outcome, AlreadyRunning):
                return outcome
            # Another client was quicker, or the processor is ending: a later poll shows which.
            await pipeline.clock.sleep(_PAUSE * (0.75 + pipeline.random() / 4))
        else:
            if status is not None:
                raise contested_error(start.name, "running", pipeline.clock.now() - began)
        await self._check(start, status)
        return AlreadyRunning(start)

    async def _check(self, start: StartRequest, status: Status | None) -> None:
        """Wait until a face search runs. A label detection works as long as it is STARTING."""
        if start.kind is ProcessorKind.LABEL_DETECTION:
            if status is Status.RUNNING:
                raise wrong_kind_error(start, ProcessorKind.FACE_SEARCH)
        elif status is not Status.RUNNING:
            try:
                await self._until(WaitCondition.RUNNING, start.name)
            except StreamProcessorFailedError:
                await self.starter.observe(start.name, None, shown_after=0)  # to record that its session has ended
                raise


class EnsureStopped(Ensurer[str]):
    """See ``Fleet.ensure_stopped``."""

    async def _ensure(self, request: QueuedRequest[str]) -> Outcome:
        name, clock = request.name, self.starter.client.pipeline.clock
        began = clock.now()
        outcome: Outcome = AlreadyStopped(name)
        status = await self.starter.observe(name, None)
        if status in STARTABLE:
            return outcome
        for _ in range(_MAX_TRIES):
            if status is None or status in ACTIVE:
                outcome = await self.executor.run(QueuedRequest(name, name=name))
                is_refused = isinstance(outcome, Failed) and isinstance(outcome.error, ResourceInUseError)
                if not is_refused and not isinstance(outcome, Stopped | AlreadyStopped):
                    return outcome
            # UNCERTAIN: whether AWS lets a processor be stopped that is STARTING. A face search is stopped once it
            # runs, and a label detection ends by itself.
            status = await self._until(WaitCondition.STEADY, name)
            if status in STARTABLE:
                return outcome if isinstance(outcome, Stopped) else AlreadyStopped(name)
        if isinstance(outcome, Failed):
            return outcome
        raise contested_error(name, "at rest", clock.now() - began)
