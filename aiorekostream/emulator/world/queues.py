"""Hold the queues of all accounts. Bounded: beyond the maximum count and size the oldest messages are removed."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator

import attrs

from aiorekostream.emulator.world.identity import Caller
from aiorekostream.emulator.world.queue import EmulatedQueue, QueueTotals, StoredMessage

__all__ = ["Queues"]

# The emulator's own choices; a message of label detection has about 2 KB in its envelope. AWS's maximum of messages
# that are received and not deleted, 120,000, cannot be reached.
_MAX_MESSAGES = 100_000
_MAX_BYTES = 256 * 1024 * 1024
_MAX_QUEUES = 10_000


@attrs.define
class Queues:
    """The queues of all accounts and Regions.

    Attributes:
        max_messages: the maximum number of messages in all queues.
        max_bytes: the maximum size of the messages in all queues.
        dropped: how many messages were removed because there were too many.
    """

    max_messages: int = _MAX_MESSAGES
    max_bytes: int = _MAX_BYTES
    dropped: int = attrs.field(default=0, init=False)
    _totals: QueueTotals = attrs.field(factory=QueueTotals, init=False)
    _queues: dict[tuple[Caller, str], EmulatedQueue] = attrs.field(factory=dict, init=False)
    _message_numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1), init=False)

    def get(self, owner: Caller, name: str) -> EmulatedQueue | None:
        """Return a queue, or None."""
        return self._queues.get((owner, name))

    def of(self, owner: Caller) -> list[EmulatedQueue]:
        """Return the queues of an account in a Region, by name."""
        return sorted((queue for key, queue in self._queues.items() if key[0] == owner), key=lambda queue: queue.name)

    def open(self, owner: Caller, name: str, now: float) -> EmulatedQueue | None:
        """Return a queue, created if it does not exist; None if there are too many."""
        found = self._queues.get((owner, name))
        if found is None and len(self._queues) < _MAX_QUEUES:
            found = EmulatedQueue(
                name=name, owner=owner, created=now, modified=now, is_implicit=True, totals=self._totals
            )
            self._queues[owner, name] = found
        return found

    def delete(self, queue: EmulatedQueue) -> None:
        """Delete a queue with its messages."""
        queue.purge()
        self._queues.pop((queue.owner, queue.name), None)

    def send(self, queue: EmulatedQueue, body: str, now: float, *, delay: float = 0.0) -> StoredMessage:
        """Send a message."""
        encoded = body.encode("utf-8", "surrogatepass")
        number = next(self._message_numbers)
        message = StoredMessage(
            message_id=_message_id(queue.arn, number),
            body=body,
            digest=hashlib.md5(encoded, usedforsecurity=False).hexdigest(),
            sent_at=now,
            visible_at=now + delay,
        )
        queue.add(message, now)
        self._enforce_bounds()
        return message

    def receive(self, queue: EmulatedQueue, now: float, *, most: int, visibility_timeout: float) -> list[StoredMessage]:
        """Receive messages; move those that were received too often to the dead-letter queue."""
        queue.expire(now)
        received: list[StoredMessage] = []
        while len(received) < most and (message := queue.take(now)) is not None:
            target = self._dead_letter_queue(queue, message)
            if target is not None:
                # AWS keeps the id, and the time at which the message was sent first, from which the retention counts.
                queue.remove(message)
                message.visible_at = now
                target.add(message, now)
                continue
            queue.receive(message, now, visibility_timeout)
            received.append(message)
        return received

    def clear(self) -> None:
        """Delete all queues."""
        for queue in self._queues.values():
            queue.purge()
        self._queues.clear()

    def _dead_letter_queue(self, queue: EmulatedQueue, message: StoredMessage) -> EmulatedQueue | None:
        """Return the queue to which a message is moved instead of being received once more, or None."""
        redrive = queue.redrive
        if redrive is None or message.receive_count < redrive.max_receive_count:
            return None
        return self.by_arn(queue.owner, redrive.dead_letter_arn)

    def by_arn(self, owner: Caller, arn: str) -> EmulatedQueue | None:
        """Return the queue of an ARN in an account and Region, or None."""
        found = self._queues.get((owner, arn.rpartition(":")[2]))
        return found if found is not None and found.arn == arn else None

    def _enforce_bounds(self) -> None:
        while self._totals.messages > self.max_messages or self._totals.size > self.max_bytes:
            fullest = max(self._queues.values(), key=lambda queue: queue.size)
            oldest = fullest.oldest()
            if oldest is None:
                return
            fullest.remove(oldest)
            self.dropped += 1


def _message_id(arn: str, number: int) -> str:
    digest = hashlib.blake2b(f"{arn} {number}".encode(), digest_size=16).hexdigest()
    return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:]))
