"""Run the rate limiters of this package through the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from aiorekostream.clock import Clock, SystemClock
from aiorekostream.rate_limiting import LocalRateLimiter, RateLimiter
from tests import virtual_time
from tests.rate_limiting.contract import RateLimiterContract

if TYPE_CHECKING:
    from collections.abc import Coroutine

_T = TypeVar("_T")


class TestLocalRateLimiter(RateLimiterContract):
    def run(self, coroutine: Coroutine[object, object, _T]) -> _T:
        return virtual_time.run(coroutine)

    async def limiter(self) -> RateLimiter:
        return LocalRateLimiter()

    def clock(self) -> Clock:
        return SystemClock()
