"""Provide what consumers have in common: entering and closing, tasks, iteration over deliveries, and failures."""

import abc
import asyncio
import logging
from collections.abc import Coroutine
from types import TracebackType
from typing import Generic, Self, TypeVar

from aiorekostream.clock import Clock
from aiorekostream.errors import ConfigurationError
from aiorekostream.results.delivery import Delivery

__all__ = ["Consumer"]

_EventT = TypeVar("_EventT")
_log = logging.getLogger("aiorekostream")

# Seconds for the acknowledgements when a consumer is closed.
_CLOSING = 10.0
# Deliveries that are handed out before the event loop has a turn. Handlers that never wait would hold up the reading,
# and the renewal of leases: those of SQS last 30 seconds by default, that of a consumer of Kinesis 20.
_WITHOUT_A_TURN = 16


class Consumer(abc.ABC, Generic[_EventT]):
    """Base of the consumers: an async context manager and async iterator of ``Delivery``.

    Any number of tasks of one event loop may iterate over it; each delivery goes to one of them.
    """

    def __init__(self, *, clock: Clock) -> None:
        """Set up; nothing is opened or sent yet.

        Args:
            clock: measures the time.
        """
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()
        self._entered = self._ended = self._is_closed = False
        self._failure: BaseException | None = None
        self._is_failure_raised = False
        self._until_turn = _WITHOUT_A_TURN

    async def __aenter__(self) -> Self:
        if self._entered or self._ended:
            raise ConfigurationError("a consumer is entered once: create a new one")
        self._entered = True
        await self._start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Delivery[_EventT]:
        if not self._entered:
            raise ConfigurationError(f"enter the consumer first: async with {type(self).__name__}(...) as consumer")
        while True:
            self._raise_failure()
            if self._ended:
                raise StopAsyncIteration
            if self._until_turn == 0:
                self._until_turn = _WITHOUT_A_TURN
                await self._clock.sleep(0)
            elif (delivery := self._next_delivery()) is not None:
                self._until_turn -= 1
                return delivery
            else:
                self._until_turn = _WITHOUT_A_TURN
                self._news.clear()
                await self._news.wait()

    async def stop(self) -> None:
        """Stop receiving, and release the events that no handler has. The iterations end; handlers can still settle."""
        self._ended = True
        self._news.set()
        await self._stop_receiving()

    async def flush(self) -> None:
        """Wait until every acknowledgement so far is confirmed.

        Raises:
            RekostreamError: the failure that ended the consumer.
        """
        try:
            await self._confirm()
        finally:
            self._is_failure_raised = self._failure is not None

    async def aclose(self) -> None:
        """Stop receiving, confirm the acknowledgements, release everything else, and close the connections.

        Takes 12 seconds at most while a service does not answer; ``report.unacknowledged`` has what is left then. Has
        no effect on a closed consumer.

        Raises:
            RekostreamError: the failure that ended the consumer, unless the iteration has raised it.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            await self.stop()
            self._release_all()
            if self._failure is None:
                await self._confirm_in_time()
        finally:
            self._end(ConfigurationError("the consumer is closed"))
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)
            await self._disconnect()
        if not self._is_failure_raised:
            self._raise_failure()

    @abc.abstractmethod
    async def _start(self) -> None:
        """Begin to receive."""

    @abc.abstractmethod
    async def _stop_receiving(self) -> None:
        """Stop receiving, and release what no handler has."""

    @abc.abstractmethod
    def _next_delivery(self) -> Delivery[_EventT] | None:
        """Return a delivery that waits for a handler; ``None`` if there is none."""

    @abc.abstractmethod
    def _release_all(self) -> None:
        """Release what is not acknowledged. Nothing is settled afterwards."""

    @abc.abstractmethod
    async def _confirm(self) -> None:
        """Send the acknowledgements, and wait until they are confirmed."""

    @abc.abstractmethod
    def _end(self, error: BaseException) -> None:
        """Stop sending; waits for confirmations raise the error."""

    @abc.abstractmethod
    async def _disconnect(self) -> None:
        """Close the connections."""

    @abc.abstractmethod
    def _count_unsettled(self) -> int:
        """Return how many events are held."""

    async def _confirm_in_time(self) -> None:
        try:
            async with self._clock.timeout_at(self._clock.now() + _CLOSING):
                await self._confirm()
        except TimeoutError:
            _log.warning("%d events are not settled, and may be handled again", self._count_unsettled())
        except Exception as error:
            if error is not self._failure:
                raise

    def _raise_failure(self) -> None:
        if self._failure is not None:
            self._is_failure_raised = True
            raise self._failure

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)
        return task

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and self._failure is None:
            self._failure = error
            self._end(error)
            self._news.set()
