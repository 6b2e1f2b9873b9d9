"""Consume the events of label detection from a queue of SQS."""

import asyncio
import datetime
import logging
import random as _random  # noqa: TID251 - the default source of randomness
from collections.abc import Coroutine
from types import TracebackType
from typing import Self

import attrs

from aiorekostream.clock import Clock, SystemClock
from aiorekostream.domain.labels import StreamProcessorEvent
from aiorekostream.errors import ConfigurationError, RekostreamError
from aiorekostream.results.delivery import Delivery
from aiorekostream.results.event_ids import EventIds, MemoryEventIds
from aiorekostream.results.held import CopyLedger, HeldMessage
from aiorekostream.results.inbox import Inbox
from aiorekostream.results.leases import LeaseKeeper
from aiorekostream.results.queue_port import MessageQueue
from aiorekostream.results.receivers import Receivers
from aiorekostream.results.settler import Settler
from aiorekostream.results.sqs_options import SqsOptions, open_queue
from aiorekostream.retry.policy import RetryPolicy
from aiorekostream.transport.options import AwsSession
from aiorekostream.transport.timeout import Timeout

__all__ = ["ConsumerReport", "SqsConsumer"]

_log = logging.getLogger("aiorekostream")

# Acknowledged events that are remembered beside those in the store of event ids and those that are held.
_REMEMBERED = 1_000
# Seconds for the acknowledgements when a consumer is closed.
_CLOSING = 10.0


@attrs.frozen(kw_only=True)
class ConsumerReport:
    """What a consumer has done so far.

    Attributes:
        received: messages received, with those received again.
        delivered: deliveries to handlers.
        acknowledged: messages deleted because their event was acknowledged, copies included.
        duplicates: further copies of an event, which were not delivered because the first was acknowledged.
        malformed: malformed messages, each counted once by a consumer. They stay in the queue unless they are
            acknowledged, for its dead-letter queue.
        released: deliveries that were released by ``nack`` or by an exception of their handler.
        expired: messages whose visibility timeout could not be extended in time; they may be handled twice.
        unconfirmed: acknowledged messages that the queue refused to delete; they may be handled twice.
        unacknowledged: the ids of the messages that are held now: received or delivered, and not deleted or released.
    """

    received: int
    delivered: int
    acknowledged: int
    duplicates: int
    malformed: int
    released: int
    expired: int
    unconfirmed: int
    unacknowledged: tuple[str, ...]


class SqsConsumer:
    """Consume the events of label detection from a standard queue of SQS that is subscribed to the topic.

    An async context manager and async iterator of ``Delivery``. Any number of tasks of one event loop may iterate over
    it; each delivery goes to one of them. Delivery is at least once and unordered::

        async with SqsConsumer(queue_url) as consumer:
            async for delivery in consumer:
                async with delivery:
                    handle(delivery.event)

    The visibility timeout of a message is extended until its delivery is settled. A second copy of an event (by
    ``event_id``) is kept until the first is settled: then it is deleted, if that was acknowledged, and released
    otherwise. A malformed message is delivered once and then left to the queue's redrive policy, unless it is
    acknowledged. Failures that pass, of the network or the service, are logged and retried without end; all others are
    raised by the iteration.

    Leaving the block sends what was acknowledged, releases what was not, and closes the connections.

    Requires the permissions ``sqs:ReceiveMessage``, ``sqs:DeleteMessage`` and ``sqs:ChangeMessageVisibility``.
    """

    def __init__(
        self,
        queue_url: str,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        profile: str | None = None,
        session: AwsSession | None = None,
        max_in_flight: int = 100,
        max_receivers: int = 10,
        visibility_timeout: datetime.timedelta | float = 30,
        event_ids: EventIds | None = None,
        retry: RetryPolicy | None = None,
        timeout: Timeout | datetime.timedelta | float | None = None,
        clock: Clock | None = None,
        queue: MessageQueue | None = None,
    ) -> None:
        """Set up a consumer; nothing is opened or sent yet.

        Args:
            queue_url: the URL of the queue.
            region: the Region; that of the URL by default.
            endpoint_url: the endpoint URL; by default that of the queue's URL if it is not one of AWS's, else AWS's.
            profile: a profile of the AWS config files.
            session: an aiobotocore session with credentials and settings.
            max_in_flight: the most messages that are held at a time, 1 to 100,000: those being handled, those waiting
                for a handler, and those being deleted.
            max_receivers: the most concurrent receive calls, 1 to 100. One is used while the queue is nearly empty.
            visibility_timeout: the time that a message stays hidden from others after this consumer ends without
                releasing it, a ``timedelta`` or seconds from 1 to 43,200. It is extended while a message is held, and
                does not limit the time of a handler.
            event_ids: remembers acknowledged events; by default the latest 20,000, in memory.
            retry: the retries of a call.
            timeout: a ``Timeout``, or the total time of a call as a ``timedelta`` or in seconds; 60 s by default. The
                wait of a long poll is added.
            clock: measures the time; the event loop's clock by default.
            queue: the queue to use in place of SQS, for tests.

        Raises:
            InvalidRequestError: arguments break their rules; all issues at once.
            ConfigurationError: both a session and a profile are given.
        """
        self._options = options = SqsOptions(
            queue_url=queue_url,
            max_in_flight=max_in_flight,
            max_receivers=max_receivers,
            visibility_timeout=visibility_timeout,
        )
        self._clock: Clock = SystemClock() if clock is None else clock
        self._queue: MessageQueue = (
            queue
            if queue is not None
            else open_queue(
                options,
                region=region,
                endpoint_url=endpoint_url,
                profile=profile,
                session=session,
                retry=retry,
                timeout=timeout,
                clock=self._clock,
            )
        )
        self._event_ids: EventIds = MemoryEventIds() if event_ids is None else event_ids
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()
        self._entered = self._ended = self._is_closed = False
        self._failure: BaseException | None = None
        self._is_failure_raised = False
        self._leases = LeaseKeeper(
            self._queue, clock=self._clock, visibility=options.visibility_timeout, spawn=self._spawn
        )
        self._settler = Settler(
            self._queue,
            event_ids=self._event_ids,
            clock=self._clock,
            spawn=self._spawn,
            on_done=self._deleted,
        )
        self._inbox = Inbox(
            event_ids=self._event_ids,
            leases=self._leases,
            settler=self._settler,
            on_change=self._changed,
            ledger=CopyLedger(most=options.max_in_flight + _REMEMBERED),
        )
        self._receivers = Receivers(
            queue=self._queue,
            clock=self._clock,
            random=_random.random,
            visibility=options.visibility_timeout,
            most=options.max_receivers,
            room=lambda: (options.max_in_flight - self._inbox.size, not self._inbox.has_waiting),
            accept=self._inbox.accept,
            spawn=self._spawn,
        )

    async def __aenter__(self) -> Self:
        if self._entered or self._ended:
            raise ConfigurationError("a consumer is entered once: create a new one")
        self._entered = True
        self._receivers.start()
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

    async def __anext__(self) -> Delivery[StreamProcessorEvent]:
        if not self._entered:
            raise ConfigurationError("enter the consumer first: async with SqsConsumer(...) as consumer")
        while True:
            self._raise_failure()
            if self._ended:
                raise StopAsyncIteration
            if (delivery := self._inbox.next_delivery()) is not None:
                return delivery
            self._news.clear()
            await self._news.wait()

    @property
    def report(self) -> ConsumerReport:
        """What the consumer has done so far."""
        counts = attrs.asdict(self._inbox.counts)
        return ConsumerReport(**counts, expired=self._leases.lost, unacknowledged=self._inbox.unsettled())

    async def stop(self) -> None:
        """Stop receiving, and release what no handler has. The iterations end; handlers may go on and settle."""
        self._ended = True
        self._news.set()
        await self._receivers.stop()
        self._inbox.release_waiting()

    async def flush(self) -> None:
        """Wait until the queue has confirmed every acknowledgement so far.

        Raises:
            RekostreamError: the failure that ended the consumer.
        """
        try:
            await self._settler.flush()
        finally:
            self._is_failure_raised = self._failure is not None

    async def aclose(self) -> None:
        """Stop receiving, send the acknowledgements, release everything else, and close the connections.

        Takes 10 seconds at most while the queue does not answer; ``report.unacknowledged`` has what is left then. Has
        no effect on a closed consumer.

        Raises:
            RekostreamError: the failure that ended the consumer, unless the iteration has raised it.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            await self.stop()
            self._inbox.release_all()
            if self._failure is None:
                await self._flush_in_time()
        finally:
            self._leases.close()
            self._settler.fail(ConfigurationError("the consumer is closed"))
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)
            await self._queue.aclose()
        if not self._is_failure_raised:
            self._raise_failure()

    async def _flush_in_time(self) -> None:
        try:
            async with self._clock.timeout_at(self._clock.now() + _CLOSING):
                await self._settler.flush()
        except TimeoutError:
            _log.warning("%d messages are not settled, and may be handled again", self._inbox.size)
        except Exception as error:
            if error is not self._failure:
                raise

    def _raise_failure(self) -> None:
        if self._failure is not None:
            self._is_failure_raised = True
            raise self._failure

    def _deleted(self, message: HeldMessage, error: RekostreamError | None) -> None:
        self._inbox.deleted(message, error)

    def _changed(self) -> None:
        self._news.set()
        self._receivers.room_changed()

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)
        return task

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and self._failure is None:
            self._failure = error
            self._settler.fail(error)
            self._news.set()
