"""Decoding of responses: unknown members are ignored, malformed ones are reported by path."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiorekostream.codec import decode
from aiorekostream.codec.spelling import SPELLING
from aiorekostream.domain.enums import Label, OpenEnum, ProcessorKind
from aiorekostream.domain.geometry import BoundingBox, Point, Polygon
from aiorekostream.domain.responses import (
    ConnectedHomeSettings,
    CreatedStreamProcessor,
    FaceSearchSettings,
    ResourceTags,
    StartedSession,
    StreamProcessor,
    StreamProcessorPage,
    UnknownRegion,
)
from aiorekostream.domain.status import Status
from aiorekostream.errors import MalformedResponseError
from aiorekostream.operations import OPERATIONS, Operation
from tests import strategies
from tests.codec.cases import RESPONSES
from tests.codec.json_paths import Json, dotted, is_a, replaced, walk
from tests.effort import examples

CLASSES = [*strategies.RESPONSES]
FACES: Json = RESPONSES[9].wire
LABELS: Json = RESPONSES[10].wire
MINIMAL: Json = {"Name": "a", "StreamProcessorArn": "b", "Status": "STOPPED"}


def _decode(wire: Json, cls: type[object] = StreamProcessor) -> Any:  # noqa: ANN401 - an instance of cls
    return decode(wire, cls, operation="DescribeStreamProcessor", request_id="r-1")


def _issues(wire: Json, cls: type = StreamProcessor) -> dict[str, str]:
    with pytest.raises(MalformedResponseError) as caught:
        _decode(wire, cls)
    assert (caught.value.operation, caught.value.request_id) == ("DescribeStreamProcessor", "r-1")
    return {issue.path: issue.expected for issue in caught.value.issues}


def _reference_encode(value: Any) -> Json:  # noqa: ANN401 - any value
    """Encode a value as AWS does; independent of the package's encoder, which supports requests only."""
    if isinstance(value, OpenEnum):
        return str(value)
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    if isinstance(value, UnknownRegion):
        return _reference_encode(value.members)
    if is_a(value, Mapping):
        return {key: _reference_encode(member) for key, member in value.items()}
    if is_a(value, tuple):
        return [_reference_encode(item) for item in value]
    return _reference_encode_members(value) if type(value) in SPELLING else value


def _reference_encode_members(value: object) -> Json:
    wire: Json = {}
    for name, path in SPELLING[type(value)].items():
        part = _reference_encode(getattr(value, name))
        target = wire
        for step in path[:-1]:
            target = target.setdefault(step, {})
        if part is not None:
            target[path[-1]] = part
    return wire


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@examples(30)
@given(data=st.data())
def test_decode_returns_the_value_that_was_encoded(cls: type, data: st.DataObject) -> None:
    value = data.draw(strategies.RESPONSES[cls])
    assert _decode(json.loads(json.dumps(_reference_encode(value))), cls) == value


def test_decode_returns_none_for_a_response_without_members() -> None:
    for body in ({}, {"Anything": 1}):
        assert decode(body, type(None), operation="StopStreamProcessor") is None


# unknown and absent members


def test_decode_ignores_unknown_members_at_every_level() -> None:
    objects = [(), *(path for path, value in walk(LABELS) if isinstance(value, dict))]
    for path in objects:
        assert _decode(replaced(LABELS, (*path, "NewMember"), {"is": ["new"]})) == _decode(LABELS)
    page = {"StreamProcessors": [{"Name": "a", "Status": "RUNNING", "Kind": 1}], "Total": 1}
    assert len(_decode(page, StreamProcessorPage).stream_processors) == 1


def test_decode_keeps_unknown_enum_values() -> None:
    processor = _decode({**LABELS, "Status": "PAUSED", "Settings": {"ConnectedHome": {"Labels": ["PET", "FOX"]}}})
    assert (processor.status, processor.status.is_known) == ("PAUSED", False)
    assert processor.settings.labels == (Label.PET, Label("FOX"))


def test_decode_requires_only_name_arn_and_status() -> None:
    processor = _decode(MINIMAL)
    assert processor == StreamProcessor(name="a", stream_processor_arn="b", status=Status.STOPPED)
    assert processor.kind is None
    assert _issues({}) == dict.fromkeys(("Name", "StreamProcessorArn", "Status"), "present")


@pytest.mark.parametrize("cls", [StartedSession, ResourceTags])
def test_decode_accepts_responses_without_content(cls: type) -> None:
    assert _decode({}, cls) == cls()


def test_page_without_entries_is_decoded() -> None:
    assert _decode({"StreamProcessors": []}, StreamProcessorPage) == StreamProcessorPage(())


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda operation: operation.name)
def test_malformed_response_is_retry_safe_when_idempotent(operation: Operation[Any, Any]) -> None:
    with pytest.raises(MalformedResponseError) as caught:
        decode({}, StreamProcessorPage, operation=operation.name)
    assert caught.value.retry_safe is operation.idempotent


def test_malformed_response_of_unknown_operation_is_not_retry_safe() -> None:
    with pytest.raises(MalformedResponseError) as caught:
        decode({}, StreamProcessorPage, operation="DescribeTomorrow")
    assert caught.value.retry_safe is False


def test_decode_treats_null_as_a_missing_member() -> None:
    nulls = dict.fromkeys(LABELS, None)
    assert _decode({**nulls, **MINIMAL}) == _decode(MINIMAL)
    assert _decode({"SessionId": None}, StartedSession) == StartedSession()
    nested_nulls = {**MINIMAL, "Input": {"KinesisVideoStream": None}, "Output": {"S3Destination": None}, "Settings": {}}
    assert _decode(nested_nulls) == _decode(MINIMAL)


def test_decode_finds_the_variant_beside_the_null_of_another() -> None:
    faces = _decode({**MINIMAL, "Settings": {"ConnectedHome": None, "FaceSearch": {"CollectionId": "staff"}}})
    labels = _decode({**MINIMAL, "Settings": {"FaceSearch": None, "ConnectedHome": {"Labels": ["PET"]}}})
    assert faces.settings == FaceSearchSettings("staff")
    assert labels.settings == ConnectedHomeSettings((Label.PET,))
    regions: Json = [
        {"BoundingBox": None, "Polygon": []},
        {"BoundingBox": LABELS["RegionsOfInterest"][0]["BoundingBox"], "Polygon": None},
    ]
    assert [type(region) for region in _decode({**MINIMAL, "RegionsOfInterest": regions}).regions_of_interest] == [
        Polygon,
        BoundingBox,
    ]


@pytest.mark.parametrize(
    ("wire", "kind"),
    [
        (FACES, ProcessorKind.FACE_SEARCH),
        (LABELS, ProcessorKind.LABEL_DETECTION),
        ({**MINIMAL, "Settings": {"FaceSearch": {}}}, ProcessorKind.FACE_SEARCH),
        ({**MINIMAL, "Settings": {"NewKind": {}}}, None),
    ],
)
def test_decode_derives_the_kind_from_the_settings(wire: Json, kind: ProcessorKind | None) -> None:
    assert _decode(wire).kind is kind


def test_decode_does_not_validate_arns_and_names() -> None:
    unusual = {**MINIMAL, "Name": "", "StreamProcessorArn": "urn:x", "RoleArn": "\n", "KmsKeyId": ""}
    assert _decode(unusual).role_arn == "\n"


def test_decode_accepts_a_shape_outside_the_frame() -> None:
    box = {"Left": -0.5, "Top": 2, "Width": 0, "Height": 1}
    (region,) = _decode({**MINIMAL, "RegionsOfInterest": [{"BoundingBox": box}]}).regions_of_interest
    assert region == BoundingBox(left=-0.5, top=2, width=0, height=1)


@pytest.mark.parametrize(
    "region",
    [
        {"BoundingBox": {"Left": 0.1, "Width": 0.5, "Height": 0.5}},
        {"BoundingBox": {"Left": 0.1, "Top": None, "Width": 0.5, "Height": 0.5}},
        {"BoundingBox": {}},
        {"Polygon": [{"X": 0.5, "Y": 0.5}, {"X": 0.5}]},
        {"Circle": {"Center": [0.5, 0.5], "Radius": 0.1}},
        {**LABELS["RegionsOfInterest"][0], **LABELS["RegionsOfInterest"][1]},
        {},
    ],
    ids=str,
)
def test_decode_keeps_a_region_that_it_cannot_read(region: Json) -> None:
    """AWS's model makes every member optional, and may have new kinds of region."""
    box = LABELS["RegionsOfInterest"][0]
    processor = _decode({**MINIMAL, "RegionsOfInterest": [region, box]})
    assert processor.regions_of_interest == (UnknownRegion(region), _decode(LABELS).regions_of_interest[0])
    assert _reference_encode(processor)["RegionsOfInterest"] == [region, box]
    assert hash(processor) == hash(_decode({**MINIMAL, "RegionsOfInterest": [region, box]}))


# timestamps


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (1532449292.712, datetime.datetime(2018, 7, 24, 16, 21, 32, 712000, tzinfo=datetime.UTC)),
        (1532449292, datetime.datetime(2018, 7, 24, 16, 21, 32, tzinfo=datetime.UTC)),
        (0, datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)),
        (-1.5, datetime.datetime(1969, 12, 31, 23, 59, 58, 500000, tzinfo=datetime.UTC)),
        (
            datetime.datetime(2018, 7, 24, 18, 21, 32, tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
            datetime.datetime(2018, 7, 24, 16, 21, 32, tzinfo=datetime.UTC),
        ),
    ],
    ids=str,
)
def test_decode_converts_a_timestamp_to_utc(wire: object, expected: datetime.datetime) -> None:
    """A timestamp is a number of seconds since 1970 or a ``datetime``."""
    timestamp = _decode({**MINIMAL, "CreationTimestamp": wire}).creation_timestamp
    assert timestamp == expected
    assert timestamp.tzinfo is datetime.UTC


@pytest.mark.parametrize(
    "wire",
    [
        "1532449292",
        "2018-07-24T16:21:32Z",
        True,
        [],
        math.nan,
        math.inf,
        1e300,
        10**400,
        datetime.datetime(2018, 7, 24),  # noqa: DTZ001 - deliberately invalid
        datetime.datetime.max.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=-23))),
    ],
    ids=["text", "iso", "true", "list", "nan", "infinity", "far", "huge", "naive", "too-far-west"],
)
def test_decode_reports_an_invalid_timestamp(wire: object) -> None:
    assert _issues({**MINIMAL, "LastUpdateTimestamp": wire}) == {"LastUpdateTimestamp": "seconds since 1970 in UTC"}


# malformed members


MALFORMED: list[tuple[Json, str, str]] = [
    ({"Name": 5}, "Name", "text"),
    ({"Status": True}, "Status", "text"),
    ({"StatusMessage": {}}, "StatusMessage", "text"),
    ({"Input": 5}, "Input", "an object"),
    ({"Input": {"KinesisVideoStream": "arn"}}, "Input.KinesisVideoStream", "an object"),
    ({"Input": {"KinesisVideoStream": {"Arn": 5}}}, "Input.KinesisVideoStream.Arn", "text"),
    ({"Output": []}, "Output", "an object"),
    ({"Output": {"S3Destination": []}}, "Output.S3Destination", "an object"),
    ({"Output": {"S3Destination": {"Bucket": 5}}}, "Output.S3Destination.Bucket", "text"),
    ({"Output": {"S3Destination": {}}}, "Output.S3Destination.Bucket", "present"),
    ({"Settings": "x"}, "Settings", "an object"),
    ({"Settings": {"FaceSearch": 5}}, "Settings.FaceSearch", "an object"),
    (
        {"Settings": {"FaceSearch": {"FaceMatchThreshold": "80"}}},
        "Settings.FaceSearch.FaceMatchThreshold",
        "a finite number",
    ),
    (
        {"Settings": {"FaceSearch": {"FaceMatchThreshold": 10**400}}},
        "Settings.FaceSearch.FaceMatchThreshold",
        "a finite number",
    ),
    ({"Settings": {"ConnectedHome": {"Labels": "PERSON"}}}, "Settings.ConnectedHome.Labels", "a list"),
    ({"Settings": {"ConnectedHome": {"Labels": {"PERSON": 1}}}}, "Settings.ConnectedHome.Labels", "a list"),
    ({"Settings": {"ConnectedHome": {"Labels": ["PET", 5]}}}, "Settings.ConnectedHome.Labels[1]", "text"),
    ({"RegionsOfInterest": {}}, "RegionsOfInterest", "a list"),
    ({"RegionsOfInterest": ""}, "RegionsOfInterest", "a list"),
    ({"RegionsOfInterest": [5]}, "RegionsOfInterest[0]", "an object"),
    (
        {"RegionsOfInterest": [{"Polygon": [{"X": 0, "Y": "1"}]}]},
        "RegionsOfInterest[0].Polygon[0].Y",
        "a finite number",
    ),
    ({"RegionsOfInterest": [{"Polygon": [5]}]}, "RegionsOfInterest[0].Polygon[0]", "an object"),
    ({"RegionsOfInterest": [{"Polygon": {}}]}, "RegionsOfInterest[0].Polygon", "a list"),
    ({"RegionsOfInterest": [{"BoundingBox": 5}]}, "RegionsOfInterest[0].BoundingBox", "an object"),
    ({"DataSharingPreference": {"OptIn": 1}}, "DataSharingPreference.OptIn", "true or false"),
    ({"CreationTimestamp": "today"}, "CreationTimestamp", "seconds since 1970 in UTC"),
]


@pytest.mark.parametrize(
    ("wire", "path", "expected"), MALFORMED, ids=[f"{i}-{path}" for i, (_, path, _) in enumerate(MALFORMED)]
)
def test_decode_reports_a_malformed_member_by_its_aws_path(wire: Json, path: str, expected: str) -> None:
    assert _issues({**MINIMAL, **wire}) == {path: expected}


def test_decode_reports_an_invalid_value_by_its_aws_path() -> None:
    issues = _issues({**MINIMAL, "Output": {"S3Destination": {"Bucket": "a/b", "KeyPrefix": "x" * 1025}}})
    assert set(issues) == {"Output.S3Destination.Bucket", "Output.S3Destination.KeyPrefix"}


def test_decode_reports_every_issue_at_once() -> None:
    box = dict.fromkeys(("Left", "Top", "Width", "Height"), "0")
    wire = {"Status": 5, "CreationTimestamp": "today", "RegionsOfInterest": [5, {"BoundingBox": box}]}
    assert set(_issues(wire)) == {
        "Name",
        "StreamProcessorArn",
        "Status",
        "CreationTimestamp",
        "RegionsOfInterest[0]",
        *(f"RegionsOfInterest[1].BoundingBox.{side}" for side in ("Left", "Top", "Width", "Height")),
    }


@pytest.mark.parametrize(
    ("cls", "wire", "path"),
    [
        (CreatedStreamProcessor, {}, "StreamProcessorArn"),
        (CreatedStreamProcessor, {"StreamProcessorArn": None}, "StreamProcessorArn"),
        (StartedSession, {"SessionId": 5}, "SessionId"),
        (StreamProcessorPage, {"StreamProcessors": [{"Name": "a"}]}, "StreamProcessors[0].Status"),
        (StreamProcessorPage, {"StreamProcessors": {}}, "StreamProcessors"),
        (StreamProcessorPage, {"StreamProcessors": [], "NextToken": 5}, "NextToken"),
        (StreamProcessorPage, {}, "StreamProcessors"),
        (StreamProcessorPage, {"NextToken": "more"}, "StreamProcessors"),
        (StreamProcessorPage, {"StreamProcessors": None}, "StreamProcessors"),
        (ResourceTags, {"Tags": {"a": "b", "c": 5}}, "Tags.c"),
        (ResourceTags, {"Tags": [{"Key": "a", "Value": "b"}]}, "Tags"),
    ],
)
def test_decode_reports_malformed_members_of_other_responses(cls: type, wire: Json, path: str) -> None:
    assert list(_issues(wire, cls)) == [path]


@pytest.mark.parametrize("body", [None, 5, "text", [], [{}], True])
@pytest.mark.parametrize("cls", CLASSES)
def test_decode_reports_a_body_that_is_not_an_object(cls: type, body: object) -> None:
    assert _issues(body, cls) == {"": "an object"}


_keys = st.sampled_from(
    sorted({str(step) for case in RESPONSES for path, _ in walk(dict(case.wire)) for step in path})
) | st.text(max_size=5)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=5),
    max_leaves=20,
)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@examples(30)
@given(body=st.dictionaries(_keys, _json, max_size=8))
def test_decode_accepts_or_reports_any_json(cls: type, body: Json) -> None:
    try:
        assert type(_decode(body, cls)) is cls
    except MalformedResponseError as error:
        _assert_has_issues(error)


def _assert_has_issues(error: MalformedResponseError) -> None:
    assert error.issues
    assert str(error)


@examples(100)
@given(data=st.data())
def test_decode_reports_only_the_malformed_member(data: st.DataObject) -> None:
    valid = data.draw(st.sampled_from([FACES, LABELS]))
    leaves = [path for path, value in walk(dict(valid)) if not isinstance(value, dict | list)]
    path = data.draw(st.sampled_from(leaves))
    malformed = data.draw(st.sampled_from([[], {}, [5], {"a": 1}, b"bytes"]))
    assert list(_issues(replaced(valid, path, malformed))) == [dotted(path)]


def test_decode_accepts_whole_numbers_as_coordinates() -> None:
    (region,) = _decode({**MINIMAL, "RegionsOfInterest": [{"Polygon": [{"X": 1, "Y": 0}]}]}).regions_of_interest
    assert region == Polygon([Point(1.0, 0.0)])
