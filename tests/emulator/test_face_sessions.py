"""When face searches write to their data stream, in the pure world: no HTTP, and the time is an argument."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest

from aiorekostream.emulator import DependencyFaults, Detection, Timings, VideoMoment
from tests.emulator.face_searches import BEGIN, lobby
from tests.emulator.samples import HERE, data, faces

if TYPE_CHECKING:
    from collections.abc import Sequence


@attrs.define
class CountingFaceAnalyst:
    """Sees nothing, and counts how often it is asked."""

    asked: int = 0

    def detect(self, moment: VideoMoment, /) -> Sequence[Detection]:
        del moment
        self.asked += 1
        return ()

    def next_change(self, moment: VideoMoment, /) -> float | None:
        del moment
        return None


def test_records_are_written_only_while_the_processor_runs() -> None:
    """It runs from 2 s to its stop at 5 s, and a record arrives 0.5 s after its frame."""
    aws = lobby(timings=Timings(starting=2, detecting=0.5))
    assert aws.course() == []
    aws.done("StartStreamProcessor", Name="lobby")
    aws.wait(5)
    aws.done("StopStreamProcessor", Name="lobby")
    aws.wait(600)
    assert aws.course() == [2.5, 3.5, 4.5]
    aws.done("StartStreamProcessor", Name="lobby")
    aws.wait(3)
    assert aws.course() == [2.5, 3.5, 4.5, 607.5]


@pytest.mark.parametrize(("sampling", "count"), [(0.2, 50), (1 / 3, 30), (4, 3)])
def test_rate_of_records_is_set(sampling: float, count: int) -> None:
    aws = lobby(timings=Timings(starting=0, detecting=0, sampling=sampling))
    aws.done("StartStreamProcessor", Name="lobby")
    aws.wait(9.999)
    assert len(aws.stored()) == count


def test_failure_ends_the_records() -> None:
    aws = lobby()
    aws.done("StartStreamProcessor", Name="lobby")
    aws.world.schedule_failure("lobby", "Access denied to Role", aws.now, after=3)
    aws.wait(60)
    assert (aws.status("lobby"), aws.course()) == ("FAILED", [0.5, 1.5, 2.5])


def test_processor_without_its_role_writes_nothing() -> None:
    """It fails before it would run, or after."""
    for failing in (1, 30):
        timings = Timings(starting=2, failing=failing)
        aws = lobby(timings=timings, dependency_faults=DependencyFaults(denied_roles=["*"]))
        aws.done("StartStreamProcessor", Name="lobby")
        aws.wait(60)
        assert (aws.status("lobby"), aws.stored()) == ("FAILED", [])


def test_server_timestamps_begin_at_the_start() -> None:
    """By them, a consumer tells the records of a session from those of an earlier one."""
    aws = lobby(timings=Timings(starting=0, detecting=0, sampling=0.1))
    aws.wait(1.3)
    aws.done("StartStreamProcessor", Name="lobby")
    aws.wait(10)
    found = [record["InputInformation"]["KinesisVideo"]["ServerTimestamp"] for record in aws.records()]
    assert min(found) >= BEGIN + 1.3
    assert len(found) == 94


def test_records_are_the_same_however_often_the_stream_is_read() -> None:
    """Also the first ones, of which those before the start are left out."""
    courses: list[list[float]] = []
    for step in (10, 0.05):
        aws = lobby(timings=Timings(starting=0, detecting=0, sampling=0.1))
        aws.wait(1.3)
        aws.done("StartStreamProcessor", Name="lobby")
        for _ in range(round(10 / step)):
            aws.wait(step)
            courses.append(aws.course())
    assert courses[0] == courses[-1]


def test_hour_of_200_cameras_asks_for_no_frame_until_it_is_read() -> None:
    analyst = CountingFaceAnalyst()
    names = [f"camera-{number}" for number in range(200)]
    aws = lobby(analyst=analyst, processors=names, timings=Timings(starting=0, detecting=0))
    for name in names:
        aws.done("StartStreamProcessor", Name=name)
    aws.wait(3600)
    assert analyst.asked == 0
    assert len(aws.stored("camera-7")) == 3601
    assert analyst.asked == 3601


def test_records_of_the_latest_day_are_kept() -> None:
    aws = lobby(timings=Timings(starting=0, sampling=100))
    aws.done("StartStreamProcessor", Name="lobby")
    aws.wait(3 * 86_400)
    assert len(aws.stored()) == 864


def test_stream_exists_once_a_processor_names_it() -> None:
    aws = lobby(Output={"KinesisDataStream": {"Arn": "arn:aws:kinesis:us-east-1:999999999999:stream/visitors"}})
    stream = aws.streams.get(HERE, "visitors")
    assert stream is not None
    assert stream.arn == f"arn:aws:kinesis:us-east-1:{HERE.account}:stream/visitors"
    assert len(stream.open_shards) == 1


def test_records_of_two_processors_are_in_time_order_in_one_stream() -> None:
    """Their data streams have the same name in two accounts, and the emulator has one stream of a name."""
    aws = lobby(timings=Timings(starting=0, detecting=0.5, sampling=2))
    other = data("lobby").replace("111122223333", "999999999999")
    aws.done("CreateStreamProcessor", **faces("hall", Output={"KinesisDataStream": {"Arn": other}}))
    aws.done("StartStreamProcessor", Name="hall")
    aws.wait(1)
    aws.done("StartStreamProcessor", Name="lobby")
    aws.wait(6)
    assert aws.course() == [0.5, 2.5, 3.5, 4.5, 5.5, 6.5]


def test_records_of_two_processors_follow_each_other_in_one_stream() -> None:
    """The second one is created when the first one is gone. The stream is read only afterwards."""
    aws = lobby()
    aws.done("StartStreamProcessor", Name="lobby")
    aws.wait(2)
    aws.done("StopStreamProcessor", Name="lobby")
    aws.wait(2)
    aws.done("DeleteStreamProcessor", Name="lobby")
    aws.wait(4)
    aws.done("CreateStreamProcessor", **faces("hall", Output={"KinesisDataStream": {"Arn": data("lobby")}}))
    aws.done("StartStreamProcessor", Name="hall")
    aws.wait(2)
    assert aws.course() == [0.5, 1.5, 8.5, 9.5]
    names = [record["InputInformation"]["KinesisVideo"]["StreamArn"].split("/")[1] for record in aws.records()]
    assert names == ["lobby", "lobby", "hall", "hall"]
