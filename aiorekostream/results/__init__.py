"""The results of sessions: typed events."""

from aiorekostream.codec.notifications import parse_notification
from aiorekostream.domain.labels import (
    DetectedLabel,
    LabelDetected,
    SessionCompleted,
    StreamProcessorEvent,
    UnknownEvent,
)
from aiorekostream.domain.s3 import S3Uri
from aiorekostream.domain.video import ProducerTime, VideoPosition
from aiorekostream.errors import MalformedEventError

__all__ = [
    "DetectedLabel",
    "LabelDetected",
    "MalformedEventError",
    "ProducerTime",
    "S3Uri",
    "SessionCompleted",
    "StreamProcessorEvent",
    "UnknownEvent",
    "VideoPosition",
    "parse_notification",
]
