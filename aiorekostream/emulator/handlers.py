"""From an HTTP request to its response: plays the scripted faults around what the desk decides, and records it."""

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
from aiorekostream.emulator.call_log import Call
from aiorekostream.emulator.control import Control
from aiorekostream.emulator.dispatcher import Dispatcher, Incoming
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
from aiorekostream.emulator.wire import Reply, encode

if TYPE_CHECKING:
    from aiohttp import web

    from aiorekostream.emulator.answers import Answer
    from aiorekostream.emulator.dispatcher import ParsedRequest
    from aiorekostream.emulator.faults import Fault

__all__ = ["Handlers"]

_LOGGER = logging.getLogger("aiorekostream.emulator")
_ABORT_AT_ONCE = struct.pack("ii", 1, 0)


@attrs.define(kw_only=True)
class Handlers:
    """Answers every HTTP request.

    Attributes:
        engine: the world and what is around it.
        desk: decides.
        control: answers what is below ``/_emulator/``.
        new_id: makes the ids of requests.
        closing: set when the emulator closes, so that nothing waits any longer.
    """

    engine: Engine
    desk: Dispatcher
    control: Control
    new_id: Callable[[], str]
    closing: asyncio.Event

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request, whatever it is."""
        request_id = self.new_id()
        try:
            body = await read_body(request)
        except RefusedError as error:
            self._note(Call(at=self.engine.clock.now(), request_id=request_id), error.refusal)
            return respond(encode(error.refusal, request_id), request_id, last=True)
        try:
            if self.control.owns(request.path):
                return self.control.answer(request, body)
            return respond(await self._reply(request, body, request_id), request_id, at=self.engine.clock.now())
        except ConnectionError:
            raise
        except Exception:
            _LOGGER.exception("the emulator failed at request %s", request_id)
            return respond(encode(INTERNAL_FAILURE, request_id), request_id)

    async def _reply(self, request: web.BaseRequest, body: bytes, request_id: str) -> Reply:
        call = Call(at=self.engine.clock.now(), request_id=request_id)
        incoming = Incoming(
            method=request.method,
            path=request.path_qs,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=body,
            wall=SystemClock().wall(),
        )
        try:
            order = self.desk.read(incoming)
        except RefusedError as error:
            return self._note(call, error.refusal)
        faults = self.engine.script.match(order.operation, order.name)
        call = attrs.evolve(
            call,
            operation=order.operation,
            name=order.name,
            account=order.caller.account,
            region=order.caller.region,
            faults=faults,
        )
        decisive: Fault | None = None
        for fault in faults:
            if isinstance(fault, Latency):
                await self._wait(fault.seconds)
            else:
                decisive = fault
        return await self._play(decisive, request, order, call)

    async def _play(self, fault: Fault | None, request: web.BaseRequest, order: ParsedRequest, call: Call) -> Reply:
        match fault:
            case Throttle(status=status):
                message = SLOW_DOWN.message if status < 500 else "Service Unavailable"  # noqa: PLR2004
                return self._note(call, Refusal(SLOW_DOWN.code, message, status))
            case ErrorResponse(code=code, message=message, status=status):
                return self._note(call, Refusal(code, message, status))
            case ServerError():
                return self._server_error(fault, order, call)
            case MalformedResponse(body=body, done=done):
                self._note(self._done(call, order) if done else call, None, status=200)
                return Reply(200, body.encode(errors="replace"))
            case ResetBefore() | ResetAfter():
                self._note(self._done(call, order) if isinstance(fault, ResetAfter) else call, None)
                raise _reset(request)
            case Hang(done=done):
                self._note(self._done(call, order) if done else call, None)
                await self.closing.wait()
                raise _reset(request)
            case _:
                answer = self.desk.carry_out(order, self.engine.clock.now())
                return self._note(_marked(call, answer), answer)

    def _server_error(self, fault: ServerError, order: ParsedRequest, call: Call) -> Reply:
        call = self._done(call, order) if fault.done else call
        if fault.html:
            self._note(call, None, status=fault.status)
            page = f"<html><body><h1>{fault.status} Service Unavailable</h1></body></html>"
            return Reply(fault.status, page.encode(), "text/html")
        return self._note(call, Refusal(fault.code, "Internal server error", fault.status))

    def _done(self, call: Call, order: ParsedRequest) -> Call:
        return _marked(call, self.desk.carry_out(order, self.engine.clock.now()))

    def _note(self, call: Call, answer: Answer | None, *, status: int | None = None) -> Reply:
        """Put a call on the record with what is answered, and make that ready to be sent."""
        code = answer.code if isinstance(answer, Refusal) else None
        reply = Reply(status or 0, b"") if answer is None else encode(answer, call.request_id)
        self.engine.record.add(attrs.evolve(call, status=reply.status or None, code=code))
        return reply

    async def _wait(self, seconds: float) -> None:
        """Let real time pass; when the emulator closes meanwhile, the caller is left without an answer."""
        clock = SystemClock()
        try:
            async with clock.timeout_at(clock.now() + seconds):
                await self.closing.wait()
        except TimeoutError:
            return
        raise ConnectionAbortedError("the emulator closes")


def _marked(call: Call, answer: Answer) -> Call:
    if isinstance(answer, Success):
        return attrs.evolve(call, done=True, session_id=answer.session_id)
    return call


def _reset(request: web.BaseRequest) -> ConnectionResetError:
    """Reset the connection, so that the caller sees it break rather than end; the error ends the handler."""
    transport = request.transport
    if transport is not None:
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT_AT_ONCE)
        transport.abort()
    return ConnectionResetError("scripted")
