"""Store checkpoints, and the lease that lets one consumer at a time use them."""

import datetime
from collections.abc import Mapping
from typing import Protocol, final

import attrs

__all__ = ["Checkpoints", "ConsumerLease", "MemoryCheckpoints"]


@final
@attrs.frozen(kw_only=True)
class ConsumerLease:
    """The right of one consumer to read a stream under a name.

    Attributes:
        owner: the consumer, as host, process id and a random number.
        expires_at: the time in UTC from which another consumer may take the lease.
    """

    owner: str
    expires_at: datetime.datetime


class Checkpoints(Protocol):
    """Store the position of each shard, for any number of consumers, and the lease of each.

    A consumer is its stream and its name, as one text. Each method is atomic, also among processes that share the
    store. What a method raises ends the consumer, except that of ``release``, which is logged.
    """

    async def acquire(self, consumer: str, lease: ConsumerLease, *, now: datetime.datetime) -> ConsumerLease:
        """Take or renew a lease, unless another owner has one that has not expired.

        Args:
            consumer: the consumer.
            lease: the lease.
            now: the current time in UTC.

        Returns:
            The lease in force: the given one if it was taken, that of the other owner otherwise.
        """
        ...

    async def load(self, consumer: str) -> Mapping[str, str]:
        """Return the positions by the ids of shards; empty for a consumer that has none.

        Args:
            consumer: the consumer.
        """
        ...

    async def save(self, consumer: str, owner: str, positions: Mapping[str, str | None]) -> bool:
        """Write positions, if the lease is the owner's, expired or not.

        Args:
            consumer: the consumer.
            owner: the owner of the lease.
            positions: those that have changed, by the ids of shards: opaque texts of at most 160 characters. ``None``
                removes one.

        Returns:
            Whether they were written: false if another owner has taken the lease.
        """
        ...

    async def release(self, consumer: str, owner: str) -> None:
        """Remove the lease, if it is the owner's.

        Args:
            consumer: the consumer.
            owner: the owner of the lease.
        """
        ...


class MemoryCheckpoints:
    """Keep checkpoints in memory. Consumers of one process that follow each other may share it."""

    def __init__(self) -> None:
        self._leases: dict[str, ConsumerLease] = {}
        self._positions: dict[str, dict[str, str]] = {}

    async def acquire(self, consumer: str, lease: ConsumerLease, *, now: datetime.datetime) -> ConsumerLease:
        """See ``Checkpoints.acquire``."""
        held = self._leases.get(consumer)
        if held is not None and held.owner != lease.owner and held.expires_at > now:
            return held
        self._leases[consumer] = lease
        return lease

    async def load(self, consumer: str) -> Mapping[str, str]:
        """See ``Checkpoints.load``."""
        return dict(self._positions.get(consumer, {}))

    async def save(self, consumer: str, owner: str, positions: Mapping[str, str | None]) -> bool:
        """See ``Checkpoints.save``."""
        held = self._leases.get(consumer)
        if held is None or held.owner != owner:
            return False
        saved = self._positions.setdefault(consumer, {})
        for shard_id, position in positions.items():
            if position is None:
                saved.pop(shard_id, None)
            else:
                saved[shard_id] = position
        return True

    async def release(self, consumer: str, owner: str) -> None:
        """See ``Checkpoints.release``."""
        held = self._leases.get(consumer)
        if held is not None and held.owner == owner:
            del self._leases[consumer]
