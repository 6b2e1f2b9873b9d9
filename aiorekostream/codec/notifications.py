"""Decode the notifications of label detection: what AWS may add or leave out is no error, what is malformed is.

AWS's names and units are those of https://docs.aws.amazon.com/rekognition/latest/dg/streaming-labels-detection.html.
They differ from those of the API: names begin with a small letter, and times are milliseconds.

The usual shape is read directly, because cattrs would take most of the time of a consumer. Whatever differs from it, an
absent or a malformed member, is read once more with cattrs, which decides and has the path of every issue. Invariant:
what ``_direct`` returns equals what cattrs returns.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from aiorekostream.codec.direct import bounding_box, duration, setters, video_position
from aiorekostream.codec.envelopes import unwrap_notification
from aiorekostream.codec.lenient import LenientConverter, Members, members_of, number, text
from aiorekostream.codec.times import Times
from aiorekostream.domain.enums import Label
from aiorekostream.domain.geometry import BoundingBox
from aiorekostream.domain.labels import (
    DetectedLabel,
    LabelDetected,
    SessionCompleted,
    StreamProcessorEvent,
    UnknownEvent,
)
from aiorekostream.domain.s3 import S3Uri
from aiorekostream.domain.tags import Tags
from aiorekostream.domain.video import ProducerTime, VideoPosition

if TYPE_CHECKING:
    from aiorekostream.codec.envelopes import Steps

__all__ = ["parse_notification"]

_LABEL_DETECTED, _SESSION_COMPLETED = "LABEL_DETECTED", "STREAM_PROCESSING_COMPLETE"


def parse_notification(data: object) -> StreamProcessorEvent:
    """Parse a notification of label detection, in any of its envelopes.

    Accepted are the message itself (what SNS delivers raw), SNS's envelope (what it posts to an HTTP endpoint), the
    body of a message of SQS with either, a message that boto3 received from SQS, a record of an AWS Lambda event of SNS
    or SQS, and such an event if it has one record. New members, labels and types of event are accepted, and so are
    absent ones, except those that say which event it is and what was seen where.

    See https://docs.aws.amazon.com/rekognition/latest/dg/streaming-labels-detection.html.

    Args:
        data: JSON as bytes (UTF-8) or text, or a mapping. A signature of SNS is not verified: see
            ``aiorekostream.results.verify_sns_message``.

    Raises:
        MalformedEventError: the data is no notification, or members are absent or have the wrong type; ``issues`` has
            the path of each.
    """
    members, steps = unwrap_notification(data)
    try:
        return _direct(members)
    except Exception:  # noqa: BLE001 - whatever the direct way cannot read, cattrs accepts or explains
        return _structured(members, steps)


# ------------------------------------------------------------------------------------------------------ the direct way

_S3_URI = re.compile(r"s3://([0-9A-Za-z.\-_]{3,255})/(.+)", re.DOTALL)  # as in domain/s3.py
_LABELS = {str(label): label for label in Label}
_NO_TAGS = Tags()
_set_bucket, _set_key = setters(S3Uri)


def _direct(members: Members) -> StreamProcessorEvent:
    """Read the usual shape; raise any exception, for any other."""
    video = members["inputInformation"]["kinesisVideo"]
    event_id, session_id, arn = members["eventId"], members["sessionId"], video["streamArn"]
    name = members["startStreamProcessorRequest"]["name"]
    if not (type(event_id) is type(session_id) is type(arn) is type(name) is str and type(members["tags"]) is dict):
        raise TypeError
    tags = Tags(cast("Mapping[str, str]", members["tags"])) if members["tags"] else _NO_TAGS
    kind = members["eventNamespace"]["type"]
    if kind == _LABEL_DETECTED and type(labels := members["labels"]) is list:
        return LabelDetected(
            event_id=event_id,
            session_id=session_id,
            labels=tuple([_direct_label(label) for label in cast("list[Members]", labels)]),
            processor_name=name,
            kinesis_video_stream_arn=arn,
            tags=tags,
        )
    if kind == _SESSION_COMPLETED and type(message := members["streamProcessingResults"]["message"]) is str:
        return SessionCompleted(
            event_id=event_id,
            session_id=session_id,
            processed_duration=duration(video["processedVideoDurationMillis"]),
            message=message,
            processor_name=name,
            kinesis_video_stream_arn=arn,
            tags=tags,
        )
    raise ValueError


def _direct_label(members: Members) -> DetectedLabel:
    label_id, confidence, box = members["id"], members.get("confidence"), members["boundingBox"]
    if not (
        type(label_id) is str and (confidence is None or (type(confidence) is float and math.isfinite(confidence)))
    ):
        raise ValueError
    video = members["videoMapping"]["kinesisVideoMapping"]
    return DetectedLabel(
        label=_LABELS[members["name"]],
        position=video_position(
            video["fragmentNumber"],
            server=video["serverTimestamp"],
            producer=video["producerTimestamp"],
            offset=video["frameOffsetMillis"],
        ),
        bounding_box=bounding_box(box["left"], box["top"], box["width"], box["height"]),
        frame_image=_direct_s3_uri(members["frameImageUri"]),
        cropped_image=_direct_s3_uri(members["croppedImageUri"]),
        confidence=confidence,
        id=label_id,
    )


def _direct_s3_uri(value: str) -> S3Uri:
    bucket, key = cast("re.Match[str]", _S3_URI.fullmatch(value)).groups()
    uri: S3Uri = object.__new__(S3Uri)
    _set_bucket(uri, bucket)
    _set_key(uri, key)
    return uri


# --------------------------------------------------------------------------------------------------------- with cattrs

# UNCERTAIN: AWS does not state the unit of serverTimestamp. Milliseconds since 1970 were seen for the producer's, and
# as milliseconds, a number below this would be before 1973. It can only be seconds.
_FIRST_MILLISECONDS = 10**11

_COMMON = {
    "event_id": "eventId",
    "session_id": "sessionId",
    "processor_name": "startStreamProcessorRequest.name",
    "kinesis_video_stream_arn": "inputInformation.kinesisVideo.streamArn",
    "tags": "tags",
}
_PATHS: Mapping[type, Mapping[str, str]] = {
    BoundingBox: {"left": "left", "top": "top", "width": "width", "height": "height"},
    VideoPosition: {
        "fragment_number": "fragmentNumber",
        "server_timestamp": "serverTimestamp",
        "producer_timestamp": "producerTimestamp",
        "frame_offset": "frameOffsetMillis",
    },
    DetectedLabel: {
        "label": "name",
        "position": "videoMapping.kinesisVideoMapping",
        "bounding_box": "boundingBox",
        "frame_image": "frameImageUri",
        "cropped_image": "croppedImageUri",
        "confidence": "confidence",
        "id": "id",
    },
    LabelDetected: {**_COMMON, "labels": "labels"},
    SessionCompleted: {
        **_COMMON,
        "processed_duration": "inputInformation.kinesisVideo.processedVideoDurationMillis",
        "message": "streamProcessingResults.message",
    },
    UnknownEvent: {**_COMMON, "type": "eventNamespace.type"},
}


def _milliseconds(value: object) -> float:
    number(value)
    return cast("float", value)  # as it is: an int is exact


_TIMES = Times("milliseconds", _milliseconds)


def _server_time(value: object) -> datetime.datetime:
    return _TIMES.moment(value * 1000 if (value := _milliseconds(value)) < _FIRST_MILLISECONDS else value)


_converter = LenientConverter(
    _PATHS,
    {
        datetime.timedelta: _TIMES.duration,
        datetime.datetime: _server_time,
        ProducerTime: _TIMES.producer_time,
        S3Uri: S3Uri.parse,
        Label: lambda value: Label(text(value)),
        Tags: lambda value: Tags(members_of(value)),
    },
)


def _structured(members: Members, steps: Steps) -> StreamProcessorEvent:
    namespace: object = members["eventNamespace"]
    kind = cast("Members", namespace).get("type") if isinstance(namespace, Mapping) else None
    if kind == _LABEL_DETECTED:
        return _converter.structure(members, LabelDetected, steps)
    if kind == _SESSION_COMPLETED:
        return _converter.structure(members, SessionCompleted, steps)
    return _converter.structure(members, UnknownEvent, steps)
