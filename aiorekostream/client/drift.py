"""Compare the desired configuration of a processor with its actual one; pure.

AWS stores numbers as 32-bit floats, fills in defaults (50 for a label detection's confidence; 80 for a face search's
threshold, which is also its minimum), and adds tags of its own. None of these is reported as drift.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, final

import attrs

from aiorekostream.domain.geometry import BoundingBox, Point, Polygon, RegionOfInterest
from aiorekostream.domain.names import Arn
from aiorekostream.domain.processors import LabelDetectionProcessor, Processor
from aiorekostream.domain.responses import StreamProcessor, UnknownRegion
from aiorekostream.domain.tags import Tags

__all__ = ["Drift", "drift"]

# Percent; https://docs.aws.amazon.com/rekognition/latest/dg/streaming-labels-detection.html
_DEFAULT_MIN_CONFIDENCE = 50.0
# Percent, default and minimum; https://docs.aws.amazon.com/rekognition/latest/APIReference/API_FaceSearchSettings.html
_MIN_FACE_MATCH_THRESHOLD = 80.0

# Fields of a label detection; https://docs.aws.amazon.com/rekognition/latest/APIReference/API_UpdateStreamProcessor.html
_UPDATABLE = frozenset({"labels", "min_confidence", "regions_of_interest", "data_sharing_opt_in"})
_OF_BOTH_KINDS = ("kind", "kinesis_video_stream_arn", "role_arn", "data_sharing_opt_in", "tags")


@final
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


def drift(desired: Processor, actual: StreamProcessor, tags: Mapping[str, str]) -> tuple[Drift, ...]:
    """Compare a desired configuration with the actual one and return the differences in the order of the fields.

    ``None`` in the desired configuration means AWS's default; for data sharing it matches any actual value. Labels and
    regions are compared regardless of their order. Of two kinds, only the fields that both have are compared.

    Args:
        desired: the configuration that was asked for.
        actual: the response to DescribeStreamProcessor.
        tags: the processor's tags, from ListTagsForResource.
    """
    wanted: dict[str, object] = {"kind": desired.kind, **attrs.asdict(desired, recurse=False)}
    settings = attrs.asdict(actual.settings, recurse=False) if actual.settings else {}
    user_tags = Tags({key: value for key, value in tags.items() if not key.startswith("aws:")})
    found: dict[str, object] = {
        **attrs.asdict(actual, recurse=False),
        **settings,
        "kind": actual.kind,
        "tags": user_tags,
    }
    is_same_kind = desired.kind is actual.kind
    can_update = is_same_kind and isinstance(desired, LabelDetectionProcessor)
    differences: list[Drift] = []
    for name in wanted if is_same_kind else _OF_BOTH_KINDS:
        one, other = wanted[name], found[name]
        if isinstance(one, Arn):
            one = str(one)
        if not (_EQUIVALENCES[name](one, other) if name in _EQUIVALENCES else one == other):
            differences.append(Drift(name, one, other, can_update and name in _UPDATABLE))
    return tuple(differences)


def _is_same_threshold(desired: float | None, actual: float | None) -> bool:
    return _near(*(max(_MIN_FACE_MATCH_THRESHOLD, value or 0.0) for value in (desired, actual)))


def _is_same_confidence(desired: float | None, actual: float | None) -> bool:
    return _near(*(_DEFAULT_MIN_CONFIDENCE if value is None else value for value in (desired, actual)))


def _near(one: float, other: float) -> bool:
    # A 32-bit float has a relative rounding error of at most 2**-24 (6e-8). The tolerance leaves room for AWS to round
    # again when it converts to text and back.
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-7)


def _are_same_regions(
    desired: tuple[RegionOfInterest, ...], actual: tuple[RegionOfInterest | UnknownRegion, ...]
) -> bool:
    unmatched = list(actual)
    for region in desired:
        match = next((other for other in unmatched if _is_same_region(region, other)), None)
        if match is None:
            return False
        unmatched.remove(match)
    return not unmatched


def _is_same_region(one: RegionOfInterest, other: RegionOfInterest | UnknownRegion) -> bool:
    match one, other:
        case BoundingBox(), BoundingBox():
            return all(map(_near, attrs.astuple(one), attrs.astuple(other)))
        case Polygon(points), Polygon(others):
            return len(points) == len(others) and all(map(_is_same_point, points, others))
        case _:
            return False


def _is_same_point(one: Point, other: Point) -> bool:
    return _near(one.x, other.x) and _near(one.y, other.y)


# When the values of a field are equivalent, where that is not when they are equal.
_EQUIVALENCES: dict[str, Callable[[Any, Any], bool]] = {
    "face_match_threshold": _is_same_threshold,
    "labels": lambda desired, actual: set(desired) == set(actual),
    "min_confidence": _is_same_confidence,
    "regions_of_interest": _are_same_regions,
    "data_sharing_opt_in": lambda desired, actual: desired in {None, bool(actual)},
}
