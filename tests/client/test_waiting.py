"""Waiting, against the emulated world in virtual time."""

from __future__ import annotations

import asyncio
import datetime
from typing import TYPE_CHECKING

import attrs
import pytest

from aiorekostream import errors
from aiorekostream.client.waiting import Watcher
from aiorekostream.domain.replies import StreamProcessorSummary
from aiorekostream.domain.status import Status
from aiorekostream.emulator.timings import Timings
from aiorekostream.limits import Limits
from tests.client.virtual_aws import VirtualAws
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

_ROOMY = Limits(concurrent_face_search={"us-east-1": 20_000}, max_stream_processors=20_000)


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _outcome(wait: Coroutine[object, object, object]) -> tuple[object, float]:
    """What a wait returns or raises, and when."""
    try:
        return await wait, _now()
    except errors.RekostreamError as error:
        return error, _now()


async def _nobody_is_left() -> bool:
    return asyncio.all_tasks() == {asyncio.current_task()}


def _refused(code: str, kind: type[errors.ServiceError], *, status: int = 400) -> errors.ServiceError:
    return kind("", operation="DescribeStreamProcessor", code=code, http_status=status, retry_safe=True)


def test_a_face_search_is_waited_for_until_it_runs() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.faces("lobby", started=True)
        found, moment = await _outcome(Watcher(aws.pipeline).until_running("lobby"))
        assert found == StreamProcessorSummary("lobby", Status.RUNNING)
        assert 2 <= moment < 3
        assert aws.calls.keys() == {"Describe"}
        assert aws.calls["Describe"] <= 6
        assert await _nobody_is_left()

    run(main())


def test_a_session_is_waited_for_until_it_is_over() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.labels("door", seconds=30)
        found, moment = await _outcome(Watcher(aws.pipeline).until_finished("door"))
        assert found == StreamProcessorSummary("door", Status.STOPPED)
        assert 30 <= moment < 36
        assert aws.calls["Describe"] <= 14

    run(main())


def test_a_session_that_was_over_before_the_first_look_is_over() -> None:
    async def main() -> None:
        aws = VirtualAws(latency=3)
        aws.labels("door", seconds=1)
        found, _ = await _outcome(Watcher(aws.pipeline).until_finished("door"))
        assert found == StreamProcessorSummary("door", Status.STOPPED)
        assert aws.calls["Describe"] == 1

    run(main())


def _showing(aws: VirtualAws, *statuses: tuple[float, str]) -> None:
    """Have a processor in these statuses, each from its second on."""

    async def handler(_operation: str, body: Mapping[str, object]) -> Mapping[str, object]:
        await asyncio.sleep(0.06)
        status = [status for moment, status in statuses if moment <= _now()][-1]
        return {"Name": body["Name"], "StreamProcessorArn": "arn", "Status": status}

    aws.transport.handler = handler


def test_what_is_shown_of_the_time_before_the_start_is_not_its_end() -> None:
    async def main() -> None:
        aws = VirtualAws()
        _showing(aws, (0, "STOPPED"), (0.8, "STARTING"), (10, "STOPPED"))
        _, moment = await _outcome(Watcher(aws.pipeline).until_finished("door"))
        assert moment >= 10

    run(main())


def test_a_failure_of_the_time_before_the_start_is_not_its_own() -> None:
    async def main() -> None:
        aws = VirtualAws()
        _showing(aws, (0, "FAILED"), (0.8, "STARTING"), (3, "RUNNING"))
        found, _ = await _outcome(Watcher(aws.pipeline).until_running("lobby"))
        assert found == StreamProcessorSummary("lobby", Status.RUNNING)

    run(main())


def test_a_session_that_is_over_costs_a_second_look_and_a_second() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.labels("door")
        found, moment = await _outcome(Watcher(aws.pipeline).until_finished("door"))
        assert found == StreamProcessorSummary("door", Status.STOPPED)
        assert aws.calls["Describe"] == 2
        assert moment < 1.1

    run(main())


def test_thousands_of_sessions_that_are_over_cost_a_second_sweep() -> None:
    async def main() -> None:
        aws = VirtualAws(limits=_ROOMY)
        names = [f"door-{n:04}" for n in range(3000)]
        aws.labels(*names)
        watcher = Watcher(aws.pipeline)
        await asyncio.gather(*(watcher.until_finished(name) for name in names))
        assert aws.calls == {"ListStreamProcessors": 6}

    run(main())


def test_a_look_that_began_before_the_wait_does_not_end_it() -> None:
    async def main() -> None:
        aws = VirtualAws(latency=2)
        aws.labels("door")
        watcher = Watcher(aws.pipeline)
        early = asyncio.create_task(watcher.until_finished("door"))
        await asyncio.sleep(1.5)  # the answer, STOPPED, is on its way
        aws.do("StartStreamProcessor", **_session("door"))
        found, moment = await _outcome(watcher.until_finished("door"))
        assert (await early).status is Status.STOPPED
        assert found == StreamProcessorSummary("door", Status.STOPPED)
        assert moment > 11.5

    run(main())


def _session(name: str) -> Mapping[str, object]:
    selector = {"KVSStreamStartSelector": {"FragmentNumber": "1"}}
    return {"Name": name, "StartSelector": selector, "StopSelector": {"MaxDurationInSeconds": 10}}


def test_stopping_and_deleting_are_waited_for() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.faces("lobby", started=True)
        watcher = Watcher(aws.pipeline)
        await watcher.until_running("lobby")
        aws.stop("lobby")
        assert (await watcher.until_stopped("lobby")).status is Status.STOPPED
        aws.delete("lobby")
        deleted = _now()
        await watcher.until_deleted("lobby")
        assert 2 <= _now() - deleted < 4
        assert await _nobody_is_left()

    run(main())


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_a_failure_ends_the_wait_with_aws_s_words_and_a_remedy(many: bool) -> None:  # noqa: FBT001
    async def main() -> None:
        aws = VirtualAws(limits=_ROOMY)
        names = [f"camera-{n}" for n in range(30 if many else 1)]
        aws.deny(denied_roles=("*",))
        aws.faces("camera-0", started=True)
        aws.deny()
        aws.faces(*names[1:], started=True)
        watcher = Watcher(aws.pipeline)
        outcomes = await asyncio.gather(*(_outcome(watcher.until_running(name)) for name in names))
        (error, moment), *others = outcomes
        assert isinstance(error, errors.StreamProcessorFailedError)
        assert (error.name, error.status_message) == ("camera-0", "Access denied to Role")
        assert "rekognition.amazonaws.com" in error.hint
        assert moment < 3
        assert all(isinstance(found, StreamProcessorSummary) for found, _ in others)
        assert aws.calls["Describe"] == 1 or not many

    run(main())


def test_a_label_detection_never_runs_and_the_error_says_what_to_wait_for() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.labels("door", seconds=30)
        error, moment = await _outcome(Watcher(aws.pipeline).until_running("door"))
        assert isinstance(error, errors.InvalidRequestError)
        assert "wait_until_finished" in str(error)
        assert "STARTING as long as it works" in str(error)
        assert moment < 1

    run(main())


def test_label_detections_among_many_are_found_out_although_a_list_does_not_tell() -> None:
    async def main() -> None:
        aws = VirtualAws(limits=_ROOMY)
        names = [f"door-{n}" for n in range(30)]
        aws.labels(*names, seconds=100)
        watcher = Watcher(aws.pipeline)
        outcomes = await asyncio.gather(*(_outcome(watcher.until_running(name)) for name in names))
        assert all(isinstance(error, errors.InvalidRequestError) for error, _ in outcomes)
        assert min(moment for _, moment in outcomes) < 20
        assert aws.calls["Describe"] <= 30

    run(main())


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_a_face_search_has_no_end_to_wait_for(many: bool) -> None:  # noqa: FBT001
    async def main() -> None:
        aws = VirtualAws(limits=_ROOMY)
        names = [f"camera-{n}" for n in range(30 if many else 1)]
        aws.faces(*names, started=True)
        watcher = Watcher(aws.pipeline)
        outcomes = await asyncio.gather(*(_outcome(watcher.until_finished(name)) for name in names))
        assert all("runs until it is stopped" in str(error) for error, _ in outcomes)

    run(main())


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_a_face_search_that_was_stopped_while_it_started_is_not_waited_for(many: bool) -> None:  # noqa: FBT001
    async def main() -> None:
        aws = VirtualAws(timings=Timings(starting=20), limits=_ROOMY)
        names = [f"camera-{n}" for n in range(30 if many else 1)]
        aws.faces(*names, started=True)
        watcher = Watcher(aws.pipeline)
        wait = asyncio.create_task(_outcome(watcher.until_running("camera-0")))
        others = [asyncio.create_task(watcher.until_running(name)) for name in names[1:]]
        await asyncio.sleep(5)
        aws.stop("camera-0")
        error, moment = await wait
        assert isinstance(error, errors.StreamProcessorFailedError)
        assert "start it again" in str(error)
        assert moment < 12
        assert len(await asyncio.gather(*others)) == len(names) - 1

    run(main())


def test_one_that_was_created_just_now_may_take_a_while_to_be_found() -> None:
    async def main() -> None:
        aws = VirtualAws()
        wait = asyncio.create_task(Watcher(aws.pipeline).until_running("lobby"))
        await asyncio.sleep(3)
        aws.faces("lobby", started=True)
        assert (await wait).status is Status.RUNNING

    run(main())


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_one_that_does_not_exist_is_not_waited_for_much_longer_than_that(many: bool) -> None:  # noqa: FBT001
    async def main() -> None:
        aws = VirtualAws()
        watcher = Watcher(aws.pipeline)
        names = [f"camera-{n}" for n in range(30 if many else 1)]
        outcomes = await asyncio.gather(*(_outcome(watcher.until_running(name)) for name in names))
        assert all(isinstance(error, errors.ResourceNotFoundError) for error, _ in outcomes)
        assert len({id(error) for error, _ in outcomes}) == len(names)
        assert all(5 <= moment < 15 for _, moment in outcomes)

    run(main())


def test_one_that_vanishes_is_missed_at_once() -> None:
    async def main() -> None:
        aws = VirtualAws(timings=Timings(deleting=0))
        aws.faces("lobby")
        wait = asyncio.create_task(_outcome(Watcher(aws.pipeline).until_running("lobby")))
        await asyncio.sleep(0.3)
        aws.delete("lobby")
        error, moment = await wait
        assert isinstance(error, errors.ResourceNotFoundError)
        assert moment < 2

    run(main())


def test_a_wait_ends_with_its_own_timeout_and_says_what_was_seen_last() -> None:
    async def main() -> None:
        aws = VirtualAws(timings=Timings(starting=1000))
        aws.faces("lobby", started=True)
        watcher = Watcher(aws.pipeline)
        error, moment = await _outcome(watcher.until_running("lobby", timeout=datetime.timedelta(seconds=7)))
        assert isinstance(error, errors.WaitTimeoutError)
        assert (error.name, error.wanted, error.status, error.seconds) == ("lobby", "RUNNING", "STARTING", 7)
        assert moment == 7
        error, moment = await _outcome(watcher.until_running("lobby"))
        assert moment == 157
        assert "delete it and create it again" in str(error)
        assert await _nobody_is_left()

    run(main())


@pytest.mark.parametrize(
    ("wait", "seconds"), [("finished", 180), ("stopped", 60), ("at_rest", 180), ("deleted", 60), ("running", 150)]
)
def test_every_kind_of_wait_has_a_time_of_its_own(wait: str, seconds: float) -> None:
    async def main() -> None:
        aws = VirtualAws(timings=Timings(updating=1000))
        aws.labels("door") if wait == "finished" else aws.faces("door", started=True)
        if wait == "finished":
            aws.do("UpdateStreamProcessor", Name="door", DataSharingPreferenceForUpdate={"OptIn": True})
        elif wait == "running":
            aws.stop("door")
        error, moment = await _outcome(getattr(Watcher(aws.pipeline), f"until_{wait}")("door"))
        assert isinstance(error, errors.WaitTimeoutError)
        assert moment == seconds

    run(main())


def test_a_wait_of_no_time_may_begin_a_look_and_waits_for_no_answer() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.faces("lobby")
        error, moment = await _outcome(Watcher(aws.pipeline).until_stopped("lobby", timeout=0))
        assert isinstance(error, errors.WaitTimeoutError)
        assert moment == 0
        assert aws.calls["Describe"] <= 1
        assert await _nobody_is_left()

    run(main())


@pytest.mark.parametrize("timeout", [-1, True, "1", float("nan"), datetime.timedelta(seconds=-1)])
def test_a_timeout_is_a_number_of_seconds_or_a_timedelta(timeout: float) -> None:
    watcher = Watcher(VirtualAws().pipeline)
    with pytest.raises(errors.InvalidRequestError, match="timeout: must be a timedelta or a number of seconds"):
        run(watcher.until_running("lobby", timeout=timeout))


def test_what_is_no_name_is_refused_before_anything_is_sent() -> None:
    aws = VirtualAws()
    with pytest.raises(errors.InvalidRequestError, match="name: must be"):
        run(Watcher(aws.pipeline).until_stopped("front door"))
    assert not aws.transport.calls


def test_ten_thousand_face_searches_are_watched_with_ten_pages_a_round() -> None:
    async def main() -> None:
        aws = VirtualAws(timings=Timings(starting=20), limits=_ROOMY)
        names = [f"camera-{n:05}" for n in range(10_000)]
        aws.faces(*names, started=True)
        watcher = Watcher(aws.pipeline)
        found = await asyncio.gather(*(watcher.until_running(name) for name in names))
        assert [entry.name for entry in found] == names
        assert {entry.status for entry in found} == {Status.RUNNING}
        assert 20 <= _now() < 32
        rounds, rest = divmod(aws.calls["ListStreamProcessors"], 10)
        assert (rounds <= 7, rest) == (True, 0)
        # Not one for each: only a few of those that started slowly, since a list does not tell what kind they are.
        assert aws.calls["Describe"] <= rounds * 20
        assert aws.throttled == 0
        assert await _nobody_is_left()

    run(main())


def test_a_closer_look_among_many_does_not_put_the_next_look_off_once_few_are_left() -> None:
    async def main() -> None:
        aws = VirtualAws(limits=_ROOMY, timings=Timings(starting=16))
        names = [f"camera-{n:03}" for n in range(900)]
        aws.faces(*names, started=True)
        watcher = Watcher(aws.pipeline)
        waits = [_outcome(watcher.until_running(name, timeout=15 if name > "camera-001" else 150)) for name in names]
        (_, moment), *_ = await asyncio.gather(*waits)
        assert moment < 23

    run(main())


@pytest.mark.parametrize("paced", [False, True])
def test_a_closer_look_that_is_lost_again_and_again_is_not_repeated_without_rest(paced: bool) -> None:  # noqa: FBT001
    async def main() -> None:
        unreadable = errors.MalformedResponseError([], operation="DescribeStreamProcessor")
        aws = VirtualAws(
            limits=_ROOMY, meddle=lambda operation, _body: unreadable if operation.startswith("Describe") else None
        )
        names = [f"camera-{n}" for n in range(30)]
        aws.deny(denied_roles=("*",))
        aws.faces("camera-0", started=True)
        aws.deny()
        aws.faces(*names[1:])
        watcher = Watcher(aws.pipeline if paced else attrs.evolve(aws.pipeline, pacing=None))
        await asyncio.gather(*(_outcome(watcher.until_running(name, timeout=20)) for name in names))
        assert aws.calls["Describe"] <= 20

    run(main())


def test_ten_thousand_tasks_may_wait_for_one_processor_with_the_calls_of_one() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.faces("lobby", started=True)
        watcher = Watcher(aws.pipeline)
        await asyncio.gather(*(watcher.until_running("lobby") for _ in range(10_000)))
        assert aws.calls.keys() == {"Describe"}
        assert aws.calls["Describe"] <= 6

    run(main())


def test_what_vanishes_from_the_list_is_deleted_without_a_describe_for_each() -> None:
    async def main() -> None:
        aws = VirtualAws(timings=Timings(deleting=3))
        names = [f"camera-{n}" for n in range(100)]
        aws.faces(*names, "other")
        for name in names:
            aws.delete(name)
        watcher = Watcher(aws.pipeline)
        await asyncio.gather(*(watcher.until_deleted(name) for name in names))
        assert 3 <= _now() < 6
        assert aws.calls.keys() == {"ListStreamProcessors"}

    run(main())


def test_a_few_among_very_many_are_described_since_that_costs_less() -> None:
    async def main() -> None:
        aws = VirtualAws(timings=Timings(starting=30), limits=_ROOMY)
        aws.faces(*(f"camera-{n:05}" for n in range(5000)))
        names = [f"lobby-{n}" for n in range(15)]
        aws.faces(*names, started=True)
        watcher = Watcher(aws.pipeline)
        await asyncio.gather(*(watcher.until_running(name) for name in names))
        assert aws.calls["ListStreamProcessors"] == 6  # the first look tells how long the list is
        assert aws.calls["Describe"] < 15 * 15

    run(main())


def test_a_cancelled_wait_disturbs_no_other_and_the_last_one_takes_the_poller_along() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.faces("lobby", "hall", started=True)
        watcher = Watcher(aws.pipeline)
        first, second, third = (asyncio.create_task(watcher.until_running(n)) for n in ("lobby", "lobby", "hall"))
        await asyncio.sleep(0.03)  # a look is under way
        first.cancel()
        assert (await second).status is Status.RUNNING
        assert (await third).status is Status.RUNNING
        assert first.cancelled()
        fourth = asyncio.create_task(watcher.until_stopped("hall"))
        await asyncio.sleep(0.03)
        fourth.cancel()
        await asyncio.gather(fourth, return_exceptions=True)
        assert await _nobody_is_left()

    run(main())


def _tasks(name: str) -> set[asyncio.Task[object]]:
    return {task for task in asyncio.all_tasks() if task.get_name() == name}


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_somebody_who_cancels_every_task_does_not_make_later_waits_blind(many: bool) -> None:  # noqa: FBT001
    async def main() -> None:
        aws = VirtualAws(timings=Timings(starting=5), limits=_ROOMY)
        names = [f"camera-{n}" for n in range(30 if many else 1)]
        aws.faces(*names, started=True)
        watcher = Watcher(aws.pipeline)
        first = [asyncio.create_task(watcher.until_running(name, timeout=30)) for name in names]
        await asyncio.sleep(1)
        for task in _tasks("aiorekostream-poller"):
            task.cancel()
        await asyncio.wait(first)
        assert all(wait.cancelled() for wait in first)
        outcomes = await asyncio.gather(*(_outcome(watcher.until_running(name)) for name in names))
        assert max(moment for _, moment in outcomes) < 12

    run(main())


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_a_look_that_somebody_cancelled_is_made_again(many: bool) -> None:  # noqa: FBT001
    async def main() -> None:
        aws = VirtualAws(timings=Timings(starting=1), limits=_ROOMY)
        names = [f"camera-{n}" for n in range(30 if many else 1)]
        aws.faces(*names, started=True)
        watcher = Watcher(aws.pipeline)
        waits = [asyncio.create_task(_outcome(watcher.until_running(name, timeout=30))) for name in names]
        await asyncio.sleep(0.01)
        for task in asyncio.all_tasks() - {asyncio.current_task(), *waits} - _tasks("aiorekostream-poller"):
            task.cancel()
        assert max(moment for _, moment in await asyncio.gather(*waits)) < 5

    run(main())


def test_a_watcher_serves_one_event_loop_after_another() -> None:
    aws = VirtualAws(timings=Timings(starting=5))
    watcher = Watcher(attrs.evolve(aws.pipeline, pacing=None))

    async def main() -> None:
        if not aws.transport.calls:
            aws.faces("lobby", started=True)
        assert (await watcher.until_running("lobby")).status is Status.RUNNING

    run(main())
    run(main())


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_a_look_that_was_broken_off_is_no_obstacle_to_the_next_wait(many: bool) -> None:  # noqa: FBT001
    async def main() -> None:
        aws = VirtualAws(limits=_ROOMY)
        names = [f"camera-{n}" for n in range(30 if many else 1)]
        aws.faces(*names, started=True)
        watcher = Watcher(aws.pipeline)
        for _ in range(3):
            outcomes = await asyncio.gather(*(_outcome(watcher.until_running(name, timeout=0.03)) for name in names))
            assert all(isinstance(error, errors.WaitTimeoutError) for error, _ in outcomes)
        await asyncio.gather(*(watcher.until_running(name) for name in names))

    run(main())


@pytest.mark.parametrize("many", [False, True], ids=["few", "many"])
def test_throttling_lost_answers_and_failures_of_the_service_are_outlived(many: bool) -> None:  # noqa: FBT001
    troubles = [
        _refused("ThrottlingException", errors.ThrottlingError),
        _refused("InternalServerError", errors.InternalServerError, status=500),
        errors.ConnectionLostError("reset", operation="D", retry_safe=True),
        errors.MalformedResponseError([], operation="D"),
        _refused("InvalidPaginationTokenException", errors.InvalidPaginationTokenError),
    ]

    async def main() -> None:
        count = 0

        def meddle(_operation: str, _body: Mapping[str, object]) -> Exception | None:
            nonlocal count
            count += 1
            return troubles[count % len(troubles)] if count % 3 else None

        aws = VirtualAws(meddle=meddle)
        names = [f"camera-{n}" for n in range(10 if many else 2)]
        aws.faces(*names, started=True)
        watcher = Watcher(aws.pipeline)
        found = await asyncio.gather(*(watcher.until_running(name) for name in names))
        assert {entry.status for entry in found} == {Status.RUNNING}
        assert _now() < 100

    run(main())


def test_a_service_that_stays_away_is_the_cause_of_the_timeout() -> None:
    async def main() -> None:
        gone = errors.ConnectError("refused", operation="DescribeStreamProcessor", retry_safe=True)
        aws = VirtualAws(meddle=lambda _operation, _body: gone)
        error, moment = await _outcome(Watcher(aws.pipeline).until_running("lobby", timeout=400))
        assert isinstance(error, errors.WaitTimeoutError)
        assert error.__cause__ is gone
        assert error.status is None
        assert moment == 400

    run(main())


def test_what_may_not_be_listed_is_described() -> None:
    async def main() -> None:
        denied = _refused("AccessDeniedException", errors.AccessDeniedError)
        aws = VirtualAws(meddle=lambda operation, _body: denied if operation.startswith("List") else None)
        names = [f"camera-{n}" for n in range(10)]
        aws.faces(*names, started=True)
        watcher = Watcher(aws.pipeline)
        found = await asyncio.gather(*(watcher.until_running(name) for name in names))
        assert {entry.status for entry in found} == {Status.RUNNING}
        assert aws.calls["ListStreamProcessors"] == 1

    run(main())


def test_what_may_not_be_described_ends_the_waits_for_it_and_no_others() -> None:
    async def main() -> None:
        denied = _refused("AccessDeniedException", errors.AccessDeniedError)
        aws = VirtualAws(meddle=lambda _operation, body: denied if body.get("Name") == "hall" else None)
        aws.faces("lobby", "hall", started=True)
        watcher = Watcher(aws.pipeline)
        lobby = asyncio.create_task(watcher.until_running("lobby"))
        error, moment = await _outcome(watcher.until_running("hall"))
        assert isinstance(error, errors.AccessDeniedError)
        assert moment < 1
        assert (await lobby).status is Status.RUNNING

    run(main())


def test_where_describing_is_not_allowed_the_list_answers_what_it_can() -> None:
    async def main() -> None:
        denied = _refused("AccessDeniedException", errors.AccessDeniedError)
        aws = VirtualAws(
            timings=Timings(starting=16),
            limits=_ROOMY,
            meddle=lambda operation, _body: denied if operation.startswith("Describe") else None,
        )
        names = [f"camera-{n:02}" for n in range(30)]
        aws.deny(denied_roles=("*",))
        aws.faces(names[0], started=True)
        aws.deny()
        aws.faces(*names[1:25], started=True)
        await asyncio.sleep(10)
        aws.faces(*names[25:28], started=True)  # the last ones are few
        aws.faces(*names[28:])
        watcher = Watcher(aws.pipeline)
        (failure, _), *others = await asyncio.gather(
            *(_outcome(watcher.until_running(name, timeout=30)) for name in names[:28])
        )
        assert isinstance(failure, errors.StreamProcessorFailedError)
        assert failure.status_message is None
        assert failure.__cause__ is denied
        assert "rekognition:DescribeStreamProcessor" in str(failure)
        assert {getattr(found, "status", found) for found, _ in others} == {Status.RUNNING}
        assert max(moment for _, moment in others) < 32
        assert aws.calls["Describe"] <= 30

    run(main())


def test_what_nobody_can_survive_reaches_everybody_who_waits() -> None:
    async def main() -> None:
        aws = VirtualAws(timings=Timings(starting=50))
        names = [f"camera-{n}" for n in range(10)]
        aws.faces(*names, started=True)
        watcher = Watcher(aws.pipeline)
        waits = [asyncio.create_task(_outcome(watcher.until_running(name))) for name in names]
        await asyncio.sleep(3)
        await aws.transport.aclose()
        outcomes = [await wait for wait in waits]
        assert {type(error) for error, _ in outcomes} == {errors.ConfigurationError}
        assert len({id(error) for error, _ in outcomes}) == 10
        assert await _nobody_is_left()

    run(main())


def test_so_many_failures_that_they_cannot_all_be_described_in_time_are_failures_still() -> None:
    async def main() -> None:
        aws = VirtualAws(limits=_ROOMY)
        names = [f"camera-{n:03}" for n in range(400)]
        aws.deny(denied_roles=("*",))
        aws.faces(*names, started=True)
        watcher = Watcher(aws.pipeline)
        outcomes = await asyncio.gather(*(_outcome(watcher.until_running(name, timeout=10)) for name in names))
        failures = [error for error, _ in outcomes if isinstance(error, errors.StreamProcessorFailedError)]
        assert len(failures) == 400
        assert {failure.status_message for failure in failures} == {"Access denied to Role", None}

    run(main())


def test_a_word_of_tomorrow_is_waited_out() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.transport.handler = lambda _operation, body: {
            "Name": body["Name"],
            "StreamProcessorArn": "arn",
            "Status": "PONDERING" if _now() < 10 else "RUNNING",
        }
        found, moment = await _outcome(Watcher(aws.pipeline).until_running("lobby"))
        assert found == StreamProcessorSummary("lobby", Status.RUNNING)
        assert 10 <= moment < 16

    run(main())
