"""Consume the events of label detection from a queue of SQS."""

import datetime
import random as _random  # noqa: TID251 - the default source of randomness
from typing import final

import attrs

from aiorekostream.clock import Clock
from aiorekostream.domain.labels import StreamProcessorEvent
from aiorekostream.errors import RekostreamError
from aiorekostream.results.consumer import Consumer
from aiorekostream.results.delivery import Delivery
from aiorekostream.results.event_ids import EventIds
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

# Acknowledged events that are remembered beside those in the store of event ids and those that are held.
_REMEMBERED = 1_000


@final
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


class SqsConsumer(Consumer[StreamProcessorEvent]):
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
        """
        self._options = options = SqsOptions(
            queue_url=queue_url,
            max_in_flight=max_in_flight,
            max_receivers=max_receivers,
            visibility_timeout=visibility_timeout,
            event_ids=event_ids,
            queue=queue,
            region=region,
            endpoint_url=endpoint_url,
            profile=profile,
            session=session,
            retry=retry,
            timeout=timeout,
            clock=clock,
        )
        super().__init__(clock=options.clock)
        self._queue: MessageQueue = open_queue(options) if options.queue is None else options.queue
        self._event_ids: EventIds = options.event_ids
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

    @property
    def report(self) -> ConsumerReport:
        """What the consumer has done so far."""
        counts = attrs.asdict(self._inbox.counts)
        return ConsumerReport(**counts, expired=self._leases.lost, unacknowledged=self._inbox.unsettled())

    async def _start(self) -> None:
        self._receivers.start()

    def _next_delivery(self) -> Delivery[StreamProcessorEvent] | None:
        return self._inbox.next_delivery()

    async def _stop_receiving(self) -> None:
        await self._receivers.stop()
        self._inbox.release_waiting()

    def _release_all(self) -> None:
        self._inbox.release_all()

    async def _confirm(self) -> None:
        await self._settler.flush()

    def _end(self, error: BaseException) -> None:
        if self._is_closed:
            self._leases.close()
        self._settler.fail(error)

    async def _disconnect(self) -> None:
        await self._queue.aclose()

    def _count_unsettled(self) -> int:
        return self._inbox.size

    def _deleted(self, message: HeldMessage, error: RekostreamError | None) -> None:
        self._inbox.deleted(message, error)

    def _changed(self) -> None:
        self._news.set()
        self._receivers.room_changed()
