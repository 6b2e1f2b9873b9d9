"""Take starts or stops, send each when the scheduler chooses it, and give it its true outcome."""

import abc
import asyncio
import logging
import math
from typing import TypeVar

from aiorekostream.client import Client
from aiorekostream.domain.requests import DescribeRequest, StartRequest
from aiorekostream.domain.responses import StreamProcessor
from aiorekostream.errors import (
    CallError,
    RekostreamError,
    RequestCancelledError,
    ServiceError,
    copy_error,
)
from aiorekostream.fleet.events import FleetEvent, FleetEventType
from aiorekostream.fleet.options import FleetOptions
from aiorekostream.fleet.outcomes import Failed, Outcome, Started, Unknown
from aiorekostream.fleet.queue import QueuedRequest, RequestQueue, RequestState
from aiorekostream.fleet.scheduler import Scheduler
from aiorekostream.fleet.sessions import SessionEnd
from aiorekostream.fleet.slots import SessionSlots
from aiorekostream.operations import DESCRIBE
from aiorekostream.pipeline import CallTrace, unknown_error
from aiorekostream.rate_limiting.port import Permit
from aiorekostream.retry.classify import is_throttling

__all__ = ["Executor"]

_RequestT = TypeVar("_RequestT", bound=StartRequest | str)
_log = logging.getLogger("aiorekostream")

_BROKEN_OFF = "the program broke the call off while it was under way"
_NOT_AWAITED = "the program did not wait for the outcome of the call that it shares"


class Executor(Scheduler[_RequestT]):
    """Carry out the requests of one operation for all runs of a fleet.

    Args:
        options: the fleet's.
        operation: AWS's name of the operation.
        queue: the requests.
        slots: the fleet's sessions.
    """

    client: Client
    slots: SessionSlots

    def __init__(
        self, options: FleetOptions, operation: str, queue: RequestQueue[_RequestT], slots: SessionSlots
    ) -> None:
        super().__init__(options.client.pipeline, operation, queue, max_in_flight=options.max_in_flight)
        self._options = options
        self.client = options.client
        self.slots = slots
        queue.on_complete = self._on_complete

    # --------------------------------------------------------------------------------------------------------- requests

    def add(self, request: QueuedRequest[_RequestT]) -> None:
        """Take a request; its callback gets its outcome.

        Raises:
            ConfigurationError: another event loop, which is not closed, has requests.
        """
        self._enter_loop()
        self._requests.add(request, self._pipeline.clock.now())
        if self._options.on_event is not None and request.state is not RequestState.COMPLETED:
            request.trace.on_event = lambda event: self.notify(FleetEventType(event), request.name)
            self.notify(FleetEventType.QUEUED, request.name)
        self._changed()

    async def run(self, request: QueuedRequest[_RequestT]) -> Outcome:
        """Take a request, and return its outcome. A cancellation cancels the request, and does not wait for a call."""
        completed: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def on_complete(_: QueuedRequest[_RequestT], outcome: Outcome) -> None:
            if not completed.done() and not completed.get_loop().is_closed():
                completed.set_result(outcome)

        request.on_complete = on_complete
        self.add(request)
        try:
            return await completed
        except asyncio.CancelledError:
            self._requests.withdraw(request)
            self.cancel(request)
            raise

    def cancel(self, request: QueuedRequest[_RequestT]) -> None:
        """Cancel a request. A call that was sent gets its true outcome; one that was not is interrupted.

        A request that shares the call of another gets the outcome of that call.
        """
        self._requests.cancel(request)
        if request.state is RequestState.DISPATCHED and not request.trace.may_be_applied:
            self.abort(request)
        self._changed()

    def abort(self, request: QueuedRequest[_RequestT]) -> None:
        """See ``Scheduler``."""
        if request.state is RequestState.DISPATCHED:
            request.trace.send_by = -math.inf  # nothing is sent after its outcome
            self._abandon(request)
            outcome: Outcome = request.cancellation()
            if request.trace.may_be_applied:
                outcome = self._unknown(request, request.trace, _BROKEN_OFF)
            self._requests.complete(request, outcome, self._pipeline.clock.now())
        else:
            shared: Outcome | None = None
            if (call := self._requests.shared_call(request)) is not None and call.trace.may_be_applied:
                shared = self._unknown(request, call.trace, _NOT_AWAITED)
            self._requests.withdraw(request, shared)
        self._changed()

    async def aclose(self) -> None:
        """Cancel every request, and wait for the outcomes of those in flight; requests that come later go on."""
        self._enter_loop()
        for request in self._requests.requests():
            self.cancel(request)
        await self._join()

    # ------------------------------------------------------------------------------------------------------------ calls

    async def _send(self, request: QueuedRequest[_RequestT], permit: Permit | None) -> None:
        """See ``Scheduler``."""
        try:
            outcome = await self._call(request, permit)
        except asyncio.CancelledError:
            self.abort(request)  # by a program that cancels every task
            raise
        except RekostreamError as error:
            goes_back = request.state is RequestState.DISPATCHED and self._goes_back(request, error, permit)
            outcome = None if goes_back else self._outcome_of(request, error)
        except Exception as error:  # noqa: BLE001 - an error in one call must not harm the other requests
            _log.exception("%s of %s failed in an unexpected way", self._operation, request.name)
            outcome = Failed(request.request, error)
            if request.trace.may_be_applied:
                outcome = self._unknown(request, request.trace, f"the call failed in an unexpected way: {error!r}")
                outcome.error.__cause__ = error
        if outcome is not None and request.state is RequestState.DISPATCHED:
            self._requests.complete(request, outcome, self._pipeline.clock.now())
        del outcome  # its error's traceback refers to this frame, and a cycle is freed late
        self._changed()

    @abc.abstractmethod
    async def _call(self, request: QueuedRequest[_RequestT], permit: Permit | None) -> Outcome | None:
        """Make the call of a request, and return its outcome.

        Returns:
            The outcome; ``None`` where the request was put back in the queue.

        Raises:
            RekostreamError: the call was refused or lost.
        """

    def _outcome_of(self, request: QueuedRequest[_RequestT], error: RekostreamError) -> Outcome:
        """Return the outcome of a request whose call has failed for good."""
        is_unknown = isinstance(error, CallError) and not error.retry_safe
        return (Unknown if is_unknown else Failed)(request.request, error)

    def _goes_back(self, request: QueuedRequest[_RequestT], error: RekostreamError, permit: Permit | None) -> bool:
        """Put a request that was certainly not applied back in the queue, where that may help."""
        pipeline, trace = self._pipeline, request.trace
        if trace.lost or not is_throttling(error) or trace.attempts >= pipeline.retry.max_attempts:
            return False
        delay = error.retry_after if isinstance(error, ServiceError) else 0.0
        if permit is None:  # where there is a rate limiter, it knows better
            delay = max(delay, pipeline.retry.delay(trace.attempts, pipeline.random()))
        self._requests.requeue(request, pipeline.clock.now(), delay=delay)
        if request.state is not RequestState.COMPLETED:
            self.notify(FleetEventType.RETRIED, request.name)
        return True

    def _unknown(self, request: QueuedRequest[_RequestT], trace: CallTrace, reason: str) -> Unknown[_RequestT]:
        """Return the outcome of a request whose call the service may have applied, and which is not reconciled."""
        clock, policy = self._pipeline.clock, self._pipeline.retry
        return Unknown(request.request, unknown_error(self._operation, trace, reason, clock=clock, policy=policy))

    async def _describe(self, name: str, *, within: float | None = None) -> StreamProcessor | None:
        """Describe a processor; ``None`` where the service does not show it within so many seconds."""
        try:
            return await self._pipeline.call(DESCRIBE, DescribeRequest(name), within=within)
        except RekostreamError as error:
            _log.debug("could not describe %s: %r", name, error)
        except Exception:  # noqa: BLE001 - the transport and the rate limiter may be the user's code
            _log.exception("describing %s failed in an unexpected way", name)
        return None

    def _on_failure(self, error: BaseException) -> None:
        """See ``Scheduler``."""
        if not isinstance(error, RekostreamError | asyncio.CancelledError):
            _log.error("the scheduler failed in an unexpected way", exc_info=error)
        # Each request gets an error of its own, with its own notes and traceback.
        self._requests.fail_queued(
            lambda it: copy_error(error) if isinstance(error, Exception) else RequestCancelledError(name=it.name)
        )
        self._changed()

    # ----------------------------------------------------------------------------------------------------------- events

    def _on_complete(self, request: QueuedRequest[_RequestT], outcome: Outcome) -> None:
        kind = FleetEventType.STARTED if isinstance(outcome, Started) else FleetEventType.COMPLETED
        self.notify(kind, request.name, outcome)

    def notify(
        self,
        kind: FleetEventType,
        name: str,
        outcome: Outcome | None = None,
        session_end: SessionEnd | None = None,
    ) -> None:
        """Report an event; an exception that the listener raises is logged and goes no further."""
        if (listener := self._options.on_event) is not None:
            queue = self._requests
            event = FleetEvent(
                type=kind,
                name=name,
                queued=queue.queued,
                in_flight=queue.in_flight,
                running=len(self.slots),
                outcome=outcome,
                session_end=session_end,
            )
            try:
                listener(event)
            except (Exception, asyncio.CancelledError):  # noqa: BLE001 - the user's code: no request may fail for it
                _log.exception("on_event failed at %s of %s", kind, name)
