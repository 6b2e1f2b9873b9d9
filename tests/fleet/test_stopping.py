"""Stopping many processors: deduplicated, in order, and with a time that begins at the permit."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.domain.status import Status
from aiorekostream.emulator import Timings
from aiorekostream.fleet import AlreadyStopped, Failed, Fleet, Stopped, StopReport, Unknown
from aiorekostream.limits import DEFAULT_LIMITS
from aiorekostream.testing import MemoryTransport, Reply
from tests.fleet.service import (
    DESCRIBE,
    STOP,
    Service,
    faces,
    labels,
    leave,
    lost,
    names,
    once,
    run,
    throttling,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_REFUSED = errors.ResourceInUseError(
    "Stream Processor not available for stopping",
    operation=STOP,
    code="ResourceInUseException",
    http_status=400,
    retry_safe=True,
)


def running(
    count: int,
    *,
    quotas: bool = True,
    latency: float = 0.05,
    timings: Timings | None = None,
    before: Callable[[str, str], Exception | None] = lambda _operation, _name: None,
) -> Service:
    """A service with face searches, of which `start_all` makes sessions."""
    service = Service(quotas=quotas, latency=latency, timings=timings or Timings(), before=before)
    service.create(*names(count, "face"), faces=True)
    return service


# --------------------------------------------------------------------------------------------------------------- speed


def test_thirty_stops_with_a_total_of_ten_seconds_are_all_made() -> None:
    service = Service(limits=rks.Limits(concurrent_label_detection={"us-east-1": 30}))
    service.create(*names(30))

    async def main() -> StopReport:
        fleet = Fleet(service.client(total=10))
        await fleet.start(labels(30, 120))
        return await fleet.stop(names(30))

    report = run(main())
    assert report.counts == {"stopped": 30}
    assert service.count(STOP) <= 31
    assert service.order(STOP)[:30] == names(30)


def test_stops_are_all_made_when_the_quota_is_a_tenth() -> None:
    slow = rks.Limits(quotas={STOP: rks.Quota(0.1, 1, "")})
    service = Service(limits=slow)
    service.create(*names(20))

    async def main() -> dict[str, int]:
        client = service.client(limits=DEFAULT_LIMITS, total=20)
        await asyncio.gather(*(client.start_stream_processor(it) for it in labels(20, 120)))
        return (await Fleet(client).stop(names(20))).counts

    assert set(run(main())) <= {"stopped", "already stopped"}


def test_throttled_stop_is_sent_before_those_that_came_later() -> None:
    service = running(4, quotas=False, before=once(throttling(STOP), STOP))

    async def main() -> StopReport:
        service.start_all()
        return await Fleet(service.client(), max_in_flight=1).stop(names(4, "face"))

    assert run(main()).counts == {"stopped": 4}
    assert service.order(STOP) == ["face-0", "face-0", "face-1", "face-2", "face-3"]


def test_stop_fails_after_max_attempts_when_always_throttled() -> None:
    service = running(1, before=lambda operation, _: throttling(STOP) if operation == STOP else None)
    (failed,) = run(Fleet(service.client()).stop(["face-0"])).failed
    assert isinstance(failed.error, errors.ThrottlingError)
    assert service.count(STOP) == rks.RetryPolicy().max_attempts


def test_stop_that_backs_off_lets_the_others_pass() -> None:
    service = running(2, quotas=False, before=once(throttling(STOP, retry_after=120), STOP))

    async def main() -> StopReport:
        service.start_all()
        return await Fleet(service.client(), max_in_flight=1).stop(names(2, "face"))

    assert run(main()).counts == {"stopped": 2}
    first, other, again = [at for operation, _, at in service.calls if operation == STOP]
    assert other < 2
    assert again - first == pytest.approx(120, abs=1)


# ------------------------------------------------------------------------------------------------------------ outcomes


def test_stop_is_a_success_when_there_is_nothing_to_stop() -> None:
    service = Service()
    service.create(*names(2))
    report = run(Fleet(service.client()).stop(["camera-0", "missing", "not a name", "camera-0"]))
    assert report.counts == {"already stopped": 2, "failed": 2}
    assert {it.name for it in report.stopped} == {"camera-0"}
    assert service.count(STOP) == 2


@pytest.mark.parametrize("status", [*Status, None])
def test_refused_stop_is_a_success_by_the_status(status: Status | None) -> None:
    """Only where the processor is seen to have no session, or to end it; ``None``: Describe does not tell."""

    def handle(operation: str, _body: Mapping[str, object]) -> Mapping[str, object] | Exception:
        if operation == STOP:
            return _REFUSED
        if status is None:
            return errors.AccessDeniedError("", operation=DESCRIBE, code="A", http_status=400, retry_safe=True)
        return {"Name": "camera-0", "StreamProcessorArn": "arn", "Status": status.value}

    report = run(Fleet(Service().client(transport=MemoryTransport(handle))).stop(["camera-0"]))
    is_over = status in {Status.STOPPED, Status.FAILED, Status.STOPPING, Status.UPDATING}
    (outcome,) = report
    assert type(outcome) is (AlreadyStopped if is_over else Failed)


def test_refused_stop_ends_within_total_when_describe_hangs() -> None:
    async def handle(operation: str, _body: Mapping[str, object]) -> Exception:
        await asyncio.sleep(6 if operation == STOP else 1000)
        return _REFUSED

    async def main() -> float:
        client = Service().client(transport=MemoryTransport(handle), total=10)
        (outcome,) = await Fleet(client).stop(["camera-0"])
        assert isinstance(outcome, Failed)
        assert isinstance(outcome.error, errors.ResourceInUseError)
        return asyncio.get_running_loop().time()

    assert run(main()) <= 10 + 1e-6


def test_stop_fails_when_the_processor_is_at_work_and_cannot_be_stopped() -> None:
    """UNCERTAIN whether AWS lets every session be stopped in every status; whatever it does, the outcome is true."""
    service = running(
        2, quotas=False, before=lambda operation, name: _REFUSED if (operation, name) == (STOP, "face-0") else None
    )

    async def main() -> StopReport:
        service.start_all()
        return await Fleet(service.client()).stop(names(2, "face"))

    report = run(main())
    assert report.counts == {"stopped": 1, "failed": 1}
    assert [outcome.name for outcome in report.failed] == ["face-0"]


def test_stop_is_a_success_when_another_one_is_being_applied() -> None:
    service = running(1, quotas=False, timings=Timings(stopping=5))

    async def main() -> StopReport:
        client = service.client()
        service.start_all()
        await client.stop_stream_processor("face-0")
        return await Fleet(client).stop(["face-0"])

    assert run(main()).counts == {"already stopped": 1}


def test_stop_is_reconciled_when_its_answer_is_lost() -> None:
    service = running(1, quotas=False, before=once(lost(STOP), STOP))

    async def main() -> StopReport:
        service.start_all()
        return await Fleet(service.client()).stop(["face-0"])

    assert run(main()).counts == {"stopped": 1}


def test_unexpected_error_of_one_stop_leaves_the_others_alone(caplog: pytest.LogCaptureFixture) -> None:
    def bug(operation: str, name: str) -> None:
        if (operation, name) == (STOP, "face-1"):
            raise ZeroDivisionError

    service = running(3, quotas=False, before=bug)

    async def main() -> StopReport:
        service.start_all()
        return await Fleet(service.client()).stop(names(3, "face"))

    report = run(main())
    assert report.counts == {"stopped": 2, "unknown": 1}
    assert isinstance(report.unknown[0].error.__cause__, ZeroDivisionError)
    assert report.unknown[0].retry_safe_at is not None
    assert "face-1" in caplog.text


def test_refused_stop_fails_when_its_describe_fails_unexpectedly(caplog: pytest.LogCaptureFixture) -> None:
    def bug(operation: str, _name: str) -> None:
        if operation == DESCRIBE:
            raise ZeroDivisionError

    report = run(Fleet(running(1, before=bug).client()).stop(["face-0"]))
    (failed,) = report.failed
    assert isinstance(failed.error, errors.ResourceInUseError)
    assert "face-0" in caplog.text


def test_value_that_is_not_a_name_fails_alone() -> None:
    service = running(2, quotas=False)
    junk: list[Any] = ["face-0", ["x"], None, 5, b"a", "face-1"]

    async def main() -> StopReport:
        service.start_all()
        return await Fleet(service.client()).stop(junk)

    report = run(main())
    assert report.counts == {"stopped": 2, "failed": 4}
    assert {type(failed.error) for failed in report.failed} == {errors.InvalidRequestError}


# ------------------------------------------------------------------------------------------------------ once for a name


def test_stop_is_sent_once_for_all_runs_that_ask_for_it() -> None:
    service = running(1, quotas=False, latency=2)

    async def main() -> list[StopReport]:
        service.start_all()
        fleet = Fleet(service.client())
        first = asyncio.create_task(fleet.stop(["face-0"]))
        await asyncio.sleep(1)  # the first is dispatched by now
        return [*await asyncio.gather(*(fleet.stop(["face-0"] * 2) for _ in range(2))), await first]

    reports = run(main())
    assert [report.counts for report in reports] == [{"stopped": 2}, {"stopped": 2}, {"stopped": 1}]
    assert service.count(STOP) == 1


def test_stop_is_sent_again_when_the_one_before_it_has_ended() -> None:
    service = running(1, quotas=False)

    async def main() -> None:
        fleet = Fleet(service.client())
        for _ in range(2):
            service.start_all()
            await fleet.stop(["face-0"])
            await asyncio.sleep(60)

    run(main())
    assert service.count(STOP) == 2


@pytest.mark.parametrize("is_sent", [False, True])
def test_stop_goes_on_when_one_of_two_callers_cancels_it(*, is_sent: bool) -> None:
    service = running(2, quotas=False, latency=2)

    async def main() -> tuple[StopReport, StopReport]:
        service.start_all()
        fleet = Fleet(service.client(), max_in_flight=1)
        name = "face-0" if is_sent else "face-1"
        first = fleet.iter_stop(names(2, "face"))
        leaving = asyncio.create_task(leave(first.wait(), after=1))
        await asyncio.sleep(0.5)
        second = await fleet.stop([name])
        await leaving
        return first.report, second

    first, second = run(main())
    assert second.counts == {"stopped": 1}
    assert first.counts == {"stopped": 1, "failed": 1}
    assert service.count(STOP) == (1 if is_sent else 2)


# -------------------------------------------------------------------------------------------------------------- leaving


def test_queued_stop_is_cancelled_and_a_sent_one_gets_its_outcome() -> None:
    service = running(3, quotas=False, latency=2)

    async def main() -> StopReport:
        service.start_all()
        stopping = Fleet(service.client(), max_in_flight=1).iter_stop(names(3, "face"))
        await leave(stopping.wait(), after=1)
        assert service.clock.now() == 2
        return stopping.report

    report = run(main())
    assert [it.name for it in report.stopped] == ["face-0"]
    assert {type(it.error) for it in report.failed} == {errors.RequestCancelledError}
    assert service.count(STOP) == 1


def test_stop_that_backs_off_leaves_no_timer_when_cancelled() -> None:
    service = running(1, quotas=False, before=once(throttling(STOP, retry_after=120), STOP))

    async def main() -> StopReport:
        service.start_all()
        stopping = Fleet(service.client()).iter_stop(["face-0"])
        await leave(stopping.wait(), after=1)
        timers = cast("list[asyncio.TimerHandle]", getattr(asyncio.get_running_loop(), "_scheduled"))  # noqa: B009
        assert not [timer for timer in timers if not timer.cancelled()]
        return stopping.report

    assert run(main()).counts == {"failed": 1}


def test_stop_of_a_second_cancellation_is_unknown() -> None:
    service = running(1, latency=30)

    async def main() -> StopReport:
        service.start_all()
        stopping = Fleet(service.client()).iter_stop(["face-0"])
        waiting = asyncio.create_task(stopping.wait())
        for _ in range(2):
            await asyncio.sleep(1)
            waiting.cancel()
        await asyncio.wait([waiting])
        return stopping.report

    (outcome,) = run(main())
    assert isinstance(outcome, Unknown)
    assert isinstance(outcome.error, errors.UnknownOutcomeError)
    assert outcome.error.operation == STOP


def test_stop_is_not_sent_again_when_cancelled_and_throttled_then() -> None:
    async def handle(operation: str, body: Mapping[str, object]) -> Exception:
        service.calls.append((operation, str(body.get("Name")), service.clock.now()))
        await asyncio.sleep(5)
        return throttling(operation)

    service = Service()

    async def main() -> StopReport:
        stopping = Fleet(service.client(transport=MemoryTransport(handle))).iter_stop(["face-0"])
        await leave(stopping.wait(), after=1)
        return stopping.report

    (outcome,) = run(main())
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, errors.RequestCancelledError)
    assert service.count(STOP) == 1


def test_stop_is_sent_again_for_a_caller_that_came_after_a_cancellation() -> None:
    service = running(1, quotas=False, latency=4, before=once(throttling(STOP), STOP))

    async def main() -> tuple[StopReport, StopReport]:
        service.start_all()

        async def slow(operation: str, body: Mapping[str, object]) -> Reply | Exception:
            await asyncio.sleep(4)
            return await service.answer(operation, body)

        fleet = Fleet(service.client(transport=MemoryTransport(slow)))
        first = fleet.iter_stop(["face-0"])
        leaving = asyncio.create_task(leave(first.wait(), after=1))
        await asyncio.sleep(2)
        second = await fleet.stop(["face-0"])
        await leaving
        return first.report, second

    first, second = run(main())
    assert [type(it) for it in first] == [Failed]
    assert [type(it) for it in second] == [Stopped]


def test_lost_stop_is_sent_again_for_a_caller_after_a_cancellation() -> None:
    service = running(1, quotas=False)
    answers = [lost(STOP)]

    async def handle(operation: str, body: Mapping[str, object]) -> Reply | Exception:
        if operation == STOP and answers:
            await asyncio.sleep(4)
            return answers.pop()
        return await service.answer(operation, body)

    async def main() -> StopReport:
        service.start_all()
        fleet = Fleet(service.client(transport=MemoryTransport(handle)))
        leaving = asyncio.create_task(leave(fleet.iter_stop(["face-0"]).wait(), after=1))
        await asyncio.sleep(2)
        report = await fleet.stop(["face-0"])
        await leaving
        return report

    assert run(main()).counts == {"stopped": 1}


def test_reconciling_stop_is_unknown_when_cancelled_twice() -> None:
    """Its response was lost, and the service may still apply it."""
    service = running(1)

    async def handle(operation: str, body: Mapping[str, object]) -> Reply | Exception:
        return lost(STOP) if operation == STOP else await service.answer(operation, body)

    async def main() -> StopReport:
        service.start_all()
        stopping = Fleet(service.client(transport=MemoryTransport(handle))).iter_stop(["face-0"])
        waiting = asyncio.create_task(stopping.wait())
        for _ in range(2):
            await asyncio.sleep(1)
            waiting.cancel()
        await asyncio.wait([waiting])
        return stopping.report

    (outcome,) = run(main())
    assert isinstance(outcome, Unknown)
    assert outcome.retry_safe_at is not None


# ----------------------------------------------------------------------------------------------------- then start again


def test_processors_of_an_earlier_program_are_started_again_after_a_stop() -> None:
    """The fleet does not know their sessions, and waits for their ends all the same."""
    service = running(4, quotas=False)

    async def main() -> dict[str, int]:
        service.start_all()
        await asyncio.sleep(5)
        fleet = Fleet(service.client())
        await fleet.stop(names(4, "face"))
        return (await fleet.start(faces(4))).counts

    assert run(main()) == {"started": 4}


def test_processor_at_rest_is_started_at_once_after_a_stop() -> None:
    service = running(1, quotas=False)

    async def main() -> float:
        fleet = Fleet(service.client())
        assert (await fleet.stop(["face-0"])).counts == {"already stopped": 1}
        await fleet.start(faces(1))
        return service.clock.now()

    assert run(main()) < 1
    assert service.count(STOP) == 1
