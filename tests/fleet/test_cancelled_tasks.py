"""Programs that cancel the tasks of a fleet: every request has an outcome, and the fleet goes on."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

import aiorekostream as rks
from aiorekostream.errors import RequestCancelledError
from aiorekostream.fleet import Fleet
from tests.fleet.service import faces, label, labels, names, run, unlimited_service_of
from tests.fleet.test_scheduling import RecordingLimiter

if TYPE_CHECKING:
    from aiorekostream.fleet import StartReport


@pytest.mark.parametrize("moment", [0, 0.01, 0.5, 2])
def test_every_request_has_an_outcome_when_every_task_is_cancelled(moment: float) -> None:
    service = unlimited_service_of(60, latency=30)

    async def main() -> StartReport:
        fleet = Fleet(service.client(), max_in_flight=20)
        starting = fleet.iter_start(labels(60, 30))
        waiting = asyncio.create_task(starting.wait())
        await asyncio.sleep(moment)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        assert service.clock.now() == moment
        if moment:
            assert len(starting.report) == 60
        service.latency = 0.05
        assert (await fleet.start([label("another")])).counts == {"failed": 1}  # there is no such processor
        return starting.report

    report = run(main())
    sent = set(service.order()) - {"another"}
    assert {it.name for it in report.unknown} == sent
    assert {type(it.error) for it in report.failed} <= {RequestCancelledError}


@pytest.mark.parametrize("verb", ["submit", "stop"])
@pytest.mark.parametrize("steps", range(10))
def test_request_has_an_outcome_when_tasks_of_its_fleet_are_cancelled(verb: str, steps: int) -> None:
    """At each step of the event loop: before the first step of the scheduler, of its wait, and of the call."""
    service = unlimited_service_of(1)

    async def main() -> None:
        fleet = Fleet(service.client())
        request = fleet.submit(label("camera-0")) if verb == "submit" else fleet.stop(["camera-0"])
        waiting = asyncio.ensure_future(request)
        for _ in range(steps):
            await asyncio.sleep(0)
        for task in asyncio.all_tasks() - {asyncio.current_task(), waiting}:
            task.cancel()
        async with asyncio.timeout(100):
            await waiting

    run(main())


@pytest.mark.parametrize("steps", range(6))
def test_scheduler_ends_when_cancelled_as_an_urgent_request_comes(steps: int) -> None:
    """The request breaks off the wait for a permit, and the program cancels every task in the same moment."""
    limiter = RecordingLimiter(interval=1000)
    service = unlimited_service_of(2)

    async def main() -> None:
        fleet = Fleet(service.client(rate_limiter=limiter))
        first = asyncio.create_task(fleet.submit(label("camera-0")))
        await asyncio.sleep(1)
        urgent = asyncio.create_task(fleet.submit(label("camera-1"), urgent=True))
        for _ in range(steps):
            await asyncio.sleep(0)
        tasks = asyncio.all_tasks() - {asyncio.current_task(), first, urgent}
        for task in tasks:
            task.cancel()
        async with asyncio.timeout(1):
            await asyncio.wait(tasks)
        for task in (first, urgent):
            task.cancel()
        await asyncio.wait([first, urgent])

    run(main())


def test_fleet_polls_again_after_every_task_was_cancelled() -> None:
    """The poll that waits for an answer is cancelled, too."""
    service = unlimited_service_of(0)
    service.create(*names(2, "face"), faces=True)

    async def main() -> None:
        client = service.client(limits=rks.Limits(concurrent_face_search={"us-east-1": 1}))
        fleet = Fleet(client, poll_interval=1)
        starting = asyncio.create_task(fleet.start(faces(2)))
        await asyncio.sleep(5)
        service.latency = 4
        await asyncio.sleep(2)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting
        service.latency = 0.05
        again = asyncio.create_task(fleet.start(faces(2)[1:]))
        await asyncio.sleep(5)
        await client.stop_stream_processor("face-0")
        async with asyncio.timeout(60):
            assert (await again).counts == {"started": 1}

    run(main())
