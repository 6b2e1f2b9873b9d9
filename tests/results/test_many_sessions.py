"""A thousand sessions over one consumer, with notifications that are lost, doubled and shuffled; in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

import aiorekostream as rks
from aiorekostream import results
from tests.effort import part
from tests.fleet.service import run
from tests.results.cameras import Cameras, collect, completed, detected
from tests.results.memory_queue import MemoryQueue
from tests.virtual_time import now

SESSIONS = 1_000
LOST = 0.05
LINGER, POLL_INTERVAL = 5.0, 5.0


@pytest.mark.parametrize("seed", range(part(3)))
def test_thousand_sessions_end_in_time_with_lost_notifications(seed: int) -> None:
    """The target of the issue: each ends correctly, at most a poll interval and the linger late."""
    chance = random.Random(seed)  # noqa: S311 - to be repeated
    ids = [f"camera-{number}-1" for number in range(SESSIONS)]
    lost = set(chance.sample(ids, round(SESSIONS * LOST)))
    failing = set(chance.sample(ids, 20))
    lasts = {session_id: chance.uniform(1, 60) for session_id in ids}
    cameras = Cameras(
        queue=MemoryQueue(shuffling=chance),
        is_lost=lost.__contains__,
        lasts=lambda session_id: None if session_id in failing else lasts[session_id],
    )
    late: dict[str, float] = {}
    most_tasks = 0

    async def read(consumer: results.SqsConsumer, name: str) -> None:
        nonlocal most_tasks
        await asyncio.sleep(chance.uniform(0, 20))
        session_id = f"{name}-1"
        if session_id in failing:
            cameras.later(lasts[session_id], cameras.end, name, session_id, "FAILED")
        for number in range(2):
            cameras.later(chance.uniform(0, lasts[session_id] + 3), cameras.queue.send, detected(session_id, number))
        async with cameras.session(consumer, name, seconds=60, linger=LINGER, poll_interval=POLL_INTERVAL) as session:
            events = await collect(session)
        late[session_id] = now() - cameras.ended[session_id]
        most_tasks = max(most_tasks, len(asyncio.all_tasks()))
        expected = {f"{session_id}/label-0", f"{session_id}/label-1"}
        expected |= set() if session_id in lost else {f"{session_id}/end"}
        assert {event.event_id for event in events} == expected
        assert {event.session_id for event in events} == {session_id}
        result = session.result
        assert result is not None
        assert (result.completed is None) == (session_id in lost)
        assert result.is_failed == (session_id in failing)
        assert result.status in {rks.Status.STOPPED, rks.Status.FAILED, None}

    async def main() -> None:
        async with cameras.consumer(max_in_flight=1_000) as consumer, asyncio.TaskGroup() as group:
            for number in range(SESSIONS):
                group.create_task(read(consumer, f"camera-{number}"))
        assert consumer.report.unacknowledged == ()
        assert not cameras.queue.messages

    run(main())
    assert len(late) == SESSIONS
    assert min(late.values()) >= LINGER
    assert max(late.values()) <= LINGER + POLL_INTERVAL
    # One list for all sessions each 4 seconds, and a description of the few that have FAILED or are alone.
    assert cameras.calls["ListStreamProcessors"] <= 90 / 4 + 1
    assert cameras.calls["DescribeStreamProcessor"] <= 2 * len(failing) + 40
    assert most_tasks <= SESSIONS + 50


@pytest.mark.parametrize("seed", range(part(5)))
def test_no_event_is_lost_when_sessions_are_left_at_random(seed: int) -> None:
    """Blocks raise, are cancelled or are left early; every event is handled there or by ``on_unclaimed``."""
    chance = random.Random(seed)  # noqa: S311 - to be repeated
    cameras = Cameras(
        queue=MemoryQueue(shuffling=chance), lasts=lambda _: chance.uniform(1, 20), answers_after=chance.uniform(0, 3)
    )
    sent, handled, left = set[str](), set[str](), Counter[str]()

    async def take(event: results.StreamProcessorEvent) -> None:
        if chance.random() < 0.2:
            raise ZeroDivisionError
        handled.add(event.event_id)

    async def handle(session: results.Session[rks.LabelDetectionStart]) -> None:
        async for event in session:
            await asyncio.sleep(chance.uniform(0, 1))
            if chance.random() < 0.2:
                raise ZeroDivisionError
            handled.add(event.event_id)
            if chance.random() < 0.1:
                break

    async def read(router: results.SessionRouter[results.StreamProcessorEvent], name: str) -> None:
        for number in range(3):
            body = detected(f"{name}-1", number, name=name)
            cameras.later(chance.uniform(0, 25), cameras.queue.send, body)
        async with asyncio.timeout(chance.uniform(0, 40)), cameras.session(router, name, seconds=60) as session:
            await handle(session)

    async def main() -> None:
        names = [f"camera-{number}" for number in range(100)]
        async with cameras.consumer() as consumer, results.SessionRouter(consumer, on_unclaimed=take) as router:
            ends = await asyncio.gather(*(read(router, name) for name in names), return_exceptions=True)
            left.update(type(end).__name__ for end in ends)
            await asyncio.sleep(1_000)
        sent.update(f"{name}-1/label-{number}" for name in names for number in range(3))
        sent.update(f"{session_id}/end" for session_id in cameras.ended)
        assert not cameras.queue.messages

    run(main())
    assert left.keys() == {"NoneType", "ZeroDivisionError", "TimeoutError"}
    assert handled == sent


def test_duplicates_of_a_notification_end_a_session_once() -> None:
    cameras = Cameras(is_lost=lambda _: True)

    async def main() -> None:
        async with cameras.consumer() as consumer, cameras.session(consumer, seconds=60) as session:
            cameras.later(10, cameras.queue.send, completed("door-1"), completed("door-1"))
            assert len(await collect(session)) == 1
        assert now() < 16
        assert consumer.report.duplicates == 1

    run(main())
