"""Use a file of SQLite from an event loop."""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from aiorekostream.errors import ConfigurationError

__all__ = ["SqliteStore"]

_T = TypeVar("_T")
_BUSY_TIMEOUT = 10  # seconds for which a write waits for another process


class SqliteStore:
    """Base of the stores in a file of SQLite: an async context manager that opens the file, and closes it.

    Args:
        path: the path of the file, which is created if it does not exist.
        content: what is stored, for messages.
        tables: the statements that create the tables.
    """

    def __init__(self, path: str | os.PathLike[str], *, content: str, tables: tuple[str, ...]) -> None:
        self._path = path
        self._content = content
        self._tables = tables
        # One thread: a connection belongs to its thread, and writes have an order.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="aiorekostream-sqlite")
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

    async def aclose(self) -> None:
        """Close the file. Has no effect the second time."""
        if not self._is_closed:
            self._is_closed = True
            await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
            self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Call a function in the store's thread, in one transaction.

        Raises:
            ConfigurationError: the file cannot be used, or is closed.
        """
        if self._is_closed:
            raise ConfigurationError(f"the store of {self._content} is closed: {self._path}")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: self._transact(work))
        except sqlite3.Error as error:
            raise ConfigurationError(f"the store of {self._content} cannot be used: {self._path}: {error}") from error

    def _transact(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        with self._opened() as connection:
            return work(connection)

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(self._path, timeout=_BUSY_TIMEOUT)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                for table in self._tables:
                    connection.execute(table)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
