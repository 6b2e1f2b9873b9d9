"""The transport without a network returns the replies of a function and records the calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aiorekostream.errors import ConfigurationError, ConnectError
from aiorekostream.testing import MemoryTransport
from aiorekostream.transport.port import Reply, Transport

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOST = ConnectError("no way", operation="StopStreamProcessor")


async def _later(operation: str, body: Mapping[str, object]) -> Mapping[str, object]:
    return {"operation": operation, **body}


async def test_memory_transport_returns_the_reply_of_a_function() -> None:
    transport: Transport = MemoryTransport(lambda operation, body: {"operation": operation, **body})
    assert await transport.send("X", {"a": 1}) == Reply({"operation": "X", "a": 1}, "memory-1")
    assert transport.region == "us-east-1"


async def test_memory_transport_returns_the_reply_of_a_coroutine() -> None:
    transport = MemoryTransport(_later, region="eu-west-1")
    assert (await transport.send("X", {})).body == {"operation": "X"}
    assert transport.region == "eu-west-1"


async def test_memory_transport_raises_an_error_that_is_the_reply() -> None:
    transport = MemoryTransport(lambda _operation, _body: _LOST)
    with pytest.raises(ConnectError):
        await transport.send("X", {})


async def test_memory_transport_records_every_call() -> None:
    transport = MemoryTransport(lambda _operation, _body: {})
    await transport.send("X", {"a": 1})
    await transport.send("Y", {})
    assert transport.calls == [("X", {"a": 1}), ("Y", {})]


async def test_closed_memory_transport_rejects_calls() -> None:
    transport = MemoryTransport(lambda _operation, _body: {})
    await transport.open()
    await transport.aclose()
    await transport.aclose()
    with pytest.raises(ConfigurationError):
        await transport.send("X", {})


def test_transport_shares_its_scope_with_no_other() -> None:
    assert len({MemoryTransport(lambda _operation, _body: {}).scope for _ in range(100)}) == 100
