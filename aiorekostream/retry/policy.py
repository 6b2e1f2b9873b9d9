"""Define the retry policy, and carry it out with tenacity; the only file that knows tenacity."""

import datetime
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, TypeVar, cast, final

import attrs

from aiorekostream.clock import Clock
from aiorekostream.domain.fields import count, seconds
from aiorekostream.domain.rules import Validated, all_valid, collecting
from aiorekostream.errors import (
    CallError,
    ConnectionLostError,
    RekostreamError,
    ServiceError,
    ValidationIssue,
)
from aiorekostream.retry.classify import is_retryable

if TYPE_CHECKING:
    import tenacity

__all__ = ["RetryPolicy", "full_jitter"]

_T = TypeVar("_T")
_LONGEST_DELAY = 86_400  # seconds: a day
_SERVER_ERROR = 500  # the first HTTP status of the service's own failures


def _seconds(value: datetime.timedelta | float) -> float:
    return seconds(value, least=0, most=_LONGEST_DELAY)


@final
@attrs.frozen(kw_only=True, field_transformer=collecting)
class RetryPolicy(Validated):
    """The number of attempts of a call, and the delay between them: exponential with full jitter.

    A call is made again only where that can do no harm and may help; see ``retry_safe`` on the errors. The call's
    deadline holds whatever this says: an attempt that would begin after it is not waited for.

    Attributes:
        max_attempts: the most attempts, the first one included; at least 1.
        base_delay: the longest wait after the first attempt, in seconds; it doubles with each further one.
        max_delay: the longest wait of all, in seconds.
        max_apply_delay: for how long after sending the service may still apply a call whose response was lost (none in
            time, HTTP 408), in seconds. Such a call is sent again, or called "not applied", only after that.
        max_apply_delay_after_close: the same after the connection was closed or an HTTP 5xx was read, in seconds.

    Raises:
        InvalidRequestError: a field breaks its rule.
    """

    max_attempts: int = attrs.field(default=12, converter=count)
    base_delay: float = attrs.field(default=0.5, converter=_seconds)
    max_delay: float = attrs.field(default=8.0, converter=_seconds)
    # UNCERTAIN: AWS does not say for how long it may still apply a call after its response was lost. A service that
    # acts later than this makes "not applied" untrue. These are longer than any documented timeout of a front end.
    max_apply_delay: float = attrs.field(default=30.0, converter=_seconds)
    max_apply_delay_after_close: float = attrs.field(default=3.0, converter=_seconds)

    def _contradictions(self) -> Iterator[ValidationIssue]:
        if all_valid(self.base_delay, self.max_delay) and self.base_delay > self.max_delay:
            yield ValidationIssue(("base_delay",), self.base_delay, f"at most max_delay, {self.max_delay:g}")

    def delay(self, attempt: int, random: float) -> float:
        """Return the seconds to wait after a failed attempt: at most a ceiling that doubles up to ``max_delay``.

        Args:
            attempt: the number of the attempt that failed, from 1.
            random: the share of the ceiling, from 0 to 1.
        """
        return full_jitter(attempt, base=self.base_delay, cap=self.max_delay, random=random)

    def applied_by(self, error: CallError, *, sent_at: float, now: float) -> float:
        """Return the moment after which the service no longer applies an attempt whose response was lost.

        Args:
            error: how the response was lost.
            sent_at: when the attempt began to go out.
            now: when the loss was seen, on the same clock.
        """
        is_closed = isinstance(error, ConnectionLostError) and error.closed
        is_server_error = isinstance(error, ServiceError) and error.http_status >= _SERVER_ERROR
        if is_closed or is_server_error:
            return now + self.max_apply_delay_after_close
        return sent_at + self.max_apply_delay

    async def run(
        self,
        attempt: Callable[[], Awaitable[_T]],
        *,
        is_retryable: Callable[[BaseException], bool] = is_retryable,
        delay: Callable[[BaseException, int], float],
        before_retry: Callable[[BaseException], None] | None = None,
        clock: Clock,
        deadline: Callable[[], float],
        attempts_made: int = 0,
    ) -> _T:
        """Make attempts until one succeeds, fails for good, is the last one allowed, or meets the deadline.

        Args:
            attempt: makes one attempt.
            is_retryable: whether this error allows another attempt.
            delay: seconds to wait after this error of this attempt, which has a number from 1.
            before_retry: called with the error before the wait for another attempt, if given.
            clock: measures the time and sleeps.
            deadline: the moment of that clock after which no attempt begins.
            attempts_made: attempts that earlier calls for the same request have made.

        Raises:
            RekostreamError: the last attempt's error.
        """
        # Most calls need one attempt, and tenacity costs more than the rest of the way: it begins with the first error.
        try:
            return await attempt()
        except RekostreamError as error:
            if not is_retryable(error):
                raise
            failures = [error]
            try:
                import tenacity  # noqa: PLC0415 - its import takes milliseconds, and few programs that call once need it
            except (ImportError, OSError):  # such as too many open files, for which the attempt may have failed
                raise error from error.__cause__

        async def next_attempt() -> _T:
            if failures:
                raise failures.pop()
            return await attempt()

        def stop(state: tenacity.RetryCallState) -> bool:
            return attempts_made + state.attempt_number >= self.max_attempts or (
                clock.now() + state.upcoming_sleep >= deadline()
            )

        retrying = tenacity.AsyncRetrying(
            sleep=clock.sleep,
            stop=stop,
            wait=lambda state: delay(_error(state), state.attempt_number),
            retry=tenacity.retry_if_exception(is_retryable),
            before_sleep=None if before_retry is None else lambda state: before_retry(_error(state)),
            reraise=True,
        )
        return cast("_T", await retrying(next_attempt))


def full_jitter(attempt: int, *, base: float, cap: float, random: float) -> float:
    """Return the seconds to wait after a failed attempt, anything from nothing to a ceiling that doubles each time.

    Args:
        attempt: the number of the attempt that failed, from 1.
        base: the ceiling after the first attempt, in seconds.
        cap: the highest ceiling, in seconds.
        random: a number from 0 to 1 that says how much of the ceiling to take.
    """
    # 2**1023 is the greatest power of two that is a float.
    return random * min(cap, base * 2.0 ** min(attempt - 1, 1023))


def _error(state: "tenacity.RetryCallState") -> BaseException:
    error = state.outcome.exception() if state.outcome else None
    return error or RuntimeError("an attempt that did not fail")
