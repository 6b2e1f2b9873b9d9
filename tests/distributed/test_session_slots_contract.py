"""Run the shared slots through the contract of session slots, on real servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aiorekostream.distributed import RedisSessionSlots
from tests.distributed import virtual_redis
from tests.fleet.slots_contract import SessionSlotsContract

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from aiorekostream.fleet import SharedSessionSlots
    from tests.distributed.servers import Server


class TestRedisSessionSlots(SessionSlotsContract):
    url: str

    @pytest.fixture(autouse=True)
    def use_server(self, server: Server) -> None:
        self.url = server.url

    def run(self, check: Callable[[SharedSessionSlots | None], Coroutine[object, object, None]]) -> None:
        async def with_slots() -> None:
            async with virtual_redis.VirtualRedis.from_url(self.url) as client:
                slots = RedisSessionSlots(client)
                try:
                    await check(slots)
                finally:
                    await slots.aclose()

        virtual_redis.run(with_slots())
