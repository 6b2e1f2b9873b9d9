"""Send acknowledgements and releases in batches."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

from aiorekostream.errors import RekostreamError
from aiorekostream.results.queue_port import BATCH, may_succeed_later

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from aiorekostream.clock import Clock, TimerHandle
    from aiorekostream.results.event_ids import EventIds
    from aiorekostream.results.held import HeldMessage
    from aiorekostream.results.queue_port import MessageQueue

__all__ = ["Settler"]

_log = logging.getLogger("aiorekostream")

# Seconds that an acknowledgement waits for others to fill its batch, while events are being handled.
_COLLECT = 0.2
# Seconds until a batch is sent again whose call failed, with all retries of the call.
_AGAIN = 1.0
# Batches that are sent at a time.
_CONCURRENT = 8


class Settler:
    """Delete acknowledged messages and release others, at most ten with one call.

    A batch is sent when it is full, when ``flush_soon`` says that nothing is being handled, and at the latest after a
    fifth of a second.

    Args:
        queue: the queue of the messages.
        event_ids: stores the id of each event before its message is deleted.
        clock: sets timers.
        spawn: runs a batch in a task.
        on_done: called with a message that is deleted, or cannot be.
    """

    def __init__(
        self,
        queue: MessageQueue,
        *,
        event_ids: EventIds,
        clock: Clock,
        spawn: Callable[[Coroutine[object, object, None]], object],
        on_done: Callable[[HeldMessage, RekostreamError | None], None],
    ) -> None:
        self._queue = queue
        self._event_ids = event_ids
        self._clock = clock
        self._spawn = spawn
        self._on_done = on_done
        self._acknowledged: deque[HeldMessage] = deque()
        self._failed: list[HeldMessage] = []  # are sent again after a while
        self._released: deque[tuple[HeldMessage, float]] = deque()
        self._sending = 0
        self._timer: TimerHandle | None = None
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._failure: BaseException | None = None

    def acknowledge(self, message: HeldMessage) -> None:
        """Queue the deletion of a message."""
        self._acknowledged.append(message)
        self._pump(is_urgent=False)

    def release(self, message: HeldMessage, delay: float) -> None:
        """Queue the change of a message's visibility timeout to a number of seconds from now."""
        self._released.append((message, delay))
        self._pump(is_urgent=False)

    def flush_soon(self) -> None:
        """Send what is queued without waiting for more."""
        self._pump(is_urgent=True)

    async def flush(self) -> None:
        """Send what is queued, and wait until it is confirmed.

        Raises:
            BaseException: the failure of ``fail``.
        """
        while not self._quiet.is_set() and self._failure is None:
            self._pump(is_urgent=True)
            await self._quiet.wait()
        if self._failure is not None:
            raise self._failure

    def fail(self, error: BaseException) -> None:
        """Send nothing any more."""
        self._failure = error
        self._cancel_timer()
        self._quiet.set()

    def _pump(self, *, is_urgent: bool) -> None:
        if self._failure is not None:
            return
        while self._sending < _CONCURRENT and (len(self._acknowledged) >= BATCH or (is_urgent and self._acknowledged)):
            self._start(
                self._delete([self._acknowledged.popleft() for _ in range(min(BATCH, len(self._acknowledged)))])
            )
        while self._sending < _CONCURRENT and (len(self._released) >= BATCH or (is_urgent and self._released)):
            self._start(self._change([self._released.popleft() for _ in range(min(BATCH, len(self._released)))]))
        if not (self._acknowledged or self._released or self._failed):
            self._cancel_timer()
            if not self._sending:
                self._quiet.set()
            return
        self._quiet.clear()
        if self._timer is None:
            self._set_timer(_COLLECT if self._acknowledged or self._released else _AGAIN)

    def _start(self, sending: Coroutine[object, object, None]) -> None:
        self._sending += 1
        self._quiet.clear()
        self._spawn(sending)

    async def _delete(self, messages: list[HeldMessage]) -> None:
        try:
            event_ids = [message.event_id for message in messages if message.event_id is not None]
            if event_ids:
                await self._event_ids.add(list(dict.fromkeys(event_ids)))
            results = await self._attempt(self._queue.delete([message.receipt for message in messages]), len(messages))
            for message, error in zip(messages, results, strict=True):
                if error is not None and may_succeed_later(error):
                    self._failed.append(message)
                else:
                    self._on_done(message, error)
        finally:
            self._sent()

    async def _change(self, changes: list[tuple[HeldMessage, float]]) -> None:
        try:
            receipts, delays = [message.receipt for message, _ in changes], [delay for _, delay in changes]
            results = await self._attempt(self._queue.change_visibility(receipts, delays), len(changes))
            for (message, _), error in zip(changes, results, strict=True):
                if error is not None:  # it becomes visible without help, a little later
                    _log.debug("the message %s was not released at once: %s", message.id, error)
        finally:
            self._sent()

    async def _attempt(
        self, call: Awaitable[Sequence[RekostreamError | None]], count: int
    ) -> Sequence[RekostreamError | None]:
        try:
            return await call
        except RekostreamError as error:
            if not may_succeed_later(error):
                raise
            _log.warning("a batch of %d messages could not be settled: %s", count, error)
            return [error] * count

    def _sent(self) -> None:
        self._sending -= 1
        self._pump(is_urgent=False)

    def _set_timer(self, delay: float) -> None:
        self._timer = self._clock.call_at(self._clock.now() + delay, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._acknowledged.extend(self._failed)
        self._failed.clear()
        self._pump(is_urgent=True)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
