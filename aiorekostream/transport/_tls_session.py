"""Provide the HTTP session of every client of the package: aiobotocore's, whose TLS context is created beforehand."""

from __future__ import annotations

import asyncio
import inspect
import os
import re
import ssl
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
import attrs
from aiobotocore.httpsession import AIOHTTPSession
from botocore.exceptions import InvalidProxiesConfigError
from botocore.httpsession import get_cert_path

from aiorekostream.errors import ConfigurationError
from aiorekostream.transport.secrets import Secrets, without_userinfo_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from aiobotocore.client import AioBaseClient

__all__ = ["TlsSession"]

_SCHEMES = frozenset({"http", "https"})
# botocore puts http:// before a proxy with any other scheme.
_PREFIXED = r"^http://(?=[A-Za-z][A-Za-z0-9+.-]*://)"
# In the order in which botocore looks at them, both before the default.
_BUNDLE_VARIABLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")


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
        except (OSError, InvalidProxiesConfigError) as error:  # an ssl.SSLError is an OSError
            file = await asyncio.to_thread(found._unusable_file)
            if file is None:
                raise
            raise ConfigurationError(file.problem) from error
        return found

    async def _open(self, url: str) -> None:
        """Create the connector for the endpoint, and its TLS context unless neither it nor its proxy needs one.

        Raises:
            ConfigurationError: the URL of the proxy is invalid, or the path of the CA bundle is empty.
        """
        proxy = self._proxy_config.proxy_url_for(url)
        schemes = [urlsplit(url).scheme]
        if proxy is not None:
            self.secrets.add_url(proxy)
            schemes.append(_proxy_scheme(proxy))
        self._is_plain = "https" not in schemes
        if isinstance(self._verify, str) and not self._verify.strip():  # older botocore takes it for "do not verify"
            raise ConfigurationError(f"the path of the CA bundle is empty: check {_source_of_bundle(self._verify)}")
        await self._get_session(proxy)

    def _unusable_file(self) -> _CertificateFile | None:
        """Return the first file of the settings that cannot be loaded; ``None`` if each can."""
        return next((file for file in self._files() if not file.is_usable), None)

    def _files(self) -> Iterator[_CertificateFile]:
        if isinstance(self._verify, str):
            yield _CertificateFile("CA bundle", self._verify, _source_of_bundle(self._verify), is_bundle=True)
        if self._cert_file:
            yield _CertificateFile(
                "client certificate", self._cert_file, "client_cert of the AWS config", key=self._key_file
            )
        settings = self._proxy_config.settings
        where = "in proxies_config of the AWS config"
        if isinstance(bundle := settings.get("proxy_ca_bundle"), str):
            yield _CertificateFile("CA bundle of the proxy", bundle, f"proxy_ca_bundle {where}", is_bundle=True)
        if (found := settings.get("proxy_client_cert")) is not None:
            path, key = (found, None) if isinstance(found, str) else found
            yield _CertificateFile("client certificate of the proxy", path, f"proxy_client_cert {where}", key=key)

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


@attrs.frozen
class _CertificateFile:
    """A file of certificates, and the setting that names it.

    Attributes:
        title: what the file is, as a message names it.
        path: the path.
        source: the setting that has the path, as a message names it.
        is_bundle: whether it has certificates of CAs, which need no key.
        key: the path of the key; ``None`` if the file has the key, too.
    """

    title: str
    path: str
    source: str
    is_bundle: bool = attrs.field(default=False, kw_only=True)
    key: str | None = attrs.field(default=None, kw_only=True)

    @property
    def is_usable(self) -> bool:
        """Whether it can be loaded."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            if self.is_bundle:
                context.load_verify_locations(self.path)
            else:
                context.load_cert_chain(self.path, self.key)
        except OSError:
            return False
        return True

    @property
    def problem(self) -> str:
        """What is wrong with it, if it cannot be loaded.

        The type of the error does not show this: where OpenSSL fails, Python raises a plain ``OSError`` if any system
        call left an ``errno``, also one of which OpenSSL recovered. See ``load_verify_locations`` in CPython's
        ``Modules/_ssl.c``.
        """
        paths = [self.path] if self.key is None else [self.path, self.key]
        path = next((path for path in paths if _why_unreadable(path)), self.path)
        missing = "no certificate" if self.is_bundle else "no certificate with its key"
        return f"the {self.title} {path} {_why_unreadable(path) or f'holds {missing}'}: check {self.source}"


def _why_unreadable(path: str) -> str:
    """Return why a file cannot be read; empty if it can."""
    try:
        with Path(path).open("rb") as file:
            file.read(1)
    except (FileNotFoundError, NotADirectoryError):
        return "does not exist"
    except OSError:
        return "cannot be read"
    return ""


def _source_of_bundle(path: str) -> str:
    variable = next((name for name in _BUNDLE_VARIABLES if os.environ.get(name) == path), None)
    return variable or "ca_bundle of the AWS profile"


def _proxy_scheme(proxy: str) -> str:
    """Return the scheme of a proxy's URL.

    Raises:
        ConfigurationError: the URL has another scheme than http or https in lower case, no valid port, a blank, or an
            ``@`` behind the authority, which then ended within the password.
    """
    given = re.sub(_PREFIXED, "", proxy)
    try:
        parts = urlsplit(given)
        _ = parts.port
    except ValueError:
        parts = None
    if (
        parts is None
        or given != proxy
        or parts.scheme not in _SCHEMES
        or not parts.hostname
        or "@" in f"{parts.path}{parts.query}{parts.fragment}"
        or any(character.isspace() for character in given)
    ):
        raise ConfigurationError(
            f"the proxy {without_userinfo_of(given)!r} cannot be used: set HTTPS_PROXY or HTTP_PROXY, or the proxies of"
            " the AWS config, to http://HOST:PORT or https://HOST:PORT, with special characters of a password"
            " percent-encoded, or exclude the endpoint with NO_PROXY"
        )
    return parts.scheme
