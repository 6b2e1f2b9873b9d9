"""Define what label detection reports: the events of a session and the labels in them, as the service sent them."""

import datetime
from typing import TypeAlias, final

import attrs

from aiorekostream.domain.enums import Label
from aiorekostream.domain.geometry import BoundingBox
from aiorekostream.domain.s3 import S3Uri
from aiorekostream.domain.selectors import FragmentNumber, ProducerTimestamp
from aiorekostream.domain.tags import Tags
from aiorekostream.domain.video import VideoPosition

__all__ = ["DetectedLabel", "LabelDetected", "SessionCompleted", "StreamProcessorEvent", "UnknownEvent"]


@final
@attrs.frozen(kw_only=True)
class DetectedLabel:
    """One object that a label detection saw.

    See https://docs.aws.amazon.com/rekognition/latest/dg/streaming-labels-detection.html.

    Attributes:
        label: what it is; a label that this version does not know is kept.
        position: the frame that shows it.
        bounding_box: where it is on the frame.
        frame_image: the picture of the whole frame.
        cropped_image: the picture of the object alone; ``None`` if the event has none.
        confidence: the confidence of the detection in percent; ``None`` if the event has none, as documented.
        id: AWS's id of the label; ``None`` if the event has none.
    """

    label: Label
    position: VideoPosition
    bounding_box: BoundingBox
    frame_image: S3Uri
    cropped_image: S3Uri | None = None
    confidence: float | None = None
    id: str | None = None

    @property
    def frame_time(self) -> datetime.datetime | None:
        """See ``VideoPosition.frame_time``."""
        return self.position.frame_time

    def start_selector(self) -> ProducerTimestamp | FragmentNumber:
        """See ``VideoPosition.start_selector``."""
        return self.position.start_selector()


@final
@attrs.frozen(kw_only=True)
class LabelDetected:
    """A session saw an object of a label for the first time (``LABEL_DETECTED``).

    SNS delivers at least once and in any order: an event may come twice, and after the ``SessionCompleted`` of its
    session. See https://docs.aws.amazon.com/rekognition/latest/dg/streaming-labels-detection.html.

    Attributes:
        event_id: AWS's id of the event, the same in every copy of it.
        session_id: the id of the session, as in ``StartedSession``.
        labels: the labels, in AWS's order.
        processor_name: the name of the processor; ``None`` if the event has none.
        kinesis_video_stream_arn: the video stream; ``None`` if the event has none.
        tags: the tags of the processor.
    """

    event_id: str
    session_id: str
    labels: tuple[DetectedLabel, ...]
    processor_name: str | None = None
    kinesis_video_stream_arn: str | None = None
    tags: Tags = attrs.field(factory=Tags)


@final
@attrs.frozen(kw_only=True)
class SessionCompleted:
    """A session ended (``STREAM_PROCESSING_COMPLETE``).

    UNCERTAIN: AWS does not say whether a session that fails sends this event.
    See https://docs.aws.amazon.com/rekognition/latest/dg/streaming-labels-detection.html.

    Attributes:
        event_id: AWS's id of the event, the same in every copy of it.
        session_id: the id of the session, as in ``StartedSession``.
        processed_duration: the duration of the processed video; ``None`` if the event has none.
        message: AWS's message, free text; ``None`` if the event has none.
        processor_name: the name of the processor; ``None`` if the event has none.
        kinesis_video_stream_arn: the video stream; ``None`` if the event has none.
        tags: the tags of the processor.
    """

    event_id: str
    session_id: str
    processed_duration: datetime.timedelta | None = None
    message: str | None = None
    processor_name: str | None = None
    kinesis_video_stream_arn: str | None = None
    tags: Tags = attrs.field(factory=Tags)


@final
@attrs.frozen(kw_only=True)
class UnknownEvent:
    """An event of a type that this version does not know. It is no error: AWS may add types.

    Attributes:
        type: AWS's word for the type.
        event_id: AWS's id of the event, the same in every copy of it.
        session_id: the id of the session, as in ``StartedSession``.
        processor_name: the name of the processor; ``None`` if the event has none.
        kinesis_video_stream_arn: the video stream; ``None`` if the event has none.
        tags: the tags of the processor.
    """

    type: str
    event_id: str
    session_id: str
    processor_name: str | None = None
    kinesis_video_stream_arn: str | None = None
    tags: Tags = attrs.field(factory=Tags)


StreamProcessorEvent: TypeAlias = LabelDetected | SessionCompleted | UnknownEvent
"""An event of a label detection session."""
