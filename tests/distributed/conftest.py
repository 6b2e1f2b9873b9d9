"""Provide servers to the tests: each program that this machine has, and none of its data."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
import redis

from tests.distributed.servers import Server, find_programs, running_server

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.fixture(scope="session", params=find_programs().values(), ids=list(find_programs()))
def shared_server(request: pytest.FixtureRequest) -> Generator[Server]:
    """A server for the tests that neither stop nor configure it."""
    with running_server(request.param) as server:
        yield server


@pytest.fixture
def server(shared_server: Server) -> Server:
    """The same server, empty."""
    with redis.Redis.from_url(shared_server.url) as client:
        client.flushall()
    return shared_server


@pytest.fixture(params=find_programs().values(), ids=list(find_programs()))
def program(request: pytest.FixtureRequest) -> str:
    """The path of a server."""
    return cast("str", request.param)


@pytest.fixture
def own_server(program: str) -> Generator[Server]:
    """A server that a test may stop and configure."""
    with running_server(program) as server:
        yield server
