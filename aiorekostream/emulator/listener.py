"""An HTTP server that is opened and closed: sockets and connections, and nothing of Rekognition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from aiohttp import web

from aiorekostream.emulator.http_limits import Server
from aiorekostream.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Listener"]

_BACKLOG = 1024
_SHUTDOWN = 0.1  # seconds for what is under way: everything that waits on purpose has been told to end by then


@attrs.define
class Listener:
    """Listens on one address.

    Attributes:
        host: the address.
        port: the port; that which was taken, if 0 was asked for.
    """

    host: str
    port: int
    _runner: web.ServerRunner

    @classmethod
    async def open(
        cls, host: str, port: int, handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
    ) -> Listener:
        """Listen, and let requests be handled.

        Raises:
            ConfigurationError: the address cannot be had.
        """
        runner = web.ServerRunner(Server(handle), shutdown_timeout=_SHUTDOWN)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port, backlog=_BACKLOG).start()
        except (OSError, OverflowError) as error:
            await runner.cleanup()
            raise ConfigurationError(f"cannot listen on {host}:{port}: {error}") from error
        return cls(host, int(runner.addresses[0][1]), runner)

    @property
    def url(self) -> str:
        """The URL, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def aclose(self) -> None:
        """Stop listening and close every connection."""
        await self._runner.cleanup()
