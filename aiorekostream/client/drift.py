"""Compare the desired configuration of a processor with its actual one; pure.

AWS stores numbers as 32-bit floats, fills in defaults (50 for a label detection's confidence; 80 for a face search's
threshold, which is also its minimum), and adds tags of its own. None of these is reported as drift.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import attrs

from aiorekostream.domain.geometry import BoundingBox, Point, Polygon, RegionOfInterest
from aiorekostream.domain.processors import FaceSearchProcessor, LabelDetectionProcessor, Processor
from aiorekostream.domain.requests import KEEP, RESET, LabelDetectionUpdate
from aiorekostream.domain.responses import ConnectedHomeSettings, FaceSearchSettings
from aiorekostream.domain.tags import Tags

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aiorekostream.domain.responses import StreamProcessor

__all__ = ["Drift", "EnsuredProcessor", "drift"]

# Percent; https://docs.aws.amazon.com/rekognition/latest/dg/streaming-labels-detection.html
_DEFAULT_MIN_CONFIDENCE = 50.0
# Percent, default and minimum; https://docs.aws.amazon.com/rekognition/latest/APIReference/API_FaceSearchSettings.html
_MIN_FACE_MATCH_THRESHOLD = 80.0

# Fields of a label detection; https://docs.aws.amazon.com/rekognition/latest/APIReference/API_UpdateStreamProcessor.html
_UPDATABLE = frozenset({"labels", "min_confidence", "regions_of_interest", "data_sharing_opt_in"})


@attrs.frozen
class Drift:
    """One field whose actual value differs from the desired one.

    Attributes:
        field: the name of the field of ``FaceSearchProcessor`` or ``LabelDetectionProcessor``, or ``kind``.
        desired: the value that was asked for.
        actual: the value that AWS has; ``None`` where it has none.
        updatable: whether ``update_stream_processor`` can change the field. Tags are changed with ``tag_resource`` and
            ``untag_resource``. For other fields, delete the processor and create it again.
    """

    field: str
    desired: object
    actual: object
    updatable: bool


@attrs.frozen(kw_only=True)
class EnsuredProcessor:
    """A processor that exists now: whether the call created it, and how it differs from the desired configuration.

    Attributes:
        processor: the desired configuration.
        stream_processor_arn: the processor's ARN.
        created: whether the call created the processor; false if it existed before.
        drift: one entry for each field that differs; empty if the call created the processor.
    """

    processor: Processor
    stream_processor_arn: str
    created: bool
    drift: tuple[Drift, ...] = ()

    def update(self) -> LabelDetectionUpdate | None:
        """Return the update that removes the updatable drift; ``None`` if no drift is updatable."""
        fields = {difference.field for difference in self.drift if difference.updatable}
        desired = self.processor
        if not fields or not isinstance(desired, LabelDetectionProcessor):
            return None
        confidence = RESET if desired.min_confidence is None else desired.min_confidence
        opt_in = desired.data_sharing_opt_in if "data_sharing_opt_in" in fields else None
        return LabelDetectionUpdate(
            name=desired.name,
            labels=desired.labels if "labels" in fields else KEEP,
            min_confidence=confidence if "min_confidence" in fields else KEEP,
            regions_of_interest=(desired.regions_of_interest or RESET) if "regions_of_interest" in fields else KEEP,
            data_sharing_opt_in=KEEP if opt_in is None else opt_in,
        )


_Comparison: TypeAlias = tuple[str, object, object, bool]
"""A field, its desired and its actual value, and whether the two are equivalent."""


def drift(desired: Processor, actual: StreamProcessor, tags: Mapping[str, str]) -> tuple[Drift, ...]:
    """Compare a desired configuration with the actual one and return the differences in the order of the fields.

    ``None`` in the desired configuration means AWS's default; for data sharing it matches any actual value. Labels and
    regions are compared regardless of their order.

    Args:
        desired: the configuration that was asked for.
        actual: the response to DescribeStreamProcessor.
        tags: the processor's tags, from ListTagsForResource.
    """
    fields: list[_Comparison] = [
        _equal("kind", desired.kind, actual.kind),
        _equal("kinesis_video_stream_arn", str(desired.kinesis_video_stream_arn), actual.kinesis_video_stream_arn),
        _equal("role_arn", str(desired.role_arn), actual.role_arn),
    ]
    can_update = False
    match desired, actual.settings:
        case FaceSearchProcessor(), FaceSearchSettings() as settings:
            fields += _compare_face_search(desired, actual, settings)
        case LabelDetectionProcessor(), ConnectedHomeSettings() as settings:
            fields += _compare_label_detection(desired, actual, settings)
            can_update = True
        case _:
            pass
    desired_opt_in, actual_opt_in = desired.data_sharing_opt_in, actual.data_sharing_opt_in
    is_same_opt_in = desired_opt_in in {None, bool(actual_opt_in)}
    fields.append(("data_sharing_opt_in", desired_opt_in, actual_opt_in, is_same_opt_in))
    user_tags = Tags({key: value for key, value in tags.items() if not key.startswith("aws:")})
    fields.append(_equal("tags", desired.tags, user_tags))
    return tuple(
        Drift(name, desired_value, actual_value, can_update and name in _UPDATABLE)
        for name, desired_value, actual_value, is_same in fields
        if not is_same
    )


def _equal(name: str, desired: object, actual: object) -> _Comparison:
    return name, desired, actual, desired == actual


def _compare_face_search(
    desired: FaceSearchProcessor, actual: StreamProcessor, settings: FaceSearchSettings
) -> Iterator[_Comparison]:
    yield _equal("kinesis_data_stream_arn", str(desired.kinesis_data_stream_arn), actual.kinesis_data_stream_arn)
    yield _equal("collection_id", desired.collection_id, settings.collection_id)
    threshold, actual_threshold = desired.face_match_threshold, settings.face_match_threshold
    is_same = _near(_effective_threshold(threshold), _effective_threshold(actual_threshold))
    yield "face_match_threshold", threshold, actual_threshold, is_same


def _compare_label_detection(
    desired: LabelDetectionProcessor, actual: StreamProcessor, settings: ConnectedHomeSettings
) -> Iterator[_Comparison]:
    yield "labels", desired.labels, settings.labels, set(desired.labels) == set(settings.labels)
    yield _equal("s3_destination", desired.s3_destination, actual.s3_destination)
    yield _equal("sns_topic_arn", str(desired.sns_topic_arn), actual.sns_topic_arn)
    confidence, actual_confidence = desired.min_confidence, settings.min_confidence
    is_same = _near(_effective_confidence(confidence), _effective_confidence(actual_confidence))
    yield "min_confidence", confidence, actual_confidence, is_same
    yield _equal("kms_key_id", desired.kms_key_id, actual.kms_key_id)
    regions, actual_regions = desired.regions_of_interest, actual.regions_of_interest
    yield "regions_of_interest", regions, actual_regions, _are_same_regions(regions, actual_regions)


def _effective_threshold(value: float | None) -> float:
    return max(_MIN_FACE_MATCH_THRESHOLD, value or 0.0)


def _effective_confidence(value: float | None) -> float:
    return _DEFAULT_MIN_CONFIDENCE if value is None else value


def _near(one: float, other: float) -> bool:
    # A 32-bit float has a relative rounding error of at most 2**-24 (6e-8). The tolerance leaves room for AWS to round
    # again when it converts to text and back.
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-7)


def _are_same_regions(desired: tuple[RegionOfInterest, ...], actual: tuple[RegionOfInterest, ...]) -> bool:
    unmatched = list(actual)
    for region in desired:
        match = next((other for other in unmatched if _is_same_region(region, other)), None)
        if match is None:
            return False
        unmatched.remove(match)
    return not unmatched


def _is_same_region(one: RegionOfInterest, other: RegionOfInterest) -> bool:
    match one, other:
        case BoundingBox(), BoundingBox():
            return all(map(_near, attrs.astuple(one), attrs.astuple(other)))
        case Polygon(points), Polygon(others):
            return len(points) == len(others) and all(map(_is_same_point, points, others))
        case _:
            return False


def _is_same_point(one: Point, other: Point) -> bool:
    return _near(one.x, other.x) and _near(one.y, other.y)
