"""Parsing of boto3's keyword arguments, and the issues of invalid ones, reported all at once."""

from __future__ import annotations

import copy
import datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiorekostream.codec import encode, parse_processor, parse_start
from aiorekostream.domain.processors import FaceSearchProcessor, LabelDetectionProcessor
from aiorekostream.domain.requests import FaceSearchStart, LabelDetectionStart
from aiorekostream.domain.selectors import ProducerTimestamp, StopSelector
from aiorekostream.errors import AwsGuidanceWarning, InvalidRequestError
from tests.codec.cases import DATA, FRAGMENT, REQUESTS, ROLE, TOPIC, VIDEO
from tests.codec.json_paths import Json, JsonPath, dotted, replaced, walk, without
from tests.domain.unusual_inputs import DRAWABLE, UNUSUAL_INPUTS
from tests.effort import examples

if TYPE_CHECKING:
    from collections.abc import Callable

FACES: Json = REQUESTS[1].wire
LABELS: Json = REQUESTS[3].wire
START: Json = REQUESTS[5].wire
PARSERS: dict[str, tuple[Callable[[Json], object], Json]] = {
    "face search": (parse_processor, FACES),
    "label detection": (parse_processor, LABELS),
    "start": (parse_start, START),
    "start of a face search": (parse_start, {"Name": "lobby"}),
}
each_parser = pytest.mark.parametrize(("parse", "valid"), PARSERS.values(), ids=PARSERS)


def _issues(parse: Callable[[Json], object], arguments: Json) -> dict[str, str]:
    with pytest.raises(InvalidRequestError) as caught:
        parse(arguments)
    return {issue.path: issue.expected for issue in caught.value.issues}


# choice of the kind


def test_parse_start_chooses_label_detection_when_a_selector_is_given() -> None:
    """Without a selector it is a face search."""
    assert type(parse_start({"Name": "lobby"})) is FaceSearchStart
    assert type(parse_start(START)) is LabelDetectionStart


@pytest.mark.parametrize("selector", ["StartSelector", "StopSelector"])
def test_parse_start_requires_the_other_selector(selector: str) -> None:
    other = {"StartSelector": "StopSelector", "StopSelector": "StartSelector"}[selector]
    assert _issues(parse_start, {"Name": "a", selector: START[selector]}) == {other: "given"}


def test_parse_processor_chooses_the_kind_by_the_settings() -> None:
    assert type(parse_processor(FACES)) is FaceSearchProcessor
    assert type(parse_processor(LABELS)) is LabelDetectionProcessor


@pytest.mark.parametrize("settings_", [{}, None, 5, {"FaceSearch": {}, "ConnectedHome": {}}], ids=str)
def test_parse_processor_chooses_by_the_output_when_settings_are_unclear(settings_: object) -> None:
    issues = _issues(parse_processor, {**FACES, "Settings": settings_})
    assert not any(path.startswith(("Output", "NotificationChannel")) for path in issues)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("Output", "S3Destination"), {"Bucket": "pictures"}),
        (("NotificationChannel",), {"SNSTopicArn": TOPIC}),
        (("KmsKeyId",), "alias/doors"),
    ],
    ids=["S3Destination", "NotificationChannel", "KmsKeyId"],
)
def test_parse_processor_rejects_label_detection_keys_in_a_face_search(path: JsonPath, value: object) -> None:
    issues = _issues(parse_processor, replaced(FACES, path, value))
    assert list(issues) == [dotted(path)]
    assert issues[dotted(path)].startswith("left out")


def test_parse_processor_rejects_face_search_keys_in_a_label_detection() -> None:
    issues = _issues(parse_processor, replaced(LABELS, ("Output", "KinesisDataStream"), {"Arn": DATA}))
    assert issues == {"Output.KinesisDataStream": "left out: a label detection writes to Output.S3Destination"}


def test_parse_processor_rejects_settings_of_both_kinds() -> None:
    both = replaced(LABELS, ("Settings", "FaceSearch"), {"CollectionId": "staff"})
    assert list(_issues(parse_processor, both)) == ["Settings.FaceSearch"]
    both = replaced(FACES, ("Settings", "ConnectedHome"), {"Labels": ["PET"]})
    assert list(_issues(parse_processor, both)) == ["Settings.ConnectedHome"]


def test_parse_processor_warns_of_regions_in_a_face_search() -> None:
    regions = LABELS["RegionsOfInterest"]
    with pytest.warns(AwsGuidanceWarning, match="should not have regions of interest"):
        processor = parse_processor({**FACES, "RegionsOfInterest": regions})
    assert encode(processor)["RegionsOfInterest"] == regions
    assert parse_processor({**FACES, "RegionsOfInterest": []}) == parse_processor(FACES)


def test_parse_processor_does_not_guess_the_kind() -> None:
    """CloudFormation spells a face search in another way."""
    face_search = {
        "Name": "lobby",
        "KinesisVideoStream": {"Arn": VIDEO},
        "KinesisDataStream": {"Arn": DATA},
        "FaceSearchSettings": {"CollectionId": "staff"},
        "RoleArn": 5,
    }
    issues = _issues(parse_processor, face_search)
    assert set(issues) == {
        *("Settings", "Output", "RoleArn", "Input.KinesisVideoStream.Arn"),
        *("KinesisVideoStream", "KinesisDataStream", "FaceSearchSettings"),
    }
    assert issues["Settings"] == "an object with exactly one of FaceSearch, ConnectedHome"
    assert issues["Output"] == "an object with exactly one of KinesisDataStream, S3Destination"


@pytest.mark.parametrize("key", ["NotificationChannel", "KmsKeyId"])
def test_parse_processor_takes_keys_of_label_detection_as_its_kind(key: str) -> None:
    issues = _issues(parse_processor, {"Name": "front-door", key: LABELS[key]})
    assert {"Settings.ConnectedHome.Labels", "Output.S3Destination"} <= set(issues)


# required and optional values


@pytest.mark.parametrize(
    ("valid", "missing", "reported"),
    [
        (FACES, ("Name",), "Name"),
        (FACES, ("Input",), "Input.KinesisVideoStream.Arn"),
        (FACES, ("Input", "KinesisVideoStream"), "Input.KinesisVideoStream.Arn"),
        (FACES, ("Input", "KinesisVideoStream", "Arn"), "Input.KinesisVideoStream.Arn"),
        (FACES, ("Output",), "Output.KinesisDataStream.Arn"),
        (FACES, ("RoleArn",), "RoleArn"),
        (FACES, ("Settings", "FaceSearch", "CollectionId"), "Settings.FaceSearch.CollectionId"),
        (FACES, ("DataSharingPreference", "OptIn"), "DataSharingPreference.OptIn"),
        (LABELS, ("Output",), "Output.S3Destination"),
        (LABELS, ("Output", "S3Destination"), "Output.S3Destination"),
        (LABELS, ("Output", "S3Destination", "Bucket"), "Output.S3Destination.Bucket"),
        (LABELS, ("NotificationChannel",), "NotificationChannel.SNSTopicArn"),
        (LABELS, ("NotificationChannel", "SNSTopicArn"), "NotificationChannel.SNSTopicArn"),
        (LABELS, ("Settings",), "Settings.ConnectedHome.Labels"),
        (LABELS, ("Settings", "ConnectedHome", "Labels"), "Settings.ConnectedHome.Labels"),
        (LABELS, ("RegionsOfInterest", 0, "BoundingBox", "Left"), "RegionsOfInterest[0].BoundingBox.Left"),
        (LABELS, ("RegionsOfInterest", 1, "Polygon", 2, "Y"), "RegionsOfInterest[1].Polygon[2].Y"),
    ],
)
def test_parse_processor_reports_a_missing_value_by_its_path(valid: Json, missing: JsonPath, reported: str) -> None:
    assert _issues(parse_processor, without(valid, missing)) == {reported: "given"}


@pytest.mark.parametrize(
    ("valid", "missing"),
    [
        (FACES, ("Settings", "FaceSearch", "FaceMatchThreshold")),
        (FACES, ("DataSharingPreference",)),
        (FACES, ("Tags",)),
        (LABELS, ("Output", "S3Destination", "KeyPrefix")),
        (LABELS, ("Settings", "ConnectedHome", "MinConfidence")),
        (LABELS, ("KmsKeyId",)),
        (LABELS, ("RegionsOfInterest",)),
    ],
)
def test_parse_processor_accepts_a_missing_optional_value(valid: Json, missing: JsonPath) -> None:
    arguments = without(valid, missing)
    assert encode(parse_processor(arguments)) == arguments


def test_parse_reports_every_required_value_when_nothing_is_given() -> None:
    assert set(_issues(parse_processor, {})) == {
        "Name",
        "Input.KinesisVideoStream.Arn",
        "RoleArn",
        "Settings",
        "Output",
    }
    assert _issues(parse_start, {}) == {"Name": "given"}


# selectors


def test_parse_start_uses_the_default_duration() -> None:
    start = parse_start({**START, "StopSelector": {}})
    assert isinstance(start, LabelDetectionStart)
    assert start.stop_selector == StopSelector(10)


@pytest.mark.parametrize(
    ("selector", "reported"),
    [
        ({}, "StartSelector.KVSStreamStartSelector"),
        ({"KVSStreamStartSelector": {}}, "StartSelector.KVSStreamStartSelector"),
        (
            {"KVSStreamStartSelector": {"ProducerTimestamp": 1655930623123, "FragmentNumber": FRAGMENT}},
            "StartSelector.KVSStreamStartSelector",
        ),
    ],
)
def test_parse_start_requires_exactly_one_start_selector(selector: Json, reported: str) -> None:
    issues = _issues(parse_start, {**START, "StartSelector": selector})
    assert issues == {reported: "an object with exactly one of ProducerTimestamp, FragmentNumber"}


def test_parse_start_reports_two_selectors_with_their_other_issues() -> None:
    members = {"ProducerTimestamp": 1655930623, "FragmentNumber": "x", "Bogus": 1}
    issues = _issues(parse_start, {**START, "StartSelector": {"KVSStreamStartSelector": members}})
    where = "StartSelector.KVSStreamStartSelector"
    assert set(issues) == {where, f"{where}.ProducerTimestamp", f"{where}.FragmentNumber", f"{where}.Bogus"}


def test_parse_start_reports_the_mistakes_of_aws_documentation() -> None:
    # As in https://docs.aws.amazon.com/rekognition/latest/dg/streaming-labels-detection.html.
    invalid = {
        "Name": "front-door",
        "StartSelector": {
            "KVSStreamStartSelector": {"KVSProducerTimestamp": 1655930623123},
            "StopSelector": {"MaxDurationInSeconds": 100},
        },
    }
    assert set(_issues(parse_start, invalid)) == {
        "StartSelector.KVSStreamStartSelector.KVSProducerTimestamp",
        "StartSelector.StopSelector",
        "StopSelector",
    }


def test_parse_start_rejects_seconds_and_names_milliseconds() -> None:
    invalid = replaced(START, ("StartSelector", "KVSStreamStartSelector", "ProducerTimestamp"), 1655930623)
    (expected,) = _issues(parse_start, invalid).values()
    assert "milliseconds" in expected
    assert "this looks like seconds" in expected


def test_parse_start_accepts_datetime_and_timedelta() -> None:
    moment = datetime.datetime(2022, 6, 22, 20, 43, 43, 123000, tzinfo=datetime.UTC)
    arguments = replaced(START, ("StartSelector", "KVSStreamStartSelector", "ProducerTimestamp"), moment)
    arguments = replaced(arguments, ("StopSelector", "MaxDurationInSeconds"), datetime.timedelta(minutes=1))
    start = parse_start(arguments)
    assert isinstance(start, LabelDetectionStart)
    assert start.start_selector == ProducerTimestamp(1655930623123)
    assert start.stop_selector == StopSelector(60)


def test_parse_start_rejects_a_naive_datetime() -> None:
    moment = datetime.datetime(2022, 6, 22)  # noqa: DTZ001 - deliberately invalid
    path = ("StartSelector", "KVSStreamStartSelector", "ProducerTimestamp")
    assert "time zone" in _issues(parse_start, replaced(START, path, moment))[dotted(path)]


# regions


def test_parse_processor_rejects_a_region_with_both_shapes_or_none() -> None:
    box, polygon = LABELS["RegionsOfInterest"]
    for invalid in ({**box, **polygon}, {}):
        issues = _issues(parse_processor, {**LABELS, "RegionsOfInterest": [box, invalid]})
        assert issues == {"RegionsOfInterest[1]": "an object with exactly one of BoundingBox, Polygon"}


@pytest.mark.parametrize("value", [-0.1, 1.1, 50])
def test_parse_processor_rejects_a_region_outside_the_frame(value: float) -> None:
    for path in (("RegionsOfInterest", 0, "BoundingBox", "Top"), ("RegionsOfInterest", 1, "Polygon", 0, "X")):
        issues = _issues(parse_processor, replaced(LABELS, path, value))
        assert issues == {dotted(path): "a ratio of the frame from 0 to 1"}


def test_parse_processor_rejects_a_box_that_ends_outside_the_frame() -> None:
    box = {"BoundingBox": {"Left": 0.6, "Top": 0.1, "Width": 0.5, "Height": 0.5}}
    assert _issues(parse_processor, {**LABELS, "RegionsOfInterest": [box]}) == {
        "RegionsOfInterest[0].BoundingBox.Width": "at most 0.4, so that the box ends inside the frame"
    }


def test_parse_processor_reports_regions_by_their_aws_path() -> None:
    box, polygon = LABELS["RegionsOfInterest"]
    regions = [{"Polygon": polygon["Polygon"][:2]}, *[box] * 10]
    assert _issues(parse_processor, {**LABELS, "RegionsOfInterest": regions}) == {
        "RegionsOfInterest": "at most 10 regions",
        "RegionsOfInterest[0].Polygon": "a polygon of 3 to 10 points",
    }


@pytest.mark.parametrize(
    "path",
    [
        ("RegionsOfInterest", 0, "left"),
        ("RegionsOfInterest", 0, "BoundingBox", "left"),
        ("RegionsOfInterest", 1, "points"),
        ("RegionsOfInterest", 1, "Polygon", 0, "x"),
        ("Output", "S3Destination", "bucket"),
        ("Settings", "ConnectedHome", "labels"),
        ("name",),
    ],
    ids=dotted,
)
def test_parse_processor_rejects_a_key_in_python_spelling(path: JsonPath) -> None:
    """The path has the key as it was given."""
    issues = _issues(parse_processor, replaced(LABELS, path, 0.5))
    assert list(issues) == [dotted(path)]
    assert issues[dotted(path)].startswith("left out: there is no such key; the keys here are ")


# invalid values anywhere


def _values_of_wrong_types(value: Json) -> list[object]:
    common: list[object] = [None, object(), b"bytes"]
    match value:
        case dict():
            return [*common, "text", 5, [], ["text"], True]
        case list():
            return [*common, "PET", 5, {}, {"PET": 1}, True]
        case bool():
            return [*common, 0, 1, "true", {}]
        case str():
            return [*common, 5, True, [], {}]
        case _:
            return [*common, "5", True, [], {}, float("nan"), float("inf"), 10**400]


@each_parser
def test_parse_reports_each_value_of_a_wrong_type_by_its_path(parse: Callable[[Json], object], valid: Json) -> None:
    for path, value in walk(valid):
        for invalid in _values_of_wrong_types(value):
            issues = _issues(parse, replaced(valid, path, invalid))
            assert issues, (path, invalid)
            if path not in {("Settings",), ("Output",)}:
                assert set(issues) == {dotted(path)}, (path, invalid)


@each_parser
@pytest.mark.parametrize("key", ["Bogus", "", "na\ud800me", 5, None, b"Name", ("Name",)], ids=repr)
def test_parse_rejects_an_unknown_key_at_every_level(parse: Callable[[Json], object], valid: Json, key: object) -> None:
    objects = [(), *(path for path, value in walk(valid) if isinstance(value, dict) and path != ("Tags",))]
    for path in objects:
        step: Json = key
        issues = _issues(parse, replaced(valid, (*path, step), "x"))
        reported = key if isinstance(key, str) else repr(key)
        assert list(issues) == [dotted((*path, reported)) if path else reported]
        assert "the keys here are" in next(iter(issues.values()))


@pytest.mark.parametrize("arguments", [None, 5, "Name", b"Name", [("Name", "lobby")], {"Name"}, object()], ids=repr)
@pytest.mark.parametrize("parse", [parse_start, parse_processor])
def test_parse_rejects_arguments_that_are_not_a_mapping(parse: Callable[[Json], object], arguments: object) -> None:
    assert _issues(parse, arguments) == {"": "a mapping of boto3's keyword arguments"}


def _independent(paths: list[JsonPath]) -> list[JsonPath]:
    """The paths that neither contain nor are contained in an earlier one."""
    return [
        path
        for i, path in enumerate(paths)
        if not any(path[: len(other)] == other or other[: len(path)] == path for other in paths[:i])
    ]


@each_parser
@examples(40)
@given(data=st.data())
def test_parse_reports_any_number_of_issues_at_once(
    parse: Callable[[Json], object], valid: Json, data: st.DataObject
) -> None:
    # The kind is chosen by these two, so they are kept.
    candidates = [(path, value) for path, value in walk(valid) if path not in {("Settings",), ("Output",)}]
    values = dict(candidates)
    chosen = _independent(data.draw(st.lists(st.sampled_from(list(values)), min_size=1, unique=True)))
    arguments, expected = valid, set[str]()
    for path in chosen:
        invalid_path, invalid = path, data.draw(st.sampled_from(_values_of_wrong_types(values[path])))
        if isinstance(values[path], dict) and path != ("Tags",) and data.draw(st.booleans()):
            invalid_path, invalid = (*path, "Bogus"), "x"
        arguments = replaced(arguments, invalid_path, invalid)
        expected.add(dotted(invalid_path))
    assert set(_issues(parse, arguments)) == expected


_keys = sorted(
    {step for _, wire in PARSERS.values() for path, _ in walk(wire) for step in path if isinstance(step, str)}
)
_leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([VIDEO, DATA, ROLE, TOPIC, FRAGMENT, "PET", 1655930623123, 0.5])
    | st.sampled_from(DRAWABLE).map(lambda name: UNUSUAL_INPUTS[name]())
)
_arbitrary_arguments = st.dictionaries(
    st.sampled_from(_keys) | st.text(max_size=5) | st.integers(),
    st.recursive(
        _leaves,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(_keys) | st.text(max_size=5), inner, max_size=4)
        ),
        max_leaves=12,
    ),
    max_size=8,
)


@pytest.mark.parametrize("parse", [parse_start, parse_processor])
@pytest.mark.filterwarnings("ignore::aiorekostream.errors.AwsGuidanceWarning")
@examples(50)
@given(arguments=_arbitrary_arguments)
def test_parse_accepts_or_rejects_arbitrary_arguments(parse: Callable[[Json], object], arguments: Json) -> None:
    try:
        parse(arguments)
    except InvalidRequestError as error:
        _assert_has_issues(error)


def _assert_has_issues(error: InvalidRequestError) -> None:
    assert error.issues
    assert str(error)


# Paths whose value is omitted when it is empty.
_OMITTED_WHEN_EMPTY = {("Output", "S3Destination", "KeyPrefix"), ("RegionsOfInterest",), ("Tags",)}
_TIMES = (datetime.datetime, datetime.timedelta)


@each_parser
@pytest.mark.filterwarnings("ignore::aiorekostream.errors.AwsGuidanceWarning")
def test_parse_and_encode_return_the_given_arguments(parse: Callable[[Json], object], valid: Json) -> None:
    accepted = 0
    others = [value for _, value in walk(valid)]
    attempts = [
        (path, make()) for path, _ in walk(valid) for make in (*UNUSUAL_INPUTS.values(), *map(_constant, others))
    ]
    for path, value in attempts:
        arguments = replaced(valid, path, value)
        try:
            sent = encode(parse(arguments))
        except InvalidRequestError:
            continue
        accepted += 1
        if path in _OMITTED_WHEN_EMPTY and not value:
            assert sent == without(arguments, path)
        elif not isinstance(value, _TIMES):  # encoded in AWS's unit
            assert sent == arguments
    assert accepted


def _constant(value: Json) -> Callable[[], Json]:
    return lambda: value


@each_parser
def test_parse_does_not_modify_its_arguments(parse: Callable[[Json], object], valid: Json) -> None:
    arguments = copy.deepcopy(dict(valid))
    before = copy.deepcopy(arguments)
    value = parse(arguments)
    assert arguments == before
    encoded = encode(value)
    arguments.clear()
    assert encode(value) == encoded
