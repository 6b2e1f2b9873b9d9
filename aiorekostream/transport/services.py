"""Call the other services of AWS, which carry results: an aiobotocore client for each, opened on first use.

A call is one attempt: botocore's own retries are off. Importing this module imports neither aiobotocore nor botocore.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from aiorekostream.errors import ConfigurationError
from aiorekostream.transport.options import AwsSession, transport_options

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from types import ModuleType

    from aiorekostream.transport.service_connection import ServiceConnection
    from aiorekostream.transport.timeout import Timeout

__all__ = ["ServiceClient"]

_T = TypeVar("_T")
_CLOSED = "the connection to {} is closed: create a new one"


class ServiceClient:
    """A client of one service of AWS. Credentials, Region, endpoint and proxies are resolved as in boto3.

    Args:
        service: botocore's name of the service, such as ``sqs``.
        region: the Region.
        endpoint_url: the endpoint URL; AWS's endpoint by default.
        profile: a profile of the AWS config files.
        session: an aiobotocore session with credentials and settings.
        timeout: the connect and read timeouts of an attempt.
        max_connections: the maximum number of concurrent connections, at least 1 and 100 by default.

    Raises:
        InvalidRequestError: arguments break their rules; all issues at once.
    """

    def __init__(
        self,
        service: str,
        *,
        region: str | None,
        endpoint_url: str | None,
        profile: str | None,
        session: AwsSession | None,
        timeout: Timeout,
        max_connections: int | None,
    ) -> None:
        self._service = service
        self._session = session
        self._options = transport_options(
            session=session,
            region=region,
            endpoint_url=endpoint_url,
            profile=profile,
            timeout=timeout,
            max_connections=max_connections,
        )
        self._connection: ServiceConnection | None = None
        self._opening = asyncio.Lock()
        self._closed = False

    async def call(
        self,
        method: str,
        members: Mapping[str, object],
        read: Callable[[dict[str, object]], Awaitable[_T]],
    ) -> _T:
        """Make one attempt of a call.

        Args:
            method: the name of boto3's method, such as ``receive_message``. The call must be safe to repeat.
            members: its keyword arguments.
            read: converts the response; what it raises counts as an error of the attempt, so that it may read a body
                that is streamed.

        Raises:
            ServiceError: the service returned an error.
            TransportError: the request or its response was lost.
            MalformedResponseError: the response is not one of this service.
            ConfigurationError: no Region, no credentials, or the client is closed.
        """
        return await (await self._opened()).call(method, members, read)

    async def open(self) -> None:
        """Open the client unless it is open.

        Raises:
            ConfigurationError: no Region, no credentials, an unknown profile, or the client is closed.
            ConnectError: the credential provider is unreachable at the moment.
        """
        await self._opened()

    async def aclose(self) -> None:
        """Close the connections. Has no effect on a closed client."""
        self._closed = True
        async with self._opening:
            connection, self._connection = self._connection, None
        if connection is not None:
            await connection.aclose()

    async def _opened(self) -> ServiceConnection:
        if self._closed:
            raise ConfigurationError(_CLOSED.format(self._service))
        if self._connection is not None:
            return self._connection
        async with self._opening:
            connection = self._connection
            if connection is None:
                opening = await asyncio.to_thread(_import_service_connection)
                opened: ServiceConnection = await opening.connect(self._service, self._options, self._session)
                connection = self._connection = opened
        if self._closed:  # meanwhile; the closing task waits for the lock, and closes the connection
            raise ConfigurationError(_CLOSED.format(self._service))
        return connection


def _import_service_connection() -> ModuleType:
    from aiorekostream.transport import service_connection  # noqa: PLC0415 - it imports aiobotocore, hence in a thread

    return service_connection
