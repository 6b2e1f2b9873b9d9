"""Leaving a run before its end: what was sent gets its true outcome, and what was not is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import gc
import itertools
from typing import TYPE_CHECKING

import attrs
import pytest

from aiorekostream.errors import InternalServerError, RequestCancelledError, UnknownOutcomeError
from aiorekostream.fleet import Failed, Fleet, StartReport, Unknown
from aiorekostream.testing import MemoryTransport
from tests.fleet.service import (
    BEGINNING,
    START,
    Service,
    faces,
    label,
    labels,
    leave,
    names,
    once,
    run,
    service_of,
    throttling,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping

    from aiorekostream.domain.requests import LabelDetectionStart
    from aiorekostream.fleet import StartOutcome, StartRun


def assert_true(service: Service, report: StartReport) -> None:
    """What was sent was started, and what was not says so."""
    assert {it.name for it in report.started} == set(service.order())
    for failed in report.failed:
        assert isinstance(failed.error, RequestCancelledError)
        assert failed.error.retry_safe
    assert len(report.started) + len(report.failed) == len(report)


def test_break_cancels_queued_requests() -> None:
    service = service_of(200)

    async def main() -> tuple[list[StartOutcome], StartReport]:
        seen: list[StartOutcome] = []
        async with Fleet(service.client()).iter_start(labels(200, 30)) as starting:
            async for outcome in starting:
                seen.append(outcome)
                if len(seen) == 30:
                    break
        return seen, starting.report

    seen, rest = run(main())
    assert len(seen) + len(rest) == 200
    assert len(seen) + len(rest.started) == len(service.starts()) < 100
    assert all(isinstance(it, Failed) and isinstance(it.error, RequestCancelledError) for it in rest.failed)


def test_error_in_the_block_cancels_queued_requests() -> None:
    service = service_of(200)

    async def main() -> StartReport:
        starting = Fleet(service.client()).iter_start(labels(200, 30))
        with pytest.raises(ZeroDivisionError):
            await _fail(starting)
        return starting.report

    report = run(main())
    assert len(report) == 199
    assert len(report.started) + 1 == len(service.starts()) < 100


def test_break_without_async_with_cancels_in_the_background() -> None:
    service = service_of(200)

    async def main() -> None:
        async for _ in Fleet(service.client()).iter_start(labels(200, 30)):
            break
        gc.collect()
        await asyncio.sleep(1)
        sent = len(service.starts())
        await asyncio.sleep(100)
        assert len(service.starts()) == sent < 100

    run(main())


def test_break_without_async_with_ends_the_reading_of_an_endless_source() -> None:
    service = service_of(5)
    closed = False

    async def endless() -> AsyncIterator[LabelDetectionStart]:
        nonlocal closed
        try:
            for number in itertools.count():
                yield label(f"camera-{number % 5}", 1)
        finally:
            closed = True

    async def main() -> None:
        async for _ in Fleet(service.client(), max_pending=20).iter_start(endless()):
            break
        gc.collect()
        await asyncio.sleep(1)
        assert closed

    run(main())


@pytest.mark.parametrize("moment", [0, 0.01, 0.05, 1, 3.33])
def test_cancelled_run_has_a_report(moment: float) -> None:
    service = service_of(200)

    async def main() -> StartReport:
        starting = Fleet(service.client()).iter_start(labels(200, 30))
        await leave(starting.wait(), after=moment)
        return starting.report

    assert_true(service, run(main()))


def test_cancelled_iteration_leaves_a_report() -> None:
    service = service_of(200, latency=1)

    async def main() -> tuple[int, StartReport]:
        starting, seen = Fleet(service.client()).iter_start(labels(200, 30)), 0

        async def watch() -> None:
            nonlocal seen
            async for _ in starting:
                seen += 1

        await leave(watch(), after=2.5)
        return seen, starting.report

    seen, report = run(main())
    assert seen + len(report) == 200
    assert seen + len(report.started) == len(service.starts())


def test_timeout_ends_a_start_within_the_time_of_an_answer() -> None:
    service = service_of(200)

    async def main() -> StartReport:
        starting = Fleet(service.client()).iter_start(labels(200, 30))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2):
                await starting.wait()
        assert service.clock.now() < 2.1
        return starting.report

    assert_true(service, run(main()))


@pytest.mark.parametrize("times", [2, 3, 4])
@pytest.mark.parametrize("way", ["wait", "iterate", "async with"])
def test_second_cancellation_does_not_wait_for_answers(way: str, times: int) -> None:
    service = service_of(50, latency=30)

    async def main() -> StartReport:
        starting = Fleet(service.client()).iter_start(labels(50, 30))

        async def work() -> None:
            if way == "wait":
                await starting.wait()
            elif way == "iterate":
                async for _ in starting:
                    pass
            else:
                async with starting:
                    await asyncio.gather(starting.wait())

        working = asyncio.create_task(work())
        await asyncio.sleep(1)
        for _ in range(times):
            working.cancel()
            await asyncio.sleep(0.01)
        with pytest.raises(asyncio.CancelledError):
            await working
        assert service.clock.now() < 2
        return starting.report

    report = run(main())
    assert len(report) == 50
    assert {it.name for it in report.unknown} == set(service.order())
    for unknown in report.unknown:
        assert isinstance(unknown.error, UnknownOutcomeError)
        assert unknown.retry_safe_at is not None


def test_call_that_is_broken_off_names_the_lost_response() -> None:
    service = service_of(1)
    code = "InternalServerError"
    service.before = once(InternalServerError("", operation=START, code=code, http_status=500, request_id="r-1"))

    async def main() -> StartReport:
        starting = Fleet(service.client()).iter_start(labels(1))
        waiting = asyncio.create_task(starting.wait())
        await asyncio.sleep(1)
        for _ in range(2):
            waiting.cancel()
            await asyncio.sleep(0.01)
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return starting.report

    (unknown,) = run(main()).unknown
    assert isinstance(unknown.error, UnknownOutcomeError)
    assert (unknown.error.code, unknown.error.request_id) == (code, "r-1")


def test_cancelled_request_can_be_made_again() -> None:
    service = service_of(60)

    async def main() -> int:
        fleet = Fleet(service.client())
        first = fleet.iter_start(labels(60, 30))
        await leave(first.wait(), after=1)
        again = [it.request for it in first.report.failed]
        return len(first.report.started) + len((await fleet.start(again)).started)

    assert run(main()) == 60
    assert len(service.starts()) == 60


def test_cancelled_run_does_not_disturb_another() -> None:
    service = service_of(200)

    async def main() -> StartReport:
        fleet = Fleet(service.client())
        requests = labels(200, 30)
        left = asyncio.create_task(fleet.start(requests[:100]))
        stays = asyncio.create_task(fleet.start(requests[100:]))
        await asyncio.sleep(1)
        left.cancel()
        return await stays

    assert len(run(main()).started) == 100


def test_run_of_stops_can_be_left() -> None:
    service = service_of(30)

    async def main() -> tuple[int, dict[str, int]]:
        fleet = Fleet(service.client())
        await fleet.start(labels(30, 120))
        seen = 0
        async with fleet.iter_stop(names(30)) as stopping:
            async for _ in stopping:
                seen += 1
                if seen == 5:
                    break
        return seen, stopping.report.counts

    seen, counts = run(main())
    assert seen == 5
    assert sum(counts.values()) == 25
    assert counts["failed"] >= 23


def test_cancelled_start_is_not_sent_again_when_throttled_then() -> None:
    service = Service()

    async def handle(operation: str, body: Mapping[str, object]) -> Exception:
        service.calls.append((operation, str(body.get("Name")), service.clock.now()))
        await asyncio.sleep(5)
        return throttling(operation)

    async def main() -> StartReport:
        starting = Fleet(service.client(transport=MemoryTransport(handle))).iter_start(labels(1))
        await leave(starting.wait(), after=1)
        return starting.report

    (outcome,) = run(main())
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, RequestCancelledError)
    assert service.count(START) == 1


def test_cancellation_is_immediate_when_nothing_is_under_way() -> None:
    service = Service()
    service.create(*names(11, "face"), faces=True)

    async def main() -> float:
        await leave(Fleet(service.client()).start(faces(11)), after=7)
        return service.clock.now()

    assert run(main()) == 7


def test_start_that_backs_off_is_cancelled_at_once() -> None:
    service = service_of(1)
    service.before = lambda operation, _: throttling(retry_after=120) if operation == START else None

    async def main() -> StartReport:
        starting = Fleet(service.client()).iter_start(labels(1))
        await leave(starting.wait(), after=1)
        assert service.clock.now() == 1
        return starting.report

    assert [type(it.error) for it in run(main()).failed] == [RequestCancelledError]


# ------------------------------------------------------------------------------------------------------------- sources


@attrs.define
class Source:
    """A source that tells whether it was closed; its class has no `aclose` of its own."""

    closed: bool = False
    error: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[LabelDetectionStart]:
        try:
            for number in range(50):
                yield label(f"camera-{number}", 60)
            if self.error is not None:
                raise self.error
        finally:
            try:
                await asyncio.sleep(0.1)
            finally:
                self.closed = True


async def _break(starting: StartRun) -> None:
    async with starting:
        async for _ in starting:
            break


async def _cancel(starting: StartRun) -> None:
    await leave(starting.wait(), after=0.5)


async def _fail(starting: StartRun) -> None:
    async with starting:
        async for _ in starting:
            raise ZeroDivisionError


async def _end(starting: StartRun) -> None:
    await starting.wait()


async def _leave_at_once(starting: StartRun) -> None:
    async with starting:
        pass


async def _close_twice(starting: StartRun) -> None:
    await starting.aclose()
    await starting.aclose()


async def _close_before_the_first_step(starting: StartRun) -> None:
    """Close the run in the iteration of the event loop in which its reader was created."""
    await asyncio.wait([asyncio.create_task(starting.wait()), asyncio.create_task(starting.aclose())])


_UNREAD = (_leave_at_once, _close_twice, _close_before_the_first_step)


@pytest.mark.parametrize("way", [_break, _cancel, _fail, _end, *_UNREAD])
@pytest.mark.parametrize("kind", ["async generator", "async iterable", "generator"])
def test_source_is_closed_in_every_way_of_leaving(way: Callable[[StartRun], Awaitable[None]], kind: str) -> None:
    service = service_of(50)
    was_begun = way not in _UNREAD

    async def main() -> bool:
        source = Source()
        generator = aiter(source)
        closed: list[bool] = []

        def plain() -> Iterator[LabelDetectionStart]:
            try:
                yield from labels(50, 60)
            finally:
                closed.append(True)

        sources: dict[str, AsyncIterable[LabelDetectionStart] | Iterable[LabelDetectionStart]]
        sources = {"async generator": generator, "async iterable": source, "generator": plain()}
        starting = Fleet(service.client(), max_pending=5).iter_start(sources[kind])
        with contextlib.suppress(ZeroDivisionError):
            await way(starting)
        if kind == "async generator":
            with pytest.raises(StopAsyncIteration):
                await anext(generator)
        return source.closed or bool(closed)

    assert run(main()) is was_begun


def test_source_is_closed_when_it_fails() -> None:
    source = Source(error=ConnectionResetError("the queue is gone"))

    async def main() -> None:
        with pytest.raises(ConnectionResetError):
            await Fleet(service_of(50).client()).start(source)

    run(main())
    assert source.closed


def test_start_that_was_broken_off_says_when_a_retry_is_safe() -> None:
    """The service may apply it for 30 seconds after it was sent, which was at the beginning."""

    async def main() -> StartReport:
        starting = Fleet(service_of(1, latency=30).client()).iter_start(labels(1))
        waiting = asyncio.create_task(starting.wait())
        for _ in range(2):
            await asyncio.sleep(5)
            waiting.cancel()
        await asyncio.wait([waiting])
        return starting.report

    (outcome,) = run(main())
    assert isinstance(outcome, Unknown)
    assert outcome.retry_safe_at == BEGINNING + datetime.timedelta(seconds=30)


def test_source_is_closed_when_the_run_is_cancelled_twice() -> None:
    source = Source()

    async def main() -> None:
        starting = Fleet(service_of(50, latency=30).client(), max_pending=5).iter_start(source)
        waiting = asyncio.create_task(starting.wait())
        for _ in range(2):
            await asyncio.sleep(0.5)
            waiting.cancel()
        await asyncio.wait([waiting])
        assert [type(it) for it in starting.report] == [Unknown] * 5
        assert source.closed

    run(main())
