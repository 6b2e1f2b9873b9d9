"""What a fleet tells on its way, for whoever wants to watch."""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable

import attrs

from aiorekostream.fleet.outcomes import Outcome

__all__ = ["Progress", "Step", "Teller"]

_log = logging.getLogger("aiorekostream")


class Step(enum.StrEnum):
    """What has happened to a request, or to a session."""

    QUEUED = "queued"
    """The fleet has taken the request."""
    PACED = "paced"
    """Its call waits until the quota lets it through."""
    SENT = "sent"
    """An attempt goes out."""
    THROTTLED = "throttled"
    """The service refused an attempt as too fast."""
    RETRIED = "retried"
    """A failed attempt will be made again."""
    SETTLING = "settling"
    """The answer was lost, and DescribeStreamProcessor is asked what became of the call."""
    STARTED = "started"
    """The request's outcome is ``Started``."""
    SETTLED = "settled"
    """The request has another outcome."""
    ENDED = "ended"
    """A session has ended: it was seen to, or it cannot last any longer."""


@attrs.frozen(kw_only=True)
class Progress:
    """One thing that happened, and how things stood just then.

    Attributes:
        step: what happened.
        name: the processor that it happened to.
        waiting: how many requests the fleet has that are not yet on their way.
        in_flight: how many calls are on their way, those that are paced included.
        running: how many sessions the fleet knows to be under way or about to begin.
        outcome: what became of the request, with ``STARTED`` and ``SETTLED``; ``None`` before and after.
    """

    step: Step
    name: str
    waiting: int
    in_flight: int
    running: int
    outcome: Outcome | None = None


@attrs.frozen
class Teller:
    """Tells a callback, whose errors are its own.

    Attributes:
        listener: the callback, if there is one.
    """

    listener: Callable[[Progress], None] | None

    def __bool__(self) -> bool:
        return self.listener is not None

    def tell(self, progress: Progress) -> None:
        """Call it; an exception is written to the log and goes no further."""
        if self.listener is None:
            return
        try:
            self.listener(progress)
        except Exception:  # noqa: BLE001 - it is anybody's code
            _log.exception("on_progress failed at %s of %s", progress.step, progress.name)
