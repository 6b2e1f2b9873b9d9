"""Runs: outcomes as they come, sources without an end, and the report that a run owns."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import pytest

import aiorekostream as rks
from aiorekostream.errors import RequestCancelledError
from aiorekostream.fleet import Failed, Fleet, Started, StartReport
from tests.fleet.service import Service, label, labels, leave, names, run, service_of, stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from aiorekostream.domain.requests import LabelDetectionStart
    from aiorekostream.fleet import StartOutcome


# ----------------------------------------------------------------------------------------------------------- iterating


def test_run_hands_outcomes_on_as_they_come() -> None:
    service = service_of(200)

    async def main() -> list[float]:
        return [service.clock.now() async for _ in Fleet(service.client()).iter_start(labels(60, 30))]

    moments = run(main())
    assert len(moments) == 60
    assert moments == sorted(moments)
    assert moments[0] < 0.1
    assert moments[-1] > 1


def test_run_of_stops_hands_outcomes_on_as_they_come() -> None:
    service = service_of(5)

    async def main() -> list[float]:
        return [service.clock.now() async for _ in Fleet(service.client()).iter_stop(names(5))]

    assert [round(moment) for moment in run(main())] == [0, 1, 2, 3, 4]


def test_run_sends_nothing_before_it_is_awaited() -> None:
    service = service_of(1)

    async def main() -> None:
        starting = Fleet(service.client()).iter_start(labels(1))
        await asyncio.sleep(10)
        assert not service.calls
        assert len(starting.report) == 0
        assert (await starting.wait()).counts == {"started": 1}

    run(main())


def test_run_reads_an_endless_source_only_as_far_as_there_is_room() -> None:
    service = service_of(100)
    read = 0

    def endless() -> Iterator[LabelDetectionStart]:
        nonlocal read
        for number in itertools.count():
            read += 1
            yield label(f"camera-{number % 100}", 1)

    async def main() -> int:
        furthest = handed_on = 0
        fleet = Fleet(service.client(), max_pending=25)
        async with fleet.iter_start(endless()) as starting:
            async for outcome in starting:
                assert isinstance(outcome, Started), outcome
                handed_on += 1
                furthest = max(furthest, read - handed_on)
                await asyncio.sleep(0.2 if handed_on % 10 == 0 else 0)
                if handed_on == 500:
                    break
        return furthest

    assert run(main()) <= 25 + 1


def test_run_does_not_read_on_when_its_outcomes_are_not_taken() -> None:
    service = service_of(200)
    read = 0

    async def requests() -> AsyncIterator[LabelDetectionStart]:
        nonlocal read
        for request in labels(200):
            read += 1
            yield request

    async def main() -> None:
        async with Fleet(service.client(), max_pending=10).iter_start(requests()) as starting:
            await anext(starting)
            await asyncio.sleep(100)
            assert read <= 11

    run(main())


def test_run_has_room_for_one_more_when_an_outcome_is_taken() -> None:
    service = service_of(5)

    async def main() -> float:
        async for _ in Fleet(service.client(), max_pending=1).iter_start(labels(5, 60)):
            await asyncio.sleep(0.2)  # the next one is there by then
        return service.clock.now()

    assert run(main()) < 2


def test_report_may_be_longer_than_max_pending() -> None:
    service = service_of(50)
    assert len(run(Fleet(service.client(), max_pending=5).start(labels(50, 30))).started) == 50


def test_run_of_nothing_is_over_at_once() -> None:
    async def main() -> None:
        fleet = Fleet(Service().client())
        assert await fleet.start([]) == StartReport()
        assert [outcome async for outcome in fleet.iter_stop([])] == []

    run(main())


def test_run_yields_to_other_tasks_while_it_reads_invalid_input() -> None:
    def nonsense() -> Iterator[Any]:
        while True:
            yield None

    async def main() -> StartReport:
        starting = Fleet(Service().client()).iter_start(nonsense())
        waiting = asyncio.create_task(starting.wait())
        for _ in range(20):
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return starting.report

    report = run(main())
    assert len(report) > 100
    assert all(isinstance(outcome, Failed) for outcome in report)


# -------------------------------------------------------------------------------------------------------------- report


def test_report_has_the_outcomes_that_were_not_handed_on() -> None:
    service = service_of(10)

    async def main() -> tuple[list[str], StartReport]:
        starting = Fleet(service.client()).iter_start(labels(10, 60))
        first = [(await anext(starting)).name for _ in range(3)]
        return first, await starting.wait()

    first, report = run(main())
    assert first == names(3)
    assert [it.name for it in report] == names(10)[3:]


def test_run_waits_a_second_time_for_the_same_report() -> None:
    async def main() -> None:
        starting = Fleet(service_of(3).client()).iter_start(labels(3))
        assert await starting.wait() == await starting.wait() == starting.report

    run(main())


def test_two_tasks_may_wait_for_one_run() -> None:
    async def main() -> None:
        starting = Fleet(service_of(3).client()).iter_start(labels(3))
        first, second = await asyncio.gather(starting.wait(), starting.wait())
        assert first == second
        assert len(first.started) == 3

    run(main())


def test_each_run_has_a_report_of_its_own() -> None:
    service = Service(quotas=False)
    service.create(*names(30))

    async def one(fleet: Fleet, requests: list[LabelDetectionStart]) -> dict[str, int]:
        starting = fleet.iter_start([*requests, *requests])  # each twice: the second waits for the first to end
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await starting.wait()
        return starting.report.counts

    async def main() -> list[dict[str, int]]:
        fleet = Fleet(service.client(rate_limiter=None))
        return await asyncio.gather(*(one(fleet, labels(30)[first::3]) for first in range(3)))

    assert run(main()) == [{"started": 10, "failed": 10}] * 3


def test_report_is_there_when_no_loop_runs_any_more() -> None:
    starting = Fleet(service_of(2).client()).iter_start(labels(2))
    assert starting.report.outcomes == ()
    run(starting.wait())
    assert starting.report.counts == {"started": 2}


# ------------------------------------------------------------------------------------------------ sources that go wrong


def test_requests_that_were_read_have_outcomes_when_the_source_fails() -> None:
    service = service_of(200)

    async def requests() -> AsyncIterator[LabelDetectionStart]:
        async for request in stream(labels(100), every=0.1):
            if request.name == "camera-40":
                raise ConnectionResetError("the queue is gone")
            yield request

    async def main() -> StartReport:
        starting = Fleet(service.client()).iter_start(requests())
        with pytest.raises(ConnectionResetError, match="the queue is gone"):
            await starting.wait()
        return starting.report

    report = run(main())
    assert len(report) == 40
    assert {it.name for it in report.started} == set(service.order())
    assert all(isinstance(it.error, RequestCancelledError) for it in report.failed)


def test_queued_requests_are_cancelled_when_the_source_fails() -> None:
    service = service_of(1)

    def requests() -> Iterator[LabelDetectionStart]:
        yield from labels(1)
        yield from labels(1)
        raise ConnectionResetError

    async def main() -> StartReport:
        starting = Fleet(service.client()).iter_start(requests())
        with pytest.raises(ConnectionResetError):
            await starting.wait()
        return starting.report

    report = run(main())
    assert [type(it.error) for it in report.failed] == [RequestCancelledError] * 2
    assert service.starts() == []


def test_iteration_gives_all_outcomes_before_the_error_of_the_source() -> None:
    service = service_of(200)

    async def requests() -> AsyncIterator[LabelDetectionStart]:
        for request in labels(40):
            yield request
        await asyncio.sleep(0.5)
        raise ConnectionResetError("the queue is gone")

    async def main() -> list[StartOutcome]:
        seen: list[StartOutcome] = []

        async def watch() -> None:
            async for outcome in Fleet(service.client()).iter_start(requests()):
                seen.append(outcome)  # noqa: PERF401 - what came before the error counts

        with pytest.raises(ConnectionResetError):
            await watch()
        return seen

    assert len(run(main())) == 40


def test_error_of_a_source_is_raised_once() -> None:
    def broken() -> Iterator[LabelDetectionStart]:
        raise ConnectionResetError("the queue is gone")
        yield label("camera-0")

    async def main() -> None:
        starting = Fleet(service_of(1).client()).iter_start(broken())
        with pytest.raises(ConnectionResetError):
            await starting.wait()
        assert await starting.wait() == StartReport()

    run(main())


class StopProgramError(BaseException):
    """Such as the SystemExit of sys.exit()."""


def test_other_runs_continue_when_a_source_raises() -> None:
    service = Service(limits=rks.Limits(concurrent_label_detection={"us-east-1": 1000}))
    service.create(*names(60))
    requests = labels(60)

    def some() -> Iterator[rks.StartRequest]:
        yield from requests[:40]
        raise StopProgramError

    async def main() -> tuple[StartReport, StartReport, StartReport]:
        fleet = Fleet(service.client())
        others = asyncio.create_task(fleet.start(requests[40:]))
        await asyncio.sleep(0)
        broken = fleet.iter_start(some())
        with pytest.raises(StopProgramError):
            await broken.wait()
        return broken.report, await others, await fleet.start(requests[:1])

    report, others, later = run(main())
    assert len(report) == 40
    assert set(report.counts) <= {"started", "failed"}
    assert others.counts == {"started": 20}
    assert len(later) == 1


def test_cancellation_after_the_source_failed_waits_for_answers() -> None:
    service = service_of(3, latency=5)

    async def requests() -> AsyncIterator[LabelDetectionStart]:
        async for request in stream(labels(3, 60)):
            yield request
        await asyncio.sleep(0.5)
        raise ConnectionResetError("the queue is gone")

    async def main() -> dict[str, int]:
        starting = Fleet(service.client()).iter_start(requests())
        await leave(starting.wait(), after=1)
        return starting.report.counts

    assert run(main()) == {"started": 3}
