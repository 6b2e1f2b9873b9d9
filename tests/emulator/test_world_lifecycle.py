from __future__ import annotations

from typing import Any

import pytest

from aiorekostream.emulator import DependencyFaults, Timings
from aiorekostream.emulator.world.answers import Success
from aiorekostream.emulator.world.identity import Caller
from aiorekostream.limits import Limits
from tests.emulator.samples import ACCOUNT, data, faces, labels, new_harness, session, video

EMPTY: dict[str, Any] = {}


def test_label_detection_is_starting_until_its_duration_ends() -> None:
    """It becomes STOPPED without a stop request, and is never RUNNING."""
    aws = new_harness()
    aws.done("CreateStreamProcessor", **labels("door"))
    assert aws.status("door") == "STOPPED"
    assert aws.done("StartStreamProcessor", **session("door", seconds=30)) == {"SessionId": "session-1"}
    assert aws.world.next_event_at() == 1030.0
    aws.wait(29.9)
    assert aws.status("door") == "STARTING"
    aws.wait(0.1)
    assert aws.status("door") == "STOPPED"
    assert aws.describe("door")["LastUpdateTimestamp"] == 1030.0
    assert aws.world.next_event_at() is None


def test_session_lasts_ten_seconds_when_no_duration_is_given() -> None:
    aws = new_harness()
    aws.done("CreateStreamProcessor", **labels("door"))
    request = session("door") | {"StopSelector": EMPTY}
    aws.done("StartStreamProcessor", **request)
    aws.wait(9.9)
    assert aws.status("door") == "STARTING"
    aws.wait(0.1)
    assert aws.status("door") == "STOPPED"


def test_session_end_depends_on_overshoot_and_media() -> None:
    aws = new_harness(timings=Timings(overshoot=4, media=30))
    aws.done("CreateStreamProcessor", **labels("door"))
    aws.done("StartStreamProcessor", **session("door", seconds=10))
    assert aws.world.next_event_at() == 1014
    aws.wait(14)
    aws.done("StartStreamProcessor", **session("door", seconds=120))
    assert aws.world.next_event_at() == 1044


def test_face_search_runs_until_stopped() -> None:
    aws = new_harness()
    aws.done("CreateStreamProcessor", **faces("lobby"))
    assert aws.done("StartStreamProcessor", Name="lobby") == {}
    assert aws.status("lobby") == "STARTING"
    aws.wait(2)
    assert aws.status("lobby") == "RUNNING"
    aws.wait(1e6)
    assert aws.status("lobby") == "RUNNING"
    assert aws.ask("StopStreamProcessor", Name="lobby") == Success(None)
    assert aws.status("lobby") == "STOPPING"
    aws.wait(1)
    assert aws.status("lobby") == "STOPPED"


def test_face_search_never_runs_when_stopped_while_starting() -> None:
    aws = new_harness(timings=Timings(starting=2, stopping=5))
    aws.done("CreateStreamProcessor", **faces("lobby"))
    aws.done("StartStreamProcessor", Name="lobby")
    aws.done("StopStreamProcessor", Name="lobby")
    aws.wait(3)
    assert aws.status("lobby") == "STOPPING"
    aws.wait(2)
    assert aws.status("lobby") == "STOPPED"


@pytest.mark.parametrize(
    ("selectors", "word"),
    [
        ({}, "StartSelector is required"),
        ({"StartSelector": {}, "StopSelector": {}}, "KVSStreamStartSelector is required"),
        ({**session("door"), "StopSelector": None}, "StopSelector is required"),
        ({**session("door"), "StopSelector": {"MaxDurationInSeconds": 121}}, "from 1 to 120"),
        (
            {
                **session("door"),
                "StartSelector": {"KVSStreamStartSelector": {"ProducerTimestamp": 1, "FragmentNumber": "1"}},
            },
            "exactly one of ProducerTimestamp and FragmentNumber",
        ),
        ({**session("door"), "StartSelector": {"KVSStreamStartSelector": {}}}, "exactly one"),
    ],
)
def test_label_detection_requires_both_selectors(selectors: dict[str, Any], word: str) -> None:
    """The start selector has exactly one of timestamp and fragment number."""
    aws = new_harness()
    aws.done("CreateStreamProcessor", **labels("door"))
    refusal = aws.refused("StartStreamProcessor", **{"Name": "door", **selectors})
    assert refusal.code == "InvalidParameterException"
    assert refusal.message is not None
    assert refusal.message.startswith("Request has invalid parameters.")
    assert word in refusal.message
    assert aws.status("door") == "STOPPED"


@pytest.mark.parametrize("name", ["StartSelector", "StopSelector"])
def test_face_search_refuses_selectors(name: str) -> None:
    aws = new_harness()
    aws.done("CreateStreamProcessor", **faces("lobby"))
    assert aws.code("StartStreamProcessor", Name="lobby", **{name: EMPTY}) == "InvalidParameterException"


def test_active_processor_refuses_start_update_and_delete() -> None:
    aws = new_harness()
    aws.done("CreateStreamProcessor", **labels("door"))
    aws.done("StartStreamProcessor", **session("door"))
    for operation, message in [
        ("StartStreamProcessor", "Specified resource is in use."),
        ("UpdateStreamProcessor", "Specified resource is in use."),
        ("DeleteStreamProcessor", "Cannot delete stream processor."),
    ]:
        members = session("door") if operation == "StartStreamProcessor" else {"Name": "door"}
        refusal = aws.refused(operation, **members)
        assert (refusal.code, refusal.message, refusal.status) == ("ResourceInUseException", message, 400)


def test_stopped_processor_refuses_stop() -> None:
    aws = new_harness()
    aws.done("CreateStreamProcessor", **faces("lobby"))
    refusal = aws.refused("StopStreamProcessor", Name="lobby")
    assert (refusal.code, refusal.message) == (
        "ResourceInUseException",
        "Stream Processor not available for stopping",
    )


def test_processor_can_be_deleted_when_starting_for_two_minutes() -> None:
    aws = new_harness(timings=Timings(starting=1000))
    aws.done("CreateStreamProcessor", **faces("lobby"))
    aws.done("StartStreamProcessor", Name="lobby")
    aws.wait(119)
    assert aws.code("DeleteStreamProcessor", Name="lobby") == "ResourceInUseException"
    aws.wait(1)
    aws.done("DeleteStreamProcessor", Name="lobby")
    aws.wait(2)
    assert aws.code("DescribeStreamProcessor", Name="lobby") == "ResourceNotFoundException"


def test_deleted_processor_stays_visible_until_removed() -> None:
    """Its name and stream are free afterwards."""
    aws = new_harness(timings=Timings(deleting=3))
    aws.done("CreateStreamProcessor", **labels("door"))
    assert aws.ask("DeleteStreamProcessor", Name="door") == Success(None)
    assert aws.status("door") == "STOPPED"
    assert aws.code("CreateStreamProcessor", **labels("door")) == "ResourceInUseException"
    assert aws.code("StartStreamProcessor", **session("door")) == "ResourceNotFoundException"
    assert aws.code("DeleteStreamProcessor", Name="door") == "ResourceNotFoundException"
    aws.wait(3)
    assert aws.code("DescribeStreamProcessor", Name="door") == "ResourceNotFoundException"
    aws.done("CreateStreamProcessor", **labels("door"))


@pytest.mark.parametrize(
    ("dependency_faults", "message"),
    [
        (DependencyFaults(denied_roles=["Rekog*"]), "Access denied to Role"),
        (DependencyFaults(denied_roles=["arn:aws:iam::*:role/Rekognition"]), "Access denied to Role"),
        (DependencyFaults(denied_video_streams=["lobby"]), "Access denied to Kinesis Video"),
        (DependencyFaults(denied_data_streams=[data("lobby")]), "Access denied to Kinesis Data"),
        (DependencyFaults(missing_video_streams=[video("lob*")]), "Stream lobby doesn't exist"),
        (DependencyFaults(missing_data_streams=["*"]), "Stream lobby under account 111122223333 not found"),
        (DependencyFaults(missing_collections=["staff"]), "Collection not found"),
    ],
)
def test_start_succeeds_and_fails_later_when_dependency_is_unavailable(
    dependency_faults: DependencyFaults, message: str
) -> None:
    aws = new_harness(dependency_faults=dependency_faults)
    aws.done("CreateStreamProcessor", **faces("lobby"))
    aws.done("StartStreamProcessor", Name="lobby")
    assert aws.status("lobby") == "STARTING"
    aws.wait(1)
    assert aws.status("lobby") == "FAILED"
    assert aws.describe("lobby")["StatusMessage"] == message
    aws.world.dependency_faults = DependencyFaults()
    aws.done("StartStreamProcessor", Name="lobby")
    assert "StatusMessage" not in aws.describe("lobby")
    aws.wait(2)
    assert aws.status("lobby") == "RUNNING"


_KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"
_TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:doors"


@pytest.mark.parametrize(
    ("dependency_faults", "key", "message"),
    [
        (DependencyFaults(denied_buckets=["pict*"]), None, "Access denied to S3"),
        (DependencyFaults(missing_buckets=["pictures"]), None, "Bucket pictures doesn't exist"),
        (DependencyFaults(denied_topics=["doors"]), None, "Access denied to SNS"),
        (DependencyFaults(denied_topics=[_TOPIC]), None, "Access denied to SNS"),
        (DependencyFaults(missing_topics=["*:doors"]), None, "Topic doors doesn't exist"),
        (DependencyFaults(denied_keys=["*"]), "alias/doors", "Access denied to KMS"),
        (DependencyFaults(denied_keys=[_KEY]), f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{_KEY}", "Access denied to KMS"),
        (DependencyFaults(missing_keys=["alias/doors"]), "alias/doors", "Key alias/doors doesn't exist"),
        (DependencyFaults(denied_keys=["*"], missing_keys=["*"]), None, None),
        (DependencyFaults(denied_data_streams=["*"], missing_collections=["*"]), None, None),
    ],
)
def test_label_detection_fails_when_storage_is_unavailable(
    dependency_faults: DependencyFaults, key: str | None, message: str | None
) -> None:
    aws = new_harness(dependency_faults=dependency_faults)
    aws.done("CreateStreamProcessor", **labels("door", KmsKeyId=key))
    aws.done("StartStreamProcessor", **session("door"))
    aws.wait(1)
    assert aws.describe("door").get("StatusMessage") == message
    assert aws.status("door") == ("FAILED" if message else "STARTING")


def test_face_search_uses_no_bucket_topic_or_key() -> None:
    everything = ["*"]
    aws = new_harness(
        dependency_faults=DependencyFaults(
            denied_buckets=everything, missing_topics=everything, denied_keys=everything, missing_keys=everything
        )
    )
    aws.done("CreateStreamProcessor", **faces("lobby"))
    aws.done("StartStreamProcessor", Name="lobby")
    aws.wait(2)
    assert aws.status("lobby") == "RUNNING"


def test_stream_of_another_region_is_missing() -> None:
    aws = new_harness()
    elsewhere = {"KinesisVideoStream": {"Arn": video("lobby", region="eu-west-1")}}
    aws.done("CreateStreamProcessor", **faces("lobby", Input=elsewhere))
    aws.done("StartStreamProcessor", Name="lobby")
    aws.wait(1)
    assert aws.describe("lobby")["StatusMessage"] == "Stream lobby doesn't exist"


def test_scheduled_failure_applies_to_active_processor_or_next_start() -> None:
    aws = new_harness()
    aws.done("CreateStreamProcessor", **faces("lobby"))
    aws.done("StartStreamProcessor", Name="lobby")
    aws.wait(2)
    aws.world.schedule_failure("lobby", "Access denied to Kinesis Video", aws.now, after=5)
    aws.wait(4)
    assert aws.status("lobby") == "RUNNING"
    aws.wait(1)
    assert (aws.status("lobby"), aws.describe("lobby")["StatusMessage"]) == (
        "FAILED",
        "Access denied to Kinesis Video",
    )
    aws.world.schedule_failure("lobby", "Collection not found", aws.now, after=1)
    aws.wait(100)
    assert aws.describe("lobby")["StatusMessage"] == "Access denied to Kinesis Video"
    aws.done("StartStreamProcessor", Name="lobby")
    aws.wait(1)
    assert (aws.status("lobby"), aws.describe("lobby")["StatusMessage"]) == ("FAILED", "Collection not found")
    aws.done("StartStreamProcessor", Name="lobby")
    aws.wait(2)
    assert aws.status("lobby") == "RUNNING"


def test_start_is_refused_above_the_concurrent_sessions_of_its_kind() -> None:
    aws = new_harness(
        limits=Limits(concurrent_label_detection={"us-east-1": 2}, concurrent_face_search={"us-east-1": 1})
    )
    for name in ("a", "b", "c"):
        aws.done("CreateStreamProcessor", **labels(name))
        aws.done("CreateStreamProcessor", **faces(f"face-{name}"))
    aws.done("StartStreamProcessor", **session("a"))
    aws.done("StartStreamProcessor", **session("b"))
    aws.done("StartStreamProcessor", Name="face-a")
    refusal = aws.refused("StartStreamProcessor", **session("c"))
    assert refusal.code == "LimitExceededException"
    assert refusal.message is not None
    assert refusal.message.endswith("limit - 2.")
    assert aws.code("StartStreamProcessor", Name="face-b") == "LimitExceededException"
    aws.wait(10)
    aws.done("StartStreamProcessor", **session("c"))


def test_accounts_and_regions_are_isolated() -> None:
    aws = new_harness()
    aws.done("CreateStreamProcessor", **labels("door"))
    for caller in (Caller("999900001111", "us-east-1"), Caller(aws.caller.account, "us-west-2")):
        aws.caller = caller
        assert aws.code("DescribeStreamProcessor", Name="door") == "ResourceNotFoundException"
        arn = aws.done("CreateStreamProcessor", **labels("door"))["StreamProcessorArn"]
        assert arn == f"arn:aws:rekognition:{caller.region}:{caller.account}:streamprocessor/door"


def test_time_never_goes_back_when_a_request_is_earlier() -> None:
    aws = new_harness()
    aws.done("CreateStreamProcessor", **labels("door"))
    aws.done("StartStreamProcessor", **session("door", seconds=10))
    aws.wait(10)
    assert aws.status("door") == "STOPPED"
    aws.wait(-100)
    result = aws.ask("StartStreamProcessor", **session("door", seconds=10))
    assert isinstance(result, Success)
    assert aws.world.next_event_at() == 1020
