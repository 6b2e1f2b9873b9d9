"""The store of event ids in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aiorekostream.errors import ConfigurationError, InvalidRequestError
from aiorekostream.results import SqliteEventIds

if TYPE_CHECKING:
    from pathlib import Path


async def test_ids_outlive_the_store(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    async with SqliteEventIds(path) as event_ids:
        await event_ids.add(["a", "b"])
        await event_ids.add(["b", "'; DROP TABLE"])
    async with SqliteEventIds(path) as event_ids:
        assert set(await event_ids.known(["a", "b", "c", "'; DROP TABLE"])) == {"a", "b", "'; DROP TABLE"}


async def test_stores_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    async with SqliteEventIds(path) as one, SqliteEventIds(path) as other:
        await one.add(["a"])
        await other.add(["a", "b"])
        assert set(await one.known(["a", "b", "c"])) == {"a", "b"}


async def test_oldest_ids_are_forgotten(tmp_path: Path) -> None:
    async with SqliteEventIds(tmp_path / "events.sqlite", most=3) as event_ids:
        for event_id in "abcde":
            await event_ids.add([event_id])
        assert set(await event_ids.known(list("abcde"))) == {"c", "d", "e"}


async def test_file_that_cannot_be_used_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("This is no file of SQLite. " * 100, encoding="utf-8")
    for path in (tmp_path / "text", tmp_path / "nowhere" / "events.sqlite"):
        event_ids = SqliteEventIds(path)
        with pytest.raises(ConfigurationError, match="cannot be used"):
            await event_ids.add(["a"])
        await event_ids.aclose()


async def test_closed_store_is_a_configuration_error(tmp_path: Path) -> None:
    event_ids = SqliteEventIds(tmp_path / "events.sqlite")
    await event_ids.aclose()
    await event_ids.aclose()
    with pytest.raises(ConfigurationError, match="closed"):
        await event_ids.known(["a"])
    with pytest.raises(InvalidRequestError, match="at least 1"):
        SqliteEventIds(tmp_path / "events.sqlite", most=0)
