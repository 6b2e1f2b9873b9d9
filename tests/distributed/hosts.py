"""Run fleets on several hosts that share the slots of one account, on a real server in virtual time."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import attrs

from aiorekostream.distributed import RedisSessionSlots
from aiorekostream.fleet import Fleet
from aiorekostream.limits import Scope
from aiorekostream.rate_limiting.limiter import LocalRateLimiter
from aiorekostream.testing import MemoryTransport
from tests.distributed import virtual_redis
from tests.distributed.virtual_redis import TroubledRedis

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine

    import aiorekostream as rks
    from aiorekostream.rate_limiting import RateLimiter
    from tests.distributed.servers import Server
    from tests.fleet.service import Service

__all__ = ["FleetHost", "client_of", "run", "running_hosts"]


class _SharedScope(MemoryTransport):
    """A way to the service that has the same scope on every host."""

    @property
    def scope(self) -> Scope:
        return Scope(endpoint="https://rekognition.us-east-1.amazonaws.com", region="us-east-1", account="1")


def client_of(service: Service, *, rate_limiter: RateLimiter | None = None, total: float = 20) -> rks.Client:
    transport = _SharedScope(service.answer, region=service.region)
    return service.client(transport=transport, rate_limiter=rate_limiter or LocalRateLimiter(), total=total)


@attrs.define
class FleetHost:
    """A host: its way to the server, its slots, and its fleet."""

    redis: TroubledRedis
    slots: RedisSessionSlots
    fleet: Fleet


@contextlib.asynccontextmanager
async def running_hosts(
    server: Server, service: Service, count: int = 2, *, expected_hosts: int | None = None, total: float = 20
) -> AsyncGenerator[list[FleetHost]]:
    async with contextlib.AsyncExitStack() as stack:
        hosts: list[FleetHost] = []
        for _ in range(count):
            client = await stack.enter_async_context(TroubledRedis.from_url(server.url))
            slots = RedisSessionSlots(client, expected_hosts=expected_hosts)
            hosts.append(FleetHost(client, slots, Fleet(client_of(service, total=total), slots=slots)))
        try:
            yield hosts
        finally:
            for host in hosts:
                host.redis.trouble = ""
                await host.fleet.aclose()
                await host.slots.aclose()


def run(coroutine: Coroutine[object, object, None]) -> None:
    virtual_redis.run(coroutine)
