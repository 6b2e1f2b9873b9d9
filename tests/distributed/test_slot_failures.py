"""What can go wrong at the server of shared slots: a clear error, or no session; no request is lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest
from redis.asyncio import Redis

import aiorekostream as rks
from aiorekostream.distributed import RedisSessionSlots
from aiorekostream.errors import ConfigurationError
from aiorekostream.fleet import Expired, Failed, Fleet, StartReport
from tests.distributed import virtual_redis
from tests.distributed.servers import Server, running_server
from tests.distributed.test_connection import documented_permissions
from tests.distributed.virtual_redis import VirtualRedis
from tests.fleet.service import label, labels, names
from tests.fleet.slots_contract import service_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_PASSWORD = "swordfish"


def _start(
    url: str, count: int = 1, *, meanwhile: Callable[[VirtualRedis], Awaitable[None]] | None = None
) -> StartReport:
    """Start processors within 30 seconds of virtual time, and do something after 10."""
    service = service_of(count)

    async def main() -> StartReport:
        async with VirtualRedis.from_url(url) as client:
            slots = RedisSessionSlots(client)
            fleet = Fleet(service.client(), slots=slots, expires_after=30)
            starting = asyncio.create_task(fleet.start(labels(count)))
            await asyncio.sleep(10)
            if meanwhile is not None:
                await meanwhile(client)
            report = await starting
            await slots.aclose()
            return report

    return virtual_redis.run(main())


def _open(url: str) -> None:
    async def main() -> None:
        async with RedisSessionSlots(url):
            pass

    asyncio.run(main())


@pytest.mark.parametrize("password", ["", "catfish"])
def test_wrong_password_is_an_error(program: str, password: str, caplog: pytest.LogCaptureFixture) -> None:
    with running_server(program, "--requirepass", _PASSWORD) as server:
        url = server.url.replace("://", f"://:{password}@") if password else server.url
        with pytest.raises(ConfigurationError, match="check the user name and the password") as caught:
            _open(url)
        [outcome] = _start(url).outcomes
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, ConfigurationError)
    for text in (str(caught.value), str(outcome.error), caplog.text):
        assert "check the user name and the password" in text
        assert "catfish" not in text


def test_replica_is_an_error(server: Server, program: str) -> None:
    with running_server(program, "--replicaof", "127.0.0.1", str(server.port)) as replica:
        with pytest.raises(ConfigurationError, match="give the address of the primary"):
            _open(replica.url)
        [outcome] = _start(replica.url).outcomes
    assert isinstance(outcome, Failed)
    assert "give the address of the primary" in str(outcome.error)


def test_starts_wait_while_the_server_is_full(program: str, caplog: pytest.LogCaptureFixture) -> None:
    async def make_room(client: VirtualRedis) -> None:
        await client.execute_command("CONFIG", "SET", "maxmemory", "100mb")

    with running_server(program, "--maxmemory", "100kb", "--maxmemory-policy", "noeviction") as server:
        report = _start(server.url, 2, meanwhile=make_room)
    assert len(report.started) == 2
    assert "raise maxmemory" in caplog.text


@pytest.mark.parametrize("key", ["slots", "holders", "state"])
def test_foreign_key_is_left_alone(server: Server, key: str, caplog: pytest.LogCaptureFixture) -> None:
    name = ""

    async def main() -> None:
        nonlocal name
        service = service_of(2)
        async with VirtualRedis.from_url(server.url) as client:
            slots = RedisSessionSlots(client)
            fleet = Fleet(service.client(), slots=slots, expires_after=20)
            assert isinstance(await fleet.submit(labels(1)[0]), rks.Started)
            keys = cast("list[bytes]", await client.execute_command("KEYS", "rks:*:state"))
            name = keys[0].decode().removesuffix("state") + key
            await client.set(name, "theirs")
            assert isinstance(await fleet.submit(labels(2)[1]), Expired)
            assert await client.get(name) == b"theirs"
            await slots.aclose()

    virtual_redis.run(main())
    assert "choose another prefix" in caplog.text


def test_slots_of_another_version_are_left_alone(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        service = service_of(2)
        async with VirtualRedis.from_url(server.url) as client:
            slots = RedisSessionSlots(client)
            fleet = Fleet(service.client(), slots=slots, expires_after=20)
            assert isinstance(await fleet.submit(labels(1)[0]), rks.Started)
            [key] = cast("list[bytes]", await client.execute_command("KEYS", "rks:*:state"))
            await client.hset(key.decode(), "version", "2")
            assert isinstance(await fleet.submit(labels(2)[1]), Expired)
            await slots.aclose()

    virtual_redis.run(main())
    assert "belongs to version '2', and this host has '1'" in caplog.text


@pytest.mark.parametrize("channels", ["&rks:*", "resetchannels"])
def test_documented_permissions_suffice(server: Server, channels: str, caplog: pytest.LogCaptureFixture) -> None:
    """Without the channels, hosts notice freed slots a little later."""

    async def allow() -> None:
        async with Redis.from_url(server.url) as client:
            rules = ("on", f">{_PASSWORD}", "~rks:*", channels, *documented_permissions())
            await client.execute_command("ACL", "SETUSER", "host", "reset", *rules)

    asyncio.run(allow())
    report = _start(server.url.replace("://", f"://host:{_PASSWORD}@"), 3)
    assert len(report.started) == 3
    assert ("noticed up to 5 s late" in caplog.text) == (channels == "resetchannels")


def test_idle_host_reports_its_sessions_to_a_restarted_server(own_server: Server) -> None:
    async def main() -> None:
        service = service_of(2)
        async with VirtualRedis.from_url(own_server.url) as client:
            slots = RedisSessionSlots(client)
            fleet = Fleet(service.client(), slots=slots)
            await fleet.start([label(name, 120) for name in names(2)])
            own_server.kill()
            own_server.start()
            await virtual_redis.wait_for_slots(own_server.url, 2)
            await slots.aclose()

    virtual_redis.run(main())


def test_given_client_is_left_open(server: Server) -> None:
    async def main() -> None:
        async with Redis.from_url(server.url) as client:
            async with RedisSessionSlots(client) as slots:
                assert repr(slots) == f"<RedisSessionSlots at 127.0.0.1:{server.port}, prefix 'rks'>"
            assert await client.ping()

    asyncio.run(main())
