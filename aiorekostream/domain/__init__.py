"""Define the domain: frozen values that are valid by construction. Depends on the standard library and attrs only.

The values of results, those of face records and of notifications, are loaded when they are first used: a client needs
none of them.
"""

import importlib
from typing import TYPE_CHECKING

from aiorekostream.domain.enums import Label, OpenEnum, ProcessorKind
from aiorekostream.domain.geometry import BoundingBox, Point, Polygon, RegionOfInterest
from aiorekostream.domain.names import (
    Arn,
    KinesisDataStreamArn,
    KinesisVideoStreamArn,
    RoleArn,
    SNSTopicArn,
    StreamProcessorArn,
)
from aiorekostream.domain.processors import FaceSearchProcessor, LabelDetectionProcessor, Processor, S3Destination
from aiorekostream.domain.requests import (
    KEEP,
    RESET,
    DeleteRequest,
    DescribeRequest,
    FaceSearchStart,
    Keep,
    LabelDetectionStart,
    LabelDetectionUpdate,
    ListRequest,
    ListTagsRequest,
    Reset,
    StartRequest,
    StopRequest,
    TagRequest,
    UntagRequest,
)
from aiorekostream.domain.responses import (
    ConnectedHomeSettings,
    CreatedStreamProcessor,
    FaceSearchSettings,
    ResourceTags,
    Settings,
    StartedSession,
    StreamProcessor,
    StreamProcessorPage,
    StreamProcessorSummary,
    UnknownRegion,
)
from aiorekostream.domain.selectors import FragmentNumber, ProducerTimestamp, StartSelector, StopSelector
from aiorekostream.domain.status import ACTIVE, NOT_STOPPABLE, STARTABLE, TRANSITIONS, WITHOUT_SESSION, Event, Status
from aiorekostream.domain.tags import Tags

if TYPE_CHECKING:
    from aiorekostream.domain.faces import (
        DetectedFace,
        Face,
        FaceSearchRecord,
        ImageQuality,
        Landmark,
        MatchedFace,
        Pose,
        SearchedFace,
    )
    from aiorekostream.domain.labels import (
        DetectedLabel,
        LabelDetected,
        SessionCompleted,
        StreamProcessorEvent,
        UnknownEvent,
    )
    from aiorekostream.domain.s3 import S3Uri
    from aiorekostream.domain.video import ProducerTime, VideoPosition

__all__ = [
    "ACTIVE",
    "KEEP",
    "NOT_STOPPABLE",
    "RESET",
    "STARTABLE",
    "TRANSITIONS",
    "WITHOUT_SESSION",
    "Arn",
    "BoundingBox",
    "ConnectedHomeSettings",
    "CreatedStreamProcessor",
    "DeleteRequest",
    "DescribeRequest",
    "DetectedFace",
    "DetectedLabel",
    "Event",
    "Face",
    "FaceSearchProcessor",
    "FaceSearchRecord",
    "FaceSearchSettings",
    "FaceSearchStart",
    "FragmentNumber",
    "ImageQuality",
    "Keep",
    "KinesisDataStreamArn",
    "KinesisVideoStreamArn",
    "Label",
    "LabelDetected",
    "LabelDetectionProcessor",
    "LabelDetectionStart",
    "LabelDetectionUpdate",
    "Landmark",
    "ListRequest",
    "ListTagsRequest",
    "MatchedFace",
    "OpenEnum",
    "Point",
    "Polygon",
    "Pose",
    "Processor",
    "ProcessorKind",
    "ProducerTime",
    "ProducerTimestamp",
    "RegionOfInterest",
    "Reset",
    "ResourceTags",
    "RoleArn",
    "S3Destination",
    "S3Uri",
    "SNSTopicArn",
    "SearchedFace",
    "SessionCompleted",
    "Settings",
    "StartRequest",
    "StartSelector",
    "StartedSession",
    "Status",
    "StopRequest",
    "StopSelector",
    "StreamProcessor",
    "StreamProcessorArn",
    "StreamProcessorEvent",
    "StreamProcessorPage",
    "StreamProcessorSummary",
    "TagRequest",
    "Tags",
    "UnknownEvent",
    "UnknownRegion",
    "UntagRequest",
    "VideoPosition",
]

_HOMES = {
    **dict.fromkeys(
        ("DetectedFace", "Face", "FaceSearchRecord", "ImageQuality", "Landmark", "MatchedFace", "Pose", "SearchedFace"),
        "faces",
    ),
    **dict.fromkeys(
        ("DetectedLabel", "LabelDetected", "SessionCompleted", "StreamProcessorEvent", "UnknownEvent"), "labels"
    ),
    "S3Uri": "s3",
    **dict.fromkeys(("ProducerTime", "VideoPosition"), "video"),
}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
