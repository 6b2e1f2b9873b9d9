"""Hold messages in a queue as standard queues of Amazon SQS do: at least once, and in no promised order.

A pure state machine: the time is an argument. See
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues.html.
"""

from __future__ import annotations

import base64
import binascii
import heapq
import itertools
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

import attrs

from aiorekostream.emulator.world.identity import Caller, partition_of

__all__ = ["MAX_VISIBILITY_TIMEOUT", "EmulatedQueue", "QueueTotals", "RedrivePolicy", "StoredMessage"]

MAX_VISIBILITY_TIMEOUT = 43_200
"""Seconds; AWS's maximum time for which a received message stays invisible, over all changes of it."""

# Bytes; what a message takes beside its body.
_OVERHEAD = 600
# Entries of a queue's schedule that are kept whether or not they are of use.
_MIN_ENTRIES = 100


@attrs.define(kw_only=True, eq=False)
class StoredMessage:
    """A message in a queue. Times are epoch seconds of the queue's clock.

    Attributes:
        message_id: the id.
        body: the body.
        digest: the MD5 digest of the body, in hexadecimal.
        sent_at: when it was sent.
        visible_at: when it can be received.
        received_at: when it was received first; None before.
        receive_count: how often it was received.
        latest_receive_at: when it was received last; None before.
        schedule_number: the number of the entry in its queue's schedule that is valid.
    """

    message_id: str
    body: str
    digest: str
    sent_at: float
    visible_at: float
    received_at: float | None = None
    receive_count: int = 0
    latest_receive_at: float | None = None
    schedule_number: int = -1

    @property
    def receipt_handle(self) -> str:
        """The handle of the latest receive."""
        return base64.b64encode(f"{self.message_id} {self.receive_count}".encode()).decode()

    @property
    def size(self) -> int:
        """The bytes that it takes."""
        return len(self.body) + _OVERHEAD


@attrs.frozen
class RedrivePolicy:
    """Where the messages go that are received too often.

    Attributes:
        dead_letter_arn: the ARN of the dead-letter queue.
        max_receive_count: the number of receives after which a message is moved.
    """

    dead_letter_arn: str
    max_receive_count: int


_DEFAULTS: Mapping[str, int] = MappingProxyType(
    {
        "DelaySeconds": 0,
        "MaximumMessageSize": 1_048_576,
        "MessageRetentionPeriod": 345_600,
        "ReceiveMessageWaitTimeSeconds": 0,
        "VisibilityTimeout": 30,
    }
)


@attrs.define
class QueueTotals:
    """The messages of all queues.

    Attributes:
        messages: their number.
        size: their bytes.
    """

    messages: int = 0
    size: int = 0


@attrs.define(kw_only=True, eq=False)
class EmulatedQueue:
    """A queue.

    Attributes:
        name: the name.
        owner: the account and the Region.
        created: when it was created, in epoch seconds.
        modified: when its attributes were changed, in epoch seconds.
        settings: the attributes that are numbers, by AWS's name.
        redrive: where the messages go that are received too often; None if nowhere.
        is_implicit: whether a topic made it and no CreateQueue has set its attributes.
        totals: the messages of all queues, with which it counts its own.
        size: the bytes of its messages.
    """

    name: str
    owner: Caller
    created: float
    modified: float
    settings: dict[str, int] = attrs.field(factory=lambda: dict(_DEFAULTS))
    redrive: RedrivePolicy | None = None
    is_implicit: bool = False
    totals: QueueTotals = attrs.field(factory=QueueTotals)
    size: int = attrs.field(default=0, init=False)
    _messages: dict[str, StoredMessage] = attrs.field(factory=dict, init=False)
    _by_visibility: list[tuple[float, int, StoredMessage]] = attrs.field(factory=list, init=False)
    _numbers: Iterator[int] = attrs.field(factory=itertools.count, init=False)
    _listeners: set[Callable[[], None]] = attrs.field(factory=set, init=False)

    @property
    def arn(self) -> str:
        """The ARN."""
        region = self.owner.region
        return f"arn:{partition_of(region)}:sqs:{region}:{self.owner.account}:{self.name}"

    def __len__(self) -> int:
        """Return the number of messages."""
        return len(self._messages)

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call a function whenever a message becomes visible by being sent or returned; return what ends it."""
        self._listeners.add(callback)
        return lambda: self._listeners.discard(callback)

    def counts(self, now: float) -> tuple[int, int, int]:
        """Return how many messages are visible, how many are in flight, and how many are delayed."""
        self.expire(now)
        visible = sum(message.visible_at <= now for message in self._messages.values())
        delayed = sum(message.visible_at > now and not message.receive_count for message in self._messages.values())
        return visible, len(self._messages) - visible - delayed, delayed

    def add(self, message: StoredMessage, now: float) -> None:
        """Add a message."""
        self._messages[message.message_id] = message
        self._count(1, message.size)
        self._schedule(message, now)

    def remove(self, message: StoredMessage) -> None:
        """Remove a message, if it is in the queue."""
        if self._messages.pop(message.message_id, None) is not None:
            self._count(-1, -message.size)

    def oldest(self) -> StoredMessage | None:
        """Return the message that was sent first, or None."""
        return next(iter(self._messages.values()), None)

    def expire(self, now: float) -> None:
        """Remove the messages that are older than the retention period."""
        retention = self.settings["MessageRetentionPeriod"]
        while (oldest := self.oldest()) is not None and oldest.sent_at + retention <= now:
            self.remove(oldest)

    def take(self, now: float) -> StoredMessage | None:
        """Return the next visible message without any change, or None."""
        visible_at = self.next_visible_at()
        return None if visible_at is None or visible_at > now else self._by_visibility[0][2]

    def next_visible_at(self) -> float | None:
        """Return when the next message becomes visible, in epoch seconds, or None."""
        while self._by_visibility and not self._is_current(self._by_visibility[0]):
            heapq.heappop(self._by_visibility)
        return self._by_visibility[0][0] if self._by_visibility else None

    def receive(self, message: StoredMessage, now: float, visibility_timeout: float) -> None:
        """Count a receive, and make a message invisible for a time."""
        message.receive_count += 1
        message.latest_receive_at = now
        message.received_at = now if message.received_at is None else message.received_at
        message.visible_at = now + visibility_timeout
        self._schedule(message, now)

    def find(self, receipt_handle: str) -> StoredMessage | None:
        """Return the message of a receipt handle, if it is the handle of its latest receive; None if there is none.

        UNCERTAIN: whether AWS deletes a message for an older handle. It documents that it "might not".

        Raises:
            ValueError: the text is no receipt handle.
        """
        try:
            message_id, _, count = base64.b64decode(receipt_handle, validate=True).decode().partition(" ")
            receive_count = int(count)
        except binascii.Error as error:
            raise ValueError(receipt_handle) from error
        message = self._messages.get(message_id)
        return message if message is not None and message.receive_count == receive_count else None

    def change_visibility(self, message: StoredMessage, now: float, timeout: float) -> None:
        """Make a received message invisible until a number of seconds from now."""
        message.visible_at = now + timeout
        self._schedule(message, now)

    def purge(self) -> None:
        """Remove all messages."""
        self._count(-len(self._messages), -self.size)
        self._messages.clear()
        self._by_visibility.clear()

    def _count(self, messages: int, size: int) -> None:
        self.size += size
        self.totals.messages += messages
        self.totals.size += size

    def _schedule(self, message: StoredMessage, now: float) -> None:
        message.schedule_number = next(self._numbers)
        heapq.heappush(self._by_visibility, (message.visible_at, message.schedule_number, message))
        # An entry of a message that was deleted or received again stays until its time has come or most are such.
        if len(self._by_visibility) > _MIN_ENTRIES + 2 * len(self._messages):
            self._by_visibility = [entry for entry in self._by_visibility if self._is_current(entry)]
            heapq.heapify(self._by_visibility)
        if message.visible_at <= now:
            for callback in tuple(self._listeners):
                callback()

    def _is_current(self, entry: tuple[float, int, StoredMessage]) -> bool:
        _, number, message = entry
        return self._messages.get(message.message_id) is message and message.schedule_number == number
