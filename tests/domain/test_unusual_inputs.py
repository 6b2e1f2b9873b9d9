"""Any input of a value's field is accepted or rejected with ``InvalidRequestError``; no other exception is raised."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import attrs
import pytest
from hypothesis import given
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
from tests.domain.unusual_inputs import DRAWABLE, UNUSUAL_INPUTS, OddInt
from tests.effort import examples

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.filterwarnings("ignore::aiorekostream.errors.AwsGuidanceWarning")

VALID_ARGUMENTS: Mapping[type[Validated], dict[str, object]] = {
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
        "regions_of_interest": [],
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
FIELDS = [(cls, name) for cls, fields in VALID_ARGUMENTS.items() for name in fields]


def _assert_issues_of(error: InvalidRequestError, name: str) -> None:
    assert error.issues
    for issue in error.issues:
        assert issue.steps[0] == name
        assert issue.expected
    assert name in str(error)


def _assert_accepted_or_rejected(cls: type[Validated], name: str, value: object) -> None:
    make: Any = cls
    try:
        created = make(**{**VALID_ARGUMENTS[cls], name: value})
    except InvalidRequestError as error:
        _assert_issues_of(error, name)
    else:
        wire = encode(created)
        assert json.loads(json.dumps(wire)) == wire
        json.dumps(wire, ensure_ascii=False).encode()
        assert make(**{field: getattr(created, field) for field in VALID_ARGUMENTS[cls]}) == created


def test_valid_arguments_cover_every_field_of_every_value() -> None:
    assert set(VALID_ARGUMENTS) == {cls for cls in SPELLING if issubclass(cls, Validated)}
    for cls, fields in VALID_ARGUMENTS.items():
        assert {field.name for field in attrs.fields(cast("type[attrs.AttrsInstance]", cls))} == set(fields)


@pytest.mark.parametrize(("cls", "name"), FIELDS, ids=lambda value: getattr(value, "__name__", value))
def test_value_accepts_or_rejects_each_unusual_input(cls: type[Validated], name: str) -> None:
    for make in UNUSUAL_INPUTS.values():
        _assert_accepted_or_rejected(cls, name, make())


_unusual = st.sampled_from(DRAWABLE).map(lambda name: UNUSUAL_INPUTS[name]())
_any_input = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | _unusual,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize(("cls", "name"), FIELDS, ids=lambda value: getattr(value, "__name__", value))
@examples(10)
@given(value=_any_input)
def test_value_accepts_or_rejects_any_input(cls: type[Validated], name: str, value: object) -> None:
    _assert_accepted_or_rejected(cls, name, value)


@pytest.mark.parametrize("unusual", UNUSUAL_INPUTS)
@pytest.mark.parametrize("kind", [RoleArn, KinesisVideoStreamArn])
def test_arn_rejects_each_unusual_input_as_a_whole_and_as_a_part(kind: type[Arn], unusual: str) -> None:
    make: Any = kind
    with pytest.raises(InvalidRequestError):
        make.parse(UNUSUAL_INPUTS[unusual]())
    for part in range(4):
        parts: list[object] = ["aws", "us-east-1", "123456789012", "stream/a"]
        parts[part] = UNUSUAL_INPUTS[unusual]()
        if (kind, part, unusual) != (RoleArn, 1, "empty"):
            with pytest.raises(InvalidRequestError):
                make(*parts)


@pytest.mark.parametrize("cls", VALID_ARGUMENTS, ids=lambda cls: cls.__name__)
def test_value_reports_every_field_when_all_inputs_are_unusual(cls: type[Validated]) -> None:
    make: Any = cls
    with pytest.raises(InvalidRequestError) as caught:
        make(**dict.fromkeys(VALID_ARGUMENTS[cls], UNUSUAL_INPUTS["failing-repr"]()))
    assert [issue.path for issue in caught.value.issues] == list(VALID_ARGUMENTS[cls])
    assert "_FailingRepr" in str(caught.value)


@pytest.mark.parametrize(
    ("cls", "name", "unusual"),
    [
        (StopSelector, "max_duration_in_seconds", "odd-int"),
        (StopSelector, "max_duration_in_seconds", "odd-float"),
        (StopSelector, "max_duration_in_seconds", "odd-duration"),
        (ListRequest, "max_results", "odd-negative"),
        (LabelDetectionUpdate, "min_confidence", "odd-int"),
        (LabelDetectionUpdate, "min_confidence", "odd-nan"),
        (FaceSearchStart, "name", "odd-text"),
        (S3Destination, "key_prefix", "odd-text"),
        (TagRequest, "tags", "odd-tags"),
    ],
    ids=str,
)
def test_value_judges_a_subclass_by_its_true_value(cls: type[Validated], name: str, unusual: str) -> None:
    """The comparisons and the length of these say that they are in range."""
    make: Any = cls
    with pytest.raises(InvalidRequestError) as caught:
        make(**{**VALID_ARGUMENTS[cls], name: UNUSUAL_INPUTS[unusual]()})
    _assert_issues_of(caught.value, name)


def test_value_keeps_a_plain_number_of_a_subclass() -> None:
    request = ListRequest(max_results=OddInt(5))
    assert (type(request.max_results), request.max_results) == (int, 5)
