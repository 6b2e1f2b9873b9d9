"""Sessions over a shared consumer: their events and their ends; in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from typing import Any, cast

import pytest

import aiorekostream as rks
from aiorekostream import results
from aiorekostream.errors import ConfigurationError
from tests.fleet.service import run
from tests.results.cameras import LATENCY, Cameras, collect, completed, detected, ids_of, refusal
from tests.results.memory_queue import MemoryQueue
from tests.virtual_time import now

DENIED = refusal("AccessDeniedException", "DescribeStreamProcessor", kind=rks.AccessDeniedError)


# ------------------------------------------------------------------------------------------------------ events and ends


def test_session_yields_its_events_and_lingers_after_its_end() -> None:
    cameras = Cameras()

    async def main() -> None:
        async with cameras.consumer() as consumer:
            async with cameras.session(consumer) as session:
                assert session.result is None
                cameras.later(3, cameras.queue.send, detected("door-1"), detected("hall-7"))
                events = await collect(session)
            assert now() == pytest.approx(10 + LATENCY / 2 + 5)
        assert ids_of(events) == ["door-1/label-1", "door-1/end"]
        assert session.started == rks.StartedSession("door-1")
        result = session.result
        assert result is not None
        assert result.session is session.started
        assert result.completed == events[-1]
        assert result.processed_duration == datetime.timedelta(milliseconds=30_016)
        assert not result.is_failed
        assert consumer.report.acknowledged == 2
        assert consumer.report.unacknowledged == ()

    run(main())


def test_session_yields_events_that_come_after_its_end() -> None:
    cameras = Cameras()

    async def main() -> list[str]:
        async with cameras.consumer() as consumer, cameras.session(consumer) as session:
            cameras.later(14.9, cameras.queue.send, detected("door-1"))
            return ids_of(await collect(session))

    assert run(main()) == ["door-1/end", "door-1/label-1"]


def test_session_ends_by_status_when_its_notification_is_lost() -> None:
    cameras = Cameras(is_lost=lambda _: True, lasts=lambda _: 8.1)

    async def main() -> None:
        async with cameras.consumer() as consumer, cameras.session(consumer) as session:
            assert await collect(session) == []
            assert 8.1 + 5 < now() <= 8.1 + 5 + 5
        result = session.result
        assert result == results.SessionResult(
            session=session.started, status=rks.Status.STOPPED, status_message=None, completed=None
        )
        assert result is not None
        assert result.processed_duration is None

    run(main())


def test_notification_in_the_linger_completes_the_result() -> None:
    """The status shows the end first, and its notification does not lengthen the linger."""
    cameras = Cameras(is_lost=lambda _: True, lasts=lambda _: 7.9)

    async def main() -> None:
        async with cameras.consumer() as consumer, cameras.session(consumer) as session:
            cameras.later(11, cameras.queue.send, completed("door-1"))
            assert ids_of(await collect(session)) == ["door-1/end"]
            assert now() == pytest.approx(8 + 5)
        assert session.result is not None
        assert session.result.status is rks.Status.STOPPED
        assert session.result.processed_duration == datetime.timedelta(milliseconds=30_016)

    run(main())


@pytest.mark.parametrize("others", [0, 20])
def test_session_that_fails_has_the_status_message(others: int) -> None:
    """Few sessions are described; many are listed, and a list has no StatusMessage."""
    cameras = Cameras(is_lost=lambda _: True)

    async def main() -> None:
        async with cameras.consumer() as consumer, asyncio.TaskGroup() as group:

            async def watch(name: str) -> results.SessionResult | None:
                async with cameras.session(consumer, name, seconds=60) as session:
                    await collect(session)
                return session.result

            for number in range(others):
                group.create_task(watch(f"other-{number}"))
            cameras.later(6, cameras.end, "door", "door-1", "FAILED")
            result = await watch("door")
        assert result is not None
        assert result.is_failed
        assert (result.status, result.status_message) == (rks.Status.FAILED, "Access denied to Role")

    run(main())
    assert bool(cameras.calls["ListStreamProcessors"]) == bool(others)


def test_session_that_fails_has_no_message_where_that_is_denied() -> None:
    cameras = Cameras(is_lost=lambda _: True)
    cameras.refuse = lambda operation, _: DENIED if operation == "DescribeStreamProcessor" else None

    async def main() -> None:
        async with cameras.consumer() as consumer, contextlib.AsyncExitStack() as others:
            for number in range(20):
                await others.enter_async_context(cameras.session(consumer, f"other-{number}", seconds=60))
            async with cameras.session(consumer, seconds=60) as session:
                cameras.later(6, cameras.end, "door", "door-1", "FAILED")
                await collect(session)
        assert session.result is not None
        assert session.result.is_failed
        assert session.result.status_message is None

    run(main())


def test_failure_is_seen_although_the_notification_came_first() -> None:
    cameras = Cameras()

    async def main() -> None:
        async with cameras.consumer() as consumer, cameras.session(consumer) as session:
            cameras.later(6, cameras.end, "door", "door-1", "FAILED")
            assert ids_of(await collect(session)) == ["door-1/end"]
        assert session.result is not None
        assert session.result.is_failed

    run(main())


def test_session_of_a_deleted_processor_ends() -> None:
    cameras = Cameras(is_lost=lambda _: True)
    gone = refusal("ResourceNotFoundException", "DescribeStreamProcessor", kind=rks.ResourceNotFoundError)

    async def main() -> None:
        async with cameras.consumer() as consumer, cameras.session(consumer, seconds=60) as session:
            cameras.refuse = lambda operation, _: gone if operation == "DescribeStreamProcessor" else None
            await collect(session)
            assert now() < 11
        assert session.result is not None
        assert session.result.status is None

    run(main())


def test_status_from_before_the_start_ends_no_session() -> None:
    """The poll of another session comes right after the start, and still shows STOPPED."""
    cameras = Cameras()

    async def main() -> None:
        async with cameras.consumer() as consumer, cameras.session(consumer, "other", seconds=60):
            await asyncio.sleep(3.9)
            async with cameras.session(consumer, seconds=30) as session:
                cameras.statuses["door"] = "STOPPED"
                cameras.later(0.5, cameras.statuses.update, {"door": "STARTING"})
                await collect(session)
                assert now() > 30

    run(main())


def test_session_ends_when_it_cannot_last_any_longer() -> None:
    """Another client has begun a session of the processor meanwhile, so the status shows no end."""
    cameras = Cameras(is_lost=lambda _: True, lasts=lambda _: 1_000)

    async def main() -> None:
        async with cameras.consumer() as consumer, cameras.session(consumer) as session:
            await collect(session)
            assert 10 + 20 + 5 <= now() <= 10 + 20 + 5 + 5
        assert session.result is not None
        assert session.result.status is None

    run(main())


def test_session_is_over_when_the_next_one_of_its_processor_begins() -> None:
    cameras = Cameras(is_lost=lambda _: True)

    async def main() -> None:
        async with cameras.consumer() as consumer, cameras.session(consumer, poll_interval=600) as first:
            reading = asyncio.create_task(collect(first))
            await asyncio.sleep(11)
            async with cameras.session(consumer, poll_interval=600) as second:
                async with asyncio.timeout(60):
                    await reading
                assert now() == pytest.approx(11 + 5)
                assert first.result is not None
                assert second.result is None

    run(main())


@pytest.mark.parametrize("error", [DENIED, ConfigurationError("no credentials"), ZeroDivisionError()], ids=repr)
def test_polls_that_fail_are_repeated(error: Exception) -> None:
    cameras = Cameras(is_lost=lambda _: True)

    async def main() -> None:
        async with cameras.consumer() as consumer, cameras.session(consumer) as session:
            cameras.refuse = lambda operation, _: error if operation != "StartStreamProcessor" and now() < 17 else None
            await collect(session)
            assert 17 + 5 < now() < 17 + 5 + 5

    run(main())


def test_session_without_an_id_takes_the_events_of_its_processor() -> None:
    """A reconciled start has no id. The end is told by the status: a notification may be that of an earlier session."""
    cameras = Cameras(has_ids=False, is_lost=lambda _: True)

    async def main() -> None:
        async with cameras.consumer() as consumer, cameras.session(consumer) as session:
            cameras.later(1, cameras.queue.send, completed("door-0", name="door"), detected("door-1", name="door"))
            cameras.later(2, cameras.queue.send, detected("hall-1", name="hall"), detected("door-2"))
            events = await collect(session)
            assert now() > 15
        assert ids_of(events) == ["door-0/end", "door-1/label-1"]

    run(main())


# -------------------------------------------------------------------------------------------------------- the consumer


def test_failure_of_the_consumer_ends_its_sessions() -> None:
    """Each raises an error with a traceback of its own."""
    cameras = Cameras()

    async def main() -> None:
        async with cameras.consumer() as consumer:
            async with cameras.session(consumer, "a") as a, cameras.session(consumer, "b") as b:
                cameras.queue.answer = lambda _: refusal("AccessDenied")
                failures = await asyncio.gather(collect(a), collect(b), return_exceptions=True)
                with pytest.raises(rks.ServiceError):
                    await anext(a)
            assert {cast("Any", failure).code for failure in failures} == {"AccessDenied"}
            assert failures[0] is not failures[1]

    run(main())


def test_sessions_end_without_a_result_when_the_consumer_is_stopped() -> None:
    cameras = Cameras()

    async def main() -> None:
        async with cameras.consumer() as consumer, cameras.session(consumer) as session:
            cameras.later(2, lambda: asyncio.ensure_future(consumer.stop()))
            assert await collect(session) == []
            assert now() < 3
            assert session.result is None

    run(main())


def test_consumer_with_few_places_serves_many_sessions() -> None:
    """Memory is bounded by the deliveries that the consumer allows to be unsettled."""
    cameras = Cameras(queue=MemoryQueue())

    async def main() -> None:
        async with cameras.consumer(max_in_flight=2) as consumer, asyncio.TaskGroup() as group:

            async def read(name: str) -> None:
                async with cameras.session(consumer, name) as session:
                    cameras.queue.send(*(detected(f"{name}-1", number) for number in range(5)))
                    assert len(ids_of(await collect(session))) == 6

            for number in range(20):
                group.create_task(read(f"camera-{number}"))
        assert consumer.report.acknowledged == 120

    run(main())


# ------------------------------------------------------------------------------------------------------------ arguments


def test_arguments_of_a_session_are_validated() -> None:
    session: Any = results.Session
    with pytest.raises(rks.InvalidRequestError) as caught:
        session("client", "lobby", events=5, linger=-1, poll_interval=0, stop_timeout=0.5)
    paths = {"client", "start", "events", "linger", "poll_interval", "stop_timeout"}
    assert {issue.path for issue in caught.value.issues} == paths


def test_session_is_used_in_the_right_order() -> None:
    cameras = Cameras()

    async def main() -> None:
        async with cameras.consumer() as consumer:
            session = cameras.session(consumer)
            with pytest.raises(ConfigurationError, match="enter the session first"):
                await anext(session)
            with pytest.raises(ConfigurationError, match="not started"):
                _ = session.started
            async with session:
                waiting = asyncio.create_task(collect(session))
                await asyncio.sleep(1)
                with pytest.raises(ConfigurationError, match="one task"):
                    await anext(session)
                await waiting
            with pytest.raises(ConfigurationError, match="entered once"):
                await session.__aenter__()
            with pytest.raises(StopAsyncIteration):
                await anext(session)

    run(main())
