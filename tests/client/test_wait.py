"""Waiting, against the emulated world in virtual time."""

from __future__ import annotations

import asyncio
import cProfile
import datetime
from typing import TYPE_CHECKING, Any, cast

import attrs
import pytest

from aiorekostream import errors
from aiorekostream.client.poller import Poller
from aiorekostream.client.wait_conditions import WaitCondition
from aiorekostream.domain.responses import StreamProcessorSummary
from aiorekostream.domain.status import Status
from aiorekostream.emulator import Timings
from aiorekostream.limits import Limits
from tests.client.virtual_aws import VirtualAws
from tests.effort import part
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


async def _no_task_is_left() -> bool:
    return asyncio.all_tasks() == {asyncio.current_task()}


def _refused(code: str, kind: type[errors.ServiceError], *, status: int = 400) -> errors.ServiceError:
    return kind("", operation="DescribeStreamProcessor", code=code, http_status=status, retry_safe=True)


def test_wait_for_running_ends_when_a_face_search_runs() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.faces("lobby", started=True)
        found, moment = await _outcome(Poller(aws.pipeline).until(WaitCondition.RUNNING, "lobby"))
        assert found == StreamProcessorSummary("lobby", Status.RUNNING)
        assert 2 <= moment < 3
        assert aws.calls.keys() == {"Describe"}
        assert aws.calls["Describe"] <= 6
        assert await _no_task_is_left()

    run(main())


def test_wait_for_finished_ends_with_the_session() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.labels("door", seconds=30)
        found, moment = await _outcome(Poller(aws.pipeline).until(WaitCondition.FINISHED, "door"))
        assert found == StreamProcessorSummary("door", Status.STOPPED)
        assert 30 <= moment < 36
        assert aws.calls["Describe"] <= 14

    run(main())


def test_wait_for_finished_ends_for_a_session_that_was_over() -> None:
    async def main() -> None:
        aws = VirtualAws(latency=3)
        aws.labels("door", seconds=1)
        found, _ = await _outcome(Poller(aws.pipeline).until(WaitCondition.FINISHED, "door"))
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


def test_wait_for_finished_ignores_a_status_before_the_start() -> None:
    async def main() -> None:
        aws = VirtualAws()
        _showing(aws, (0, "STOPPED"), (0.8, "STARTING"), (10, "STOPPED"))
        _, moment = await _outcome(Poller(aws.pipeline).until(WaitCondition.FINISHED, "door"))
        assert moment >= 10

    run(main())


def test_wait_for_running_ignores_a_failure_before_the_start() -> None:
    async def main() -> None:
        aws = VirtualAws()
        _showing(aws, (0, "FAILED"), (0.8, "STARTING"), (3, "RUNNING"))
        found, _ = await _outcome(Poller(aws.pipeline).until(WaitCondition.RUNNING, "lobby"))
        assert found == StreamProcessorSummary("lobby", Status.RUNNING)

    run(main())


def test_finished_session_costs_a_second_poll_and_a_second() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.labels("door")
        found, moment = await _outcome(Poller(aws.pipeline).until(WaitCondition.FINISHED, "door"))
        assert found == StreamProcessorSummary("door", Status.STOPPED)
        assert aws.calls["Describe"] == 2
        assert moment < 1.1

    run(main())


def test_thousands_of_finished_sessions_cost_a_second_sweep() -> None:
    async def main() -> None:
        aws = VirtualAws(limits=_ROOMY)
        names = [f"door-{n:04}" for n in range(3000)]
        aws.labels(*names)
        waits = Poller(aws.pipeline)
        await asyncio.gather(*(waits.until(WaitCondition.FINISHED, name) for name in names))
        assert aws.calls == {"ListStreamProcessors": 6}

    run(main())


def test_poll_does_not_end_a_wait_that_began_after_it() -> None:
    async def main() -> None:
        aws = VirtualAws(latency=2)
        aws.labels("door")
        waits = Poller(aws.pipeline)
        early = asyncio.create_task(waits.until(WaitCondition.FINISHED, "door"))
        await asyncio.sleep(1.5)  # the answer, STOPPED, is on its way
        aws.do("StartStreamProcessor", **_session("door"))
        found, moment = await _outcome(waits.until(WaitCondition.FINISHED, "door"))
        assert (await early).status is Status.STOPPED
        assert found == StreamProcessorSummary("door", Status.STOPPED)
        assert moment > 11.5

    run(main())


def _session(name: str) -> Mapping[str, object]:
    selector = {"KVSStreamStartSelector": {"FragmentNumber": "1"}}
    return {"Name": name, "StartSelector": selector, "StopSelector": {"MaxDurationInSeconds": 10}}


def test_waits_for_stopped_and_deleted_end() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.faces("lobby", started=True)
        waits = Poller(aws.pipeline)
        await waits.until(WaitCondition.RUNNING, "lobby")
        aws.stop("lobby")
        assert (await waits.until(WaitCondition.STOPPED, "lobby")).status is Status.STOPPED
        aws.delete("lobby")
        deleted = _now()
        await waits.until(WaitCondition.DELETED, "lobby")
        assert 2 <= _now() - deleted < 4
        assert await _no_task_is_left()

    run(main())


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_failure_ends_the_wait_with_message_and_hint(many: bool) -> None:  # noqa: FBT001
    async def main() -> None:
        aws = VirtualAws(limits=_ROOMY)
        names = [f"camera-{n}" for n in range(30 if many else 1)]
        aws.deny(denied_roles=("*",))
        aws.faces("camera-0", started=True)
        aws.deny()
        aws.faces(*names[1:], started=True)
        waits = Poller(aws.pipeline)
        outcomes = await asyncio.gather(*(_outcome(waits.until(WaitCondition.RUNNING, name)) for name in names))
        (error, moment), *others = outcomes
        assert isinstance(error, errors.StreamProcessorFailedError)
        assert (error.name, error.status_message) == ("camera-0", "Access denied to Role")
        assert "rekognition.amazonaws.com" in error.hint
        assert moment < 3
        assert all(isinstance(found, StreamProcessorSummary) for found, _ in others)
        assert aws.calls["Describe"] == 1 or not many

    run(main())


def test_wait_for_running_refuses_a_label_detection() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.labels("door", seconds=30)
        error, moment = await _outcome(Poller(aws.pipeline).until(WaitCondition.RUNNING, "door"))
        assert isinstance(error, errors.InvalidRequestError)
        assert "wait_until_finished" in str(error)
        assert "STARTING as long as it works" in str(error)
        assert moment < 1

    run(main())


def test_wait_for_running_refuses_label_detections_among_many() -> None:
    async def main() -> None:
        aws = VirtualAws(limits=_ROOMY)
        names = [f"door-{n}" for n in range(30)]
        aws.labels(*names, seconds=100)
        waits = Poller(aws.pipeline)
        outcomes = await asyncio.gather(*(_outcome(waits.until(WaitCondition.RUNNING, name)) for name in names))
        assert all(isinstance(error, errors.InvalidRequestError) for error, _ in outcomes)
        assert min(moment for _, moment in outcomes) < 20
        assert aws.calls["Describe"] <= 30

    run(main())


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_wait_for_finished_refuses_a_face_search(many: bool) -> None:  # noqa: FBT001
    async def main() -> None:
        aws = VirtualAws(limits=_ROOMY)
        names = [f"camera-{n}" for n in range(30 if many else 1)]
        aws.faces(*names, started=True)
        waits = Poller(aws.pipeline)
        outcomes = await asyncio.gather(*(_outcome(waits.until(WaitCondition.FINISHED, name)) for name in names))
        assert all("runs until it is stopped" in str(error) for error, _ in outcomes)

    run(main())


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_wait_for_running_ends_when_the_start_is_stopped(many: bool) -> None:  # noqa: FBT001
    async def main() -> None:
        aws = VirtualAws(timings=Timings(starting=20), limits=_ROOMY)
        names = [f"camera-{n}" for n in range(30 if many else 1)]
        aws.faces(*names, started=True)
        waits = Poller(aws.pipeline)
        wait = asyncio.create_task(_outcome(waits.until(WaitCondition.RUNNING, "camera-0")))
        others = [asyncio.create_task(waits.until(WaitCondition.RUNNING, name)) for name in names[1:]]
        await asyncio.sleep(5)
        aws.stop("camera-0")
        error, moment = await wait
        assert isinstance(error, errors.StreamProcessorFailedError)
        assert "start it again" in str(error)
        assert moment < 12
        assert len(await asyncio.gather(*others)) == len(names) - 1

    run(main())


def test_wait_tolerates_a_processor_not_found_yet() -> None:
    async def main() -> None:
        aws = VirtualAws()
        wait = asyncio.create_task(Poller(aws.pipeline).until(WaitCondition.RUNNING, "lobby"))
        await asyncio.sleep(3)
        aws.faces("lobby", started=True)
        assert (await wait).status is Status.RUNNING

    run(main())


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_wait_ends_for_a_processor_that_does_not_exist(many: bool) -> None:  # noqa: FBT001
    async def main() -> None:
        aws = VirtualAws()
        waits = Poller(aws.pipeline)
        names = [f"camera-{n}" for n in range(30 if many else 1)]
        outcomes = await asyncio.gather(*(_outcome(waits.until(WaitCondition.RUNNING, name)) for name in names))
        assert all(isinstance(error, errors.ResourceNotFoundError) for error, _ in outcomes)
        assert len({id(error) for error, _ in outcomes}) == len(names)
        assert all(5 <= moment < 15 for _, moment in outcomes)

    run(main())


def test_wait_ends_at_once_when_the_processor_is_deleted() -> None:
    async def main() -> None:
        aws = VirtualAws(timings=Timings(deleting=0))
        aws.faces("lobby")
        wait = asyncio.create_task(_outcome(Poller(aws.pipeline).until(WaitCondition.RUNNING, "lobby")))
        await asyncio.sleep(0.3)
        aws.delete("lobby")
        error, moment = await wait
        assert isinstance(error, errors.ResourceNotFoundError)
        assert moment < 2

    run(main())


def test_wait_times_out_with_the_last_status() -> None:
    async def main() -> None:
        aws = VirtualAws(timings=Timings(starting=1000))
        aws.faces("lobby", started=True)
        waits = Poller(aws.pipeline)
        error, moment = await _outcome(
            waits.until(WaitCondition.RUNNING, "lobby", timeout=datetime.timedelta(seconds=7))
        )
        assert isinstance(error, errors.WaitTimeoutError)
        assert (error.name, error.wanted, error.status, error.seconds) == ("lobby", "RUNNING", "STARTING", 7)
        assert moment == 7
        error, moment = await _outcome(waits.until(WaitCondition.RUNNING, "lobby"))
        assert moment == 157
        assert "delete it and create it again" in str(error)
        assert await _no_task_is_left()

    run(main())


@pytest.mark.parametrize(
    ("wait", "seconds"),
    [
        (WaitCondition.FINISHED, 180),
        (WaitCondition.STOPPED, 60),
        (WaitCondition.STEADY, 180),
        (WaitCondition.DELETED, 60),
        (WaitCondition.RUNNING, 150),
    ],
)
def test_wait_has_a_default_timeout_by_condition(wait: WaitCondition, seconds: float) -> None:
    async def main() -> None:
        aws = VirtualAws(timings=Timings(updating=1000))
        is_updating = wait in {WaitCondition.FINISHED, WaitCondition.STEADY}
        aws.labels("door") if is_updating else aws.faces("door", started=True)
        if is_updating:
            aws.do("UpdateStreamProcessor", Name="door", DataSharingPreferenceForUpdate={"OptIn": True})
        elif wait is WaitCondition.RUNNING:
            aws.stop("door")
        error, moment = await _outcome(Poller(aws.pipeline).until(wait, "door"))
        assert isinstance(error, errors.WaitTimeoutError)
        assert moment == seconds

    run(main())


def test_wait_of_zero_seconds_waits_for_no_answer() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.faces("lobby")
        error, moment = await _outcome(Poller(aws.pipeline).until(WaitCondition.STOPPED, "lobby", timeout=0))
        assert isinstance(error, errors.WaitTimeoutError)
        assert moment == 0
        assert aws.calls["Describe"] <= 1
        assert await _no_task_is_left()

    run(main())


@pytest.mark.parametrize("timeout", [-1, True, "1", float("nan"), datetime.timedelta(seconds=-1)])
def test_timeout_must_be_seconds_or_a_timedelta(timeout: float) -> None:
    waits = Poller(VirtualAws().pipeline)
    with pytest.raises(errors.InvalidRequestError, match="timeout: must be a timedelta, or a number of seconds"):
        run(waits.until(WaitCondition.RUNNING, "lobby", timeout=timeout))


def test_invalid_name_is_rejected_before_any_call() -> None:
    aws = VirtualAws()
    with pytest.raises(errors.InvalidRequestError, match="name: must be"):
        run(Poller(aws.pipeline).until(WaitCondition.STOPPED, "front door"))
    assert not aws.transport.calls


def test_ten_thousand_waits_cost_ten_pages_a_sweep() -> None:
    async def main() -> None:
        aws = VirtualAws(timings=Timings(starting=20), limits=_ROOMY)
        many, page = max(part(10_000), 2_000), 1_000
        names = [f"camera-{n:05}" for n in range(many)]
        aws.faces(*names, started=True)
        waits = Poller(aws.pipeline)
        found = await asyncio.gather(*(waits.until(WaitCondition.RUNNING, name) for name in names))
        assert [entry.name for entry in found] == names
        assert {entry.status for entry in found} == {Status.RUNNING}
        assert 20 <= _now() < 32
        rounds, rest = divmod(aws.calls["ListStreamProcessors"], many // page)
        # Seven sweeps of ten pages. Shorter lists are read more often.
        assert (aws.calls["ListStreamProcessors"] <= 7 * 10, rest) == (True, 0)
        # Not one for each: only a few of those that started slowly, since a list does not tell what kind they are.
        assert aws.calls["Describe"] <= rounds * 20
        assert aws.throttled == 0
        assert await _no_task_is_left()

    run(main())


def test_describe_among_many_does_not_delay_the_last_few() -> None:
    async def main() -> None:
        aws = VirtualAws(limits=_ROOMY, timings=Timings(starting=16))
        names = [f"camera-{n:03}" for n in range(900)]
        aws.faces(*names, started=True)
        waits = Poller(aws.pipeline)
        tasks = [
            _outcome(waits.until(WaitCondition.RUNNING, name, timeout=15 if name > "camera-001" else 150))
            for name in names
        ]
        (_, moment), *_ = await asyncio.gather(*tasks)
        assert moment < 23

    run(main())


@pytest.mark.parametrize("limited", [False, True])
def test_describe_lost_again_and_again_is_repeated_with_pauses(limited: bool) -> None:  # noqa: FBT001
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
        waits = Poller(aws.pipeline if limited else attrs.evolve(aws.pipeline, rate_limiter=None))
        await asyncio.gather(*(_outcome(waits.until(WaitCondition.RUNNING, name, timeout=20)) for name in names))
        assert aws.calls["Describe"] <= 20

    run(main())


def test_ten_thousand_waits_for_one_processor_cost_one() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.faces("lobby", started=True)
        waits = Poller(aws.pipeline)
        await asyncio.gather(*(waits.until(WaitCondition.RUNNING, "lobby") for _ in range(part(10_000))))
        assert aws.calls.keys() == {"Describe"}
        assert aws.calls["Describe"] <= 6

    run(main())


def test_deletion_is_confirmed_by_one_describe_each() -> None:
    async def main() -> None:
        aws = VirtualAws(timings=Timings(deleting=3))
        names = [f"camera-{n}" for n in range(100)]
        aws.faces(*names, "other")
        for name in names:
            aws.delete(name)
        waits = Poller(aws.pipeline)
        await asyncio.gather(*(waits.until(WaitCondition.DELETED, name) for name in names))
        assert 3 <= _now() < 16
        assert aws.calls["Describe"] == 100
        assert aws.calls["ListStreamProcessors"] <= 7

    run(main())


def test_few_waits_in_a_long_list_are_described() -> None:
    async def main() -> None:
        aws = VirtualAws(timings=Timings(starting=30), limits=_ROOMY)
        aws.faces(*(f"camera-{n:05}" for n in range(5000)))
        names = [f"lobby-{n}" for n in range(15)]
        aws.faces(*names, started=True)
        waits = Poller(aws.pipeline)
        await asyncio.gather(*(waits.until(WaitCondition.RUNNING, name) for name in names))
        assert aws.calls["ListStreamProcessors"] == 6  # the first look tells how long the list is
        assert aws.calls["Describe"] < 15 * 15

    run(main())


def test_last_cancelled_wait_ends_the_poller() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.faces("lobby", "hall", started=True)
        waits = Poller(aws.pipeline)
        first, second, third = (
            asyncio.create_task(waits.until(WaitCondition.RUNNING, n)) for n in ("lobby", "lobby", "hall")
        )
        await asyncio.sleep(0.03)  # a look is under way
        first.cancel()
        assert (await second).status is Status.RUNNING
        assert (await third).status is Status.RUNNING
        assert first.cancelled()
        fourth = asyncio.create_task(waits.until(WaitCondition.STOPPED, "hall"))
        await asyncio.sleep(0.03)
        fourth.cancel()
        await asyncio.gather(fourth, return_exceptions=True)
        assert await _no_task_is_left()

    run(main())


def _tasks(name: str) -> set[asyncio.Task[object]]:
    return {task for task in asyncio.all_tasks() if task.get_name() == name}


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_waits_after_the_poller_was_cancelled_are_polled(many: bool) -> None:  # noqa: FBT001
    async def main() -> None:
        aws = VirtualAws(timings=Timings(starting=5), limits=_ROOMY)
        names = [f"camera-{n}" for n in range(30 if many else 1)]
        aws.faces(*names, started=True)
        waits = Poller(aws.pipeline)
        first = [asyncio.create_task(waits.until(WaitCondition.RUNNING, name, timeout=30)) for name in names]
        await asyncio.sleep(1)
        for task in _tasks("aiorekostream-poller"):
            task.cancel()
        await asyncio.wait(first)
        assert all(wait.cancelled() for wait in first)
        outcomes = await asyncio.gather(*(_outcome(waits.until(WaitCondition.RUNNING, name)) for name in names))
        assert max(moment for _, moment in outcomes) < 12

    run(main())


def test_waits_serve_one_event_loop_after_another() -> None:
    aws = VirtualAws(timings=Timings(starting=5))
    waits = Poller(attrs.evolve(aws.pipeline, rate_limiter=None))

    async def main() -> None:
        if not aws.transport.calls:
            aws.faces("lobby", started=True)
        assert (await waits.until(WaitCondition.RUNNING, "lobby")).status is Status.RUNNING

    run(main())
    run(main())


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_wait_after_an_abandoned_poll_is_polled(many: bool) -> None:  # noqa: FBT001
    async def main() -> None:
        aws = VirtualAws(limits=_ROOMY)
        names = [f"camera-{n}" for n in range(30 if many else 1)]
        aws.faces(*names, started=True)
        waits = Poller(aws.pipeline)
        for _ in range(3):
            outcomes = await asyncio.gather(
                *(_outcome(waits.until(WaitCondition.RUNNING, name, timeout=0.03)) for name in names)
            )
            assert all(isinstance(error, errors.WaitTimeoutError) for error, _ in outcomes)
        await asyncio.gather(*(waits.until(WaitCondition.RUNNING, name) for name in names))

    run(main())


@pytest.mark.parametrize("many", [False, True], ids=["few", "many"])
def test_waits_outlive_transient_errors(many: bool) -> None:  # noqa: FBT001
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
        waits = Poller(aws.pipeline)
        found = await asyncio.gather(*(waits.until(WaitCondition.RUNNING, name) for name in names))
        assert {entry.status for entry in found} == {Status.RUNNING}
        assert _now() < 100

    run(main())


def test_timeout_has_the_last_error_of_the_service_as_cause() -> None:
    async def main() -> None:
        gone = errors.ConnectError("refused", operation="DescribeStreamProcessor", retry_safe=True)
        aws = VirtualAws(meddle=lambda _operation, _body: gone)
        error, moment = await _outcome(Poller(aws.pipeline).until(WaitCondition.RUNNING, "lobby", timeout=400))
        assert isinstance(error, errors.WaitTimeoutError)
        assert error.__cause__ is gone
        assert error.status is None
        assert moment == 400

    run(main())


def test_waits_are_described_when_list_is_denied() -> None:
    async def main() -> None:
        denied = _refused("AccessDeniedException", errors.AccessDeniedError)
        aws = VirtualAws(meddle=lambda operation, _body: denied if operation.startswith("List") else None)
        names = [f"camera-{n}" for n in range(10)]
        aws.faces(*names, started=True)
        waits = Poller(aws.pipeline)
        found = await asyncio.gather(*(waits.until(WaitCondition.RUNNING, name) for name in names))
        assert {entry.status for entry in found} == {Status.RUNNING}
        assert aws.calls["ListStreamProcessors"] == 1

    run(main())


def test_denied_describe_leaves_its_waits_to_the_list() -> None:
    async def main() -> None:
        denied = _refused("AccessDeniedException", errors.AccessDeniedError)
        aws = VirtualAws(meddle=lambda _operation, body: denied if body.get("Name") == "hall" else None)
        aws.faces("lobby", "hall", started=True)
        waits = Poller(aws.pipeline)
        found = await asyncio.gather(*(waits.until(WaitCondition.RUNNING, name) for name in ("lobby", "hall")))
        assert {entry.status for entry in found} == {Status.RUNNING}
        assert _now() < 4

    run(main())


def test_wait_ends_when_describe_and_list_are_denied() -> None:
    async def main() -> None:
        denied = _refused("AccessDeniedException", errors.AccessDeniedError)
        aws = VirtualAws(
            meddle=lambda operation, body: denied if "hall" in body.values() or operation.startswith("List") else None
        )
        aws.faces("lobby", "hall", started=True)
        waits = Poller(aws.pipeline)
        lobby = asyncio.create_task(waits.until(WaitCondition.RUNNING, "lobby"))
        error, moment = await _outcome(waits.until(WaitCondition.RUNNING, "hall"))
        assert isinstance(error, errors.AccessDeniedError)
        assert moment < 1
        assert (await lobby).status is Status.RUNNING

    run(main())


def test_waits_are_listed_when_describe_is_denied() -> None:
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
        waits = Poller(aws.pipeline)
        (failure, _), *others = await asyncio.gather(
            *(_outcome(waits.until(WaitCondition.RUNNING, name, timeout=30)) for name in names[:28])
        )
        assert isinstance(failure, errors.StreamProcessorFailedError)
        assert failure.status_message is None
        assert failure.__cause__ is denied
        assert "rekognition:DescribeStreamProcessor" in str(failure)
        assert {getattr(found, "status", found) for found, _ in others} == {Status.RUNNING}
        assert max(moment for _, moment in others) < 32
        assert aws.calls["Describe"] <= 30

    run(main())


def test_closed_client_ends_every_wait() -> None:
    async def main() -> None:
        aws = VirtualAws(timings=Timings(starting=50))
        names = [f"camera-{n}" for n in range(10)]
        aws.faces(*names, started=True)
        waits = Poller(aws.pipeline)
        tasks = [asyncio.create_task(_outcome(waits.until(WaitCondition.RUNNING, name))) for name in names]
        await asyncio.sleep(3)
        await aws.transport.aclose()
        outcomes = [await task for task in tasks]
        assert {type(error) for error, _ in outcomes} == {errors.ConfigurationError}
        assert len({id(error) for error, _ in outcomes}) == 10
        assert await _no_task_is_left()

    run(main())


def test_failures_that_time_out_before_describe_are_failures() -> None:
    async def main() -> None:
        aws = VirtualAws(limits=_ROOMY)
        names = [f"camera-{n:03}" for n in range(400)]
        aws.deny(denied_roles=("*",))
        aws.faces(*names, started=True)
        waits = Poller(aws.pipeline)
        outcomes = await asyncio.gather(
            *(_outcome(waits.until(WaitCondition.RUNNING, name, timeout=10)) for name in names)
        )
        failures = [error for error, _ in outcomes if isinstance(error, errors.StreamProcessorFailedError)]
        assert len(failures) == 400
        assert {failure.status_message for failure in failures} == {"Access denied to Role", None}

    run(main())


def test_unknown_status_leaves_the_wait_pending() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.transport.handler = lambda _operation, body: {
            "Name": body["Name"],
            "StreamProcessorArn": "arn",
            "Status": "PONDERING" if _now() < 10 else "RUNNING",
        }
        found, moment = await _outcome(Poller(aws.pipeline).until(WaitCondition.RUNNING, "lobby"))
        assert found == StreamProcessorSummary("lobby", Status.RUNNING)
        assert 10 <= moment < 16

    run(main())


@pytest.mark.parametrize("trouble", ["all fail", "no permission to list"])
def test_work_per_wait_is_constant_when_there_are_many(trouble: str) -> None:
    """Counted in calls of functions of the package, which do not depend on the machine."""

    def calls_per_wait(number: int) -> float:
        def meddle(operation: str, _body: Mapping[str, object]) -> Exception | None:
            is_denied = trouble == "no permission to list" and operation == "ListStreamProcessors"
            refusal = {"operation": operation, "code": "AccessDeniedException", "http_status": 400, "retry_safe": True}
            return errors.AccessDeniedError("no", **cast("Any", refusal)) if is_denied else None

        many = Limits(concurrent_label_detection={"us-east-1": 10**6})
        aws, names = VirtualAws(limits=many, meddle=meddle), [f"camera-{each}" for each in range(number)]
        profile = cProfile.Profile(builtins=False)

        async def main() -> None:
            aws.labels(*names, seconds=60)
            for name in names:
                aws.fail(name, "Access denied to Role", after=10)
            poller = Poller(aws.pipeline)
            waits = (poller.until(WaitCondition.FINISHED, name, timeout=30_000) for name in names)
            with profile:
                await asyncio.gather(*waits, return_exceptions=True)

        run(main())
        functions = [it for it in profile.getstats() if "aiorekostream/client" in getattr(it.code, "co_filename", "")]
        return sum(it.callcount for it in functions) / number

    assert calls_per_wait(800) < 1.3 * calls_per_wait(200)
