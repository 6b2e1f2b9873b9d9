"""Replies: tolerant of what is new, exact about what cannot be read."""

from __future__ import annotations

import datetime
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiorekostream.codec import decode
from aiorekostream.codec.spelling import SPELLING
from aiorekostream.domain.enums import Label, OpenEnum, ProcessorKind
from aiorekostream.domain.geometry import BoundingBox, Point, Polygon
from aiorekostream.domain.replies import (
    ConnectedHomeSettings,
    CreatedStreamProcessor,
    FaceSearchSettings,
    ResourceTags,
    StartedSession,
    StreamProcessor,
    StreamProcessorPage,
)
from aiorekostream.domain.status import Status
from aiorekostream.domain.tags import Tags
from aiorekostream.errors import MalformedResponseError
from tests import strategies
from tests.codec.cases import REPLIES
from tests.codec.places import Json, changed, dotted, is_a, places

CLASSES = [*strategies.REPLIES]
FACES: Json = REPLIES[9].wire
LABELS: Json = REPLIES[10].wire
LEAST: Json = {"Name": "a", "StreamProcessorArn": "b", "Status": "STOPPED"}


def _decode(wire: Json, cls: type[object] = StreamProcessor) -> Any:  # noqa: ANN401 - of that class
    return decode(wire, cls, operation="DescribeStreamProcessor", request_id="r-1")


def _issues(wire: Json, cls: type = StreamProcessor) -> dict[str, str]:
    with pytest.raises(MalformedResponseError) as caught:
        _decode(wire, cls)
    assert (caught.value.operation, caught.value.request_id) == ("DescribeStreamProcessor", "r-1")
    return {issue.path: issue.expected for issue in caught.value.issues}


def _written(value: Any) -> Json:  # noqa: ANN401 - any value
    """A value as AWS would write it; independent of the package's own encoder, which writes requests alone."""
    if isinstance(value, OpenEnum):
        return str(value)
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    if isinstance(value, Tags):
        return dict(value)
    if is_a(value, tuple):
        return [_written(item) for item in value]
    return _spelt(value) if type(value) in SPELLING else value


def _spelt(value: object) -> Json:
    wire: Json = {}
    for name, path in SPELLING[type(value)].items():
        part = _written(getattr(value, name))
        target = wire
        for step in path[:-1]:
            target = target.setdefault(step, {})
        if part is not None:
            target[path[-1]] = part
    return wire


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@settings(max_examples=30)
@given(data=st.data())
def test_every_reply_is_read_as_it_was_written(cls: type, data: st.DataObject) -> None:
    value = data.draw(strategies.REPLIES[cls])
    assert _decode(json.loads(json.dumps(_written(value))), cls) == value


def test_the_replies_without_content_are_none() -> None:
    for body in ({}, {"Anything": 1}):
        assert decode(body, type(None), operation="StopStreamProcessor") is None


# tolerant


def test_new_keys_are_passed_over_at_each_level() -> None:
    objects = [(), *(place for place, value in places(LABELS) if isinstance(value, dict))]
    for place in objects:
        assert _decode(changed(LABELS, (*place, "Tomorrow"), {"is": ["new"]})) == _decode(LABELS)
    page = {"StreamProcessors": [{"Name": "a", "Status": "RUNNING", "Kind": 1}], "Total": 1}
    assert len(_decode(page, StreamProcessorPage).stream_processors) == 1


def test_new_words_are_kept() -> None:
    processor = _decode({**LABELS, "Status": "PAUSED", "Settings": {"ConnectedHome": {"Labels": ["PET", "FOX"]}}})
    assert (processor.status, processor.status.is_known) == ("PAUSED", False)
    assert processor.settings.labels == (Label.PET, Label("FOX"))


def test_only_name_arn_and_status_must_be_there() -> None:
    processor = _decode(LEAST)
    assert processor == StreamProcessor(name="a", stream_processor_arn="b", status=Status.STOPPED)
    assert processor.kind is None
    assert _issues({}) == dict.fromkeys(("Name", "StreamProcessorArn", "Status"), "there")


@pytest.mark.parametrize("cls", [StartedSession, StreamProcessorPage, ResourceTags])
def test_a_reply_that_says_nothing_is_read(cls: type) -> None:
    assert _decode({}, cls) == cls()


def test_an_explicit_null_is_the_same_as_nothing() -> None:
    nulls = dict.fromkeys(LABELS, None)
    assert _decode({**nulls, **LEAST}) == _decode(LEAST)
    assert _decode({"SessionId": None}, StartedSession) == StartedSession()
    deep = {**LEAST, "Input": {"KinesisVideoStream": None}, "Output": {"S3Destination": None}, "Settings": {}}
    assert _decode(deep) == _decode(LEAST)


def test_the_null_of_one_kind_does_not_hide_the_other() -> None:
    faces = _decode({**LEAST, "Settings": {"ConnectedHome": None, "FaceSearch": {"CollectionId": "staff"}}})
    labels = _decode({**LEAST, "Settings": {"FaceSearch": None, "ConnectedHome": {"Labels": ["PET"]}}})
    assert faces.settings == FaceSearchSettings("staff")
    assert labels.settings == ConnectedHomeSettings((Label.PET,))
    regions: Json = [
        {"BoundingBox": None, "Polygon": []},
        {"BoundingBox": LABELS["RegionsOfInterest"][0]["BoundingBox"], "Polygon": None},
    ]
    assert [type(region) for region in _decode({**LEAST, "RegionsOfInterest": regions}).regions_of_interest] == [
        Polygon,
        BoundingBox,
    ]


@pytest.mark.parametrize(
    ("wire", "kind"),
    [
        (FACES, ProcessorKind.FACE_SEARCH),
        (LABELS, ProcessorKind.LABEL_DETECTION),
        ({**LEAST, "Settings": {"FaceSearch": {}}}, ProcessorKind.FACE_SEARCH),
        ({**LEAST, "Settings": {"Tomorrow": {}}}, None),
    ],
)
def test_the_settings_tell_the_kind(wire: Json, kind: ProcessorKind | None) -> None:
    assert _decode(wire).kind is kind


def test_arns_and_names_of_replies_may_look_like_anything() -> None:
    odd = {**LEAST, "Name": "", "StreamProcessorArn": "urn:x", "RoleArn": "\n", "KmsKeyId": ""}
    assert _decode(odd).role_arn == "\n"


def test_a_shape_that_was_seen_may_lie_outside_the_frame() -> None:
    box = {"Left": -0.5, "Top": 2, "Width": 0, "Height": 1}
    (region,) = _decode({**LEAST, "RegionsOfInterest": [{"BoundingBox": box}]}).regions_of_interest
    assert region == BoundingBox(left=-0.5, top=2, width=0, height=1)


# times


@pytest.mark.parametrize(
    ("wire", "moment"),
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
def test_a_time_is_seconds_since_1970_or_a_datetime_and_comes_in_utc(wire: object, moment: datetime.datetime) -> None:
    found = _decode({**LEAST, "CreationTimestamp": wire}).creation_timestamp
    assert found == moment
    assert found.tzinfo is datetime.UTC


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
        datetime.datetime(2018, 7, 24),  # noqa: DTZ001 - what is wrong is the point
        datetime.datetime.max.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=-23))),
    ],
    ids=["text", "iso", "true", "list", "nan", "infinity", "far", "huge", "naive", "too-far-west"],
)
def test_a_time_that_is_none_is_told(wire: object) -> None:
    assert _issues({**LEAST, "LastUpdateTimestamp": wire}) == {"LastUpdateTimestamp": "seconds since 1970 in UTC"}


# exact


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
    ({"Output": {"S3Destination": {}}}, "Output.S3Destination.Bucket", "there"),
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
    ({"RegionsOfInterest": [{"Circle": {}}]}, "RegionsOfInterest[0]", "an object with BoundingBox or Polygon"),
    (
        {"RegionsOfInterest": [{"Polygon": [{"X": 0, "Y": "1"}]}]},
        "RegionsOfInterest[0].Polygon[0].Y",
        "a finite number",
    ),
    ({"RegionsOfInterest": [{"Polygon": [{"X": 0}]}]}, "RegionsOfInterest[0].Polygon[0].Y", "there"),
    ({"RegionsOfInterest": [{"BoundingBox": 5}]}, "RegionsOfInterest[0].BoundingBox", "an object"),
    ({"DataSharingPreference": {"OptIn": 1}}, "DataSharingPreference.OptIn", "true or false"),
    ({"CreationTimestamp": "today"}, "CreationTimestamp", "seconds since 1970 in UTC"),
]


@pytest.mark.parametrize(
    ("wire", "path", "allowed"), MALFORMED, ids=[f"{i}-{path}" for i, (_, path, _) in enumerate(MALFORMED)]
)
def test_what_cannot_be_read_is_told_in_awss_spelling(wire: Json, path: str, allowed: str) -> None:
    assert _issues({**LEAST, **wire}) == {path: allowed}


def test_a_value_that_refuses_itself_is_told_in_awss_spelling_too() -> None:
    issues = _issues({**LEAST, "Output": {"S3Destination": {"Bucket": "a/b", "KeyPrefix": "x" * 1025}}})
    assert set(issues) == {"Output.S3Destination.Bucket", "Output.S3Destination.KeyPrefix"}


def test_all_that_cannot_be_read_is_told_at_once() -> None:
    wire = {"Status": 5, "CreationTimestamp": "today", "RegionsOfInterest": [{}, {"BoundingBox": {"Left": "0"}}]}
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
        (StreamProcessorPage, {"NextToken": 5}, "NextToken"),
        (ResourceTags, {"Tags": {"a": "b", "c": 5}}, "Tags.c"),
        (ResourceTags, {"Tags": [{"Key": "a", "Value": "b"}]}, "Tags"),
    ],
)
def test_what_cannot_be_read_of_another_reply_is_told(cls: type, wire: Json, path: str) -> None:
    assert list(_issues(wire, cls)) == [path]


@pytest.mark.parametrize("body", [None, 5, "text", [], [{}], True])
@pytest.mark.parametrize("cls", CLASSES)
def test_a_reply_is_an_object(cls: type, body: object) -> None:
    assert _issues(body, cls) == {"": "an object"}


_keys = st.sampled_from(
    sorted({str(step) for case in REPLIES for place, _ in places(dict(case.wire)) for step in place})
) | st.text(max_size=5)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=5),
    max_leaves=20,
)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@settings(max_examples=30)
@given(body=st.dictionaries(_keys, _json, max_size=8))
def test_any_json_is_read_or_told_to_be_malformed(cls: type, body: Json) -> None:
    try:
        assert type(_decode(body, cls)) is cls
    except MalformedResponseError as error:
        _is_told(error)


def _is_told(error: MalformedResponseError) -> None:
    assert error.issues
    assert str(error)


@settings(max_examples=100)
@given(data=st.data())
def test_a_reply_with_one_wrong_part_points_at_it(data: st.DataObject) -> None:
    good = data.draw(st.sampled_from([FACES, LABELS]))
    leaves = [place for place, value in places(dict(good)) if not isinstance(value, dict | list)]
    place = data.draw(st.sampled_from(leaves))
    wrong = data.draw(st.sampled_from([[], {}, [5], {"a": 1}, b"bytes"]))
    assert list(_issues(changed(good, place, wrong))) == [dotted(place)]


def test_a_point_is_read_from_whole_numbers_too() -> None:
    (region,) = _decode({**LEAST, "RegionsOfInterest": [{"Polygon": [{"X": 1, "Y": 0}]}]}).regions_of_interest
    assert region == Polygon([Point(1.0, 0.0)])
