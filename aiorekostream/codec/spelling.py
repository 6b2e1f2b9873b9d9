"""Define AWS's spelling: the path of each attribute of each value in AWS's JSON.

One table serves encoding, decoding, parsing boto3's keyword arguments, and the paths of issues.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from aiorekostream.domain.geometry import BoundingBox, Point, Polygon
from aiorekostream.domain.processors import FaceSearchProcessor, LabelDetectionProcessor, S3Destination
from aiorekostream.domain.requests import (
    DeleteRequest,
    DescribeRequest,
    FaceSearchStart,
    LabelDetectionStart,
    LabelDetectionUpdate,
    ListRequest,
    ListTagsRequest,
    StopRequest,
    TagRequest,
    UntagRequest,
)
from aiorekostream.domain.responses import (
    ConnectedHomeSettings,
    CreatedStreamProcessor,
    FaceSearchSettings,
    ResourceTags,
    StartedSession,
    StreamProcessor,
    StreamProcessorPage,
    StreamProcessorSummary,
)
from aiorekostream.domain.selectors import FragmentNumber, ProducerTimestamp, StopSelector

__all__ = ["SPELLING", "Path"]

Path: TypeAlias = tuple[str, ...]

_NAME = {"name": "Name"}
_COMMON = {
    "kinesis_video_stream_arn": "Input.KinesisVideoStream.Arn",
    "role_arn": "RoleArn",
    "regions_of_interest": "RegionsOfInterest",
    "data_sharing_opt_in": "DataSharingPreference.OptIn",
}
_FACE_SEARCH_OUTPUT = {"kinesis_data_stream_arn": "Output.KinesisDataStream.Arn"}
_LABEL_DETECTION_OUTPUT = {
    "s3_destination": "Output.S3Destination",
    "sns_topic_arn": "NotificationChannel.SNSTopicArn",
    "kms_key_id": "KmsKeyId",
}

_DOTTED_PATHS: Mapping[type, Mapping[str, str]] = {
    # regions of interest (each is an object with one key, its shape) and selectors
    Point: {"x": "X", "y": "Y"},
    BoundingBox: {
        "left": "BoundingBox.Left",
        "top": "BoundingBox.Top",
        "width": "BoundingBox.Width",
        "height": "BoundingBox.Height",
    },
    Polygon: {"points": "Polygon"},
    S3Destination: {"bucket": "Bucket", "key_prefix": "KeyPrefix"},
    ProducerTimestamp: {"milliseconds": "KVSStreamStartSelector.ProducerTimestamp"},
    FragmentNumber: {"value": "KVSStreamStartSelector.FragmentNumber"},
    StopSelector: {"max_duration_in_seconds": "MaxDurationInSeconds"},
    # requests
    FaceSearchProcessor: {
        **_NAME,
        **_COMMON,
        **_FACE_SEARCH_OUTPUT,
        "collection_id": "Settings.FaceSearch.CollectionId",
        "face_match_threshold": "Settings.FaceSearch.FaceMatchThreshold",
        "tags": "Tags",
    },
    LabelDetectionProcessor: {
        **_NAME,
        **_COMMON,
        **_LABEL_DETECTION_OUTPUT,
        "labels": "Settings.ConnectedHome.Labels",
        "min_confidence": "Settings.ConnectedHome.MinConfidence",
        "tags": "Tags",
    },
    FaceSearchStart: _NAME,
    LabelDetectionStart: {**_NAME, "start_selector": "StartSelector", "stop_selector": "StopSelector"},
    StopRequest: _NAME,
    DescribeRequest: _NAME,
    DeleteRequest: _NAME,
    LabelDetectionUpdate: {
        **_NAME,
        "labels": "SettingsForUpdate.ConnectedHomeForUpdate.Labels",
        "min_confidence": "SettingsForUpdate.ConnectedHomeForUpdate.MinConfidence",
        "regions_of_interest": "RegionsOfInterestForUpdate",
        "data_sharing_opt_in": "DataSharingPreferenceForUpdate.OptIn",
    },
    ListRequest: {"max_results": "MaxResults", "next_token": "NextToken"},
    TagRequest: {"resource_arn": "ResourceArn", "tags": "Tags"},
    UntagRequest: {"resource_arn": "ResourceArn", "tag_keys": "TagKeys"},
    ListTagsRequest: {"resource_arn": "ResourceArn"},
    # responses
    CreatedStreamProcessor: {"stream_processor_arn": "StreamProcessorArn"},
    StartedSession: {"session_id": "SessionId"},
    FaceSearchSettings: {
        "collection_id": "FaceSearch.CollectionId",
        "face_match_threshold": "FaceSearch.FaceMatchThreshold",
    },
    ConnectedHomeSettings: {"labels": "ConnectedHome.Labels", "min_confidence": "ConnectedHome.MinConfidence"},
    StreamProcessor: {
        **_NAME,
        **_COMMON,
        **_FACE_SEARCH_OUTPUT,
        **_LABEL_DETECTION_OUTPUT,
        "stream_processor_arn": "StreamProcessorArn",
        "status": "Status",
        "status_message": "StatusMessage",
        "creation_timestamp": "CreationTimestamp",
        "last_update_timestamp": "LastUpdateTimestamp",
        "settings": "Settings",
    },
    StreamProcessorSummary: {**_NAME, "status": "Status"},
    ResourceTags: {"tags": "Tags"},
    StreamProcessorPage: {"stream_processors": "StreamProcessors", "next_token": "NextToken"},
}

SPELLING: Mapping[type, Mapping[str, Path]] = MappingProxyType(
    {
        cls: MappingProxyType({name: tuple(path.split(".")) for name, path in paths.items()})
        for cls, paths in _DOTTED_PATHS.items()
    }
)
"""The paths in AWS's JSON, by class and attribute."""
