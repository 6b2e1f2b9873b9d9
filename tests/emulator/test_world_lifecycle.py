from __future__ import annotations

from typing import Any

import pytest

from aiorekostream.emulator import DependencyFaults, Timings
from aiorekostream.emulator.answers import Success
from aiorekostream.emulator.callers import Caller
from aiorekostream.limits import Limits
from tests.emulator.samples import data, faces, labels, play, session, video

EMPTY: dict[str, Any] = {}


def test_a_label_detection_stays_starting_and_stops_by_itself_when_its_time_is_over() -> None:
    w = play()
    w.done("CreateStreamProcessor", **labels("door"))
    assert w.status("door") == "STOPPED"
    assert w.done("StartStreamProcessor", **session("door", seconds=30)) == {"SessionId": "session-1"}
    assert w.world.next_moment() == 1030.0
    w.wait(29.9)
    assert w.status("door") == "STARTING"
    w.wait(0.1)
    assert w.status("door") == "STOPPED"
    assert w.describe("door")["LastUpdateTimestamp"] == 1030.0
    assert w.world.next_moment() is None


def test_a_session_lasts_ten_seconds_where_no_duration_is_given() -> None:
    w = play()
    w.done("CreateStreamProcessor", **labels("door"))
    request = session("door") | {"StopSelector": EMPTY}
    w.done("StartStreamProcessor", **request)
    w.wait(9.9)
    assert w.status("door") == "STARTING"
    w.wait(0.1)
    assert w.status("door") == "STOPPED"


def test_a_session_may_overshoot_by_a_fragment_and_ends_early_where_the_video_ends() -> None:
    w = play(timings=Timings(overshoot=4, media=30))
    w.done("CreateStreamProcessor", **labels("door"))
    w.done("StartStreamProcessor", **session("door", seconds=10))
    assert w.world.next_moment() == 1014
    w.wait(14)
    w.done("StartStreamProcessor", **session("door", seconds=120))
    assert w.world.next_moment() == 1044


def test_a_face_search_comes_to_run_and_runs_until_it_is_stopped() -> None:
    w = play()
    w.done("CreateStreamProcessor", **faces("lobby"))
    assert w.done("StartStreamProcessor", Name="lobby") == {}
    assert w.status("lobby") == "STARTING"
    w.wait(2)
    assert w.status("lobby") == "RUNNING"
    w.wait(1e6)
    assert w.status("lobby") == "RUNNING"
    assert w.ask("StopStreamProcessor", Name="lobby") == Success(None)
    assert w.status("lobby") == "STOPPING"
    w.wait(1)
    assert w.status("lobby") == "STOPPED"


def test_a_face_search_that_is_stopped_while_it_starts_never_runs() -> None:
    w = play(timings=Timings(starting=2, stopping=5))
    w.done("CreateStreamProcessor", **faces("lobby"))
    w.done("StartStreamProcessor", Name="lobby")
    w.done("StopStreamProcessor", Name="lobby")
    w.wait(3)
    assert w.status("lobby") == "STOPPING"
    w.wait(2)
    assert w.status("lobby") == "STOPPED"


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
def test_a_label_detection_needs_both_selectors_with_exactly_one_beginning(
    selectors: dict[str, Any], word: str
) -> None:
    w = play()
    w.done("CreateStreamProcessor", **labels("door"))
    refusal = w.refused("StartStreamProcessor", **{"Name": "door", **selectors})
    assert refusal.code == "InvalidParameterException"
    assert refusal.message is not None
    assert refusal.message.startswith("Request has invalid parameters.")
    assert word in refusal.message
    assert w.status("door") == "STOPPED"


@pytest.mark.parametrize("name", ["StartSelector", "StopSelector"])
def test_a_face_search_takes_no_selector(name: str) -> None:
    w = play()
    w.done("CreateStreamProcessor", **faces("lobby"))
    assert w.code("StartStreamProcessor", Name="lobby", **{name: EMPTY}) == "InvalidParameterException"


def test_what_is_under_way_cannot_be_started_updated_or_deleted() -> None:
    w = play()
    w.done("CreateStreamProcessor", **labels("door"))
    w.done("StartStreamProcessor", **session("door"))
    for operation, message in [
        ("StartStreamProcessor", "Specified resource is in use."),
        ("UpdateStreamProcessor", "Specified resource is in use."),
        ("DeleteStreamProcessor", "Cannot delete stream processor."),
    ]:
        members = session("door") if operation == "StartStreamProcessor" else {"Name": "door"}
        refusal = w.refused(operation, **members)
        assert (refusal.code, refusal.message, refusal.status) == ("ResourceInUseException", message, 400)


def test_what_is_not_under_way_cannot_be_stopped() -> None:
    w = play()
    w.done("CreateStreamProcessor", **faces("lobby"))
    refusal = w.refused("StopStreamProcessor", Name="lobby")
    assert (refusal.code, refusal.message) == (
        "ResourceInUseException",
        "Stream Processor not available for stopping",
    )


def test_one_that_has_been_starting_for_two_minutes_can_be_deleted() -> None:
    w = play(timings=Timings(starting=1000))
    w.done("CreateStreamProcessor", **faces("lobby"))
    w.done("StartStreamProcessor", Name="lobby")
    w.wait(119)
    assert w.code("DeleteStreamProcessor", Name="lobby") == "ResourceInUseException"
    w.wait(1)
    w.done("DeleteStreamProcessor", Name="lobby")
    w.wait(2)
    assert w.code("DescribeStreamProcessor", Name="lobby") == "ResourceNotFoundException"


def test_a_deleted_processor_is_seen_for_a_while_and_its_name_and_stream_are_free_afterwards() -> None:
    w = play(timings=Timings(deleting=3))
    w.done("CreateStreamProcessor", **labels("door"))
    assert w.ask("DeleteStreamProcessor", Name="door") == Success(None)
    assert w.status("door") == "STOPPED"
    assert w.code("CreateStreamProcessor", **labels("door")) == "ResourceInUseException"
    assert w.code("StartStreamProcessor", **session("door")) == "ResourceNotFoundException"
    assert w.code("DeleteStreamProcessor", Name="door") == "ResourceNotFoundException"
    w.wait(3)
    assert w.code("DescribeStreamProcessor", Name="door") == "ResourceNotFoundException"
    w.done("CreateStreamProcessor", **labels("door"))


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
def test_what_is_out_of_reach_shows_a_little_after_a_start_that_succeeds(
    dependency_faults: DependencyFaults, message: str
) -> None:
    w = play(dependency_faults=dependency_faults)
    w.done("CreateStreamProcessor", **faces("lobby"))
    w.done("StartStreamProcessor", Name="lobby")
    assert w.status("lobby") == "STARTING"
    w.wait(1)
    assert w.status("lobby") == "FAILED"
    assert w.describe("lobby")["StatusMessage"] == message
    w.world.dependency_faults = DependencyFaults()
    w.done("StartStreamProcessor", Name="lobby")
    assert "StatusMessage" not in w.describe("lobby")
    w.wait(2)
    assert w.status("lobby") == "RUNNING"


def test_streams_of_another_region_do_not_exist_here() -> None:
    w = play()
    elsewhere = {"KinesisVideoStream": {"Arn": video("lobby", region="eu-west-1")}}
    w.done("CreateStreamProcessor", **faces("lobby", Input=elsewhere))
    w.done("StartStreamProcessor", Name="lobby")
    w.wait(1)
    assert w.describe("lobby")["StatusMessage"] == "Stream lobby doesn't exist"


def test_a_scripted_failure_strikes_what_is_at_work_and_otherwise_the_next_start() -> None:
    w = play()
    w.done("CreateStreamProcessor", **faces("lobby"))
    w.done("StartStreamProcessor", Name="lobby")
    w.wait(2)
    w.world.doom("lobby", "Access denied to Kinesis Video", w.now, after=5)
    w.wait(4)
    assert w.status("lobby") == "RUNNING"
    w.wait(1)
    assert (w.status("lobby"), w.describe("lobby")["StatusMessage"]) == ("FAILED", "Access denied to Kinesis Video")
    w.world.doom("lobby", "Collection not found", w.now, after=1)
    w.wait(100)
    assert w.describe("lobby")["StatusMessage"] == "Access denied to Kinesis Video"
    w.done("StartStreamProcessor", Name="lobby")
    w.wait(1)
    assert (w.status("lobby"), w.describe("lobby")["StatusMessage"]) == ("FAILED", "Collection not found")
    w.done("StartStreamProcessor", Name="lobby")
    w.wait(2)
    assert w.status("lobby") == "RUNNING"


def test_as_many_sessions_as_the_region_allows_can_be_under_way_for_each_kind() -> None:
    w = play(limits=Limits(concurrent_label_detection={"us-east-1": 2}, concurrent_face_search={"us-east-1": 1}))
    for name in ("a", "b", "c"):
        w.done("CreateStreamProcessor", **labels(name))
        w.done("CreateStreamProcessor", **faces(f"face-{name}"))
    w.done("StartStreamProcessor", **session("a"))
    w.done("StartStreamProcessor", **session("b"))
    w.done("StartStreamProcessor", Name="face-a")
    refusal = w.refused("StartStreamProcessor", **session("c"))
    assert refusal.code == "LimitExceededException"
    assert refusal.message is not None
    assert refusal.message.endswith("limit - 2.")
    assert w.code("StartStreamProcessor", Name="face-b") == "LimitExceededException"
    w.wait(10)
    w.done("StartStreamProcessor", **session("c"))


def test_accounts_and_regions_know_nothing_of_each_other() -> None:
    w = play()
    w.done("CreateStreamProcessor", **labels("door"))
    for caller in (Caller("999900001111", "us-east-1"), Caller(w.caller.account, "us-west-2")):
        w.caller = caller
        assert w.code("DescribeStreamProcessor", Name="door") == "ResourceNotFoundException"
        arn = w.done("CreateStreamProcessor", **labels("door"))["StreamProcessorArn"]
        assert arn == f"arn:aws:rekognition:{caller.region}:{caller.account}:streamprocessor/door"


def test_time_never_goes_back() -> None:
    w = play()
    w.done("CreateStreamProcessor", **labels("door"))
    w.done("StartStreamProcessor", **session("door", seconds=10))
    w.wait(10)
    assert w.status("door") == "STOPPED"
    w.wait(-100)
    answer = w.ask("StartStreamProcessor", **session("door", seconds=10))
    assert isinstance(answer, Success)
    assert w.world.next_moment() == 1020
