"""What can go wrong at the server, on real servers: a clear error, or the host's share; nothing is lost."""

from __future__ import annotations

import asyncio
import importlib
import logging
import re
import sys
from pathlib import Path

import pytest
import redis
from redis.asyncio import Redis

from aiorekostream.distributed import RedisRateLimiter
from aiorekostream.errors import ConfigurationError, InvalidRequestError
from aiorekostream.limits import Quota
from tests.distributed.servers import Server, running_server
from tests.distributed.test_limiter import request

_STARTS = Quota(20, 20)
_PASSWORD = "swordfish"
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "how-to" / "many-hosts.md"


def _url_with_password(server: Server, password: str) -> str:
    return server.url.replace("://", f"://:{password}@")


async def _acquire_once(limiter: RedisRateLimiter) -> bool:
    """Acquire one permit at once; returns whether the server granted it."""
    permit = await limiter.acquire(request(_STARTS, timeout=0.2))
    permit.allowed()
    [quota] = limiter._host().quotas.values()
    return quota.status().reachable


def test_permit_comes_from_the_server(server: Server) -> None:
    async def check() -> None:
        async with RedisRateLimiter(server.url) as limiter:
            assert await _acquire_once(limiter)

    asyncio.run(check())
    with redis.Redis.from_url(server.url) as client:
        keys = sorted(client.keys("*:*:[bh]*"))
    tag = b"rks:{1:us-east-1:https%3A%2F%2Frekognition.us-east-1.amazonaws.com:StartStreamProcessor}"
    assert keys == [tag + b":bucket", tag + b":hosts"]


def test_flushed_script_is_sent_again(server: Server) -> None:
    async def check() -> None:
        async with RedisRateLimiter(server.url) as limiter, Redis.from_url(server.url) as client:
            assert await _acquire_once(limiter)
            await client.script_flush()
            assert await _acquire_once(limiter)

    asyncio.run(check())


def test_host_goes_on_alone_and_returns_when_a_server_restarts(
    own_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async def check() -> None:
        async with RedisRateLimiter(own_server.url) as limiter:
            assert await _acquire_once(limiter)
            own_server.kill()
            [quota] = limiter._host().quotas.values()
            await quota.refresh()
            assert not quota.status().reachable
            own_server.start()
            quota.book._retry_at = 0.0  # rather than wait for a second
            await quota.refresh()
            assert quota.status().reachable

    with caplog.at_level(logging.INFO, "aiorekostream"):
        asyncio.run(check())
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_hung_server_counts_as_away(own_server: Server, caplog: pytest.LogCaptureFixture) -> None:
    async def check() -> None:
        async with RedisRateLimiter(own_server.url, timeout=0.01) as limiter:
            own_server.hang()
            assert not await _acquire_once(limiter)
            own_server.resume()

    asyncio.run(check())
    assert "no reply within 0.01 s" in caplog.text


def test_unreachable_server_is_no_error_at_first(program: str) -> None:
    async def check() -> None:
        async with RedisRateLimiter(url) as limiter:
            assert not await _acquire_once(limiter)

    with running_server(program) as server:
        url = server.url
    asyncio.run(check())


@pytest.mark.parametrize("password", ["", "catfish"])
def test_wrong_password_is_an_error_that_hides_it(program: str, password: str) -> None:
    async def check() -> None:
        async with RedisRateLimiter(url):
            pass

    with running_server(program, "--requirepass", _PASSWORD) as server:
        url = _url_with_password(server, password) if password else server.url
        with pytest.raises(ConfigurationError, match="check the user name and the password") as caught:
            asyncio.run(check())
    assert not password or password not in str(caught.value)


def test_host_with_a_wrong_password_goes_on_alone(program: str, caplog: pytest.LogCaptureFixture) -> None:
    async def check(url: str) -> None:
        limiter = RedisRateLimiter(url)
        assert not await _acquire_once(limiter)
        await limiter.aclose()

    with running_server(program, "--requirepass", _PASSWORD) as server:
        asyncio.run(check(_url_with_password(server, "catfish")))
    assert "check the user name and the password" in caplog.text
    assert "catfish" not in caplog.text


def test_replica_is_an_error(own_server: Server, program: str, caplog: pytest.LogCaptureFixture) -> None:
    async def check(url: str) -> None:
        with pytest.raises(ConfigurationError, match="give the address of the primary"):
            await RedisRateLimiter(url).__aenter__()
        limiter = RedisRateLimiter(url)
        assert not await _acquire_once(limiter)
        await limiter.aclose()

    with running_server(program, "--replicaof", "127.0.0.1", str(own_server.port)) as replica:
        asyncio.run(check(replica.url))
    assert "give the address of the primary" in caplog.text


def test_full_server_leaves_the_host_its_share(program: str, caplog: pytest.LogCaptureFixture) -> None:
    async def check(url: str) -> None:
        async with RedisRateLimiter(url) as limiter:
            assert not await _acquire_once(limiter)

    with running_server(program, "--maxmemory", "100kb", "--maxmemory-policy", "noeviction") as server:
        asyncio.run(check(server.url))
    assert "raise maxmemory" in caplog.text


def documented_permissions() -> list[str]:
    """Return the commands of the documentation as rules of an access control list."""
    [line] = [line for line in DOCUMENTATION.read_text(encoding="utf-8").split("\n\n") if "access control list" in line]
    commands = [f"+{name.lower()}" for name in re.findall(r"`(@?\w+)`", line)]
    assert len(commands) > 10
    return commands


def test_documented_permissions_suffice(own_server: Server, caplog: pytest.LogCaptureFixture) -> None:
    commands = documented_permissions()

    async def check() -> None:
        async with Redis.from_url(own_server.url) as client:
            rules = ("on", f">{_PASSWORD}", "~rks:*", *commands)
            await client.execute_command("ACL", "SETUSER", "host", "reset", *rules)
            await client.execute_command("ACL", "SETUSER", "stranger", "reset", *rules, "-evalsha")
        url = own_server.url.replace("://", f"://host:{_PASSWORD}@")
        async with RedisRateLimiter(url) as limiter:
            assert await _acquire_once(limiter)
        with pytest.raises(ConfigurationError, match="needs the commands and the keys"):
            await RedisRateLimiter(url.replace("host:", "stranger:")).__aenter__()

    asyncio.run(check())
    assert not caplog.records


@pytest.mark.parametrize("key", ["bucket", "hosts"])
def test_foreign_key_leaves_the_host_its_share(server: Server, key: str, caplog: pytest.LogCaptureFixture) -> None:
    async def check() -> None:
        async with RedisRateLimiter(server.url) as limiter, Redis.from_url(server.url) as client:
            assert await _acquire_once(limiter)
            [quota] = limiter._host().quotas.values()
            name = next(name for name in quota._keys if name.endswith(key))
            await client.set(name, "theirs")
            await quota.refresh()
            assert not quota.status().reachable
            assert await client.get(name) == b"theirs"

    asyncio.run(check())
    assert "choose another prefix" in caplog.text


def test_newer_version_leaves_the_host_its_share(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    async def check() -> None:
        async with RedisRateLimiter(server.url) as limiter, Redis.from_url(server.url) as client:
            assert await _acquire_once(limiter)
            [quota] = limiter._host().quotas.values()
            await client.hset(quota._keys[0], "version", "3")
            await quota.refresh()
            assert not quota.status().reachable

    asyncio.run(check())
    assert "belongs to version '3', and this host has version '2'" in caplog.text


@pytest.mark.parametrize(
    "url",
    ["http://user:swordfish@host", "host:6379", "", "redis://:swordfish@host:port/0", "http://host?password=swordfish"],
)
def test_invalid_url_is_an_error_that_hides_the_password(url: str) -> None:
    with pytest.raises(InvalidRequestError, match="redis://, rediss:// or unix:// URL") as caught:
        RedisRateLimiter(url)
    assert _PASSWORD not in str(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://user:swordfish@host:1234/5", "host:1234"),
        ("rediss://host", "host"),
        ("unix://:swordfish@/run/redis.sock", "/run/redis.sock"),
    ],
)
def test_repr_hides_the_password(url: str, shown: str) -> None:
    assert repr(RedisRateLimiter(url)) == f"<RedisRateLimiter at {shown}, prefix 'rks'>"


def test_given_client_is_left_open(server: Server) -> None:
    async def check() -> None:
        async with Redis.from_url(server.url) as client:
            async with RedisRateLimiter(client) as limiter:
                assert await _acquire_once(limiter)
                assert repr(limiter) == f"<RedisRateLimiter at 127.0.0.1:{server.port}, prefix 'rks'>"
            assert await client.ping()

    asyncio.run(check())


def test_every_invalid_argument_is_named() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        RedisRateLimiter("redis://host", prefix="{", expected_hosts=0, timeout=0.0, slack=1.5)
    assert [issue.path for issue in caught.value.issues] == ["prefix", "expected_hosts", "timeout", "slack"]


def test_event_loops_of_one_limiter_are_hosts_of_their_own(server: Server) -> None:
    limiter = RedisRateLimiter(server.url)

    async def check() -> str:
        async with limiter:
            assert await _acquire_once(limiter)
            return limiter._host().name

    assert asyncio.run(check()) != asyncio.run(check())


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("redis", "aiorekostream.distributed"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ImportError, match=r"pip install 'aiorekostream\[redis\]'"):
        importlib.import_module("aiorekostream.distributed")
