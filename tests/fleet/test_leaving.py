"""Streams of requests, and leaving before the end: what was begun is settled, and none of it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
from typing import TYPE_CHECKING

import attrs
import pytest

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.errors import RequestCancelledError
from aiorekostream.fleet import Failed, Fleet, Started, Unknown
from tests.fleet.service import START, STOP, Service, faces, label, labels, names, run, stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from aiorekostream.domain.requests import LabelDetectionStart
    from aiorekostream.fleet import StartOutcome, StartReport


def a_service(count: int = 200) -> Service:
    service = Service()
    service.create(*names(count))
    return service


def every_request_has_its_outcome(service: Service, report: StartReport) -> None:
    """What was sent was started, and what was not says so."""
    assert {it.name for it in report.started} == {name for operation, name, _ in service.calls if operation == START}
    for failed in report.failed:
        assert isinstance(failed, Failed)
        assert isinstance(failed.error, RequestCancelledError)
        assert failed.error.retry_safe
    assert len(report.started) + len(report.failed) == len(report)


# ------------------------------------------------------------------------------------------------------------- streams


def test_outcomes_are_handed_on_as_they_come() -> None:
    service = a_service()

    async def main() -> list[float]:
        return [service.clock.now() async for _ in Fleet(service.client()).starting(labels(60, 30))]

    moments = run(main())
    assert len(moments) == 60
    assert moments == sorted(moments)
    assert moments[0] < 0.1
    assert moments[-1] > 1


def test_a_stream_without_an_end_is_read_no_further_ahead_than_there_is_room() -> None:
    service = a_service(100)
    read = 0

    def endless() -> Iterator[LabelDetectionStart]:
        nonlocal read
        for number in itertools.count():
            read += 1
            yield label(f"camera-{number % 100}", 1)

    async def main() -> int:
        furthest = 0
        fleet = Fleet(service.client(), max_waiting=25)
        async with contextlib.aclosing(fleet.starting(endless())) as outcomes:
            async for handed_on in _counted(outcomes):
                furthest = max(furthest, read - handed_on)
                await asyncio.sleep(0.2 if handed_on % 10 == 0 else 0)
                if handed_on == 500:
                    break
        return furthest

    assert run(main()) <= 25 + 1


async def _counted(outcomes: AsyncIterator[StartOutcome]) -> AsyncIterator[int]:
    number = 0
    async for outcome in outcomes:
        assert isinstance(outcome, Started), outcome
        number += 1
        yield number


def test_a_consumer_that_is_slow_holds_the_reading_up() -> None:
    service = a_service()
    read = 0

    async def requests() -> AsyncIterator[LabelDetectionStart]:
        nonlocal read
        for request in labels(200):
            read += 1
            yield request

    async def main() -> None:
        outcomes = Fleet(service.client(), max_waiting=10).starting(requests())
        await anext(outcomes)
        await asyncio.sleep(100)
        assert read <= 11
        await outcomes.aclose()

    run(main())


# ------------------------------------------------------------------------------------------------------------- leaving


def test_leaving_the_loop_withdraws_what_was_not_sent_and_settles_the_rest() -> None:
    service = a_service()

    async def main() -> tuple[list[StartOutcome], StartReport]:
        fleet = Fleet(service.client())
        seen: list[StartOutcome] = []
        async with contextlib.aclosing(fleet.starting(labels(200, 30))) as outcomes:
            async for outcome in outcomes:
                seen.append(outcome)
                if len(seen) == 30:
                    break
        return seen, fleet.report

    seen, rest = run(main())
    assert len(seen) + len(rest) == 200
    assert len(seen) + len(rest.started) == len(service.starts()) < 100
    assert all(isinstance(it, Failed) and isinstance(it.error, RequestCancelledError) for it in rest.failed)


def test_a_loop_that_is_just_left_settles_in_the_background() -> None:
    service = a_service()

    async def main() -> StartReport:
        fleet = Fleet(service.client())
        async for _ in fleet.starting(labels(200, 30)):
            break
        gc.collect()
        await asyncio.sleep(1)
        return fleet.report

    report = run(main())
    assert len(report) == 199
    assert len(report.started) + 1 == len(service.starts()) < 100


@pytest.mark.parametrize("moment", [0, 0.01, 0.05, 1, 3.33])
def test_a_cancelled_start_is_known_by_its_report(moment: float) -> None:
    service = a_service()

    async def main() -> StartReport:
        fleet = Fleet(service.client())
        starting = asyncio.create_task(fleet.start(labels(200, 30)))
        await asyncio.sleep(moment)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        return fleet.report

    every_request_has_its_outcome(service, run(main()))


def test_a_timeout_around_a_start_ends_it_within_an_answer_s_time() -> None:
    service = a_service()

    async def main() -> StartReport:
        fleet = Fleet(service.client())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2):
                await fleet.start(labels(200, 30))
        assert service.clock.now() < 2.1
        return fleet.report

    every_request_has_its_outcome(service, run(main()))


def test_a_second_cancellation_does_not_wait_for_answers() -> None:
    service = Service(latency=30)
    service.create(*names(50))

    async def main() -> StartReport:
        fleet = Fleet(service.client())
        starting = asyncio.create_task(fleet.start(labels(50, 30)))
        for moment in (0.01, 1):
            await asyncio.sleep(moment)
            starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert service.clock.now() < 2
        return fleet.report

    report = run(main())
    assert len(report) == 50
    assert {it.name for it in report.unknown} == {name for _, name, _ in service.calls}
    assert all(isinstance(it, Unknown) for it in report.unknown)


def test_a_request_that_was_withdrawn_can_be_made_again() -> None:
    service = a_service(60)

    async def main() -> int:
        fleet = Fleet(service.client())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await fleet.start(labels(60, 30))
        first = fleet.report
        again = [it.request for it in first.failed if isinstance(it, Failed)]
        return len(first.started) + len((await fleet.start(again)).started)

    assert run(main()) == 60
    assert len(service.starts()) == 60


def test_requests_that_cannot_be_read_on_do_not_lose_those_that_were_read() -> None:
    service = a_service()

    async def requests() -> AsyncIterator[LabelDetectionStart]:
        async for request in stream(labels(100), every=0.1):
            if request.name == "camera-40":
                raise ConnectionResetError("the queue is gone")
            yield request

    async def main() -> StartReport:
        fleet = Fleet(service.client())
        with pytest.raises(ConnectionResetError, match="the queue is gone"):
            await fleet.start(requests())
        return fleet.report

    report = run(main())
    assert len(report) == 40
    every_request_has_its_outcome(service, report)


def test_a_loop_sees_all_outcomes_before_the_error_of_its_requests() -> None:
    service = a_service()

    async def requests() -> AsyncIterator[LabelDetectionStart]:
        for request in labels(40):
            yield request
        await asyncio.sleep(0.5)
        raise ConnectionResetError("the queue is gone")

    async def main() -> list[StartOutcome]:
        seen: list[StartOutcome] = []

        async def watch() -> None:
            async for outcome in Fleet(service.client()).starting(requests()):
                seen.append(outcome)  # noqa: PERF401 - what came before the error counts

        with pytest.raises(ConnectionResetError):
            await watch()
        return seen

    assert len(run(main())) == 40


def test_one_run_that_is_cancelled_does_not_disturb_another() -> None:
    service = a_service()

    async def main() -> StartReport:
        fleet = Fleet(service.client())
        requests = labels(200, 30)
        left = asyncio.create_task(fleet.start(requests[:100]))
        stays = asyncio.create_task(fleet.start(requests[100:]))
        await asyncio.sleep(1)
        left.cancel()
        return await stays

    assert len(run(main()).started) == 100


def test_two_runs_at_once_share_a_processor_one_start_at_a_time() -> None:
    service = a_service(1)

    async def main() -> set[object]:
        fleet = Fleet(service.client())
        reports = await asyncio.gather(*(fleet.start([label("camera-0", 5)]) for _ in range(3)))
        return {it.session for report in reports for it in report.started}

    assert len(run(main())) == 3


def test_stops_can_be_left_like_starts() -> None:
    service = a_service(30)

    async def main() -> tuple[int, int]:
        fleet = Fleet(service.client())
        await fleet.start(labels(30, 120))
        seen = 0
        async with contextlib.aclosing(fleet.stopping(names(30))) as outcomes:
            async for _ in outcomes:
                seen += 1
                if seen == 5:
                    break
        return seen, len(fleet.stop_report)

    seen, rest = run(main())
    assert (seen, rest) == (5, 25)


def test_a_stop_that_is_broken_off_says_that_it_was_a_stop() -> None:
    service = Service()
    service.create("camera-0")

    async def main() -> object:
        fleet = Fleet(service.client())
        await fleet.start(labels(1, 60))
        service.latency = 30
        stopping = asyncio.create_task(fleet.stop(["camera-0"]))
        for _ in range(2):
            await asyncio.sleep(1)
            stopping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await stopping
        return fleet.stop_report.outcomes[0]

    outcome = run(main())
    assert isinstance(outcome, Unknown)
    assert isinstance(outcome.error, errors.UnknownOutcomeError)
    assert outcome.error.operation == STOP


def test_when_every_task_is_cancelled_what_was_not_sent_is_withdrawn() -> None:
    service = Service(latency=30)
    service.create(*names(60))

    async def main() -> StartReport:
        fleet = Fleet(service.client())
        starting = asyncio.create_task(fleet.start(labels(60, 30)))
        await asyncio.sleep(0.5)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting
        return fleet.report

    report = run(main())
    sent = {name for operation, name, _ in service.calls if operation == START}
    assert {it.name for it in report.unknown} == sent
    assert len(report) == 60
    assert all(isinstance(it, Failed) and isinstance(it.error, RequestCancelledError) for it in report.failed)


def test_a_start_that_was_cancelled_and_then_throttled_is_not_sent_again() -> None:
    service = Service(latency=0)
    service.create("camera-0")

    async def handle(operation: str, body: Mapping[str, object]) -> Mapping[str, object] | Exception:
        service.calls.append((operation, str(body.get("Name")), service.clock.now()))
        await asyncio.sleep(5)
        return errors.ThrottlingError("", operation=operation, code="T", http_status=400, retry_safe=True)

    client = service.client()
    client._pipeline = attrs.evolve(client._pipeline, transport=rks.MemoryTransport(handle))

    async def main() -> object:
        fleet = Fleet(client)
        starting = asyncio.create_task(fleet.start(labels(1)))
        await asyncio.sleep(1)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        return fleet.report.outcomes[0]

    outcome = run(main())
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, RequestCancelledError)
    assert len(service.starts()) == 1


def test_a_start_is_cancelled_at_once_where_nothing_is_under_way() -> None:
    service = Service()
    service.create(*names(11, "face"), faces=True)

    async def main() -> float:
        starting = asyncio.create_task(Fleet(service.client()).start(faces(11)))
        await asyncio.sleep(7)
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting
        return service.clock.now()

    assert run(main()) == 7


def test_nothing_of_a_run_is_left_when_it_is_over() -> None:
    service = Service()
    service.create(*names(3))

    async def main() -> Fleet:
        fleet = Fleet(service.client())
        await fleet.start(labels(3))
        return fleet

    desk = run(main())._starts
    assert (desk._alarms, desk._tasks, desk._runs) == ([], {}, {})


def test_a_report_may_be_longer_than_what_waits_at_once() -> None:
    service = Service()
    service.create(*names(50))
    assert len(run(Fleet(service.client(), max_waiting=5).start(labels(50, 30))).started) == 50


def test_an_outcome_that_is_handed_on_makes_room_at_once() -> None:
    service = Service()
    service.create(*names(5))

    async def main() -> float:
        async for _ in Fleet(service.client(), max_waiting=1).starting(labels(5, 60)):
            await asyncio.sleep(0.2)  # the next one is ready by then
        return service.clock.now()

    assert run(main()) < 2


def test_the_first_cancellation_after_requests_could_not_be_read_on_waits_for_answers_too() -> None:
    service = Service(latency=5)
    service.create(*names(3))

    async def requests() -> AsyncIterator[LabelDetectionStart]:
        async for request in stream(labels(3, 60)):
            yield request
        await asyncio.sleep(0.5)
        raise ConnectionResetError("the queue is gone")

    async def main() -> dict[str, int]:
        fleet = Fleet(service.client())
        starting = asyncio.create_task(fleet.start(requests()))
        await asyncio.sleep(1)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        return fleet.report.counts

    assert run(main()) == {"started": 3}


@pytest.mark.parametrize("times", [3, 4])
def test_a_loop_that_is_cancelled_again_and_again_leaves_its_report_behind(times: int) -> None:
    service = Service(latency=1)
    service.create(*names(3))

    async def main() -> dict[str, int]:
        fleet = Fleet(service.client())

        async def watch() -> dict[str, int]:
            try:
                async with contextlib.aclosing(fleet.starting(labels(3))) as outcomes:
                    async for _ in outcomes:
                        pass
            except asyncio.CancelledError:
                return fleet.report.counts
            return {}

        watching = asyncio.create_task(watch())
        await asyncio.sleep(0.5)
        for _ in range(times):
            watching.cancel()
            await asyncio.sleep(0)
        return await watching

    assert run(main()) == {"unknown": 3}


def test_a_loop_that_is_cancelled_twice_leaves_its_report_behind() -> None:
    service = Service(latency=30)
    service.create(*names(20))

    async def main() -> dict[str, int]:
        fleet = Fleet(service.client())

        async def watch() -> None:
            async for _ in fleet.starting(labels(20, 30)):
                pass

        watching = asyncio.create_task(watch())
        for moment in (1, 1):
            await asyncio.sleep(moment)
            watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        return fleet.report.counts

    assert run(main()) == {"unknown": 20}


def test_each_task_has_the_report_of_its_own_run() -> None:
    service = Service(quotas=False)
    service.create(*names(30))

    async def one(fleet: Fleet, requests: list[LabelDetectionStart]) -> dict[str, int]:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await fleet.start([*requests, *requests])  # each camera twice: the second waits for the first to end
        return fleet.report.counts

    async def main() -> list[dict[str, int]]:
        fleet = Fleet(service.client(paced=False))
        runs = [asyncio.create_task(one(fleet, labels(30)[first::3])) for first in range(3)]
        return [await task for task in runs]

    assert run(main()) == [{"started": 10, "failed": 10}] * 3


def test_the_report_of_the_latest_run_is_there_when_no_loop_runs_any_more() -> None:
    service = Service()
    service.create(*names(2))
    fleet = Fleet(service.client())
    assert fleet.report.outcomes == ()
    run(fleet.start(labels(2)))
    assert fleet.report.counts == {"started": 2}


def test_however_many_runs_there_are_one_watches_for_all_of_them() -> None:
    service = Service(limits=rks.Limits(concurrent_label_detection={"us-east-1": 1000}))
    service.create(*names(100))
    most = 0

    async def main() -> None:
        nonlocal most
        fleet = Fleet(service.client())
        runs = [asyncio.create_task(fleet.start([request])) for request in labels(100)]
        while not all(task.done() for task in runs):
            most = max(most, len(fleet._starts._alarms))
            await asyncio.sleep(0.1)

    run(main())
    assert most == 2
