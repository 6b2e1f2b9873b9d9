"""Deliver one event to its handler, which settles it."""

import asyncio
import datetime
import enum
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from aiorekostream.domain.fields import seconds
from aiorekostream.errors import MalformedEventError

__all__ = ["Delivery", "Settlement", "SettlementState", "outcome_of"]

_ContentT = TypeVar("_ContentT")
_EventT = TypeVar("_EventT")
_EventT_co = TypeVar("_EventT_co", covariant=True)

# Seconds: the longest visibility timeout of SQS, 12 hours.
_LONGEST_DELAY = 43_200


class SettlementState(enum.Enum):
    """The state of a delivery."""

    PENDING = "pending"
    """The handler has not settled it."""
    ACKNOWLEDGED = "acknowledged"
    """The handler acknowledged it."""
    RELEASED = "released"
    """The handler released it, to be delivered again."""


class Settlement(Protocol):
    """Carry out the settlement of one delivery; a consumer implements it."""

    async def acknowledge(self) -> None:
        """Record that the event was handled."""
        ...

    async def release(self, delay: float | None) -> None:
        """Let the event be delivered again.

        Args:
            delay: the seconds until then; ``None`` leaves it to the service or the consumer.
        """
        ...


class Delivery(Generic[_EventT_co]):
    """One event, to be handled and then acknowledged.

    Delivery is at least once: an event that is not acknowledged is delivered again. ``async with`` acknowledges when
    the block succeeds, and releases the event when it raises::

        async for delivery in consumer:
            async with delivery:
                handle(delivery.event)

    A malformed event is a delivery, too. Its ``event`` raises ``MalformedEventError``; ``raw`` has what was received.
    When that error leaves the block, the error is logged, the delivery is neither acknowledged nor released, and the
    block ends without an exception: bad input never ends the loop over a consumer.

    The first settlement counts. Later ones have no effect.

    Attributes:
        raw: the event as it was received.
        id: the id of the message or record that carried it.
        receive_count: how often the message was delivered, this time included: by SQS to any receiver, and from Kinesis
            by this consumer.
        is_late: whether ``KinesisConsumer.in_order`` has delivered a later frame of the same video before.
    """

    __slots__ = ("_outcome", "_settlement", "_state", "id", "is_late", "raw", "receive_count")

    def __init__(
        self,
        outcome: _EventT_co | MalformedEventError,
        *,
        raw: str | bytes,
        id: str,  # noqa: A002 - the name of the attribute
        settlement: Settlement,
        receive_count: int = 1,
    ) -> None:
        """Create a delivery; consumers do.

        Args:
            outcome: the event, or the error of a malformed one.
            raw: the event as it was received.
            id: the id of the message or record.
            settlement: carries out ``ack`` and ``nack``.
            receive_count: how often the message was delivered.
        """
        self._outcome = outcome
        self._settlement = settlement
        self._state = SettlementState.PENDING
        self.raw: str | bytes = raw
        self.id: str = id
        self.receive_count: int = receive_count
        self.is_late: bool = False

    @property
    def event(self) -> _EventT_co:
        """The event.

        Raises:
            MalformedEventError: the event is malformed; ``issues`` has the path of each issue.
        """
        if isinstance(self._outcome, MalformedEventError):
            raise self._outcome
        return self._outcome

    @property
    def is_malformed(self) -> bool:
        """Whether ``event`` raises."""
        return isinstance(self._outcome, MalformedEventError)

    @property
    def state(self) -> SettlementState:
        """Whether it was acknowledged or released."""
        return self._state

    async def ack(self) -> None:
        """Acknowledge the event: it was handled and is not to be delivered again.

        Acknowledgements are sent in batches soon afterwards. ``flush`` of the consumer waits until they are confirmed.

        Raises:
            ConfigurationError: the consumer is closed; the event will be delivered again.
        """
        if self._state is SettlementState.PENDING:
            self._state = SettlementState.ACKNOWLEDGED
            await self._settlement.acknowledge()

    async def nack(self, delay: datetime.timedelta | float | None = None) -> None:
        """Release the event: it is delivered again, to this consumer or another one.

        Args:
            delay: the time until then, a ``timedelta`` or seconds from 0 to 43,200. ``None`` means, for SQS, what is
                left of the visibility timeout; for Kinesis, a second that doubles with each delivery, up to a minute.

        Raises:
            InvalidRequestError: the delay is out of its range.
        """
        wait = None if delay is None else seconds(delay, least=0, most=_LONGEST_DELAY)
        if self._state is SettlementState.PENDING:
            self._state = SettlementState.RELEASED
            await self._settlement.release(wait)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if error is None:
            await self.ack()
            return False
        # A cancelled handler is asked to leave at once, so another consumer may have the event at once.
        await self.nack(0 if isinstance(error, asyncio.CancelledError) else None)
        return error is self._outcome

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}, {self._state.value}, {self._outcome!r}>"


def outcome_of(parse: Callable[[_ContentT], _EventT], content: _ContentT) -> _EventT | MalformedEventError:
    """Return the event that was received, or the error of a malformed one."""
    try:
        return parse(content)
    except MalformedEventError as error:
        error.__traceback__ = None  # it is kept, and its frames would keep more
        return error
