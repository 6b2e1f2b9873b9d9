from __future__ import annotations

import struct
from typing import Any

import pytest

from aiorekostream.emulator import Timings
from aiorekostream.emulator.world.answers import Success
from aiorekostream.emulator.world.identity import Caller
from aiorekostream.limits import Limits
from tests.emulator.samples import ACCOUNT, data, faces, labels, new_harness, session, video

EMPTY: dict[str, Any] = {}
BOX: dict[str, Any] = {"BoundingBox": {"Left": 0.1, "Top": 0.2, "Width": 0.3, "Height": 0.4}}
TRIANGLE: dict[str, Any] = {"Polygon": [{"X": 0.5, "Y": 0.5}] * 3}


def as_kept(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])


def test_describe_returns_the_created_members_and_the_defaults() -> None:
    aws = new_harness()
    request = labels(
        "door", KmsKeyId="alias/doors", RegionsOfInterest=[BOX, TRIANGLE], DataSharingPreference={"OptIn": False}
    )
    arn = aws.done("CreateStreamProcessor", **request)["StreamProcessorArn"]
    assert aws.describe("door") == {
        **request,
        "StreamProcessorArn": arn,
        "Status": "STOPPED",
        "CreationTimestamp": 1000.0,
        "LastUpdateTimestamp": 1000.0,
        "Settings": {"ConnectedHome": {"Labels": ["PERSON", "PACKAGE"], "MinConfidence": 50}},
        "RegionsOfInterest": [
            {"BoundingBox": {name: as_kept(ratio) for name, ratio in BOX["BoundingBox"].items()}},
            TRIANGLE,
        ],
    }


@pytest.mark.parametrize(("asked", "kept"), [(None, 80), (0.08, 80), (79.9, 80), (80, 80), (95.5, 95.5)])
def test_face_match_threshold_below_80_is_raised_to_80(asked: float | None, kept: float) -> None:
    aws = new_harness()
    settings: dict[str, Any] = {"CollectionId": "staff"} | ({} if asked is None else {"FaceMatchThreshold": asked})
    aws.done("CreateStreamProcessor", **faces("lobby", Settings={"FaceSearch": settings}))
    assert aws.describe("lobby")["Settings"] == {"FaceSearch": {"CollectionId": "staff", "FaceMatchThreshold": kept}}


def test_percentages_are_rounded_to_32_bit_floats() -> None:
    aws = new_harness()
    settings = {"ConnectedHome": {"Labels": ["ALL"], "MinConfidence": 70.1}}
    aws.done("CreateStreamProcessor", **labels("door", Settings=settings))
    assert aws.describe("door")["Settings"]["ConnectedHome"]["MinConfidence"] == as_kept(70.1) != 70.1


def test_face_search_may_have_regions_of_interest() -> None:
    aws = new_harness()
    aws.done("CreateStreamProcessor", **faces("lobby", RegionsOfInterest=[TRIANGLE]))
    assert aws.describe("lobby")["RegionsOfInterest"] == [TRIANGLE]


LABEL = {"ConnectedHome": {"Labels": ["PET"]}}
FACE = {"FaceSearch": {"CollectionId": "staff"}}
TO_S3 = {"S3Destination": {"Bucket": "pictures"}}
TO_KDS = {"KinesisDataStream": {"Arn": data("lobby")}}
SNS = {"SNSTopicArn": f"arn:aws:sns:us-east-1:{ACCOUNT}:doors"}


@pytest.mark.parametrize(
    "request_",
    [
        labels("x", Settings={}),
        labels("x", Settings=LABEL | FACE),
        labels("x", Settings={"ConnectedHome": {}}),
        labels("x", Settings={"ConnectedHome": {"Labels": []}}),
        labels("x", Settings={"ConnectedHome": {"Labels": ["PET", "PET"]}}),
        labels("x", Settings={"ConnectedHome": {"Labels": ["CAT"]}}),
        labels("x", Output={}),
        labels("x", Output=TO_KDS),
        labels("x", Output=TO_S3 | TO_KDS),
        labels("x", Output={"S3Destination": {}}),
        labels("x", NotificationChannel=None),
        labels("x", NotificationChannel={}),
        labels("x", Input={}),
        labels("x", Input={"KinesisVideoStream": {}}),
        labels("x", Input={"KinesisVideoStream": {"Arn": data("x")}}),
        labels("x", RegionsOfInterest=[BOX | TRIANGLE]),
        labels("x", RegionsOfInterest=[EMPTY]),
        labels("x", RegionsOfInterest=[{"Polygon": [{"X": 0, "Y": 0}] * 2}]),
        labels("x", RegionsOfInterest=[{"Polygon": [{"X": 0, "Y": 0}] * 11}]),
        labels("x", RegionsOfInterest=[{"BoundingBox": {"Left": 0.1}}]),
        labels("x", RegionsOfInterest=[{"BoundingBox": {"Left": 2, "Top": 0, "Width": 0, "Height": 0}}]),
        labels("x", RegionsOfInterest=[{"BoundingBox": {"Left": 0.9, "Top": 0, "Width": 0.2, "Height": 0.1}}]),
        labels("x", RegionsOfInterest=[{"BoundingBox": {"Left": 0, "Top": 0.5, "Width": 1, "Height": 0.500002}}]),
        labels("x", RegionsOfInterest=[BOX] * 11),
        labels("x", DataSharingPreference={}),
        faces("x", Settings={"FaceSearch": {}}),
        faces("x", Output=TO_S3),
        faces("x", NotificationChannel=SNS),
        faces("x", KmsKeyId="alias/doors"),
    ],
)
def test_create_refuses_members_that_do_not_belong_together(request_: dict[str, Any]) -> None:
    aws = new_harness()
    assert aws.code("CreateStreamProcessor", **request_) == "InvalidParameterException"
    assert aws.done("ListStreamProcessors") == {"StreamProcessors": []}


def test_create_refuses_a_name_in_use() -> None:
    aws = new_harness()
    aws.done("CreateStreamProcessor", **labels("door"))
    refusal = aws.refused("CreateStreamProcessor", **labels("door"))
    assert (refusal.code, refusal.message) == ("ResourceInUseException", "Stream processor name already in use.")


def test_create_refuses_a_stream_in_use() -> None:
    aws = new_harness()
    aws.done("CreateStreamProcessor", **faces("lobby"))
    same_video = {"KinesisVideoStream": {"Arn": video("lobby").removesuffix("/1656000000000")}}
    assert aws.code("CreateStreamProcessor", **labels("door", Input=same_video)) == "ResourceInUseException"
    same_data = {"KinesisDataStream": {"Arn": data("lobby")}}
    assert aws.code("CreateStreamProcessor", **faces("hall", Output=same_data)) == "ResourceInUseException"
    aws.done("CreateStreamProcessor", **faces("hall"))


def test_create_is_refused_with_the_limit_when_it_is_reached() -> None:
    aws = new_harness(limits=Limits(max_stream_processors=2))
    aws.done("CreateStreamProcessor", **labels("a"))
    aws.done("CreateStreamProcessor", **labels("b"))
    refusal = aws.refused("CreateStreamProcessor", **labels("c"))
    assert refusal.code == "LimitExceededException"
    assert refusal.message == "Stream processor limit exceeded for account, limit - 2."


@pytest.mark.parametrize(
    ("region", "face_search", "label_detection"),
    [("us-east-1", True, True), ("ap-northeast-1", True, False), ("ap-south-1", False, True)],
)
def test_create_is_denied_when_region_lacks_the_kind(region: str, *, face_search: bool, label_detection: bool) -> None:
    aws = new_harness()
    aws.caller = Caller(ACCOUNT, region)
    for request, offered in ((faces("lobby"), face_search), (labels("door"), label_detection)):
        if offered:
            aws.done("CreateStreamProcessor", **request)
        else:
            refusal = aws.refused("CreateStreamProcessor", **request)
            assert (refusal.code, refusal.message) == ("AccessDeniedException", None)


def test_list_is_denied_when_region_offers_neither_kind() -> None:
    aws = new_harness()
    aws.caller = Caller(ACCOUNT, "ap-southeast-2")
    assert aws.refused("ListStreamProcessors").message is None


def test_list_returns_pages_in_the_order_of_names() -> None:
    aws = new_harness()
    names = [f"p{index:02}" for index in range(25)]
    for name in reversed(names):
        aws.done("CreateStreamProcessor", **labels(name))
    listed: list[str] = []
    token: dict[str, object] = {}
    sizes: list[int] = []
    while True:
        page = aws.done("ListStreamProcessors", MaxResults=10, **token)
        listed += [item["Name"] for item in page["StreamProcessors"]]
        sizes.append(len(page["StreamProcessors"]))
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert (listed, sizes) == (names, [10, 10, 5])


def test_list_returns_at_most_1000_items_a_page() -> None:
    aws = new_harness()
    for index in range(1001):
        aws.done("CreateStreamProcessor", **labels(f"p{index}"))
    for size in ({}, {"MaxResults": 5000}):
        page = aws.done("ListStreamProcessors", **size)
        assert len(page["StreamProcessors"]) == 1000
        assert len(aws.done("ListStreamProcessors", NextToken=page["NextToken"])["StreamProcessors"]) == 1


@pytest.mark.parametrize("token", ["", "x", "AAAA", "é", "A" * 255])
def test_list_refuses_an_invalid_token(token: str) -> None:
    aws = new_harness()
    assert aws.code("ListStreamProcessors", NextToken=token) == "InvalidPaginationTokenException"


def test_list_refuses_a_token_of_another_account() -> None:
    aws = new_harness()
    aws.done("CreateStreamProcessor", **labels("a"))
    aws.done("CreateStreamProcessor", **labels("b"))
    token = aws.done("ListStreamProcessors", MaxResults=1)["NextToken"]
    aws.caller = Caller("999900001111", "us-east-1")
    assert aws.code("ListStreamProcessors", NextToken=token) == "InvalidPaginationTokenException"


def test_update_changes_the_given_members_and_takes_time() -> None:
    aws = new_harness(timings=Timings(updating=2))
    aws.done("CreateStreamProcessor", **labels("door", RegionsOfInterest=[BOX]))
    update = {
        "SettingsForUpdate": {"ConnectedHomeForUpdate": {"Labels": ["PET"], "MinConfidence": 75}},
        "RegionsOfInterestForUpdate": [TRIANGLE],
        "DataSharingPreferenceForUpdate": {"OptIn": True},
    }
    assert aws.ask("UpdateStreamProcessor", Name="door", **update) == Success(None)
    assert aws.status("door") == "UPDATING"
    aws.wait(2)
    described = aws.describe("door")
    assert described["Status"] == "STOPPED"
    assert described["Settings"] == {"ConnectedHome": {"Labels": ["PET"], "MinConfidence": 75}}
    assert described["RegionsOfInterest"] == [TRIANGLE]
    assert described["DataSharingPreference"] == {"OptIn": True}


def test_update_resets_parameters_to_delete_to_their_defaults() -> None:
    aws = new_harness()
    settings = {"ConnectedHome": {"Labels": ["PET"], "MinConfidence": 75}}
    aws.done("CreateStreamProcessor", **labels("door", Settings=settings, RegionsOfInterest=[BOX]))
    aws.done(
        "UpdateStreamProcessor", Name="door", ParametersToDelete=["ConnectedHomeMinConfidence", "RegionsOfInterest"]
    )
    described = aws.describe("door")
    assert described["Settings"] == {"ConnectedHome": {"Labels": ["PET"], "MinConfidence": 50}}
    assert "RegionsOfInterest" not in described


@pytest.mark.parametrize(
    "update",
    [
        {
            "SettingsForUpdate": {"ConnectedHomeForUpdate": {"MinConfidence": 75}},
            "ParametersToDelete": ["ConnectedHomeMinConfidence"],
        },
        {"RegionsOfInterestForUpdate": [BOX], "ParametersToDelete": ["RegionsOfInterest"]},
        {"SettingsForUpdate": {"ConnectedHomeForUpdate": {"Labels": ["CAT"]}}},
    ],
)
def test_update_is_refused_without_changes_when_contradictory(update: dict[str, Any]) -> None:
    aws = new_harness()
    aws.done("CreateStreamProcessor", **labels("door"))
    before = aws.describe("door")
    assert aws.code("UpdateStreamProcessor", Name="door", **update) == "InvalidParameterException"
    assert aws.describe("door") == before


def test_update_refuses_a_face_search() -> None:
    aws = new_harness()
    aws.done("CreateStreamProcessor", **faces("lobby"))
    assert aws.code("UpdateStreamProcessor", Name="lobby") == "InvalidParameterException"


def test_failed_processor_can_be_updated_and_deleted() -> None:
    aws = new_harness()
    aws.done("CreateStreamProcessor", **labels("door"))
    aws.world.schedule_failure("door", "Access denied to Role", aws.now)
    aws.done("StartStreamProcessor", **session("door"))
    assert aws.status("door") == "FAILED"
    aws.done("UpdateStreamProcessor", Name="door")
    aws.wait(1)
    assert aws.status("door") == "STOPPED"
    aws.done("DeleteStreamProcessor", Name="door")


def test_tags_are_added_replaced_removed_and_listed() -> None:
    aws = new_harness()
    arn = aws.done("CreateStreamProcessor", **labels("door", Tags={"a": "1", "b": ""}))["StreamProcessorArn"]
    assert aws.done("TagResource", ResourceArn=arn, Tags={"b": "2", "c": "3"}) == {}
    assert aws.done("UntagResource", ResourceArn=arn, TagKeys=["a", "never-there"]) == {}
    assert aws.done("ListTagsForResource", ResourceArn=arn) == {"Tags": {"b": "2", "c": "3"}}


def test_tag_is_refused_when_the_limit_is_exceeded() -> None:
    aws = new_harness(limits=Limits(max_tags=3))
    arn = aws.done("CreateStreamProcessor", **labels("door", Tags={"a": "1", "b": ""}))["StreamProcessorArn"]
    refusal = aws.refused("TagResource", ResourceArn=arn, Tags={"c": "", "d": ""})
    assert refusal.code == "ServiceQuotaExceededException"
    assert aws.done("ListTagsForResource", ResourceArn=arn) == {"Tags": {"a": "1", "b": ""}}


@pytest.mark.parametrize(
    ("arn", "code"),
    [
        ("arn:aws:rekognition:us-east-1:111122223333:collection/faces", "InvalidParameterException"),
        ("nothing-like-an-arn-at-all", "InvalidParameterException"),
        ("arn:aws:rekognition:us-east-1:111122223333:streamprocessor/other", "ResourceNotFoundException"),
        ("arn:aws:rekognition:us-west-2:111122223333:streamprocessor/door", "ResourceNotFoundException"),
        ("arn:aws-cn:rekognition:us-east-1:111122223333:streamprocessor/door", "ResourceNotFoundException"),
    ],
)
def test_list_tags_refuses_other_resources(arn: str, code: str) -> None:
    aws = new_harness()
    aws.done("CreateStreamProcessor", **labels("door"))
    assert aws.code("ListTagsForResource", ResourceArn=arn) == code


@pytest.mark.parametrize(
    ("region", "partition"), [("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn"), ("eu-west-1", "aws")]
)
def test_arn_has_the_partition_of_the_region(region: str, partition: str) -> None:
    aws = new_harness(limits=Limits(concurrent_label_detection={region: 1}))
    aws.caller = Caller(ACCOUNT, region)
    arn = aws.done("CreateStreamProcessor", **labels("door"))["StreamProcessorArn"]
    assert arn.startswith(f"arn:{partition}:rekognition:{region}:")


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("DescribeStreamProcessor", {"Name": 1}),
        ("CreateStreamProcessor", labels("x", Settings=[])),
        ("CreateStreamProcessor", labels("x", RegionsOfInterest=["box"])),
        ("CreateStreamProcessor", labels("x", RegionsOfInterest={})),
        ("CreateStreamProcessor", labels("x", DataSharingPreference={"OptIn": "yes"})),
        ("CreateStreamProcessor", labels("x", Settings={"ConnectedHome": {"Labels": [1]}})),
        (
            "CreateStreamProcessor",
            faces("x", Settings={"FaceSearch": {"CollectionId": "a", "FaceMatchThreshold": True}}),
        ),
        ("ListStreamProcessors", {"MaxResults": 1.5}),
        ("ListStreamProcessors", {"MaxResults": True}),
    ],
)
def test_world_refuses_wrong_types(operation: str, members: dict[str, Any]) -> None:
    """The world does not rely on the validation against the model."""
    assert new_harness().code(operation, **members) == "SerializationException"


def test_box_that_describe_returned_is_accepted_again() -> None:
    """Its 32-bit floats may reach over the edge by their rounding error."""
    aws = new_harness()
    for number in range(1, 1000):
        begin = number / 1000
        box = {"BoundingBox": {"Left": begin, "Top": begin, "Width": 1 - begin, "Height": 1 - begin}}
        aws.done("CreateStreamProcessor", **labels(f"door-{number}", RegionsOfInterest=[box]))
        returned = aws.describe(f"door-{number}")["RegionsOfInterest"]
        aws.done("CreateStreamProcessor", **labels(f"door-{number}-again", RegionsOfInterest=returned))
