"""The HTTP session of every client that the package opens: aiobotocore's, with its TLS context created beforehand."""

from __future__ import annotations

import asyncio
import inspect
import re
import ssl
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
from aiobotocore.httpsession import AIOHTTPSession
from botocore.httpsession import get_cert_path

from aiorekostream.errors import ConfigurationError
from aiorekostream.transport.secrets import Secrets, without_userinfo

if TYPE_CHECKING:
    from typing import Self

    from aiobotocore.client import AioBaseClient

__all__ = ["TlsSession"]

_SCHEMES = frozenset({"http", "https"})
# botocore puts http:// before a proxy with any other scheme.
_PREFIXED = r"^http://(?=[A-Za-z][A-Za-z0-9+.-]*://)"


class TlsSession(AIOHTTPSession):
    """aiobotocore's HTTP session, opened before the first call.

    Attributes:
        secrets: what must not appear in errors and logs.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - aiobotocore's
        super().__init__(*arguments, **options)
        self.secrets = Secrets()
        self._is_plain = False

    @classmethod
    async def install(cls, client: AioBaseClient, secrets: Secrets) -> Self:
        """Give a client that was just created a session of this class, open to the client's endpoint.

        aiobotocore 3.0 forgets ``http_session_cls`` where the session has a default configuration of its own.

        Args:
            client: the client; it closes the session.
            secrets: receives the password of the proxy.

        Raises:
            ConfigurationError: the URL of the proxy is invalid, or the CA bundle cannot be used.
        """
        endpoint = attrgetter("_endpoint")(client)
        present: AIOHTTPSession = endpoint.http_session
        if isinstance(present, cls):
            found = present
        else:
            found = endpoint.http_session = cls()
            vars(found).update(vars(present))
        found.secrets = secrets
        try:
            await found._open(client.meta.endpoint_url)
        except OSError as error:  # an ssl.SSLError is one
            bundle = found._verify
            if not isinstance(bundle, str):
                raise
            problem = await asyncio.to_thread(_problem, bundle)
            raise ConfigurationError(
                f"the CA bundle {bundle} {problem}: check AWS_CA_BUNDLE and ca_bundle of the AWS profile"
            ) from error
        return found

    async def _open(self, url: str) -> None:
        """Create the connector for the endpoint, and its TLS context unless neither it nor its proxy needs one."""
        proxy = self._proxy_config.proxy_url_for(url)
        schemes = [urlsplit(url).scheme]
        if proxy is not None:
            self.secrets.add_url(proxy)
            schemes.append(_proxy_scheme(proxy))
        self._is_plain = "https" not in schemes
        await self._get_session(proxy)

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
        return await super()._get_session(proxy_url)

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


def _problem(bundle: str) -> str:
    """Return what is wrong with a CA bundle that was not loaded.

    The type of the error does not tell: where OpenSSL fails, Python raises a plain ``OSError`` if any system call left
    an ``errno``, also one of which OpenSSL recovered. See ``load_verify_locations`` in CPython's ``Modules/_ssl.c``.
    """
    try:
        with Path(bundle).open("rb") as file:
            file.read(1)
    except (FileNotFoundError, NotADirectoryError):
        return "does not exist"
    except OSError:
        return "cannot be read"
    return "holds no certificate"


def _proxy_scheme(proxy: str) -> str:
    """Return the scheme of a proxy's URL.

    Raises:
        ConfigurationError: the URL has another scheme than http or https, or no valid port.
    """
    proxy = re.sub(_PREFIXED, "", proxy)
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
