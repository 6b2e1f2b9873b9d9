"""Whether a failed attempt should be made again: it must be harmless, and there must be hope.

Harmless is what ``retry_safe`` says. Hope is in what passes by itself: throttling, a failure of the service, a broken
connection. A hard limit (``LimitExceededException``, ``ServiceQuotaExceededException``) does not pass, although
botocore counts the first among throttling; nor does a state that forbids the call, or a refusal of the input.
"""

from __future__ import annotations

from aiorekostream.errors import (
    InternalServerError,
    ProvisionedThroughputExceededError,
    RekostreamError,
    ServiceError,
    ThrottlingError,
    TransportError,
)

__all__ = ["is_retryable", "is_throttling", "is_transient"]

# Codes that other layers of AWS, or a proxy before it, use for the same thing.
_THROTTLING = frozenset(
    {
        "BandwidthLimitExceeded",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottledException",
        "TooManyRequestsException",
    }
)
_PASSING = frozenset({"RequestAbortedException", "RequestTimeout", "RequestTimeoutException"})
_SERVER_FAULT = 500
_TOO_MANY_REQUESTS = 429


def is_throttling(error: BaseException) -> bool:
    """Whether the service said that calls come too fast."""
    return isinstance(error, ThrottlingError | ProvisionedThroughputExceededError) or (
        isinstance(error, ServiceError) and (error.code in _THROTTLING or error.http_status == _TOO_MANY_REQUESTS)
    )


def is_transient(error: BaseException) -> bool:
    """Whether the cause may be gone a little later."""
    match error:
        case TransportError() | InternalServerError():
            return True
        case ServiceError():
            return is_throttling(error) or error.code in _PASSING or error.http_status >= _SERVER_FAULT
        case _:
            return False


def is_retryable(error: BaseException) -> bool:
    """The verdict: again, or not."""
    return isinstance(error, RekostreamError) and bool(error.retry_safe) and is_transient(error)
