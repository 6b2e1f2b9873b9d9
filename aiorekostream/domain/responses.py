"""Define the service's responses, taken as they are: ARNs are plain text here, so that AWS may extend their format."""

import datetime
from collections.abc import Mapping
from typing import TypeAlias, cast, final

import attrs

from aiorekostream.domain.enums import Label, ProcessorKind
from aiorekostream.domain.geometry import RegionOfInterest
from aiorekostream.domain.processors import S3Destination
from aiorekostream.domain.rules import convert_safely
from aiorekostream.domain.status import Status
from aiorekostream.domain.tags import Tags
from aiorekostream.frozen import FrozenMapping

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
    "UnknownRegion",
]


@final
@attrs.frozen
class CreatedStreamProcessor:
    """The response to CreateStreamProcessor.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_CreateStreamProcessor.html.

    Attributes:
        stream_processor_arn: the new processor's ARN.
    """

    stream_processor_arn: str


@final
@attrs.frozen
class StartedSession:
    """The response to StartStreamProcessor.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_StartStreamProcessor.html.

    Attributes:
        session_id: the session's id, as in its notifications and S3 keys; ``None`` where AWS returns none (for face
            searches) and where the response was lost.
        reconciled: whether the response was lost and DescribeStreamProcessor showed that the start was applied.
        name: the name of the processor, as in the request; ``None`` where no client returned the session. It is left
            out of comparisons, since the id identifies the session.
    """

    session_id: str | None = None
    reconciled: bool = False
    name: str | None = attrs.field(default=None, kw_only=True, eq=False)


@final
@attrs.frozen
class FaceSearchSettings:
    """The settings of a face search.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_FaceSearchSettings.html.

    Attributes:
        collection_id: the face collection.
        face_match_threshold: the minimum similarity of a match, in percent.
    """

    collection_id: str | None = None
    face_match_threshold: float | None = None


@final
@attrs.frozen
class ConnectedHomeSettings:
    """The settings of a label detection.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_ConnectedHomeSettings.html.

    Attributes:
        labels: the labels to detect; a label that this version does not know is kept.
        min_confidence: the minimum confidence of a detection, in percent.
    """

    # Required, so that a program's own cattrs converter can tell the two settings apart.
    labels: tuple[Label, ...]
    min_confidence: float | None = None


Settings: TypeAlias = FaceSearchSettings | ConnectedHomeSettings
"""The settings of a processor, of either kind."""


def _frozen(value: object) -> object:
    if isinstance(value, Mapping):
        members = cast("Mapping[str, object]", value)
        return FrozenMapping({key: _frozen(member) for key, member in members.items()})
    if isinstance(value, list | tuple):
        return tuple(map(_frozen, cast("list[object]", value)))
    return value


def _frozen_members(value: Mapping[str, object]) -> Mapping[str, object]:
    return cast("Mapping[str, object]", convert_safely(_frozen, value))


@final
@attrs.frozen
class UnknownRegion:
    """A region of interest of a response that this version cannot read: of a new kind, or a box without all its sides.

    Attributes:
        members: the region as AWS sent it, in AWS's spelling and immutable: lists are tuples here.
    """

    members: Mapping[str, object] = attrs.field(converter=_frozen_members)


@final
@attrs.frozen(kw_only=True)
class StreamProcessor:
    """The response to DescribeStreamProcessor; ``None`` or an empty tuple where the response has no such member.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_DescribeStreamProcessor.html.

    Attributes:
        name: the processor's name.
        stream_processor_arn: its ARN.
        status: its status; a status that this version does not know is kept.
        status_message: AWS's explanation of the status, as free text.
        creation_timestamp: time of its creation, in UTC.
        last_update_timestamp: time of the last change of its status or of the last start or stop by a client, in UTC.
        kinesis_video_stream_arn: the video stream that it reads.
        kinesis_data_stream_arn: the data stream that a face search writes to.
        s3_destination: the bucket that a label detection writes to.
        role_arn: the role that it assumes.
        settings: the settings of its kind; ``None`` for a kind that this version does not know.
        sns_topic_arn: the topic that a label detection publishes to.
        kms_key_id: the KMS key that encrypts the results in S3.
        regions_of_interest: boxes and polygons; empty for the whole frame. A region that this version cannot read is
            an ``UnknownRegion``.
        data_sharing_opt_in: whether AWS may use the video to improve its models.
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
    regions_of_interest: tuple[RegionOfInterest | UnknownRegion, ...] = ()
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


@final
@attrs.frozen
class StreamProcessorSummary:
    """One entry of ListStreamProcessors, which has these two members only.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_StreamProcessor.html.

    Attributes:
        name: the processor's name.
        status: its status; a status that this version does not know is kept.
    """

    name: str
    status: Status


@final
@attrs.frozen
class StreamProcessorPage:
    """One page of the response to ListStreamProcessors.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_ListStreamProcessors.html.

    Attributes:
        stream_processors: the entries, in no documented order.
        next_token: the token that requests the next page; ``None`` on the last page.
    """

    # Required: a page without the member is malformed, and must not be taken for an account without processors.
    stream_processors: tuple[StreamProcessorSummary, ...]
    next_token: str | None = None


@final
@attrs.frozen
class ResourceTags:
    """The response to ListTagsForResource.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_ListTagsForResource.html.

    Attributes:
        tags: the processor's tags, including those that AWS adds (``aws:``).
    """

    tags: Tags = attrs.field(factory=Tags)
