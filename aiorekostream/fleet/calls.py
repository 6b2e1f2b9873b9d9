"""What starts and stops share: the number of calls in flight, when one is repeated, and what its error becomes."""

from __future__ import annotations

import asyncio
import copy
import datetime
import logging
from typing import TYPE_CHECKING, TypeVar

from aiorekostream.domain.requests import StartRequest
from aiorekostream.errors import RekostreamError, RequestCancelledError, ServiceError, UnknownOutcomeError
from aiorekostream.fleet.outcomes import Failed, Unknown
from aiorekostream.pipeline import LostAttempt

if TYPE_CHECKING:
    from aiorekostream.pipeline import CallTrace, Pipeline

__all__ = ["after_unexpected_error", "failure_of", "log_failure", "most_in_flight", "throttle_delay", "unknown_error"]

_RequestT = TypeVar("_RequestT", bound=StartRequest | str)
_log = logging.getLogger("aiorekostream")

# Calls under way at once are those of this many seconds at the rate of the quota: enough for slow answers, and few
# enough that an outage does not take the whole queue along.
_SECONDS_IN_FLIGHT, _LEAST_IN_FLIGHT, _MOST_IN_FLIGHT = 5, 2, 100


def most_in_flight(pipeline: Pipeline, operation: str) -> int:
    """The most calls of an operation that are under way at once, where the user has not said."""
    quota = pipeline.limits.quotas.get(operation)
    if pipeline.rate_limiter is None or quota is None:
        return _MOST_IN_FLIGHT
    return max(_LEAST_IN_FLIGHT, min(_MOST_IN_FLIGHT, round(quota.rate * _SECONDS_IN_FLIGHT)))


def throttle_delay(pipeline: Pipeline, error: RekostreamError, trace: CallTrace, *, is_limited: bool) -> float:
    """Seconds until a throttled request may be sent again; the rate limiter knows better, where there is one."""
    asked = error.retry_after if isinstance(error, ServiceError) else 0.0
    return asked if is_limited else max(asked, pipeline.retry.delay(trace.attempts, pipeline.random()))


def unknown_error(
    pipeline: Pipeline,
    operation: str,
    trace: CallTrace,
    reason: str = "the program broke the call off while it was under way",
) -> UnknownOutcomeError:
    """The error of a call that the service may have applied, which is not reconciled."""
    clock = pipeline.clock
    if trace.in_flight:  # the answer will not be read
        sent_at = clock.now() if trace.sent_at is None else trace.sent_at
        trace.lost.append(LostAttempt(sent_at, sent_at + pipeline.retry.max_apply_delay))
        trace.unresolved = True
    left = trace.applied_by - clock.now()
    return UnknownOutcomeError(
        reason,
        operation=operation,
        retry_safe_at=clock.wall() + datetime.timedelta(seconds=max(0.0, left)),
        attempts=trace.attempts,
    )


def after_unexpected_error(
    pipeline: Pipeline, operation: str, request: _RequestT, trace: CallTrace, error: Exception
) -> Failed[_RequestT] | Unknown[_RequestT]:
    """The outcome of a call that failed in an unexpected way, as with a bug of the transport."""
    if not trace.may_be_applied:
        return Failed(request, error)
    unknown = unknown_error(pipeline, operation, trace, f"the call failed in an unexpected way: {error!r}")
    unknown.__cause__ = error
    return Unknown(request, unknown)


def log_failure(error: BaseException) -> None:
    """Log why a scheduler cannot dispatch, where that is no failure that callers expect."""
    if not isinstance(error, RekostreamError | asyncio.CancelledError):
        _log.error("the scheduler failed in an unexpected way", exc_info=error)


def failure_of(error: BaseException, name: str) -> Exception:
    """The error of one queued request, with notes and a traceback of its own, after the scheduler has failed."""
    return copy.copy(error) if isinstance(error, Exception) else RequestCancelledError(name=name)
