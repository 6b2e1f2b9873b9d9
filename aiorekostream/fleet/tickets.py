"""One request on its way through a fleet."""

from __future__ import annotations

import enum
import math

import attrs

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.requests import StartRequest

__all__ = ["Stage", "Ticket"]

# So many calls are made for one request, if all of them end before they were carried out for want of speed.
_TRIES = 5


class Stage(enum.Enum):
    """Where a request is."""

    BEHIND = "behind another one for the same processor"
    QUEUED = "waits for its turn"
    RESTING = "waits for as long as the service has asked"
    CALLED = "its call waits to be sent"
    SENT = "its call is under way"
    DONE = "has its outcome"


@attrs.define(eq=False)
class Ticket:
    """A request and where it is; only the plan changes that.

    Attributes:
        request: the start, or the name of the processor to stop.
        name: the processor.
        kind: what a session of it counts against; ``None`` for a stop.
        lasts: the longest duration that was asked for, in seconds; infinity for a face search.
        deadline: when it is no longer worth sending.
        urgent: whether it goes before those that are not.
        taken: when the fleet took it.
        since: when its first call was begun: its place before the gate, however often it is called again.
        stage: where it is.
        number: its place in the order of arrival.
        tries: how many calls were made for it.
        withdrawn: whether it is no longer wanted.
        stopped: whether its processor was told to stop while it was under way, or in doubt.
        doubted: whether the answer to an attempt was lost, so that it may be carried out whatever is seen later.
    """

    request: StartRequest | str
    name: str
    kind: ProcessorKind | None = attrs.field(default=None, kw_only=True)
    lasts: float = attrs.field(default=math.inf, kw_only=True)
    deadline: float = attrs.field(default=math.inf, kw_only=True)
    urgent: bool = attrs.field(default=False, kw_only=True)
    taken: float = attrs.field(default=0.0, init=False)
    since: float | None = attrs.field(default=None, init=False)
    stage: Stage = attrs.field(default=Stage.QUEUED, init=False)
    number: int = attrs.field(default=0, init=False)
    tries: int = attrs.field(default=0, init=False)
    withdrawn: bool = attrs.field(default=False, init=False)
    stopped: bool = attrs.field(default=False, init=False)
    doubted: bool = attrs.field(default=False, init=False)

    @property
    def is_over(self) -> bool:
        """Whether it is not to be sent again: nobody wants it any more, or it may be what was stopped."""
        return self.withdrawn or (self.stopped and self.doubted)

    @property
    def may_repeat(self) -> bool:
        """Whether another call may be made for it, after one that was certainly not carried out for want of speed."""
        return self.tries < _TRIES and not self.doubted
