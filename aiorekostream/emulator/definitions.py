"""What a processor is: its kind and its members, defaults filled in, as DescribeStreamProcessor shows them.

Which members belong together is read from
https://docs.aws.amazon.com/rekognition/latest/APIReference/API_CreateStreamProcessor.html and from the schema of AWS's
own CloudFormation provider: ConnectedHome, S3Destination and NotificationChannel, or FaceSearch and KinesisDataStream.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from aiorekostream.domain.enums import Label, ProcessorKind
from aiorekostream.emulator.answers import JsonObject, invalid, refuse
from aiorekostream.emulator.regions import float32, regions_of_interest
from aiorekostream.emulator.resources import Stream

if TYPE_CHECKING:
    from aiorekostream.emulator.fields import Fields
    from aiorekostream.limits import Limits

__all__ = ["ProcessorDefinition", "blueprint", "kind_asked_for", "revised"]

_FACE_MATCH_THRESHOLD = 80.0
"""The default, and the least: AWS raises smaller thresholds to it."""
_MIN_CONFIDENCE = 50.0
"""The default. UNCERTAIN: whether Describe shows it where it was not given."""


@attrs.frozen(kw_only=True)
class ProcessorDefinition:
    """What a processor is.

    Attributes:
        kind: face search or label detection.
        video: the video stream that it watches.
        data: the data stream that a face search writes to.
        role: the ARN of the role that it takes on.
        collection: the id of the collection that a face search searches.
        members: what never changes, in AWS's spelling.
        settings: the members of ``FaceSearch`` or ``ConnectedHome``.
        regions: the regions of interest.
        sharing: ``OptIn``, where the user has said so.
    """

    kind: ProcessorKind
    video: Stream
    data: Stream | None
    role: str
    collection: str | None
    members: JsonObject
    settings: JsonObject
    regions: Sequence[JsonObject]
    sharing: bool | None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The streams that no other processor may have."""
        return (self.video,) if self.data is None else (self.video, self.data)

    def shown(self) -> dict[str, object]:
        """The members as DescribeStreamProcessor shows them."""
        word = "FaceSearch" if self.kind is ProcessorKind.FACE_SEARCH else "ConnectedHome"
        shown: dict[str, object] = {**self.members, "Settings": {word: self.settings}}
        if self.regions:
            shown["RegionsOfInterest"] = self.regions
        if self.sharing is not None:
            shown["DataSharingPreference"] = {"OptIn": self.sharing}
        return shown


def kind_asked_for(request: Fields) -> ProcessorKind:
    """The kind of processor that a CreateStreamProcessor asks for."""
    settings = request.structure("Settings")
    if settings.has("FaceSearch") == settings.has("ConnectedHome"):
        raise refuse(invalid("Settings must have exactly one of FaceSearch and ConnectedHome."))
    return ProcessorKind.FACE_SEARCH if settings.has("FaceSearch") else ProcessorKind.LABEL_DETECTION


def blueprint(request: Fields, limits: Limits) -> ProcessorDefinition:
    """Read a CreateStreamProcessor and check which members belong together."""
    kind = kind_asked_for(request)
    source = request.structure("Input").structure("KinesisVideoStream")
    members: dict[str, object] = {
        "Input": {"KinesisVideoStream": {"Arn": source.text("Arn")}},
        "RoleArn": request.text("RoleArn"),
    }
    if kind is ProcessorKind.FACE_SEARCH:
        data, extra = _to_data_stream(request)
        settings, collection = _face_search(request.structure("Settings").structure("FaceSearch"))
    else:
        data, collection = None, None
        extra = _to_bucket_and_topic(request)
        settings = _connected_home(request.structure("Settings").structure("ConnectedHome"))
    return ProcessorDefinition(
        kind=kind,
        video=_stream(source, "kinesisvideo"),
        data=data,
        role=request.text("RoleArn"),
        collection=collection,
        members={**members, **extra},
        settings=settings,
        # AWS says that a face search "should not" have regions, and is seen to accept them.
        regions=regions_of_interest(request, "RegionsOfInterest", limits),
        sharing=_opted_in(request, "DataSharingPreference"),
    )


def revised(before: ProcessorDefinition, request: Fields, limits: Limits) -> ProcessorDefinition:
    """The blueprint of a label detection after an UpdateStreamProcessor."""
    to_delete = frozenset(request.texts("ParametersToDelete"))
    settings, regions = dict(before.settings), before.regions
    wanted = request.optional_structure("SettingsForUpdate")
    home = None if wanted is None else wanted.optional_structure("ConnectedHomeForUpdate")
    if home is not None:
        settings |= _connected_home_changes(home)
    if request.has("RegionsOfInterestForUpdate"):
        regions = regions_of_interest(request, "RegionsOfInterestForUpdate", limits)
    # UNCERTAIN: AWS does not say what comes of setting and deleting one parameter at once; refusing is safe.
    twice = "ParametersToDelete names it too"
    if "ConnectedHomeMinConfidence" in to_delete:
        if home is not None:
            home.forbidden("MinConfidence", twice)
        settings["MinConfidence"] = _MIN_CONFIDENCE
    if "RegionsOfInterest" in to_delete:
        request.forbidden("RegionsOfInterestForUpdate", twice)
        regions = ()
    sharing = _opted_in(request, "DataSharingPreferenceForUpdate")
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


def _to_bucket_and_topic(request: Fields) -> JsonObject:
    output = request.structure("Output")
    output.forbidden("KinesisDataStream", "a label detection writes to an S3Destination")
    target = output.structure("S3Destination")
    bucket: dict[str, object] = {"Bucket": target.text("Bucket")}
    if target.has("KeyPrefix"):
        bucket["KeyPrefix"] = target.text("KeyPrefix")
    members: dict[str, object] = {
        "Output": {"S3Destination": bucket},
        "NotificationChannel": {"SNSTopicArn": request.structure("NotificationChannel").text("SNSTopicArn")},
    }
    if request.has("KmsKeyId"):
        members["KmsKeyId"] = request.text("KmsKeyId")
    return members


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


def _opted_in(request: Fields, name: str) -> bool | None:
    sharing = request.optional_structure(name)
    return None if sharing is None else sharing.flag("OptIn")


def _stream(fields: Fields, service: str) -> Stream:
    stream = Stream.named(fields.text("Arn"), service)
    if stream is None:
        raise fields.wrong("Arn", f"the ARN of a {service} stream")
    return stream
