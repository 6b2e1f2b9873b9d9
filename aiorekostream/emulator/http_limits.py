"""Reading HTTP requests that may be anything: too large, cut off, or no HTTP at all."""

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

    from aiorekostream.emulator.wire import Reply

__all__ = ["Protocol", "Server", "read_body", "respond"]

_LOGGER = logging.getLogger("aiorekostream.emulator")
_ACCESS_LOGGER = logging.getLogger("aiorekostream.emulator.access")

_LARGEST = 1024 * 1024
_PATIENCE = 64 * 1024 * 1024
_SECONDS = 30

_TOO_LARGE = Refusal("RequestEntityTooLargeException", f"The request is larger than {_LARGEST} bytes.", 413)
_TOO_SLOW = Refusal("RequestTimeoutException", f"The request did not arrive within {_SECONDS} seconds.", 408)


def malformed(detail: str) -> Refusal:
    """What came is no HTTP request."""
    return Refusal("MalformedHttpRequestException", detail, 400)


def respond(reply: Reply, request_id: str, *, at: float | None = None, last: bool = False) -> web.Response:
    """The HTTP response, dated by the emulator's clock if told the time; the last of its connection if so told."""
    response = web.Response(
        status=reply.status,
        body=reply.body,
        headers={"Content-Type": reply.content_type, "x-amzn-RequestId": request_id},
    )
    if at is not None:
        response.headers["Date"] = email.utils.formatdate(at, usegmt=True)
    if last:
        response.force_close()
    return response


async def read_body(request: web.BaseRequest) -> bytes:
    """The whole body, or a refusal. What is too large is read to its end if that is near, so that the refusal arrives.

    Raises:
        RefusedError: it is too large, too slow or broken.
        ConnectionError: the caller has gone away.
    """
    if (request.content_length or 0) > _PATIENCE:
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
        async with clock.timeout_at(clock.now() + _SECONDS):
            while not request.content.at_eof() and size <= _PATIENCE:
                chunk = await request.content.readany()
                size += len(chunk)
                if size <= _LARGEST:
                    chunks.append(chunk)
    except TimeoutError:
        raise refuse(_TOO_SLOW) from None
    except (web.RequestPayloadError, http_exceptions.HttpProcessingError):
        raise refuse(malformed("The body is broken.")) from None
    if size > _LARGEST:
        raise refuse(_TOO_LARGE)
    return b"".join(chunks)


class Protocol(web.RequestHandler):
    """One connection, which answers in AWS's words even to what is no HTTP."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what the parser refused. A connection that is already broken stays so."""
        if isinstance(exc, ConnectionError) or request.writer.output_size > 0:
            raise ConnectionError("the connection is broken") from exc
        request_id = str(uuid.uuid4())
        if status < 500:  # noqa: PLR2004
            _LOGGER.debug("not an HTTP request from %s: %s", request.remote, message)
            refusal = malformed("The request is not well-formed HTTP.")
        else:
            _LOGGER.error("the emulator failed at request %s", request_id, exc_info=exc)
            refusal = INTERNAL_FAILURE
        return respond(encode(refusal, request_id), request_id, last=True)


class Server(web.Server):
    """An HTTP server of such connections."""

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        super().__init__(handler)

    def __call__(self) -> Protocol:
        """One connection."""
        # The access log says something only where the level of this logger is INFO; a compressed body stays as it is.
        loop = asyncio.get_running_loop()
        return Protocol(self, loop=loop, access_log=_ACCESS_LOGGER, lingering_time=0, auto_decompress=False)
