"""Whatever is passed where a value is meant: it is right, or it is refused, and nothing else happens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiorekostream.codec import encode
from aiorekostream.codec.spelling import SPELLING
from aiorekostream.domain.geometry import BoundingBox, Point, Polygon
from aiorekostream.domain.names import Arn, KinesisVideoStreamArn, RoleArn
from aiorekostream.domain.processors import FaceSearchProcessor, LabelDetectionProcessor, S3Destination
from aiorekostream.domain.requests import (
    DeleteRequest,
    DescribeRequest,
    FaceSearchStart,
    LabelDetectionStart,
    LabelDetectionUpdate,
    ListRequest,
    ListTagsRequest,
    StopRequest,
    TagRequest,
    UntagRequest,
)
from aiorekostream.domain.rules import Validated
from aiorekostream.domain.selectors import FragmentNumber, ProducerTimestamp, StopSelector
from aiorekostream.errors import InvalidRequestError
from tests.codec.cases import DATA, PROCESSOR, ROLE, TOPIC, VIDEO
from tests.domain.oddities import ODDITIES

if TYPE_CHECKING:
    from collections.abc import Mapping

GOOD: Mapping[type[Validated], dict[str, object]] = {
    Point: {"x": 0, "y": 1},
    BoundingBox: {"left": 0, "top": 0, "width": 1, "height": 1},
    Polygon: {"points": [Point(0, 0)] * 3},
    ProducerTimestamp: {"milliseconds": 1655930623123},
    FragmentNumber: {"value": "5"},
    StopSelector: {"max_duration_in_seconds": 30},
    S3Destination: {"bucket": "pictures", "key_prefix": "doors"},
    FaceSearchStart: {"name": "lobby"},
    StopRequest: {"name": "lobby"},
    DescribeRequest: {"name": "lobby"},
    DeleteRequest: {"name": "lobby"},
    ListTagsRequest: {"resource_arn": PROCESSOR},
    LabelDetectionStart: {
        "name": "front-door",
        "start_selector": FragmentNumber("5"),
        "stop_selector": StopSelector(),
    },
    LabelDetectionUpdate: {
        "name": "front-door",
        "labels": ["PET"],
        "min_confidence": 50,
        "regions_of_interest": [],
        "data_sharing_opt_in": True,
    },
    ListRequest: {"max_results": 5, "next_token": "more"},
    TagRequest: {"resource_arn": PROCESSOR, "tags": {"a": "b"}},
    UntagRequest: {"resource_arn": PROCESSOR, "tag_keys": ["a"]},
    FaceSearchProcessor: {
        "name": "lobby",
        "kinesis_video_stream_arn": VIDEO,
        "kinesis_data_stream_arn": DATA,
        "role_arn": ROLE,
        "collection_id": "staff",
        "face_match_threshold": 90,
        "data_sharing_opt_in": True,
        "tags": {},
    },
    LabelDetectionProcessor: {
        "name": "front-door",
        "kinesis_video_stream_arn": VIDEO,
        "role_arn": ROLE,
        "labels": ["PET"],
        "s3_destination": S3Destination("pictures"),
        "sns_topic_arn": TOPIC,
        "min_confidence": 50,
        "kms_key_id": "alias/doors",
        "regions_of_interest": [],
        "data_sharing_opt_in": False,
        "tags": {},
    },
}
FIELDS = [(cls, name) for cls, fields in GOOD.items() for name in fields]


def _told(error: InvalidRequestError, name: str) -> None:
    assert error.issues
    for issue in error.issues:
        assert issue.steps[0] == name
        assert issue.expected
    assert name in str(error)


def _try(cls: type[Validated], name: str, odd: object) -> None:
    make: Any = cls
    try:
        value = make(**{**GOOD[cls], name: odd})
    except InvalidRequestError as error:
        _told(error, name)
    else:
        wire = encode(value)
        assert json.loads(json.dumps(wire)) == wire
        json.dumps(wire, ensure_ascii=False).encode()
        assert make(**{field: getattr(value, field) for field in GOOD[cls]}) == value


def test_every_field_of_every_checked_value_is_tried() -> None:
    assert set(GOOD) == {cls for cls in SPELLING if issubclass(cls, Validated)}
    for cls, fields in GOOD.items():
        assert {field.name for field in attrs.fields(cast("type[attrs.AttrsInstance]", cls))} == set(fields)


@pytest.mark.parametrize(("cls", "name"), FIELDS, ids=lambda it: getattr(it, "__name__", it))
def test_an_odd_thing_is_right_or_refused(cls: type[Validated], name: str) -> None:
    for make in ODDITIES.values():
        _try(cls, name, make())


_odd = st.sampled_from(list(ODDITIES)).map(lambda name: ODDITIES[name]())
_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | _odd,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize(("cls", "name"), FIELDS, ids=lambda it: getattr(it, "__name__", it))
@settings(max_examples=10)
@given(odd=_anything)
def test_anything_is_right_or_refused(cls: type[Validated], name: str, odd: object) -> None:
    _try(cls, name, odd)


@pytest.mark.parametrize("oddity", ODDITIES)
@pytest.mark.parametrize("kind", [RoleArn, KinesisVideoStreamArn])
def test_an_odd_thing_is_no_arn_and_no_part_of_one(kind: type[Arn], oddity: str) -> None:
    make: Any = kind
    with pytest.raises(InvalidRequestError):
        make.parse(ODDITIES[oddity]())
    for part in range(4):
        parts: list[object] = ["aws", "us-east-1", "123456789012", "stream/a"]
        parts[part] = ODDITIES[oddity]()
        if (kind, part, oddity) != (RoleArn, 1, "empty"):
            with pytest.raises(InvalidRequestError):
                make(*parts)


@pytest.mark.parametrize("cls", GOOD, ids=lambda cls: cls.__name__)
def test_odd_things_in_all_fields_are_all_told(cls: type[Validated]) -> None:
    make: Any = cls
    with pytest.raises(InvalidRequestError) as caught:
        make(**dict.fromkeys(GOOD[cls], ODDITIES["not-shown"]()))
    assert [issue.path for issue in caught.value.issues] == list(GOOD[cls])
    assert "_NotShown" in str(caught.value)
