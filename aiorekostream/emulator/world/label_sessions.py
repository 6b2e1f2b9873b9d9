"""Produce the results of the label detections of one account.

They are one message for each label at its first occurrence, the pictures of it, and the summary at the end.

Lazy: of each session only the next message is looked for, and it is made when time reaches it. UNCERTAIN: whether a
session that fails sends a summary; here it sends none.
"""

from __future__ import annotations

import heapq
import itertools
import json
from collections.abc import Iterator, Sequence

import attrs

from aiorekostream.domain.enums import Label
from aiorekostream.domain.status import Status
from aiorekostream.emulator.world.answers import JsonObject
from aiorekostream.emulator.world.definitions import LabelTarget
from aiorekostream.emulator.world.footage import Analyst, Detection, VideoMoment
from aiorekostream.emulator.world.identity import Caller, stable_id
from aiorekostream.emulator.world.notifications import (
    LABEL_DETECTED,
    SESSION_COMPLETED,
    Notification,
    SessionFacts,
    SightedLabel,
)
from aiorekostream.emulator.world.objects import Picture, StoredObject
from aiorekostream.emulator.world.processors import Processor
from aiorekostream.emulator.world.regions import is_in_regions
from aiorekostream.emulator.world.result_sink import NoResults, ResultSink
from aiorekostream.emulator.world.video import map_frame

__all__ = ["LabelSession", "LabelSessions"]


@attrs.define(kw_only=True, eq=False)
class LabelSession:
    """A session in progress.

    Attributes:
        processor: the processor, as it was when the session started.
        analyst: returns what the camera sees.
        facts: what every message of the session repeats.
        target: the topic, the bucket and the labels.
        started_at: when it started, in epoch seconds.
        video_start: the moment at which its video begins, on the producer's clock, in epoch seconds.
        end: when it ends if it is not stopped, in epoch seconds.
        wanted: the labels that are reported and have not been seen.
        cut_at: when it was stopped, in epoch seconds; None before.
        is_over: whether it has ended.
        pending: the next first occurrence: when the service sees it, in epoch seconds, and the detections.
        reported: the labels that were reported.
    """

    processor: Processor
    analyst: Analyst
    facts: SessionFacts
    target: LabelTarget
    started_at: float
    video_start: float
    end: float
    wanted: set[Label]
    cut_at: float | None = None
    is_over: bool = False
    pending: tuple[float, Sequence[Detection]] | None = None
    reported: list[JsonObject] = attrs.field(factory=list)

    @property
    def prefix(self) -> str:
        """The first part of the keys of the session's objects."""
        return f"{self.target.key_prefix}{self.processor.name}/{self.facts.session_id}/"

    def look_ahead(self, at: float) -> None:
        """Find the next first occurrence in the video, from a moment in epoch seconds to before the end."""
        self.pending = None
        moment: float | None = at + self.video_start - self.started_at
        video_end = self.end + self.video_start - self.started_at
        while self.wanted and moment is not None and moment < video_end:
            where = VideoMoment(stream_arn=self.facts.stream_arn, session_start=self.video_start, at=moment)
            seen = [detection for detection in self.analyst.detect(where) if self._is_reported(detection)]
            if seen:
                self.pending = moment - self.video_start + self.started_at, seen
                return
            moment = self.analyst.next_change(where)

    def _is_reported(self, detection: Detection) -> bool:
        return (
            detection.subject in self.wanted
            and detection.confidence >= self.target.min_confidence
            and is_in_regions(detection.bounding_box, self.processor.definition.regions)
        )


@attrs.define(kw_only=True)
class LabelSessions:
    """The label detections in progress of an account in a Region.

    Attributes:
        owner: the account and the Region.
        sink: takes the results.
        delay: the seconds from the frame of a first occurrence to its message.
    """

    owner: Caller
    sink: ResultSink = attrs.field(factory=NoResults)
    delay: float = 0.0
    _by_name: dict[str, LabelSession] = attrs.field(factory=dict, init=False)
    _due: list[tuple[float, int, LabelSession]] = attrs.field(factory=list, init=False)
    _numbers: Iterator[int] = attrs.field(factory=itertools.count, init=False)

    def begin(
        self,
        processor: Processor,
        request: JsonObject,
        *,
        analyst: Analyst,
        now: float,
        video_start: float,
        end: float,
    ) -> None:
        """Begin the session of a label detection.

        Args:
            processor: the processor, with its session id.
            request: the members of StartStreamProcessor.
            analyst: returns what the camera sees.
            now: the time in epoch seconds.
            video_start: the moment at which the video begins, on the producer's clock, in epoch seconds.
            end: when the session ends if it is not stopped, in epoch seconds.
        """
        target, session_id = processor.definition.label_target, processor.session_id
        if target is None or session_id is None:
            return
        arn = processor.definition.video.arn
        session = LabelSession(
            processor=processor,
            analyst=analyst,
            facts=SessionFacts(session_id=session_id, stream_arn=arn, tags=processor.tags, request=request),
            target=target,
            started_at=now,
            video_start=video_start,
            end=end,
            wanted=set(target.labels),
        )
        self._by_name[processor.name] = session
        self._look_ahead(session, now)

    def changed(self, processor: Processor) -> None:
        """Stop or end the session of a processor, as its new state requires."""
        session = self._by_name.get(processor.name)
        is_removed = processor.removed_at is not None
        if session is None or (processor.status is Status.STARTING and not is_removed):
            return
        if processor.status is Status.STOPPING and not is_removed:
            session.cut_at = processor.updated
            return
        if processor.status is Status.STOPPED and not is_removed:
            self._complete(session, processor.updated)
        session.is_over = True
        del self._by_name[processor.name]

    def advance(self, now: float) -> None:
        """Publish every message that is due by ``now``, in time order."""
        while self._due and self._due[0][0] <= now:
            due_at, _, session = heapq.heappop(self._due)
            if not session.is_over:
                self._report(session, due_at)

    def next_due(self) -> float | None:
        """Return when the next message is due, in epoch seconds, or None if none is."""
        while self._due and self._due[0][2].is_over:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def _look_ahead(self, session: LabelSession, at: float) -> None:
        session.look_ahead(at)
        if session.pending is not None:
            heapq.heappush(self._due, (session.pending[0] + self.delay, next(self._numbers), session))

    def _report(self, session: LabelSession, at: float) -> None:
        """Publish the pending occurrence, one message for each label, and look for the next one."""
        if session.pending is None:
            return
        seen_at, detections = session.pending
        if session.cut_at is not None and seen_at > session.cut_at:
            session.pending = None
            return
        for label in dict.fromkeys(detection.subject for detection in detections):
            session.wanted.discard(label)
            self._report_label(session, label, detections, seen_at, at)
        self._look_ahead(session, seen_at)

    def _report_label(
        self, session: LabelSession, label: Label, visible: Sequence[Detection], seen_at: float, at: float
    ) -> None:
        event_id = stable_id(session.facts.session_id, LABEL_DETECTED, label)
        frame = map_frame(session.facts.stream_arn, seen_at - session.started_at + session.video_start)
        title = f"{session.processor.name} {frame.producer_timestamp + frame.frame_offset}"
        frame_key = f"{session.prefix}{event_id}/frame.jpg"
        self._store(session, frame_key, Picture(title=title, detections=tuple(visible)), at)
        labels: list[JsonObject] = []
        for number, detection in enumerate((each for each in visible if each.subject is label), 1):
            crop_key = f"{session.prefix}{event_id}/crop-{number}.jpg"
            self._store(session, crop_key, Picture(title=title, detections=tuple(visible), crop=detection), at)
            sighted = SightedLabel(
                label_id=stable_id(event_id, str(number)),
                detection=detection,
                frame=frame,
                frame_uri=f"s3://{session.target.bucket}/{frame_key}",
                crop_uri=f"s3://{session.target.bucket}/{crop_key}",
            )
            labels.append(sighted.to_json())
        session.reported += labels
        self._publish(session, LABEL_DETECTED, event_id, session.facts.label_detected(event_id, labels), at)

    def _complete(self, session: LabelSession, at: float) -> None:
        """Publish what was seen until the end and is not published yet, and then the summary."""
        video_until = at if session.cut_at is None else session.cut_at
        while session.pending is not None and session.pending[0] <= video_until:
            self._report(session, at)
        event_id = stable_id(session.facts.session_id, SESSION_COMPLETED)
        message = session.facts.session_completed(event_id, round((video_until - session.started_at) * 1000))
        summary = json.dumps({**message, "labels": session.reported}, indent=2).encode()
        self._store(session, f"{session.prefix}session-summary.json", summary, at)
        self._publish(session, SESSION_COMPLETED, event_id, message, at)

    def _store(self, session: LabelSession, key: str, content: Picture | bytes, at: float) -> None:
        stored = StoredObject(
            account=self.owner.account,
            bucket=session.target.bucket,
            key=key,
            at=at,
            content=content,
            kms_key=session.processor.definition.key,
        )
        self.sink.store(stored)

    def _publish(self, session: LabelSession, event: str, event_id: str, message: JsonObject, at: float) -> None:
        notification = Notification(
            owner=self.owner,
            topic_arn=session.target.topic_arn,
            processor=session.processor.name,
            event=event,
            event_id=event_id,
            at=at,
            message=json.dumps(message, separators=(",", ":")),
        )
        self.sink.publish(notification)
