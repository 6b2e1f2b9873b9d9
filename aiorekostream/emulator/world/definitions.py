"""Parse and hold the definition of a processor: its kind, its regions and its members with defaults applied.

The rules about which members belong together come from
https://docs.aws.amazon.com/rekognition/latest/APIReference/API_CreateStreamProcessor.html and from the schema of AWS's
own CloudFormation provider: ConnectedHome, S3Destination and NotificationChannel, or FaceSearch and KinesisDataStream.
The model leaves most rules about regions open. The API's prose and that schema add that a region is a box or a polygon,
that a polygon has at least three points, and that a box has all four members.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from aiorekostream.domain.enums import Label, ProcessorKind
from aiorekostream.emulator.world.answers import JsonObject, invalid, refuse
from aiorekostream.emulator.world.fields import Fields
from aiorekostream.emulator.world.identity import Stream

if TYPE_CHECKING:
    from aiorekostream.limits import Limits

__all__ = [
    "LabelTarget",
    "ProcessorDefinition",
    "float32",
    "parse_definition",
    "regions_of_interest",
    "requested_kind",
    "updated_definition",
]


_ALL_LABELS = frozenset({Label.PERSON, Label.PET, Label.PACKAGE})
_FACE_MATCH_THRESHOLD = 80.0
"""Percent; the default and the minimum. AWS raises smaller thresholds to it."""
_MIN_CONFIDENCE = 50.0
"""Percent; the default. UNCERTAIN: whether Describe returns it when the request omitted it."""


@attrs.frozen(kw_only=True)
class LabelTarget:
    """What a label detection reports, and where to.

    Attributes:
        topic_arn: the ARN of the topic.
        bucket: the name of the bucket.
        key_prefix: the first part of the keys, empty or with a slash at the end. UNCERTAIN: whether AWS writes a second
            slash after a prefix that ends in one. Here it does not.
        labels: the labels, without ALL.
        min_confidence: the least confidence that is reported, in percent.
    """

    topic_arn: str
    bucket: str
    key_prefix: str
    labels: frozenset[Label]
    min_confidence: float


@attrs.frozen(kw_only=True)
class ProcessorDefinition:
    """The definition of a processor, as created and updated.

    Attributes:
        kind: face search or label detection.
        video: the video stream that the processor reads.
        data: the data stream that a face search writes to.
        role: the ARN of the role that the processor assumes.
        collection: the id of the collection that a face search uses.
        bucket: the name of the bucket that a label detection writes to.
        topic: the ARN of the topic that a label detection publishes to.
        key: the KMS key with which a label detection encrypts, as given: an id, an alias or an ARN.
        members: the members that updates cannot change, in AWS's spelling.
        settings: the members of ``FaceSearch`` or ``ConnectedHome``.
        regions: the regions of interest.
        sharing: the value of ``OptIn``; None if it was never set.
    """

    kind: ProcessorKind
    video: Stream
    data: Stream | None
    role: str
    collection: str | None
    bucket: str | None
    topic: str | None
    key: str | None
    members: JsonObject
    settings: JsonObject
    regions: Sequence[JsonObject]
    sharing: bool | None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The streams that no other processor may use."""
        return (self.video,) if self.data is None else (self.video, self.data)

    @property
    def label_target(self) -> LabelTarget | None:
        """What a label detection reports, and where to; None for a face search."""
        if self.topic is None or self.bucket is None:
            return None
        settings = Fields(self.settings)
        labels = {Label(name) for name in settings.texts("Labels")}
        prefix = Fields(self.members).structure("Output").structure("S3Destination").optional_text("KeyPrefix")
        return LabelTarget(
            topic_arn=self.topic,
            bucket=self.bucket,
            key_prefix=f"{prefix.rstrip('/')}/" if prefix else "",
            labels=_ALL_LABELS if Label.ALL in labels else frozenset(labels),
            min_confidence=settings.optional_number("MinConfidence") or 0.0,
        )

    def to_response(self) -> dict[str, object]:
        """Return the members as DescribeStreamProcessor returns them."""
        settings_name = "FaceSearch" if self.kind is ProcessorKind.FACE_SEARCH else "ConnectedHome"
        members: dict[str, object] = {**self.members, "Settings": {settings_name: self.settings}}
        if self.regions:
            members["RegionsOfInterest"] = self.regions
        if self.sharing is not None:
            members["DataSharingPreference"] = {"OptIn": self.sharing}
        return members


def requested_kind(request: Fields) -> ProcessorKind:
    """Return the kind of processor that a CreateStreamProcessor request describes."""
    settings = request.structure("Settings")
    if settings.has("FaceSearch") == settings.has("ConnectedHome"):
        raise refuse(invalid("Settings must have exactly one of FaceSearch and ConnectedHome."))
    return ProcessorKind.FACE_SEARCH if settings.has("FaceSearch") else ProcessorKind.LABEL_DETECTION


def parse_definition(request: Fields, limits: Limits) -> ProcessorDefinition:
    """Parse a CreateStreamProcessor request and check which members belong together."""
    kind = requested_kind(request)
    source = request.structure("Input").structure("KinesisVideoStream")
    members: dict[str, object] = {
        "Input": {"KinesisVideoStream": {"Arn": source.text("Arn")}},
        "RoleArn": request.text("RoleArn"),
    }
    if kind is ProcessorKind.FACE_SEARCH:
        bucket, topic, key = None, None, None
        data, extra = _to_data_stream(request)
        settings, collection = _face_search(request.structure("Settings").structure("FaceSearch"))
    else:
        data, collection = None, None
        bucket, topic, key, extra = _to_bucket_and_topic(request)
        settings = _connected_home(request.structure("Settings").structure("ConnectedHome"))
    return ProcessorDefinition(
        kind=kind,
        video=_stream(source, "kinesisvideo"),
        data=data,
        role=request.text("RoleArn"),
        collection=collection,
        bucket=bucket,
        topic=topic,
        key=key,
        members={**members, **extra},
        settings=settings,
        # AWS documents that a face search "should not" have regions, but has been observed to accept them.
        regions=regions_of_interest(request, "RegionsOfInterest", limits),
        sharing=_data_sharing(request, "DataSharingPreference"),
    )


def updated_definition(before: ProcessorDefinition, request: Fields, limits: Limits) -> ProcessorDefinition:
    """Return the definition of a label detection after an UpdateStreamProcessor request."""
    to_delete = frozenset(request.texts("ParametersToDelete"))
    settings, regions = dict(before.settings), before.regions
    update = request.optional_structure("SettingsForUpdate")
    changes = None if update is None else update.optional_structure("ConnectedHomeForUpdate")
    if changes is not None:
        settings |= _connected_home_changes(changes)
    if request.has("RegionsOfInterestForUpdate"):
        regions = regions_of_interest(request, "RegionsOfInterestForUpdate", limits)
    # UNCERTAIN: AWS does not document the effect of setting and deleting one parameter at once. Refusing is safe.
    twice = "ParametersToDelete names it too"
    if "ConnectedHomeMinConfidence" in to_delete:
        if changes is not None:
            changes.forbidden("MinConfidence", twice)
        settings["MinConfidence"] = _MIN_CONFIDENCE
    if "RegionsOfInterest" in to_delete:
        request.forbidden("RegionsOfInterestForUpdate", twice)
        regions = ()
    sharing = _data_sharing(request, "DataSharingPreferenceForUpdate")
    return attrs.evolve(
        before, settings=settings, regions=regions, sharing=before.sharing if sharing is None else sharing
    )


def _to_data_stream(request: Fields) -> tuple[Stream, JsonObject]:
    output = request.structure("Output")
    output.forbidden("S3Destination", "a face search writes to a KinesisDataStream")
    for name in ("NotificationChannel", "KmsKeyId"):
        request.forbidden(name, "it is for label detection")
    target = output.structure("KinesisDataStream")
    return _stream(target, "kinesis"), {"Output": {"KinesisDataStream": {"Arn": target.text("Arn")}}}


def _to_bucket_and_topic(request: Fields) -> tuple[str, str, str | None, JsonObject]:
    output = request.structure("Output")
    output.forbidden("KinesisDataStream", "a label detection writes to an S3Destination")
    target = output.structure("S3Destination")
    bucket, topic = target.text("Bucket"), request.structure("NotificationChannel").text("SNSTopicArn")
    prefix, key = target.optional_text("KeyPrefix"), request.optional_text("KmsKeyId")
    members: dict[str, object] = {
        "Output": {"S3Destination": {"Bucket": bucket} if prefix is None else {"Bucket": bucket, "KeyPrefix": prefix}},
        "NotificationChannel": {"SNSTopicArn": topic},
    }
    if key is not None:
        members["KmsKeyId"] = key
    return bucket, topic, key, members


def _face_search(settings: Fields) -> tuple[JsonObject, str]:
    threshold = settings.optional_number("FaceMatchThreshold")
    raised = max(_FACE_MATCH_THRESHOLD, _FACE_MATCH_THRESHOLD if threshold is None else threshold)
    collection = settings.text("CollectionId")
    return {"CollectionId": collection, "FaceMatchThreshold": float32(raised)}, collection


def _connected_home(settings: Fields) -> JsonObject:
    if not settings.has("Labels"):
        raise settings.missing("Labels")
    return {"MinConfidence": _MIN_CONFIDENCE, **_connected_home_changes(settings)}


def _connected_home_changes(settings: Fields) -> dict[str, object]:
    changes: dict[str, object] = {}
    if settings.has("Labels"):
        labels = settings.texts("Labels")
        if not labels or len(set(labels)) < len(labels) or not all(Label(label).is_known for label in labels):
            raise settings.wrong("Labels", "one or more of PERSON, PET, PACKAGE and ALL, none twice")
        changes["Labels"] = labels
    confidence = settings.optional_number("MinConfidence")
    if confidence is not None:
        changes["MinConfidence"] = float32(confidence)
    return changes


def _data_sharing(request: Fields, name: str) -> bool | None:
    sharing = request.optional_structure(name)
    return None if sharing is None else sharing.flag("OptIn")


def _stream(fields: Fields, service: str) -> Stream:
    stream = Stream.from_arn(fields.text("Arn"), service)
    if stream is None:
        raise fields.wrong("Arn", f"the ARN of a {service} stream")
    return stream


_MIN_POLYGON_POINTS = 3
# In ratios of the frame: a box that Describe returned, in 32-bit floats, must be accepted again.
_EDGE = 1e-6


def float32(value: float) -> float:
    """Round a number to a 32-bit float: 0.1 becomes 0.10000000149011612."""
    (rounded,) = struct.unpack("f", struct.pack("f", value))
    return float(rounded)


def regions_of_interest(request: Fields, name: str, limits: Limits) -> list[JsonObject]:
    """Parse a list of regions."""
    regions = request.structures(name)
    if len(regions) > limits.max_regions_of_interest:
        raise request.wrong(name, f"at most {limits.max_regions_of_interest} regions")
    return [_region(region, limits) for region in regions]


def _region(region: Fields, limits: Limits) -> JsonObject:
    if region.has("BoundingBox") == region.has("Polygon"):
        raise refuse(invalid(f"{region.path} must have exactly one of BoundingBox and Polygon."))
    if region.has("BoundingBox"):
        return {"BoundingBox": _box(region.structure("BoundingBox"))}
    points = [_ratios(point, ("X", "Y")) for point in region.structures("Polygon")]
    if not _MIN_POLYGON_POINTS <= len(points) <= limits.max_polygon_points:
        raise region.wrong("Polygon", f"{_MIN_POLYGON_POINTS} to {limits.max_polygon_points} points")
    return {"Polygon": points}


def _box(fields: Fields) -> JsonObject:
    box = _ratios(fields, ("Width", "Height", "Left", "Top"))
    for begin, size in (("Left", "Width"), ("Top", "Height")):
        if box[begin] + box[size] > 1 + _EDGE:
            raise fields.wrong(size, f"at most 1 less {begin}, so that the box ends inside the frame")
    return box


def _ratios(fields: Fields, names: tuple[str, ...]) -> Mapping[str, float]:
    return {name: _ratio(fields, name) for name in names}


def _ratio(fields: Fields, name: str) -> float:
    value = fields.optional_number(name)
    if value is None:
        raise fields.missing(name)
    # UNCERTAIN: the model has no range, AWS's CloudFormation schema has 0 to 100 and Terraform 0 to 1.
    if not -_EDGE <= value <= 1 + _EDGE:
        raise fields.wrong(name, "a ratio of the frame from 0 to 1")
    return float32(value)
