"""Open and close the HTTP server: sockets and connections, without knowledge of Rekognition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from aiohttp import web

from aiorekostream.emulator.http_limits import HttpServer
from aiorekostream.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Listener"]

# Connections that wait to be accepted; tests open hundreds at once.
_BACKLOG = 1024
# Seconds for requests in progress. Requests that a fault delays have been ended before the server closes.
_SHUTDOWN = 0.1


@attrs.define
class Listener:
    """Listen on one address.

    Attributes:
        host: the address.
        port: the port in use, also if port 0 was requested.
    """

    host: str
    port: int
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
        runner = web.ServerRunner(HttpServer(handle), shutdown_timeout=_SHUTDOWN)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port, backlog=_BACKLOG).start()
        except (OSError, OverflowError) as error:
            await runner.cleanup()
            raise ConfigurationError(f"cannot listen on {host}:{port}: {error}") from error
        return cls(host, int(runner.addresses[0][1]), runner)

    @property
    def url(self) -> str:
        """The URL, without a trailing slash."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def aclose(self) -> None:
        """Stop listening and close every connection."""
        await self._runner.cleanup()
