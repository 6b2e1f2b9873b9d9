"""Hosts on one server, in virtual time: what they grant together, and what each does while the server is away."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

import pytest

import aiorekostream as rks
from aiorekostream.clock import SystemClock
from aiorekostream.distributed import RedisRateLimiter
from aiorekostream.limits import Quota, Scope
from aiorekostream.rate_limiting import PermitRequest, Priority, RateStatus
from aiorekostream.testing import MemoryTransport
from tests.distributed import virtual_redis
from tests.distributed.virtual_redis import TroubledRedis
from tests.rate_limiting.simulation import ServiceBucket

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Sequence

    from tests.distributed.servers import Server

_SCOPE = Scope(endpoint="https://rekognition.us-east-1.amazonaws.com", region="us-east-1", account="1")
_STARTS, _STOPS = Quota(20, 20), Quota(1, 1)


class _Hosts:
    """Hosts that send through one service, which throttles above the quota."""

    def __init__(self, redis: Sequence[TroubledRedis], quota: Quota, *, believed: Quota | None = None) -> None:
        self.redis = redis
        self.limiters = [RedisRateLimiter(client, expected_hosts=len(redis)) for client in redis]
        self.quota = believed or quota
        self.service = ServiceBucket(quota.rate, quota.burst)
        self.accepted: list[float] = []
        self.throttled: list[float] = []

    async def send(self, host: int, *, priority: Priority = Priority.NORMAL) -> None:
        clock = SystemClock()
        while True:
            permit = await self.limiters[host].acquire(request(self.quota, priority=priority))
            await clock.sleep(0.005)
            is_admitted, now = self.service.admits(clock.now()), clock.now()
            (self.accepted if is_admitted else self.throttled).append(now)
            await clock.sleep(0.02)
            if is_admitted:
                permit.allowed()
                return
            permit.throttled()

    async def send_all(self, count: int) -> float:
        clock = SystemClock()
        begin = clock.now()
        await asyncio.gather(*(self.send(number % len(self.redis)) for number in range(count)))
        return clock.now() - begin

    def disturb(self, trouble: str) -> None:
        for client in self.redis:
            client.trouble = trouble

    async def send_and_disturb(self, count: int, trouble: str, *, empties: bool = False) -> float:
        async def disturb() -> None:
            clock = SystemClock()
            await clock.sleep(3)
            self.disturb(trouble)
            await clock.sleep(3)
            self.disturb("")
            if empties:
                await self.redis[0].flushall()

        seconds, _ = await asyncio.gather(self.send_all(count), disturb())
        return seconds


def request(
    quota: Quota,
    *,
    timeout: float = float("inf"),
    priority: Priority = Priority.NORMAL,
    operation: str = "StartStreamProcessor",
) -> PermitRequest:
    return PermitRequest(scope=_SCOPE, operation=operation, quota=quota, timeout=timeout, priority=priority)


@contextlib.asynccontextmanager
async def _hosts(
    server: Server, count: int = 3, quota: Quota = _STARTS, *, believed: Quota | None = None
) -> AsyncGenerator[_Hosts]:
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(TroubledRedis.from_url(server.url)) for _ in range(count)]
        hosts = _Hosts(clients, quota, believed=believed)
        try:
            yield hosts
        finally:
            hosts.disturb("")
            for limiter in hosts.limiters:
                await limiter.aclose()


def run(coroutine: Coroutine[object, object, None]) -> None:
    virtual_redis.run(coroutine)


@pytest.mark.parametrize("count", [1, 3, 10])
def test_hosts_use_the_quota_together(server: Server, count: int) -> None:
    async def check() -> None:
        async with _hosts(server, count) as hosts:
            assert await hosts.send_all(200) <= 1.05 * 9
            assert not hosts.throttled

    run(check())


def test_hosts_use_a_quota_without_a_burst_together(server: Server) -> None:
    async def check() -> None:
        async with _hosts(server, 3, _STOPS) as hosts:
            assert await hosts.send_all(20) <= 1.05 * 19
            assert not hosts.throttled

    run(check())


@pytest.mark.parametrize(("count", "share"), [(3, 0.06), (10, 0.1)])
def test_hosts_learn_a_lower_quota_together(server: Server, count: int, share: float) -> None:
    async def check() -> None:
        async with _hosts(server, count, Quota(7, 7), believed=_STARTS) as hosts:
            assert await hosts.send_all(200) <= 1.1 * 193 / 7
            assert len(hosts.throttled) <= share * (200 + len(hosts.throttled))
            rates = [
                limiter.rates(_SCOPE, {"StartStreamProcessor": _STARTS}, SystemClock()) for limiter in hosts.limiters
            ]
            assert all(rate["StartStreamProcessor"].used_rate < 10 for rate in rates)

    run(check())


def test_round_trips_are_few_at_a_high_rate(server: Server) -> None:
    async def check() -> None:
        async with _hosts(server, 3, Quota(200, 200)) as hosts:
            await hosts.send_all(1000)
            assert sum(client.trips for client in hosts.redis) <= 0.1 * 1000

    run(check())


def test_one_round_trip_a_call_suffices_at_a_low_rate(server: Server) -> None:
    async def check() -> None:
        async with _hosts(server) as hosts:
            await hosts.send_all(200)
            assert sum(client.trips for client in hosts.redis) <= 1.2 * 200

    run(check())


def test_each_host_serves_its_requests_by_priority(server: Server) -> None:
    async def check() -> None:
        served: list[Priority] = []
        async with _hosts(server, 2, _STOPS) as hosts:
            await hosts.send(0)

            async def send(host: int, priority: Priority) -> None:
                await hosts.send(host, priority=priority)
                if host == 0:
                    served.append(priority)

            await asyncio.gather(*(send(host, priority) for priority in reversed(Priority) for host in range(2)))
        assert served == sorted(Priority)

    run(check())


@pytest.mark.parametrize(
    ("trouble", "empties"),
    [("gone", False), ("gone", True), ("hung", False)],
    ids=["unreachable", "emptied", "hung"],
)
def test_hosts_keep_the_rate_while_the_server_is_away(server: Server, trouble: str, *, empties: bool) -> None:
    async def check() -> None:
        async with _hosts(server) as hosts:
            assert await hosts.send_and_disturb(200, trouble, empties=empties) <= 1.1 * 9
            assert len(hosts.throttled) <= 1

    run(check())


@pytest.mark.parametrize("jump", [-30.0, 30.0])
def test_hosts_keep_the_rate_when_the_clock_of_the_server_jumps(
    server: Server, jump: float, caplog: pytest.LogCaptureFixture
) -> None:
    async def check() -> None:
        async with _hosts(server) as hosts:
            sending = asyncio.create_task(hosts.send_all(200))
            await SystemClock().sleep(3)
            for client in hosts.redis:
                client.offset = jump
            assert await sending <= 1.1 * 9
            assert len(hosts.throttled) <= 1

    run(check())
    assert not caplog.records


def test_hosts_without_a_server_at_the_start_have_their_expected_share(server: Server) -> None:
    async def check() -> None:
        async with _hosts(server, 4) as hosts:
            hosts.disturb("gone")
            assert await hosts.send_all(100) == pytest.approx(5, rel=0.1)

    run(check())


def test_share_counts_the_hosts_that_use_other_quotas_of_the_account(server: Server) -> None:
    async def check() -> None:
        async with _hosts(server, 4) as hosts:
            for number in (*range(4), 0):
                await hosts.send(number)
            describe = request(_STARTS, operation="DescribeStreamProcessor")
            (await hosts.limiters[0].acquire(describe)).allowed()
            hosts.disturb("gone")
            await asyncio.gather(*(hosts.limiters[0].acquire(describe) for _ in range(5)))
            rates = hosts.limiters[0].rates(_SCOPE, {describe.operation: _STARTS}, SystemClock())
            assert rates[describe.operation].used_rate == 5

    run(check())


def test_others_have_the_full_rate_when_a_host_dies(server: Server) -> None:
    """What it had leased is lost, and nothing else."""

    async def check() -> None:
        async with _hosts(server) as hosts:
            clock = SystemClock()
            doomed = [asyncio.create_task(hosts.send(2)) for _ in range(1000)]
            others = asyncio.gather(*(hosts.send(number % 2) for number in range(200)))
            await clock.sleep(3)
            hosts.redis[2].trouble = "dead"
            for task in doomed:
                task.cancel()
            before, begin = len(hosts.accepted), clock.now()
            await others
            assert (len(hosts.accepted) - before) / (clock.now() - begin) >= 0.95 * 20
            assert not hosts.throttled

    run(check())


def test_server_that_answers_nonsense_leaves_the_host_its_share(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async def check() -> None:
        async with _hosts(server, 2) as hosts:
            hosts.disturb("nonsense")
            assert await hosts.send_all(41) == pytest.approx(2, rel=0.1)

    run(check())
    assert "TypeError" in caplog.text


def test_exchange_that_is_cancelled_from_outside_blocks_nothing(server: Server) -> None:
    async def check() -> None:
        async with _hosts(server, 1) as hosts:
            hosts.disturb("hung")
            waiter = asyncio.create_task(hosts.send(0))
            await asyncio.sleep(0)
            for task in asyncio.all_tasks() - {waiter, asyncio.current_task()}:
                task.cancel()
            await waiter

    run(check())


def test_loss_is_logged_once_and_the_recovery_too(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    async def check() -> None:
        async with _hosts(server, 1) as hosts:
            await hosts.send_and_disturb(200, "the plug is out")

    with caplog.at_level(logging.INFO, "aiorekostream"):
        run(check())
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "the plug is out" in caplog.text
    assert "20 calls/s" in caplog.text


def test_decrease_and_recovery_of_the_rate_are_logged(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    async def check() -> None:
        async with _hosts(server, 1, Quota(7, 7), believed=_STARTS) as hosts:
            await hosts.send_all(60)
            hosts.service = ServiceBucket(20, 20)
            await SystemClock().sleep(60)
            await hosts.send_all(1)

    with caplog.at_level(logging.INFO, "aiorekostream"):
        run(check())
    assert "rate decreased" in caplog.messages[0]
    assert caplog.records[0].__dict__["operation"] == "StartStreamProcessor"
    assert "rate recovered" in caplog.messages[-1]


def test_idle_host_returns_its_permits(server: Server) -> None:
    async def check() -> None:
        async with _hosts(server, 2, Quota(1, 2)) as hosts:
            first, second = hosts.limiters
            (await first.acquire(request(Quota(1, 2)))).cancel()
            await SystemClock().sleep(0.2)
            await second.acquire(request(Quota(1, 2), timeout=0))

    run(check())


def test_closed_limiter_returns_its_permits(server: Server) -> None:
    async def check() -> None:
        async with _hosts(server, 2, Quota(0.1, 2)) as hosts:
            first, second = hosts.limiters
            (await first.acquire(request(Quota(0.1, 2)))).cancel()
            await first.aclose()
            await second.acquire(request(Quota(0.1, 2), timeout=0))

    run(check())


def test_status_tells_hosts_leases_and_whether_the_server_is_reached(server: Server) -> None:
    async def check() -> None:
        async with _hosts(server, 2) as hosts:
            transport = MemoryTransport(lambda _operation, _body: {"SessionId": "s"})
            client = rks.Client(transport=transport, rate_limiter=hosts.limiters[0])
            name = "StartStreamProcessor"
            async with client:
                assert client.rates()[name] == RateStatus(believed_rate=20, used_rate=20, queue_length=0, hosts=2)
                pipeline = client.pipeline
                permit_request = PermitRequest(
                    scope=pipeline.transport.scope, operation=name, quota=_STARTS, timeout=60, arrived_at=0.0
                )
                await hosts.limiters[0].acquire(permit_request)
                permit = await hosts.limiters[1].acquire(permit_request)
                await hosts.limiters[0].acquire(permit_request)
                permit.cancel()
                assert client.rates()[name].hosts == 2
                assert hosts.limiters[1].rates(pipeline.transport.scope, {name: _STARTS}, SystemClock())[
                    name
                ] == RateStatus(believed_rate=20, used_rate=20, queue_length=0, hosts=2, leased_permits=1)
                hosts.disturb("gone")
                await asyncio.gather(*(hosts.limiters[0].acquire(permit_request) for _ in range(20)))
                status = client.rates()[name]
                assert (status.reachable, status.used_rate) == (False, 10)

    run(check())


def test_access_keys_of_one_account_share_by_its_name(server: Server) -> None:
    async def check() -> None:
        async with _hosts(server, 2, _STOPS) as hosts:
            limiters = [RedisRateLimiter(client, account="ours") for client in hosts.redis]
            clock = SystemClock()
            for key, limiter in enumerate(limiters):
                scope = Scope(endpoint="e", region="r", account=f"AKIA{key}")
                await limiter.acquire(PermitRequest(scope=scope, operation="Stop", quota=_STOPS))
            assert clock.now() >= 1
            for limiter in limiters:
                await limiter.aclose()

    run(check())
