"""What the package says of AWS's spelling, ranges and words, against botocore's model: a change there shows here."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

import pytest

from aiorekostream import errors
from aiorekostream.codec.encode import _PARAMETERS_TO_DELETE
from aiorekostream.codec.spelling import SPELLING
from aiorekostream.domain.geometry import BoundingBox, Point, Polygon
from aiorekostream.domain.names import RoleArn, SNSTopicArn
from aiorekostream.domain.processors import S3Destination
from aiorekostream.domain.replies import ConnectedHomeSettings, FaceSearchSettings, StreamProcessorSummary
from aiorekostream.domain.requests import LabelDetectionUpdate, ListRequest, StopRequest, TagRequest
from aiorekostream.domain.selectors import FragmentNumber, ProducerTimestamp, StopSelector
from aiorekostream.domain.status import Status
from aiorekostream.limits import DEFAULT_LIMITS
from aiorekostream.operations import OPERATIONS, UPDATE
from tests.codec.cases import PROCESSOR
from tests.codec.model import MODEL, PATTERNS_PASSED_OVER, Shape, shape
from tests.domain.test_processors import FACES, LABELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# Which values stand inside an attribute.
_INSIDE: Mapping[str, tuple[type, ...]] = {
    "start_selector": (ProducerTimestamp, FragmentNumber),
    "stop_selector": (StopSelector,),
    "s3_destination": (S3Destination,),
    "regions_of_interest": (BoundingBox, Polygon),
    "points": (Point,),
    "settings": (FaceSearchSettings, ConnectedHomeSettings),
    "stream_processors": (StreamProcessorSummary,),
}


def _ours(cls: type) -> Iterator[str]:
    for name, path in SPELLING.get(cls, {}).items():
        inner = [member for part in _INSIDE.get(name, ()) for member in _ours(part)]
        yield from (".".join((*path, member)) for member in inner or [""])


def _theirs(rule: Shape) -> Iterator[str]:
    if rule is None:
        return
    while rule.type_name == "list":
        rule = rule.member
    if rule.type_name != "structure":
        yield ""
        return
    for name, member in rule.members.items():
        yield from (f"{name}.{rest}" for rest in _theirs(member))


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_member_of_a_request_is_spelt_as_in_the_model_and_none_is_left_out(name: str) -> None:
    operation = OPERATIONS[name]
    ours = {member for cls in operation.requests for member in _ours(cls)}
    if operation.name == UPDATE.name:
        ours.add("ParametersToDelete.")
    assert ours == {*_theirs(MODEL.operation_model(name).input_shape)}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_member_of_a_reply_is_spelt_as_in_the_model_and_none_is_left_out(name: str) -> None:
    assert {*_ours(OPERATIONS[name].reply)} == {*_theirs(MODEL.operation_model(name).output_shape)}


def test_every_value_that_is_spelt_belongs_to_an_operation() -> None:
    used = {cls for operation in OPERATIONS.values() for cls in (*operation.requests, operation.reply)}
    assert set(SPELLING) == (used | {cls for inside in _INSIDE.values() for cls in inside}) - {type(None)}


def test_the_operations_are_all_that_the_model_has_for_stream_processors_and_tags() -> None:
    theirs = {
        name for name in MODEL.operation_names if "StreamProcessor" in name or "Tag" in name or "Resource" in name
    }
    assert set(OPERATIONS) == theirs


# ranges and lengths

_LENGTHS: Mapping[str, Callable[[str], object]] = {
    "StreamProcessorName": StopRequest,
    "CollectionId": lambda text: _create(FACES, collection_id=text),
    "S3Bucket": S3Destination,
    "S3KeyPrefix": lambda text: S3Destination("pictures", text),
    "KmsKeyId": lambda text: _create(LABELS, kms_key_id=text),
    "KinesisVideoStreamFragmentNumber": FragmentNumber,
    "PaginationToken": lambda text: ListRequest(next_token=text),
    "TagKey": lambda text: TagRequest(PROCESSOR, {text: ""}),
    "TagValue": lambda text: TagRequest(PROCESSOR, {"a": text}),
}
# The model has no least length for a token, but an empty one would begin all over.
_LEAST = {"PaginationToken": 1}

_RANGES: Mapping[str, tuple[Callable[[Any], object], float]] = {
    "MaxDurationInSecondsULong": (StopSelector, 1),
    "Percent": (lambda value: LabelDetectionUpdate(name="a", min_confidence=value), 0.001),
    "MaxResults": (lambda value: ListRequest(max_results=value), 1),
}
# An integer of 32 bits, although the model names no greatest page.
_MOST = {"MaxResults": 2**31 - 1}

_COUNTS = {
    "ConnectedHomeLabels": DEFAULT_LIMITS.max_labels,
    "RegionsOfInterest": DEFAULT_LIMITS.max_regions_of_interest,
    "TagMap": DEFAULT_LIMITS.max_tags,
    "TagKeyList": DEFAULT_LIMITS.max_tags,
    "MaxDurationInSecondsULong": DEFAULT_LIMITS.max_duration_in_seconds,
}


def _create(good: Mapping[str, Any], **changes: object) -> object:
    (create,) = (cls for cls in OPERATIONS["CreateStreamProcessor"].requests if set(good) <= set(SPELLING[cls]))
    make: Any = create
    return make(**{**good, **changes})


def _accepts(make: Callable[[Any], object], value: object) -> bool:
    try:
        make(value)
    except errors.InvalidRequestError:
        return False
    return True


@pytest.mark.parametrize("name", _LENGTHS)
def test_a_text_may_be_as_short_and_as_long_as_the_model_says(name: str) -> None:
    make, rule = _LENGTHS[name], shape(name).metadata
    least: int = _LEAST.get(name) or rule.get("min", 0)
    most: int = rule["max"]
    assert {length: _accepts(make, "1" * length) for length in (least, most)} == {least: True, most: True}
    assert not _accepts(make, "1" * (most + 1))
    assert least == 0 or not _accepts(make, "1" * (least - 1))


@pytest.mark.parametrize("name", _RANGES)
def test_a_number_may_be_as_small_and_as_great_as_the_model_says(name: str) -> None:
    (make, step), rule = _RANGES[name], shape(name).metadata
    least, most = rule["min"], rule.get("max", _MOST.get(name))
    tried = {value: _accepts(make, value) for value in (least - step, least, most, most + step)}
    assert [*tried.values()] == [False, True, True, False]


@pytest.mark.parametrize("name", _COUNTS)
def test_the_limits_are_those_of_the_model(name: str) -> None:
    assert _COUNTS[name] == shape(name).metadata["max"]


def test_a_producer_timestamp_is_a_number_from_0_in_the_model_and_plainly_milliseconds_here() -> None:
    rule = shape("ULong")
    assert (rule.type_name, rule.metadata) == ("long", {"min": 0})


def _parts(rule: Shape) -> Iterator[Shape]:
    yield rule
    match rule.type_name:
        case "structure":
            members: list[Shape] = [*rule.members.values()]
        case "list":
            members = [rule.member]
        case "map":
            members = [rule.key, rule.value]
        case _:
            members = []
    for member in members:
        yield from _parts(member)


def test_every_restriction_of_the_model_has_been_looked_at() -> None:
    every = [part for name in OPERATIONS for part in _parts(MODEL.operation_model(name).input_shape)]
    met = {part.name for part in every if part.metadata.keys() & {"min", "max", "pattern", "enum"}}
    arns = {"KinesisVideoArn", "KinesisDataArn", "RoleArn", "SNSTopicArn", "ResourceArn"}
    assert met == {*_LENGTHS, *_RANGES, *_COUNTS, *arns, "ULong", "StreamProcessorParameterToDelete"}


def test_the_members_that_the_model_requires_are_required_here_and_more() -> None:
    required = {name: set(MODEL.operation_model(name).input_shape.required_members) for name in OPERATIONS}
    name, resource = {"Name"}, {"ResourceArn"}
    assert required == {
        "CreateStreamProcessor": {"Input", "Output", "Name", "Settings", "RoleArn"},
        "StartStreamProcessor": name,
        "StopStreamProcessor": name,
        "DescribeStreamProcessor": name,
        "DeleteStreamProcessor": name,
        "UpdateStreamProcessor": name,
        "ListStreamProcessors": set(),
        "TagResource": resource | {"Tags"},
        "UntagResource": resource | {"TagKeys"},
        "ListTagsForResource": resource,
    }


# words


def test_the_status_words_are_those_of_the_model() -> None:
    assert [*Status] == shape("StreamProcessorStatus").metadata["enum"]


def test_the_parameters_that_can_be_deleted_are_those_of_the_model() -> None:
    assert [*_PARAMETERS_TO_DELETE.values()] == shape("StreamProcessorParameterToDelete").metadata["enum"]


def test_labels_are_plain_text_in_the_model_so_that_its_documentation_alone_names_them() -> None:
    assert shape("ConnectedHomeLabel").metadata == {}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_error_of_an_operation_has_a_class(name: str) -> None:
    for error in MODEL.operation_model(name).error_shapes:
        cls = getattr(errors, error.name.replace("Exception", "Error"))
        assert issubclass(cls, errors.ServiceError)
        assert f"``{error.name}``" in str(cls.__doc__)


def test_every_class_of_a_service_error_is_an_error_of_some_operation() -> None:
    every = itertools.chain.from_iterable(MODEL.operation_model(name).error_shapes for name in OPERATIONS)
    modelled = {error.name.replace("Exception", "Error") for error in every}
    assert {cls.__name__ for cls in errors.ServiceError.__subclasses__()} == modelled


# where the model is wrong

_GOVCLOUD = {
    "RoleArn": RoleArn.parse("arn:aws-us-gov:iam::123456789012:role/a"),
    "SNSTopicArn": SNSTopicArn.parse("arn:aws-cn:sns:cn-north-1:123456789012:a"),
}


@pytest.mark.parametrize("name", PATTERNS_PASSED_OVER)
def test_the_patterns_that_are_passed_over_are_still_wrong_or_unreadable(name: str) -> None:
    # When this fails, the model was mended: take its pattern out of the list.
    pattern = shape(name).metadata["pattern"]
    if name in _GOVCLOUD:
        assert re.search(pattern, str(_GOVCLOUD[name])) is None
    else:
        with pytest.raises(re.error, match="bad escape"):
            re.compile(pattern)
