"""What the service answers, as it has it: tolerant of whatever AWS may add, so ARNs are plain text here."""

import datetime
from typing import TypeAlias

import attrs

from aiorekostream.domain.enums import Label, ProcessorKind
from aiorekostream.domain.geometry import RegionOfInterest
from aiorekostream.domain.processors import S3Destination
from aiorekostream.domain.status import Status
from aiorekostream.domain.tags import Tags

__all__ = [
    "ConnectedHomeSettings",
    "CreatedStreamProcessor",
    "FaceSearchSettings",
    "ResourceTags",
    "Settings",
    "StartedSession",
    "StreamProcessor",
    "StreamProcessorPage",
    "StreamProcessorSummary",
]


@attrs.frozen
class CreatedStreamProcessor:
    """The answer to CreateStreamProcessor.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_CreateStreamProcessor.html.

    Attributes:
        stream_processor_arn: the new processor's ARN.
    """

    stream_processor_arn: str


@attrs.frozen
class StartedSession:
    """The answer to StartStreamProcessor.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_StartStreamProcessor.html.

    Attributes:
        session_id: the session's id, which its notifications and S3 keys carry; ``None`` where AWS gives none, as for
            face searches, and where the answer was lost.
        reconciled: whether the answer was lost, and DescribeStreamProcessor showed that the start was carried out.
    """

    session_id: str | None = None
    reconciled: bool = False


@attrs.frozen
class FaceSearchSettings:
    """How a face search is set up.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_FaceSearchSettings.html.

    Attributes:
        collection_id: the face collection.
        face_match_threshold: the least similarity of a match, in percent.
    """

    collection_id: str | None = None
    face_match_threshold: float | None = None


@attrs.frozen
class ConnectedHomeSettings:
    """How a label detection is set up.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_ConnectedHomeSettings.html.

    Attributes:
        labels: what it looks for; words that AWS adds later are kept.
        min_confidence: the least confidence of a detection, in percent.
    """

    labels: tuple[Label, ...] = ()
    min_confidence: float | None = None


Settings: TypeAlias = FaceSearchSettings | ConnectedHomeSettings
"""The settings of a processor, of either kind."""


@attrs.frozen(kw_only=True)
class StreamProcessor:
    """The answer to DescribeStreamProcessor; ``None`` and empty tuples where AWS says nothing.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_DescribeStreamProcessor.html.

    Attributes:
        name: the processor's name.
        stream_processor_arn: its ARN.
        status: its status; a word that AWS adds later is kept.
        status_message: what went wrong, as free text.
        creation_timestamp: when it was created, in UTC.
        last_update_timestamp: when its status last changed, or somebody last started or stopped it, in UTC.
        kinesis_video_stream_arn: the video that it watches.
        kinesis_data_stream_arn: where a face search writes.
        s3_destination: where a label detection writes.
        role_arn: the role that it assumes.
        settings: by kind; ``None`` for a kind that this version does not know.
        sns_topic_arn: the topic that a label detection tells.
        kms_key_id: what encrypts the results in S3.
        regions_of_interest: boxes and polygons.
        data_sharing_opt_in: whether AWS may use the video to better its models.
    """

    name: str
    stream_processor_arn: str
    status: Status
    status_message: str | None = None
    creation_timestamp: datetime.datetime | None = None
    last_update_timestamp: datetime.datetime | None = None
    kinesis_video_stream_arn: str | None = None
    kinesis_data_stream_arn: str | None = None
    s3_destination: S3Destination | None = None
    role_arn: str | None = None
    settings: Settings | None = None
    sns_topic_arn: str | None = None
    kms_key_id: str | None = None
    regions_of_interest: tuple[RegionOfInterest, ...] = ()
    data_sharing_opt_in: bool | None = None

    @property
    def kind(self) -> ProcessorKind | None:
        """Face search or label detection; ``None`` for a kind that this version does not know."""
        match self.settings:
            case FaceSearchSettings():
                return ProcessorKind.FACE_SEARCH
            case ConnectedHomeSettings():
                return ProcessorKind.LABEL_DETECTION
            case None:
                return None


@attrs.frozen
class StreamProcessorSummary:
    """One entry of ListStreamProcessors, which says no more than this.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_StreamProcessor.html.

    Attributes:
        name: the processor's name.
        status: its status; a word that AWS adds later is kept.
    """

    name: str
    status: Status


@attrs.frozen
class StreamProcessorPage:
    """One answer to ListStreamProcessors.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_ListStreamProcessors.html.

    Attributes:
        stream_processors: the entries, in no documented order.
        next_token: what asks for the next page; ``None`` on the last one.
    """

    stream_processors: tuple[StreamProcessorSummary, ...] = ()
    next_token: str | None = None


@attrs.frozen
class ResourceTags:
    """The answer to ListTagsForResource.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_ListTagsForResource.html.

    Attributes:
        tags: the processor's tags, AWS's own among them.
    """

    tags: Tags = attrs.field(factory=Tags)
