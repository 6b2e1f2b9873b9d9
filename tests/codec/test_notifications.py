"""Notifications of label detection: their envelopes, what may be absent or new, and the paths of what is malformed."""

from __future__ import annotations

import datetime
import json
import math
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aiorekostream.codec import parse_notification
from aiorekostream.codec.notifications import _direct, _structured
from aiorekostream.domain.enums import Label
from aiorekostream.domain.labels import DetectedLabel, LabelDetected, SessionCompleted, UnknownEvent
from aiorekostream.domain.s3 import S3Uri
from aiorekostream.domain.tags import Tags
from tests import strategies
from tests.codec.events import (
    JUNK,
    assert_missing,
    assert_reported_in_place,
    assert_returns_or_reports,
    issues,
    json_values,
    milliseconds,
    without_none,
)
from tests.codec.json_paths import Json, JsonPath, dotted, is_a, replaced, walk, without
from tests.effort import examples
from tests.payloads import COMPLETED, DETECTED, TWO_LABELS, text, wire

if TYPE_CHECKING:
    from aiorekostream.domain.video import VideoPosition

DETECTED_WIRE = wire("label-detected")
COMPLETED_WIRE = wire("stream-processing-complete")
CASES = {
    "label-detected": DETECTED,
    "label-detected-two-labels-no-confidence": TWO_LABELS,
    "stream-processing-complete": COMPLETED,
    "sns-lambda-event": DETECTED,
    "sqs-body-sns-envelope": COMPLETED,
}
MAPPING = ("labels", 0, "videoMapping", "kinesisVideoMapping")
# What an event must have: the rest says nothing about which event it is, or about what was seen where.
REQUIRED = {
    "eventId",
    "eventNamespace",
    "eventNamespace.type",
    "labels",
    "labels[0].boundingBox",
    "labels[0].frameImageUri",
    "labels[0].name",
    "labels[0].videoMapping",
    "sessionId",
    dotted(MAPPING),
    *(dotted((*MAPPING, key)) for key in DETECTED_WIRE["labels"][0]["videoMapping"]["kinesisVideoMapping"]),
    *(f"labels[0].boundingBox.{key}" for key in ("left", "top", "width", "height")),
}
WIRES = {"detected": DETECTED_WIRE, "completed": COMPLETED_WIRE}
each_member = pytest.mark.parametrize(
    ("name", "path"),
    [(name, path) for name, document in WIRES.items() for path, _ in walk(document)],
    ids=lambda value: value if isinstance(value, str) else dotted(value),
)


# --------------------------------------------------------------------------------------------------------- envelopes


@pytest.mark.parametrize("name", CASES)
def test_parse_reads_the_payload(name: str) -> None:
    assert parse_notification(text(name)) == CASES[name]
    assert parse_notification(text(name).encode()) == CASES[name]
    assert parse_notification(memoryview(text(name).encode())) == CASES[name]
    assert parse_notification(wire(name)) == CASES[name]


RAW = text("label-detected")
ENVELOPE = {"Type": "Notification", "Message": RAW}
ENVELOPES: dict[str, Json] = {
    "sns": ENVELOPE,
    "sns-with-an-object": {"Type": "Notification", "Message": DETECTED_WIRE},
    "sqs-body-raw": {"MessageId": "m", "Body": RAW},
    "sqs-body-sns": {"MessageId": "m", "Body": json.dumps(ENVELOPE)},
    "lambda-sqs-raw": {"messageId": "m", "eventSource": "aws:sqs", "body": RAW},
    "lambda-sqs-sns": {"messageId": "m", "eventSource": "aws:sqs", "body": json.dumps(ENVELOPE)},
    "lambda-sns": {"EventSource": "aws:sns", "Sns": ENVELOPE},
    "lambda-event": {"Records": [{"messageId": "m", "body": json.dumps(ENVELOPE)}]},
}


@pytest.mark.parametrize("name", ENVELOPES)
def test_parse_unwraps_the_envelope(name: str) -> None:
    assert parse_notification(ENVELOPES[name]) == DETECTED
    assert parse_notification(json.dumps(ENVELOPES[name])) == DETECTED


def test_path_of_an_issue_leads_through_the_envelope() -> None:
    broken = json.dumps(replaced(DETECTED_WIRE, ("labels", 0, "name"), 5))
    record = {"messageId": "m", "body": json.dumps({"Type": "Notification", "Message": broken})}
    assert issues(parse_notification, record) == {"body.Message.labels[0].name": "text"}
    assert "Records[0].body.Message.labels[0].name" in issues(parse_notification, {"Records": [record]})


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ("", ""),
        ("junk", ""),
        (b"\xff", ""),
        ("[" * 100_000, ""),
        ("[]", ""),
        ("null", ""),
        (None, ""),
        (5, ""),
        ([DETECTED_WIRE], ""),
        ({}, ""),
        ({"Message": "junk"}, "Message"),
        ({"Type": "SubscriptionConfirmation", "Message": "Confirm."}, "Type"),
        ({"Records": []}, "Records"),
        ({"Records": [{"body": RAW}, {"body": RAW}]}, "Records"),
        ({"Records": {"body": RAW}}, "Records"),
        ({"Records": [{"Sns": "junk"}]}, "Records[0].Sns"),
        ({"body": "{}"}, "body"),
    ],
    ids=repr,
)
def test_parse_rejects_what_is_no_notification(data: object, path: str) -> None:
    assert list(issues(parse_notification, data)) == [path]


# ---------------------------------------------------------------------------------------------- what is new or absent


@each_member
def test_parse_accepts_an_event_without_a_member_that_is_not_required(name: str, path: JsonPath) -> None:
    document = WIRES[name]
    for missing in (without(document, path), replaced(document, path, None)):
        if dotted(path) in {"labels[0]", "tags.site"}:
            continue  # an item and an entry, which are not null
        if dotted(path) in REQUIRED:
            if dotted(path) == "eventNamespace":
                continue  # without it, nothing says that this is a notification
            assert_missing(parse_notification, missing, path)
        else:
            assert parse_notification(missing).event_id == document["eventId"]


def test_absent_members_are_none_or_empty() -> None:
    bare = {"eventNamespace": {"type": "STREAM_PROCESSING_COMPLETE"}, "eventId": "e", "sessionId": "s"}
    assert parse_notification(bare) == SessionCompleted(event_id="e", session_id="s")
    assert parse_notification({**bare, "eventNamespace": {"type": "LABEL_DETECTED"}, "labels": []}) == LabelDetected(
        event_id="e", session_id="s", labels=()
    )


@pytest.mark.parametrize("document", WIRES.values(), ids=WIRES)
def test_parse_ignores_unknown_members_at_every_level(document: Json) -> None:
    objects = [(), *(path for path, value in walk(document) if is_a(value, dict) and path != ("tags",))]
    for path in objects:
        assert parse_notification(replaced(document, (*path, "newMember"), {"is": ["new"]})) == parse_notification(
            document
        )


def test_parse_keeps_unknown_labels_and_types() -> None:
    event = parse_notification(replaced(DETECTED_WIRE, ("labels", 0, "name"), "BICYCLE"))
    assert isinstance(event, LabelDetected)
    assert event.labels[0].label == "BICYCLE"
    assert not event.labels[0].label.is_known
    assert parse_notification(replaced(DETECTED_WIRE, ("eventNamespace", "type"), "SOUND_DETECTED")) == UnknownEvent(
        type="SOUND_DETECTED",
        event_id=DETECTED.event_id,
        session_id=DETECTED.session_id,
        processor_name="porch",
        kinesis_video_stream_arn=DETECTED.kinesis_video_stream_arn,
        tags=Tags({"site": "north"}),
    )


# -------------------------------------------------------------------------------------------------------------- times


def _position(key: str, value: object) -> VideoPosition:
    event = parse_notification(replaced(DETECTED_WIRE, (*MAPPING, key), value))
    assert isinstance(event, LabelDetected)
    return event.labels[0].position


@pytest.mark.parametrize("value", [1_650_000_122_104, 1.650000122104e12])
def test_times_are_read_in_every_notation(value: float) -> None:
    assert _position("producerTimestamp", value) == DETECTED.labels[0].position


@pytest.mark.parametrize("value", [0, 722_643, 10**12 - 1])
def test_producer_time_before_2001_is_relative(value: int) -> None:
    """It is the time since the producer's start, and never becomes a date in 1970."""
    position = _position("producerTimestamp", value)
    assert position.producer_timestamp == datetime.timedelta(milliseconds=value)
    assert position.frame_time is None


def test_server_time_in_seconds_is_recognized() -> None:
    assert _position("serverTimestamp", 1_650_000_123) == attrs.evolve(
        DETECTED.labels[0].position,
        server_timestamp=datetime.datetime(2022, 4, 15, 5, 22, 3, tzinfo=datetime.UTC),
    )


@pytest.mark.parametrize("key", ["producerTimestamp", "serverTimestamp", "frameOffsetMillis"])
@pytest.mark.parametrize("value", [-1, math.inf, math.nan, 1e300, 10**400, True, "1650000122104", [], {}])
def test_time_that_is_none_is_reported_by_its_path(key: str, value: object) -> None:
    assert list(issues(parse_notification, replaced(DETECTED_WIRE, (*MAPPING, key), value))) == [
        dotted((*MAPPING, key))
    ]


# ---------------------------------------------------------------------------------------------------------- malformed


@each_member
@pytest.mark.parametrize("value", JUNK, ids=lambda value: repr(value)[:20])
def test_malformed_member_is_reported_by_its_path(name: str, path: JsonPath, value: object) -> None:
    assert_reported_in_place(parse_notification, WIRES[name], path, value)


def test_every_issue_is_reported_at_once() -> None:
    broken = replaced(DETECTED_WIRE, ("labels", 0, "boundingBox"), 5)
    broken = replaced(broken, (*MAPPING, "fragmentNumber"), "12a")
    broken = replaced(broken, ("labels", 0, "frameImageUri"), "http://doors/key")
    broken = without(replaced(broken, ("tags",), {"site": 5}), ("eventId",))
    assert issues(parse_notification, broken) == {
        "labels[0].boundingBox": "an object",
        dotted((*MAPPING, "fragmentNumber")): "text of 1 to 128 digits",
        "labels[0].frameImageUri": "an S3 URI such as s3://bucket/key",
        "tags.site": "text",
        "eventId": "present",
    }


def test_member_that_hides_several_is_reported_once() -> None:
    broken = without(replaced(COMPLETED_WIRE, ("inputInformation", "kinesisVideo"), "junk"), ("sessionId",))
    assert issues(parse_notification, broken) == {"inputInformation.kinesisVideo": "an object", "sessionId": "present"}


# ----------------------------------------------------------------------------------------------------- any event

_TEXT = strategies.sendable_text
_S3_URIS = st.builds(S3Uri, strategies.buckets, _TEXT.filter(bool))
_LABELS = st.builds(
    DetectedLabel,
    label=st.sampled_from(Label) | st.text(min_size=1).map(Label),
    position=strategies.video_positions,
    bounding_box=strategies.boxes(),
    frame_image=_S3_URIS,
    cropped_image=st.none() | _S3_URIS,
    confidence=st.none() | strategies.percents,
    id=st.none() | _TEXT,
)
_COMMON: dict[str, Any] = {
    "event_id": _TEXT,
    "session_id": _TEXT,
    "processor_name": st.none() | _TEXT,
    "kinesis_video_stream_arn": st.none() | _TEXT,
    "tags": st.builds(Tags, st.dictionaries(_TEXT, _TEXT, max_size=2)),
}
EVENTS = (
    st.builds(LabelDetected, labels=st.lists(_LABELS, max_size=3).map(tuple), **_COMMON)
    | st.builds(
        SessionCompleted,
        processed_duration=st.none() | strategies.whole_durations,
        message=st.none() | _TEXT,
        **_COMMON,
    )
    | st.builds(UnknownEvent, type=st.just("SOMETHING_NEW"), **_COMMON)
)


def _reference_label(label: DetectedLabel) -> Json:
    position = label.position
    return without_none(
        {
            "id": label.id,
            "name": str(label.label),
            "confidence": label.confidence,
            "frameImageUri": str(label.frame_image),
            "croppedImageUri": None if label.cropped_image is None else str(label.cropped_image),
            "videoMapping": {
                "kinesisVideoMapping": {
                    "fragmentNumber": position.fragment_number.value,
                    "serverTimestamp": milliseconds(position.server_timestamp),
                    "producerTimestamp": milliseconds(position.producer_timestamp),
                    "frameOffsetMillis": milliseconds(position.frame_offset),
                }
            },
            "boundingBox": attrs.asdict(label.bounding_box),
        }
    )


def _reference_encode(event: LabelDetected | SessionCompleted | UnknownEvent) -> Json:
    """Encode an event as AWS does, by the table of its documentation."""
    video: Json = {"streamArn": event.kinesis_video_stream_arn}
    members: Json = {
        "eventId": event.event_id,
        "sessionId": event.session_id,
        "tags": dict(event.tags),
        "startStreamProcessorRequest": without_none({"name": event.processor_name}),
    }
    kind = "LABEL_DETECTED"
    if isinstance(event, LabelDetected):
        members["labels"] = [_reference_label(label) for label in event.labels]
    elif isinstance(event, SessionCompleted):
        kind = "STREAM_PROCESSING_COMPLETE"
        if event.processed_duration is not None:
            video["processedVideoDurationMillis"] = milliseconds(event.processed_duration)
        members["streamProcessingResults"] = without_none({"message": event.message})
    else:
        kind = event.type
    return {
        "inputInformation": {"kinesisVideo": without_none(video)},
        "eventNamespace": {"type": kind},
        **members,
    }


@given(EVENTS)
def test_parse_returns_the_event_that_was_encoded(event: LabelDetected | SessionCompleted | UnknownEvent) -> None:
    assert parse_notification(json.dumps(_reference_encode(event))) == event


@examples(300)
@given(event=EVENTS, data=st.data())
def test_both_ways_of_reading_agree(
    event: LabelDetected | SessionCompleted | UnknownEvent, data: st.DataObject
) -> None:
    """Whatever the direct way reads, cattrs reads alike."""
    members = _reference_encode(event)
    if data.draw(st.booleans()):
        path = data.draw(st.sampled_from([path for path, _ in walk(members)]))
        members = replaced(members, path, data.draw(st.sampled_from([*JUNK, None, 0, -1, 10**13, 0.5, "s3://doors/a"])))
    try:
        direct = _direct(members)
    except Exception:  # noqa: BLE001 - any exception leaves it to cattrs
        return
    assert _structured(members, ()) == direct
    assert type(parse_notification(members)) is type(direct)


@pytest.mark.parametrize("name", ["label-detected", "stream-processing-complete"])
def test_usual_event_is_read_the_direct_way(name: str) -> None:
    assert _direct(wire(name)) == CASES[name]


@given(json_values("Records", "Sns", "Message", "body", "Body", "eventNamespace"))
@example({"Message": {"Message": {"body": {"Records": [{}]}}}})
def test_parse_of_anything_returns_an_event_or_raises_malformed(data: object) -> None:
    assert_returns_or_reports(parse_notification, data)
