"""Fleets that share slots while the server is away, empty, or in another event loop."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, cast

import pytest

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.distributed import RedisSessionSlots
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.fleet import Fleet
from tests.distributed.hosts import client_of, run, running_hosts
from tests.distributed.virtual_redis import wait_for_slots
from tests.fleet.service import START, label, labels, names
from tests.fleet.slots_contract import LIMIT, service_of

if TYPE_CHECKING:
    from tests.distributed.servers import Server

LABELS = ProcessorKind.LABEL_DETECTION


def test_nothing_starts_while_the_server_is_away(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    service = service_of(2)

    async def main() -> None:
        async with running_hosts(server, service, 1) as (host,):
            await host.fleet.submit(label("camera-0"))
            host.redis.trouble = "the plug is out"
            waiting = asyncio.create_task(host.fleet.submit(label("camera-1")))
            await asyncio.sleep(100)
            assert not waiting.done()
            host.redis.trouble = ""
            assert isinstance(await waiting, rks.Started)

    with caplog.at_level(logging.INFO, "aiorekostream"):
        run(main())
    records = [record for record in caplog.records if "session slots" in record.getMessage()]
    assert [record.levelname for record in records] == ["WARNING", "INFO"]
    assert "the plug is out" in records[0].getMessage()


@pytest.mark.parametrize("trouble", ["hung", "nonsense", "reset"])
def test_start_that_cannot_be_reserved_waits(server: Server, trouble: str) -> None:
    service = service_of(4, limit=4)

    async def main() -> None:
        async with running_hosts(server, service, 1) as (host,):
            await host.fleet.submit(label("camera-0"))
            starting = asyncio.create_task(host.fleet.start(labels(4)[1:]))
            await asyncio.sleep(0)
            host.redis.trouble = trouble
            await asyncio.sleep(20)
            assert len(service.starts()) == 1
            host.redis.trouble = ""
            assert len((await starting).started) == 3

    run(main())


def test_host_uses_its_share_while_the_server_is_away(server: Server) -> None:
    service = service_of(8, limit=6)

    async def main() -> None:
        async with running_hosts(server, service, 2, expected_hosts=2) as hosts:
            for host in hosts:
                host.redis.trouble = "the plug is out"
            runs = [
                asyncio.create_task(host.fleet.start(labels(8, 60)[number::2])) for number, host in enumerate(hosts)
            ]
            await asyncio.sleep(20)
            assert len(service.starts()) == 6
            for host in hosts:
                host.redis.trouble = ""
            for each in runs:
                assert len((await each).started) == 4

    run(main())
    assert service.most[LABELS] == 6


def test_emptied_server_is_filled_before_anything_starts(server: Server) -> None:
    service = service_of(LIMIT + 2)

    async def main() -> None:
        async with running_hosts(server, service) as (first, second):
            await first.fleet.start(labels(LIMIT, 60))
            await first.redis.flushall()
            assert isinstance(await second.fleet.submit(label(f"camera-{LIMIT}")), rks.Started)
            assert isinstance(await first.fleet.submit(label(f"camera-{LIMIT + 1}")), rks.Started)

    run(main())
    assert service.most[LABELS] == LIMIT
    assert len(service.starts()) == LIMIT + 2


def test_first_host_counts_the_sessions_of_the_account(server: Server) -> None:
    """It takes longer to list them than a host waits for what other hosts report."""
    service = service_of(LIMIT + 1)

    async def main() -> None:
        async with running_hosts(server, service, 1) as (host,):
            client = client_of(service)
            for start in labels(LIMIT, 60):
                await client.start_stream_processor(start)
            service.latency = 5.0
            assert isinstance(await host.fleet.submit(label(f"camera-{LIMIT}")), rks.Started)

    run(main())
    assert service.most[LABELS] == LIMIT
    assert len(service.starts()) == LIMIT + 1


def test_start_under_way_is_reported_to_a_restarted_server(own_server: Server) -> None:
    """The list of the account does not show its session yet."""
    service = service_of(2, limit=1)

    def slow_down(operation: str, name: str) -> None:
        service.latency = 10.0 if (operation, name) == (START, "camera-0") else 0.05

    async def main() -> None:
        async with running_hosts(own_server, service) as (first, second):
            service.before = slow_down
            starting = asyncio.create_task(first.fleet.submit(label("camera-0")))
            await asyncio.sleep(3)
            assert service.starts()
            own_server.kill()
            own_server.start()
            await wait_for_slots(own_server.url, 1)
            assert isinstance(await second.fleet.submit(label("camera-1")), rks.Started)
            assert isinstance(await starting, rks.Started)

    run(main())
    assert len(service.starts()) == 2
    assert service.starts("camera-1")[0] > 12


def test_flushed_scripts_are_sent_again(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    service = service_of(2)

    async def main() -> None:
        async with running_hosts(server, service, 1) as (host,):
            await host.fleet.submit(label("camera-0"))
            await host.redis.script_flush()
            await host.fleet.submit(label("camera-1"))

    run(main())
    assert not caplog.records


# ------------------------------------------------------------------------------------------------------------ lifetime


def test_fleet_shares_slots_in_the_next_event_loop(server: Server) -> None:
    service = service_of(2, limit=1)
    slots = RedisSessionSlots(server.url)
    fleet = Fleet(client_of(service), slots=slots)

    async def use(name: str) -> None:
        try:
            outcome = await fleet.submit(label(name))
            assert isinstance(outcome, rks.Started)
        finally:
            await fleet.aclose()
            await slots.aclose()

    for name in names(2):
        run(use(name))


def test_slots_show_no_password() -> None:
    assert "catfish" not in repr(RedisSessionSlots("redis://user:catfish@127.0.0.1:6379/0"))


def test_slots_name_every_invalid_argument() -> None:
    with pytest.raises(errors.InvalidRequestError) as caught:
        RedisSessionSlots("redis://host", prefix="{", expected_hosts=0, timeout=0.0, account="\ud800")
    assert [issue.path for issue in caught.value.issues] == ["prefix", "expected_hosts", "timeout", "account"]


def test_fleet_rejects_what_are_no_slots() -> None:
    with pytest.raises(errors.InvalidRequestError):
        Fleet(client_of(service_of(1)), slots=cast("Any", "redis://127.0.0.1:6379/0"))
