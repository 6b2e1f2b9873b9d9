"""Send requests to AWS through one long-lived aiobotocore client, which is opened on first use.

Importing this module imports neither aiobotocore nor botocore. Their import takes about 0.3 seconds, so it runs in a
worker thread when the transport is opened.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiorekostream.errors import ConfigurationError
from aiorekostream.transport.options import AwsConfig, AwsSession, transport_options
from aiorekostream.transport.port import ignored
from aiorekostream.transport.secrets import without_userinfo_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType, TracebackType
    from typing import Self

    from aiorekostream.limits import Scope
    from aiorekostream.transport.connection import Connection
    from aiorekostream.transport.port import Reply
    from aiorekostream.transport.timeout import Timeout

__all__ = ["AwsTransport"]

_logger = logging.getLogger("aiorekostream")

_CLOSED = "the transport is closed: create a new client"
_ELSEWHERE = "the transport was opened in another event loop, which is not closed: make one for each loop"


class AwsTransport:
    """Send requests to Amazon Rekognition, or to another endpoint with its API.

    Credentials, Region, endpoint and proxies are resolved as in boto3: arguments, environment variables
    (``AWS_ENDPOINT_URL_REKOGNITION`` and ``AWS_PROFILE`` included), config files, roles.
    See https://docs.aws.amazon.com/boto3/latest/guide/configuration.html.

    ``open``, ``async with`` and the first call open the client without blocking the event loop. Any number of tasks may
    wait for it; cancelling one of them does not affect the others. The client belongs to the event loop that opened it.

    Args:
        region: the Region, such as ``us-east-1``.
        endpoint_url: the endpoint URL; the Region's endpoint by default.
        profile: the profile of the AWS config files.
        session: an aiobotocore session with a profile, credentials and event handlers of its own.
        timeout: the connect and read timeouts of each attempt; the transport does not use ``total``.
        max_connections: the maximum number of concurrent connections, at least 1 and 100 by default; further calls wait
            for a free one.
        aws_access_key_id: the access key; with ``aws_secret_access_key``, it goes before all other credentials.
        aws_secret_access_key: the secret key.
        aws_session_token: the session token of temporary credentials.
        config: a configuration of botocore, such as one with ``proxies``; it must not repeat an argument.

    Raises:
        InvalidRequestError: arguments break their rules, or both a session and a profile are given.
    """

    def __init__(
        self,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        profile: str | None = None,
        session: AwsSession | None = None,
        timeout: Timeout | None = None,
        max_connections: int | None = None,
        aws_access_key_id: str | None = None,
        aws_secret_access_key: str | None = None,
        aws_session_token: str | None = None,
        config: AwsConfig | None = None,
    ) -> None:
        self._settings = transport_options(
            session=session,
            region=region,
            endpoint_url=endpoint_url,
            profile=profile,
            timeout=timeout,
            max_connections=max_connections,
            aws_access_key_id=aws_access_key_id,
            aws_secret_access_key=aws_secret_access_key,
            aws_session_token=aws_session_token,
            config=config,
        )
        self._session = session
        self._connection: Connection | None = None
        self._ended: Connection | None = None
        self._opening: asyncio.Task[Connection] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    @property
    def region(self) -> str | None:
        """The Region of the calls: the argument or, when the transport is open, the resolved Region."""
        return self._settings.region if self._connection is None else self._connection.region

    @property
    def timeout(self) -> Timeout:
        """The timeouts."""
        return self._settings.timeout

    @property
    def scope(self) -> Scope:
        """The endpoint, Region and account that the quotas belong to.

        The account is its id if the credentials contain it, as those of most roles do, else the access key.

        Raises:
            ConfigurationError: the transport is not open.
        """
        if self._connection is None:
            raise ConfigurationError("the transport is not open")
        return self._connection.scope

    async def open(self) -> None:
        """Open the client unless it is open.

        Raises:
            ConfigurationError: no Region, no credentials, an unknown profile, or the transport is closed.
            ConnectError: the credential provider is unreachable or overloaded at the moment.
        """
        await self._opened()

    @property
    def is_ready(self) -> bool:
        """Whether the transport is open and ``send`` finds a free connection at once."""
        return self._connection is not None and self._connection.is_ready

    async def ready(self) -> None:
        """Open the client unless it is open, and wait until a connection is free. See ``Transport.ready``.

        Raises:
            ConfigurationError: see ``open``.
            ConnectError: see ``open``.
        """
        connection = await self._opened()
        await connection.ready()

    async def send(self, operation: str, body: Mapping[str, object], *, on_sent: Callable[[], None] = ignored) -> Reply:
        """Send one request and return its response. See ``Transport.send``."""
        connection = await self._opened()
        return await connection.send(operation, body, on_sent=on_sent)

    async def aclose(self) -> None:
        """Close the connections and cancel the calls in flight. Has no effect on a closed transport.

        Raises:
            ConfigurationError: another event loop, which is not closed, opened the transport. Close it there.
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
            if not self._loop.is_closed():
                raise ConfigurationError(_ELSEWHERE)
            # As in a Lambda handler with an asyncio.run for each event: the connections ended with their loop.
            self._ended, self._connection, self._opening = self._connection, None, None
        if self._connection is not None:
            return self._connection
        if self._opening is None:
            self._loop = loop
            self._opening = loop.create_task(self._open(), name="aiorekostream opens its client")
            self._opening.add_done_callback(self._opening_ended)
        return await asyncio.shield(self._opening)

    async def _open(self) -> Connection:
        ended, self._ended = self._ended, None
        try:
            if ended is not None:
                await ended.aclose()
            connect = await asyncio.to_thread(_import_connect)
            connection: Connection = await connect.connect(self._settings, self._session)
        except asyncio.CancelledError:
            if self._closed:  # aclose cancelled the opening; the tasks that wait for it were not cancelled
                raise ConfigurationError(_CLOSED) from None
            raise
        self._connection = connection
        _logger.debug("open: %r", self)
        return connection

    def _opening_ended(self, task: asyncio.Task[Connection]) -> None:
        self._opening = None
        # Retrieve the exception, which asyncio would log otherwise: waiting tasks raise it, and the next call retries.
        if task.cancelled() or task.exception() is not None:
            self._loop = None


def _import_connect() -> ModuleType:
    from aiorekostream.transport import connect  # noqa: PLC0415 - it imports aiobotocore, hence in a thread

    return connect


def _host(url: str) -> str:
    # A URL may contain a password, which must not be in a repr.
    try:
        host = urlsplit(without_userinfo_of(url)).netloc
    except ValueError:
        host = ""
    return host or "an unreadable address"
