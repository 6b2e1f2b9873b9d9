"""Decode requests and encode results in AWS's JSON 1.1 protocol. Never awaits.

See https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NoReturn, cast

import attrs

from aiorekostream.emulator.answers import Refusal, Success, refuse, serialization

if TYPE_CHECKING:
    from aiorekostream.emulator.answers import JsonObject, OperationResult

__all__ = ["CONTENT_TYPE", "HttpResponse", "encode", "operation_in", "read_object"]

CONTENT_TYPE = "application/x-amz-json-1.1"
_TARGET = "RekognitionService."


@attrs.frozen
class HttpResponse:
    """An encoded response.

    Attributes:
        status: the HTTP status.
        body: the body.
        content_type: the value of the Content-Type header.
    """

    status: int
    body: bytes
    content_type: str = CONTENT_TYPE


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
        return HttpResponse(200, b"" if result.body is None else _dumped(result.body))
    body = {"__type": result.code}
    if result.message is not None:
        body |= {"Code": result.code, "Message": result.message, "Logref": log_reference}
    return HttpResponse(result.status, _dumped(body))


def _dumped(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), default=dict).encode()


def _no_constant(word: str) -> NoReturn:
    raise ValueError(word)
