"""The HTTP session of the client: aiobotocore's, without redirects, and without TLS where the endpoint has none."""

from __future__ import annotations

import asyncio
import inspect
import re
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import urlsplit

import aiohttp
import attrs
import multidict
import yarl
from aiobotocore.httpsession import AIOHTTPSession
from aiohttp.http_exceptions import HttpProcessingError
from botocore.httpsession import get_cert_path

from aiorekostream.errors import ConfigurationError
from aiorekostream.transport.attempts import CURRENT
from aiorekostream.transport.secrets import Secrets, without_userinfo

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from aiohttp.abc import AbstractStreamWriter

    from aiorekostream.transport.attempts import Attempt

__all__ = ["Exchange", "HttpSession", "RawResponse"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SCHEMES = frozenset({"http", "https"})
# botocore puts http:// before a proxy with any other scheme.
_PREFIXED = re.compile(r"^http://(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_SWITCHING_PROTOCOLS, _FIRST_FINAL = 101, 200
_CEIL_THRESHOLD = 5  # seconds: aiohttp rounds longer timeouts up to whole seconds, so that they can share a wake-up


@attrs.frozen
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


@attrs.frozen(eq=False)
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
                if message.code >= _FIRST_FINAL or message.code == _SWITCHING_PROTOCOLS:
                    break
        except HttpProcessingError as error:
            raise aiohttp.ClientResponseError(
                self.template.request_info, (), status=error.code, message=error.message, headers=error.headers
            ) from error
        _refuse_redirect(message.code, message.headers)
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


@attrs.frozen(eq=False)
class _OneHop:
    """Send as an aiohttp session does, but never follow a redirect.

    aiohttp would turn the POST into a GET, send the session token to whatever host is named, and return that host's
    response as the service's own. botocore itself follows none.
    """

    session: aiohttp.ClientSession

    async def request(self, method: str, *, data: object, **arguments: Any) -> aiohttp.ClientResponse:  # noqa: ANN401
        attempt = CURRENT.get()
        if attempt is not None and isinstance(data, bytes):
            data = _Body(data, attempt)
        response = await self.session.request(method, data=data, allow_redirects=False, **arguments)
        try:
            _refuse_redirect(response.status, response.headers)
        except ConfigurationError:
            response.close()
            raise
        return response


@attrs.frozen(eq=False)
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


class HttpSession(AIOHTTPSession):
    """aiobotocore's HTTP session, opened before the first call.

    Attributes:
        secrets: what must not appear in errors and logs.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - aiobotocore's
        super().__init__(*arguments, **options)
        self.secrets = Secrets()
        self._is_plain = False

    @classmethod
    def of(cls, session: AIOHTTPSession) -> Self:
        """Return an HTTP session in place of another one that is open.

        aiobotocore 3.0 forgets ``http_session_cls`` where the session has a default configuration of its own.
        """
        if isinstance(session, cls):
            return session
        found = cls()
        vars(found).update(vars(session))
        return found

    @property
    def ca_bundle(self) -> str | None:
        """The path of the CA bundle of the configuration; ``None`` for the default one."""
        return self._verify if isinstance(self._verify, str) else None

    async def open(self, url: str) -> None:
        """Create the connector for the endpoint, and its TLS context unless neither it nor its proxy needs one.

        Raises:
            ConfigurationError: the URL of the proxy is invalid.
            OSError: the CA bundle cannot be read; an ``ssl.SSLError`` if it holds no certificate.
        """
        proxy = self._proxy_config.proxy_url_for(url)
        schemes = [urlsplit(url).scheme]
        if proxy is not None:
            self.secrets.add_url(proxy)
            schemes.append(_proxy_scheme(proxy))
        self._is_plain = "https" not in schemes
        await self._get_session(proxy)

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

    def _get_ssl_context(self) -> ssl.SSLContext:
        context = super()._get_ssl_context()
        if self._verify:
            context.check_hostname = True  # aiobotocore 3.0 leaves it to urllib3, which is not there
        return context

    async def _get_session(self, proxy_url: str | None) -> aiohttp.ClientSession:
        # aiobotocore 3.0 would create the TLS context on the event loop, and one that trusts every certificate for the
        # tunnel of a proxy without settings of its own.
        is_ours = self._is_plain or not inspect.iscoroutinefunction(self._create_connector)
        if is_ours and proxy_url not in self._sessions:
            await self._create_session(proxy_url)
        session = await super()._get_session(proxy_url)
        return cast("aiohttp.ClientSession", cast("object", _OneHop(session)))

    async def _create_session(self, proxy_url: str | None) -> None:
        context = True if self._is_plain else await asyncio.to_thread(self._tls_context, proxy_url)
        if proxy_url in self._sessions:  # another call was quicker
            return
        self._sessions[proxy_url] = session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._max_pool_connections, ssl=context, **self._connector_args),
            timeout=self._timeout,
            skip_auto_headers={"CONTENT-TYPE"},
            auto_decompress=False,
        )
        await self._exit_stack.enter_async_context(session)

    def _tls_context(self, proxy_url: str | None) -> ssl.SSLContext:
        """Return the TLS context of the endpoint, and of its proxy."""
        context = None if proxy_url is None else self._setup_proxy_ssl_context(proxy_url)
        context = context or self._get_ssl_context()
        if self._verify:
            authorities = get_cert_path(self._verify)
            if authorities:
                context.load_verify_locations(authorities)
        else:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self._cert_file:
            context.load_cert_chain(self._cert_file, self._key_file)
        return context


def _refuse_redirect(status: int, headers: Mapping[str, str]) -> None:
    if status not in _REDIRECTS:
        return
    named = urlsplit(headers.get("Location", ""))
    # Only scheme and host: the rest of the address may contain a password or a signature.
    where = f" to {named.scheme}://{named.netloc.rpartition('@')[2]}" if named.netloc else ""
    raise ConfigurationError(
        f"the endpoint redirects{where} (HTTP {status}), which AWS never does: check the endpoint, and the proxies and"
        " load balancers before it"
    )


def _proxy_scheme(proxy: str) -> str:
    """Return the scheme of a proxy's URL.

    Raises:
        ConfigurationError: the URL has another scheme than http or https, or no valid port.
    """
    proxy = _PREFIXED.sub("", proxy)
    try:
        parts = urlsplit(proxy)
        _ = parts.port
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in _SCHEMES or not parts.hostname:
        raise ConfigurationError(
            f"the proxy {without_userinfo(proxy)!r} cannot be used: set HTTPS_PROXY or HTTP_PROXY, or the proxies of"
            " the AWS config, to http://HOST:PORT or https://HOST:PORT, or exclude the endpoint with NO_PROXY"
        )
    return parts.scheme
