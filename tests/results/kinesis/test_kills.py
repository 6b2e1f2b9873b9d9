"""A consumer that is killed again and again, while the stream is resharded, delivers every record."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING

import pytest

from aiorekostream.errors import ConnectError, ConsumerLeaseError
from aiorekostream.results import KinesisConsumer, MemoryCheckpoints, SequenceNumber
from tests.effort import part
from tests.results.kinesis.memory_stream import BrokenCheckpoints, MemoryStream, StreamClock, face_record
from tests.virtual_time import run

if TYPE_CHECKING:
    from tests.results.kinesis.memory_stream import StreamConnection

SHARDS, RECORDS, KILLS, HANDLERS, RESHARDINGS = 4, 2_000, 20, 8, 12
CONSUMER = "faces/default"


class _KilledReaders:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a simulation
        self.stream = MemoryStream(SHARDS)
        self.checkpoints = MemoryCheckpoints()
        self.put: list[str] = []
        self.delivered: dict[str, int] = {}  # by the number of the run that delivered it last
        self.again = self.allowed_again = 0
        self.before_checkpoint: list[str] = []
        self.kill_at = sorted(self.random.sample(range(1, RECORDS), KILLS))
        self.saved: dict[str, str] = {}

    async def produce(self) -> None:
        """Put records into random shards, and split and merge shards meanwhile."""
        reshard_at = set(self.random.sample(range(RECORDS), RESHARDINGS))
        for number in range(RECORDS):
            self.put += self.stream.put(self.random.choice(self.stream.open_shards()), face_record(number))
            if number in reshard_at:
                shards = self.random.sample(self.stream.open_shards(), 2)
                if len(self.stream.open_shards()) > SHARDS:
                    self.stream.merge(*shards)
                else:
                    self.stream.split(shards[0])
            await asyncio.sleep(self.random.expovariate(5))

    def note(self, record_id: str, run_number: int) -> None:
        """Take note of a delivery."""
        if self.delivered.get(record_id, run_number) != run_number:
            self.again += 1
            if self._is_before_checkpoint(record_id):
                self.before_checkpoint.append(record_id)
        self.delivered[record_id] = run_number

    async def note_kill(self) -> None:
        """Take note of the checkpoints, and of how many deliveries came after them."""
        self.saved = dict(await self.checkpoints.load(CONSUMER))
        self.allowed_again += sum(not self._is_before_checkpoint(record_id) for record_id in self.delivered)

    def _is_before_checkpoint(self, record_id: str) -> bool:
        number = SequenceNumber.parse(record_id)
        kind, _, position = self.saved.get(number.shard_id, "TRIM_HORIZON").partition(" ")
        return kind == "SHARD_END" or (kind == "AFTER_SEQUENCE_NUMBER" and int(number.value) <= int(position))

    async def handle_all(self, consumer: KinesisConsumer, connection: StreamConnection, run_number: int) -> None:
        async for delivery in consumer:
            self.note(delivery.id, run_number)
            async with delivery:
                await asyncio.sleep(self.random.uniform(0, 2))
                if self.random.random() < 0.02:
                    await delivery.nack(self.random.uniform(0, 5))
                if self.kill_at and len(self.delivered) >= self.kill_at[0]:
                    self.kill_at.pop(0)
                    connection.broken = True
            if connection.broken:
                raise asyncio.CancelledError

    async def work_until_killed(self, run_number: int) -> None:
        """Run one consumer, until it is killed or has nothing to do for a long time."""
        connection = self.stream.connect()
        consumer = KinesisConsumer(
            "faces",
            start="oldest",
            max_in_flight=200,
            clock=StreamClock(),
            record_stream=connection,
            checkpoints=BrokenCheckpoints(self.checkpoints, connection),
        )
        async with consumer:
            handlers = [asyncio.create_task(self.handle_all(consumer, connection, run_number)) for _ in range(HANDLERS)]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(3_600):
                    await asyncio.wait(handlers, return_when=asyncio.FIRST_COMPLETED)
            await self.note_kill()
            for handler in handlers:
                handler.cancel()
            await asyncio.wait(handlers)


@pytest.mark.parametrize("seed", range(part(5)))
def test_killed_consumers_deliver_every_record(seed: int) -> None:
    async def scenario() -> None:
        scene = _KilledReaders(seed)
        producer = asyncio.create_task(scene.produce())
        for number in range(KILLS + 1):
            with pytest.raises(ConsumerLeaseError) if number else contextlib.nullcontext():
                if number:  # the lease of the killed one
                    await scene.work_until_killed(number)
            await asyncio.sleep(25)
            with contextlib.suppress(ConnectError):
                await scene.work_until_killed(number)
        await producer
        assert not scene.kill_at
        assert scene.delivered.keys() == set(scene.put)
        assert scene.before_checkpoint == []
        assert 0 < scene.again <= scene.allowed_again
        shards = {shard.id: shard.is_closed for shard in scene.stream.stored.values()}
        saved = await scene.checkpoints.load(CONSUMER)
        assert {shard: position == "SHARD_END" for shard, position in saved.items()} == shards

    run(scenario())
