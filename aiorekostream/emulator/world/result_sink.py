"""Define where the results of stream processors go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from aiorekostream.emulator.world.identity import Caller, Stream
    from aiorekostream.emulator.world.notifications import Notification
    from aiorekostream.emulator.world.objects import StoredObject
    from aiorekostream.emulator.world.stream import RecordSource

__all__ = ["NoResults", "ResultSink", "ResultStore"]


class ResultStore(Protocol):
    """Stores what stream processors write to buckets and data streams."""

    def open(self, owner: Caller, topic_arn: str, bucket: str, now: float) -> None:
        """Prepare for the results of a label detection that was created."""
        ...

    def store(self, stored: StoredObject) -> None:
        """Write an object to its bucket."""
        ...

    def open_stream(self, owner: Caller, stream: Stream, now: float) -> None:
        """Prepare for the records of a face search that was created."""
        ...

    def attach(self, owner: Caller, stream: Stream, source: RecordSource, now: float) -> None:
        """Take the records of a face search that begins to run, when they arrive or when they are read."""
        ...


class ResultSink(ResultStore, Protocol):
    """Takes the results of stream processors."""

    def publish(self, notification: Notification) -> None:
        """Publish a message to its topic."""
        ...


class NoResults:
    """Discard all results. A ``ResultSink``."""

    def open(self, owner: Caller, topic_arn: str, bucket: str, now: float) -> None:
        """See ``ResultStore.open``."""

    def store(self, stored: StoredObject) -> None:
        """See ``ResultStore.store``."""

    def publish(self, notification: Notification) -> None:
        """See ``ResultSink.publish``."""

    def open_stream(self, owner: Caller, stream: Stream, now: float) -> None:
        """See ``ResultStore.open_stream``."""

    def attach(self, owner: Caller, stream: Stream, source: RecordSource, now: float) -> None:
        """See ``ResultStore.attach``."""
