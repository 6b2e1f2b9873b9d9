"""The transport to AWS: one long-lived aiobotocore client, opened when it is first needed.

Importing this module imports neither aiobotocore nor botocore: that takes some 0.3 seconds, and is left to a worker
thread at the time of opening.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiorekostream.errors import ConfigurationError
from aiorekostream.transport.options import TransportOptions
from aiorekostream.transport.port import ignored
from aiorekostream.transport.timeout import Timeout

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType, TracebackType
    from typing import Self

    from aiobotocore.session import AioSession

    from aiorekostream.limits import Scope
    from aiorekostream.transport.connection import Connection
    from aiorekostream.transport.port import Reply

__all__ = ["AwsTransport"]

_logger = logging.getLogger(__name__)

_CLOSED = "the transport is closed: make another one"
_ELSEWHERE = "the transport was opened in another event loop: make one for each loop"
_DEFAULT_TIMEOUT = Timeout()


class AwsTransport:
    """Sends calls to Amazon Rekognition, or to whatever answers in its place.

    Credentials, Region, endpoint and proxies are found as boto3 finds them: arguments, environment variables
    (``AWS_ENDPOINT_URL_REKOGNITION`` and ``AWS_PROFILE`` among them), config files, roles.
    See https://docs.aws.amazon.com/boto3/latest/guide/configuration.html.

    The client is opened by ``open``, by ``async with`` or by the first call, without holding up the event loop; any
    number of tasks may wait for it, and one of them may be cancelled without harm to the others. It belongs to the
    event loop that it was opened in.

    Args:
        region: the Region to call, such as ``us-east-1``.
        endpoint_url: where to call instead of the Region's own endpoint.
        profile: the profile of the AWS config files to use.
        session: a session of the caller's own, with its own profile, credentials and hooks.
        timeout: ``connect`` and ``read`` hold for every attempt; ``total`` is for whoever makes the attempts.
        max_connections: how many calls may be under way at once; more wait for a free connection.

    Raises:
        ConfigurationError: both a session and a profile are given.
        InvalidRequestError: ``max_connections`` is no whole number above zero, or what should be text is not.
    """

    def __init__(
        self,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        profile: str | None = None,
        session: AioSession | None = None,
        timeout: Timeout = _DEFAULT_TIMEOUT,
        max_connections: int = 100,
    ) -> None:
        if session is not None and profile is not None:
            raise ConfigurationError("a session has its own profile: give a session or a profile, not both")
        self._settings = TransportOptions(
            region=region,
            endpoint_url=endpoint_url,
            profile=profile,
            timeout=timeout,
            max_connections=max_connections,
        )
        self._session = session
        self._connection: Connection | None = None
        self._opening: asyncio.Task[Connection] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    @property
    def region(self) -> str | None:
        """The Region that calls go to: the one that was given or, once open, the one that was found."""
        return self._settings.region if self._connection is None else self._connection.region

    @property
    def timeout(self) -> Timeout:
        """The time limits that were given."""
        return self._settings.timeout

    @property
    def scope(self) -> Scope:
        """What the quotas of the calls belong to: the endpoint, the Region, and the account.

        The account is its number where the credentials tell it, as those of most roles do, or else the access key.

        Raises:
            ConfigurationError: the transport is not open.
        """
        if self._connection is None:
            raise ConfigurationError("the transport is not open")
        return self._connection.scope

    async def open(self) -> None:
        """Open the client now, so that the first call need not; when it is open, do nothing.

        Raises:
            ConfigurationError: no Region, no credentials, no such profile, or the transport is closed.
            ConnectError: whoever gives the credentials cannot be reached, or is too busy, for a moment.
        """
        await self._opened()

    async def send(self, operation: str, body: Mapping[str, object], *, on_sent: Callable[[], None] = ignored) -> Reply:
        """Send one request, once, and read its answer; see ``Transport.send``."""
        connection = await self._opened()
        return await connection.send(operation, body, on_sent=on_sent)

    async def aclose(self) -> None:
        """Close the connections; a second time does nothing. Calls under way are broken off.

        Raises:
            ConfigurationError: it was opened in another event loop, which is there to close it in.
        """
        if self._loop is not None and self._loop is not asyncio.get_running_loop() and not self._loop.is_closed():
            raise ConfigurationError(_ELSEWHERE)
        self._closed = True
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.aclose()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "not open" if self._connection is None else "open"
        url = self._settings.endpoint_url
        endpoint = "" if url is None else f" at {_host(url)}"
        return f"<{type(self).__name__} for {self.region or 'the default Region'}{endpoint}, {state}>"

    async def _opened(self) -> Connection:
        if self._closed:
            raise ConfigurationError(_CLOSED)
        loop = asyncio.get_running_loop()
        if self._loop is not None and self._loop is not loop:
            raise ConfigurationError(_ELSEWHERE)
        if self._connection is not None:
            return self._connection
        if self._opening is None:
            self._loop = loop
            self._opening = loop.create_task(self._open(), name="aiorekostream opens its client")
            self._opening.add_done_callback(self._opening_ended)
        return await asyncio.shield(self._opening)

    async def _open(self) -> Connection:
        try:
            connect = await asyncio.to_thread(_import_connect)
            connection: Connection = await connect.connect(self._settings, self._session)
        except asyncio.CancelledError:
            if self._closed:  # it was aclose that cancelled: whoever waits was not cancelled
                raise ConfigurationError(_CLOSED) from None
            raise
        self._connection = connection
        _logger.debug("open: %r", self)
        return connection

    def _opening_ended(self, task: asyncio.Task[Connection]) -> None:
        self._opening = None
        # What went wrong is told to those who wait; when nobody does, the next call tries again.
        if task.cancelled() or task.exception() is not None:
            self._loop = None


def _import_connect() -> ModuleType:
    from aiorekostream.transport import connect  # noqa: PLC0415 - it imports aiobotocore, hence in a thread

    return connect


def _host(url: str) -> str:
    # An address may carry a password.
    return urlsplit(url).netloc.rpartition("@")[2] or "an unreadable address"
