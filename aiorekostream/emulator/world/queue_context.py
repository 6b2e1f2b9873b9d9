"""Define what the operations of SQS work on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from aiorekostream.emulator.world.answers import Refusal, RefusedError, refuse
from aiorekostream.emulator.world.identity import Caller
from aiorekostream.emulator.world.queues import Queues

if TYPE_CHECKING:
    from aiorekostream.emulator.world.fields import Fields
    from aiorekostream.emulator.world.queue import EmulatedQueue

__all__ = ["ALL", "MAX_MESSAGE_BYTES", "NO_QUEUE", "QueueContext", "invalid_value"]

ALL = "All"
"""The name that stands for all attributes."""
MAX_MESSAGE_BYTES = 1_048_576
"""Bytes, of one message and of a batch."""
NO_QUEUE = Refusal("QueueDoesNotExist", "The specified queue does not exist.")


@attrs.frozen(kw_only=True)
class QueueContext:
    """What one operation works on.

    Attributes:
        queues: all queues.
        caller: the account and the Region.
        now: the time on the queues' clock, in epoch seconds.
        base_url: the URL of the emulator, as the caller has it.
    """

    queues: Queues
    caller: Caller
    now: float
    base_url: str

    def url(self, queue: EmulatedQueue) -> str:
        """Return the URL of a queue."""
        return f"{self.base_url}/{queue.owner.account}/{queue.name}"

    def queue(self, request: Fields) -> EmulatedQueue:
        """Return the queue of a request's ``QueueUrl``."""
        url = request.text("QueueUrl")
        account, _, name = url.rstrip("/").partition("://")[2].partition("/")[2].rpartition("/")
        if account != self.caller.account:
            raise refuse(
                Refusal(
                    "AccessDenied", f"The queue is in another account than the access key, {self.caller.account}.", 403
                )
            )
        found = self.queues.get(self.caller, name)
        if found is None:
            raise refuse(NO_QUEUE)
        return found


def invalid_value(message: str) -> RefusedError:
    """Return the refusal of a parameter that is out of its range."""
    return refuse(Refusal("InvalidParameterValue", message))
