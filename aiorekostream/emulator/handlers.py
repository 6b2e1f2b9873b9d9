"""Handle HTTP requests: apply the injected faults, dispatch the operation, record the call and respond."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from aiorekostream.clock import SystemClock
from aiorekostream.emulator.answers import INTERNAL_FAILURE, Refusal, RefusedError, Success
from aiorekostream.emulator.call_log import RecordedCall
from aiorekostream.emulator.control import Control
from aiorekostream.emulator.dispatcher import Dispatcher, HttpRequest
from aiorekostream.emulator.engine import Engine
from aiorekostream.emulator.faults import (
    ErrorResponse,
    Hang,
    Latency,
    MalformedResponse,
    ResetAfter,
    ResetBefore,
    ServerError,
    Throttle,
)
from aiorekostream.emulator.http_limits import read_body, respond
from aiorekostream.emulator.quotas import SLOW_DOWN
from aiorekostream.emulator.wire import HttpResponse, encode

if TYPE_CHECKING:
    from aiohttp import web

    from aiorekostream.emulator.answers import OperationResult
    from aiorekostream.emulator.dispatcher import ParsedRequest
    from aiorekostream.emulator.faults import Fault

__all__ = ["Handlers"]

_LOGGER = logging.getLogger("aiorekostream.emulator")
# SO_LINGER on, with a timeout of 0 seconds: close() then sends RST instead of FIN. See socket(7).
_LINGER_ZERO = struct.pack("ii", 1, 0)


@attrs.define(kw_only=True)
class Handlers:
    """Handle every HTTP request of the emulator.

    Attributes:
        engine: the emulated state, the fault script and the call log.
        dispatcher: parses requests and executes operations.
        control: serves the endpoints below ``/_emulator/``.
        new_id: generates request ids.
        closing: set when the emulator closes; ends the requests that a fault delays.
    """

    engine: Engine
    dispatcher: Dispatcher
    control: Control
    new_id: Callable[[], str]
    closing: asyncio.Event

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Respond to an HTTP request.

        Raises:
            ConnectionError: an injected fault reset the connection, or the caller disconnected.
        """
        request_id = self.new_id()
        try:
            body = await read_body(request)
        except RefusedError as error:
            self._record(RecordedCall(at=self.engine.clock.now(), request_id=request_id), error.refusal)
            return respond(encode(error.refusal, request_id), request_id, last=True)
        try:
            if self.control.handles(request.path):
                return self.control.handle(request, body)
            return respond(await self._respond(request, body, request_id), request_id, at=self.engine.clock.now())
        except ConnectionError:
            raise
        except Exception:
            _LOGGER.exception("the emulator failed to handle request %s", request_id)
            return respond(encode(INTERNAL_FAILURE, request_id), request_id)

    async def _respond(self, request: web.BaseRequest, body: bytes, request_id: str) -> HttpResponse:
        call = RecordedCall(at=self.engine.clock.now(), request_id=request_id)
        http_request = HttpRequest(
            method=request.method,
            path=request.path_qs,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=body,
            wall=SystemClock().wall(),
        )
        try:
            parsed = self.dispatcher.parse(http_request)
        except RefusedError as error:
            return self._record(call, error.refusal)
        faults = self.engine.fault_script.match(parsed.operation, parsed.name)
        call = attrs.evolve(
            call,
            operation=parsed.operation,
            name=parsed.name,
            account=parsed.caller.account,
            region=parsed.caller.region,
            faults=faults,
        )
        response_fault: Fault | None = None
        for fault in faults:
            if isinstance(fault, Latency):
                await self._wait(fault.seconds)
            else:
                response_fault = fault
        return await self._apply(response_fault, request, parsed, call)

    async def _apply(
        self, fault: Fault | None, request: web.BaseRequest, parsed: ParsedRequest, call: RecordedCall
    ) -> HttpResponse:
        match fault:
            case Throttle(status=status):
                message = SLOW_DOWN.message if status < 500 else "Service Unavailable"  # noqa: PLR2004
                return self._record(call, Refusal(SLOW_DOWN.code, message, status))
            case ErrorResponse(code=code, message=message, status=status):
                return self._record(call, Refusal(code, message, status))
            case ServerError():
                return self._server_error(fault, parsed, call)
            case MalformedResponse(body=body, done=done):
                self._record(self._execute(call, parsed) if done else call, None, status=200)
                return HttpResponse(200, body.encode(errors="replace"))
            case ResetBefore() | ResetAfter():
                self._record(self._execute(call, parsed) if isinstance(fault, ResetAfter) else call, None)
                raise _reset(request)
            case Hang(done=done):
                self._record(self._execute(call, parsed) if done else call, None)
                await self.closing.wait()
                raise _reset(request)
            case _:
                result = self.dispatcher.execute(parsed, self.engine.clock.now())
                return self._record(_with_outcome(call, result), result)

    def _server_error(self, fault: ServerError, parsed: ParsedRequest, call: RecordedCall) -> HttpResponse:
        call = self._execute(call, parsed) if fault.done else call
        if fault.html:
            self._record(call, None, status=fault.status)
            page = f"<html><body><h1>{fault.status} Service Unavailable</h1></body></html>"
            return HttpResponse(fault.status, page.encode(), "text/html")
        return self._record(call, Refusal(fault.code, "Internal server error", fault.status))

    def _execute(self, call: RecordedCall, parsed: ParsedRequest) -> RecordedCall:
        return _with_outcome(call, self.dispatcher.execute(parsed, self.engine.clock.now()))

    def _record(self, call: RecordedCall, result: OperationResult | None, *, status: int | None = None) -> HttpResponse:
        """Record a call with its result, and return the encoded response."""
        code = result.code if isinstance(result, Refusal) else None
        response = HttpResponse(status or 0, b"") if result is None else encode(result, call.request_id)
        self.engine.call_log.add(attrs.evolve(call, status=response.status or None, code=code))
        return response

    async def _wait(self, seconds: float) -> None:
        """Wait in real time.

        Raises:
            ConnectionAbortedError: the emulator closes first.
        """
        clock = SystemClock()
        try:
            async with clock.timeout_at(clock.now() + seconds):
                await self.closing.wait()
        except TimeoutError:
            return
        raise ConnectionAbortedError("the emulator is closing")


def _with_outcome(call: RecordedCall, result: OperationResult) -> RecordedCall:
    if isinstance(result, Success):
        return attrs.evolve(call, done=True, session_id=result.session_id)
    return call


def _reset(request: web.BaseRequest) -> ConnectionResetError:
    """Send RST to the caller, and return the error that ends the handler."""
    transport = request.transport
    if transport is not None:
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        transport.abort()
    return ConnectionResetError("reset by an injected fault")
