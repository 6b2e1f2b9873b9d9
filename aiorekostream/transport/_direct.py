"""An HTTP session that follows no redirect.

aiobotocore leaves following them to aiohttp, which turns the POST into a GET, takes the session token along to whatever
host is named, and lets its answer pass for the service's own. botocore itself follows none.
"""

from __future__ import annotations

from typing import cast
from urllib.parse import urlsplit

import aiohttp
import attrs
from aiobotocore.httpsession import AIOHTTPSession

from aiorekostream.errors import ConfigurationError

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


class DirectSession(AIOHTTPSession):
    """Refuses before a redirect is followed."""

    async def _get_session(self, proxy_url: str | None) -> aiohttp.ClientSession:
        return cast("aiohttp.ClientSession", cast("object", _Direct(await super()._get_session(proxy_url))))
