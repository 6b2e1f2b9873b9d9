"""Define the results of an operation: a success, or a refusal with AWS's error code, message and HTTP status.

The codes, messages and statuses are those of https://docs.aws.amazon.com/rekognition/latest/dg/error-handling.html and
https://docs.aws.amazon.com/rekognition/latest/APIReference/CommonErrors.html. Serialization to HTTP and JSON is in
``wire``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import attrs

__all__ = ["JsonObject", "OperationResult", "Refusal", "RefusedError", "Success"]

JsonObject: TypeAlias = Mapping[str, object]


@attrs.frozen
class Success:
    """The result of an operation that was executed.

    Attributes:
        body: the members of the response; None where AWS sends an empty body (Stop, Update and Delete).
        session_id: the session that was started, whether or not the response contains it.
    """

    body: JsonObject | None
    session_id: str | None = None


@attrs.frozen
class Refusal:
    """The result of an operation that was refused.

    Attributes:
        code: AWS's error code.
        message: AWS's message; None where the body of AWS's response contains only ``__type``.
        status: the HTTP status.
    """

    code: str
    message: str | None
    status: int = 400


OperationResult: TypeAlias = Success | Refusal


class RefusedError(Exception):
    """Carry a refusal from inside an operation to its caller; never raised outside the emulator."""

    refusal: Refusal

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(refusal)


BLANK_DENIAL = Refusal("AccessDeniedException", None)
"""The observed response of AWS in a Region that does not offer the feature."""

INTERNAL_FAILURE = Refusal("InternalFailure", "The request processing has failed because of an unknown error.", 500)


def invalid(detail: str) -> Refusal:
    """Return the refusal of an invalid parameter; ``detail`` is the emulator's addition to AWS's message."""
    return Refusal("InvalidParameterException", f"Request has invalid parameters. {detail}")


def serialization(detail: str) -> Refusal:
    """Return the refusal of a body that is not JSON, or of a member whose JSON type contradicts the model."""
    return Refusal("SerializationException", detail)


def not_found(what: str) -> Refusal:
    """Return the refusal of an unknown resource. AWS documents "various" messages; this text is the emulator's."""
    return Refusal("ResourceNotFoundException", f"{what} not found.")


def in_use(message: str = "Specified resource is in use.") -> Refusal:
    """Return the refusal of an operation that the resource's current state forbids."""
    return Refusal("ResourceInUseException", message)


def too_many_processors(limit: int) -> Refusal:
    """Return the refusal of a create above the account's maximum number of processors."""
    return Refusal("LimitExceededException", f"Stream processor limit exceeded for account, limit - {limit}.")


def too_many_sessions(kind: str, limit: int) -> Refusal:
    """Return the refusal of a start above the maximum number of concurrent sessions of a kind.

    UNCERTAIN: AWS documents the quota but not the error, and the model of StartStreamProcessor has no fitting one. The
    code and the form of the message are those of CreateStreamProcessor's own limit.
    """
    return Refusal(
        "LimitExceededException", f"Concurrent {kind} stream processor limit exceeded for account, limit - {limit}."
    )


def too_many_tags(limit: int) -> Refusal:
    """Return the refusal of a request that would exceed the maximum number of tags."""
    return Refusal("ServiceQuotaExceededException", f"Tag limit exceeded for resource, limit - {limit}.")


BAD_TOKEN = Refusal("InvalidPaginationTokenException", "Invalid Pagination Token")


def refuse(refusal: Refusal) -> RefusedError:
    """Return the exception that carries a refusal, for the caller to raise."""
    return RefusedError(refusal)
