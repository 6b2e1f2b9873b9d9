from __future__ import annotations

import struct
from typing import Any

import pytest

from aiorekostream.emulator import Timings
from aiorekostream.emulator.answers import Success
from aiorekostream.emulator.callers import Caller
from aiorekostream.limits import Limits
from tests.emulator.samples import ACCOUNT, data, faces, labels, play, session, video

EMPTY: dict[str, Any] = {}
BOX: dict[str, Any] = {"BoundingBox": {"Left": 0.1, "Top": 0.2, "Width": 0.3, "Height": 0.4}}
TRIANGLE: dict[str, Any] = {"Polygon": [{"X": 0.5, "Y": 0.5}] * 3}


def as_kept(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])


def test_a_label_detection_is_described_with_everything_it_was_created_with_and_the_defaults() -> None:
    w = play()
    request = labels(
        "door", KmsKeyId="alias/doors", RegionsOfInterest=[BOX, TRIANGLE], DataSharingPreference={"OptIn": False}
    )
    arn = w.done("CreateStreamProcessor", **request)["StreamProcessorArn"]
    assert w.describe("door") == {
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
def test_a_face_match_threshold_below_80_is_raised_to_80(asked: float | None, kept: float) -> None:
    w = play()
    settings: dict[str, Any] = {"CollectionId": "staff"} | ({} if asked is None else {"FaceMatchThreshold": asked})
    w.done("CreateStreamProcessor", **faces("lobby", Settings={"FaceSearch": settings}))
    assert w.describe("lobby")["Settings"] == {"FaceSearch": {"CollectionId": "staff", "FaceMatchThreshold": kept}}


def test_percentages_come_back_as_32_bits_hold_them() -> None:
    w = play()
    settings = {"ConnectedHome": {"Labels": ["ALL"], "MinConfidence": 70.1}}
    w.done("CreateStreamProcessor", **labels("door", Settings=settings))
    assert w.describe("door")["Settings"]["ConnectedHome"]["MinConfidence"] == as_kept(70.1) != 70.1


def test_a_face_search_may_have_regions_of_interest() -> None:
    w = play()
    w.done("CreateStreamProcessor", **faces("lobby", RegionsOfInterest=[TRIANGLE]))
    assert w.describe("lobby")["RegionsOfInterest"] == [TRIANGLE]


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
        labels("x", RegionsOfInterest=[BOX] * 11),
        labels("x", DataSharingPreference={}),
        faces("x", Settings={"FaceSearch": {}}),
        faces("x", Output=TO_S3),
        faces("x", NotificationChannel=SNS),
        faces("x", KmsKeyId="alias/doors"),
    ],
)
def test_settings_output_and_notification_channel_must_fit_together(request_: dict[str, Any]) -> None:
    w = play()
    assert w.code("CreateStreamProcessor", **request_) == "InvalidParameterException"
    assert w.done("ListStreamProcessors") == {"StreamProcessors": []}


def test_a_name_can_be_had_once() -> None:
    w = play()
    w.done("CreateStreamProcessor", **labels("door"))
    refusal = w.refused("CreateStreamProcessor", **labels("door"))
    assert (refusal.code, refusal.message) == ("ResourceInUseException", "Stream processor name already in use.")


def test_a_video_stream_has_one_processor_and_a_data_stream_one_face_search() -> None:
    w = play()
    w.done("CreateStreamProcessor", **faces("lobby"))
    same_video = {"KinesisVideoStream": {"Arn": video("lobby").removesuffix("/1656000000000")}}
    assert w.code("CreateStreamProcessor", **labels("door", Input=same_video)) == "ResourceInUseException"
    same_data = {"KinesisDataStream": {"Arn": data("lobby")}}
    assert w.code("CreateStreamProcessor", **faces("hall", Output=same_data)) == "ResourceInUseException"
    w.done("CreateStreamProcessor", **faces("hall"))


def test_there_is_an_end_to_the_number_of_processors_and_the_error_names_it() -> None:
    w = play(limits=Limits(max_stream_processors=2))
    w.done("CreateStreamProcessor", **labels("a"))
    w.done("CreateStreamProcessor", **labels("b"))
    refusal = w.refused("CreateStreamProcessor", **labels("c"))
    assert refusal.code == "LimitExceededException"
    assert refusal.message == "Stream processor limit exceeded for account, limit - 2."


@pytest.mark.parametrize(
    ("region", "face_search", "label_detection"),
    [("us-east-1", True, True), ("ap-northeast-1", True, False), ("ap-south-1", False, True)],
)
def test_a_kind_that_the_region_does_not_offer_is_denied_without_a_word(
    region: str, *, face_search: bool, label_detection: bool
) -> None:
    w = play()
    w.caller = Caller(ACCOUNT, region)
    for request, offered in ((faces("lobby"), face_search), (labels("door"), label_detection)):
        if offered:
            w.done("CreateStreamProcessor", **request)
        else:
            refusal = w.refused("CreateStreamProcessor", **request)
            assert (refusal.code, refusal.message) == ("AccessDeniedException", None)


def test_a_region_that_offers_neither_kind_denies_everything() -> None:
    w = play()
    w.caller = Caller(ACCOUNT, "ap-southeast-2")
    assert w.refused("ListStreamProcessors").message is None


def test_processors_are_listed_page_by_page_in_the_order_of_their_names() -> None:
    w = play()
    names = [f"p{index:02}" for index in range(25)]
    for name in reversed(names):
        w.done("CreateStreamProcessor", **labels(name))
    listed: list[str] = []
    token: dict[str, object] = {}
    sizes: list[int] = []
    while True:
        page = w.done("ListStreamProcessors", MaxResults=10, **token)
        listed += [item["Name"] for item in page["StreamProcessors"]]
        sizes.append(len(page["StreamProcessors"]))
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert (listed, sizes) == (names, [10, 10, 5])


def test_a_page_has_a_thousand_items_at_most() -> None:
    w = play()
    for index in range(1001):
        w.done("CreateStreamProcessor", **labels(f"p{index}"))
    for size in ({}, {"MaxResults": 5000}):
        page = w.done("ListStreamProcessors", **size)
        assert len(page["StreamProcessors"]) == 1000
        assert len(w.done("ListStreamProcessors", NextToken=page["NextToken"])["StreamProcessors"]) == 1


@pytest.mark.parametrize("token", ["", "x", "AAAA", "é", "A" * 255])
def test_a_token_that_was_not_given_out_is_refused(token: str) -> None:
    w = play()
    assert w.code("ListStreamProcessors", NextToken=token) == "InvalidPaginationTokenException"


def test_a_token_is_good_for_the_account_that_it_was_given_to() -> None:
    w = play()
    w.done("CreateStreamProcessor", **labels("a"))
    w.done("CreateStreamProcessor", **labels("b"))
    token = w.done("ListStreamProcessors", MaxResults=1)["NextToken"]
    w.caller = Caller("999900001111", "us-east-1")
    assert w.code("ListStreamProcessors", NextToken=token) == "InvalidPaginationTokenException"


def test_an_update_changes_what_it_names_and_takes_a_moment() -> None:
    w = play(timings=Timings(updating=2))
    w.done("CreateStreamProcessor", **labels("door", RegionsOfInterest=[BOX]))
    update = {
        "SettingsForUpdate": {"ConnectedHomeForUpdate": {"Labels": ["PET"], "MinConfidence": 75}},
        "RegionsOfInterestForUpdate": [TRIANGLE],
        "DataSharingPreferenceForUpdate": {"OptIn": True},
    }
    assert w.ask("UpdateStreamProcessor", Name="door", **update) == Success(None)
    assert w.status("door") == "UPDATING"
    w.wait(2)
    described = w.describe("door")
    assert described["Status"] == "STOPPED"
    assert described["Settings"] == {"ConnectedHome": {"Labels": ["PET"], "MinConfidence": 75}}
    assert described["RegionsOfInterest"] == [TRIANGLE]
    assert described["DataSharingPreference"] == {"OptIn": True}


def test_parameters_to_delete_fall_back_to_their_defaults() -> None:
    w = play()
    settings = {"ConnectedHome": {"Labels": ["PET"], "MinConfidence": 75}}
    w.done("CreateStreamProcessor", **labels("door", Settings=settings, RegionsOfInterest=[BOX]))
    w.done("UpdateStreamProcessor", Name="door", ParametersToDelete=["ConnectedHomeMinConfidence", "RegionsOfInterest"])
    described = w.describe("door")
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
def test_an_update_that_contradicts_itself_is_refused_and_changes_nothing(update: dict[str, Any]) -> None:
    w = play()
    w.done("CreateStreamProcessor", **labels("door"))
    before = w.describe("door")
    assert w.code("UpdateStreamProcessor", Name="door", **update) == "InvalidParameterException"
    assert w.describe("door") == before


def test_a_face_search_cannot_be_updated() -> None:
    w = play()
    w.done("CreateStreamProcessor", **faces("lobby"))
    assert w.code("UpdateStreamProcessor", Name="lobby") == "InvalidParameterException"


def test_one_that_failed_can_be_updated_and_deleted() -> None:
    w = play()
    w.done("CreateStreamProcessor", **labels("door"))
    w.world.doom("door", "Access denied to Role", w.now)
    w.done("StartStreamProcessor", **session("door"))
    assert w.status("door") == "FAILED"
    w.done("UpdateStreamProcessor", Name="door")
    w.wait(1)
    assert w.status("door") == "STOPPED"
    w.done("DeleteStreamProcessor", Name="door")


def test_tags_are_added_replaced_taken_away_and_listed() -> None:
    w = play()
    arn = w.done("CreateStreamProcessor", **labels("door", Tags={"a": "1", "b": ""}))["StreamProcessorArn"]
    assert w.done("TagResource", ResourceArn=arn, Tags={"b": "2", "c": "3"}) == {}
    assert w.done("UntagResource", ResourceArn=arn, TagKeys=["a", "never-there"]) == {}
    assert w.done("ListTagsForResource", ResourceArn=arn) == {"Tags": {"b": "2", "c": "3"}}


def test_there_is_an_end_to_the_number_of_tags() -> None:
    w = play(limits=Limits(max_tags=3))
    arn = w.done("CreateStreamProcessor", **labels("door", Tags={"a": "1", "b": ""}))["StreamProcessorArn"]
    refusal = w.refused("TagResource", ResourceArn=arn, Tags={"c": "", "d": ""})
    assert refusal.code == "ServiceQuotaExceededException"
    assert w.done("ListTagsForResource", ResourceArn=arn) == {"Tags": {"a": "1", "b": ""}}


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
def test_only_the_callers_own_processors_have_tags(arn: str, code: str) -> None:
    w = play()
    w.done("CreateStreamProcessor", **labels("door"))
    assert w.code("ListTagsForResource", ResourceArn=arn) == code


@pytest.mark.parametrize(
    ("region", "partition"), [("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn"), ("eu-west-1", "aws")]
)
def test_an_arn_is_of_the_partition_that_the_region_belongs_to(region: str, partition: str) -> None:
    w = play(limits=Limits(concurrent_label_detection={region: 1}))
    w.caller = Caller(ACCOUNT, region)
    arn = w.done("CreateStreamProcessor", **labels("door"))["StreamProcessorArn"]
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
def test_the_world_refuses_wrong_types_by_itself_too(operation: str, members: dict[str, Any]) -> None:
    assert play().code(operation, **members) == "SerializationException"
