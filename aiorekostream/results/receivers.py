"""Receive messages with as many long polls as the rate of the queue needs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence

import attrs

from aiorekostream.clock import Clock
from aiorekostream.errors import RekostreamError
from aiorekostream.results.queue_port import BATCH, MessageQueue, QueueMessage, may_succeed_later
from aiorekostream.retry.policy import full_jitter

__all__ = ["LONG_POLL", "Receivers"]

_log = logging.getLogger("aiorekostream")

# Seconds: the longest wait that SQS allows.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
LONG_POLL = 20.0
# Seconds between receives that fail, with all retries of a call: at most the first to begin with, at most the second.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0


@attrs.define(eq=False, kw_only=True)
class Receivers:
    """Run the receivers of a consumer: one while the queue is nearly empty, more while every receive is full.

    A receiver asks for no more messages than there is room for, so that the memory is bounded and what cannot be
    handled stays in the queue, for other consumers.

    Attributes:
        queue: the queue.
        clock: sleeps between failed receives.
        random: returns a number from 0 to 1 each time.
        visibility: the visibility timeout of received messages, in seconds.
        most: the most receivers at a time.
        room: returns how many messages may be taken in, and whether it is urgent because no delivery is left.
        accept: takes in received messages.
        spawn: runs a receiver in a task.
    """

    queue: MessageQueue
    clock: Clock
    random: Callable[[], float]
    visibility: float
    most: int
    room: Callable[[], tuple[int, bool]]
    accept: Callable[[Sequence[QueueMessage]], Awaitable[None]]
    spawn: Callable[[Coroutine[object, object, None]], asyncio.Task[None]]
    _tasks: set[asyncio.Task[None]] = attrs.field(factory=set[asyncio.Task[None]], init=False)
    _reserved: int = attrs.field(default=0, init=False)
    _has_room: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _failures: int = attrs.field(default=0, init=False)
    _stopped: bool = attrs.field(default=False, init=False)

    def start(self) -> None:
        """Start one receiver."""
        if not self._stopped:
            task = self.spawn(self._run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def room_changed(self) -> None:
        """Let receivers look at ``room`` again."""
        self._has_room.set()

    async def stop(self) -> None:
        """Stop the receivers. A message that was on its way becomes visible again after its visibility timeout."""
        self._stopped = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _run(self) -> None:
        while not self._stopped:
            count = await self._reserve()
            try:
                messages = await self._receive(count)
            finally:
                self._reserved -= count
            if messages is None:
                await self.clock.sleep(
                    full_jitter(self._failures, base=_FIRST_PAUSE, cap=_LONGEST_PAUSE, random=self.random())
                )
                continue
            if messages:
                await self.accept(messages)
            if len(messages) == BATCH and len(self._tasks) < self.most:
                self.start()
            elif len(messages) < BATCH / 2 and len(self._tasks) > 1:
                return

    async def _reserve(self) -> int:
        while True:
            free, is_urgent = self.room()
            free -= self._reserved
            # Room for a whole batch, unless the handlers have nothing left: calls for single messages are expensive.
            if free >= BATCH or (free > 0 and is_urgent):
                count = min(free, BATCH)
                self._reserved += count
                return count
            self._has_room.clear()
            await self._has_room.wait()

    async def _receive(self, count: int) -> Sequence[QueueMessage] | None:
        try:
            messages = await self.queue.receive(count=count, wait=LONG_POLL, visibility=self.visibility)
        except RekostreamError as error:
            if not may_succeed_later(error):
                raise
            self._failures += 1
            _log.log(
                logging.WARNING if self._failures == 1 else logging.DEBUG, "no messages can be received: %s", error
            )
            return None
        if self._failures:
            _log.info("messages are received again")
            self._failures = 0
        return messages
