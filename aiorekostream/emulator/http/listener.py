"""Open and close the HTTP server: sockets, connections, and the limits of requests. Knows no API."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
import uuid
from typing import TYPE_CHECKING, cast

import attrs
from aiohttp import http_exceptions, web

from aiorekostream.clock import SystemClock
from aiorekostream.emulator.http.wire import HttpResponse, encode, malformed
from aiorekostream.emulator.world.answers import INTERNAL_FAILURE, Refusal, refuse
from aiorekostream.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiorekostream.clock import TimerHandle

__all__ = ["MAX_BODY_BYTES", "HttpConnection", "HttpServer", "Listener", "read_body", "to_aiohttp"]

_LOGGER = logging.getLogger("aiorekostream.emulator")
_ACCESS_LOGGER = logging.getLogger("aiorekostream.emulator.access")

# Connections that wait to be accepted; tests open hundreds at once.
_BACKLOG = 1024
# Seconds for requests in progress. Requests that a fault delays have been ended before the server closes.
_SHUTDOWN = 0.1
# SO_LINGER on, with a timeout of 0 seconds: close() then sends RST instead of FIN. See socket(7).
_LINGER_ZERO = struct.pack("ii", 1, 0)

MAX_BODY_BYTES = 1024 * 1024
"""Largest accepted body of most APIs. The emulator's own choice: their requests need a few kilobytes."""
# A larger body is read and discarded up to here: a server that closes with unread input resets the connection, and the
# caller loses the 413.
_MAX_DRAINED_BYTES = 64 * 1024 * 1024
# Real seconds for the whole body; the emulator's own choice.
_BODY_TIMEOUT = 30
# Real seconds for the head of a request, from the connection or from the first byte after the previous request.
_HEAD_TIMEOUT = 30

_TOO_SLOW = Refusal("RequestTimeoutException", f"The request did not arrive within {_BODY_TIMEOUT} seconds.", 408)
_TOO_SLOW_STATUS_LINE = b"HTTP/1.1 408 Request Timeout"


def to_aiohttp(response: HttpResponse, request_id: str, *, last: bool = False) -> web.Response:
    """Build the HTTP response.

    Args:
        response: the status, the body, its type and further headers.
        request_id: the request id for ``x-amzn-RequestId``.
        last: whether to close the connection after the response.
    """
    headers = {"Content-Type": response.content_type, "x-amzn-RequestId": request_id, **response.headers}
    outgoing = web.Response(status=response.status, body=response.body, headers=headers)
    if last:
        outgoing.force_close()
    return outgoing


async def read_body(request: web.BaseRequest, most: int) -> bytes:
    """Read the whole body. A body above the limit is drained up to 64 MiB, so that the caller receives the refusal.

    Args:
        request: the request.
        most: the limit in bytes.

    Raises:
        RefusedError: the body is too large, too slow or malformed.
        ConnectionError: the caller disconnected.
    """
    too_large = Refusal("RequestEntityTooLargeException", f"The request is larger than {most} bytes.", 413)
    if (request.content_length or 0) > _MAX_DRAINED_BYTES:
        raise refuse(too_large)
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    if not request.can_read_body:
        return b""
    clock = SystemClock()
    chunks: list[bytes] = []
    size = 0
    try:
        async with clock.timeout_at(clock.now() + _BODY_TIMEOUT):
            while not request.content.at_eof() and size <= _MAX_DRAINED_BYTES:
                chunk = await request.content.readany()
                size += len(chunk)
                if size <= most:
                    chunks.append(chunk)
    except TimeoutError:
        raise refuse(_TOO_SLOW) from None
    except (web.RequestPayloadError, http_exceptions.HttpProcessingError):
        raise refuse(malformed("The body is broken.")) from None
    if size > most:
        raise refuse(too_large)
    return b"".join(chunks)


class HttpConnection(web.RequestHandler):
    """Serve one connection, and respond in AWS's error format even to input that is not HTTP."""

    def __init__(self, manager: web.Server, *, loop: asyncio.AbstractEventLoop) -> None:
        # The access logger writes only at level INFO. Without decompression the size limits apply to the bytes that
        # arrive, and a compressed body is refused as invalid JSON.
        super().__init__(manager, loop=loop, access_log=_ACCESS_LOGGER, lingering_time=0, auto_decompress=False)
        self._lost = asyncio.Event()
        self._lost_callbacks: set[Callable[[], None]] = set()
        self._has_received = False
        self._head_timer: TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start to wait for the head of the first request."""
        super().connection_made(transport)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        """Read, and start or stop to wait for the rest of a head."""
        self._has_received = True
        super().data_received(data)
        self._watch_head()

    def _watch_head(self) -> None:
        # aiohttp limits only the size of a head. It counts a request once its head is complete, and waits while it has
        # none to serve.
        is_complete = self._request_count > 0 and (self._waiter is None or self._waiter.done())
        if is_complete and self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        elif not is_complete and self._head_timer is None:
            clock = SystemClock()
            self._head_timer = clock.call_at(clock.now() + _HEAD_TIMEOUT, self._end_unfinished)

    def _end_unfinished(self) -> None:
        """Refuse the request whose head did not arrive in time; close a connection that sent nothing."""
        if self.transport is not None and self._has_received:
            response = encode(_TOO_SLOW, str(uuid.uuid4()))
            fields = (b"Content-Type: %s" % response.content_type.encode(), b"Content-Length: %d" % len(response.body))
            head = (_TOO_SLOW_STATUS_LINE, *fields, b"Connection: close", b"", b"")
            self.transport.write(b"\r\n".join(head) + response.body)
        self.force_close()

    @property
    def peer(self) -> str:
        """See ``CallerConnection.peer``."""
        address = self.transport.get_extra_info("peername") if self.transport is not None else None
        return str(cast("tuple[object, ...]", address)[0]) if isinstance(address, tuple) else ""

    async def wait_until_lost(self, seconds: float | None = None) -> bool:
        """See ``CallerConnection.wait_until_lost``."""
        if seconds is None:
            return await self._lost.wait()
        clock = SystemClock()
        with contextlib.suppress(TimeoutError):
            async with clock.timeout_at(clock.now() + seconds):
                return await self._lost.wait()
        return False

    @property
    def is_lost(self) -> bool:
        """See ``CallerConnection.is_lost``."""
        return self._lost.is_set()

    def on_lost(self, callback: Callable[[], None]) -> Callable[[], None]:
        """See ``CallerConnection.on_lost``."""
        if self._lost.is_set():
            return asyncio.get_running_loop().call_soon(callback).cancel
        self._lost_callbacks.add(callback)
        return lambda: self._lost_callbacks.discard(callback)

    def reset(self) -> ConnectionResetError:
        """See ``CallerConnection.reset``."""
        if self.transport is not None:
            sock = self.transport.get_extra_info("socket")
            if sock is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
            self.transport.abort()
        return ConnectionResetError("reset by an injected fault")

    def end_waiting(self) -> None:
        """End the requests that wait for the end of the connection, because the emulator closes."""
        self._lost.set()
        for callback in tuple(self._lost_callbacks):
            callback()

    def connection_lost(self, exc: BaseException | None) -> None:
        """End the requests that wait: their caller has gone."""
        self.end_waiting()
        if self._head_timer is not None:
            self._head_timer.cancel()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Respond to input that the parser rejected.

        Raises:
            ConnectionError: the connection is broken, or part of a response has been sent.
        """
        if isinstance(exc, ConnectionError) or request.writer.output_size > 0:
            raise ConnectionError("the connection is broken") from exc
        request_id = str(uuid.uuid4())
        if status < 500:  # noqa: PLR2004
            _LOGGER.debug("not an HTTP request from %s: %s", request.remote, message)
            refusal = malformed("The request is not well-formed HTTP.")
        else:
            _LOGGER.error("the emulator failed to handle request %s", request_id, exc_info=exc)
            refusal = INTERNAL_FAILURE
        return to_aiohttp(encode(refusal, request_id), request_id, last=True)


class HttpServer(web.Server):
    """Create an ``HttpConnection`` for each connection."""

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        super().__init__(handler)

    def __call__(self) -> HttpConnection:
        """Create the handler of a new connection."""
        return HttpConnection(self, loop=asyncio.get_running_loop())


@attrs.define
class Listener:
    """Listen on one address.

    Attributes:
        host: the address.
        port: the port in use, also if port 0 was requested.
    """

    host: str
    port: int
    _server: HttpServer
    _runner: web.ServerRunner

    @classmethod
    async def open(
        cls, host: str, port: int, handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
    ) -> Listener:
        """Start to listen.

        Args:
            host: the address.
            port: the port; 0 selects a free one.
            handle: handles a request.

        Raises:
            ConfigurationError: the address is unavailable.
        """
        server = HttpServer(handle)
        runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port, backlog=_BACKLOG).start()
        except (OSError, OverflowError) as error:
            await runner.cleanup()
            raise ConfigurationError(f"cannot listen on {host}:{port}: {error}") from error
        return cls(host, int(runner.addresses[0][1]), server, runner)

    @property
    def url(self) -> str:
        """The URL, without a trailing slash."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def aclose(self) -> None:
        """Stop listening and close every connection."""
        for connection in self._server.connections:
            if isinstance(connection, HttpConnection):
                connection.end_waiting()
        await self._runner.cleanup()
