"""Pairs of a value and its JSON, for encoding, decoding and parsing."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import attrs

from aiorekostream import operations
from aiorekostream.domain.enums import Label
from aiorekostream.domain.geometry import BoundingBox, Point, Polygon
from aiorekostream.domain.processors import FaceSearchProcessor, LabelDetectionProcessor, S3Destination
from aiorekostream.domain.requests import (
    RESET,
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
from aiorekostream.domain.status import Status
from aiorekostream.domain.tags import Tags

VIDEO = "arn:aws:kinesisvideo:us-east-1:123456789012:stream/front-door/1656000000000"
DATA = "arn:aws:kinesis:us-east-1:123456789012:stream/faces"
TOPIC = "arn:aws:sns:us-east-1:123456789012:doors"
ROLE = "arn:aws:iam::123456789012:role/service/Rekognition"
PROCESSOR = "arn:aws:rekognition:us-east-1:123456789012:streamprocessor/front-door"
FRAGMENT = "91343852333289682796718532614445757584843717598"


@attrs.frozen
class CodecCase:
    """One request or response: its operation, the value, and the JSON."""

    operation: str
    value: object
    wire: Mapping[str, object]

    def __str__(self) -> str:
        return f"{self.operation}-{type(self.value).__name__}-{len(self.wire)}"


_BOX = {"BoundingBox": {"Left": 0.1, "Top": 0.2, "Width": 0.5, "Height": 0.25}}
_TRIANGLE = {"Polygon": [{"X": 0.0, "Y": 0.0}, {"X": 1.0, "Y": 0.0}, {"X": 0.5, "Y": 1.0}]}
_REGIONS = (
    BoundingBox(left=0.1, top=0.2, width=0.5, height=0.25),
    Polygon([Point(0, 0), Point(1, 0), Point(0.5, 1)]),
)

REQUESTS = [
    CodecCase(
        operations.CREATE.name,
        FaceSearchProcessor(
            name="lobby",
            kinesis_video_stream_arn=VIDEO,
            kinesis_data_stream_arn=DATA,
            role_arn=ROLE,
            collection_id="staff",
        ),
        {
            "Name": "lobby",
            "Input": {"KinesisVideoStream": {"Arn": VIDEO}},
            "Output": {"KinesisDataStream": {"Arn": DATA}},
            "RoleArn": ROLE,
            "Settings": {"FaceSearch": {"CollectionId": "staff"}},
        },
    ),
    CodecCase(
        operations.CREATE.name,
        FaceSearchProcessor(
            name="lobby",
            kinesis_video_stream_arn=VIDEO,
            kinesis_data_stream_arn=DATA,
            role_arn=ROLE,
            collection_id="staff",
            face_match_threshold=85.5,
            data_sharing_opt_in=False,
            tags={"site": "Köln"},
        ),
        {
            "Name": "lobby",
            "Input": {"KinesisVideoStream": {"Arn": VIDEO}},
            "Output": {"KinesisDataStream": {"Arn": DATA}},
            "RoleArn": ROLE,
            "Settings": {"FaceSearch": {"CollectionId": "staff", "FaceMatchThreshold": 85.5}},
            "DataSharingPreference": {"OptIn": False},
            "Tags": {"site": "Köln"},
        },
    ),
    CodecCase(
        operations.CREATE.name,
        LabelDetectionProcessor(
            name="front-door",
            kinesis_video_stream_arn=VIDEO,
            role_arn=ROLE,
            labels=["PET"],
            s3_destination=S3Destination("pictures"),
            sns_topic_arn=TOPIC,
        ),
        {
            "Name": "front-door",
            "Input": {"KinesisVideoStream": {"Arn": VIDEO}},
            "Output": {"S3Destination": {"Bucket": "pictures"}},
            "NotificationChannel": {"SNSTopicArn": TOPIC},
            "RoleArn": ROLE,
            "Settings": {"ConnectedHome": {"Labels": ["PET"]}},
        },
    ),
    CodecCase(
        operations.CREATE.name,
        LabelDetectionProcessor(
            name="front-door",
            kinesis_video_stream_arn=VIDEO,
            role_arn=ROLE,
            labels=[Label.PERSON, Label.ALL],
            s3_destination=S3Destination("pictures", key_prefix="doors/"),
            sns_topic_arn=TOPIC,
            min_confidence=0,
            kms_key_id="alias/doors",
            regions_of_interest=_REGIONS,
            data_sharing_opt_in=True,
            tags={"site": ""},
        ),
        {
            "Name": "front-door",
            "Input": {"KinesisVideoStream": {"Arn": VIDEO}},
            "Output": {"S3Destination": {"Bucket": "pictures", "KeyPrefix": "doors/"}},
            "NotificationChannel": {"SNSTopicArn": TOPIC},
            "RoleArn": ROLE,
            "Settings": {"ConnectedHome": {"Labels": ["PERSON", "ALL"], "MinConfidence": 0.0}},
            "KmsKeyId": "alias/doors",
            "RegionsOfInterest": [_BOX, _TRIANGLE],
            "DataSharingPreference": {"OptIn": True},
            "Tags": {"site": ""},
        },
    ),
    CodecCase(operations.START.name, FaceSearchStart("lobby"), {"Name": "lobby"}),
    CodecCase(
        operations.START.name,
        LabelDetectionStart(
            name="front-door", start_selector=ProducerTimestamp(1655930623123), stop_selector=StopSelector(30)
        ),
        {
            "Name": "front-door",
            "StartSelector": {"KVSStreamStartSelector": {"ProducerTimestamp": 1655930623123}},
            "StopSelector": {"MaxDurationInSeconds": 30},
        },
    ),
    CodecCase(
        operations.START.name,
        LabelDetectionStart(name="front-door", start_selector=FragmentNumber(FRAGMENT), stop_selector=StopSelector()),
        {
            "Name": "front-door",
            "StartSelector": {"KVSStreamStartSelector": {"FragmentNumber": FRAGMENT}},
            "StopSelector": {"MaxDurationInSeconds": 10},
        },
    ),
    CodecCase(operations.STOP.name, StopRequest("lobby"), {"Name": "lobby"}),
    CodecCase(operations.DESCRIBE.name, DescribeRequest("lobby"), {"Name": "lobby"}),
    CodecCase(operations.DELETE.name, DeleteRequest("lobby"), {"Name": "lobby"}),
    CodecCase(operations.LIST.name, ListRequest(), {}),
    CodecCase(
        operations.LIST.name,
        ListRequest(max_results=50, next_token="page two"),
        {"MaxResults": 50, "NextToken": "page two"},
    ),
    CodecCase(
        operations.UPDATE.name,
        LabelDetectionUpdate(
            name="front-door",
            labels=["PERSON", "PACKAGE"],
            min_confidence=75,
            regions_of_interest=_REGIONS,
            data_sharing_opt_in=False,
        ),
        {
            "Name": "front-door",
            "SettingsForUpdate": {"ConnectedHomeForUpdate": {"Labels": ["PERSON", "PACKAGE"], "MinConfidence": 75.0}},
            "RegionsOfInterestForUpdate": [_BOX, _TRIANGLE],
            "DataSharingPreferenceForUpdate": {"OptIn": False},
        },
    ),
    CodecCase(
        operations.UPDATE.name,
        LabelDetectionUpdate(name="front-door", min_confidence=RESET, regions_of_interest=RESET),
        {"Name": "front-door", "ParametersToDelete": ["ConnectedHomeMinConfidence", "RegionsOfInterest"]},
    ),
    CodecCase(
        operations.UPDATE.name,
        LabelDetectionUpdate(name="front-door", regions_of_interest=()),
        {"Name": "front-door", "RegionsOfInterestForUpdate": []},
    ),
    CodecCase(
        operations.TAG.name,
        TagRequest(PROCESSOR, {"site": "Köln", "floor": ""}),
        {"ResourceArn": PROCESSOR, "Tags": {"site": "Köln", "floor": ""}},
    ),
    CodecCase(
        operations.UNTAG.name,
        UntagRequest(PROCESSOR, ["site", "floor"]),
        {"ResourceArn": PROCESSOR, "TagKeys": ["site", "floor"]},
    ),
    CodecCase(operations.LIST_TAGS.name, ListTagsRequest(PROCESSOR), {"ResourceArn": PROCESSOR}),
]

_CREATED = datetime.datetime(2018, 7, 24, 16, 21, 32, 712000, tzinfo=datetime.UTC)

RESPONSES = [
    CodecCase(operations.CREATE.name, CreatedStreamProcessor(PROCESSOR), {"StreamProcessorArn": PROCESSOR}),
    CodecCase(operations.START.name, StartedSession("d9f1"), {"SessionId": "d9f1"}),
    CodecCase(operations.START.name, StartedSession(), {}),
    *(
        CodecCase(operation.name, None, {})
        for operation in (
            operations.STOP,
            operations.DELETE,
            operations.UPDATE,
            operations.TAG,
            operations.UNTAG,
        )
    ),
    CodecCase(
        operations.DESCRIBE.name,
        StreamProcessor(name="lobby", stream_processor_arn=PROCESSOR, status=Status.STOPPED),
        {"Name": "lobby", "StreamProcessorArn": PROCESSOR, "Status": "STOPPED"},
    ),
    CodecCase(
        operations.DESCRIBE.name,
        StreamProcessor(
            name="lobby",
            stream_processor_arn=PROCESSOR,
            status=Status.FAILED,
            status_message="Access denied to Role",
            creation_timestamp=_CREATED,
            last_update_timestamp=_CREATED,
            kinesis_video_stream_arn=VIDEO,
            kinesis_data_stream_arn=DATA,
            role_arn=ROLE,
            settings=FaceSearchSettings("staff", 80.0),
        ),
        {
            "Name": "lobby",
            "StreamProcessorArn": PROCESSOR,
            "Status": "FAILED",
            "StatusMessage": "Access denied to Role",
            "CreationTimestamp": 1532449292.712,
            "LastUpdateTimestamp": 1532449292.712,
            "Input": {"KinesisVideoStream": {"Arn": VIDEO}},
            "Output": {"KinesisDataStream": {"Arn": DATA}},
            "RoleArn": ROLE,
            "Settings": {"FaceSearch": {"CollectionId": "staff", "FaceMatchThreshold": 80.0}},
        },
    ),
    CodecCase(
        operations.DESCRIBE.name,
        StreamProcessor(
            name="front-door",
            stream_processor_arn=PROCESSOR,
            status=Status.STARTING,
            kinesis_video_stream_arn=VIDEO,
            s3_destination=S3Destination("pictures", key_prefix="doors/"),
            settings=ConnectedHomeSettings((Label.PERSON, Label.PET), 50.0),
            sns_topic_arn=TOPIC,
            kms_key_id="alias/doors",
            regions_of_interest=_REGIONS,
            data_sharing_opt_in=True,
        ),
        {
            "Name": "front-door",
            "StreamProcessorArn": PROCESSOR,
            "Status": "STARTING",
            "Input": {"KinesisVideoStream": {"Arn": VIDEO}},
            "Output": {"S3Destination": {"Bucket": "pictures", "KeyPrefix": "doors/"}},
            "Settings": {"ConnectedHome": {"Labels": ["PERSON", "PET"], "MinConfidence": 50.0}},
            "NotificationChannel": {"SNSTopicArn": TOPIC},
            "KmsKeyId": "alias/doors",
            "RegionsOfInterest": [_BOX, _TRIANGLE],
            "DataSharingPreference": {"OptIn": True},
        },
    ),
    CodecCase(operations.LIST.name, StreamProcessorPage(()), {"StreamProcessors": []}),
    CodecCase(
        operations.LIST.name,
        StreamProcessorPage(
            (StreamProcessorSummary("a", Status.RUNNING), StreamProcessorSummary("b", Status.UPDATING)), "more"
        ),
        {
            "StreamProcessors": [{"Name": "a", "Status": "RUNNING"}, {"Name": "b", "Status": "UPDATING"}],
            "NextToken": "more",
        },
    ),
    CodecCase(
        operations.LIST_TAGS.name,
        ResourceTags(Tags({"aws:cloudformation:stack-name": "doors"})),
        {"Tags": {"aws:cloudformation:stack-name": "doors"}},
    ),
]
