"""Serve Rekognition: apply the injected faults, execute the operation, record the call and respond."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import attrs

from aiorekostream.clock import SystemClock, TimerHandle
from aiorekostream.emulator.call_log import CallLog, RecordedCall
from aiorekostream.emulator.clocks import EmulatorClock
from aiorekostream.emulator.fault_script import FaultScript
from aiorekostream.emulator.faults import (
    ErrorResponse,
    Hang,
    Latency,
    MalformedResponse,
    ResetAfter,
    ServerError,
    Throttle,
)
from aiorekostream.emulator.http.dispatch import Plane
from aiorekostream.emulator.http.operations import Dispatcher
from aiorekostream.emulator.http.pump import ResultPump
from aiorekostream.emulator.http.wire import HttpResponse, encode
from aiorekostream.emulator.world.answers import Refusal, RefusedError, Success
from aiorekostream.emulator.world.quotas import SLOW_DOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorekostream.emulator.faults import Fault
    from aiorekostream.emulator.http.operations import ParsedRequest
    from aiorekostream.emulator.http.wire import HttpRequest, RequestHead
    from aiorekostream.emulator.world.answers import OperationResult

__all__ = ["RekognitionPlane"]

# Bytes of delayed requests whose callers have gone, each with its body and a kilobyte of its own: several thousand
# requests of the usual size. Further ones are dropped, so that callers that leave cannot exhaust the memory.
_MAX_ABANDONED_BYTES = 8 * 1024 * 1024
_ABANDONED_OVERHEAD = 1024


@attrs.define(kw_only=True)
class RekognitionPlane(Plane):
    """Serve the API of Rekognition's stream processors.

    Attributes:
        dispatcher: parses requests and executes operations.
        clock: the emulator's clock.
        fault_script: the pending faults.
        call_log: the recorded calls.
        pump: makes results when they are due.
    """

    dispatcher: Dispatcher
    clock: EmulatorClock
    fault_script: FaultScript
    call_log: CallLog
    pump: ResultPump
    _abandoned: dict[str, TimerHandle] = attrs.field(factory=dict, init=False)
    _abandoned_bytes: int = attrs.field(default=0, init=False)
    _is_closed: bool = attrs.field(default=False, init=False)

    def accepts(self, head: RequestHead) -> bool:
        """Return True: this API refuses the requests that no API on the port serves."""
        del head
        return True

    def refuse(self, refusal: Refusal, request_id: str) -> HttpResponse:
        """See ``Plane.refuse``."""
        return self._record(RecordedCall(at=self.clock.now(), request_id=request_id), refusal)

    def close(self) -> None:
        """Drop the delayed requests; they are not executed."""
        self._is_closed = True
        while self._abandoned:
            self._abandoned.popitem()[1].cancel()

    async def respond(self, request: HttpRequest) -> HttpResponse:
        """See ``Plane.respond``."""
        call = RecordedCall(at=self.clock.now(), request_id=request.request_id)
        try:
            parsed = self.dispatcher.parse(request)
        except RefusedError as error:
            return self._record(call, error.refusal)
        faults = self.fault_script.match(parsed.operation, parsed.name)
        call = attrs.evolve(
            call,
            operation=parsed.operation,
            name=parsed.name,
            account=parsed.caller.account,
            region=parsed.caller.region,
            faults=faults,
        )
        await self._delay(request, parsed, call)
        return await self._apply(_response_fault(faults), request, parsed, call)

    async def _delay(self, request: HttpRequest, parsed: ParsedRequest, call: RecordedCall) -> None:
        """Wait for the latencies of a request.

        A request whose caller leaves meanwhile is executed when it is due, without a task that waits for it: a service
        may act after its client has stopped listening.

        Raises:
            ConnectionAbortedError: the emulator closes, or the caller leaves.
        """
        seconds = sum(fault.seconds for fault in call.faults if isinstance(fault, Latency))
        if not seconds:
            return
        clock = SystemClock()
        due_at = clock.now() + seconds
        if not await request.connection.wait_until_lost(seconds):
            return
        size = len(request.body) + _ABANDONED_OVERHEAD
        if not self._is_closed and self._abandoned_bytes + size <= _MAX_ABANDONED_BYTES:
            self._abandoned_bytes += size
            execute = functools.partial(self._execute_abandoned, parsed, call, size)
            self._abandoned[call.request_id] = clock.call_at(due_at, execute)
        raise ConnectionAbortedError("the connection ended before the request was due")

    def _execute_abandoned(self, parsed: ParsedRequest, call: RecordedCall, size: int) -> None:
        del self._abandoned[call.request_id]
        self._abandoned_bytes -= size
        self._record(self._execute(call, parsed) if _executes(_response_fault(call.faults)) else call, None)

    async def _apply(
        self, fault: Fault | None, request: HttpRequest, parsed: ParsedRequest, call: RecordedCall
    ) -> HttpResponse:
        if fault is None:
            result = self._result(parsed)
            return self._record(_with_outcome(call, result), result)
        if _executes(fault):
            call = self._execute(call, parsed)
        match fault:
            case Throttle(status=status):
                message = SLOW_DOWN.message if status < 500 else "Service Unavailable"  # noqa: PLR2004
                return self._record(call, Refusal(SLOW_DOWN.code, message, status))
            case ErrorResponse(code=code, message=message, status=status):
                return self._record(call, Refusal(code, message, status))
            case ServerError(status=status, html=True):
                self._record(call, None, status=status)
                page = f"<html><body><h1>{status} Service Unavailable</h1></body></html>"
                return HttpResponse(status, page.encode(), "text/html")
            case ServerError(status=status, code=code):
                return self._record(call, Refusal(code, "Internal server error", status))
            case MalformedResponse(body=body):
                self._record(call, None, status=200)
                return HttpResponse(200, body.encode(errors="replace"))
            case Hang():
                self._record(call, None)
                await request.connection.wait_until_lost()
            case _:
                self._record(call, None)
        raise request.connection.reset()

    def _execute(self, call: RecordedCall, parsed: ParsedRequest) -> RecordedCall:
        return _with_outcome(call, self._result(parsed))

    def _result(self, parsed: ParsedRequest) -> OperationResult:
        result = self.dispatcher.execute(parsed, self.clock.now())
        self.pump.reschedule()
        return result

    def _record(self, call: RecordedCall, result: OperationResult | None, *, status: int | None = None) -> HttpResponse:
        """Record a call with its result, and return the encoded response."""
        code = result.code if isinstance(result, Refusal) else None
        response = HttpResponse(status or 0, b"") if result is None else encode(result, call.request_id)
        self.call_log.add(attrs.evolve(call, status=response.status or None, code=code))
        return response


def _response_fault(faults: Sequence[Fault]) -> Fault | None:
    """Return the fault that decides about the response; a latency does not."""
    return next((fault for fault in faults if not isinstance(fault, Latency)), None)


def _executes(fault: Fault | None) -> bool:
    """Return whether the operation of a request is executed."""
    match fault:
        case None | ResetAfter() | ServerError(done=True) | MalformedResponse(done=True) | Hang(done=True):
            return True
        case _:
            return False


def _with_outcome(call: RecordedCall, result: OperationResult) -> RecordedCall:
    if isinstance(result, Success):
        return attrs.evolve(call, done=True, session_id=result.session_id)
    return call
