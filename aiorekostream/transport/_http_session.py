"""Provide the HTTP session of the client: without redirects, and with a lean exchange over its connections."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

import aiohttp
import attrs
import multidict
import yarl
from aiohttp.http_exceptions import HttpProcessingError

from aiorekostream.errors import ConfigurationError
from aiorekostream.transport._tls_session import TlsSession
from aiorekostream.transport.attempts import CURRENT
from aiorekostream.transport.secrets import Secrets, without_userinfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp.abc import AbstractStreamWriter

    from aiorekostream.transport.attempts import Attempt

__all__ = ["Exchange", "HttpSession", "RawResponse"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_INTERIM = frozenset(range(100, 200)) - {101}  # 101 Switching Protocols ends the exchange
# The authority of an absolute URL without userinfo: nothing is shown of any other.
_LOCATION = re.compile(r"https?://(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?(?=[/?#]|$)")
_CEIL_THRESHOLD = 5  # seconds: aiohttp rounds longer timeouts up to whole seconds, so that they can share a wake-up


@attrs.frozen(eq=False, repr=False)
class RawResponse:
    """A response whose body was read."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Exchange(Protocol):
    """Send one POST to one URL and read the response."""

    async def __call__(self, fields: Sequence[tuple[str, str]], body: bytes, attempt: Attempt) -> RawResponse:
        """Send the headers, to which Host and Accept are added, and the body.

        Raises:
            ConfigurationError: the server redirects.
            aiohttp.ClientError: the request or its response was lost.
        """
        ...


@attrs.frozen(eq=False, repr=False)
class _Wire:
    """Write the request to a connection of the pool, without aiohttp's objects for a request and its response.

    They are 70 us of a call's CPU time, and this request needs none of what they are for: no cookies, no redirects, no
    compression, one small body. aiohttp connects, pools, parses the response and has the timeouts.
    """

    connector: aiohttp.BaseConnector
    timeout: aiohttp.ClientTimeout
    template: aiohttp.ClientRequest  # names the address and whether it has TLS
    first_line: str
    accept: str

    async def __call__(self, fields: Sequence[tuple[str, str]], body: bytes, attempt: Attempt) -> RawResponse:
        lines = [self.first_line, *(f"{name}: {value}" for name, value in fields), self.accept]
        head = "\r\n".join(lines)
        if not head.count("\r") == head.count("\n") == len(lines):
            raise ValueError("a header contains a control character")
        try:
            connection = await self.connector.connect(self.template, [], self.timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError(f"Connection timeout to host {self.template.url}") from error
        try:
            found = await self._converse(connection, f"{head}\r\n\r\n".encode() + body, attempt)
        except BaseException:
            connection.close()
            raise
        connection.release()
        return found

    async def _converse(self, connection: Any, request: bytes, attempt: Attempt) -> RawResponse:  # noqa: ANN401 - aiohttp's
        protocol = connection.protocol
        transport = protocol.transport
        if transport is None or transport.is_closing():
            raise aiohttp.ClientConnectionResetError("Cannot write to closing transport")
        protocol.set_response_params(
            read_until_eof=True,
            auto_decompress=False,
            read_timeout=self.timeout.sock_read,
            timeout_ceil_threshold=_CEIL_THRESHOLD,
        )
        attempt.goes_out()
        transport.write(request)
        protocol.start_timeout()
        try:
            while True:
                message, payload = await protocol.read()
                if message.code not in _INTERIM:
                    break
        except HttpProcessingError as error:
            raise aiohttp.ClientResponseError(
                self.template.request_info, (), status=error.code, message=error.message, headers=error.headers
            ) from error
        _refuse_redirect(message.code, message.headers, attempt.secrets)
        return RawResponse(message.code, message.headers, await payload.read())


class _Body(aiohttp.BytesPayload):
    """A body that marks the attempt as sent when it is written: aiohttp does so as soon as it has a connection.

    The head is buffered until then, so up to this moment not a byte was sent.
    """

    def __init__(self, body: bytes, attempt: Attempt) -> None:
        super().__init__(body)
        self._attempt = attempt

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        self._attempt.goes_out()
        await super().write_with_length(writer, content_length)


@attrs.frozen(eq=False, repr=False)
class _OneHop:
    """Send as an aiohttp session does, but never follow a redirect.

    aiohttp would turn the POST into a GET, send the session token to whatever host is named, and return that host's
    response as the service's own. botocore itself follows none.
    """

    session: aiohttp.ClientSession
    secrets: Secrets

    async def request(self, method: str, *, data: object, **arguments: Any) -> aiohttp.ClientResponse:  # noqa: ANN401
        attempt = CURRENT.get()
        if attempt is not None and isinstance(data, bytes):
            data = _Body(data, attempt)
        response = await self.session.request(method, data=data, allow_redirects=False, **arguments)
        try:
            _refuse_redirect(response.status, response.headers, self.secrets)
        except ConfigurationError:
            response.close()
            raise
        return response


@attrs.frozen(eq=False, repr=False)
class _Relayed:
    """Send with aiohttp's own request, which knows what a proxy needs."""

    session: _OneHop
    url: yarl.URL
    proxy: Mapping[str, object]

    async def __call__(self, fields: Sequence[tuple[str, str]], body: bytes, attempt: Attempt) -> RawResponse:
        del attempt  # the body marks it as sent
        headers = multidict.CIMultiDict(fields)
        response = await self.session.request("POST", url=self.url, headers=headers, data=body, **self.proxy)
        return RawResponse(response.status, response.headers, await response.read())


class HttpSession(TlsSession):
    """The HTTP session of Rekognition's client."""

    async def exchange(self, url: yarl.URL, host: str) -> Exchange:
        """Return the exchange for a URL.

        Args:
            url: the URL.
            host: the value of its header Host.

        Raises:
            AttributeError: the private members of aiohttp that are used are not as expected.
        """
        proxy = self._proxy_config.proxy_url_for(str(url))
        hop = cast("_OneHop", cast("object", await self._get_session(proxy)))
        if proxy is not None:
            headers = self._proxy_config.proxy_headers_for(str(url))
            return _Relayed(hop, url, {"proxy": proxy, "proxy_headers": headers})
        session = hop.session
        template = aiohttp.ClientRequest("POST", url, loop=asyncio.get_running_loop(), session=session)
        connector = session.connector
        if connector is None:
            raise AttributeError("the HTTP session has no connector")
        first_line = f"POST {url.raw_path_qs} HTTP/1.1\r\nHost: {host}"
        return _Wire(connector, session.timeout, template, first_line, "Accept: */*")

    async def _get_session(self, proxy_url: str | None) -> aiohttp.ClientSession:
        session = await super()._get_session(proxy_url)
        return cast("aiohttp.ClientSession", cast("object", _OneHop(session, self.secrets)))


def _refuse_redirect(status: int, headers: Mapping[str, str], secrets: Secrets) -> None:
    if status not in _REDIRECTS:
        return
    # Only scheme and host: the rest of the address may contain a password or a signature.
    location = without_userinfo(headers.get("Location", ""))
    named = None if "@" in location else _LOCATION.match(location)
    where = "" if named is None else f" to {secrets.clean(named[0])}"
    raise ConfigurationError(
        f"the endpoint redirects{where} (HTTP {status}), which AWS never does: check the endpoint, and the proxies and"
        " load balancers before it"
    )
