"""Hold one open aiobotocore client, and make one attempt at one call through it.

Every call goes through the client's public methods, so that whatever else listens there (hooks of the session,
OpenTelemetry's and X-Ray's instrumentation) sees it. ``LeanPath`` answers it where it can; otherwise botocore sends
it, and hooks of our own, on this client alone, note how far the call came and refuse what botocore lets pass.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from botocore import handlers

from aiorekostream.errors import ConfigurationError
from aiorekostream.limits import Scope
from aiorekostream.operations import OPERATIONS
from aiorekostream.transport.attempts import CURRENT, Attempt
from aiorekostream.transport.error_mapping import refused_address, translated
from aiorekostream.transport.http import LeanPath
from aiorekostream.transport.port import Reply, ignored
from aiorekostream.transport.response import note_response
from aiorekostream.transport.secrets import without_userinfo

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiobotocore.client import AioBaseClient

    from aiorekostream.transport.credentials import CredentialWatch

__all__ = ["Connection"]

_logger = logging.getLogger("aiorekostream")


class Connection:
    """A client that is open, with its connections.

    Args:
        client: an aiobotocore client for Rekognition; the connection takes it over.
        account: the identity of the account whose credentials sign the calls; empty where they are not signed.
        watch: notes the credentials that sign the calls, and holds what must not appear in errors.
        regions: the Regions that botocore knows.

    Attributes:
        scope: what the quotas of its calls belong to.
    """

    def __init__(
        self, client: AioBaseClient, account: str, *, watch: CredentialWatch, regions: frozenset[str] = frozenset()
    ) -> None:
        self._client = client
        self._secrets = watch.secrets
        self._regions = regions
        url = client.meta.endpoint_url
        self.scope: Scope = Scope(endpoint=without_userinfo(url), region=client.meta.region_name, account=account)
        self._is_local = _is_loopback(url)
        self._is_refused = False
        # As many calls at once as connections: a further one waits here, before its request is built.
        self._free = asyncio.Semaphore(client.meta.config.max_pool_connections)
        self._methods = {
            operation: getattr(client, method)
            for method, operation in client.meta.method_to_api_mapping.items()
            if operation in OPERATIONS
        }
        watch.watch(client)
        _take_over(client)

    @property
    def region(self) -> str:
        """The Region that calls go to."""
        return self._client.meta.region_name

    @property
    def is_ready(self) -> bool:
        """Whether a connection is free. See ``Transport.is_ready``."""
        return not self._free.locked()

    async def ready(self) -> None:
        """Wait until a connection is free. See ``Transport.ready``."""
        async with self._free:
            pass

    async def send(self, operation: str, body: Mapping[str, object], *, on_sent: Callable[[], None] = ignored) -> Reply:
        """Send one request and read its response. See ``Transport.send``."""
        method = self._methods.get(operation)
        if method is None:
            raise ConfigurationError(f"{operation} is no operation of stream processors that botocore knows")
        attempt = Attempt(
            operation,
            idempotent=OPERATIONS[operation].idempotent,
            on_sent=on_sent,
            is_local=self._is_local,
            secrets=self._secrets,
            region=self.region,
            regions=self._regions,
        )
        async with self._free:
            token = CURRENT.set(attempt)
            parsed: dict[str, object] = {}
            failure: Exception | None = None
            try:
                parsed = await method(**body)
            except Exception as error:  # noqa: BLE001 - every exception is translated
                failure = error
            finally:
                CURRENT.reset(token)
        if failure is not None:
            try:
                self._raise(failure, attempt)
            finally:
                failure = None  # an exception that refers to its frame is freed late
        self._is_refused = False
        if attempt.members is None:  # a hook of the caller's answered
            parsed.pop("ResponseMetadata", None)
            return Reply(parsed)
        answer = attempt.answer
        if answer is None:
            return Reply(attempt.members)
        request_id = answer.request_id and self._secrets.clean(answer.request_id)
        return Reply(attempt.members, request_id, answer.date)

    async def aclose(self) -> None:
        """Close the client and its connections."""
        await self._client.close()

    def _raise(self, failure: Exception, attempt: Attempt) -> None:
        error = translated(failure, attempt)
        address = refused_address(failure)
        if address and not self._is_refused:
            self._is_refused = True
            _logger.warning("nothing listens at %s: the connection was refused, and is tried again", address)
        if error is failure:
            raise error
        # Outside of the `except` block, so that the exception that must not be shown is no context of this one either.
        raise error from (failure if self._secrets.may_be_chained(failure) else None)


def _take_over(client: AioBaseClient) -> None:
    events = client.meta.events
    # One attempt in all leaves no retry to decide on, or to announce to the service.
    events.unregister("needs-retry.rekognition", unique_id="retry-config-rekognition")
    events.unregister("request-created", handlers.add_retry_headers)
    events.register_last("before-send.rekognition", _note_signing)
    events.register_first("before-parse.rekognition", _note_response)
    try:
        LeanPath(client).install()
    except AttributeError as error:
        _logger.debug("every call takes botocore's path: %s", error)


def _note_signing(**_: object) -> None:
    if (attempt := CURRENT.get()) is not None:
        attempt.signed = True


def _note_response(response_dict: Mapping[str, object], **_: object) -> None:
    if (attempt := CURRENT.get()) is not None:
        status = cast("int", response_dict["status_code"])
        headers = cast("Mapping[str, str]", response_dict["headers"])
        note_response(attempt, status, headers, cast("bytes", response_dict["body"]))


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
