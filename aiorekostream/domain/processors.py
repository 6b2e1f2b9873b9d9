"""Define stream processors to create: one class for each of the two kinds, so that no settings are mixed up."""

from collections.abc import Iterable, Iterator
from typing import ClassVar, TypeAlias, final

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
from aiorekostream.domain.rules import Validated, advise, all_valid, as_tuple, collecting, each, is_complete, reject
from aiorekostream.domain.tags import Tags, tags
from aiorekostream.errors import ValidationIssue
from aiorekostream.limits import limits_in_force

__all__ = ["FaceSearchProcessor", "LabelDetectionProcessor", "Processor", "S3Destination"]

_BUCKET = r"[0-9A-Za-z.\-_]+"


def _bucket(value: str) -> str:
    return text(
        value, least=3, most=255, pattern=_BUCKET, expected="3 to 255 characters of a-z, A-Z, 0-9, '.', '-', '_'"
    )


def _key_prefix(value: str) -> str:
    return text(value, least=0, most=1024, pattern=UNICODE, expected="Unicode text of at most 1024 characters")


def _opt_in(value: bool | None) -> bool | None:  # noqa: FBT001 - an attrs converter takes its value by position
    return None if value is None else flag(value)


def optional_percent(value: float | None) -> float | None:
    """Validate a percentage; ``None`` leaves it to AWS."""
    return percent(value) if value is not None else None


def advise_on_percent(name: str, value: float | None) -> None:
    """Warn of a percentage that looks like a ratio. AWS accepts it: 0.85 means 0.85 %."""
    if value is not None and 0 < value <= 1:
        advise(f"{name} is a percentage from 0 to 100: {value:g} means {value:g} %, not {100 * value:g} %")


def labels(value: Iterable[Label | str]) -> tuple[Label, ...]:
    """Validate labels to detect: at least one of PERSON, PET, PACKAGE and ALL, each at most once."""
    expected = f"a collection of {', '.join(Label)}"
    found = each(enumerate(as_tuple(value, expected)), _label)
    most = limits_in_force().max_labels
    if not 1 <= len(found) <= most:
        reject(tuple(map(str, found)), f"{expected}: from 1 to {most} of them")
    if len(set(found)) < len(found):
        reject(tuple(map(str, found)), f"{expected}, none of them twice")
    return tuple(found)


def _label(value: object) -> Label:
    if not isinstance(value, str) or not (label := Label(str.__str__(value))).is_known:
        reject(value, f"one of {', '.join(Label)}")
    return label


@final
@attrs.frozen(field_transformer=collecting)
class S3Destination(Validated):
    """The S3 bucket that a label detection writes its results to.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_S3Destination.html.

    Attributes:
        bucket: the name of a bucket that the account owns, 3 to 255 characters of ``a-z A-Z 0-9 . - _``.
        key_prefix: prefix of every key that is written, at most 1024 characters; empty by default.

    Raises:
        InvalidRequestError: a field is invalid; all issues at once.
    """

    bucket: str = attrs.field(converter=_bucket)
    key_prefix: str = attrs.field(default="", converter=_key_prefix)


def _s3_destination(value: S3Destination) -> S3Destination:
    if not isinstance(value, S3Destination):
        reject(value, "an S3Destination")
    return value


@final
@attrs.frozen(kw_only=True, field_transformer=collecting)
class FaceSearchProcessor(Validated):
    """A processor that searches video for faces of a collection and writes records to a Kinesis data stream.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_CreateStreamProcessor.html.

    Attributes:
        name: 1 to 128 characters of ``a-z A-Z 0-9 _ . -``.
        kinesis_video_stream_arn: the video stream to read, as text or parsed; AWS allows one processor for each stream.
        kinesis_data_stream_arn: the data stream for the records, in the same Region; AWS allows one face search for
            each stream.
        role_arn: the IAM role that allows Rekognition to read the video stream and to write to the data stream.
        collection_id: the face collection, 1 to 255 characters of ``a-z A-Z 0-9 _ . -``.
        face_match_threshold: the minimum similarity of a match in percent, 0 to 100; ``None`` leaves it to AWS, whose
            default is 80. AWS treats a lower value as 80. A ratio, above 0 and at most 1, causes an
            ``AwsGuidanceWarning``.
        regions_of_interest: 0 to 10 boxes and polygons inside the frame; the whole frame by default. AWS accepts them
            and says that a face search should not have them: they cause an ``AwsGuidanceWarning``.
        data_sharing_opt_in: whether AWS may use the video to improve its models; ``None`` leaves it to AWS.
        tags: at most 200 tags, none by default.

    Raises:
        InvalidRequestError: fields are invalid or contradict each other; all issues at once.
    """

    kind: ClassVar[ProcessorKind] = ProcessorKind.FACE_SEARCH

    name: str = attrs.field(converter=processor_name)
    kinesis_video_stream_arn: KinesisVideoStreamArn = attrs.field(converter=kinesis_video_stream_arn)
    kinesis_data_stream_arn: KinesisDataStreamArn = attrs.field(converter=kinesis_data_stream_arn)
    role_arn: RoleArn = attrs.field(converter=role_arn)
    collection_id: str = attrs.field(converter=collection_id)
    face_match_threshold: float | None = attrs.field(default=None, converter=optional_percent)
    regions_of_interest: tuple[RegionOfInterest, ...] = attrs.field(default=(), converter=regions_of_interest)
    data_sharing_opt_in: bool | None = attrs.field(default=None, converter=_opt_in)
    tags: Tags = attrs.field(factory=Tags, converter=tags)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if not is_complete(self):
            return
        advise_on_percent("face_match_threshold", self.face_match_threshold)
        # https://docs.aws.amazon.com/rekognition/latest/APIReference/API_CreateStreamProcessor.html
        if self.regions_of_interest:
            advise("AWS says that a face search should not have regions of interest, although it accepts them")

    def _contradictions(self) -> Iterator[ValidationIssue]:
        video, data = self.kinesis_video_stream_arn, self.kinesis_data_stream_arn
        if all_valid(video, data) and (video.partition, video.region) != (data.partition, data.region):
            expected = f"a stream in the Region of the video stream, {video.region} (partition {video.partition})"
            yield ValidationIssue(("kinesis_data_stream_arn",), str(data), expected)


@final
@attrs.frozen(kw_only=True, field_transformer=collecting)
class LabelDetectionProcessor(Validated):
    """A processor that detects people, pets and packages in sessions of video and notifies an SNS topic.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_CreateStreamProcessor.html.

    Attributes:
        name: 1 to 128 characters of ``a-z A-Z 0-9 _ . -``.
        kinesis_video_stream_arn: the video stream to read, as text or parsed; AWS allows one processor for each stream.
        role_arn: the IAM role that allows Rekognition to read the video stream, to write to the bucket and to publish
            to the topic.
        labels: the labels to detect, at least one of PERSON, PET, PACKAGE and ALL, each at most once.
        s3_destination: the bucket for the results.
        sns_topic_arn: the topic that notifications are published to.
        min_confidence: the minimum confidence of a detection in percent, 0 to 100; ``None`` leaves it to AWS, whose
            default is 50. A ratio, above 0 and at most 1, causes an ``AwsGuidanceWarning``.
        kms_key_id: the KMS key that encrypts the results in S3: key id, key ARN, alias or alias ARN; ``None`` for no
            key.
        regions_of_interest: 0 to 10 boxes and polygons inside the frame; the whole frame by default.
        data_sharing_opt_in: whether AWS may use the video to improve its models; ``None`` leaves it to AWS.
        tags: at most 200 tags, none by default.

    Raises:
        InvalidRequestError: fields are invalid; all issues at once.
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

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if is_complete(self):
            advise_on_percent("min_confidence", self.min_confidence)


Processor: TypeAlias = FaceSearchProcessor | LabelDetectionProcessor
"""A processor to create, of either kind."""
