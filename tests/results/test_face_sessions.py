"""Sessions of face searches: which records they take, and what becomes of the others; in virtual time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import aiorekostream as rks
from aiorekostream import results
from aiorekostream.errors import MalformedResponseError
from aiorekostream.testing import MemoryTransport, Reply
from tests.fleet.service import DESCRIBE, START, lost, once, run
from tests.results.face_searches import BEGIN, Lobbies, moments, next_moments
from tests.simulation.service import EPOCH

if TYPE_CHECKING:
    from collections.abc import Mapping


# ------------------------------------------------------------------------------------------------------------- claiming


def test_session_yields_the_records_of_its_video_from_its_start() -> None:
    lobbies = Lobbies()

    async def main() -> None:
        await asyncio.sleep(BEGIN)
        lobbies.put(40, 97)
        async with lobbies.consumer() as consumer, lobbies.router(consumer) as router:
            async with lobbies.session(router) as session:
                assert session.started.session_id is None
                lobbies.put(101, 102)
                lobbies.put(103, name="yard")
                lobbies.put(98, 104)
                assert await next_moments(session, 3) == [101, 102, 104]
                assert session.result is None
            await asyncio.sleep(1)
            assert sorted(moments(lobbies.unclaimed)) == [40, 97, 98, 103]
            assert not consumer.report.unacknowledged
        assert session.result is not None
        assert session.result.status is lobbies.service.status("lobby") is rks.Status.STOPPED
        assert session.result.processed_duration is None

    run(main())


@pytest.mark.parametrize(
    ("before_start", "is_claimed"), [(2.1, False), (1.9, True), (0.5, True), (-0.5, True), (-40, True)]
)
def test_record_counts_from_two_seconds_before_the_start(before_start: float, *, is_claimed: bool) -> None:
    """The date of the service has whole seconds: the start is sent 0.95 s after the one that Describe has told."""
    lobbies = Lobbies()

    async def main() -> list[float]:
        await asyncio.sleep(BEGIN + 0.9)
        async with lobbies.consumer() as consumer, lobbies.router(consumer) as router, lobbies.session(router):
            lobbies.put(BEGIN + 0.95 - before_start)
            await asyncio.sleep(5)
            return moments(lobbies.unclaimed)

    assert bool(run(main())) is not is_claimed


def test_moment_of_the_start_is_that_of_its_sending() -> None:
    """The start waits for its permit, and an earlier session of the processor goes on meanwhile."""
    lobbies = Lobbies()

    async def main() -> None:
        await asyncio.sleep(BEGIN)
        client = lobbies.service.client()
        async with (
            asyncio.TaskGroup() as group,
            lobbies.consumer() as consumer,
            lobbies.router(consumer) as router,
        ):
            await lobbies.start_others(client, group)
            async with lobbies.session(router, client=client) as session:
                (sent_at,) = lobbies.service.starts("lobby")
                assert sent_at > BEGIN + 2
                lobbies.put(sent_at - 2.1, sent_at + 1)
                assert await next_moments(session, 1) == pytest.approx([sent_at + 1])

    run(main())


def test_start_whose_answer_is_lost_takes_the_records_from_its_sending() -> None:
    lobbies = Lobbies()

    async def main() -> None:
        await asyncio.sleep(BEGIN)
        lobbies.service.before = once(lost())
        async with lobbies.consumer() as consumer, lobbies.session(consumer) as session:
            assert session.started.reconciled
            lobbies.put(BEGIN + 0.1, BEGIN + 9)
            assert await next_moments(session, 2) == [BEGIN + 0.1, BEGIN + 9]

    run(main())


def test_start_that_is_sent_twice_takes_the_records_from_the_first_time() -> None:
    """The service answered the first one with an error of its own, after which a start may have been applied."""
    lobbies = Lobbies()
    error = rks.ServiceError("", operation=START, code="InternalServerError", http_status=500, retry_safe=False)

    async def main() -> None:
        await asyncio.sleep(BEGIN)
        lobbies.service.before = once(error)
        async with lobbies.consumer() as consumer, lobbies.session(consumer) as session:
            _, second = lobbies.service.starts("lobby")
            assert second > BEGIN + 3
            lobbies.put(BEGIN + 0.5)
            assert await next_moments(session, 1) == [BEGIN + 0.5]

    run(main())


def test_clock_of_this_machine_counts_when_the_service_tells_no_date() -> None:
    lobbies = Lobbies()

    async def answer(operation: str, body: Mapping[str, object]) -> Reply | Exception:
        found = await lobbies.service.answer(operation, body)
        return Reply(found.body) if isinstance(found, Reply) else found

    async def main() -> None:
        await asyncio.sleep(BEGIN)
        client = lobbies.service.client(rate_limiter=None, transport=MemoryTransport(answer))
        began = client.pipeline.clock.wall().timestamp() - EPOCH
        async with lobbies.consumer() as consumer, lobbies.router(consumer) as router:
            async with lobbies.session(router, client=client) as session:
                lobbies.put(BEGIN, began)
                assert await next_moments(session, 1) == [began]
            await asyncio.sleep(1)
        assert moments(lobbies.unclaimed) == [BEGIN]

    run(main())


def test_record_that_overtakes_the_answer_is_held_and_an_older_one_is_not() -> None:
    lobbies = Lobbies()

    async def main() -> None:
        await asyncio.sleep(BEGIN)
        lobbies.service.latency = 6
        async with lobbies.consumer() as consumer, lobbies.router(consumer) as router:
            lobbies.put(BEGIN - 30)
            lobbies.later(10, lobbies.put, BEGIN + 9, BEGIN - 20)
            async with lobbies.session(router) as session:
                answered_at = asyncio.get_running_loop().time()
                assert answered_at == BEGIN + 12
                assert moments(lobbies.unclaimed) == [BEGIN - 30, BEGIN - 20]
                assert await next_moments(session, 1) == [BEGIN + 9]
                lobbies.service.latency = 0.05

    run(main())


def test_record_that_was_held_for_a_refused_start_is_unclaimed() -> None:
    lobbies = Lobbies()

    async def main() -> None:
        await asyncio.sleep(BEGIN)
        lobbies.service.latency = 6
        lobbies.service.start_all()
        async with lobbies.consumer() as consumer, lobbies.router(consumer) as router:
            lobbies.later(10, lobbies.put, BEGIN + 9)
            with pytest.raises(rks.ResourceInUseError):
                await lobbies.session(router).__aenter__()
            await asyncio.sleep(1)
            assert moments(lobbies.unclaimed) == [BEGIN + 9]
        assert lobbies.service.status("lobby") is rks.Status.RUNNING

    run(main())


def test_record_belongs_to_the_latest_session_that_is_not_younger() -> None:
    """The first session lingers while the second one of the same processor runs."""
    lobbies = Lobbies()

    async def main() -> None:
        await asyncio.sleep(BEGIN)
        async with (
            lobbies.consumer() as consumer,
            lobbies.session(consumer, linger=600) as first,
        ):
            await lobbies.client.ensure_running(rks.FaceSearchStart("lobby"))
            await lobbies.client.ensure_stopped("lobby")
            await asyncio.sleep(20)
            async with lobbies.session(consumer) as second:
                lobbies.put(BEGIN + 2, BEGIN + 60)
                assert await next_moments(first, 1) == [BEGIN + 2]
                assert await next_moments(second, 1) == [BEGIN + 60]

    run(main())


def test_records_may_come_in_the_order_of_the_frames() -> None:
    lobbies = Lobbies()

    async def main() -> None:
        await asyncio.sleep(BEGIN)
        async with lobbies.consumer() as consumer, lobbies.session(consumer.in_order(window=3)) as session:
            lobbies.put(BEGIN + 2, BEGIN + 1, BEGIN + 3)
            assert await next_moments(session, 3) == [BEGIN + 1, BEGIN + 2, BEGIN + 3]

    run(main())


# ------------------------------------------------------------------------------------------------------------ arguments


@pytest.mark.parametrize("is_routed", [False, True])
def test_consumer_of_the_other_kind_is_rejected(*, is_routed: bool) -> None:
    consumer: Any = results.SqsConsumer("https://sqs.us-east-1.amazonaws.com/111122223333/doors")
    events = results.SessionRouter(consumer) if is_routed else consumer
    with pytest.raises(rks.InvalidRequestError, match="a KinesisConsumer for a face search"):
        Lobbies().session(events)


def test_processor_that_does_not_exist_is_not_started() -> None:
    lobbies = Lobbies()

    async def main() -> None:
        async with lobbies.consumer() as consumer:
            with pytest.raises(rks.ResourceNotFoundError):
                await lobbies.session(consumer, "none").__aenter__()
        assert lobbies.service.count(START) == 0

    run(main())


def test_processor_whose_video_stream_is_not_told_is_not_started() -> None:
    asked: list[str] = []

    async def answer(operation: str, _: Mapping[str, object]) -> Mapping[str, object]:
        asked.append(operation)
        return {"Name": "lobby", "StreamProcessorArn": "arn", "Status": "STOPPED"}

    async def main() -> None:
        lobbies = Lobbies()
        client = lobbies.service.client(rate_limiter=None, transport=MemoryTransport(answer))
        async with lobbies.consumer() as consumer:
            with pytest.raises(MalformedResponseError, match="the ARN of the video stream"):
                await lobbies.session(consumer, client=client).__aenter__()
        assert asked == [DESCRIBE]

    run(main())
