"""Queue calls that find every connection in use, until they have a permit and a free connection at the same moment."""

import asyncio
import collections
from collections.abc import Awaitable, Callable, Mapping

import attrs

from aiorekostream.rate_limiting.port import Permit
from aiorekostream.transport.port import Transport

__all__ = ["ConnectionQueue"]


@attrs.frozen
class ConnectionQueue:
    """Queue the calls of each operation, first come, first served.

    Only the first call of an operation waits for a free connection and a permit. No permit ages while its call waits
    for a connection: a permit that finds none is given back. The waiting call does not take the connection before it
    has its permit, so it keeps no connection from calls of other operations.
    """

    _locks: Mapping[str, asyncio.Lock] = attrs.field(
        factory=lambda: collections.defaultdict(asyncio.Lock), init=False, repr=False
    )

    async def acquire(
        self, operation: str, transport: Transport, acquire: Callable[[], Awaitable[Permit | None]]
    ) -> Permit | None:
        """Return a permit at a moment at which a connection is free.

        Args:
            operation: AWS's name of the operation.
            transport: has the connections.
            acquire: waits for a permit; ``None`` where the operation is not limited.

        Raises:
            RekostreamError: the transport cannot be opened, or ``acquire`` raised it.
        """
        async with self._locks[operation]:
            while True:
                await transport.ready()
                permit = await acquire()
                if permit is None or transport.is_ready:
                    return permit
                permit.cancel()
