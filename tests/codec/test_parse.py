"""What boto3's keyword arguments mean, and every way in which they can be wrong, told all at once."""

from __future__ import annotations

import copy
import datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiorekostream.codec import encode, parse_processor, parse_start
from aiorekostream.domain.processors import FaceSearchProcessor, LabelDetectionProcessor
from aiorekostream.domain.requests import FaceSearchStart, LabelDetectionStart
from aiorekostream.domain.selectors import ProducerTimestamp, StopSelector
from aiorekostream.errors import InvalidRequestError
from tests.codec.cases import DATA, FRAGMENT, REQUESTS, ROLE, TOPIC, VIDEO
from tests.codec.places import Json, Place, changed, dotted, places, without
from tests.domain.oddities import ODDITIES

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
each_parser = pytest.mark.parametrize(("parse", "good"), PARSERS.values(), ids=PARSERS)


def _issues(parse: Callable[[Json], object], arguments: Json) -> dict[str, str]:
    with pytest.raises(InvalidRequestError) as caught:
        parse(arguments)
    return {issue.path: issue.expected for issue in caught.value.issues}


# which kind is meant


def test_a_start_with_a_selector_is_of_label_detection_and_without_of_face_search() -> None:
    assert type(parse_start({"Name": "lobby"})) is FaceSearchStart
    assert type(parse_start(START)) is LabelDetectionStart


@pytest.mark.parametrize("selector", ["StartSelector", "StopSelector"])
def test_one_selector_asks_for_the_other(selector: str) -> None:
    other = {"StartSelector": "StopSelector", "StopSelector": "StartSelector"}[selector]
    assert _issues(parse_start, {"Name": "a", selector: START[selector]}) == {other: "given"}


def test_the_settings_say_which_kind_of_processor_is_meant() -> None:
    assert type(parse_processor(FACES)) is FaceSearchProcessor
    assert type(parse_processor(LABELS)) is LabelDetectionProcessor


@pytest.mark.parametrize("settings_", [{}, None, 5, {"FaceSearch": {}, "ConnectedHome": {}}], ids=str)
def test_where_the_settings_do_not_say_the_output_does(settings_: object) -> None:
    issues = _issues(parse_processor, {**FACES, "Settings": settings_})
    assert not any(path.startswith(("Output", "NotificationChannel")) for path in issues)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("Output", "S3Destination"), {"Bucket": "pictures"}),
        (("NotificationChannel",), {"SNSTopicArn": TOPIC}),
        (("KmsKeyId",), "alias/doors"),
        (("RegionsOfInterest",), []),
    ],
    ids=["S3Destination", "NotificationChannel", "KmsKeyId", "RegionsOfInterest"],
)
def test_a_face_search_is_refused_what_belongs_to_label_detection(path: Place, value: object) -> None:
    issues = _issues(parse_processor, changed(FACES, path, value))
    assert list(issues) == [dotted(path)]
    assert issues[dotted(path)].startswith("left out")


def test_a_label_detection_is_refused_what_belongs_to_face_search() -> None:
    issues = _issues(parse_processor, changed(LABELS, ("Output", "KinesisDataStream"), {"Arn": DATA}))
    assert issues == {"Output.KinesisDataStream": "left out: a label detection writes to Output.S3Destination"}


def test_settings_of_both_kinds_are_refused() -> None:
    both = changed(LABELS, ("Settings", "FaceSearch"), {"CollectionId": "staff"})
    assert list(_issues(parse_processor, both)) == ["Settings.FaceSearch"]
    both = changed(FACES, ("Settings", "ConnectedHome"), {"Labels": ["PET"]})
    assert list(_issues(parse_processor, both)) == ["Settings.ConnectedHome"]


# required


@pytest.mark.parametrize(
    ("good", "gone", "told"),
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
def test_what_is_required_and_missing_is_told_where_it_belongs(good: Json, gone: Place, told: str) -> None:
    assert _issues(parse_processor, without(good, gone)) == {told: "given"}


@pytest.mark.parametrize(
    ("good", "gone"),
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
def test_what_is_optional_may_be_missing(good: Json, gone: Place) -> None:
    arguments = without(good, gone)
    assert encode(parse_processor(arguments)) == arguments


def test_nothing_at_all_is_told_in_full() -> None:
    assert set(_issues(parse_processor, {})) == {
        "Name",
        "Input.KinesisVideoStream.Arn",
        "RoleArn",
        "Settings.ConnectedHome.Labels",
        "Output.S3Destination",
        "NotificationChannel.SNSTopicArn",
    }
    assert _issues(parse_start, {}) == {"Name": "given"}


# selectors


def test_a_stop_selector_may_leave_the_duration_to_its_default() -> None:
    start = parse_start({**START, "StopSelector": {}})
    assert isinstance(start, LabelDetectionStart)
    assert start.stop_selector == StopSelector(10)


@pytest.mark.parametrize(
    ("selector", "told"),
    [
        ({}, "StartSelector.KVSStreamStartSelector"),
        ({"KVSStreamStartSelector": {}}, "StartSelector.KVSStreamStartSelector"),
        (
            {"KVSStreamStartSelector": {"ProducerTimestamp": 1655930623123, "FragmentNumber": FRAGMENT}},
            "StartSelector.KVSStreamStartSelector",
        ),
    ],
)
def test_a_start_has_exactly_one_start_selector(selector: Json, told: str) -> None:
    issues = _issues(parse_start, {**START, "StartSelector": selector})
    assert issues == {told: "an object with exactly one of ProducerTimestamp, FragmentNumber"}


def test_both_selectors_are_told_beside_whatever_else_is_wrong() -> None:
    members = {"ProducerTimestamp": 1655930623, "FragmentNumber": "x", "Bogus": 1}
    issues = _issues(parse_start, {**START, "StartSelector": {"KVSStreamStartSelector": members}})
    where = "StartSelector.KVSStreamStartSelector"
    assert set(issues) == {where, f"{where}.ProducerTimestamp", f"{where}.FragmentNumber", f"{where}.Bogus"}


def test_the_documentations_own_wrong_example_is_told_what_is_wrong() -> None:
    # https://docs.aws.amazon.com/rekognition/latest/dg/streaming-labels-detection.html nests and names it so.
    wrong = {
        "Name": "front-door",
        "StartSelector": {
            "KVSStreamStartSelector": {"KVSProducerTimestamp": 1655930623123},
            "StopSelector": {"MaxDurationInSeconds": 100},
        },
    }
    assert set(_issues(parse_start, wrong)) == {
        "StartSelector.KVSStreamStartSelector.KVSProducerTimestamp",
        "StartSelector.StopSelector",
        "StopSelector",
    }


def test_seconds_are_refused_with_the_word_milliseconds() -> None:
    wrong = changed(START, ("StartSelector", "KVSStreamStartSelector", "ProducerTimestamp"), 1655930623)
    (allowed,) = _issues(parse_start, wrong).values()
    assert "milliseconds" in allowed
    assert "this looks like seconds" in allowed


def test_datetime_and_timedelta_are_taken_where_time_is_meant() -> None:
    moment = datetime.datetime(2022, 6, 22, 20, 43, 43, 123000, tzinfo=datetime.UTC)
    arguments = changed(START, ("StartSelector", "KVSStreamStartSelector", "ProducerTimestamp"), moment)
    arguments = changed(arguments, ("StopSelector", "MaxDurationInSeconds"), datetime.timedelta(minutes=1))
    start = parse_start(arguments)
    assert isinstance(start, LabelDetectionStart)
    assert start.start_selector == ProducerTimestamp(1655930623123)
    assert start.stop_selector == StopSelector(60)


def test_a_naive_datetime_is_refused() -> None:
    moment = datetime.datetime(2022, 6, 22)  # noqa: DTZ001 - what is wrong is the point
    path = ("StartSelector", "KVSStreamStartSelector", "ProducerTimestamp")
    assert "time zone" in _issues(parse_start, changed(START, path, moment))[dotted(path)]


# regions


def test_a_region_is_a_box_or_a_polygon_and_not_both() -> None:
    box, polygon = LABELS["RegionsOfInterest"]
    for wrong in ({**box, **polygon}, {}):
        issues = _issues(parse_processor, {**LABELS, "RegionsOfInterest": [box, wrong]})
        assert issues == {"RegionsOfInterest[1]": "an object with exactly one of BoundingBox, Polygon"}


@pytest.mark.parametrize("value", [-0.1, 1.1, 50])
def test_regions_lie_on_the_frame(value: float) -> None:
    for path in (("RegionsOfInterest", 0, "BoundingBox", "Top"), ("RegionsOfInterest", 1, "Polygon", 0, "X")):
        issues = _issues(parse_processor, changed(LABELS, path, value))
        assert issues == {dotted(path): "a ratio of the frame from 0 to 1"}


def test_too_few_corners_and_too_many_regions_are_told_in_awss_spelling() -> None:
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
def test_a_key_in_pythons_spelling_is_told_as_it_was_written(path: Place) -> None:
    issues = _issues(parse_processor, changed(LABELS, path, 0.5))
    assert list(issues) == [dotted(path)]
    assert issues[dotted(path)].startswith("left out: there is no such key; the keys here are ")


# whatever is wrong, everywhere


def _wrong_types(value: Json) -> list[object]:
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
def test_each_value_of_a_wrong_type_is_told_where_it_stands(parse: Callable[[Json], object], good: Json) -> None:
    for path, value in places(good):
        for wrong in _wrong_types(value):
            issues = _issues(parse, changed(good, path, wrong))
            assert issues, (path, wrong)
            if path not in {("Settings",), ("Output",)}:
                assert set(issues) == {dotted(path)}, (path, wrong)


@each_parser
@pytest.mark.parametrize("key", ["Bogus", "", "na\ud800me", 5, None, b"Name", ("Name",)], ids=repr)
def test_an_unknown_key_is_told_at_each_level(parse: Callable[[Json], object], good: Json, key: object) -> None:
    objects = [(), *(path for path, value in places(good) if isinstance(value, dict) and path != ("Tags",))]
    for path in objects:
        step: Json = key
        issues = _issues(parse, changed(good, (*path, step), "x"))
        told = key if isinstance(key, str) else repr(key)
        assert list(issues) == [dotted((*path, told)) if path else told]
        assert "the keys here are" in next(iter(issues.values()))


@pytest.mark.parametrize("arguments", [None, 5, "Name", b"Name", [("Name", "lobby")], {"Name"}, object()], ids=repr)
@pytest.mark.parametrize("parse", [parse_start, parse_processor])
def test_what_is_no_mapping_is_refused(parse: Callable[[Json], object], arguments: object) -> None:
    assert _issues(parse, arguments) == {"": "a mapping of boto3's keyword arguments"}


def _independent(paths: list[Place]) -> list[Place]:
    """Those of the paths that stand in none of the others."""
    return [
        path
        for i, path in enumerate(paths)
        if not any(path[: len(other)] == other or other[: len(path)] == path for other in paths[:i])
    ]


@each_parser
@settings(max_examples=40)
@given(data=st.data())
def test_any_number_of_faults_is_told_at_once(parse: Callable[[Json], object], good: Json, data: st.DataObject) -> None:
    # The kind is told by these two, so they stay.
    every = [(path, value) for path, value in places(good) if path not in {("Settings",), ("Output",)}]
    values = dict(every)
    chosen = _independent(data.draw(st.lists(st.sampled_from(list(values)), min_size=1, unique=True)))
    arguments, expected = good, set[str]()
    for path in chosen:
        bad, wrong = path, data.draw(st.sampled_from(_wrong_types(values[path])))
        if isinstance(values[path], dict) and path != ("Tags",) and data.draw(st.booleans()):
            bad, wrong = (*path, "Bogus"), "x"
        arguments = changed(arguments, bad, wrong)
        expected.add(dotted(bad))
    assert set(_issues(parse, arguments)) == expected


_words = sorted(
    {step for _, wire in PARSERS.values() for path, _ in places(wire) for step in path if isinstance(step, str)}
)
_leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([VIDEO, DATA, ROLE, TOPIC, FRAGMENT, "PET", 1655930623123, 0.5])
    | st.sampled_from([*ODDITIES]).map(lambda name: ODDITIES[name]())
)
_garbage = st.dictionaries(
    st.sampled_from(_words) | st.text(max_size=5) | st.integers(),
    st.recursive(
        _leaves,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(_words) | st.text(max_size=5), inner, max_size=4)
        ),
        max_leaves=12,
    ),
    max_size=8,
)


@pytest.mark.parametrize("parse", [parse_start, parse_processor])
@settings(max_examples=50)
@given(arguments=_garbage)
def test_garbage_is_refused_and_breaks_nothing(parse: Callable[[Json], object], arguments: Json) -> None:
    try:
        parse(arguments)
    except InvalidRequestError as error:
        _is_told(error)


def _is_told(error: InvalidRequestError) -> None:
    assert error.issues
    assert str(error)


# Where nothing is sent for what is empty.
_MAY_BE_EMPTY = {("Output", "S3Destination", "KeyPrefix"), ("RegionsOfInterest",), ("Tags",)}
_TIMES = (datetime.datetime, datetime.timedelta)


@each_parser
def test_what_is_accepted_is_sent_as_it_was_given(parse: Callable[[Json], object], good: Json) -> None:
    accepted = 0
    others = [value for _, value in places(good)]
    odd = [(path, make()) for path, _ in places(good) for make in (*ODDITIES.values(), *map(_always, others))]
    for path, value in odd:
        arguments = changed(good, path, value)
        try:
            sent = encode(parse(arguments))
        except InvalidRequestError:
            continue
        accepted += 1
        if path in _MAY_BE_EMPTY and not value:
            assert sent == without(arguments, path)
        elif not isinstance(value, _TIMES):  # which are sent in AWS's unit
            assert sent == arguments
    assert accepted


def _always(value: Json) -> Callable[[], Json]:
    return lambda: value


@each_parser
def test_what_is_read_is_not_changed(parse: Callable[[Json], object], good: Json) -> None:
    arguments = copy.deepcopy(dict(good))
    before = copy.deepcopy(arguments)
    value = parse(arguments)
    assert arguments == before
    written = encode(value)
    arguments.clear()
    assert encode(value) == written
