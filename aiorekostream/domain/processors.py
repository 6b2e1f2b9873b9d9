"""Stream processors to be created: one value for each of the two kinds, so that their parts cannot be mixed up."""

import re
from collections.abc import Iterable, Iterator
from typing import ClassVar, TypeAlias

import attrs

from aiorekostream.domain.enums import Label, ProcessorKind
from aiorekostream.domain.fields import UNICODE, collection_id, flag, kms_key_id, percent, processor_name, text
from aiorekostream.domain.geometry import RegionOfInterest, regions_of_interest
from aiorekostream.domain.names import (
    KinesisDataStreamArn,
    KinesisVideoStreamArn,
    RoleArn,
    SNSTopicArn,
    kinesis_data_stream_arn,
    kinesis_video_stream_arn,
    role_arn,
    sns_topic_arn,
)
from aiorekostream.domain.rules import Validated, all_valid, as_tuple, collecting, each, reject
from aiorekostream.domain.tags import Tags, tags
from aiorekostream.errors import ValidationIssue
from aiorekostream.limits import limits_in_force

__all__ = ["FaceSearchProcessor", "LabelDetectionProcessor", "Processor", "S3Destination"]

_BUCKET = re.compile(r"[0-9A-Za-z.\-_]+")


def _bucket(value: str) -> str:
    return text(
        value, least=3, most=255, pattern=_BUCKET, allowed="3 to 255 characters of a-z, A-Z, 0-9, '.', '-', '_'"
    )


def _key_prefix(value: str) -> str:
    return text(value, least=0, most=1024, pattern=UNICODE, allowed="Unicode text of at most 1024 characters")


def _opt_in(value: bool | None) -> bool | None:  # noqa: FBT001 - an attrs converter takes its value by position
    return None if value is None else flag(value)


def optional_percent(value: float | None) -> float | None:
    """A percentage, or ``None`` to leave it to AWS."""
    return percent(value) if value is not None else None


def labels(value: Iterable[Label | str]) -> tuple[Label, ...]:
    """What to look for: at least one of PERSON, PET, PACKAGE and ALL, none twice."""
    allowed = f"a collection of {', '.join(Label)}"
    found = each(enumerate(as_tuple(value, allowed)), _label)
    most = limits_in_force().max_labels
    if not 1 <= len(found) <= most:
        reject(tuple(map(str, found)), f"{allowed}: from 1 to {most} of them")
    if len(set(found)) < len(found):
        reject(tuple(map(str, found)), f"{allowed}, none of them twice")
    return tuple(found)


def _label(value: object) -> Label:
    if not isinstance(value, str) or not (label := Label(str.__str__(value))).is_known:
        reject(value, f"one of {', '.join(Label)}")
    return label


@attrs.frozen(field_transformer=collecting)
class S3Destination(Validated):
    """The bucket that a label detection writes frames and summaries to.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_S3Destination.html.

    Attributes:
        bucket: its name, 3 to 255 characters of ``a-z A-Z 0-9 . - _``; you must own it.
        key_prefix: put before every key; at most 1024 characters, none if not given.

    Raises:
        InvalidRequestError: a field breaks its rule.
    """

    bucket: str = attrs.field(converter=_bucket)
    key_prefix: str = attrs.field(default="", converter=_key_prefix)


def _s3_destination(value: S3Destination) -> S3Destination:
    if not isinstance(value, S3Destination):
        reject(value, "an S3Destination")
    return value


@attrs.frozen(kw_only=True, field_transformer=collecting)
class FaceSearchProcessor(Validated):
    """A processor that looks for faces of a collection, and writes what it sees to a Kinesis data stream.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_CreateStreamProcessor.html.

    Attributes:
        name: 1 to 128 characters of ``a-z A-Z 0-9 _ . -``.
        kinesis_video_stream_arn: the video to watch, as text or parsed; no other processor may watch it.
        kinesis_data_stream_arn: where records go, in the same Region; no other face search may use it.
        role_arn: the IAM role that lets Rekognition read the one and write the other.
        collection_id: the face collection, 1 to 255 characters of ``a-z A-Z 0-9 _ . -``.
        face_match_threshold: the least similarity of a match in percent, 0 to 100; AWS raises what is below 80 to 80,
            which is also its default.
        data_sharing_opt_in: whether AWS may use the video to better its models; ``None`` leaves it to AWS.
        tags: at most 200.

    Raises:
        InvalidRequestError: fields break their rules or contradict each other; all issues at once.
    """

    kind: ClassVar[ProcessorKind] = ProcessorKind.FACE_SEARCH

    name: str = attrs.field(converter=processor_name)
    kinesis_video_stream_arn: KinesisVideoStreamArn = attrs.field(converter=kinesis_video_stream_arn)
    kinesis_data_stream_arn: KinesisDataStreamArn = attrs.field(converter=kinesis_data_stream_arn)
    role_arn: RoleArn = attrs.field(converter=role_arn)
    collection_id: str = attrs.field(converter=collection_id)
    face_match_threshold: float | None = attrs.field(default=None, converter=optional_percent)
    data_sharing_opt_in: bool | None = attrs.field(default=None, converter=_opt_in)
    tags: Tags = attrs.field(factory=Tags, converter=tags)

    def _contradictions(self) -> Iterator[ValidationIssue]:
        video, data = self.kinesis_video_stream_arn, self.kinesis_data_stream_arn
        if all_valid(video, data) and (video.partition, video.region) != (data.partition, data.region):
            allowed = f"a stream in the Region of the video stream, {video.region} (partition {video.partition})"
            yield ValidationIssue(("kinesis_data_stream_arn",), str(data), allowed)


@attrs.frozen(kw_only=True, field_transformer=collecting)
class LabelDetectionProcessor(Validated):
    """A processor that looks for people, pets and packages for a while after an event, and tells an SNS topic.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_CreateStreamProcessor.html.

    Attributes:
        name: 1 to 128 characters of ``a-z A-Z 0-9 _ . -``.
        kinesis_video_stream_arn: the video to watch, as text or parsed; no other processor may watch it.
        role_arn: the IAM role that lets Rekognition read the video, write to the bucket and publish to the topic.
        labels: what to look for, at least one of PERSON, PET, PACKAGE and ALL, none twice.
        s3_destination: where frames and summaries go.
        sns_topic_arn: the topic that is told.
        min_confidence: the least confidence of a detection in percent, 0 to 100; AWS takes 50 where none is given.
        kms_key_id: encrypts the results in S3: key id, key ARN, alias or alias ARN.
        regions_of_interest: 0 to 10 boxes and polygons inside the frame; none means all of it.
        data_sharing_opt_in: whether AWS may use the video to better its models; ``None`` leaves it to AWS.
        tags: at most 200.

    Raises:
        InvalidRequestError: fields break their rules; all issues at once.
    """

    kind: ClassVar[ProcessorKind] = ProcessorKind.LABEL_DETECTION

    name: str = attrs.field(converter=processor_name)
    kinesis_video_stream_arn: KinesisVideoStreamArn = attrs.field(converter=kinesis_video_stream_arn)
    role_arn: RoleArn = attrs.field(converter=role_arn)
    labels: tuple[Label, ...] = attrs.field(converter=labels)
    s3_destination: S3Destination = attrs.field(converter=_s3_destination)
    sns_topic_arn: SNSTopicArn = attrs.field(converter=sns_topic_arn)
    min_confidence: float | None = attrs.field(default=None, converter=optional_percent)
    kms_key_id: str | None = attrs.field(default=None, converter=kms_key_id)
    regions_of_interest: tuple[RegionOfInterest, ...] = attrs.field(default=(), converter=regions_of_interest)
    data_sharing_opt_in: bool | None = attrs.field(default=None, converter=_opt_in)
    tags: Tags = attrs.field(factory=Tags, converter=tags)


Processor: TypeAlias = FaceSearchProcessor | LabelDetectionProcessor
"""A processor to be created, of either kind."""
