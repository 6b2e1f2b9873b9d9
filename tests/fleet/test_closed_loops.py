"""Use a fleet and a client after an event loop that was closed before its tasks had ended, and beside a live one."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator, Mapping

import pytest

import aiorekostream as rks
from aiorekostream.errors import RequestCancelledError
from aiorekostream.fleet import Failed, StartReport
from aiorekostream.testing import MemoryTransport
from tests.fleet.test_scheduling import RecordingLimiter
from tests.virtual_time import run

# Of tasks that are destroyed while they are pending.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::RuntimeWarning")

Use = Callable[[rks.Client, rks.Fleet], Awaitable[object]]
_ARN = "arn:aws:rekognition:us-east-1:123456789012:streamprocessor/"


@pytest.fixture(autouse=True)
def destroyed_tasks() -> Iterator[None]:
    """Destroy the tasks that a test leaves at its end, so that no later test has their warnings."""
    yield
    gc.collect()


async def _next_end(fleet: rks.Fleet) -> object:
    return await anext(fleet.session_ends())


_USES: Mapping[str, Use] = {
    "submit": lambda _, fleet: fleet.submit(rks.FaceSearchStart("camera")),
    "start": lambda _, fleet: fleet.start([rks.FaceSearchStart("door"), rks.FaceSearchStart("hall")]),
    "ensure_running": lambda _, fleet: fleet.ensure_running([rks.FaceSearchStart("lobby")]),
    "stop": lambda _, fleet: fleet.stop(["yard"]),
    "sync_sessions": lambda _, fleet: fleet.sync_sessions(),
    "session_ends": lambda _, fleet: _next_end(fleet),
    "wait": lambda client, _: client.wait_until_running("camera", timeout=5),
}


class _SteppingService:
    """Answers after so many steps of the event loop, and never while it hangs."""

    def __init__(self, *, status: str = "RUNNING") -> None:
        self.hangs = False
        self.status = status
        self.fleet_client = rks.Client(transport=MemoryTransport(self._answer), rate_limiter=None)

    async def _answer(self, operation: str, body: Mapping[str, object]) -> Mapping[str, object]:
        await asyncio.sleep(0)
        if self.hangs:
            await asyncio.get_running_loop().create_future()
        if operation == "ListStreamProcessors":
            return {"StreamProcessors": []}
        if operation == "DescribeStreamProcessor":
            name = str(body["Name"])
            return {"Name": name, "StreamProcessorArn": _ARN + name, "Status": self.status}
        return {}


def _leave(client: rks.Client, fleet: rks.Fleet, uses: list[Use], steps: int) -> list[asyncio.Task[object]]:
    """Begin the uses in a loop that is closed after so many steps, as programs without ``asyncio.run`` do."""

    async def begin(use: Use) -> object:
        return await use(client, fleet)

    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _loop, _context: None)  # tasks that are destroyed while they are pending
    tasks = [loop.create_task(begin(use)) for use in uses]
    for _ in range(steps):
        loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    return tasks


@pytest.mark.parametrize("use", _USES.keys() - {"session_ends"})
@pytest.mark.parametrize("steps", [1, 2, 3, 5, 8, 13])
def test_next_loop_is_served_after_one_that_was_closed_at_work(steps: int, use: str) -> None:
    service = _SteppingService()
    fleet = rks.Fleet(service.fleet_client, max_in_flight=1, when_busy="share")
    left = _leave(service.fleet_client, fleet, list(_USES.values()), steps)

    async def main() -> object:
        async with asyncio.timeout(20):
            result = await _USES[use](service.fleet_client, fleet)
            await fleet.aclose()
            return result

    result = asyncio.run(main())
    assert not isinstance(result, StartReport) or not result.failed
    del left


def test_wait_of_a_closed_loop_leaves_that_of_the_next_alone() -> None:
    """Python may destroy it at any time: here, while the next loop's scheduler waits for a permit."""
    client = _SteppingService().fleet_client.with_options(rate_limiter=RecordingLimiter(interval=1e6))
    fleet = rks.Fleet(client)

    async def main() -> object:
        submitted = asyncio.create_task(fleet.submit(rks.FaceSearchStart("door")))
        await asyncio.sleep(0.01)
        gc.collect()
        (scheduler,) = (task for task in asyncio.all_tasks() if task.get_name() == "aiorekostream StartStreamProcessor")
        scheduler.cancel()
        await asyncio.sleep(0.01)
        assert submitted.done()
        return submitted.result()

    gc.disable()
    try:
        left = _leave(client, fleet, [_USES["submit"]], 20)
        outcome = run(main())
    finally:
        gc.enable()
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, RequestCancelledError)
    del left


def test_report_of_a_closed_loop_has_every_outcome() -> None:
    """A call that was sent is unknown, a request that was not is cancelled."""
    service = _SteppingService()
    service.hangs = True
    fleet = rks.Fleet(service.fleet_client, max_in_flight=1)
    run = fleet.iter_start([rks.FaceSearchStart("door"), rks.FaceSearchStart("hall")])
    left = _leave(service.fleet_client, fleet, [lambda _client, _fleet: run.wait()], 20)
    service.hangs = False
    asyncio.run(fleet.aclose())
    assert run.report.counts == {"unknown": 1, "failed": 1}
    assert isinstance(run.report.failed[0].error, RequestCancelledError)
    del left


def test_second_live_loop_is_refused_while_the_first_is_at_work() -> None:
    service = _SteppingService(status="STARTING")
    service.hangs = True
    client, fleet = service.fleet_client, rks.Fleet(service.fleet_client)

    async def first() -> None:
        tasks = [asyncio.ensure_future(_USES[use](client, fleet)) for use in ("submit", "wait")]
        for _ in range(5):
            await asyncio.sleep(0)
        for use in ("start", "submit", "wait"):
            with pytest.raises(rks.ConfigurationError, match="each loop"):
                await asyncio.to_thread(asyncio.run, _in_time(_USES[use](client, fleet)))
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    asyncio.run(first())


async def _in_time(awaitable: Awaitable[object]) -> object:
    async with asyncio.timeout(20):
        return await awaitable
