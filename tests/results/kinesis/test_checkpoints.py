"""The stores of checkpoints: one contract for all of them, and what only the file has."""

from __future__ import annotations

import datetime
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from aiorekostream.errors import ConfigurationError
from aiorekostream.results import ConsumerLease, KinesisConsumer, MemoryCheckpoints, SqliteCheckpoints
from tests.results.kinesis.memory_stream import MemoryStream, StreamClock, face_record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aiorekostream.results import Checkpoints

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)


def _lease(owner: str, seconds: float = 20) -> ConsumerLease:
    return ConsumerLease(owner=owner, expires_at=NOW + seconds * SECOND)


@pytest.fixture(params=["memory", "sqlite"])
async def checkpoints(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Checkpoints]:
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            yield MemoryCheckpoints()
        else:
            yield await stack.enter_async_context(SqliteCheckpoints(tmp_path / "faces.sqlite"))


async def test_lease_is_refused_to_another_owner_until_it_expires(checkpoints: Checkpoints) -> None:
    assert await checkpoints.acquire("faces/a", _lease("one"), now=NOW) == _lease("one")
    assert await checkpoints.acquire("faces/a", _lease("two", 30), now=NOW + 19 * SECOND) == _lease("one")
    assert await checkpoints.acquire("faces/b", _lease("two"), now=NOW) == _lease("two")
    assert await checkpoints.acquire("faces/a", _lease("one", 40), now=NOW + 30 * SECOND) == _lease("one", 40)
    assert await checkpoints.acquire("faces/a", _lease("two", 60), now=NOW + 40 * SECOND) == _lease("two", 60)


async def test_lease_is_released_by_its_owner_only(checkpoints: Checkpoints) -> None:
    await checkpoints.acquire("faces/a", _lease("one"), now=NOW)
    await checkpoints.release("faces/a", "two")
    assert await checkpoints.acquire("faces/a", _lease("two"), now=NOW) == _lease("one")
    await checkpoints.release("faces/a", "one")
    await checkpoints.release("faces/a", "one")
    assert await checkpoints.acquire("faces/a", _lease("two"), now=NOW) == _lease("two")


async def test_positions_are_saved_changed_and_removed(checkpoints: Checkpoints) -> None:
    assert await checkpoints.load("faces/a") == {}
    for consumer in ("faces/a", "faces/b"):
        await checkpoints.acquire(consumer, _lease("one"), now=NOW)
    assert await checkpoints.save("faces/a", "one", {"s-1": "SHARD_END", "s-2": "TRIM_HORIZON"})
    assert await checkpoints.save("faces/b", "one", {"s-1": "LATEST"})
    assert await checkpoints.save("faces/a", "one", {"s-1": None, "s-2": "AFTER_SEQUENCE_NUMBER 5", "s-9": None})
    assert await checkpoints.load("faces/a") == {"s-2": "AFTER_SEQUENCE_NUMBER 5"}
    assert await checkpoints.load("faces/b") == {"s-1": "LATEST"}


async def test_positions_are_not_saved_without_the_lease(checkpoints: Checkpoints) -> None:
    assert not await checkpoints.save("faces/a", "one", {"s-1": "LATEST"})
    await checkpoints.acquire("faces/a", _lease("one"), now=NOW)
    await checkpoints.acquire("faces/a", _lease("two"), now=NOW + 20 * SECOND)
    assert not await checkpoints.save("faces/a", "one", {"s-1": "LATEST"})
    assert await checkpoints.load("faces/a") == {}


async def test_stores_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "faces.sqlite"
    async with SqliteCheckpoints(path) as one, SqliteCheckpoints(path) as other:
        await one.acquire("faces/a", _lease("one"), now=NOW)
        await one.save("faces/a", "one", {"s-1": "LATEST"})
        assert await other.acquire("faces/a", _lease("two"), now=NOW) == _lease("one")
        assert await other.load("faces/a") == {"s-1": "LATEST"}


async def test_consumer_goes_on_with_the_checkpoints_of_a_file(tmp_path: Path) -> None:
    stream = MemoryStream(1)
    ids = stream.put(stream.only, face_record(1), face_record(2))
    for record_id in ids:
        async with (
            SqliteCheckpoints(tmp_path / "faces.sqlite") as checkpoints,
            KinesisConsumer(
                "faces", start="oldest", checkpoints=checkpoints, record_stream=stream.connect(), clock=StreamClock()
            ) as consumer,
            await anext(consumer) as delivery,
        ):
            assert delivery.id == record_id


async def test_file_that_cannot_be_used_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("This is no file of SQLite. " * 100, encoding="utf-8")
    checkpoints = SqliteCheckpoints(tmp_path / "text")
    with pytest.raises(ConfigurationError, match="the store of checkpoints cannot be used"):
        await checkpoints.load("faces/a")
    await checkpoints.aclose()
    with pytest.raises(ConfigurationError, match="the store of checkpoints is closed"):
        await checkpoints.load("faces/a")


async def test_position_that_cannot_be_read_is_a_configuration_error() -> None:
    checkpoints = MemoryCheckpoints()
    await checkpoints.acquire("faces/default", _lease("one"), now=NOW)
    await checkpoints.save("faces/default", "one", {"s-1": "AFTER_SEQUENCE_NUMBER"})
    await checkpoints.release("faces/default", "one")
    consumer = KinesisConsumer("faces", checkpoints=checkpoints, record_stream=MemoryStream(1).connect())
    with pytest.raises(ConfigurationError, match="cannot be read: 'AFTER_SEQUENCE_NUMBER'"):
        await consumer.__aenter__()
