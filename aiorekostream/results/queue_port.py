"""Define the port of message queues: what ``SqsConsumer`` needs of SQS."""

from collections.abc import Sequence
from typing import Protocol, final

import attrs

from aiorekostream.errors import RekostreamError
from aiorekostream.retry.classify import is_transient

__all__ = ["BATCH", "MessageQueue", "QueueMessage", "may_succeed_later"]

# Messages of one call, of every operation: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/.
BATCH = 10


@final
@attrs.frozen(kw_only=True)
class QueueMessage:
    """A received message.

    Attributes:
        id: its id, the same whenever it is received.
        receipt: the handle of this receipt of it, with which it is deleted.
        body: its body.
        receive_count: how often it was received, this time included.
    """

    id: str
    receipt: str
    body: str
    receive_count: int = 1


class MessageQueue(Protocol):
    """A queue whose messages become visible again unless they are deleted.

    Every call has its own retries and deadline, and is safe to repeat. A failure of one message of a batch is an error
    in the result; a failure of the call is raised.
    """

    async def receive(self, *, count: int, wait: float, visibility: float) -> Sequence[QueueMessage]:
        """Receive messages, and hide them from other receivers.

        Args:
            count: the most messages, 1 to 10.
            wait: the longest time in seconds to wait for the first one.
            visibility: the seconds for which they are hidden.
        """
        ...

    async def delete(self, receipts: Sequence[str]) -> Sequence[RekostreamError | None]:
        """Delete messages.

        Args:
            receipts: their receipts, 1 to 10.
        """
        ...

    async def change_visibility(
        self, receipts: Sequence[str], visibility: Sequence[float]
    ) -> Sequence[RekostreamError | None]:
        """Change for how long messages stay hidden.

        Args:
            receipts: their receipts, 1 to 10.
            visibility: the seconds from now, for each.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections. Has no effect on a closed queue."""
        ...


def may_succeed_later(error: RekostreamError) -> bool:
    """Return whether a call that failed, with all its retries, may succeed later."""
    return is_transient(error) or isinstance(error, TimeoutError)
