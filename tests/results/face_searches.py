"""Face searches in virtual time, whose records arrive in a data stream in memory."""

from __future__ import annotations

import asyncio
import datetime
import json
from collections.abc import AsyncIterable
from typing import TYPE_CHECKING

import attrs
import pytest

import aiorekostream as rks
from aiorekostream import results
from aiorekostream.results import Delivery, FaceSearchRecord
from tests.emulator.samples import ACCOUNT
from tests.fleet.service import DESCRIBE, Service, lost
from tests.results.kinesis.consumers import consumer_of
from tests.results.kinesis.memory_stream import MemoryStream, face_record
from tests.simulation.service import EPOCH

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiorekostream.results import KinesisConsumer

__all__ = ["BEGIN", "DENIED", "Lobbies", "Reader", "moments", "next_moments"]

DENIED = rks.AccessDeniedError("", operation=DESCRIBE, code="AccessDeniedException", http_status=400, retry_safe=True)
BEGIN = 100.0
"""When the tests begin, on the clock of the loop and of the service."""


def moments(records: list[FaceSearchRecord]) -> list[float]:
    """The server timestamps of records, on the clock of the loop."""
    begin = datetime.datetime.fromtimestamp(EPOCH, datetime.UTC)
    return [(record.position.server_timestamp - begin).total_seconds() for record in records]


@attrs.define(eq=False)
class Lobbies:
    """The service, whose date is years behind this machine's, and the stream to which its face searches write.

    Attributes:
        service: the service, with the processors ``lobby`` and ``yard``.
        stream: the data stream.
        client: a client of the service.
        unclaimed: what ``take`` was called with.
        unclaimed_at: when, on the clock of the loop.
    """

    service: Service = attrs.field(factory=Service)
    stream: MemoryStream = attrs.field(factory=lambda: MemoryStream(1))
    client: rks.Client = attrs.field(init=False)
    unclaimed: list[FaceSearchRecord] = attrs.field(factory=list, init=False)
    unclaimed_at: list[float] = attrs.field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self.service.create("lobby", "yard", faces=True)
        self.client = self.service.client(rate_limiter=None)

    def consumer(self, **options: object) -> KinesisConsumer:
        """A consumer of the stream, from its oldest record on."""
        return consumer_of(self.stream, **options)

    def session(
        self,
        events: AsyncIterable[Delivery[FaceSearchRecord]] | results.SessionRouter[FaceSearchRecord],
        name: str = "lobby",
        *,
        client: rks.Client | None = None,
        linger: float = 5,
        stop_timeout: float = 60,
    ) -> results.Session[rks.FaceSearchStart]:
        """A session of a processor."""
        return results.Session(
            client or self.client, rks.FaceSearchStart(name), events=events, linger=linger, stop_timeout=stop_timeout
        )

    def router(self, consumer: KinesisConsumer) -> results.SessionRouter[FaceSearchRecord]:
        """A router that notes what is unclaimed."""
        return results.SessionRouter(consumer, on_unclaimed=self.take)

    def put(self, *at: float, name: str = "lobby") -> None:
        """Put records of a video stream into the data stream, by their server timestamps on the clock of the loop."""
        video = f"arn:aws:kinesisvideo:us-east-1:{ACCOUNT}:stream/{name}/1656000000000"
        for moment in at:
            record = json.loads(face_record(round(moment * 1000), video=video))
            record["InputInformation"]["KinesisVideo"]["ServerTimestamp"] = EPOCH + moment
            self.stream.put(self.stream.only, json.dumps(record).encode())

    def later(self, seconds: float, function: Callable[..., object], *arguments: object) -> None:
        """Do something after so many seconds."""
        asyncio.get_running_loop().call_later(seconds, function, *arguments)

    def deny_after(self, changing: str) -> None:
        """Lose the answer to an operation, and refuse to tell what became of it."""
        asked: list[str] = []

        def before(operation: str, _: str) -> Exception | None:
            asked.append(operation)
            if operation == changing:
                return lost(changing)
            return DENIED if changing in asked else None

        self.service.before = before

    async def start_others(self, client: rks.Client, group: asyncio.TaskGroup) -> None:
        """Let 60 starts of a processor that does not exist wait for their permits: the quota is 20 a second."""
        for _ in range(60):
            group.create_task(_refused_start(client))
        await asyncio.sleep(0.01)

    async def take(self, record: FaceSearchRecord) -> None:
        """Handle an unclaimed record."""
        self.unclaimed.append(record)
        self.unclaimed_at.append(asyncio.get_running_loop().time())


async def _refused_start(client: rks.Client) -> None:
    with pytest.raises(rks.ResourceNotFoundError):
        await client.start_stream_processor(rks.FaceSearchStart("none"))


@attrs.define(eq=False)
class Reader:
    """Read a session in a task of its own.

    Attributes:
        lobbies: the service and the stream.
        events: the consumer or the router.
        name: the processor.
        records: what was read.
    """

    lobbies: Lobbies
    events: AsyncIterable[Delivery[FaceSearchRecord]] | results.SessionRouter[FaceSearchRecord]
    name: str = "lobby"
    records: list[FaceSearchRecord] = attrs.field(factory=list, init=False)
    session: results.Session[rks.FaceSearchStart] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.session = self.lobbies.session(self.events, self.name)

    async def read(self) -> None:
        """Read to the end."""
        async with self.session:
            async for record in self.session:
                self.records.append(record)


async def next_moments(session: results.Session[rks.FaceSearchStart], count: int) -> list[float]:
    """The server timestamps of the next records."""
    async with asyncio.timeout(60):
        return moments([await anext(session) for _ in range(count)])
