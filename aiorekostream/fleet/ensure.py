"""Bring many processors to a state: poll, start or stop what is not in it, and wait, for each request on its own."""

import asyncio
import functools
import logging
from typing import Generic, TypeVar, cast

import attrs

from aiorekostream.client.ensure import Tries
from aiorekostream.client.wait_conditions import WaitCondition
from aiorekostream.client.wait_errors import wrong_kind_error
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.requests import LabelDetectionStart, StartRequest
from aiorekostream.domain.status import WITHOUT_SESSION, Status
from aiorekostream.errors import (
    RekostreamError,
    ResourceInUseError,
    StreamProcessorFailedError,
    UnknownOutcomeError,
)
from aiorekostream.fleet.events import FleetEventType
from aiorekostream.fleet.executor import Executor
from aiorekostream.fleet.outcomes import AlreadyRunning, AlreadyStopped, Failed, Outcome, Started, Stopped, Unknown
from aiorekostream.fleet.queue import QueuedRequest
from aiorekostream.fleet.sessions import SessionEnd
from aiorekostream.fleet.starting import Starter

__all__ = ["Ensurer"]

_RequestT = TypeVar("_RequestT", bound=StartRequest | str)
_log = logging.getLogger("aiorekostream")


@attrs.define(eq=False)
class Ensurer(Generic[_RequestT]):
    """Bring processors to run, or to rest, in place of the executor that makes the calls of a run.

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
        item, tries = request.request, _FleetTries(self.starter.client.pipeline, request.name, self, request)
        try:
            if isinstance(item, str):
                await tries.stopped()
                return tries.outcome or AlreadyStopped(item)
            await tries.running(item.kind)
            return tries.outcome or AlreadyRunning(item)
        except _FinalOutcome as final:
            return final.outcome
        except UnknownOutcomeError as error:
            return Unknown(item, error)
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


@attrs.define(eq=False, repr=False)
class _FleetTries(Tries, Generic[_RequestT]):
    """Tries with the polls and the executor that all requests of the fleet share.

    Attributes:
        ensurer: has the executor, the poller, and the sessions that the fleet knows.
        request: the request.
        outcome: that of the last call which was applied; ``None`` where none was.
    """

    ensurer: Ensurer[_RequestT]
    request: QueuedRequest[_RequestT]
    outcome: Outcome | None = attrs.field(default=None, init=False)

    async def observe(self) -> Status | None:
        """See ``Tries``. A lost call that no poll can explain is unknown for good."""
        start, kind = self.request.request, self.request.kind
        status = await self.ensurer.starter.observe(self.name, kind)
        if status is None and self.refusal is not None and self.is_lost:
            raise self.refusal
        if isinstance(start, LabelDetectionStart) and status is Status.RUNNING:
            raise wrong_kind_error(start, ProcessorKind.FACE_SEARCH)
        return status

    async def send(self) -> bool:
        """See ``Tries``. An unknown start is not sent again: shared polls do not show whether it began a session."""
        outcome = await self.ensurer.executor.run(attrs.evolve(self.request, when_busy="share"))
        match outcome:
            case Started() | Stopped():
                self.outcome = outcome
            case AlreadyStopped() | AlreadyRunning():
                pass
            case Failed(_, ResourceInUseError() as error) | Unknown(str(), UnknownOutcomeError() as error):
                raise error
            case _:
                raise _FinalOutcome(outcome)
        return not isinstance(outcome, AlreadyRunning)

    async def until(self, condition: WaitCondition) -> Status:
        """See ``Tries``. The end of the session is recorded where one is seen."""
        starter, name = self.ensurer.starter, self.name
        slot = starter.slots.get(name)
        try:
            status = (await starter.client.poller.until(condition, name, timeout=self.ensurer.timeout)).status
        except StreamProcessorFailedError:
            await starter.observe(name, None, shown_after=0)
            raise
        if status in WITHOUT_SESSION:
            starter.session_ended(SessionEnd(name, status), slot)
        return status


class _FinalOutcome(Exception):  # noqa: N818 - it is no error
    """The outcome of a call after which no other try is made."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome
