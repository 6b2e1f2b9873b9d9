"""The retry policy, and tenacity, which carries it out; the only file that knows tenacity."""

import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar, cast

import attrs
import tenacity

from aiorekostream.clock import Clock
from aiorekostream.domain.fields import finite, whole_number
from aiorekostream.domain.rules import Validated, collecting
from aiorekostream.errors import RekostreamError, ValidationIssue

__all__ = ["RetryPolicy", "full_jitter"]

_T = TypeVar("_T")
_log = logging.getLogger("aiorekostream")


def _attempts(value: int) -> int:
    return whole_number(value, least=1)


def _seconds(value: float) -> float:
    return finite(value, least=0, most=86_400)


@attrs.frozen(kw_only=True, field_transformer=collecting)
class RetryPolicy(Validated):
    """How often a call is made, and how long it waits in between: exponential with full jitter.

    A call is made again only where that can do no harm and may help; see ``retry_safe`` on the errors. The call's
    deadline holds whatever this says: an attempt that would begin after it is not waited for.

    Attributes:
        max_attempts: the most attempts, the first one included; at least 1.
        base_delay: the longest wait after the first attempt, in seconds; it doubles with each further one.
        max_delay: the longest wait of all, in seconds.

    Raises:
        InvalidRequestError: a field breaks its rule.
    """

    max_attempts: int = attrs.field(default=12, converter=_attempts)
    base_delay: float = attrs.field(default=0.5, converter=_seconds)
    max_delay: float = attrs.field(default=8.0, converter=_seconds)

    def _contradictions(self) -> Iterator[ValidationIssue]:
        if (
            isinstance(self.base_delay, float)
            and isinstance(self.max_delay, float)
            and self.base_delay > self.max_delay
        ):
            yield ValidationIssue(("base_delay",), self.base_delay, f"at most max_delay, {self.max_delay:g}")

    def delay(self, attempt: int, random: float) -> float:
        """Seconds to wait after a failed attempt, by its number from 1; ``random`` from 0 to 1 is the jitter."""
        return full_jitter(attempt, base=self.base_delay, cap=self.max_delay, random=random)

    async def run(
        self,
        attempt: Callable[[], Awaitable[_T]],
        *,
        worth: Callable[[BaseException], bool],
        delay: Callable[[BaseException, int], float],
        again: Callable[[BaseException], None],
        clock: Clock,
        deadline: float,
    ) -> _T:
        """Make attempts until one succeeds, none is worth making, or the next would begin after the deadline.

        Args:
            attempt: makes one attempt.
            worth: whether there should be another attempt after this error.
            delay: seconds to wait after this error of this attempt, which has a number from 1.
            again: told that there will be another attempt after this error, before the wait for it.
            clock: tells the time and sleeps.
            deadline: a moment of that clock.

        Raises:
            RekostreamError: the last attempt's error.
        """
        # Most calls need one attempt, and tenacity costs more than the rest of the way: it begins with the first error.
        try:
            return await attempt()
        except RekostreamError as error:
            first: RekostreamError | None = error

        async def next_attempt() -> _T:
            nonlocal first
            if first is not None:
                error, first = first, None
                raise error
            return await attempt()

        def wait(state: tenacity.RetryCallState) -> float:
            return delay(_error(state), state.attempt_number)

        def stop(state: tenacity.RetryCallState) -> bool:
            return state.attempt_number >= self.max_attempts or clock.now() + state.upcoming_sleep >= deadline

        def tell(state: tenacity.RetryCallState) -> None:
            _log.debug(
                "attempt %d failed, again in %.3f s: %s", state.attempt_number, state.upcoming_sleep, _error(state)
            )
            again(_error(state))

        retrying = tenacity.AsyncRetrying(
            sleep=clock.sleep,
            stop=stop,
            wait=wait,
            retry=tenacity.retry_if_exception(worth),
            before_sleep=tell,
            reraise=True,
        )
        return cast("_T", await retrying(next_attempt))


def full_jitter(attempt: int, *, base: float, cap: float, random: float) -> float:
    """Seconds to wait after a failed attempt, anything from nothing to a ceiling that doubles each time.

    Args:
        attempt: the number of the attempt that failed, from 1.
        base: the ceiling after the first attempt, in seconds.
        cap: the highest ceiling, in seconds.
        random: a number from 0 to 1 that says how much of the ceiling to take.
    """
    # 2**1023 is the greatest power of two that is a float.
    return random * min(cap, base * 2.0 ** min(attempt - 1, 1023))


def _error(state: tenacity.RetryCallState) -> BaseException:
    error = state.outcome.exception() if state.outcome else None
    return error or RuntimeError("an attempt that did not fail")
