"""Remember acknowledged events in a file, so that a restarted consumer does not handle them again."""

import os
import sqlite3
from collections.abc import Collection, Sequence

from aiorekostream.domain.fields import whole_number
from aiorekostream.results.sqlite_file import SqliteStore

__all__ = ["SqliteEventIds"]

# Rows are numbered as they are added, so that the oldest can be found. An id that is added again keeps its number.
_TABLE = """
CREATE TABLE IF NOT EXISTS acknowledged_events (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE)
"""


class SqliteEventIds(SqliteStore):
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
        self._most = whole_number(most, least=1)
        super().__init__(path, content="event ids", tables=(_TABLE,))

    async def known(self, event_ids: Sequence[str]) -> Collection[str]:
        """See ``EventIds.known``.

        Raises:
            ConfigurationError: the file cannot be used, or is closed.
        """
        marks = ",".join("?" * len(event_ids))
        query = f"SELECT id FROM acknowledged_events WHERE id IN ({marks})"  # noqa: S608 - question marks only
        return await self._run(lambda connection: [str(row[0]) for row in connection.execute(query, tuple(event_ids))])

    async def add(self, event_ids: Sequence[str]) -> None:
        """See ``EventIds.add``.

        Raises:
            ConfigurationError: the file cannot be used, or is closed.
        """

        def write(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "INSERT OR IGNORE INTO acknowledged_events (id) VALUES (?)", [(event_id,) for event_id in event_ids]
            )
            connection.execute(
                "DELETE FROM acknowledged_events WHERE number <= (SELECT MAX(number) FROM acknowledged_events) - ?",
                (self._most,),
            )

        await self._run(write)
