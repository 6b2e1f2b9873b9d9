"""Define the fate of a request on its way: how its response is lost, and whether and when the service applies it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import aiohttp
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from aiorekostream.emulator.world.answers import Refusal
from aiorekostream.transport.attempts import Answer, Attempt
from aiorekostream.transport.error_mapping import malformed_response, service_error, translated

if TYPE_CHECKING:
    import random

    from aiorekostream.errors import ServiceError

__all__ = ["LOSSES", "Effect", "Fate", "FateOf", "Loss", "answered", "error_of", "random_fates", "refused"]

_ADDRESS = "https://rekognition.us-east-1.amazonaws.com"
_FAILED = Refusal("InternalServerError", "Internal server error.", 500)
_TIMED_OUT = Refusal("RequestTimeoutException", "The request timed out.", 408)


class Loss(enum.Enum):
    """How a response is lost."""

    NONE = enum.auto()
    NO_CONNECTION = enum.auto()
    CLOSED = enum.auto()
    READ_TIMEOUT = enum.auto()
    SERVER_ERROR = enum.auto()
    REQUEST_TIMEOUT = enum.auto()
    WRONG_STATUS = enum.auto()

    def window(self, *, sent_at: float, seen_at: float) -> tuple[float, float]:
        """When the service may apply the call late: the documented assumption, from and until.

        The seconds are written down here once more, so that a change of ``RetryPolicy`` does not change the oracle.
        """
        if self in {Loss.CLOSED, Loss.SERVER_ERROR}:
            return seen_at, seen_at + 3.0
        return sent_at, sent_at + 30.0


class Effect(enum.Enum):
    """Whether and when the service applies a request."""

    AT_ONCE = enum.auto()
    LATE = enum.auto()
    NEVER = enum.auto()


class Fate(enum.Enum):
    """The fate of a request."""

    ANSWERED = (Loss.NONE, Effect.AT_ONCE)
    NO_CONNECTION = (Loss.NO_CONNECTION, Effect.NEVER)
    CLOSED_APPLIED = (Loss.CLOSED, Effect.AT_ONCE)
    CLOSED_LATE = (Loss.CLOSED, Effect.LATE)
    CLOSED_NOT_APPLIED = (Loss.CLOSED, Effect.NEVER)
    READ_TIMEOUT_APPLIED = (Loss.READ_TIMEOUT, Effect.AT_ONCE)
    READ_TIMEOUT_LATE = (Loss.READ_TIMEOUT, Effect.LATE)
    READ_TIMEOUT_NOT_APPLIED = (Loss.READ_TIMEOUT, Effect.NEVER)
    SERVER_ERROR_APPLIED = (Loss.SERVER_ERROR, Effect.AT_ONCE)
    SERVER_ERROR_LATE = (Loss.SERVER_ERROR, Effect.LATE)
    SERVER_ERROR_NOT_APPLIED = (Loss.SERVER_ERROR, Effect.NEVER)
    REQUEST_TIMEOUT_APPLIED = (Loss.REQUEST_TIMEOUT, Effect.AT_ONCE)
    REQUEST_TIMEOUT_LATE = (Loss.REQUEST_TIMEOUT, Effect.LATE)
    REQUEST_TIMEOUT_NOT_APPLIED = (Loss.REQUEST_TIMEOUT, Effect.NEVER)
    WRONG_STATUS_APPLIED = (Loss.WRONG_STATUS, Effect.AT_ONCE)
    WRONG_STATUS_LATE = (Loss.WRONG_STATUS, Effect.LATE)
    WRONG_STATUS_NOT_APPLIED = (Loss.WRONG_STATUS, Effect.NEVER)

    @property
    def loss(self) -> Loss:
        return self.value[0]

    @property
    def effect(self) -> Effect:
        return self.value[1]


LOSSES = tuple(fate for fate in Fate if fate is not Fate.ANSWERED)
"""Every fate but an answer."""

FateOf = Callable[[str, Mapping[str, object]], Fate]
"""Decides the fate of a request by its operation and its members."""


def answered(_operation: str, _members: Mapping[str, object]) -> Fate:
    """Lose nothing."""
    return Fate.ANSWERED


def random_fates(rng: random.Random, chances: Mapping[Fate, float]) -> FateOf:
    """Draw each request's fate; ``chances`` are relative to 1 for an answer."""
    fates, weights = [Fate.ANSWERED, *chances], [1.0, *chances.values()]

    def fate_of(_operation: str, _members: Mapping[str, object]) -> Fate:
        return rng.choices(fates, weights)[0]

    return fate_of


def error_of(loss: Loss, attempt: Attempt) -> Exception:
    """Return what the package's own transport raises for a loss."""
    match loss:
        case Loss.NO_CONNECTION:
            refused_at = EndpointConnectionError(endpoint_url=_ADDRESS, error=aiohttp.ClientConnectionError("refused"))
            return translated(refused_at, Attempt(attempt.operation, attempt.idempotent, signed=True))
        case Loss.CLOSED:
            closed = ConnectionClosedError(endpoint_url=_ADDRESS, error=aiohttp.ServerDisconnectedError())
            return translated(closed, attempt)
        case Loss.SERVER_ERROR:
            return refused(_FAILED, attempt)
        case Loss.REQUEST_TIMEOUT:
            return refused(_TIMED_OUT, attempt)
        case Loss.WRONG_STATUS:
            attempt.answer = Answer(204, "simulated")
            return malformed_response(attempt, "HTTP 204", "HTTP 200 or an error")
        case _:
            return translated(ReadTimeoutError(endpoint_url=_ADDRESS, error=TimeoutError()), attempt)


def refused(refusal: Refusal, attempt: Attempt) -> ServiceError:
    """Return what the transport raises for an error response."""
    response = {
        "Error": {"Code": refusal.code, "Message": refusal.message or ""},
        "ResponseMetadata": {"HTTPStatusCode": refusal.status, "RequestId": "simulated"},
    }
    return service_error(response, attempt)
