"""An HTTP session that follows no redirect, and notes when a request goes out.

aiobotocore leaves following them to aiohttp, which turns the POST into a GET, takes the session token along to whatever
host is named, and lets its answer pass for the service's own. botocore itself follows none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast
from urllib.parse import urlsplit

import aiohttp
import attrs
from aiobotocore.httpsession import AIOHTTPSession
from aiohttp.connector import Connection as AiohttpConnection
from aiohttp.tracing import Trace

from aiorekostream.errors import ConfigurationError
from aiorekostream.transport.attempts import CURRENT

__all__ = ["DirectSession"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@attrs.frozen
class _Direct:
    """Sends as an aiohttp session does, and refuses to go elsewhere. (A trace hook would cost a tenth of a call.)."""

    session: aiohttp.ClientSession

    async def request(self, method: str, **arguments: object) -> aiohttp.ClientResponse:
        response = await self.session.request(method, allow_redirects=False, **arguments)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        if response.status not in _REDIRECTS:
            return response
        response.close()
        named = urlsplit(response.headers.get("Location", ""))
        # Of the address, what may be shown: it may carry a password or a signature.
        where = f" to {named.scheme}://{named.netloc.rpartition('@')[2]}" if named.netloc else ""
        raise ConfigurationError(
            f"what answers at this address redirects{where} (HTTP {response.status}), which AWS never does:"
            " look at the endpoint, and at what stands before it"
        )


@attrs.frozen
class _Noting:
    """Connects as an aiohttp connector does, and notes when that has come about: up to then nothing was sent."""

    connect: Callable[[aiohttp.ClientRequest, list[Trace], aiohttp.ClientTimeout], Awaitable[AiohttpConnection]]

    async def __call__(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's
    ) -> AiohttpConnection:
        connection = await self.connect(req, traces, timeout)
        if (attempt := CURRENT.get()) is not None:
            attempt.found_connection()
        return connection


class DirectSession(AIOHTTPSession):
    """Refuses before a redirect is followed."""

    async def _get_session(self, proxy_url: str | None) -> aiohttp.ClientSession:
        session = await super()._get_session(proxy_url)
        connector = session.connector
        if connector is not None and not isinstance(connector.connect, _Noting):
            connector.connect = _Noting(connector.connect)  # type: ignore[method-assign]
        return cast("aiohttp.ClientSession", cast("object", _Direct(session)))
