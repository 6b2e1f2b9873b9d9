"""Record the failed attempts of a call, and decide whether each of them is made again, and when."""

import asyncio
import datetime
import logging
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from aiorekostream.clock import Clock
from aiorekostream.errors import (
    CallError,
    ConfigurationError,
    ConnectError,
    DeadlineExceededError,
    ServiceError,
    UnknownOutcomeError,
)
from aiorekostream.limits import Limits
from aiorekostream.operations import Operation
from aiorekostream.pipeline.log import CallLogger, log_unreported
from aiorekostream.pipeline.trace import CallTrace, LostAttempt
from aiorekostream.rate_limiting.port import Permit
from aiorekostream.retry.classify import is_retryable, is_throttling
from aiorekostream.retry.policy import RetryPolicy
from aiorekostream.retry.token_bucket import RetryTokenBucket
from aiorekostream.transport.port import CredentialsNotReadyError

__all__ = ["NO_PERMIT", "CallFailures", "cancel_permit", "hint_for", "unknown_error"]

_log = logging.getLogger("aiorekostream")

NO_PERMIT = "no permit was granted"
"""What was missing, where a call's time has passed while it waited for the rate limiter."""
_MANY_CALLS = (
    "More calls wait than the quota lets through in this time: make fewer at once, or give them more time with"
    " client.with_options(timeout=...)"
)


@attrs.define(eq=False, repr=False, kw_only=True)
class CallFailures:
    """The failed attempts of one call.

    Attributes:
        policy: how many attempts are made, and when.
        tokens: the retries that may still be made without a rate limiter.
        random: gives a number from 0 to 1 each time.
        trace: the progress of the call.
        log: logs the attempts.
        latest: the error of the latest attempt that failed; ``None`` before.
        is_limited: whether the latest attempt had a permit of a rate limiter.
        retries_paid: the retries that took tokens.
    """

    policy: RetryPolicy
    tokens: RetryTokenBucket
    random: Callable[[], float]
    trace: CallTrace
    log: CallLogger
    latest: CallError | None = attrs.field(default=None, init=False)
    is_limited: bool = attrs.field(default=False, init=False)
    retries_paid: int = attrs.field(default=0, init=False)

    def report(self, permit: Permit, error: BaseException) -> None:
        """Report the result of the attempt to the rate limiter; nothing if the response was lost."""
        try:
            if is_throttling(error):
                permit.throttled()
            elif isinstance(error, ServiceError):
                permit.allowed()
            elif not self.trace.in_flight:
                permit.cancel()
        except (Exception, asyncio.CancelledError):  # noqa: BLE001 - the rate limiter may be the user's code
            log_unreported(self.log.operation)

    def add(self, failure: CallError) -> None:
        """Record a failed attempt in the trace."""
        trace = self.trace
        if _log.isEnabledFor(logging.DEBUG):
            self.log.attempted(failure)
        trace.in_flight, self.latest = False, failure
        if is_throttling(failure):
            if trace.on_event is not None:
                trace.on_event("throttled")
        elif not failure.retry_safe:
            now = self.log.clock.now()
            sent_at = now if trace.sent_at is None else trace.sent_at
            applied_by = self.policy.applied_by(failure, sent_at=sent_at, now=now)
            code, request_id = getattr(failure, "code", None), getattr(failure, "request_id", None)
            trace.lost.append(LostAttempt(sent_at, applied_by, code, request_id))
            trace.unresolved = True

    def is_retryable(self, error: BaseException) -> bool:
        """Return whether the call may be sent again after an error."""
        trace = self.trace
        if not is_retryable(error) or (is_throttling(error) and not trace.retries_throttled and not trace.lost):
            return False
        if self._is_free(error) or self.tokens.has_tokens:
            return True
        _log.debug("no retry tokens are left after %s", error)
        return False

    def before_retry(self, error: BaseException) -> None:
        """Take the tokens of the retry after an error, and report it as an event."""
        if not self._is_free(error):
            self.retries_paid += self.tokens.acquire()
        if self.trace.on_event is not None:
            self.trace.on_event("retried")

    def delay(self, error: BaseException, attempt: int) -> float:
        """Return the seconds from an error to the next attempt.

        Args:
            error: the error of the attempt.
            attempt: the number of the attempt.
        """
        asked = error.retry_after if isinstance(error, ServiceError) else 0.0
        if self.is_limited and is_throttling(error):
            return asked  # the rate limiter knows when
        return max(asked, self.policy.delay(attempt, self.random()))

    def deadline_exceeded(self, operation: Operation[Any, Any], missing: str, seconds: float) -> DeadlineExceededError:
        """Build the error of a call whose time has passed.

        Args:
            operation: what was called.
            missing: what did not come in time.
            seconds: the call's time.

        Raises:
            ConfigurationError: the credentials were not ready in all this time.
        """
        latest = self.latest
        if isinstance(latest, CredentialsNotReadyError):
            raise ConfigurationError(str(latest)) from latest
        cause = "" if latest is None else f"; the attempt before failed: {latest}"
        return DeadlineExceededError(
            f"{missing} within {seconds:.3g} s{cause}",
            operation=operation.name,
            deadline=seconds,
            attempts=self.trace.attempts,
            retry_safe=operation.idempotent or not self.trace.in_flight,
            hint=_MANY_CALLS if missing == NO_PERMIT else "",
        )

    def _is_free(self, error: BaseException) -> bool:
        """Return whether a retry is free of retry tokens: it has a permit, or nothing was sent before."""
        return self.is_limited or is_throttling(error) or isinstance(error, ConnectError)


def cancel_permit(permit: Permit | None, operation: str) -> None:
    """Return a permit unused. An exception of the rate limiter is logged, and changes no outcome.

    Args:
        permit: the permit; ``None`` where the operation is not limited.
        operation: AWS's name of the operation.
    """
    if permit is not None:
        try:
            permit.cancel()
        except (Exception, asyncio.CancelledError):  # noqa: BLE001 - the rate limiter may be the user's code
            log_unreported(operation)


def hint_for(error: ServiceError, body: Mapping[str, object], region: str | None, limits: Limits) -> str:
    """Return the recommended action for an error of the service; empty where there is none.

    Args:
        error: the error.
        body: the members of the request.
        region: the Region of the client.
        limits: the account's numbers.
    """
    try:
        from aiorekostream.transport.hints import advise  # noqa: PLC0415 - only errors of the service need it
    except (ImportError, OSError):  # such as too many open files: the error itself matters more
        return ""
    return advise(error.code, error.message, operation=error.operation, region=region, body=body, limits=limits)


def unknown_error(
    operation: str, trace: CallTrace, reason: str, *, clock: Clock, policy: RetryPolicy
) -> UnknownOutcomeError:
    """Build the error of a call that the service may have applied, with the moment from which a retry is safe."""
    if trace.in_flight:  # the answer will not be read
        sent_at = clock.now() if trace.sent_at is None else trace.sent_at
        trace.lost.append(LostAttempt(sent_at, sent_at + policy.max_apply_delay))
        trace.unresolved = True
    left, first = max(0.0, trace.applied_by - clock.now()), trace.lost[0]
    return UnknownOutcomeError(
        reason,
        operation=operation,
        retry_safe_at=clock.wall() + datetime.timedelta(seconds=left),
        code=first.code,
        request_id=first.request_id,
        attempts=trace.attempts,
    )
