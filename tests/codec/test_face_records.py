"""Records of face search: their envelopes, what may be absent or new, times, and the paths of what is malformed."""

from __future__ import annotations

import base64
import datetime
import json
import math
from types import MappingProxyType

import attrs
import pytest

from aiorekostream.codec import parse_face_record
from aiorekostream.codec.envelopes import json_loader, load_json
from aiorekostream.domain.faces import (
    DetectedFace,
    Face,
    FaceSearchRecord,
    MatchedFace,
    SearchedFace,
)
from aiorekostream.domain.geometry import BoundingBox
from aiorekostream.domain.selectors import FragmentNumber, ProducerTimestamp
from tests.codec.events import (
    JUNK,
    assert_missing,
    assert_reported_in_place,
    issues,
)
from tests.codec.json_paths import Json, JsonPath, dotted, is_a, replaced, walk, without
from tests.payloads import FACE_RECORDS, text, wire

NAME = "face-record-model-version-and-unknown-keys"
RAW, RECORD = text(NAME), FACE_RECORDS[NAME]
WIRE = without(wire(NAME), ("SomethingNew",))
VIDEO = ("InputInformation", "KinesisVideo")
FACE = ("FaceSearchResponse", 0, "DetectedFace")
MATCH = ("FaceSearchResponse", 0, "MatchedFaces", 0)
STATUS = ("StreamProcessorInformation", "Status")
# What a record may lack: the rest says what was seen where.
OPTIONAL = {
    "StreamProcessorInformation",
    dotted(STATUS),
    *(f"{dotted(FACE)}.{key}" for key in ("Landmarks", "Pose", "Quality")),
    dotted(MATCH[:-1]),
    *(
        f"{dotted(MATCH)}.Face.{key}"
        for key in ("BoundingBox", "Confidence", "ExternalImageId", "ImageId", "IndexFacesModelVersion")
    ),
}
PATHS = [path for path, _ in walk(WIRE)]
each_member = pytest.mark.parametrize("path", PATHS, ids=dotted)


# --------------------------------------------------------------------------------------------------------- envelopes


@pytest.mark.parametrize("name", FACE_RECORDS)
def test_parse_reads_the_record(name: str) -> None:
    assert parse_face_record(text(name)) == FACE_RECORDS[name]
    assert parse_face_record(text(name).encode()) == FACE_RECORDS[name]
    assert parse_face_record(memoryview(text(name).encode())) == FACE_RECORDS[name]
    assert parse_face_record(MappingProxyType(wire(name))) == FACE_RECORDS[name]


def test_parse_reads_the_records_of_a_lambda_event() -> None:
    records = wire("face-lambda-event")["Records"]
    assert [parse_face_record(record) for record in records] == [
        FACE_RECORDS["face-record-unknown-face"],
        FACE_RECORDS["face-record-one-match"],
    ]


ENCODED = base64.b64encode(RAW.encode()).decode()
LAMBDA: Json = {"eventSource": "aws:kinesis", "kinesis": {"sequenceNumber": "1", "data": ENCODED}}
FIREHOSE: Json = {"recordId": "1", "approximateArrivalTimestamp": 1650000126587, "data": ENCODED}
ENVELOPES: dict[str, Json] = {
    "lambda": LAMBDA,
    "lambda-event": {"Records": [LAMBDA]},
    "firehose": FIREHOSE,
    "firehose-event": {"invocationId": "1", "records": [FIREHOSE]},
    "get-records-json": {"SequenceNumber": "1", "PartitionKey": "p", "Data": ENCODED},
}


@pytest.mark.parametrize("name", ENVELOPES)
def test_parse_unwraps_the_envelope(name: str) -> None:
    assert parse_face_record(ENVELOPES[name]) == RECORD
    assert parse_face_record(json.dumps(ENVELOPES[name])) == RECORD


def test_parse_unwraps_a_record_that_boto3_received() -> None:
    assert parse_face_record({"SequenceNumber": "1", "PartitionKey": "p", "Data": RAW.encode()}) == RECORD


def test_path_of_an_issue_leads_through_the_envelope() -> None:
    broken = json.dumps(replaced(WIRE, (*VIDEO, "StreamArn"), 5)).encode()
    record = {"kinesis": {"data": base64.b64encode(broken).decode()}}
    assert issues(parse_face_record, record) == {"kinesis.data.InputInformation.KinesisVideo.StreamArn": "text"}
    assert list(issues(parse_face_record, {"Records": [record]})) == [
        "Records[0].kinesis.data.InputInformation.KinesisVideo.StreamArn",
    ]


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ("", ""),
        ("junk", ""),
        (b"\xff", ""),
        (RAW.encode("utf-16"), ""),
        ("[" * 100_000, ""),
        ("[]", ""),
        ("null", ""),
        (None, ""),
        (5, ""),
        ([WIRE], ""),
        ({}, ""),
        ({"Records": []}, "Records"),
        ({"records": [FIREHOSE, FIREHOSE]}, "records"),
        ({"Records": LAMBDA}, "Records"),
        ({"kinesis": {}}, "kinesis"),
        ({"kinesis": 5}, "kinesis"),
        ({"data": None}, "data"),
        ({"data": "no base64"}, "data"),
        ({"data": "\xe9"}, "data"),
        ({"data": f"!{ENCODED}"}, "data"),
        ({"data": base64.b64encode(b"junk").decode()}, "data"),
        ({"Data": b"junk"}, "Data"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_parse_rejects_what_is_no_record(data: object, path: str) -> None:
    assert list(issues(parse_face_record, data)) == [path]


def test_parse_accepts_text_that_only_the_standard_library_reads() -> None:
    """The extra ``fast`` does not change what is accepted: orjson refuses the escape of a lone surrogate."""
    record = parse_face_record(RAW.replace("resident-01", "\\ud800"))
    assert record.faces[0].matched_faces[0].face.external_image_id == "\ud800"


def test_json_is_loaded_by_the_standard_library_without_the_extra() -> None:
    assert json_loader("a_module_that_is_not_installed") is load_json
    assert json_loader("json") is json.loads
    assert load_json(RAW.encode()) == load_json(RAW) == wire(NAME)


# ---------------------------------------------------------------------------------------------- what is new or absent


@each_member
def test_parse_accepts_a_record_without_a_member_that_is_optional(path: JsonPath) -> None:
    for missing in (without(WIRE, path), replaced(WIRE, path, None)):
        if isinstance(path[-1], int) or path == ("InputInformation",):
            continue  # an item is no member, and without that member, nothing says that this is a record
        if dotted(path) in OPTIONAL:
            assert parse_face_record(missing).position == RECORD.position
        else:
            assert_missing(parse_face_record, missing, path)


def test_absent_members_are_none_or_empty() -> None:
    bare = without(WIRE, ("StreamProcessorInformation",))
    box, confidence = (WIRE["FaceSearchResponse"][0]["DetectedFace"][key] for key in ("BoundingBox", "Confidence"))
    match = {"Similarity": 91.5, "Face": {"FaceId": "face-1"}}
    faces = [{"DetectedFace": {"BoundingBox": box, "Confidence": confidence}, "MatchedFaces": [match]}]
    found = parse_face_record({**bare, "FaceSearchResponse": faces})
    detected = RECORD.faces[0].detected_face
    assert found == attrs.evolve(
        RECORD,
        status=None,
        faces=(
            SearchedFace(
                detected_face=DetectedFace(bounding_box=detected.bounding_box, confidence=99.0),
                matched_faces=(MatchedFace(face=Face(face_id="face-1"), similarity=91.5),),
            ),
        ),
    )


def test_parse_ignores_unknown_members_at_every_level() -> None:
    for path in [(), *(path for path, value in walk(WIRE) if is_a(value, dict))]:
        assert parse_face_record(replaced(WIRE, (*path, "NewMember"), {"is": ["new"]})) == RECORD


def test_parse_keeps_unknown_statuses_and_landmarks() -> None:
    changed = replaced(replaced(WIRE, STATUS, "IN_PROGRESS"), (*FACE, "Landmarks", 0, "Type"), "chinBottom")
    record = parse_face_record(changed)
    assert record.status == "IN_PROGRESS"
    assert record.status is not None
    assert not record.status.is_known
    assert record.faces[0].detected_face.landmarks[0].type == "chinBottom"


def test_parse_keeps_every_match_in_its_order() -> None:
    matches = [replaced(WIRE["FaceSearchResponse"][0]["MatchedFaces"][0], ("Similarity",), s) for s in (97.5, 81.0)]
    record = parse_face_record(replaced(WIRE, MATCH[:-1], matches))
    assert [match.similarity for match in record.faces[0].matched_faces] == [97.5, 81.0]


def test_detected_face_may_lie_partly_outside_of_the_frame() -> None:
    box = {"Left": -0.0625, "Top": 0.9375, "Width": 0.125, "Height": 0.25}
    record = parse_face_record(replaced(WIRE, (*FACE, "BoundingBox"), box))
    assert record.faces[0].detected_face.bounding_box == BoundingBox(left=-0.0625, top=0.9375, width=0.125, height=0.25)


# -------------------------------------------------------------------------------------------------------------- times


def _with_time(key: str, value: object) -> FaceSearchRecord:
    return parse_face_record(replaced(WIRE, (*VIDEO, key), value))


def test_frame_time_is_the_producers_time_and_the_offset() -> None:
    assert RECORD.frame_time == datetime.datetime(2022, 4, 15, 5, 22, 4, 104_000, tzinfo=datetime.UTC)
    assert RECORD.start_selector() == ProducerTimestamp(1_650_000_122_104)


@pytest.mark.parametrize(
    ("notation", "microseconds"),
    [("1.605467332479E9", 479_000), ("1605467332.4790001", 479_000), ("1605467332", 0), ("1605467332.4796", 480_000)],
)
def test_time_is_rounded_to_milliseconds(notation: str, microseconds: int) -> None:
    expected = datetime.datetime(2020, 11, 15, 19, 8, 52, microseconds, tzinfo=datetime.UTC)
    position = parse_face_record(RAW.replace("1.650000122104E9", notation)).position
    assert position.producer_timestamp == expected
    assert parse_face_record(RAW.replace("1.650000123456E9", notation)).position.server_timestamp == expected


@pytest.mark.parametrize(("value", "offset"), [(3.2690000534057617, 3269), (0.0, 0), (2, 2000), (-0.0, 0)])
def test_offset_is_rounded_to_milliseconds(value: float, offset: int) -> None:
    position = _with_time("FrameOffsetInSeconds", value).position
    assert position.frame_offset == datetime.timedelta(milliseconds=offset)


@pytest.mark.parametrize("value", [0, 722.643, 999_999_999.999])
def test_producer_time_before_2001_is_relative(value: float) -> None:
    """It is the time since the producer's start, and never becomes a date in 1970."""
    record = _with_time("ProducerTimestamp", value)
    assert record.position.producer_timestamp == datetime.timedelta(milliseconds=round(value * 1000))
    assert record.frame_time is None
    assert record.start_selector() == FragmentNumber("91343852333181432590752468930488589351932774397")


@pytest.mark.parametrize("key", ["ProducerTimestamp", "ServerTimestamp", "FrameOffsetInSeconds"])
@pytest.mark.parametrize("value", [-1, 1e300, 1.7e308, 10**400, [], {}])
def test_time_that_is_none_is_reported_by_its_path(key: str, value: object) -> None:
    assert list(issues(parse_face_record, replaced(WIRE, (*VIDEO, key), value))) == [dotted((*VIDEO, key))]


# ---------------------------------------------------------------------------------------------------------- malformed


@each_member
@pytest.mark.parametrize("value", JUNK, ids=lambda value: repr(value)[:20])
def test_malformed_member_is_reported_by_its_path(path: JsonPath, value: object) -> None:
    assert_reported_in_place(parse_face_record, WIRE, path, value)


@pytest.mark.parametrize("path", [path for path, value in walk(WIRE) if is_a(value, float, int)], ids=dotted)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, "1.5"])
def test_number_that_is_none_is_reported_by_its_path(path: JsonPath, value: object) -> None:
    assert list(issues(parse_face_record, replaced(WIRE, path, value))) == [dotted(path)]


@pytest.mark.parametrize("path", [path for path, value in walk(WIRE) if is_a(value, list)], ids=dotted)
@pytest.mark.parametrize("value", ["", {}, "junk", 5])
def test_list_that_is_none_is_reported_by_its_path(path: JsonPath, value: object) -> None:
    assert issues(parse_face_record, replaced(WIRE, path, value)) == {dotted(path): "a list"}


@pytest.mark.parametrize("value", ["", "12a", "\N{ARABIC-INDIC DIGIT ONE}", "\N{SUPERSCRIPT TWO}", "1" * 129, 12])
def test_fragment_number_that_is_none_is_reported_by_its_path(value: object) -> None:
    path = (*VIDEO, "FragmentNumber")
    assert issues(parse_face_record, replaced(WIRE, path, value)) == {dotted(path): "text of 1 to 128 digits"}


def test_every_issue_is_reported_at_once() -> None:
    broken = replaced(WIRE, (*FACE, "BoundingBox"), 5)
    broken = replaced(broken, (*VIDEO, "FragmentNumber"), "12a")
    broken = replaced(broken, (*FACE, "Landmarks", 1, "X"), math.nan)
    broken = replaced(broken, (*MATCH, "Similarity"), "91.5")
    broken = without(broken, (*MATCH, "Face", "FaceId"))
    assert issues(parse_face_record, broken) == {
        f"{dotted(FACE)}.BoundingBox": "an object",
        f"{dotted(VIDEO)}.FragmentNumber": "text of 1 to 128 digits",
        f"{dotted(FACE)}.Landmarks[1].X": "a finite number",
        f"{dotted(MATCH)}.Similarity": "a finite number",
        f"{dotted(MATCH)}.Face.FaceId": "present",
    }


def test_member_that_hides_several_is_reported_once() -> None:
    assert issues(parse_face_record, replaced(WIRE, VIDEO, "junk")) == {dotted(VIDEO): "an object"}
