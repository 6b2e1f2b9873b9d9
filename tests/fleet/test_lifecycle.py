"""The life of a fleet: closing it, event loops one after the other, and what is left in memory."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING, cast

import pytest

import aiorekostream as rks
from aiorekostream.errors import RequestCancelledError, ResourceNotFoundError
from aiorekostream.fleet import Fleet, StartOutcome, StartReport
from aiorekostream.testing import MemoryTransport
from tests import virtual_time
from tests.fleet.service import (
    START,
    faces,
    label,
    labels,
    lost,
    names,
    once,
    run,
    throttling,
    unlimited_service_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


# ------------------------------------------------------------------------------------------------------------- closing


def test_aclose_cancels_queued_requests_of_every_run() -> None:
    service = unlimited_service_of(6, latency=2)

    async def main() -> tuple[StartReport, StartReport]:
        async with Fleet(service.client(), max_in_flight=2) as fleet:
            first = asyncio.create_task(fleet.start(labels(6)[:3]))
            second = asyncio.create_task(fleet.start(labels(6)[3:]))
            await asyncio.sleep(1)
        assert service.clock.now() == pytest.approx(2, abs=0.1)
        return await first, await second

    first, second = run(main())
    assert first.counts == {"started": 2, "failed": 1}
    assert second.counts == {"failed": 3}
    assert {type(it.error) for it in [*first.failed, *second.failed]} == {RequestCancelledError}


def test_aclose_cancels_queued_stops() -> None:
    service = unlimited_service_of(3, latency=2)

    async def main() -> dict[str, int]:
        async with Fleet(service.client(), max_in_flight=1) as fleet:
            stopping = asyncio.create_task(fleet.stop(names(3)))
            await asyncio.sleep(1)
        return (await stopping).counts

    assert run(main()) == {"already stopped": 1, "failed": 2}


def test_closed_fleet_can_be_used_again_and_its_client_is_open() -> None:
    service = unlimited_service_of(2)

    async def main() -> None:
        client = service.client()
        fleet = Fleet(client)
        async with fleet:
            assert (await fleet.start(labels(1))).counts == {"started": 1}
        assert (await fleet.start(labels(2)[1:])).counts == {"started": 1}
        assert (await client.describe_stream_processor("camera-0")).name == "camera-0"

    run(main())


def test_closing_twice_or_unused_does_nothing() -> None:
    async def main() -> None:
        fleet = Fleet(unlimited_service_of(1).client())
        await fleet.aclose()
        await fleet.aclose()

    run(main())


def test_closing_ends_a_start_that_backs_off() -> None:
    service = unlimited_service_of(1)
    service.before = lambda operation, _: throttling(retry_after=120) if operation == START else None

    async def main() -> dict[str, int]:
        async with Fleet(service.client()) as fleet:
            starting = asyncio.create_task(fleet.start(labels(1)))
            await asyncio.sleep(1)
        assert service.clock.now() == 1
        return (await starting).counts

    assert run(main()) == {"failed": 1}


# -------------------------------------------------------------------------------------------------------- event loops


def test_fleet_works_in_one_event_loop_after_the_other() -> None:
    """With the machine's own time: the sessions of the first loop are known in the second."""
    sent: list[str] = []

    def handle(operation: str, _body: Mapping[str, object]) -> Mapping[str, object]:
        sent.append(operation)
        return {"SessionId": f"session-{len(sent)}"}

    fleet = Fleet(rks.Client(transport=MemoryTransport(handle)))
    for number in range(3):
        report = asyncio.run(fleet.start([label(f"camera-{number}", 60)]))
        assert report.counts == {"started": 1}
    assert fleet.running == 3
    assert asyncio.run(fleet.stop(["camera-0"])).counts == {"stopped": 1}


@pytest.mark.parametrize("state", ["in flight", "queued", "backing off", "blocked", "waits for a poll"])
def test_fleet_works_again_after_a_loop_that_ended_in_the_middle(state: str) -> None:
    """`asyncio.run` cancels every task when its coroutine has ended."""
    never: list[asyncio.Future[None]] = []
    is_first_loop = True

    async def handle(operation: str, _body: Mapping[str, object]) -> Mapping[str, object] | Exception:
        if operation == "ListStreamProcessors":
            return {"StreamProcessors": []}
        if state == "backing off" and is_first_loop:
            return throttling(operation, retry_after=1000)
        if state in {"in flight", "queued"} and is_first_loop:
            never.append(asyncio.get_running_loop().create_future())
            await never[-1]
        return {"SessionId": "session"}

    limits = rks.Limits(concurrent_face_search={"us-east-1": 1 if state == "blocked" else 10})
    fleet = Fleet(
        rks.Client(transport=MemoryTransport(handle), limits=limits, rate_limiter=None),
        max_in_flight=1 if state == "queued" else None,
    )
    requests = faces(2) if state != "waits for a poll" else faces(1) * 2

    async def first() -> object:
        starting = fleet.iter_start(requests)
        stopping = fleet.iter_stop(names(2))
        tasks = [asyncio.create_task(starting.wait()), asyncio.create_task(stopping.wait())]
        for _ in range(20):
            await asyncio.sleep(0)
        return starting, stopping, tasks

    kept = asyncio.run(first())
    is_first_loop = False

    async def second() -> tuple[dict[str, int], dict[str, int]]:
        async with asyncio.timeout(20):
            started = await fleet.start([rks.FaceSearchStart("another")]) if state != "blocked" else StartReport()
            return started.counts, (await fleet.stop(names(1))).counts

    started, stopped = asyncio.run(second())
    assert stopped == {"stopped": 1}
    assert started == ({} if state == "blocked" else {"started": 1})
    del kept


# ------------------------------------------------------------------------------------------------------ memory, tasks


@pytest.mark.parametrize("trouble", ["none", "throttled", "lost", "cancelled", "expired"])
def test_run_leaves_no_task_or_timer(trouble: str) -> None:
    """No task, no timer, and nothing that keeps the run or its outcomes alive."""
    service = unlimited_service_of(30)
    if trouble == "throttled":
        service.before = once(throttling(retry_after=1), times=10)
    elif trouble == "lost":
        service.before = once(lost(), times=10)

    async def work(fleet: Fleet) -> list[weakref.ref[object]]:
        starts = labels(30, 1)
        starting = fleet.iter_start(starts)
        if trouble == "cancelled":
            waiting = asyncio.create_task(starting.wait())
            await asyncio.sleep(0.01)
            waiting.cancel()
            await asyncio.wait([waiting])
        else:
            await starting.wait()
        await fleet.stop(names(3))
        return [weakref.ref(each) for each in (starting, *starts)]

    async def main() -> None:
        fleet = Fleet(service.client(), expires_after=0.5 if trouble == "expired" else None)
        references = await work(fleet)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        timers = cast("list[asyncio.TimerHandle]", getattr(asyncio.get_running_loop(), "_scheduled"))  # noqa: B009
        assert not [timer for timer in timers if not timer.cancelled()]
        gc.collect()
        assert not [reference for reference in references if reference() is not None]

    virtual_time.run(main())


@pytest.mark.parametrize("way", ["submit", "start", "iter_start"])
def test_error_of_an_outcome_is_freed_with_it(way: str) -> None:
    """Not only by the garbage collector: an endless run of failures would need much more memory."""

    def reject(operation: str, _: Mapping[str, object]) -> Mapping[str, object]:
        code = "ResourceNotFoundException"
        raise ResourceNotFoundError("", operation=operation, code=code, http_status=400, retry_safe=True)

    async def outcomes(fleet: Fleet) -> list[StartOutcome]:
        if way == "submit":
            return [await fleet.submit(label("door"))]
        if way == "start":
            return [*(await fleet.start([label("door")])).failed]
        async with fleet.iter_start([label("door")]) as starting:
            return [outcome async for outcome in starting]

    async def main() -> weakref.ref[Exception]:
        async with Fleet(rks.Client(transport=MemoryTransport(reject), rate_limiter=None)) as fleet:
            (outcome,) = await outcomes(fleet)
        assert isinstance(outcome, rks.Failed)
        return weakref.ref(outcome.error)

    gc.disable()
    try:
        assert asyncio.run(main())() is None
    finally:
        gc.enable()


def test_memory_of_a_fleet_does_not_grow_with_its_runs() -> None:
    service = unlimited_service_of(20)

    async def main() -> tuple[int, int]:
        fleet = Fleet(service.client(rate_limiter=None))

        async def round_of_runs() -> int:
            for _ in range(5):
                await fleet.start(labels(20, 1))
                await fleet.stop(names(20))
                service.calls.clear()
                await asyncio.sleep(100)
            gc.collect()
            kinds = ("aiorekostream.fleet", "aiorekostream.pipeline", "asyncio", "_asyncio")
            return sum(str(type(it).__module__).startswith(kinds) for it in gc.get_objects())

        await round_of_runs()
        rounds = [await round_of_runs() for _ in range(4)]
        return rounds[0], rounds[-1]

    first, last = virtual_time.run(main())
    assert last <= first


@pytest.mark.parametrize("runs", [1, 50])
def test_number_of_tasks_does_not_grow_with_runs_that_wait(runs: int) -> None:
    """A run has its reader; the fleet has one scheduler, one poll at a time, and its calls."""
    service = unlimited_service_of(0)
    service.create(*names(60, "face"), faces=True)

    async def main() -> int:
        fleet = Fleet(service.client())
        await fleet.start(faces(10))
        before = asyncio.all_tasks()
        waiting = [asyncio.create_task(fleet.start([request])) for request in faces(60)[10 : 10 + runs]]
        await asyncio.sleep(30)
        number = len(asyncio.all_tasks() - before - set(waiting))
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        return number

    assert run(main()) <= 2
