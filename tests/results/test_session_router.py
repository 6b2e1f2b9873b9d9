"""A consumer that sessions share, and the events that none of them claims; in virtual time."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import attrs
import pytest

import aiorekostream as rks
from aiorekostream import results
from aiorekostream.errors import ConfigurationError
from tests.fleet.service import run
from tests.payloads import COMPLETED
from tests.results.cameras import Cameras, collect, completed, detected, refusal
from tests.results.memory_queue import MemoryQueue
from tests.virtual_time import now

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from aiorekostream.results import StreamProcessorEvent

VISIBILITY = 30


def _collector(taken: list[str]) -> Callable[[StreamProcessorEvent], Awaitable[None]]:
    async def take(event: StreamProcessorEvent) -> None:
        taken.append(event.event_id)

    return take


# ------------------------------------------------------------------------------------------------------------ unclaimed


def test_unclaimed_event_is_handed_to_on_unclaimed() -> None:
    """The router reads before the first session and after the last one, too."""
    cameras, unclaimed = Cameras(), list[str]()

    async def main() -> None:
        async with (
            cameras.consumer() as consumer,
            results.SessionRouter(consumer, on_unclaimed=_collector(unclaimed)) as router,
        ):
            cameras.queue.send(detected("hall-1"))
            await asyncio.sleep(1)
            assert unclaimed == ["hall-1/label-1"]
            async with cameras.session(router, linger=0) as session:
                cameras.queue.send(detected("hall-2"))
                events = await collect(session)
            assert [event.session_id for event in events] == ["door-1"]
            cameras.queue.send(detected("door-1"))
            await asyncio.sleep(1)
        assert unclaimed == ["hall-1/label-1", "hall-2/label-1", "door-1/label-1"]
        assert not cameras.queue.messages

    run(main())


def test_session_of_a_consumer_uses_the_router_that_was_entered() -> None:
    cameras, unclaimed = Cameras(), list[str]()

    async def main() -> None:
        async with (
            cameras.consumer() as consumer,
            results.SessionRouter(consumer, on_unclaimed=_collector(unclaimed)),
            cameras.session(consumer) as session,
        ):
            cameras.queue.send(detected("hall-1"))
            assert len(await collect(session)) == 1
        assert unclaimed == ["hall-1/label-1"]

    run(main())


def test_event_is_released_when_on_unclaimed_raises(caplog: pytest.LogCaptureFixture) -> None:
    cameras = Cameras()

    async def fail(event: StreamProcessorEvent) -> None:
        raise ZeroDivisionError(event.event_id)

    async def main() -> None:
        async with cameras.consumer() as consumer, results.SessionRouter(consumer, on_unclaimed=fail):
            cameras.queue.send(detected("hall-1"))
            await asyncio.sleep(1)
            assert consumer.report.released == 1
            (message,) = cameras.queue.messages.values()
            assert message.visible_at > now() + VISIBILITY - 2

    run(main())
    assert "was not settled" in caplog.text


def test_slow_handler_of_unclaimed_events_delays_no_session() -> None:
    cameras, ended = Cameras(), list[str]()

    async def handle(event: StreamProcessorEvent) -> None:
        await asyncio.sleep(100)
        ended.append(event.event_id)

    async def main() -> None:
        async with cameras.consumer() as consumer:
            async with results.SessionRouter(consumer, on_unclaimed=handle) as router:
                cameras.queue.send(*(detected(f"hall-{number}") for number in range(5)))
                async with cameras.session(router) as session:
                    assert len(await collect(session)) == 1
                assert now() < 16
                assert not ended
            assert len(ended) == 5  # the end of the block waits for them

    run(main())


def test_handlers_of_unclaimed_events_are_cancelled_when_the_block_raises() -> None:
    cameras = Cameras()

    async def handle(event: StreamProcessorEvent) -> None:
        await asyncio.sleep(100)
        pytest.fail(f"{event.event_id} is not handled")

    async def work(consumer: results.SqsConsumer) -> None:
        async with results.SessionRouter(consumer, on_unclaimed=handle):
            cameras.queue.send(detected("hall-1"))
            await asyncio.sleep(1)
            raise ZeroDivisionError

    async def main() -> None:
        async with cameras.consumer() as consumer:
            with pytest.raises(ZeroDivisionError):
                await work(consumer)
            assert now() < 2
            await consumer.flush()
            (message,) = cameras.queue.messages.values()
            assert message.receive_count == 2  # the consumer has received it again

    run(main())


def test_cancelled_end_of_the_block_cancels_the_handlers() -> None:
    cameras, cancelled = Cameras(), list[str]()

    async def handle(event: StreamProcessorEvent) -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            cancelled.append(event.event_id)
            raise

    async def work(consumer: results.SqsConsumer) -> None:
        async with results.SessionRouter(consumer, on_unclaimed=handle):
            cameras.queue.send(detected("hall-1"))
            await asyncio.sleep(1)

    async def main() -> None:
        async with cameras.consumer() as consumer:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(5):
                    await work(consumer)
            await asyncio.sleep(0)
            assert cancelled == ["hall-1/label-1"]

    run(main())


def test_unclaimed_event_is_released_for_other_hosts() -> None:
    """Two hosts share a queue, and each event reaches the host of its session."""
    cameras = Cameras()

    async def host(name: str) -> list[str]:
        async with cameras.consumer() as consumer, cameras.session(consumer, name) as session:
            for number in range(20):
                cameras.later(number / 2, cameras.queue.send, detected(f"{name}-1", number))
            return [event.session_id for event in await collect(session)]

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            hosts = {name: group.create_task(host(name)) for name in "ab"}
        assert {name: task.result() for name, task in hosts.items()} == {"a": ["a-1"] * 21, "b": ["b-1"] * 21}

    run(main())


def test_event_without_a_session_is_released_later_each_time() -> None:
    cameras, times = Cameras(queue=MemoryQueue(max_receive_count=10)), list[float]()

    async def main() -> None:
        async with cameras.consumer() as consumer, results.SessionRouter(consumer):
            cameras.queue.send(detected("hall-1"))
            while not cameras.queue.dead_letters:
                if consumer.report.received > len(times):
                    times.append(now())
                await asyncio.sleep(0.02)

    run(main())
    pauses = [round(later - earlier) for earlier, later in itertools.pairwise(times)]
    assert pauses == [0, 1, 2, 4, 8, 16, 32, 60, 60]


def test_malformed_message_is_left_to_the_dead_letter_queue() -> None:
    cameras, unclaimed = Cameras(queue=MemoryQueue(max_receive_count=2)), list[str]()

    async def main() -> None:
        async with (
            cameras.consumer() as consumer,
            results.SessionRouter(consumer, on_unclaimed=_collector(unclaimed)) as router,
            cameras.session(router, seconds=90) as session,
        ):
            cameras.queue.send("junk")
            assert len(await collect(session)) == 1
        assert [message.body for message in cameras.queue.dead_letters] == ["junk"]
        assert unclaimed == []

    run(main())


# ------------------------------------------------------------------------------------------------------------- the life


def test_consumer_is_read_only_while_there_are_sessions() -> None:
    cameras = Cameras()

    async def main() -> None:
        async with cameras.consumer() as consumer:
            for name in ("door", "hall"):
                async with cameras.session(consumer, name) as session:
                    assert len(await collect(session)) == 1
                cameras.queue.send(detected(f"{name}-1"))
                async with await anext(consumer) as delivery:
                    assert delivery.event.session_id == f"{name}-1"

    run(main())


def test_consumer_has_one_router() -> None:
    cameras = Cameras()

    async def main() -> None:
        async with cameras.consumer() as consumer, cameras.session(consumer):
            router = results.SessionRouter(consumer)
            with pytest.raises(ConfigurationError, match="one router"):
                await router.__aenter__()
            with pytest.raises(ConfigurationError, match="one router"):
                await cameras.session(router).__aenter__()
        assert cameras.calls["StartStreamProcessor"] == 1

    run(main())


def test_failed_consumer_starts_no_session() -> None:
    cameras = Cameras()

    async def main() -> None:
        async with cameras.consumer() as consumer, results.SessionRouter(consumer) as router:
            async with cameras.session(router, "hall") as session:
                cameras.queue.answer = lambda _: refusal("AccessDenied")
                with pytest.raises(rks.ServiceError):
                    await collect(session)
            with pytest.raises(rks.ServiceError):
                await cameras.session(router).__aenter__()
            assert cameras.calls["StartStreamProcessor"] == 1

    run(main())


def test_failure_without_a_session_is_logged_and_raised(caplog: pytest.LogCaptureFixture) -> None:
    """The end of the router's block raises it, which may be long after."""
    cameras = Cameras()

    async def work() -> None:
        async with cameras.consumer() as consumer, results.SessionRouter(consumer):
            cameras.queue.answer = lambda _: refusal("AccessDenied")
            await asyncio.sleep(60)
            assert "no more events are routed" in caplog.text

    async def main() -> None:
        with pytest.raises(rks.ServiceError):
            await work()

    run(main())


def test_failure_of_the_consumer_can_be_waited_for() -> None:
    cameras = Cameras()

    async def main() -> None:
        async with cameras.consumer() as consumer, results.SessionRouter(consumer) as router:
            waiting = asyncio.create_task(router.wait())
            await asyncio.sleep(60)
            assert not waiting.done()
            cameras.queue.answer = lambda _: refusal("AccessDenied")
            with pytest.raises(rks.ServiceError):
                await waiting

    run(main())


def test_wait_for_the_consumer_ends_when_it_is_stopped() -> None:
    cameras = Cameras()

    async def main() -> None:
        async with cameras.consumer() as consumer, results.SessionRouter(consumer) as router:
            waiting = asyncio.create_task(router.wait())
            await asyncio.sleep(1)
            await consumer.stop()
            await waiting

    run(main())


def test_arguments_of_a_router_are_validated() -> None:
    router: Any = results.SessionRouter
    with pytest.raises(rks.InvalidRequestError) as caught:
        router(5, on_unclaimed="print")
    assert {issue.path for issue in caught.value.issues} == {"consumer", "on_unclaimed"}


# ---------------------------------------------------------------------------------------------------------- completions


def test_completion_can_be_waited_for_before_and_after_it_comes() -> None:
    cameras = Cameras()

    async def main() -> None:
        async with cameras.consumer() as consumer, results.SessionRouter(consumer) as router:
            cameras.later(5, cameras.queue.send, completed("hall-1"))
            assert not router.has_event_of("hall-1")
            first = await router.completed("hall-1")
            assert 5 < now() < 6
            assert router.has_event_of("hall-1")
            assert await router.completed("hall-1") is first
            assert now() < 6
            await asyncio.sleep(1)
            assert consumer.report.acknowledged == 1  # no session claims it, and the wait has it

    run(main())


def test_wait_for_a_completion_ends_with_the_consumer() -> None:
    cameras = Cameras()

    async def main() -> None:
        async with cameras.consumer() as consumer, results.SessionRouter(consumer) as router:
            waiting = asyncio.create_task(router.completed("hall-1"))
            await asyncio.sleep(1)
            await consumer.stop()
            with pytest.raises(ConfigurationError, match="has ended"):
                await waiting
            with pytest.raises(ConfigurationError, match="has ended"):
                await router.completed("hall-2")

    run(main())


def test_router_reads_any_iterator_and_remembers_few_sessions() -> None:
    """Five thousand sessions are remembered, those with the latest events."""

    class Ignored:
        async def acknowledge(self) -> None:
            pass

        async def release(self, delay: float | None) -> None:
            pass

    async def deliveries() -> AsyncIterator[results.Delivery[StreamProcessorEvent]]:
        for number in (*range(5_000), 0, 5_000):
            event = attrs.evolve(COMPLETED, session_id=f"session-{number}")
            yield results.Delivery(event, raw="", id=str(number), settlement=Ignored())

    async def main() -> None:
        async with results.SessionRouter(deliveries()) as router:
            await asyncio.sleep(1)
            assert router.has_event_of("session-5000")
            assert router.has_event_of("session-0")
            assert not router.has_event_of("session-1")
            assert router.has_event_of("session-2")

    run(main())
