"""Limit the size and the duration of HTTP requests, and respond to malformed ones in AWS's error format."""

from __future__ import annotations

import asyncio
import email.utils
import logging
import uuid
from typing import TYPE_CHECKING

from aiohttp import http_exceptions, web

from aiorekostream.clock import SystemClock
from aiorekostream.emulator.answers import INTERNAL_FAILURE, Refusal, refuse
from aiorekostream.emulator.wire import encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiorekostream.emulator.wire import HttpResponse

__all__ = ["HttpConnection", "HttpServer", "read_body", "respond"]

_LOGGER = logging.getLogger("aiorekostream.emulator")
_ACCESS_LOGGER = logging.getLogger("aiorekostream.emulator.access")

# Largest accepted body. The emulator's own choice: a request of this API needs a few kilobytes.
_MAX_BODY_BYTES = 1024 * 1024
# A larger body is read and discarded up to here: a server that closes with unread input resets the connection, and the
# caller loses the 413.
_MAX_DRAINED_BYTES = 64 * 1024 * 1024
# Real seconds for the whole body; the emulator's own choice.
_BODY_TIMEOUT = 30

_TOO_LARGE = Refusal("RequestEntityTooLargeException", f"The request is larger than {_MAX_BODY_BYTES} bytes.", 413)
_TOO_SLOW = Refusal("RequestTimeoutException", f"The request did not arrive within {_BODY_TIMEOUT} seconds.", 408)


def malformed(detail: str) -> Refusal:
    """Return the refusal of input that is not valid HTTP."""
    return Refusal("MalformedHttpRequestException", detail, 400)


def respond(response: HttpResponse, request_id: str, *, at: float | None = None, last: bool = False) -> web.Response:
    """Build the HTTP response.

    Args:
        response: the status, the body and its type.
        request_id: the request id for ``x-amzn-RequestId``.
        at: the time for the ``Date`` header, in epoch seconds; the system time if not given.
        last: whether to close the connection after the response.
    """
    outgoing = web.Response(
        status=response.status,
        body=response.body,
        headers={"Content-Type": response.content_type, "x-amzn-RequestId": request_id},
    )
    if at is not None:
        outgoing.headers["Date"] = email.utils.formatdate(at, usegmt=True)
    if last:
        outgoing.force_close()
    return outgoing


async def read_body(request: web.BaseRequest) -> bytes:
    """Read the whole body. A body above the limit is drained up to 64 MiB, so that the caller receives the refusal.

    Raises:
        RefusedError: the body is too large, too slow or malformed.
        ConnectionError: the caller disconnected.
    """
    if (request.content_length or 0) > _MAX_DRAINED_BYTES:
        raise refuse(_TOO_LARGE)
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
                if size <= _MAX_BODY_BYTES:
                    chunks.append(chunk)
    except TimeoutError:
        raise refuse(_TOO_SLOW) from None
    except (web.RequestPayloadError, http_exceptions.HttpProcessingError):
        raise refuse(malformed("The body is broken.")) from None
    if size > _MAX_BODY_BYTES:
        raise refuse(_TOO_LARGE)
    return b"".join(chunks)


class HttpConnection(web.RequestHandler):
    """Serve one connection, and respond in AWS's error format even to input that is not HTTP."""

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
        return respond(encode(refusal, request_id), request_id, last=True)


class HttpServer(web.Server):
    """Create an ``HttpConnection`` for each connection."""

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        super().__init__(handler)

    def __call__(self) -> HttpConnection:
        """Create the handler of a new connection."""
        # The access logger writes only at level INFO. Without decompression the size limits apply to the bytes that
        # arrive, and a compressed body is refused as invalid JSON.
        loop = asyncio.get_running_loop()
        return HttpConnection(self, loop=loop, access_log=_ACCESS_LOGGER, lingering_time=0, auto_decompress=False)
