"""One open aiobotocore client, and one attempt at one call through it.

Every call goes through the client's public methods, so that whatever else listens there (hooks of the session,
OpenTelemetry's and X-Ray's instrumentation) hears it. Hooks of our own, on this client alone, note how far a call came
and refuse what botocore lets pass.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, cast

from botocore import handlers

from aiorekostream.errors import ConfigurationError
from aiorekostream.limits import Scope
from aiorekostream.operations import OPERATIONS
from aiorekostream.transport import _signing
from aiorekostream.transport.attempts import CURRENT, Answer, Attempt
from aiorekostream.transport.error_mapping import malformed_response, translated
from aiorekostream.transport.port import Reply, ignored

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiobotocore.client import AioBaseClient

__all__ = ["Connection"]

_logger = logging.getLogger(__name__)

# AWS answers every call of these operations with this status: botocore's model names no other.
_SUCCESS = 200
_FIRST_ERROR = 400


class Connection:
    """A client that is open, with its connections.

    Args:
        client: an aiobotocore client for Rekognition; the connection takes it over.
        account: what stands for the account whose credentials sign the calls; empty where they are not signed.

    Attributes:
        scope: what the quotas of its calls belong to.
    """

    def __init__(self, client: AioBaseClient, account: str) -> None:
        self._client = client
        self.scope: Scope = Scope(endpoint=client.meta.endpoint_url, region=client.meta.region_name, account=account)
        self._methods = {
            operation: getattr(client, method)
            for method, operation in client.meta.method_to_api_mapping.items()
            if operation in OPERATIONS
        }
        _take_over(client)

    @property
    def region(self) -> str:
        """The Region that calls go to."""
        return self._client.meta.region_name

    async def send(self, operation: str, body: Mapping[str, object], *, on_sent: Callable[[], None] = ignored) -> Reply:
        """Send one request and read its answer; see ``Transport.send``."""
        method = self._methods.get(operation)
        if method is None:
            raise ConfigurationError(f"{operation} is no operation of stream processors that botocore knows")
        attempt = Attempt(operation, idempotent=OPERATIONS[operation].idempotent, on_sent=on_sent)
        token = CURRENT.set(attempt)
        try:
            parsed = await method(**body)
        except Exception as error:
            fault = translated(error, attempt)
            _logger.debug("%s failed: %s", operation, fault)
            if fault is error:
                raise
            raise fault from error
        finally:
            CURRENT.reset(token)
        metadata = cast("Mapping[str, object]", parsed.pop("ResponseMetadata", {}))
        request_id = metadata.get("RequestId")
        date = None if attempt.answer is None else attempt.answer.date
        return Reply(parsed, request_id if isinstance(request_id, str) else None, date)

    async def aclose(self) -> None:
        """Close the client and its connections."""
        await self._client.close()


def _take_over(client: AioBaseClient) -> None:
    events = client.meta.events
    # With one attempt in all there is nothing to decide, and nothing to tell the service about retries.
    events.unregister("needs-retry.rekognition", unique_id="retry-config-rekognition")
    events.unregister("request-created", handlers.add_retry_headers)
    events.register_last("choose-signer.rekognition", _signing.choose)
    events.register_last("before-send.rekognition", _note_signing)
    events.register_first("before-parse.rekognition", _note_answer)


def _note_signing(**_: object) -> None:
    if (attempt := CURRENT.get()) is not None:
        attempt.signed = True


def _note_answer(response_dict: Mapping[str, object], **_: object) -> None:
    """Note that an answer came, and refuse a success that is none.

    botocore reads a body that is not JSON as an empty success, and any status below 301 as a success.
    """
    attempt = CURRENT.get()
    if attempt is None:
        return
    status = cast("int", response_dict["status_code"])
    headers = cast("Mapping[str, str]", response_dict["headers"])
    attempt.answer = Answer.read(status, headers)
    if status >= _FIRST_ERROR:
        return
    if status != _SUCCESS:
        raise malformed_response(attempt, f"HTTP {status}", f"HTTP {_SUCCESS} or an error")
    body = cast("bytes", response_dict["body"])
    if body.strip() and not _is_an_answer(body):
        found = body[:200].decode("utf-8", "replace")
        raise malformed_response(attempt, found, "a JSON object that is no error")


def _is_an_answer(body: bytes) -> bool:
    try:
        # As text: from bytes, json.loads also takes a byte order mark and other encodings, which botocore does not.
        members: object = json.loads(body.decode())
    except (ValueError, RecursionError):
        return False
    return isinstance(members, dict) and "__type" not in members
