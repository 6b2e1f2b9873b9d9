"""Open an aiobotocore client for any service, and make single attempts with it.

Import this module in a worker thread: it imports aiobotocore.
"""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, TypeVar, cast

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from aiorekostream.errors import ConfigurationError, RekostreamError
from aiorekostream.transport._tls_session import TlsSession
from aiorekostream.transport.attempts import Attempt
from aiorekostream.transport.credentials import CredentialWatch
from aiorekostream.transport.error_mapping import malformed_response, translated
from aiorekostream.transport.secrets import Secrets
from aiorekostream.transport.unsigned_errors import unsigned_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiobotocore.client import AioBaseClient
    from botocore.loaders import Loader

    from aiorekostream.transport.options import AwsSession, TransportOptions

__all__ = ["ServiceConnection", "connect"]

_T = TypeVar("_T")
_FIRST_ERROR = 300

_current: contextvars.ContextVar[Attempt | None] = contextvars.ContextVar("service_attempt", default=None)


async def connect(service: str, options: TransportOptions, session: AwsSession | None) -> ServiceConnection:
    """Create a client for a service and open it.

    Args:
        service: botocore's name of the service.
        options: the options of the client.
        session: the caller's session; a new session if ``None``.

    Raises:
        ConfigurationError: no Region, an unknown profile, or another configuration error.
        ConnectError: the credential provider is unreachable or overloaded at the moment.
    """
    secrets = Secrets()
    failure: Exception
    config = AioConfig(
        http_session_cls=TlsSession,
        connect_timeout=options.timeout.connect,
        read_timeout=options.timeout.read,
        max_pool_connections=options.max_connections,
        parameter_validation=False,  # the callers are in this package
        # One request for each call, as in transport/connect.py.
        retries={"total_max_attempts": 1, "mode": "standard"},
        # Of S3 only: an endpoint that is not AWS's seldom has a host name for each bucket.
        s3=None if options.endpoint_url is None else {"addressing_style": "path"},
    )
    try:
        used = await asyncio.to_thread(AioSession, profile=options.profile) if session is None else session
        # A session creates its components on first use and is not thread-safe, so get the loader here.
        await asyncio.to_thread(_read_data, used.get_component("data_loader"), service)
        client = await used.create_client(
            service, region_name=options.region, endpoint_url=options.endpoint_url, config=config
        ).__aenter__()
        try:
            await TlsSession.install(client, secrets)
        except BaseException:
            await client.close()
            raise
        return ServiceConnection(service, client, secrets)
    except ConfigurationError:
        raise
    except Exception as error:  # noqa: BLE001 - every exception is translated
        failure = error
    # Outside of the `except` block, so that an exception that must not be shown is no context either.
    chained = failure if secrets.may_be_chained(failure) else None
    raise unsigned_error(failure, f"opening the client of {service}", secrets) from chained


def _read_data(loader: Loader, service: str) -> None:
    """Read the data files that a client needs into the loader's cache."""
    loader.load_data_with_path("endpoints")
    for name in ("partitions", "sdk-default-configuration", "_retry"):
        loader.load_data(name)
    for kind in ("service-2", "endpoint-rule-set-1"):
        loader.load_service_model(service, kind)


class ServiceConnection:
    """An open client of one service.

    Args:
        service: botocore's name of the service.
        client: its aiobotocore client; the connection takes it over.
        secrets: what must not appear in errors and logs.
    """

    def __init__(self, service: str, client: AioBaseClient, secrets: Secrets) -> None:
        self._client = client
        self._secrets = secrets
        events = client.meta.events
        CredentialWatch(secrets).watch(client)
        events.register_last(f"before-send.{service}", _note_sending)
        if service == "sqs":
            events.register_first("before-parse.sqs", _check_json)

    async def call(
        self,
        method: str,
        members: Mapping[str, object],
        read: Callable[[dict[str, object]], Awaitable[_T]],
    ) -> _T:
        """Make one attempt; see ``ServiceClient.call``."""
        operation = self._client.meta.method_to_api_mapping[method]
        attempt = Attempt(operation, idempotent=True, secrets=self._secrets)
        token = _current.set(attempt)
        failure: Exception
        try:
            return await read(await getattr(self._client, method)(**members))
        except RekostreamError:
            raise
        except Exception as error:  # noqa: BLE001 - every exception is translated
            failure = error
        finally:
            _current.reset(token)
        try:
            # As in `connect`.
            raise translated(failure, attempt) from (failure if self._secrets.may_be_chained(failure) else None)
        finally:
            del failure  # an exception that refers to its frame is freed late

    async def aclose(self) -> None:
        """Close the client and its connections."""
        await self._client.close()


def _note_sending(**_: object) -> None:
    if (attempt := _current.get()) is not None:
        attempt.signed = attempt.sent = True


def _check_json(response_dict: dict[str, object], **_: object) -> None:
    """Refuse a success without a JSON object, which botocore reads as an empty queue, and redact what may be shown."""
    attempt = _current.get()
    status, body = cast("int", response_dict["status_code"]), cast("bytes", response_dict["body"])
    if attempt is None or status >= _FIRST_ERROR:
        return
    if body[:1] not in {b"{", b""}:
        raise malformed_response(attempt, body.decode("utf-8", "replace"), "a JSON object")
    text = body.decode("utf-8", "surrogateescape")
    response_dict["body"] = attempt.secrets.redacted_response(text).encode("utf-8", "surrogateescape")
