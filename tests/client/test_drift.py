"""What differs between a processor as it should be and as AWS has it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aiorekostream.client.drift import Drift, EnsuredProcessor, drift
from aiorekostream.domain.enums import Label
from aiorekostream.domain.geometry import BoundingBox, Point, Polygon, RegionOfInterest
from aiorekostream.domain.processors import FaceSearchProcessor, LabelDetectionProcessor, Processor, S3Destination
from aiorekostream.domain.replies import ConnectedHomeSettings, FaceSearchSettings, Settings, StreamProcessor
from aiorekostream.domain.requests import KEEP, RESET, LabelDetectionUpdate
from aiorekostream.domain.status import Status
from tests import strategies

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

_P = TypeVar("_P", FaceSearchProcessor, LabelDetectionProcessor, Processor)
_UPDATABLE = {"labels", "min_confidence", "regions_of_interest", "data_sharing_opt_in"}
_label_detections = strategies.label_detection_processors
_ACCOUNT = "us-east-1:111122223333"
_DOOR = LabelDetectionProcessor(
    name="door",
    kinesis_video_stream_arn=f"arn:aws:kinesisvideo:{_ACCOUNT}:stream/door/1656000000000",
    role_arn="arn:aws:iam::111122223333:role/rekognition",
    labels=["PERSON", "PET"],
    s3_destination=S3Destination("pictures", "doors"),
    sns_topic_arn=f"arn:aws:sns:{_ACCOUNT}:doors",
    min_confidence=62.3,
    kms_key_id="alias/doors",
    regions_of_interest=[
        BoundingBox(left=0.1, top=0.1, width=0.3, height=0.7),
        Polygon([Point(0, 0), Point(1, 0), Point(0.3, 0.3)]),
    ],
    data_sharing_opt_in=False,
    tags={"site": "north"},
)
_LOBBY = FaceSearchProcessor(
    name="lobby",
    kinesis_video_stream_arn=f"arn:aws:kinesisvideo:{_ACCOUNT}:stream/lobby/1656000000000",
    kinesis_data_stream_arn=f"arn:aws:kinesis:{_ACCOUNT}:stream/faces",
    role_arn="arn:aws:iam::111122223333:role/rekognition",
    collection_id="staff",
    face_match_threshold=91.7,
)


def _single(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])


def _region(region: RegionOfInterest) -> RegionOfInterest:
    if isinstance(region, Polygon):
        return Polygon([Point(_single(point.x), _single(point.y)) for point in region.points])
    return BoundingBox(
        left=_single(region.left),
        top=_single(region.top),
        width=_single(region.width),
        height=_single(region.height),
    )


def _described(processor: Processor) -> StreamProcessor:
    """What AWS shows of a processor: numbers of 32 bits, defaults filled in, thresholds raised."""
    settings: Settings
    shown = StreamProcessor(
        name=processor.name,
        stream_processor_arn=f"arn:aws:rekognition:{_ACCOUNT}:streamprocessor/{processor.name}",
        status=Status.STOPPED,
        kinesis_video_stream_arn=str(processor.kinesis_video_stream_arn),
        role_arn=str(processor.role_arn),
        data_sharing_opt_in=processor.data_sharing_opt_in,
    )
    if isinstance(processor, FaceSearchProcessor):
        settings = FaceSearchSettings(processor.collection_id, _single(max(80, processor.face_match_threshold or 0)))
        return attrs.evolve(shown, settings=settings, kinesis_data_stream_arn=str(processor.kinesis_data_stream_arn))
    confidence = 50 if processor.min_confidence is None else processor.min_confidence
    settings = ConnectedHomeSettings(processor.labels, _single(confidence))
    return attrs.evolve(
        shown,
        settings=settings,
        s3_destination=processor.s3_destination,
        sns_topic_arn=str(processor.sns_topic_arn),
        kms_key_id=processor.kms_key_id,
        regions_of_interest=tuple(map(_region, processor.regions_of_interest)),
    )


@given(strategies.processors, st.data())
def test_a_processor_does_not_differ_from_its_own_description(processor: Processor, data: st.DataObject) -> None:
    found = _described(processor)
    regions = tuple(data.draw(st.permutations(found.regions_of_interest)))
    found = attrs.evolve(found, regions_of_interest=regions)
    if isinstance(found.settings, ConnectedHomeSettings):
        labels = tuple(data.draw(st.permutations(found.settings.labels)))
        found = attrs.evolve(found, settings=attrs.evolve(found.settings, labels=labels))
    assert drift(processor, found, {**processor.tags, "aws:cloudformation:stack-name": "doors"}) == ()


def _with(processor: _P, **changes: Any) -> _P:  # noqa: ANN401 - whatever the field takes
    return attrs.evolve(processor, **changes)


def _matters(name: str, one: Any, other: Any) -> bool:  # noqa: ANN401 - whatever the field holds
    """Whether the service would tell two values of a field apart."""
    match name:
        case "face_match_threshold":
            return bool(abs(max(80, one or 0) - max(80, other or 0)) > 0.001)
        case "min_confidence":
            return bool(abs((50 if one is None else one) - (50 if other is None else other)) > 0.001)
        case "labels":
            return set(one) != set(other)
        case "regions_of_interest":
            return len(one) != len(other)
        case "data_sharing_opt_in":
            return other is not None and other != bool(one)
        case _:
            return bool(one != other)


@st.composite
def _one_change(draw: DrawFn) -> tuple[Processor, Processor, str]:
    """Two processors that differ in one field."""
    one = draw(strategies.processors)
    kind = strategies.face_search_processors() if isinstance(one, FaceSearchProcessor) else _label_detections
    name = draw(st.sampled_from([field.name for field in attrs.fields(type(one)) if field.name != "name"]))
    value: Any
    if name in {"kinesis_video_stream_arn", "kinesis_data_stream_arn"}:  # which must be of one Region
        value = attrs.evolve(getattr(one, name), resource="stream/another")
    else:
        value = getattr(draw(kind), name)
    assume(_matters(name, getattr(one, name), value))
    return one, _with(one, **{name: value}), name


@given(_one_change())
def test_one_changed_field_is_exactly_one_drift(change: tuple[Processor, Processor, str]) -> None:
    before, after, name = change
    (difference,) = drift(after, _described(before), before.tags)
    assert difference.field == name
    assert difference.wanted in {getattr(after, name), str(getattr(after, name))}
    assert difference.updatable is (isinstance(before, LabelDetectionProcessor) and name in _UPDATABLE)


_CHANGES: list[tuple[str, object, bool]] = [
    ("kinesis_video_stream_arn", f"arn:aws:kinesisvideo:{_ACCOUNT}:stream/other/1", False),
    ("role_arn", "arn:aws:iam::111122223333:role/other", False),
    ("labels", ("PERSON",), True),
    ("s3_destination", S3Destination("pictures"), False),
    ("sns_topic_arn", f"arn:aws:sns:{_ACCOUNT}:other", False),
    ("min_confidence", 62.4, True),
    ("min_confidence", None, True),
    ("kms_key_id", None, False),
    ("regions_of_interest", (), True),
    ("regions_of_interest", (BoundingBox(left=0.1, top=0.1, width=0.3, height=0.7),) * 2, True),
    ("data_sharing_opt_in", True, True),
    ("tags", {}, False),
    ("tags", {"site": "south"}, False),
]


@pytest.mark.parametrize(("field", "value", "updatable"), _CHANGES)
def test_each_field_of_a_label_detection_is_compared(field: str, value: object, *, updatable: bool) -> None:
    wanted = _with(_DOOR, **{field: value})
    (difference,) = drift(wanted, _described(_DOOR), _DOOR.tags)
    assert (difference.field, difference.updatable) == (field, updatable)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kinesis_data_stream_arn", f"arn:aws:kinesis:{_ACCOUNT}:stream/other"),
        ("collection_id", "guests"),
        ("face_match_threshold", 91.8),
        ("face_match_threshold", None),
        ("data_sharing_opt_in", True),
    ],
)
def test_no_field_of_a_face_search_can_be_updated(field: str, value: object) -> None:
    wanted = _with(_LOBBY, **{field: value})
    (difference,) = drift(wanted, _described(_LOBBY), {})
    assert (difference.field, difference.updatable) == (field, False)


@pytest.mark.parametrize(("asked", "found"), [(None, 80), (0, 80), (79.9, 80), (80, 80), (None, None), (50, None)])
def test_a_threshold_below_eighty_counts_as_eighty(asked: float | None, found: float | None) -> None:
    wanted = attrs.evolve(_LOBBY, face_match_threshold=asked)
    shown = attrs.evolve(_described(_LOBBY), settings=FaceSearchSettings("staff", found))
    assert drift(wanted, shown, {}) == ()


@pytest.mark.parametrize(("asked", "found"), [(None, 50), (50, None), (None, None), (62.3, 62.29999923706055)])
def test_a_confidence_that_was_not_asked_for_is_fifty(asked: float | None, found: float | None) -> None:
    wanted = attrs.evolve(_DOOR, min_confidence=asked)
    settings = ConnectedHomeSettings(_DOOR.labels, found)
    assert drift(wanted, attrs.evolve(_described(_DOOR), settings=settings), _DOOR.tags) == ()


@pytest.mark.parametrize(("asked", "found"), [(None, True), (None, False), (None, None), (False, None)])
def test_data_sharing_that_is_left_to_aws_may_be_either(asked: bool | None, found: bool | None) -> None:  # noqa: FBT001
    wanted = attrs.evolve(_DOOR, data_sharing_opt_in=asked)
    assert drift(wanted, attrs.evolve(_described(_DOOR), data_sharing_opt_in=found), _DOOR.tags) == ()


def test_another_kind_is_a_drift_that_nothing_but_creating_it_anew_can_mend() -> None:
    wanted = attrs.evolve(
        _DOOR, name="lobby", kinesis_video_stream_arn=_LOBBY.kinesis_video_stream_arn, data_sharing_opt_in=True
    )
    differences = drift(wanted, _described(_LOBBY), wanted.tags)
    assert [difference.field for difference in differences] == ["kind", "data_sharing_opt_in"]
    report = EnsuredProcessor(processor=wanted, stream_processor_arn="arn", created=False, drift=differences)
    assert report.update() is None


def test_the_corners_of_a_polygon_have_an_order() -> None:
    turned = Polygon([Point(1, 0), Point(0, 0), Point(0.3, 0.3)])
    shown = attrs.evolve(_described(_DOOR), regions_of_interest=(_DOOR.regions_of_interest[0], turned))
    assert [difference.field for difference in drift(_DOOR, shown, _DOOR.tags)] == ["regions_of_interest"]


def _report(*fields: str, processor: Processor = _DOOR) -> EnsuredProcessor:
    differences = tuple(Drift(field, 1, 2, field in _UPDATABLE) for field in fields)
    return EnsuredProcessor(processor=processor, stream_processor_arn="arn", created=False, drift=differences)


def test_the_update_changes_what_differs_and_keeps_the_rest() -> None:
    assert _report("labels", "role_arn").update() == LabelDetectionUpdate(name="door", labels=[Label.PERSON, Label.PET])
    everything = _report("labels", "min_confidence", "regions_of_interest", "data_sharing_opt_in").update()
    assert everything == LabelDetectionUpdate(
        name="door",
        labels=_DOOR.labels,
        min_confidence=62.3,
        regions_of_interest=_DOOR.regions_of_interest,
        data_sharing_opt_in=False,
    )


def test_the_update_takes_away_what_was_not_asked_for() -> None:
    plain = attrs.evolve(_DOOR, min_confidence=None, regions_of_interest=())
    update = _report("min_confidence", "regions_of_interest", processor=plain).update()
    assert update is not None
    assert (update.labels, update.min_confidence, update.regions_of_interest) == (KEEP, RESET, RESET)


def test_there_is_no_update_where_none_would_help() -> None:
    assert _report().update() is None
    assert _report("role_arn", "tags").update() is None
    assert _report("collection_id", processor=_LOBBY).update() is None


@pytest.mark.parametrize(
    "points", [[(0, 0), (1, 0), (0.3, 0.3), (0.1, 0.2)], [(0, 0), (1, 0), (0.3, 0.4)], [(0, 0), (1, 0), (0.4, 0.3)]]
)
def test_a_polygon_with_another_point_is_another_region(points: list[tuple[float, float]]) -> None:
    box, _ = _DOOR.regions_of_interest
    wanted = attrs.evolve(_DOOR, regions_of_interest=[box, Polygon([Point(x, y) for x, y in points])])
    (difference,) = drift(wanted, _described(_DOOR), _DOOR.tags)
    assert difference.field == "regions_of_interest"
