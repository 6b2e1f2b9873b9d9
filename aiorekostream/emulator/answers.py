"""What the emulated service answers: a success, or one of AWS's refusals with AWS's own words and HTTP status.

The codes, messages and statuses are those of https://docs.aws.amazon.com/rekognition/latest/dg/error-handling.html and
https://docs.aws.amazon.com/rekognition/latest/APIReference/CommonErrors.html. Nothing here knows HTTP or JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import attrs

__all__ = ["Answer", "JsonObject", "Refusal", "RefusedError", "Success"]

JsonObject: TypeAlias = Mapping[str, object]


@attrs.frozen
class Success:
    """The operation was carried out.

    Attributes:
        body: the members of the answer; None where AWS sends an empty body (Stop, Update and Delete).
        session_id: the session that was started, whether or not the answer names it.
    """

    body: JsonObject | None
    session_id: str | None = None


@attrs.frozen
class Refusal:
    """The operation was refused.

    Attributes:
        code: AWS's error code.
        message: AWS's message; None where AWS answers ``__type`` and nothing else.
        status: the HTTP status.
    """

    code: str
    message: str | None
    status: int = 400


Answer: TypeAlias = Success | Refusal


class RefusedError(Exception):
    """Carries a refusal out of the depth of an operation; it never leaves the emulated world."""

    refusal: Refusal

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(refusal)


BLANK_DENIAL = Refusal("AccessDeniedException", None)
"""What AWS is seen to answer in a Region that does not offer the feature."""

INTERNAL_FAILURE = Refusal("InternalFailure", "The request processing has failed because of an unknown error.", 500)


def invalid(detail: str) -> Refusal:
    """A parameter is wrong; the detail is the emulator's own addition to AWS's sentence."""
    return Refusal("InvalidParameterException", f"Request has invalid parameters. {detail}")


def serialization(detail: str) -> Refusal:
    """The body is not JSON, or a member has another JSON type than the model says."""
    return Refusal("SerializationException", detail)


def not_found(what: str) -> Refusal:
    """There is no such resource. AWS documents the messages as "various"; this one is the emulator's own."""
    return Refusal("ResourceNotFoundException", f"{what} not found.")


def in_use(message: str = "Specified resource is in use.") -> Refusal:
    """The state of the resource forbids it now."""
    return Refusal("ResourceInUseException", message)


def too_many_processors(limit: int) -> Refusal:
    """The account has as many processors as it may have."""
    return Refusal("LimitExceededException", f"Stream processor limit exceeded for account, limit - {limit}.")


def too_many_sessions(kind: str, limit: int) -> Refusal:
    """As many processors of a kind are at work as may be.

    UNCERTAIN: AWS documents the quota and not the error, and StartStreamProcessor models none that fits. The code is
    the one that CreateStreamProcessor has for its own limit, the message is worded after it.
    """
    return Refusal(
        "LimitExceededException", f"Concurrent {kind} stream processor limit exceeded for account, limit - {limit}."
    )


def too_many_tags(limit: int) -> Refusal:
    """The resource would have more tags than it may have."""
    return Refusal("ServiceQuotaExceededException", f"Tag limit exceeded for resource, limit - {limit}.")


BAD_TOKEN = Refusal("InvalidPaginationTokenException", "Invalid Pagination Token")


def refuse(refusal: Refusal) -> RefusedError:
    """The exception that carries a refusal; to be raised."""
    return RefusedError(refusal)
