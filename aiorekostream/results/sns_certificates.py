"""Fetch the certificates of Amazon SNS, from its own hosts only, and keep their keys."""

import asyncio
import datetime
import re
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import attrs

from aiorekostream.clock import Clock, SystemClock
from aiorekostream.domain.fields import whole_number
from aiorekostream.errors import ConfigurationError, ConnectError, InvalidSignatureError

__all__ = ["SnsCertificates", "fetch_from_sns", "is_sns_url"]

# https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message-verify-message-signature.html
_HOST = re.compile(r"sns\.[a-z0-9-]{3,32}\.amazonaws\.com(?:\.cn)?", re.ASCII)
_HTTPS = 443
_MAX_BYTES = 65_536  # a certificate has about 2,000, and the answer to a confirmation less
_FETCH_SECONDS = 10.0
_EXTRA = "signatures of SNS need the package cryptography: install aiorekostream[sns]"


def is_sns_url(url: object, *, suffix: str = "") -> bool:
    """Return whether a URL is one of Amazon SNS's own.

    Args:
        url: the URL, as a message has it.
        suffix: what its path must end with.
    """
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme == "https"
        and "@" not in parts.netloc
        and port in {None, _HTTPS}
        and _HOST.fullmatch(parts.hostname or "") is not None
        and parts.path.endswith(suffix)
    )


async def fetch_from_sns(url: str) -> bytes:
    """Fetch a URL of SNS's, without following redirects.

    Raises:
        ConnectError: it cannot be fetched at the moment.
    """
    aiohttp: Any = await asyncio.to_thread(_import_aiohttp)
    timeout = aiohttp.ClientTimeout(total=_FETCH_SECONDS)
    try:
        # Proxies are those of the environment, as for boto3.
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            content = b""
            async for chunk in response.content.iter_chunked(_MAX_BYTES):
                content += chunk
                if len(content) > _MAX_BYTES:
                    raise _unavailable(url, f"more than {_MAX_BYTES} bytes")
            status: int = response.status
    except (aiohttp.ClientError, OSError) as error:
        raise _unavailable(url, repr(error)) from error
    if status != 200:  # noqa: PLR2004 - HTTP's OK
        raise _unavailable(url, f"HTTP {status}")
    return content


def _unavailable(url: str, reason: str) -> ConnectError:
    # The query of a confirmation's URL has a token.
    return ConnectError(
        f"{url.partition('?')[0]} cannot be fetched: {reason}", operation="fetching from SNS", retry_safe=True
    )


@attrs.frozen
class _Certificate:
    key: Any  # of cryptography, which need not be installed
    valid_from: datetime.datetime
    valid_until: datetime.datetime


class SnsCertificates:
    """Fetch the certificates of SNS and keep their keys, by URL.

    One of them serves all event loops of a process.

    Args:
        fetch: an async function that returns the content of a URL; by default over HTTPS with aiohttp.
        most: the number of certificates that are kept, at least 1. SNS uses one for each Region at a time.
        clock: has the date against which the validity of a certificate is checked.

    Raises:
        InvalidRequestError: the number is out of its range.
    """

    def __init__(
        self,
        *,
        fetch: Callable[[str], Awaitable[bytes]] = fetch_from_sns,
        most: int = 20,
        clock: Clock | None = None,
    ) -> None:
        self._fetch = fetch
        self._most = whole_number(most, least=1)
        self._clock: Clock = SystemClock() if clock is None else clock
        self._crypto: Any = None
        self._kept: dict[str, _Certificate] = {}
        self._fetching: dict[tuple[asyncio.AbstractEventLoop, str], asyncio.Task[_Certificate]] = {}

    async def verify(self, url: object, *, signature: bytes, signed: bytes, version: str) -> None:
        """Verify a signature.

        Args:
            url: the URL of the certificate, as the message has it.
            signature: the signature.
            signed: what is signed.
            version: the version of the signature: ``1`` (SHA-1) or ``2`` (SHA-256).

        Raises:
            InvalidSignatureError: the certificate is not one of SNS, is not valid now, or has not signed this.
            ConnectError: the certificate cannot be fetched at the moment.
            ConfigurationError: the extra ``sns`` is not installed.
        """
        if not isinstance(url, str) or not is_sns_url(url, suffix=".pem"):
            raise InvalidSignatureError(f"the certificate is not from a host of Amazon SNS: {url!r:.200}")
        crypto = self._crypto
        if crypto is None:
            crypto = self._crypto = await asyncio.to_thread(_import_cryptography)
        certificate = self._kept.get(url) or await self._get(url, crypto)
        if not certificate.valid_from <= self._clock.wall() <= certificate.valid_until:
            raise InvalidSignatureError(f"the certificate {url} is expired or not valid yet")
        if not crypto.is_signed(certificate.key, signature, signed, version):
            raise InvalidSignatureError("the signature does not match the message")

    async def _get(self, url: str, crypto: Any) -> _Certificate:  # noqa: ANN401 - a module that is imported late
        key = asyncio.get_running_loop(), url
        task = self._fetching.get(key)
        if task is None:
            task = self._fetching[key] = key[0].create_task(self._load(url, crypto))
            task.add_done_callback(lambda _: self._fetching.pop(key))
        return await asyncio.shield(task)

    async def _load(self, url: str, crypto: Any) -> _Certificate:  # noqa: ANN401 - the same
        content = await self._fetch(url)
        try:
            certificate = _Certificate(*crypto.load(content))
        except ValueError as error:
            raise InvalidSignatureError(f"{url} has no certificate") from error
        self._kept[url] = certificate
        while len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]
        return certificate


def _import_aiohttp() -> ModuleType:
    import aiohttp  # noqa: PLC0415 - slow, hence in a thread

    return aiohttp


def _import_cryptography() -> ModuleType:
    try:
        from aiorekostream.results import sns_crypto  # noqa: PLC0415 - slow, and cryptography is an extra
    except ModuleNotFoundError as error:
        raise ConfigurationError(_EXTRA) from error
    return sns_crypto
