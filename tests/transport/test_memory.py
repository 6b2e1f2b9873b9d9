"""The transport without a network answers from a function and remembers what it was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aiorekostream.errors import ConfigurationError, ConnectError
from aiorekostream.transport.memory import MemoryTransport
from aiorekostream.transport.port import Reply, Transport

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOST = ConnectError("no way", operation="StopStreamProcessor")


async def _later(operation: str, body: Mapping[str, object]) -> Mapping[str, object]:
    return {"operation": operation, **body}


async def test_it_answers_what_a_plain_function_answers() -> None:
    transport: Transport = MemoryTransport(lambda operation, body: {"operation": operation, **body})
    assert await transport.send("X", {"a": 1}) == Reply({"operation": "X", "a": 1}, "memory-1")
    assert transport.region == "us-east-1"


async def test_it_answers_what_an_async_function_answers() -> None:
    transport = MemoryTransport(_later, region="eu-west-1")
    assert (await transport.send("X", {})).body == {"operation": "X"}
    assert transport.region == "eu-west-1"


async def test_it_raises_the_error_that_is_answered() -> None:
    transport = MemoryTransport(lambda _operation, _body: _LOST)
    with pytest.raises(ConnectError):
        await transport.send("X", {})


async def test_it_remembers_every_call() -> None:
    transport = MemoryTransport(lambda _operation, _body: {})
    await transport.send("X", {"a": 1})
    await transport.send("Y", {})
    assert transport.calls == [("X", {"a": 1}), ("Y", {})]


async def test_closed_it_takes_no_calls() -> None:
    transport = MemoryTransport(lambda _operation, _body: {})
    await transport.open()
    await transport.aclose()
    await transport.aclose()
    with pytest.raises(ConfigurationError):
        await transport.send("X", {})


def test_a_transport_shares_its_quotas_with_no_other_not_even_with_one_that_is_gone() -> None:
    assert len({MemoryTransport(lambda _operation, _body: {}).scope for _ in range(100)}) == 100
