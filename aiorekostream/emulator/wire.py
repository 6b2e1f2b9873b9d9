"""AWS's JSON 1.1 protocol: bytes to requests, answers to bytes. Nothing here awaits.

See https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NoReturn, cast

import attrs

from aiorekostream.emulator.answers import Refusal, Success, refuse, serialization

if TYPE_CHECKING:
    from aiorekostream.emulator.answers import Answer, JsonObject

__all__ = ["CONTENT_TYPE", "Reply", "encode", "operation_in", "read_object"]

CONTENT_TYPE = "application/x-amz-json-1.1"
_TARGET = "RekognitionService."


@attrs.frozen
class Reply:
    """What goes out.

    Attributes:
        status: the HTTP status.
        body: the body.
        content_type: its type.
    """

    status: int
    body: bytes
    content_type: str = CONTENT_TYPE


def unknown_operation(message: str) -> Refusal:
    """The request names no operation that there is."""
    return Refusal("UnknownOperationException", message, 404)


def operation_in(target: str | None, content_type: str) -> str:
    """The operation that the headers name.

    Raises:
        RefusedError: they name none, or the body is not of this protocol.
    """
    if not target or not target.startswith(_TARGET):
        raise refuse(unknown_operation(f"X-Amz-Target must be {_TARGET}<operation>."))
    if content_type.partition(";")[0].strip().lower() != CONTENT_TYPE:
        raise refuse(unknown_operation(f"Content-Type must be {CONTENT_TYPE}."))
    return target.removeprefix(_TARGET)


def read_object(body: bytes) -> JsonObject:
    """The JSON object of a body; an empty body is an empty object.

    Raises:
        RefusedError: it is not UTF-8, not JSON or not an object.
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


def encode(answer: Answer, log_reference: str) -> Reply:
    """The HTTP status and body of an answer."""
    if isinstance(answer, Success):
        return Reply(200, b"" if answer.body is None else _dumped(answer.body))
    body = {"__type": answer.code}
    if answer.message is not None:
        body |= {"Code": answer.code, "Message": answer.message, "Logref": log_reference}
    return Reply(answer.status, _dumped(body))


def _dumped(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), default=dict).encode()


def _no_constant(word: str) -> NoReturn:
    raise ValueError(word)
