"""The contract of a rate limiter, as checks that any implementation can be run through.

Subclass ``RateLimiterContract`` in a test module and define ``run``, ``limiter`` and ``clock``. Each check gets a scope
of its own, so that implementations which share state between tests start from a full bucket.
"""

from __future__ import annotations

import abc
import asyncio
import contextlib
import itertools
from typing import TYPE_CHECKING, TypeVar

import pytest

from aiorekostream.errors import RateLimitedError
from aiorekostream.limits import Quota, Scope
from aiorekostream.rate_limiting.port import Permit, PermitRequest, Priority

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from aiorekostream.clock import Clock
    from aiorekostream.rate_limiting.port import RateLimiter

__all__ = ["RateLimiterContract"]

_T = TypeVar("_T")
_numbers = itertools.count()


class RateLimiterContract(abc.ABC):
    """Check an implementation of ``RateLimiter`` that waits."""

    queues_by_priority: bool = True
    """Whether the implementation queues; one that only says no has no order."""

    @abc.abstractmethod
    def run(self, coroutine: Coroutine[object, object, _T]) -> _T:
        """Run a check to its end, in virtual time if possible."""

    @abc.abstractmethod
    async def limiter(self) -> RateLimiter:
        """Create a limiter, inside the event loop of a check."""

    @abc.abstractmethod
    def clock(self) -> Clock:
        """The clock of the checks."""

    @pytest.fixture
    def scope(self) -> Scope:
        return Scope(endpoint=f"contract-{next(_numbers)}", region="us-east-1", account="a")

    def request(
        self,
        scope: Scope,
        *,
        rate: float = 10,
        burst: float = 1,
        priority: Priority = Priority.NORMAL,
        timeout: float = float("inf"),
    ) -> PermitRequest:
        return PermitRequest(
            scope=scope,
            operation="StartStreamProcessor",
            quota=Quota(rate, burst),
            priority=priority,
            timeout=timeout,
            clock=self.clock(),
        )

    def test_permits_are_granted_at_the_rate_of_the_quota(self, scope: Scope) -> None:
        async def check() -> float:
            limiter, clock = await self.limiter(), self.clock()
            begin = clock.now()
            for _ in range(20):
                (await limiter.acquire(self.request(scope))).allowed()
            return clock.now() - begin

        assert 1.85 <= self.run(check()) <= 2.2

    def test_concurrent_requests_are_granted_at_the_rate_of_the_quota(self, scope: Scope) -> None:
        async def check() -> float:
            limiter, clock = await self.limiter(), self.clock()
            begin = clock.now()
            permits = await asyncio.gather(*(limiter.acquire(self.request(scope)) for _ in range(20)))
            for permit in permits:
                permit.allowed()
            return clock.now() - begin

        assert 1.85 <= self.run(check()) <= 2.2

    def test_scopes_have_quotas_of_their_own(self, scope: Scope) -> None:
        async def check() -> float:
            limiter, clock = await self.limiter(), self.clock()
            other = Scope(endpoint=scope.endpoint, region="eu-west-1", account=scope.account)
            begin = clock.now()
            await asyncio.gather(limiter.acquire(self.request(scope)), limiter.acquire(self.request(other)))
            return clock.now() - begin

        assert self.run(check()) < 0.05

    def test_queued_requests_are_served_by_priority(self, scope: Scope) -> None:
        if not self.queues_by_priority:
            pytest.skip("this implementation has no queue")

        async def check() -> list[Priority]:
            limiter, served = await self.limiter(), list[Priority]()
            await limiter.acquire(self.request(scope))

            async def queue(priority: Priority) -> None:
                await limiter.acquire(self.request(scope, priority=priority))
                served.append(priority)

            await asyncio.gather(*(queue(priority) for priority in reversed(Priority) for _ in range(2)))
            return served

        assert self.run(check()) == sorted([*Priority, *Priority])

    def test_answer_comes_within_the_timeout(self, scope: Scope) -> None:
        async def check() -> tuple[float, float]:
            limiter, clock = await self.limiter(), self.clock()
            await limiter.acquire(self.request(scope, rate=0.1))
            begin = clock.now()
            with pytest.raises(RateLimitedError) as caught:
                await limiter.acquire(self.request(scope, rate=0.1, timeout=2))
            assert (caught.value.operation, caught.value.retry_safe) == ("StartStreamProcessor", True)
            return clock.now() - begin, caught.value.retry_after

        waited, retry_after = self.run(check())
        assert waited <= 2.01
        assert 0 < retry_after <= 10.5

    def test_timeout_of_zero_is_answered_at_once(self, scope: Scope) -> None:
        async def check() -> float:
            limiter, clock = await self.limiter(), self.clock()
            begin = clock.now()
            await limiter.acquire(self.request(scope, rate=0.1, timeout=0))
            with pytest.raises(RateLimitedError):
                await limiter.acquire(self.request(scope, rate=0.1, timeout=0))
            return clock.now() - begin

        assert self.run(check()) < 0.05

    def test_cancelled_permit_is_granted_to_others(self, scope: Scope) -> None:
        async def check() -> float:
            limiter, clock = await self.limiter(), self.clock()
            permit = await limiter.acquire(self.request(scope, rate=0.1))
            begin = clock.now()
            waiter = asyncio.create_task(limiter.acquire(self.request(scope, rate=0.1)))
            await clock.sleep(1)
            permit.cancel()
            await waiter
            return clock.now() - begin

        assert 1 <= self.run(check()) <= 5

    @pytest.mark.parametrize("second", ["allowed", "throttled", "cancel"])
    def test_first_report_counts(self, scope: Scope, second: str) -> None:
        """A permit that was reported as allowed cannot be cancelled or throttled afterwards."""

        async def check() -> float:
            limiter, clock = await self.limiter(), self.clock()
            permit = await limiter.acquire(self.request(scope, rate=1))
            begin = clock.now()
            permit.allowed()
            for _ in range(3):
                getattr(permit, second)()
            await limiter.acquire(self.request(scope, rate=1))
            await limiter.acquire(self.request(scope, rate=1))
            return clock.now() - begin

        assert 1.9 <= self.run(check()) <= 2.2

    def test_throttle_delays_the_next_permit(self, scope: Scope) -> None:
        async def check() -> float:
            limiter, clock = await self.limiter(), self.clock()
            permits: list[Permit] = [await limiter.acquire(self.request(scope, rate=2, burst=10)) for _ in range(5)]
            begin = clock.now()
            for permit in permits:
                permit.throttled()
            await asyncio.gather(*(limiter.acquire(self.request(scope, rate=2, burst=10)) for _ in range(6)))
            return clock.now() - begin

        assert self.run(check()) >= 1.5

    def test_cancelled_acquire_leaves_nothing(self, scope: Scope) -> None:
        async def check() -> float:
            limiter, clock = await self.limiter(), self.clock()
            await limiter.acquire(self.request(scope, rate=1))
            begin = clock.now()
            waiters = [asyncio.create_task(limiter.acquire(self.request(scope, rate=1))) for _ in range(5)]
            await clock.sleep(0.5)
            for waiter in waiters:
                waiter.cancel()
            await asyncio.gather(*waiters, return_exceptions=True)
            await limiter.acquire(self.request(scope, rate=1))
            assert asyncio.all_tasks() <= {asyncio.current_task()}
            return clock.now() - begin

        assert 0.9 <= self.run(check()) <= 1.3

    @pytest.mark.parametrize("after", [0.0, 0.05, 0.1, 0.1025, 0.15])
    def test_acquire_cancelled_at_any_moment_uses_no_permit(self, scope: Scope, after: float) -> None:
        async def check() -> float:
            limiter, clock = await self.limiter(), self.clock()
            await limiter.acquire(self.request(scope))
            begin = clock.now()
            with contextlib.suppress(TimeoutError):
                async with clock.timeout_at(begin + after):
                    (await limiter.acquire(self.request(scope))).cancel()
            await limiter.acquire(self.request(scope))
            return clock.now() - begin

        assert self.run(check()) <= 0.25
