"""Drift between the desired configuration of a processor and its actual one."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aiorekostream.client.drift import Drift, drift
from aiorekostream.client.ensure import EnsuredProcessor
from aiorekostream.domain.enums import Label
from aiorekostream.domain.geometry import BoundingBox, Point, Polygon, RegionOfInterest
from aiorekostream.domain.processors import FaceSearchProcessor, LabelDetectionProcessor, Processor, S3Destination
from aiorekostream.domain.requests import KEEP, RESET, LabelDetectionUpdate
from aiorekostream.domain.responses import (
    ConnectedHomeSettings,
    FaceSearchSettings,
    Settings,
    StreamProcessor,
    UnknownRegion,
)
from aiorekostream.domain.status import Status
from tests import strategies

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

pytestmark = pytest.mark.filterwarnings("ignore::aiorekostream.errors.AwsGuidanceWarning")

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


def _as_32_bits(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])


def _region(region: RegionOfInterest) -> RegionOfInterest:
    if isinstance(region, Polygon):
        return Polygon([Point(_as_32_bits(point.x), _as_32_bits(point.y)) for point in region.points])
    return BoundingBox(
        left=_as_32_bits(region.left),
        top=_as_32_bits(region.top),
        width=_as_32_bits(region.width),
        height=_as_32_bits(region.height),
    )


def _described(processor: Processor) -> StreamProcessor:
    """The response to Describe for a processor: 32-bit numbers, defaults filled in, thresholds raised."""
    settings: Settings
    actual = StreamProcessor(
        name=processor.name,
        stream_processor_arn=f"arn:aws:rekognition:{_ACCOUNT}:streamprocessor/{processor.name}",
        status=Status.STOPPED,
        kinesis_video_stream_arn=str(processor.kinesis_video_stream_arn),
        role_arn=str(processor.role_arn),
        regions_of_interest=tuple(map(_region, processor.regions_of_interest)),
        data_sharing_opt_in=processor.data_sharing_opt_in,
    )
    if isinstance(processor, FaceSearchProcessor):
        settings = FaceSearchSettings(
            processor.collection_id, _as_32_bits(max(80, processor.face_match_threshold or 0))
        )
        return attrs.evolve(actual, settings=settings, kinesis_data_stream_arn=str(processor.kinesis_data_stream_arn))
    confidence = 50 if processor.min_confidence is None else processor.min_confidence
    settings = ConnectedHomeSettings(processor.labels, _as_32_bits(confidence))
    return attrs.evolve(
        actual,
        settings=settings,
        s3_destination=processor.s3_destination,
        sns_topic_arn=str(processor.sns_topic_arn),
        kms_key_id=processor.kms_key_id,
    )


@given(strategies.processors, st.data())
def test_drift_is_empty_for_the_description_of_the_processor(processor: Processor, data: st.DataObject) -> None:
    actual = _described(processor)
    regions = tuple(data.draw(st.permutations(actual.regions_of_interest)))
    actual = attrs.evolve(actual, regions_of_interest=regions)
    if isinstance(actual.settings, ConnectedHomeSettings):
        labels = tuple(data.draw(st.permutations(actual.settings.labels)))
        actual = attrs.evolve(actual, settings=attrs.evolve(actual.settings, labels=labels))
    assert drift(processor, actual, {**processor.tags, "aws:cloudformation:stack-name": "doors"}) == ()


def _evolved(processor: _P, **changes: Any) -> _P:  # noqa: ANN401 - any value of the field
    return attrs.evolve(processor, **changes)


def _is_distinct(name: str, one: Any, other: Any) -> bool:  # noqa: ANN401 - any value of the field
    """Whether the service distinguishes two values of a field."""
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
    if name in {"kinesis_video_stream_arn", "kinesis_data_stream_arn"}:  # both streams must be in one Region
        value = attrs.evolve(getattr(one, name), resource="stream/another")
    else:
        value = getattr(draw(kind), name)
    assume(_is_distinct(name, getattr(one, name), value))
    return one, _evolved(one, **{name: value}), name


@given(_one_change())
def test_drift_has_one_entry_for_one_changed_field(change: tuple[Processor, Processor, str]) -> None:
    before, after, name = change
    (difference,) = drift(after, _described(before), before.tags)
    assert difference.field == name
    assert difference.desired in {getattr(after, name), str(getattr(after, name))}
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
def test_drift_compares_each_field_of_a_label_detection(field: str, value: object, *, updatable: bool) -> None:
    desired = _evolved(_DOOR, **{field: value})
    (difference,) = drift(desired, _described(_DOOR), _DOOR.tags)
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
def test_drift_of_a_face_search_is_never_updatable(field: str, value: object) -> None:
    desired = _evolved(_LOBBY, **{field: value})
    (difference,) = drift(desired, _described(_LOBBY), {})
    assert (difference.field, difference.updatable) == (field, False)


@pytest.mark.parametrize(
    ("desired_value", "actual_value"), [(None, 80), (0, 80), (79.9, 80), (80, 80), (None, None), (50, None)]
)
def test_drift_treats_a_threshold_below_80_as_80(desired_value: float | None, actual_value: float | None) -> None:
    desired = attrs.evolve(_LOBBY, face_match_threshold=desired_value)
    actual = attrs.evolve(_described(_LOBBY), settings=FaceSearchSettings("staff", actual_value))
    assert drift(desired, actual, {}) == ()


@pytest.mark.parametrize(
    ("desired_value", "actual_value"), [(None, 50), (50, None), (None, None), (62.3, 62.29999923706055)]
)
def test_drift_treats_a_missing_confidence_as_50(desired_value: float | None, actual_value: float | None) -> None:
    desired = attrs.evolve(_DOOR, min_confidence=desired_value)
    settings = ConnectedHomeSettings(_DOOR.labels, actual_value)
    assert drift(desired, attrs.evolve(_described(_DOOR), settings=settings), _DOOR.tags) == ()


@pytest.mark.parametrize(("desired_value", "actual_value"), [(None, True), (None, False), (None, None), (False, None)])
def test_drift_ignores_data_sharing_when_it_is_left_to_aws(
    *, desired_value: bool | None, actual_value: bool | None
) -> None:
    desired = attrs.evolve(_DOOR, data_sharing_opt_in=desired_value)
    assert drift(desired, attrs.evolve(_described(_DOOR), data_sharing_opt_in=actual_value), _DOOR.tags) == ()


def test_drift_of_the_kind_has_no_update() -> None:
    """Only deleting the processor and creating it again changes its kind."""
    desired = attrs.evolve(
        _DOOR, name="lobby", kinesis_video_stream_arn=_LOBBY.kinesis_video_stream_arn, data_sharing_opt_in=True
    )
    differences = drift(desired, _described(_LOBBY), desired.tags)
    assert [difference.field for difference in differences] == ["kind", "data_sharing_opt_in"]
    report = EnsuredProcessor(
        name=desired.name,
        status=Status.STOPPED,
        changed=False,
        processor=desired,
        stream_processor_arn="arn",
        drift=differences,
    )
    assert report.update() is None


def test_drift_respects_the_order_of_polygon_points() -> None:
    turned = Polygon([Point(1, 0), Point(0, 0), Point(0.3, 0.3)])
    actual = attrs.evolve(_described(_DOOR), regions_of_interest=(_DOOR.regions_of_interest[0], turned))
    assert [difference.field for difference in drift(_DOOR, actual, _DOOR.tags)] == ["regions_of_interest"]


def _report(*fields: str, processor: Processor = _DOOR) -> EnsuredProcessor:
    differences = tuple(Drift(field, getattr(processor, field), 2, field in _UPDATABLE) for field in fields)
    return EnsuredProcessor(
        name=processor.name,
        status=Status.STOPPED,
        changed=False,
        processor=processor,
        stream_processor_arn="arn",
        drift=differences,
    )


def test_update_changes_only_the_fields_that_differ() -> None:
    assert _report("labels", "role_arn").update() == LabelDetectionUpdate(name="door", labels=[Label.PERSON, Label.PET])
    everything = _report("labels", "min_confidence", "regions_of_interest", "data_sharing_opt_in").update()
    assert everything == LabelDetectionUpdate(
        name="door",
        labels=_DOOR.labels,
        min_confidence=62.3,
        regions_of_interest=_DOOR.regions_of_interest,
        data_sharing_opt_in=False,
    )


def test_update_resets_parameters_that_are_not_desired() -> None:
    plain = attrs.evolve(_DOOR, min_confidence=None, regions_of_interest=())
    update = _report("min_confidence", "regions_of_interest", processor=plain).update()
    assert update is not None
    assert (update.labels, update.min_confidence, update.regions_of_interest) == (KEEP, RESET, RESET)


def test_update_is_none_when_no_drift_is_updatable() -> None:
    assert _report().update() is None
    assert _report("role_arn", "tags").update() is None
    assert _report("collection_id", processor=_LOBBY).update() is None


@pytest.mark.parametrize(
    "points", [[(0, 0), (1, 0), (0.3, 0.3), (0.1, 0.2)], [(0, 0), (1, 0), (0.3, 0.4)], [(0, 0), (1, 0), (0.4, 0.3)]]
)
def test_drift_reports_a_polygon_with_another_point(points: list[tuple[float, float]]) -> None:
    box, _ = _DOOR.regions_of_interest
    desired = attrs.evolve(_DOOR, regions_of_interest=[box, Polygon([Point(x, y) for x, y in points])])
    (difference,) = drift(desired, _described(_DOOR), _DOOR.tags)
    assert difference.field == "regions_of_interest"


def test_drift_sees_regions_of_a_face_search() -> None:
    """AWS accepts them, and updates no face search."""
    regions = _DOOR.regions_of_interest
    actual = attrs.evolve(_described(_LOBBY), regions_of_interest=regions)
    assert drift(_LOBBY, actual, {}) == (Drift("regions_of_interest", (), regions, updatable=False),)
    assert drift(attrs.evolve(_LOBBY, regions_of_interest=regions), actual, {}) == ()


def test_drift_sees_a_region_that_cannot_be_read() -> None:
    unknown = UnknownRegion({"Circle": {"Radius": 0.5}})
    actual = attrs.evolve(_described(_DOOR), regions_of_interest=(*_DOOR.regions_of_interest, unknown))
    (difference,) = drift(_DOOR, actual, _DOOR.tags)
    assert (difference.field, difference.updatable) == ("regions_of_interest", True)
