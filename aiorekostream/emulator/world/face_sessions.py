"""Produce the records of the face searches of one account, lazily: when their stream is used or they are delivered.

A face search analyzes frames at a steady interval while it is RUNNING. UNCERTAIN: whether AWS writes the record of a
frame that was seen before a stop and analyzed after it; here it does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from aiorekostream.domain.status import Status
from aiorekostream.emulator.world.face_records import FaceTarget, write_record
from aiorekostream.emulator.world.footage import Analyst, VideoMoment
from aiorekostream.emulator.world.identity import Caller, stable_id
from aiorekostream.emulator.world.result_sink import NoResults, ResultSink
from aiorekostream.emulator.world.video import map_frame

if TYPE_CHECKING:
    from aiorekostream.emulator.world.definitions import ProcessorDefinition
    from aiorekostream.emulator.world.processors import Processor

__all__ = ["FaceRecord", "FaceSession", "FaceSessions"]

# Milliseconds, of a fragment and more. Only within this time from a start can a fragment have arrived before it.
_FRAGMENTS_BEFORE_START = 5_000


@attrs.frozen
class FaceRecord:
    """The record of an analyzed frame.

    Attributes:
        session: the session.
        frame: the moment of the frame on the producer's clock, in epoch milliseconds.
    """

    session: FaceSession
    frame: int

    @property
    def arrived_at(self) -> float:
        """When it arrives in the data stream, in epoch seconds."""
        return self.frame / 1000 + self.session.delay

    @property
    def partition_key(self) -> str:
        """The partition key: as observed at AWS, a random UUID."""
        return stable_id(self.session.session_id, str(self.frame))

    def render(self) -> bytes:
        """Return the data."""
        session, at = self.session, self.frame / 1000
        moment = VideoMoment(stream_arn=session.stream_arn, session_start=session.running_from, at=at)
        return write_record(session.stream_arn, at, session.analyst.detect(moment), session.target)


@attrs.define(kw_only=True, eq=False)
class FaceSession:
    """A face search from RUNNING to its end. A ``RecordSource``.

    Attributes:
        session_id: the session.
        stream_arn: the ARN of the video stream.
        target: what faces are compared with.
        analyst: returns what the camera sees.
        started_at: when it was started, in epoch seconds.
        running_from: when it began to run, in epoch seconds.
        interval: the seconds between two frames that are analyzed.
        delay: the seconds from a frame to its record.
        cut_at: when it ended, in epoch seconds; None before.
    """

    session_id: str
    stream_arn: str
    target: FaceTarget
    analyst: Analyst
    started_at: float
    running_from: float = 0.0
    interval: float
    delay: float
    cut_at: float | None = None
    _taken: int = attrs.field(default=0, init=False)

    @property
    def is_exhausted(self) -> bool:
        """Whether no record follows those that were taken."""
        return self.cut_at is not None and self._due_count(self.cut_at) <= self._taken

    def next_due(self) -> float | None:
        """Return when the next record arrives, in epoch seconds; None if none does."""
        return None if self.is_exhausted else self._record(self._taken).arrived_at

    def take_due(self, now: float, most: int) -> list[FaceRecord]:
        """See ``RecordSource.take_due``."""
        end = self._due_count(now if self.cut_at is None else min(now, self.cut_at))
        begin, self._taken = max(self._taken, end - most), max(self._taken, end)
        records = (self._record(number) for number in range(begin, end))
        return [record for record in records if self._arrives_after_start(record)]

    def _due_count(self, now: float) -> int:
        """Return how many records arrive by a moment, in epoch seconds."""
        if now < self.running_from + self.delay:
            return 0
        # A tenth of a millisecond: moments are floats, whose rounding must not delay a frame that is due.
        passed = now - self.running_from - self.delay + 1e-4
        return int(passed / self.interval) + 1

    def _record(self, number: int) -> FaceRecord:
        return FaceRecord(self, round((self.running_from + number * self.interval) * 1000))

    def _arrives_after_start(self, record: FaceRecord) -> bool:
        """Return whether the fragment of a frame began to arrive at AWS after the start.

        Invariant: the records of a session have server timestamps from its start on, by which consumers distinguish
        them from those of an earlier session.
        """
        start = self.started_at * 1000
        if record.frame - start > _FRAGMENTS_BEFORE_START:
            return True
        return map_frame(self.stream_arn, record.frame / 1000).server_timestamp >= start


@attrs.define(kw_only=True)
class FaceSessions:
    """The face searches in progress of an account in a Region.

    Attributes:
        owner: the account and the Region.
        sink: takes the records.
        interval: the seconds between two frames that are analyzed.
        delay: the seconds from a frame to its record.
    """

    owner: Caller
    sink: ResultSink = attrs.field(factory=NoResults)
    interval: float = 1.0
    delay: float = 0.0
    _starting: dict[str, FaceSession] = attrs.field(factory=dict, init=False)
    _running: dict[str, FaceSession] = attrs.field(factory=dict, init=False)

    def begin(self, processor: Processor, *, analyst: Analyst, now: float) -> None:
        """Begin a session, whose records begin when it runs.

        Args:
            processor: the processor, with its session id.
            analyst: returns what the camera sees.
            now: the time in epoch seconds.
        """
        definition, session_id = processor.definition, processor.session_id
        target = _face_target(definition)
        if target is None or session_id is None:
            return
        self._starting[processor.name] = FaceSession(
            session_id=session_id,
            stream_arn=definition.video.arn,
            target=target,
            analyst=analyst,
            started_at=now,
            interval=self.interval,
            delay=self.delay,
        )

    def changed(self, processor: Processor) -> None:
        """Run or end the session of a processor, as its new state requires."""
        name, is_removed = processor.name, processor.removed_at is not None
        if processor.status is Status.STARTING and not is_removed:
            return
        session = self._starting.pop(name, None)
        if processor.status is Status.RUNNING and not is_removed:
            data = processor.definition.data
            if session is not None and data is not None:
                session.running_from = processor.updated
                self._running[name] = session
                self.sink.attach(self.owner, data, session, processor.updated)
            return
        running = self._running.pop(name, None)
        if running is not None:
            running.cut_at = processor.updated


def _face_target(definition: ProcessorDefinition) -> FaceTarget | None:
    """Return what a face search compares faces with; None for a label detection."""
    threshold = definition.settings.get("FaceMatchThreshold")
    if definition.collection is None or not isinstance(threshold, float):
        return None
    return FaceTarget(collection=definition.collection, threshold=threshold)
