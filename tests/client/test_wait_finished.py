"""Waits for one session, by its notification and by the status; in virtual time."""

from __future__ import annotations

import asyncio

import attrs
import pytest

import aiorekostream as rks
from aiorekostream import results
from aiorekostream.domain.responses import StreamProcessorSummary
from tests.fleet.service import run
from tests.payloads import COMPLETED
from tests.results.cameras import Cameras, refusal, start_of
from tests.virtual_time import now

STOPPED = StreamProcessorSummary("door", rks.Status.STOPPED)


@attrs.define(eq=False)
class Notifications:
    """Notifications that come when the test says so."""

    seen: set[str] = attrs.field(factory=set[str])
    error: Exception | None = None
    _came: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    def has_event_of(self, session_id: str) -> bool:
        return session_id in self.seen

    async def completed(self, session_id: str) -> results.SessionCompleted:
        await self._came.wait()
        if self.error is not None:
            raise self.error
        return attrs.evolve(COMPLETED, session_id=session_id)

    def come(self, error: Exception | None = None) -> None:
        self.error = error
        self._came.set()


async def _start(cameras: Cameras, seconds: int = 60) -> rks.StartedSession:
    return await cameras.client.start_stream_processor(start_of("door", seconds))


def test_session_takes_the_place_of_a_name() -> None:
    cameras = Cameras()

    async def main() -> None:
        session = await _start(cameras, 10)
        assert session.name == "door"
        assert await cameras.client.wait_until_finished(session) == STOPPED
        assert 10 <= now() < 17

    run(main())


def test_wait_ends_with_the_notification() -> None:
    """The status is polled up to five seconds apart, and once more after the notification."""
    cameras = Cameras(lasts=lambda _: 31.2)

    async def main() -> None:
        async with cameras.consumer() as consumer:
            session = await _start(cameras)
            async with results.SessionRouter(consumer) as router:
                assert await cameras.client.wait_until_finished(session, events=router) == STOPPED
                assert now() == pytest.approx(31.2, abs=0.1)
                assert await cameras.client.wait_until_finished(session, events=router) == STOPPED
            assert consumer.report.acknowledged == 1

    run(main())


def test_wait_ends_with_the_status_when_the_notification_is_lost() -> None:
    cameras, notifications = Cameras(), Notifications()

    async def main() -> None:
        session = await _start(cameras, 10)
        assert await cameras.client.wait_until_finished(session, events=notifications) == STOPPED
        assert now() < 17

    run(main())


def test_notification_of_a_failed_session_raises() -> None:
    cameras, notifications = Cameras(), Notifications()

    async def main() -> None:
        session = await _start(cameras)
        cameras.later(20.1, cameras.end, "door", "door-1", "FAILED")
        cameras.later(20.1, notifications.come)
        with pytest.raises(rks.StreamProcessorFailedError) as caught:
            await cameras.client.wait_until_finished(session, events=notifications)
        assert now() < 20.2
        assert caught.value.status_message == "Access denied to Role"

    run(main())


def test_next_session_does_not_prolong_the_wait() -> None:
    cameras, notifications = Cameras(), Notifications()

    async def main() -> None:
        session = await _start(cameras)
        cameras.later(5, notifications.come)  # the processor is STARTING: another client has begun a session
        found = await cameras.client.wait_until_finished(session, events=notifications)
        assert found.status is rks.Status.STARTING
        assert now() < 5.1

    run(main())


def test_session_that_never_started_is_told_from_a_finished_one() -> None:
    cameras, notifications = Cameras(), Notifications()

    async def main() -> None:
        session = await _start(cameras)
        cameras.statuses["door"] = "STOPPED"
        with pytest.raises(rks.StreamProcessorFailedError, match="was not seen STARTING"):
            await cameras.client.wait_until_finished(session, events=notifications)
        assert 5 < now() < 8

    run(main())


def test_session_that_never_started_is_told_by_a_short_wait() -> None:
    cameras, notifications = Cameras(), Notifications()

    async def main() -> None:
        session = await _start(cameras)
        cameras.statuses["door"] = "STOPPED"
        with pytest.raises(rks.StreamProcessorFailedError, match="was not seen STARTING"):
            await cameras.client.wait_until_finished(session, events=notifications, timeout=3)
        assert now() < 4

    run(main())


def test_session_that_was_over_at_once_has_finished_when_an_event_came() -> None:
    cameras, notifications = Cameras(), Notifications(seen={"door-1"})

    async def main() -> None:
        session = await _start(cameras)
        cameras.statuses["door"] = "STOPPED"
        assert await cameras.client.wait_until_finished(session, events=notifications) == STOPPED
        assert now() < 2

    run(main())


def test_session_that_is_shown_late_is_waited_for() -> None:
    """The status from before the start is no end, however long the service shows it."""
    cameras, notifications = Cameras(), Notifications()

    async def main() -> None:
        session = await _start(cameras, 20)
        cameras.statuses["door"] = "STOPPED"
        cameras.later(4, cameras.statuses.update, {"door": "STARTING"})
        assert await cameras.client.wait_until_finished(session, events=notifications) == STOPPED
        assert 20 <= now() < 27

    run(main())


def test_wait_with_events_times_out() -> None:
    cameras, notifications = Cameras(), Notifications()

    async def main() -> None:
        session = await _start(cameras)
        with pytest.raises(rks.WaitTimeoutError):
            await cameras.client.wait_until_finished(session, events=notifications, timeout=10)
        assert now() == pytest.approx(10)

    run(main())


def test_wait_raises_the_failure_of_the_events() -> None:
    cameras, notifications = Cameras(), Notifications()

    async def main() -> None:
        session = await _start(cameras)
        cameras.later(3, notifications.come, refusal("AccessDenied"))
        with pytest.raises(rks.ServiceError):
            await cameras.client.wait_until_finished(session, events=notifications)
        assert now() == 3

    run(main())


def test_cancelled_wait_leaves_no_task() -> None:
    cameras, notifications = Cameras(), Notifications()

    async def main() -> None:
        session = await _start(cameras)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await cameras.client.wait_until_finished(session, events=notifications)

    run(main())


def test_session_without_an_id_is_waited_for_by_its_status() -> None:
    cameras, notifications = Cameras(has_ids=False), Notifications()

    async def main() -> None:
        session = await _start(cameras, 10)
        notifications.come()  # of some session
        assert await cameras.client.wait_until_finished(session, events=notifications) == STOPPED
        assert now() >= 10

    run(main())


def test_events_and_sessions_that_do_not_fit_are_refused() -> None:
    client = Cameras().client

    async def main() -> None:
        with pytest.raises(rks.InvalidRequestError, match="a name does not identify a session"):
            await client.wait_until_finished("door", events=Notifications())
        with pytest.raises(rks.InvalidRequestError, match="a session that a client has started"):
            await client.wait_until_finished(rks.StartedSession("door-1"))

    run(main())
