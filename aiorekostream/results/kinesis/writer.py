"""Write checkpoints, and hold the lease of the consumer."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import math
import os
import socket
from collections.abc import Callable, Mapping

import attrs

from aiorekostream.clock import Clock
from aiorekostream.errors import ConsumerLeaseError
from aiorekostream.results.kinesis.checkpoints import Checkpoints, ConsumerLease
from aiorekostream.results.kinesis.positions import Position

__all__ = ["CheckpointWriter", "owner_name"]

_log = logging.getLogger("aiorekostream")

# Seconds at least between two writes.
_BETWEEN_WRITES = 1.0
# Seconds for which a lease is held without being renewed: a consumer that was killed can be started again after that.
# It is renewed after the second number, often enough to bridge a slow write.
_LEASE, _RENEW = 20.0, 5.0
# Seconds for the release of the lease when a consumer is closed.
_RELEASING = 2.0


def owner_name(random: float) -> str:
    """Return a name of this process for a lease.

    Args:
        random: a number from 0 to 1 that distinguishes the consumers of one process.
    """
    return f"{socket.gethostname()}:{os.getpid()}:{math.floor(random * 16**8):08x}"


@attrs.define(eq=False, kw_only=True)
class CheckpointWriter:
    """Write the checkpoints of a consumer: at most once a second, and at once after a second without a write.

    Attributes:
        store: the store.
        consumer: the stream and the name of the consumer.
        owner: the name of this process.
        clock: measures the time.
        positions: returns the checkpoint of each shard; ``None`` while they are not known.
    """

    store: Checkpoints
    consumer: str
    owner: str
    clock: Clock
    positions: Callable[[], Mapping[str, Position] | None]
    _saved: Mapping[str, str] = attrs.field(factory=dict[str, str], init=False)
    _is_changed: bool = attrs.field(default=False, init=False)
    _woken: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _writing: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)
    _written_at: float = attrs.field(default=-math.inf, init=False)
    _renewed_at: float = attrs.field(default=-math.inf, init=False)

    async def acquire(self) -> Mapping[str, Position]:
        """Take the lease, and return the checkpoints.

        Raises:
            ConsumerLeaseError: another consumer has the lease.
            ConfigurationError: the store cannot be used, or has a position that cannot be read.
        """
        await self._renew()
        self._saved = await self.store.load(self.consumer)
        return {shard_id: Position.parse(position) for shard_id, position in self._saved.items()}

    def changed(self) -> None:
        """Note that positions may have changed."""
        if not self._is_changed:
            self._is_changed = True
            self._woken.set()

    async def run(self) -> None:
        """Write and renew until it is cancelled.

        Raises:
            ConsumerLeaseError: another consumer has taken the lease.
        """
        while True:
            now = self.clock.now()
            if now >= self._renewed_at + _RENEW:
                await self._renew()
            elif self._is_changed and now >= self._written_at + _BETWEEN_WRITES:
                await self.write()
            else:
                await self._wait()

    async def write(self) -> None:
        """Write the positions that have changed, now.

        Raises:
            ConsumerLeaseError: another consumer has taken the lease.
        """
        async with self._writing:
            self._is_changed = False
            positions = self.positions()
            if positions is None:
                return
            texts = {shard_id: str(position) for shard_id, position in positions.items()}
            changes: dict[str, str | None] = {
                shard_id: position for shard_id, position in texts.items() if self._saved.get(shard_id) != position
            }
            changes |= dict.fromkeys(self._saved.keys() - texts.keys())
            if not changes:
                return
            self._written_at = self.clock.now()
            if not await self.store.save(self.consumer, self.owner, changes):
                raise ConsumerLeaseError(f"another consumer has taken the lease of {self.consumer} from {self.owner}")
            self._saved = texts

    async def release(self) -> None:
        """Release the lease, so that the next consumer does not have to wait for its end. A failure is logged."""
        try:
            async with self.clock.timeout_at(self.clock.now() + _RELEASING):
                await self.store.release(self.consumer, self.owner)
        except Exception as error:  # noqa: BLE001 - a store may raise anything, and the lease expires
            _log.warning("the lease of %s cannot be released: %r", self.consumer, error)

    async def _renew(self) -> None:
        now = self.clock.wall()
        wanted = ConsumerLease(owner=self.owner, expires_at=now + datetime.timedelta(seconds=_LEASE))
        began = self.clock.now()
        lease = await self.store.acquire(self.consumer, wanted, now=now)
        if lease.owner != self.owner:
            raise ConsumerLeaseError(
                f"another consumer of {self.consumer} has the lease until {lease.expires_at:%Y-%m-%dT%H:%M:%SZ}: "
                f"{lease.owner}. Stop it, or use another name=, or start again after that time if it was killed",
                owner=lease.owner,
                expires_at=lease.expires_at,
            )
        self._renewed_at = began

    async def _wait(self) -> None:
        due = self._renewed_at + _RENEW
        if self._is_changed:
            due = min(due, self._written_at + _BETWEEN_WRITES)
        self._woken.clear()
        with contextlib.suppress(TimeoutError):
            async with self.clock.timeout_at(due):
                await self._woken.wait()
