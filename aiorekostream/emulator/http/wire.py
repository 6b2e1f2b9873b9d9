"""Define HTTP requests and responses, and decode and encode AWS's JSON 1.1 protocol. Never awaits.

See https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NoReturn, Protocol, cast

import attrs

from aiorekostream.emulator.world.answers import Refusal, Success, refuse, serialization

if TYPE_CHECKING:
    from aiorekostream.emulator.world.answers import JsonObject, OperationResult

__all__ = [
    "CONTENT_TYPE",
    "CallerConnection",
    "HttpRequest",
    "HttpResponse",
    "RequestHead",
    "dumped",
    "encode",
    "malformed",
    "operation_in",
    "read_object",
    "unknown_operation",
]

CONTENT_TYPE = "application/x-amz-json-1.1"
_TARGET = "RekognitionService."


_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class CallerConnection(Protocol):
    """The connection on which a request arrived."""

    @property
    def peer(self) -> str:
        """The address of the caller; empty if it is unknown."""
        ...

    @property
    def is_lost(self) -> bool:
        """Whether the connection has ended."""
        ...

    def on_lost(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call a function when the connection ends, or soon if it has; return what revokes it."""
        ...

    async def wait_until_lost(self, seconds: float | None = None) -> bool:
        """Wait until the connection ends, and return True; return False if it is still open after real seconds."""
        ...

    def reset(self) -> ConnectionResetError:
        """Send RST to the caller, and return the error that ends the handler."""
        ...


@attrs.frozen(kw_only=True)
class RequestHead:
    """The part of an HTTP request by which it is dispatched.

    Attributes:
        method: the HTTP method.
        path: the path with the query.
        headers: the headers by lower-case name.
    """

    method: str
    path: str
    headers: Mapping[str, str]


@attrs.frozen(kw_only=True)
class HttpRequest:
    """An HTTP request.

    Attributes:
        head: the method, the path and the headers.
        body: the body.
        request_id: the request id of the response.
        wall: the system time in UTC at arrival, against which signatures are checked.
        connection: the connection on which the request arrived.
    """

    head: RequestHead
    body: bytes
    request_id: str
    wall: datetime.datetime
    connection: CallerConnection


@attrs.frozen
class HttpResponse:
    """An encoded response.

    Attributes:
        status: the HTTP status.
        body: the body.
        content_type: the value of the Content-Type header.
        headers: further headers.
    """

    status: int
    body: bytes
    content_type: str = CONTENT_TYPE
    headers: Mapping[str, str] = _NO_HEADERS


def malformed(detail: str) -> Refusal:
    """Return the refusal of input that is not valid HTTP."""
    return Refusal("MalformedHttpRequestException", detail, 400)


def unknown_operation(message: str) -> Refusal:
    """Return the refusal of a request without a known operation."""
    return Refusal("UnknownOperationException", message, 404)


def operation_in(target: str | None, content_type: str) -> str:
    """Return the operation in the ``X-Amz-Target`` header.

    Raises:
        RefusedError: the header has no operation, or the content type is not that of this protocol.
    """
    if not target or not target.startswith(_TARGET):
        raise refuse(unknown_operation(f"X-Amz-Target must be {_TARGET}<operation>."))
    if content_type.partition(";")[0].strip().lower() != CONTENT_TYPE:
        raise refuse(unknown_operation(f"Content-Type must be {CONTENT_TYPE}."))
    return target.removeprefix(_TARGET)


def read_object(body: bytes) -> JsonObject:
    """Decode the JSON object of a body; an empty body counts as an empty object.

    Raises:
        RefusedError: the body is not UTF-8, not JSON or not an object.
    """
    if not body:
        return {}
    try:
        found: object = json.loads(body.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise refuse(serialization("The body is not JSON.")) from None
    if not isinstance(found, dict):
        raise refuse(serialization("The body is not a JSON object."))
    return cast("JsonObject", found)


def encode(result: OperationResult, log_reference: str) -> HttpResponse:
    """Encode the result of an operation.

    Args:
        result: the result.
        log_reference: the value of ``Logref`` in an error.
    """
    if isinstance(result, Success):
        return HttpResponse(200, b"" if result.body is None else dumped(result.body))
    body = {"__type": result.code}
    if result.message is not None:
        body |= {"Code": result.code, "Message": result.message, "Logref": log_reference}
    return HttpResponse(result.status, dumped(body))


def dumped(value: object) -> bytes:
    """Encode JSON without white space."""
    return json.dumps(value, separators=(",", ":"), default=dict).encode()


def _no_constant(word: str) -> NoReturn:
    raise ValueError(word)
