"""A consumer that is killed again and again handles every event, and no event again that it acknowledged before."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from typing import TYPE_CHECKING

import attrs
import pytest

from aiorekostream.errors import ConnectError
from aiorekostream.results import MemoryEventIds, SqsConsumer
from tests.effort import part
from tests.results.memory_queue import MemoryQueue, QueueConnection, notification
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

EVENTS, COPIES, POISON, KILLS, HANDLERS = 1_000, 100, 10, 20, 8
# Every kill costs the messages in flight one receive.
MAX_RECEIVE_COUNT = KILLS + 5


@attrs.frozen
class _DurableEventIds:
    """A store that outlives the consumer, and that a killed consumer no longer reaches."""

    store: MemoryEventIds
    connection: QueueConnection

    async def known(self, event_ids: Sequence[str]) -> Collection[str]:
        await self._travel()
        return await self.store.known(event_ids)

    async def add(self, event_ids: Sequence[str]) -> None:
        await self._travel()
        await self.store.add(event_ids)

    async def _travel(self) -> None:
        await asyncio.sleep(0.001)
        if self.connection.broken:
            raise ConnectError("killed", operation="store", retry_safe=True)


class _KilledConsumers:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a simulation
        self.queue = MemoryQueue(shuffling=self.random, max_receive_count=MAX_RECEIVE_COUNT)
        bodies = [notification(number) for number in range(EVENTS)]
        bodies += self.random.sample(bodies, COPIES)
        bodies += [f"poison {number}" for number in range(POISON)]
        self.random.shuffle(bodies)
        self.queue.send(*bodies)
        self.acknowledged = MemoryEventIds()
        self.handled: Counter[str] = Counter()
        self.handled_after_acknowledgement: list[str] = []
        self.kill_at = sorted(self.random.sample(range(1, EVENTS), KILLS))

    async def handle_all(self, consumer: SqsConsumer, connection: QueueConnection) -> None:
        async for delivery in consumer:
            async with delivery:
                event_id = delivery.event.event_id
                if await self.acknowledged.known([event_id]):
                    self.handled_after_acknowledgement.append(event_id)
                await asyncio.sleep(self.random.uniform(0, 2))
                self.handled[event_id] += 1
                if self.kill_at and self.handled.total() >= self.kill_at[0]:
                    self.kill_at.pop(0)
                    connection.broken = True
            if connection.broken:
                raise asyncio.CancelledError

    async def work_until_killed(self) -> None:
        """Run one consumer, until it is killed or nothing has come for a long time."""
        connection = self.queue.connect()
        store = _DurableEventIds(self.acknowledged, connection)
        consumer = SqsConsumer("https://localhost/1/doors", queue=connection, event_ids=store, max_in_flight=50)
        async with consumer:
            handlers = [asyncio.create_task(self.handle_all(consumer, connection)) for _ in range(HANDLERS)]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(40 * MAX_RECEIVE_COUNT):
                    await asyncio.wait(handlers, return_when=asyncio.FIRST_COMPLETED)
            for handler in handlers:
                handler.cancel()
            await asyncio.wait(handlers)


@pytest.mark.parametrize("seed", range(part(5)))
def test_killed_consumers_handle_every_event(seed: int) -> None:
    async def scenario() -> None:
        scene = _KilledConsumers(seed)
        for _ in range(KILLS + 1):
            with contextlib.suppress(ConnectError):
                await scene.work_until_killed()
        assert not scene.kill_at
        assert scene.handled.keys() == {f"event-{number}" for number in range(EVENTS)}
        assert scene.handled_after_acknowledgement == []
        assert scene.queue.messages == {}
        assert sorted(message.body for message in scene.queue.dead_letters) == sorted(
            f"poison {number}" for number in range(POISON)
        )
        # A kill costs the events that were being handled, or whose acknowledgements were on their way.
        again = scene.handled.total() - EVENTS
        assert again <= KILLS * (HANDLERS + 20)

    run(scenario())
