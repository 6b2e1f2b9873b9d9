"""Decide whether a failed attempt is retried: the retry must be safe, and it must have a chance.

``retry_safe`` on the error says whether it is safe. A chance have throttling, failures of the service and broken
connections. What the codes mean is in ``error_codes.py``.
"""

from __future__ import annotations

from aiorekostream.error_codes import Category, category_of
from aiorekostream.errors import (
    InternalServerError,
    MalformedResponseError,
    ProvisionedThroughputExceededError,
    RekostreamError,
    ServiceError,
    ThrottlingError,
    TransportError,
)

__all__ = ["is_retryable", "is_throttling", "is_transient"]


def is_throttling(error: BaseException) -> bool:
    """Return whether the service refused the call because calls come too fast."""
    if isinstance(error, ThrottlingError | ProvisionedThroughputExceededError):
        return True
    return isinstance(error, ServiceError) and category_of(error.code, error.http_status) is Category.THROTTLING


def is_transient(error: BaseException) -> bool:
    """Return whether the cause may be gone a little later."""
    match error:
        case TransportError() | InternalServerError() | MalformedResponseError():
            return True
        case ServiceError():
            return is_throttling(error) or category_of(error.code, error.http_status) is Category.TRANSIENT
        case _:
            return False


def is_retryable(error: BaseException) -> bool:
    """Return whether another attempt is safe and may succeed."""
    return isinstance(error, RekostreamError) and bool(error.retry_safe) and is_transient(error)
