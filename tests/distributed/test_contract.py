"""Run the shared rate limiter through the contract of rate limiters, on real servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import pytest

from aiorekostream.clock import Clock, SystemClock
from aiorekostream.distributed import RedisRateLimiter
from tests.distributed import virtual_redis
from tests.rate_limiting.contract import RateLimiterContract

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from aiorekostream.rate_limiting import RateLimiter
    from tests.distributed.servers import Server

_T = TypeVar("_T")


class TestRedisRateLimiter(RateLimiterContract):
    url: str
    client: virtual_redis.VirtualRedis
    rate_limiter: RedisRateLimiter

    @pytest.fixture(autouse=True)
    def use_server(self, server: Server) -> None:
        self.url = server.url

    def run(self, coroutine: Coroutine[object, object, _T]) -> _T:
        async def check() -> _T:
            async with virtual_redis.VirtualRedis.from_url(self.url) as client:
                self.client = client
                try:
                    return await coroutine
                finally:
                    await self.rate_limiter.aclose()

        return virtual_redis.run(check())

    async def limiter(self) -> RateLimiter:
        self.rate_limiter = RedisRateLimiter(self.client)
        return self.rate_limiter

    def clock(self) -> Clock:
        return SystemClock()
