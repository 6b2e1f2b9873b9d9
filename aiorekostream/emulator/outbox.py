"""Deliver what stream processors report to the emulator's queues, buckets and data streams.

Notifications pass through the injected delivery faults.
"""

from __future__ import annotations

import heapq
import itertools
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

import attrs

from aiorekostream.emulator.delivery_faults import (
    DelayNotification,
    DuplicateNotification,
    LoseNotification,
    ReorderNotification,
)
from aiorekostream.emulator.fault_script import FaultScript
from aiorekostream.emulator.world.notifications import Notification
from aiorekostream.emulator.world.objects import Buckets, StoredObject
from aiorekostream.emulator.world.queues import Queues
from aiorekostream.emulator.world.result_sink import ResultStore
from aiorekostream.emulator.world.streams import Streams

if TYPE_CHECKING:
    from aiorekostream.emulator.world.identity import Caller, Stream
    from aiorekostream.emulator.world.stream import RecordSource

__all__ = ["LocalDestination", "Outbox", "ResultDestination"]

_LOGGER = logging.getLogger("aiorekostream.emulator")
# Notifications that faults hold back; the emulator's own choice. Beyond it, those are delivered that are due first.
_MAX_HELD = 100_000


class ResultDestination(ResultStore, Protocol):
    """Where results are delivered to."""

    def deliver(self, notification: Notification) -> None:
        """Deliver a message."""
        ...

    def advance(self, now: float) -> None:
        """Deliver the records that arrived by ``now``, in epoch seconds."""
        ...

    def next_due(self) -> float | None:
        """Return when a record is to be delivered, in epoch seconds; None if records wait until they are read."""
        ...


@attrs.frozen(kw_only=True)
class LocalDestination:
    """The emulator's own queues, buckets and streams: the queue of a topic has the name of the topic.

    Attributes:
        queues: the queues.
        buckets: the buckets.
        streams: the data streams.
        now: returns the time on the queues' clock, in epoch seconds.
        is_raw: whether messages are delivered without SNS's envelope.
    """

    queues: Queues
    buckets: Buckets
    streams: Streams
    now: Callable[[], float]
    is_raw: bool

    def open(self, owner: Caller, topic_arn: str, bucket: str, now: float) -> None:
        """See ``ResultStore.open``."""
        self.queues.open(owner, topic_arn.rpartition(":")[2], self.now())
        self.buckets.open(owner.account, bucket, now)

    def store(self, stored: StoredObject) -> None:
        """See ``ResultStore.store``."""
        self.buckets.put(stored)

    def deliver(self, notification: Notification) -> None:
        """See ``ResultDestination.deliver``."""
        queue = self.queues.open(notification.owner, notification.topic_name, self.now())
        if queue is None:
            _LOGGER.warning("there are too many queues: %s has none", notification.topic_arn)
            return
        body = notification.message if self.is_raw else notification.envelope()
        dropped = self.queues.dropped
        self.queues.send(queue, body, self.now(), delay=queue.settings["DelaySeconds"])
        if self.queues.dropped != dropped:
            _LOGGER.warning("the queues are full: the oldest message of the fullest queue was removed")

    def open_stream(self, owner: Caller, stream: Stream, now: float) -> None:
        """See ``ResultStore.open_stream``."""
        if self.streams.open(owner, stream.name, now) is None:
            _LOGGER.warning("there are too many data streams: %s was not created", stream.arn)

    def attach(self, owner: Caller, stream: Stream, source: RecordSource, now: float) -> None:
        """See ``ResultStore.attach``."""
        found = self.streams.open(owner, stream.name, now)
        if found is not None:
            found.attach(source, now)

    def advance(self, now: float) -> None:
        """See ``ResultDestination.advance``. Streams take records when they are used."""

    def next_due(self) -> float | None:
        """See ``ResultDestination.next_due``."""
        return None


@attrs.define(kw_only=True)
class Outbox:
    """Apply the delivery faults to each notification. A ``ResultSink``.

    Attributes:
        destination: where results are delivered to.
        fault_script: the pending faults.
    """

    destination: ResultDestination
    fault_script: FaultScript
    _held: list[tuple[float, int, Notification]] = attrs.field(factory=list, init=False)
    # The numbers of the held notifications that wait for the next one of their topic, by topic.
    _reordered: dict[str, dict[int, Notification]] = attrs.field(factory=dict, init=False)
    _numbers: Iterator[int] = attrs.field(factory=itertools.count, init=False)

    def open(self, owner: Caller, topic_arn: str, bucket: str, now: float) -> None:
        """See ``ResultStore.open``."""
        self.destination.open(owner, topic_arn, bucket, now)

    def store(self, stored: StoredObject) -> None:
        """See ``ResultStore.store``."""
        self.destination.store(stored)

    def publish(self, notification: Notification) -> None:
        """See ``ResultSink.publish``."""
        self.advance(notification.at)
        faults = self.fault_script.match_delivery(notification.event, notification.processor)
        copies, delay, reorder_delay = 1, 0.0, None
        for fault in faults:
            match fault:
                case LoseNotification():
                    return
                case DuplicateNotification(copies=more):
                    copies += more
                case DelayNotification(seconds=seconds):
                    delay += seconds
                case ReorderNotification(seconds=seconds):
                    reorder_delay = max(reorder_delay or 0.0, seconds)
                case _:
                    pass
        for _ in range(copies):
            if delay or reorder_delay is not None:
                due_at = notification.at + delay + (reorder_delay or 0.0)
                self._hold(notification, due_at, is_reordered=reorder_delay is not None)
            else:
                self.destination.deliver(notification)
        if not delay and reorder_delay is None:
            self._release_overtaken(notification.topic_arn)

    def open_stream(self, owner: Caller, stream: Stream, now: float) -> None:
        """See ``ResultStore.open_stream``."""
        self.destination.open_stream(owner, stream, now)

    def attach(self, owner: Caller, stream: Stream, source: RecordSource, now: float) -> None:
        """See ``ResultStore.attach``."""
        self.destination.attach(owner, stream, source, now)

    def advance(self, now: float) -> None:
        """Deliver the held notifications, and the records, that are due by ``now``, in epoch seconds."""
        self.destination.advance(now)
        while self._held and (self._held[0][0] <= now or len(self._held) > _MAX_HELD):
            _, number, notification = heapq.heappop(self._held)
            self._deliver_held(number, notification)

    def next_due(self) -> float | None:
        """Return when the next held notification or record is due, in epoch seconds; None if there is none."""
        due_at = self.destination.next_due()
        if self._held and (due_at is None or self._held[0][0] < due_at):
            return self._held[0][0]
        return due_at

    def clear(self) -> None:
        """Drop the held notifications."""
        self._held.clear()
        self._reordered.clear()

    def _hold(self, notification: Notification, until: float, *, is_reordered: bool) -> None:
        number = next(self._numbers)
        heapq.heappush(self._held, (until, number, notification))
        if is_reordered:
            self._reordered.setdefault(notification.topic_arn, {})[number] = notification

    def _release_overtaken(self, topic_arn: str) -> None:
        released = self._reordered.pop(topic_arn, None)
        if released:
            self._held = [entry for entry in self._held if entry[1] not in released]
            heapq.heapify(self._held)
            for notification in released.values():
                self.destination.deliver(notification)

    def _deliver_held(self, number: int, notification: Notification) -> None:
        waiting = self._reordered.get(notification.topic_arn, {})
        if waiting.pop(number, None) is None:
            self._release_overtaken(notification.topic_arn)
        self.destination.deliver(notification)
