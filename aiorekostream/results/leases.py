"""Keep the messages that are being handled hidden from other receivers."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

from aiorekostream.errors import RekostreamError
from aiorekostream.results.queue_port import BATCH, may_succeed_later

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from aiorekostream.clock import Clock, TimerHandle
    from aiorekostream.results.held import HeldMessage
    from aiorekostream.results.queue_port import MessageQueue

__all__ = ["LeaseKeeper"]

_log = logging.getLogger("aiorekostream")

# Shares of the visibility timeout: a lease is extended when half of it has passed, together with those that would
# follow soon; a failed extension is repeated after a tenth.
_EXTEND_AT, _TOGETHER, _AGAIN = 0.5, 0.1, 0.1


class LeaseKeeper:
    """Extend the visibility timeout of held messages, in batches.

    Args:
        queue: the queue of the messages.
        clock: measures the time and sets timers.
        visibility: the visibility timeout in seconds.
        spawn: runs an extension in a task.
    """

    def __init__(
        self,
        queue: MessageQueue,
        *,
        clock: Clock,
        visibility: float,
        spawn: Callable[[Coroutine[object, object, None]], object],
    ) -> None:
        self._queue = queue
        self._clock = clock
        self._visibility = visibility
        self._spawn = spawn
        self._due: dict[HeldMessage, float] = {}  # when each message is extended next
        self._extending: set[HeldMessage] = set()
        self._timer: TimerHandle | None = None
        self._fires_at = math.inf
        self._closed = False
        self.lost: int = 0

    def add(self, message: HeldMessage) -> None:
        """Keep a message from now on, which was received or extended just now."""
        if not self._closed:
            message.lease_until = self._clock.now() + self._visibility
            self._schedule(message, self._visibility * _EXTEND_AT)

    def remove(self, message: HeldMessage) -> None:
        """Extend a message no more."""
        self._due.pop(message, None)
        self._extending.discard(message)

    def close(self) -> None:
        """Extend nothing any more."""
        self._closed = True
        self._due.clear()
        self._extending.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _schedule(self, message: HeldMessage, delay: float) -> None:
        self._due[message] = moment = self._clock.now() + delay
        if moment < self._fires_at:
            self._set_timer(moment)

    def _set_timer(self, moment: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._fires_at = moment
        self._timer = self._clock.call_at(moment, self._fire) if moment < math.inf else None

    def _fire(self) -> None:
        until = self._clock.now() + self._visibility * _TOGETHER
        due = [message for message, moment in self._due.items() if moment <= until]
        for message in due:
            del self._due[message]
        self._extending.update(due)
        for start in range(0, len(due), BATCH):
            self._spawn(self._extend(due[start : start + BATCH]))
        self._set_timer(min(self._due.values(), default=math.inf))

    async def _extend(self, messages: Sequence[HeldMessage]) -> None:
        receipts = [message.receipt for message in messages]
        results: Sequence[RekostreamError | None]
        try:
            results = await self._queue.change_visibility(receipts, [self._visibility] * len(messages))
        except RekostreamError as error:
            if not may_succeed_later(error):
                raise
            results = [error] * len(messages)
        for message, receipt, failure in zip(messages, receipts, results, strict=True):
            if message not in self._extending or message.receipt != receipt:
                continue  # settled, or received anew, meanwhile
            self._extending.discard(message)
            if failure is None:
                self.add(message)
            elif may_succeed_later(failure) and self._clock.now() < message.lease_until:
                self._schedule(message, self._visibility * _AGAIN)
            else:
                self.lost += 1
                _log.warning("the message %s is visible to other receivers again: %s", message.id, failure)
