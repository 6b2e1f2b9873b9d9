"""Record the progress of a call: control, which drives the state of its caller, and events, which only report."""

import datetime
import math
from collections.abc import Callable
from typing import Literal, TypeAlias

import attrs

from aiorekostream.transport.port import Reply

__all__ = ["CallEvent", "CallTrace", "LostAttempt"]


CallEvent: TypeAlias = Literal["sent", "throttled", "retried", "reconciling"]
"""An event of a call: an attempt begins to go out, the service refused one as too fast, a failed one will be made
again, or DescribeStreamProcessor is called to determine the outcome after a lost response.
"""


@attrs.frozen
class LostAttempt:
    """An attempt whose response was lost, and the time in which the service may apply it.

    Attributes:
        sent_at: when it began to go out, on the clock.
        applied_by: after this moment the service no longer applies it; see ``RetryPolicy.max_apply_delay``.
        code: the error code of the response; ``None`` if none was received.
        request_id: AWS's id of the request; ``None`` if no response was received.
    """

    sent_at: float
    applied_by: float
    code: str | None = None
    request_id: str | None = None


@attrs.define(eq=False, repr=False, kw_only=True)
class CallTrace:
    """The progress of a call. The pipeline writes it; the caller reads it and may move ``send_by``.

    Attributes:
        send_by: no further attempt is sent after this moment of the clock.
        retries_throttled: whether the pipeline makes a throttled attempt again. Otherwise it raises the error, to a
            caller that queues the request again.
        on_event: called with each event, if given; it changes nothing.
        attempts: attempts made so far, those of earlier calls for the same request included.
        in_flight: whether an attempt is out and has no answer yet.
        sent_at: when the latest attempt began to go out; ``None`` before.
        lost: the attempts whose responses were lost.
        unresolved: whether the service may have applied one of them, or may still do so; ``recover`` clears it.
        reply: the latest successful response.
    """

    send_by: float = math.inf
    retries_throttled: bool = True
    on_event: Callable[[CallEvent], None] | None = None
    attempts: int = 0
    in_flight: bool = attrs.field(default=False, init=False)
    sent_at: float | None = attrs.field(default=None, init=False)
    lost: list[LostAttempt] = attrs.field(factory=list[LostAttempt], init=False)
    unresolved: bool = attrs.field(default=False, init=False)
    reply: Reply | None = attrs.field(default=None, init=False)

    @property
    def date(self) -> datetime.datetime | None:
        """The service's own time in the latest successful response; ``None`` if it had none."""
        return None if self.reply is None else self.reply.date

    @property
    def may_be_applied(self) -> bool:
        """Whether the service may have applied the call, or may still do so."""
        return self.in_flight or self.unresolved

    @property
    def applied_by(self) -> float:
        """The moment after which the service applies none of the lost attempts any more."""
        return max((window.applied_by for window in self.lost), default=-math.inf)
