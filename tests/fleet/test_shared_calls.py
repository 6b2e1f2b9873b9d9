"""Requests that share the call of another request get its outcome, in whatever way the program leaves them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import attrs
import pytest

from aiorekostream.errors import RequestCancelledError, UnknownOutcomeError
from aiorekostream.fleet import Failed, Fleet, FleetEvent, Started, StartReport, StartRun, Stopped, Unknown
from aiorekostream.rate_limiting import LocalRateLimiter
from aiorekostream.testing import MemoryTransport, Reply
from tests.fleet.service import Service, label, labels, names, run, throttling

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiorekostream.client import Client
    from aiorekostream.rate_limiting.port import Permit, PermitRequest

LATENCY = 10.0
CAMERA = label("camera-0", 60)


@attrs.define
class OnePermit:
    """A rate limiter that gives one permit, and fails for the second."""

    limiter: LocalRateLimiter = attrs.field(factory=LocalRateLimiter)
    permits: int = 0

    async def acquire(self, request: PermitRequest) -> Permit:
        self.permits += 1
        if self.permits > 1:
            raise ZeroDivisionError
        return await self.limiter.acquire(request)


@attrs.define
class SharedStart:
    """A fleet with a start in flight, and two runs whose requests share it."""

    service: Service
    fleet: Fleet
    leading: StartRun
    sharing: StartRun
    waiting: asyncio.Task[None]
    events: list[FleetEvent]


def service_of(count: int = 2) -> Service:
    service = Service(latency=LATENCY)
    service.create(*names(count))
    return service


async def scene_of(service: Service, client: Client | None = None) -> SharedStart:
    events: list[FleetEvent] = []
    client = client or service.client(rate_limiter=OnePermit())
    fleet = Fleet(client, when_busy="share", on_event=events.append)
    leading, sharing = fleet.iter_start([CAMERA]), fleet.iter_start([CAMERA] * 29)
    waiting = [asyncio.create_task(_wait(each)) for each in (leading, sharing)]
    await asyncio.sleep(1)
    assert len(service.starts()) == 1
    return SharedStart(service, fleet, leading, sharing, waiting[1], events)


async def _wait(starting: StartRun) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await starting.wait()


# ------------------------------------------------------------------------------------------------------ true outcomes


async def _close_the_fleet(scene: SharedStart) -> None:
    await scene.fleet.aclose()


async def _close_the_run(scene: SharedStart) -> None:
    await scene.sharing.aclose()


async def _cancel_the_wait(scene: SharedStart) -> None:
    scene.waiting.cancel()


async def _cancel_the_requests(scene: SharedStart) -> None:
    for _ in range(29):
        assert scene.sharing.cancel(CAMERA)


async def _let_the_scheduler_fail(scene: SharedStart) -> None:
    report = await scene.fleet.start(labels(2)[1:])
    assert [type(outcome.error) for outcome in report.failed] == [ZeroDivisionError]


@pytest.mark.parametrize(
    "leave", [_close_the_fleet, _close_the_run, _cancel_the_wait, _cancel_the_requests, _let_the_scheduler_fail]
)
def test_requests_that_share_a_sent_start_get_its_outcome(leave: Callable[[SharedStart], Awaitable[None]]) -> None:
    service = service_of()

    async def main() -> tuple[StartReport, StartReport]:
        scene = await scene_of(service)
        await leave(scene)
        await scene.waiting
        return await scene.leading.wait(), scene.sharing.report

    (leader,), sharing = run(main())
    assert isinstance(leader, Started)
    assert not leader.shared
    assert list(sharing) == [attrs.evolve(leader, shared=True)] * 29
    assert len(service.starts()) == 1


def test_requests_that_share_a_sent_stop_get_its_outcome_when_closed() -> None:
    service = service_of()

    async def main() -> list[type]:
        service.latency = 0
        fleet = Fleet(service.client())
        await fleet.start([CAMERA])
        service.latency = LATENCY
        stopping = asyncio.create_task(fleet.stop([CAMERA.name] * 3))
        await asyncio.sleep(2)
        await fleet.aclose()
        return [type(outcome) for outcome in await stopping]

    assert run(main()) == [Stopped] * 3


def test_request_behind_a_throttled_start_is_cancelled_when_closed() -> None:
    """The start returns to the queue, so there is no call whose outcome the request could share."""
    service = service_of()

    async def throttle_first(operation: str, body: Mapping[str, object]) -> Reply | Exception:
        if service.calls:
            return await service.answer(operation, body)
        service.calls.append((operation, str(body["Name"]), service.clock.now()))
        await asyncio.sleep(LATENCY)
        return throttling()

    async def main() -> tuple[StartReport, StartReport]:
        scene = await scene_of(service, service.client(transport=MemoryTransport(throttle_first)))
        await scene.sharing.aclose()
        assert service.clock.now() == LATENCY
        return await scene.leading.wait(), scene.sharing.report

    leading, sharing = run(main())
    assert leading.counts == {"started": 1}
    assert [type(each.error) for each in sharing.failed] == [RequestCancelledError] * 29


# ----------------------------------------------------------------------------------------------------- left in a hurry


@pytest.mark.parametrize("leaves_all", [True, False])
def test_requests_that_share_a_sent_start_are_unknown_in_a_hurry(*, leaves_all: bool) -> None:
    """Every task is cancelled, as at the end of a loop, or one run is cancelled twice."""
    service = service_of()

    async def main() -> StartReport:
        scene = await scene_of(service)
        if leaves_all:
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
        else:
            for _ in range(2):
                scene.waiting.cancel()
                await asyncio.sleep(0.1)
        with contextlib.suppress(asyncio.CancelledError):
            await scene.waiting
        assert service.clock.now() < LATENCY
        await scene.leading.wait()
        return scene.sharing.report

    report = run(main())
    assert len(report) == 29
    for outcome in report:
        assert isinstance(outcome, Unknown)
        assert isinstance(outcome.error, UnknownOutcomeError)
        assert outcome.retry_safe_at is not None


def test_submit_that_shares_a_sent_start_is_withdrawn_when_cancelled() -> None:
    service = service_of()

    async def main() -> None:
        scene = await scene_of(service)
        submitting = asyncio.create_task(scene.fleet.submit(CAMERA))
        await asyncio.sleep(1)
        submitting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await submitting
        assert service.clock.now() < LATENCY
        outcome = scene.events[-1].outcome
        assert isinstance(outcome, Failed)
        assert isinstance(outcome.error, RequestCancelledError)
        await scene.waiting

    run(main())
