"""Answer every request alike after a delay, with as little work as possible.

Where only the speed of a client is measured, the service must not be the bottleneck; the emulator would be.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

__all__ = ["stub_server"]

_BODY = b'{"SessionId":"0c3f2f3e-7a60-4b6b-9a55-8a2f9d6d1d5b"}'
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nx-amzn-RequestId: 6f1c8e9c-0d57-4e8b-9f2b-1f5d0e5f6a77\r\n"
    b"Content-Type: application/x-amz-json-1.1\r\nContent-Length: %d\r\n\r\n%b"
) % (len(_BODY), _BODY)


class _StubProtocol(asyncio.Protocol):
    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, rest = self._received.partition(b"\r\n\r\n")
        if blank and len(rest) >= int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]):
            self._received = b""
            asyncio.get_running_loop().call_later(self._latency, self._transport.write, _ANSWER)


@contextlib.asynccontextmanager
async def stub_server(latency: float) -> AsyncGenerator[str]:
    """Listen on a free port, and yield the URL.

    Args:
        latency: the delay of each answer, in seconds.
    """
    server = await asyncio.get_running_loop().create_server(lambda: _StubProtocol(latency), "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
