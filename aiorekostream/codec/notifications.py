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
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias, cast

import attrs
import cattrs
from cattrs.errors import ClassValidationError, IterableValidationError
from cattrs.gen import make_dict_structure_fn

from aiorekostream.codec.envelopes import Steps, unwrap
from aiorekostream.domain.enums import Label
from aiorekostream.domain.geometry import BoundingBox
from aiorekostream.domain.labels import (
    DetectedLabel,
    LabelDetected,
    SessionCompleted,
    StreamProcessorEvent,
    UnknownEvent,
)
from aiorekostream.domain.rules import ABSENT
from aiorekostream.domain.s3 import S3Uri
from aiorekostream.domain.selectors import FragmentNumber
from aiorekostream.domain.tags import Tags
from aiorekostream.domain.video import ProducerTime, VideoPosition
from aiorekostream.errors import InvalidRequestError, MalformedEventError, ValidationIssue

__all__ = ["parse_notification"]

_Members: TypeAlias = Mapping[str, Any]
_Hook: TypeAlias = Callable[[object, object], object]

_LABEL_DETECTED, _SESSION_COMPLETED = "LABEL_DETECTED", "STREAM_PROCESSING_COMPLETE"

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
# Milliseconds: 9 September 2001. A producer that sends relative timecodes counts from its own start; its time stays
# below this for 31 years.
_FIRST_ABSOLUTE = 10**12
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
_MAPPING = "videoMapping.kinesisVideoMapping."
_PATHS: Mapping[type, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        cls: {name: tuple(path.split(".")) for name, path in paths.items()}
        for cls, paths in {
            BoundingBox: {"left": "left", "top": "top", "width": "width", "height": "height"},
            VideoPosition: {
                "fragment_number": f"{_MAPPING}fragmentNumber",
                "server_timestamp": f"{_MAPPING}serverTimestamp",
                "producer_timestamp": f"{_MAPPING}producerTimestamp",
                "frame_offset": f"{_MAPPING}frameOffsetMillis",
            },
            DetectedLabel: {
                "label": "name",
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
        }.items()
    }
)


def parse_notification(data: object) -> StreamProcessorEvent:
    """Parse a notification of label detection, in whichever envelope it comes.

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
    members, steps = unwrap(data)
    try:
        return _direct(members)
    except Exception:  # noqa: BLE001 - whatever the direct way cannot read, cattrs accepts or explains
        return _structured(members, steps)


# ------------------------------------------------------------------------------------------------------ the direct way

# The constructors of validated values collect issues, which takes half of the time of an event. Here every member is
# validated already, so the values are made without them.
_new, _set = object.__new__, object.__setattr__
_MAX_FRAGMENT_DIGITS = 128  # as in domain/selectors.py
_S3_URI = re.compile(r"s3://([0-9A-Za-z.\-_]{3,255})/(.+)", re.DOTALL)  # as in domain/s3.py
_LABELS = {str(label): label for label in Label}
_NO_TAGS = Tags()
_timedelta, _from_timestamp, _UTC = datetime.timedelta, datetime.datetime.fromtimestamp, datetime.UTC
# Milliseconds, in the year 2242: up to here, a float of seconds rounds to the microsecond that is exact.
_LAST_EXACT = 2**33 * 1000


def _direct(members: _Members) -> StreamProcessorEvent:
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
            labels=tuple([_direct_label(label) for label in cast("list[_Members]", labels)]),
            processor_name=name,
            kinesis_video_stream_arn=arn,
            tags=tags,
        )
    if kind == _SESSION_COMPLETED and type(message := members["streamProcessingResults"]["message"]) is str:
        return SessionCompleted(
            event_id=event_id,
            session_id=session_id,
            processed_duration=_direct_duration(video["processedVideoDurationMillis"]),
            message=message,
            processor_name=name,
            kinesis_video_stream_arn=arn,
            tags=tags,
        )
    raise ValueError


def _direct_label(members: _Members) -> DetectedLabel:
    label_id, confidence, box = members["id"], members.get("confidence"), members["boundingBox"]
    left, top, width, height = box["left"], box["top"], box["width"], box["height"]
    if not (
        type(label_id) is str
        and (confidence is None or (type(confidence) is float and math.isfinite(confidence)))
        and type(left) is type(top) is type(width) is type(height) is float
        and math.isfinite(left + top + width + height)
    ):
        raise ValueError
    bounding_box: BoundingBox = _new(BoundingBox)
    _set(bounding_box, "left", left)
    _set(bounding_box, "top", top)
    _set(bounding_box, "width", width)
    _set(bounding_box, "height", height)
    return DetectedLabel(
        label=_LABELS[members["name"]],
        position=_direct_position(members["videoMapping"]["kinesisVideoMapping"]),
        bounding_box=bounding_box,
        frame_image=_direct_s3_uri(members["frameImageUri"]),
        cropped_image=_direct_s3_uri(members["croppedImageUri"]),
        confidence=confidence,
        id=label_id,
    )


def _direct_position(members: _Members) -> VideoPosition:
    number, offset = members["fragmentNumber"], members["frameOffsetMillis"]
    server, producer = members["serverTimestamp"], members["producerTimestamp"]
    if not (
        type(number) is str
        and len(number) <= _MAX_FRAGMENT_DIGITS
        and number.isdigit()
        and number.isascii()
        and type(server) is type(producer) is type(offset) is int
        and _FIRST_ABSOLUTE <= server < _LAST_EXACT
        and _FIRST_ABSOLUTE <= producer < _LAST_EXACT
        and 0 <= offset < _FIRST_ABSOLUTE
    ):
        raise ValueError
    fragment_number: FragmentNumber = _new(FragmentNumber)
    _set(fragment_number, "value", number)
    return VideoPosition(
        fragment_number=fragment_number,
        server_timestamp=_from_timestamp(server / 1000, _UTC),
        producer_timestamp=_from_timestamp(producer / 1000, _UTC),
        frame_offset=_timedelta(0, 0, 0, offset),  # positional arguments take half of the time
    )


def _direct_s3_uri(value: str) -> S3Uri:
    bucket, key = cast("re.Match[str]", _S3_URI.fullmatch(value)).groups()
    uri: S3Uri = _new(S3Uri)
    _set(uri, "bucket", bucket)
    _set(uri, "key", key)
    return uri


def _direct_duration(value: int) -> datetime.timedelta:
    if type(value) is not int or not 0 <= value < _FIRST_ABSOLUTE:
        raise ValueError
    return _timedelta(0, 0, 0, value)


# ------------------------------------------------------------------------------------------------------- single values


@attrs.define
class _UnreadableError(Exception):
    issues: tuple[ValidationIssue, ...]


def _unreadable(value: object, expected: str, *path: str) -> _UnreadableError:
    return _UnreadableError((ValidationIssue(path, value, expected),))


def _number(value: object) -> float:
    kind = type(value)
    if kind is float or kind is int:
        try:
            number = float(cast("float", value))
        except OverflowError as error:
            raise _unreadable(value, "a finite number") from error
        if math.isfinite(number):
            return number
    raise _unreadable(value, "a finite number")


def _duration(value: object) -> datetime.timedelta:
    try:
        # An int exactly; a float, which AWS also writes for whole milliseconds, rounded to microseconds.
        duration = datetime.timedelta(0, 0, 0, cast("float", value)) if _number(value) >= 0 else None
    except OverflowError:
        duration = None
    if duration is None:
        raise _unreadable(value, "milliseconds, at least 0")
    return duration


def _server_time(value: object) -> datetime.datetime:
    elapsed = _duration(value)
    try:
        if cast("float", value) < _FIRST_MILLISECONDS:
            elapsed = datetime.timedelta(seconds=cast("float", value))
        return _EPOCH + elapsed
    except OverflowError as error:
        raise _unreadable(value, "milliseconds since 1970 in UTC") from error


def _producer_time(value: object) -> ProducerTime:
    elapsed = _duration(value)
    try:
        return elapsed if cast("float", value) < _FIRST_ABSOLUTE else _EPOCH + elapsed
    except OverflowError as error:
        raise _unreadable(value, "milliseconds since 1970 in UTC, or since the producer's start") from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _unreadable(value, "text")
    return str.__str__(value)


def _fragment(value: object) -> FragmentNumber:
    try:
        return FragmentNumber(cast("str", value))
    except InvalidRequestError as error:
        raise _unreadable(value, error.issues[0].expected) from error  # in AWS's JSON, it is no object with a member


def _object(value: object, *path: str) -> _Members:
    if not isinstance(value, Mapping):
        raise _unreadable(value, "an object", *path)
    return cast("_Members", value)


# ------------------------------------------------------------------------------------------------------- with cattrs


def _structured(members: _Members, steps: Steps) -> StreamProcessorEvent:
    try:
        kind = _text(_required(members, "eventNamespace", "type"))
        cls = {_LABEL_DETECTED: LabelDetected, _SESSION_COMPLETED: SessionCompleted}.get(kind, UnknownEvent)
        return _converter.structure(members, cls)
    except Exception as error:
        raise MalformedEventError(issue.under(*steps) for issue in _issues(error)) from error


def _required(value: object, *path: str) -> object:
    found = _member_at(value, path)
    if found is None:
        raise _unreadable(ABSENT, "present", *path)
    return found


def _member_at(value: object, path: tuple[str, ...]) -> object:
    for depth, step in enumerate(path):
        value = _object(value, *path[:depth]).get(step)
        if value is None:
            return None
    return value


def _by_paths(cls: type) -> _Hook:
    paths = tuple(_PATHS[cls].items())
    structure = make_dict_structure_fn(cast("type[Any]", cls), _converter)

    def structure_value(value: object, _: object) -> object:
        members = _object(value)
        found: dict[str, object] = {"position": members} if cls is DetectedLabel else {}
        unreached: set[Steps] = set()
        issues: dict[str, ValidationIssue] = {}  # by path: several attributes may lie behind one member
        for name, path in paths:
            try:
                part = _member_at(members, path)
            except _UnreadableError as error:  # something on the way is no object
                unreached.add(path)
                issues.update((issue.path, issue) for issue in error.issues)
            else:
                if part is not None:
                    found[name] = part
        try:
            structured = structure(found, cls)
        except Exception as error:
            if not issues:
                raise
            others = (issue for issue in _issues(error) if issue.value is not ABSENT or issue.steps not in unreached)
            raise _UnreadableError((*issues.values(), *others)) from error
        if issues:
            raise _UnreadableError(tuple(issues.values()))
        return structured

    return structure_value


def _labels(value: object, _: object) -> tuple[DetectedLabel, ...]:
    # cattrs would accept any iterable: the characters of a text, the keys of an object.
    if type(value) is not list:
        raise _unreadable(value, "a list")
    return tuple(_converter.structure(value, list[DetectedLabel]))


def _tags(value: object, _: object) -> Tags:
    return Tags(_object(value))


def _issues(error: BaseException) -> Iterator[ValidationIssue]:
    match error:
        case ClassValidationError():
            members, others = error.group_exceptions()
            paths = _PATHS.get(error.cl, {})
            for inner, note in members:
                yield from (issue.under(*paths.get(note.name, ())) for issue in _issues(inner))
            for inner in others:
                yield from _issues(inner)
        case IterableValidationError():
            items, others = error.group_exceptions()
            for inner, position in items:
                yield from (issue.under(position.index) for issue in _issues(inner))
            for inner in others:
                yield from _issues(inner)
        case InvalidRequestError() | _UnreadableError():
            yield from error.issues
        case KeyError():
            yield ValidationIssue((), ABSENT, "present")
        case _:
            yield ValidationIssue((), str(error), "readable")


def _with(read: Callable[[Any], object]) -> _Hook:
    return lambda value, _: read(value)


_converter = cattrs.Converter(detailed_validation=True)
_converter.register_structure_hook(str, _with(_text))
_converter.register_structure_hook(float, _with(_number))
_converter.register_structure_hook(datetime.timedelta, _with(_duration))
_converter.register_structure_hook(datetime.datetime, _with(_server_time))
_converter.register_structure_hook(ProducerTime, _with(_producer_time))
_converter.register_structure_hook(FragmentNumber, _with(_fragment))
_converter.register_structure_hook(S3Uri, _with(S3Uri.parse))
_converter.register_structure_hook(Label, _with(lambda value: Label(_text(value))))
_converter.register_structure_hook(Tags, _tags)
_converter.register_structure_hook_func(lambda cls: cls == tuple[DetectedLabel, ...], _labels)
for _cls in _PATHS:
    _converter.register_structure_hook(_cls, _by_paths(_cls))
