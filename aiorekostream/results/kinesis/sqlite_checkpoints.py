"""Keep checkpoints in a file, so that a restarted consumer continues where it ended."""

import datetime
import os
import sqlite3
from collections.abc import Mapping

from aiorekostream.results.kinesis.checkpoints import ConsumerLease
from aiorekostream.results.sqlite_file import SqliteStore

__all__ = ["SqliteCheckpoints"]

_TABLES = (
    """
    CREATE TABLE IF NOT EXISTS consumer_leases (
        consumer TEXT PRIMARY KEY, owner TEXT NOT NULL, expires_at TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS shard_checkpoints (
        consumer TEXT NOT NULL, shard_id TEXT NOT NULL, position TEXT NOT NULL, PRIMARY KEY (consumer, shard_id)
    )
    """,
)


class SqliteCheckpoints(SqliteStore):
    """Keep checkpoints in a file of SQLite.

    Consumers of several processes of one host may share it::

        async with (
            SqliteCheckpoints("faces.sqlite") as checkpoints,
            KinesisConsumer("faces", checkpoints=checkpoints) as consumer,
        ):
            ...

    Each write is on the disk when ``save`` returns. All methods raise ``ConfigurationError`` if the file cannot be
    used, or is closed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Set up; the file is opened on first use.

        Args:
            path: the path of the file, which is created if it does not exist.
        """
        super().__init__(path, content="checkpoints", tables=_TABLES)

    async def acquire(self, consumer: str, lease: ConsumerLease, *, now: datetime.datetime) -> ConsumerLease:
        """See ``Checkpoints.acquire``."""

        def write(connection: sqlite3.Connection) -> ConsumerLease:
            connection.execute("BEGIN IMMEDIATE")  # no other process writes between the read and the write
            held = _lease(connection, consumer)
            if held is not None and held.owner != lease.owner and held.expires_at > now:
                return held
            connection.execute(
                "INSERT OR REPLACE INTO consumer_leases (consumer, owner, expires_at) VALUES (?, ?, ?)",
                (consumer, lease.owner, lease.expires_at.isoformat()),
            )
            return lease

        return await self._run(write)

    async def load(self, consumer: str) -> Mapping[str, str]:
        """See ``Checkpoints.load``."""
        query = "SELECT shard_id, position FROM shard_checkpoints WHERE consumer = ?"
        return await self._run(
            lambda connection: {str(row[0]): str(row[1]) for row in connection.execute(query, (consumer,))}
        )

    async def save(self, consumer: str, owner: str, positions: Mapping[str, str | None]) -> bool:
        """See ``Checkpoints.save``."""

        def write(connection: sqlite3.Connection) -> bool:
            connection.execute("BEGIN IMMEDIATE")
            held = _lease(connection, consumer)
            if held is None or held.owner != owner:
                return False
            connection.executemany(
                "DELETE FROM shard_checkpoints WHERE consumer = ? AND shard_id = ?",
                [(consumer, shard_id) for shard_id, position in positions.items() if position is None],
            )
            connection.executemany(
                "INSERT OR REPLACE INTO shard_checkpoints (consumer, shard_id, position) VALUES (?, ?, ?)",
                [(consumer, shard_id, position) for shard_id, position in positions.items() if position is not None],
            )
            return True

        return await self._run(write)

    async def release(self, consumer: str, owner: str) -> None:
        """See ``Checkpoints.release``."""
        await self._run(
            lambda connection: (
                connection.execute(
                    "DELETE FROM consumer_leases WHERE consumer = ? AND owner = ?", (consumer, owner)
                ).rowcount
            )
        )


def _lease(connection: sqlite3.Connection, consumer: str) -> ConsumerLease | None:
    query = "SELECT owner, expires_at FROM consumer_leases WHERE consumer = ?"
    row = connection.execute(query, (consumer,)).fetchone()
    return None if row is None else ConsumerLease(owner=row[0], expires_at=datetime.datetime.fromisoformat(row[1]))
