"""A standard queue of SQS in memory, on the time of the event loop, with connections that can break."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from aiorekostream.errors import ConnectError, RekostreamError, ServiceError
from aiorekostream.results import QueueMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MemoryQueue", "QueueConnection", "notification"]

MAX_RECEIVED = 10


def notification(number: int | str, *, session: str = "session-1") -> str:
    """The body of a message with a SessionCompleted."""
    return json.dumps(
        {
            "eventNamespace": {"type": "STREAM_PROCESSING_COMPLETE"},
            "eventId": f"event-{number}",
            "sessionId": session,
        }
    )


@attrs.define(eq=False)
class MemoryMessage:
    """A message in the queue."""

    id: str
    body: str
    visible_at: float = 0.0
    receive_count: int = 0
    receipt: str = ""


@attrs.define(eq=False)
class MemoryQueue:
    """The service. It answers after ``latency`` seconds of the loop's time.

    Attributes:
        shuffling: shuffles the order of messages; they keep it if there is none.
        max_receive_count: a message that was received so often goes to ``dead_letters``.
        latency: the seconds of a call.
    """

    shuffling: random.Random | None = None
    max_receive_count: int = 1_000
    latency: float = 0.01
    messages: dict[str, MemoryMessage] = attrs.field(factory=dict, init=False)
    dead_letters: list[MemoryMessage] = attrs.field(factory=list, init=False)
    deleted: list[str] = attrs.field(factory=list, init=False)
    calls: list[tuple[str, int]] = attrs.field(factory=list, init=False)
    polls: int = attrs.field(default=0, init=False)
    most_polls: int = attrs.field(default=0, init=False)
    answer: Callable[[str], RekostreamError | None] = attrs.field(default=lambda _: None, init=False)
    entry_error: Callable[[str, MemoryMessage], RekostreamError | None] = attrs.field(
        default=lambda _, __: None, init=False
    )
    _numbers: itertools.count[int] = attrs.field(factory=itertools.count, init=False)
    _arrived: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    def send(self, *bodies: str) -> None:
        """Put messages into the queue."""
        for body in bodies:
            message = MemoryMessage(f"message-{next(self._numbers)}", body)
            self.messages[message.id] = message
        self._arrived.set()

    def connect(self) -> QueueConnection:
        """Open a connection."""
        return QueueConnection(self)

    def count(self, operation: str) -> int:
        """The calls of an operation."""
        return sum(1 for name, _ in self.calls if name == operation)

    def visible(self) -> list[MemoryMessage]:
        """The messages that can be received now."""
        now = asyncio.get_running_loop().time()
        found = [message for message in self.messages.values() if message.visible_at <= now]
        if self.shuffling is not None:
            self.shuffling.shuffle(found)
        return found

    async def receive(self, count: int, wait: float, visibility: float) -> list[QueueMessage]:
        """Receive, and wait for a message if there is none."""
        loop = asyncio.get_running_loop()
        until = loop.time() + wait
        while True:
            if received := self._take(count, visibility):
                return received
            now = loop.time()
            if now >= until:
                return []
            due = min((message.visible_at for message in self.messages.values()), default=until)
            self._arrived.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(min(until, max(due, now))):
                    await self._arrived.wait()

    def _take(self, count: int, visibility: float) -> list[QueueMessage]:
        now = asyncio.get_running_loop().time()
        taken: list[QueueMessage] = []
        for message in self.visible():
            if message.receive_count >= self.max_receive_count:
                self.dead_letters.append(self.messages.pop(message.id))
                continue
            if len(taken) == min(count, MAX_RECEIVED):
                break
            message.receive_count += 1
            message.visible_at = now + visibility
            message.receipt = f"{message.id}/{message.receive_count}"
            taken.append(
                QueueMessage(
                    id=message.id,
                    receipt=message.receipt,
                    body=message.body,
                    receive_count=message.receive_count,
                )
            )
        return taken

    def find(self, operation: str, receipt: str) -> MemoryMessage | RekostreamError | None:
        """The message of a receipt; an error if that is not its latest, and nothing if it is deleted."""
        message = self.messages.get(receipt.partition("/")[0])
        if message is None:
            return None
        if (error := self.entry_error(operation, message)) is not None:
            return error
        if message.receipt != receipt or message.visible_at <= asyncio.get_running_loop().time():
            return refused("ReceiptHandleIsInvalid")
        return message


def refused(code: str, status: int = 400) -> ServiceError:
    """An error of the service."""
    return ServiceError("", operation="SQS", code=code, http_status=status, retry_safe=status >= 500)


@attrs.define(eq=False)
class QueueConnection:
    """A connection to the queue: the port that the consumer uses.

    Attributes:
        queue: the service.
        broken: whether nothing reaches the service any more, as after the end of the process.
        closed: whether ``aclose`` was called.
    """

    queue: MemoryQueue
    broken: bool = attrs.field(default=False, init=False)
    closed: bool = attrs.field(default=False, init=False)

    async def receive(self, *, count: int, wait: float, visibility: float) -> Sequence[QueueMessage]:
        queue = self.queue
        queue.polls += 1
        queue.most_polls = max(queue.most_polls, queue.polls)
        try:
            await self._travel("receive", count)
            received = await queue.receive(count, wait, visibility)
            await self._travel(None, count)
        finally:
            queue.polls -= 1
        return received

    async def delete(self, receipts: Sequence[str]) -> Sequence[RekostreamError | None]:
        assert 1 <= len(receipts) <= MAX_RECEIVED
        await self._travel("delete", len(receipts))
        results = [self._delete(receipt) for receipt in receipts]
        await self._travel(None, 0)
        return results

    async def change_visibility(
        self, receipts: Sequence[str], visibility: Sequence[float]
    ) -> Sequence[RekostreamError | None]:
        assert 1 <= len(receipts) <= MAX_RECEIVED
        await self._travel("change", len(receipts))
        results = [self._change(*pair) for pair in zip(receipts, visibility, strict=True)]
        await self._travel(None, 0)
        return results

    async def aclose(self) -> None:
        self.closed = True

    def _delete(self, receipt: str) -> RekostreamError | None:
        found = self.queue.find("delete", receipt)
        if isinstance(found, RekostreamError):
            return found
        if found is not None:
            self.queue.deleted.append(found.id)
            del self.queue.messages[found.id]
        return None

    def _change(self, receipt: str, visibility: float) -> RekostreamError | None:
        found = self.queue.find("change", receipt)
        if isinstance(found, RekostreamError):
            return found
        if found is not None:
            found.visible_at = asyncio.get_running_loop().time() + visibility
            self.queue._arrived.set()
        return None

    async def _travel(self, operation: str | None, count: int) -> None:
        assert not self.closed
        await asyncio.sleep(self.queue.latency / 2)
        if self.broken:
            raise ConnectError("broken", operation="SQS", retry_safe=True)
        if operation is not None:
            self.queue.calls.append((operation, count))
            if (error := self.queue.answer(operation)) is not None:
                raise error
