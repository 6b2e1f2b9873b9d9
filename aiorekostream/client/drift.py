"""What differs between a processor as it should be and as AWS has it: pure comparison.

AWS keeps numbers in 32 bits, fills in defaults (50 for a label detection's confidence, 80 for a face search's
threshold, which is also the least it takes), and adds tags of its own. None of that is a difference.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import attrs

from aiorekostream.domain.geometry import BoundingBox, Point, Polygon, RegionOfInterest
from aiorekostream.domain.processors import FaceSearchProcessor, LabelDetectionProcessor, Processor
from aiorekostream.domain.replies import ConnectedHomeSettings, FaceSearchSettings
from aiorekostream.domain.requests import KEEP, RESET, LabelDetectionUpdate
from aiorekostream.domain.tags import Tags

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aiorekostream.domain.replies import StreamProcessor

__all__ = ["Drift", "EnsuredProcessor", "drift"]

# https://docs.aws.amazon.com/rekognition/latest/dg/streaming-labels-detection.html
_MIN_CONFIDENCE = 50.0
# https://docs.aws.amazon.com/rekognition/latest/APIReference/API_FaceSearchSettings.html
_FACE_MATCH_THRESHOLD = 80.0

# https://docs.aws.amazon.com/rekognition/latest/APIReference/API_UpdateStreamProcessor.html, for label detections
_UPDATABLE = frozenset({"labels", "min_confidence", "regions_of_interest", "data_sharing_opt_in"})


@attrs.frozen
class Drift:
    """One field in which a processor is not as it should be.

    Attributes:
        field: the field of ``FaceSearchProcessor`` or ``LabelDetectionProcessor``, or ``kind``.
        wanted: what it should be.
        found: what AWS has; ``None`` where it has nothing.
        updatable: whether ``update_stream_processor`` can change it. Tags are changed by ``tag_resource`` and
            ``untag_resource``; for what is left, the processor must be deleted and created anew.
    """

    field: str
    wanted: object
    found: object
    updatable: bool


@attrs.frozen(kw_only=True)
class EnsuredProcessor:
    """A processor that exists: whether it was there before, and in what it differs from what was asked for.

    Attributes:
        processor: what was asked for.
        stream_processor_arn: its ARN.
        created: whether it was created now.
        drift: what differs; empty for one that was created now.
    """

    processor: Processor
    stream_processor_arn: str
    created: bool
    drift: tuple[Drift, ...] = ()

    def update(self) -> LabelDetectionUpdate | None:
        """The update that takes away what can be taken away of the drift; ``None`` if none of it can."""
        fields = {difference.field for difference in self.drift if difference.updatable}
        wanted = self.processor
        if not fields or not isinstance(wanted, LabelDetectionProcessor):
            return None
        confidence = RESET if wanted.min_confidence is None else wanted.min_confidence
        opt_in = wanted.data_sharing_opt_in if "data_sharing_opt_in" in fields else None
        return LabelDetectionUpdate(
            name=wanted.name,
            labels=wanted.labels if "labels" in fields else KEEP,
            min_confidence=confidence if "min_confidence" in fields else KEEP,
            regions_of_interest=(wanted.regions_of_interest or RESET) if "regions_of_interest" in fields else KEEP,
            data_sharing_opt_in=KEEP if opt_in is None else opt_in,
        )


_Compared: TypeAlias = tuple[str, object, object, bool]


def drift(wanted: Processor, found: StreamProcessor, tags: Mapping[str, str]) -> tuple[Drift, ...]:
    """In what a processor differs from what was asked for, in the order of the fields.

    ``None`` in what was asked for means AWS's default, and for data sharing whatever AWS has. Labels and regions are
    compared without their order.

    Args:
        wanted: what was asked for.
        found: what Describe shows.
        tags: what ListTagsForResource shows.
    """
    fields: list[_Compared] = [
        _equal("kind", wanted.kind, found.kind),
        _equal("kinesis_video_stream_arn", str(wanted.kinesis_video_stream_arn), found.kinesis_video_stream_arn),
        _equal("role_arn", str(wanted.role_arn), found.role_arn),
    ]
    can_update = False
    match wanted, found.settings:
        case FaceSearchProcessor(), FaceSearchSettings() as settings:
            fields += _of_face_search(wanted, found, settings)
        case LabelDetectionProcessor(), ConnectedHomeSettings() as settings:
            fields += _of_labels(wanted, found, settings)
            can_update = True
        case _:
            pass
    asked, seen = wanted.data_sharing_opt_in, found.data_sharing_opt_in
    fields.append(("data_sharing_opt_in", asked, seen, asked in {None, bool(seen)}))
    own = Tags({key: value for key, value in tags.items() if not key.startswith("aws:")})
    fields.append(_equal("tags", wanted.tags, own))
    return tuple(
        Drift(name, asked, seen, can_update and name in _UPDATABLE)
        for name, asked, seen, is_same in fields
        if not is_same
    )


def _equal(name: str, asked: object, seen: object) -> _Compared:
    return name, asked, seen, asked == seen


def _of_face_search(
    wanted: FaceSearchProcessor, found: StreamProcessor, settings: FaceSearchSettings
) -> Iterator[_Compared]:
    asked, seen = wanted.face_match_threshold, settings.face_match_threshold
    yield _equal("kinesis_data_stream_arn", str(wanted.kinesis_data_stream_arn), found.kinesis_data_stream_arn)
    yield _equal("collection_id", wanted.collection_id, settings.collection_id)
    yield "face_match_threshold", asked, seen, _near(_threshold(asked), _threshold(seen))


def _of_labels(
    wanted: LabelDetectionProcessor, found: StreamProcessor, settings: ConnectedHomeSettings
) -> Iterator[_Compared]:
    yield "labels", wanted.labels, settings.labels, set(wanted.labels) == set(settings.labels)
    yield _equal("s3_destination", wanted.s3_destination, found.s3_destination)
    yield _equal("sns_topic_arn", str(wanted.sns_topic_arn), found.sns_topic_arn)
    asked, seen = wanted.min_confidence, settings.min_confidence
    yield "min_confidence", asked, seen, _near(_confidence(asked), _confidence(seen))
    yield _equal("kms_key_id", wanted.kms_key_id, found.kms_key_id)
    regions, known = wanted.regions_of_interest, found.regions_of_interest
    yield "regions_of_interest", regions, known, _are_same_regions(regions, known)


def _threshold(value: float | None) -> float:
    return max(_FACE_MATCH_THRESHOLD, value or 0.0)


def _confidence(value: float | None) -> float:
    return _MIN_CONFIDENCE if value is None else value


def _near(one: float, other: float) -> bool:
    # Half of the last place of 32 bits is a part in 2**24; AWS may round on its own way to text and back.
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-7)


def _are_same_regions(some: tuple[RegionOfInterest, ...], others: tuple[RegionOfInterest, ...]) -> bool:
    left = list(others)
    for region in some:
        match = next((other for other in left if _is_same_region(region, other)), None)
        if match is None:
            return False
        left.remove(match)
    return not left


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
