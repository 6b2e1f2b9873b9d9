"""Spelling, ranges and enum values of the package, compared with botocore's service model to detect its changes."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

import pytest

from aiorekostream import errors
from aiorekostream.codec.calls import _PARAMETERS_TO_DELETE
from aiorekostream.codec.spelling import SPELLING
from aiorekostream.domain.geometry import BoundingBox, Point, Polygon
from aiorekostream.domain.names import RoleArn, SNSTopicArn
from aiorekostream.domain.processors import S3Destination
from aiorekostream.domain.requests import LabelDetectionUpdate, ListRequest, StopRequest, TagRequest
from aiorekostream.domain.responses import ConnectedHomeSettings, FaceSearchSettings, StreamProcessorSummary
from aiorekostream.domain.selectors import FragmentNumber, ProducerTimestamp, StopSelector
from aiorekostream.domain.status import Status
from aiorekostream.limits import DEFAULT_LIMITS
from aiorekostream.operations import OPERATIONS, UPDATE
from tests.codec.cases import PROCESSOR
from tests.codec.service_model import IGNORED_PATTERNS, MODEL, Shape, shape
from tests.domain.test_processors import FACES, LABELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# The classes of the values of an attribute.
_NESTED: Mapping[str, tuple[type, ...]] = {
    "start_selector": (ProducerTimestamp, FragmentNumber),
    "stop_selector": (StopSelector,),
    "s3_destination": (S3Destination,),
    "regions_of_interest": (BoundingBox, Polygon),
    "points": (Point,),
    "settings": (FaceSearchSettings, ConnectedHomeSettings),
    "stream_processors": (StreamProcessorSummary,),
}


def _spelled_members(cls: type) -> Iterator[str]:
    for name, path in SPELLING.get(cls, {}).items():
        inner = [member for part in _NESTED.get(name, ()) for member in _spelled_members(part)]
        yield from (".".join((*path, member)) for member in inner or [""])


def _model_members(rule: Shape) -> Iterator[str]:
    if rule is None:
        return
    while rule.type_name == "list":
        rule = rule.member
    if rule.type_name != "structure":
        yield ""
        return
    for name, member in rule.members.items():
        yield from (f"{name}.{rest}" for rest in _model_members(member))


@pytest.mark.parametrize("name", OPERATIONS)
def test_request_members_equal_those_of_the_model(name: str) -> None:
    operation = OPERATIONS[name]
    spelled = {member for cls in operation.requests for member in _spelled_members(cls)}
    if operation.name == UPDATE.name:
        spelled.add("ParametersToDelete.")
    assert spelled == {*_model_members(MODEL.operation_model(name).input_shape)}


@pytest.mark.parametrize("name", OPERATIONS)
def test_response_members_equal_those_of_the_model(name: str) -> None:
    assert {*_spelled_members(OPERATIONS[name].reply)} == {*_model_members(MODEL.operation_model(name).output_shape)}


def test_spelling_has_exactly_the_values_of_the_operations() -> None:
    used = {cls for operation in OPERATIONS.values() for cls in (*operation.requests, operation.reply)}
    assert set(SPELLING) == (used | {cls for nested in _NESTED.values() for cls in nested}) - {type(None)}


def test_operations_equal_those_of_the_model() -> None:
    """The model's operations for stream processors and tags; it has many others."""
    modeled = {
        name for name in MODEL.operation_names if "StreamProcessor" in name or "Tag" in name or "Resource" in name
    }
    assert set(OPERATIONS) == modeled


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
# The model has no minimum length for a token, but an empty one would request the first page again.
_MIN_LENGTHS = {"PaginationToken": 1}

_RANGES: Mapping[str, tuple[Callable[[Any], object], float]] = {
    "MaxDurationInSecondsULong": (StopSelector, 1),
    "Percent": (lambda value: LabelDetectionUpdate(name="a", min_confidence=value), 0.001),
    "MaxResults": (lambda value: ListRequest(max_results=value), 1),
}
# A signed integer of 32 bits; the model has no maximum.
_MAX_VALUES = {"MaxResults": 2**31 - 1}

_COUNTS = {
    "ConnectedHomeLabels": DEFAULT_LIMITS.max_labels,
    "RegionsOfInterest": DEFAULT_LIMITS.max_regions_of_interest,
    "TagMap": DEFAULT_LIMITS.max_tags,
    "TagKeyList": DEFAULT_LIMITS.max_tags,
    "MaxDurationInSecondsULong": DEFAULT_LIMITS.max_duration_in_seconds,
}


def _create(valid: Mapping[str, Any], **changes: object) -> object:
    (create,) = (cls for cls in OPERATIONS["CreateStreamProcessor"].requests if set(valid) <= set(SPELLING[cls]))
    make: Any = create
    return make(**{**valid, **changes})


def _accepts(make: Callable[[Any], object], value: object) -> bool:
    try:
        make(value)
    except errors.InvalidRequestError:
        return False
    return True


@pytest.mark.parametrize("name", _LENGTHS)
def test_text_has_the_length_limits_of_the_model(name: str) -> None:
    make, rule = _LENGTHS[name], shape(name).metadata
    least: int = _MIN_LENGTHS.get(name) or rule.get("min", 0)
    most: int = rule["max"]
    assert {length: _accepts(make, "1" * length) for length in (least, most)} == {least: True, most: True}
    assert not _accepts(make, "1" * (most + 1))
    assert least == 0 or not _accepts(make, "1" * (least - 1))


@pytest.mark.parametrize("name", _RANGES)
def test_number_has_the_range_of_the_model(name: str) -> None:
    (make, step), rule = _RANGES[name], shape(name).metadata
    least, most = rule["min"], rule.get("max", _MAX_VALUES.get(name))
    tried = {value: _accepts(make, value) for value in (least - step, least, most, most + step)}
    assert [*tried.values()] == [False, True, True, False]


@pytest.mark.parametrize("name", _COUNTS)
def test_default_limits_equal_those_of_the_model(name: str) -> None:
    assert _COUNTS[name] == shape(name).metadata["max"]


def test_model_restricts_a_producer_timestamp_only_to_0_or_more() -> None:
    """The package is stricter: it rejects numbers that cannot be milliseconds. A change of the model shows here."""
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


def test_every_restriction_of_the_model_is_tested() -> None:
    every = [part for name in OPERATIONS for part in _parts(MODEL.operation_model(name).input_shape)]
    restricted = {part.name for part in every if part.metadata.keys() & {"min", "max", "pattern", "enum"}}
    arns = {"KinesisVideoArn", "KinesisDataArn", "RoleArn", "SNSTopicArn", "ResourceArn"}
    assert restricted == {*_LENGTHS, *_RANGES, *_COUNTS, *arns, "ULong", "StreamProcessorParameterToDelete"}


def test_model_requires_no_other_members_than_expected() -> None:
    """The values require these members and more."""
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


# enum values


def test_statuses_equal_those_of_the_model() -> None:
    assert [*Status] == shape("StreamProcessorStatus").metadata["enum"]


def test_deletable_parameters_equal_those_of_the_model() -> None:
    assert [*_PARAMETERS_TO_DELETE.values()] == shape("StreamProcessorParameterToDelete").metadata["enum"]


def test_model_does_not_list_the_labels() -> None:
    """Only AWS's documentation names the labels."""
    assert shape("ConnectedHomeLabel").metadata == {}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_error_of_an_operation_has_a_class(name: str) -> None:
    for error in MODEL.operation_model(name).error_shapes:
        cls = getattr(errors, error.name.replace("Exception", "Error"))
        assert issubclass(cls, errors.ServiceError)
        assert f"``{error.name}``" in str(cls.__doc__)


def test_every_service_error_class_belongs_to_an_operation() -> None:
    every = itertools.chain.from_iterable(MODEL.operation_model(name).error_shapes for name in OPERATIONS)
    modeled = {error.name.replace("Exception", "Error") for error in every}
    assert {cls.__name__ for cls in errors.ServiceError.__subclasses__()} == modeled


# patterns of the model that are not used

_GOVCLOUD = {
    "RoleArn": RoleArn.parse("arn:aws-us-gov:iam::123456789012:role/a"),
    "SNSTopicArn": SNSTopicArn.parse("arn:aws-cn:sns:cn-north-1:123456789012:a"),
}


@pytest.mark.parametrize("name", IGNORED_PATTERNS)
def test_ignored_pattern_of_the_model_is_still_unusable(name: str) -> None:
    # When this fails, the model was fixed: remove its pattern from the list.
    pattern = shape(name).metadata["pattern"]
    if name in _GOVCLOUD:
        assert re.search(pattern, str(_GOVCLOUD[name])) is None
    else:
        with pytest.raises(re.error, match="bad escape"):
            re.compile(pattern)
