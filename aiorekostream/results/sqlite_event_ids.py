"""Remember acknowledged events in a file, so that a restarted consumer does not handle them again."""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from aiorekostream.domain.fields import whole_number
from aiorekostream.errors import ConfigurationError

__all__ = ["SqliteEventIds"]

_T = TypeVar("_T")
# Rows are numbered as they are added, so that the oldest can be told. An id that is added again keeps its number.
_TABLE = """
CREATE TABLE IF NOT EXISTS acknowledged_events (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE)
"""
_SECONDS = 10  # for which a write waits for another process


class SqliteEventIds:
    """Remember the latest ids in a file of SQLite.

    Consumers of several processes of one host may share it::

        async with SqliteEventIds("events.sqlite") as event_ids, SqsConsumer(url, event_ids=event_ids) as consumer:
            ...

    Each write is on the disk when ``add`` returns.
    """

    def __init__(self, path: str | os.PathLike[str], *, most: int = 1_000_000) -> None:
        """Set up; the file is opened on first use.

        Args:
            path: the path of the file, which is created if it does not exist.
            most: the number of ids that are remembered, at least 1; the oldest are forgotten. About 100 bytes each.

        Raises:
            InvalidRequestError: the number is out of its range.
        """
        self._path = path
        self._most = whole_number(most, least=1)
        # One thread: a connection belongs to its thread, and writes have an order.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="aiorekostream-event-ids")
        self._connection: sqlite3.Connection | None = None
        self._is_closed = False

    async def __aenter__(self) -> Self:
        await self._run(lambda connection: connection.total_changes)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def known(self, event_ids: Sequence[str]) -> Collection[str]:
        """Return those of the ids that are remembered.

        Raises:
            ConfigurationError: the file cannot be used, or is closed.
        """
        marks = ",".join("?" * len(event_ids))
        query = f"SELECT id FROM acknowledged_events WHERE id IN ({marks})"  # noqa: S608 - question marks only
        return await self._run(lambda connection: [str(row[0]) for row in connection.execute(query, tuple(event_ids))])

    async def add(self, event_ids: Sequence[str]) -> None:
        """Remember ids.

        Raises:
            ConfigurationError: the file cannot be used, or is closed.
        """

        def write(connection: sqlite3.Connection) -> None:
            with connection:
                connection.executemany(
                    "INSERT OR IGNORE INTO acknowledged_events (id) VALUES (?)", [(event_id,) for event_id in event_ids]
                )
                connection.execute(
                    "DELETE FROM acknowledged_events WHERE number <= (SELECT MAX(number) FROM acknowledged_events) - ?",
                    (self._most,),
                )

        await self._run(write)

    async def aclose(self) -> None:
        """Close the file. Has no effect the second time."""
        if not self._is_closed:
            self._is_closed = True
            await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
            self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        if self._is_closed:
            raise ConfigurationError(f"the store of event ids is closed: {self._path}")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(self._opened()))
        except sqlite3.Error as error:
            raise ConfigurationError(f"the store of event ids cannot be used: {self._path}: {error}") from error

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(self._path, timeout=_SECONDS)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute(_TABLE)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
