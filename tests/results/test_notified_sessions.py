"""A fleet whose session monitor is a consumer of notifications; in virtual time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import aiorekostream as rks
from aiorekostream import results
from aiorekostream.limits import Limits
from tests.fleet.service import run
from tests.results.cameras import Cameras, collect, completed, detected, start_of
from tests.virtual_time import now

if TYPE_CHECKING:
    from aiorekostream.results import StreamProcessorEvent

FEW = Limits(concurrent_label_detection={"us-east-1": 20})


def _fleet(
    cameras: Cameras, router: results.SessionRouter[StreamProcessorEvent], *, poll_interval: float = 5
) -> rks.Fleet:
    client = cameras.client.with_options(limits=FEW)
    return rks.Fleet(client, session_monitor=results.NotifiedSessions(client, router), poll_interval=poll_interval)


def test_fleet_starts_the_next_session_when_a_notification_comes() -> None:
    """A hundred starts with 20 places: no status is polled, since no notification is lost."""
    cameras = Cameras(lasts=lambda _: 5.5)

    async def main() -> None:
        async with (
            cameras.consumer() as consumer,
            results.SessionRouter(consumer) as router,
            _fleet(cameras, router) as fleet,
        ):
            report = await fleet.start(start_of(f"camera-{number}", 60) for number in range(100))
            assert len(report.started) == 100
            assert now() < 4 * 5.5 + 1
            await asyncio.sleep(10)
            assert fleet.running == 0
        assert consumer.report.acknowledged == 100
        assert not cameras.queue.messages

    run(main())
    assert cameras.calls.keys() == {"StartStreamProcessor"}


def test_fleet_polls_while_a_session_is_overdue() -> None:
    """One of 20 notifications is lost: one list for each interval until its place is free."""
    cameras = Cameras(is_lost=lambda session_id: session_id == "camera-7-1")

    async def main() -> None:
        async with (
            cameras.consumer() as consumer,
            results.SessionRouter(consumer) as router,
            _fleet(cameras, router) as fleet,
        ):
            ends = fleet.session_ends()
            await fleet.start(start_of(f"camera-{number}") for number in range(20))
            names = [(await anext(ends)).name for _ in range(20)]
            assert names[-1] == "camera-7"
            assert now() <= 10 + 1 + 5

    run(main())
    assert cameras.calls["ListStreamProcessors"] + cameras.calls["DescribeStreamProcessor"] == 1


def test_sessions_of_a_fleet_leave_their_other_events_unclaimed() -> None:
    cameras, unclaimed = Cameras(), list[str]()

    async def take(event: StreamProcessorEvent) -> None:
        unclaimed.append(event.event_id)

    async def main() -> None:
        async with (
            cameras.consumer() as consumer,
            results.SessionRouter(consumer, on_unclaimed=take) as router,
            _fleet(cameras, router) as fleet,
        ):
            await fleet.submit(start_of("door"))
            cameras.queue.send(detected("door-1", name="door"))
            async with cameras.session(router, "hall") as session:
                assert [event.session_id for event in await collect(session)] == ["hall-1"]
            assert fleet.running == 0
        assert unclaimed == ["door-1/label-1", "door-1/end"]

    run(main())


def test_end_of_another_hosts_session_is_released() -> None:
    cameras = Cameras()

    async def main() -> None:
        async with (
            cameras.consumer() as consumer,
            results.SessionRouter(consumer) as router,
            _fleet(cameras, router) as fleet,
        ):
            await fleet.submit(start_of("door", 60))
            cameras.queue.send(completed("door-0", name="door"), completed("door-1"))
            await asyncio.sleep(0.5)
            assert fleet.running == 1
            assert consumer.report.acknowledged == 0

    run(main())
    assert len(cameras.queue.messages) == 2


def test_arguments_of_a_notified_monitor_are_validated() -> None:
    monitor: Any = results.NotifiedSessions
    with pytest.raises(rks.InvalidRequestError) as caught:
        monitor("client", "router")
    assert {issue.path for issue in caught.value.issues} == {"client", "router"}
