"""What the error of a call means for the request that it was made for. Pure."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from aiorekostream.domain.status import Status
from aiorekostream.errors import (
    CallError,
    DeadlineExceededError,
    LimitExceededError,
    ResourceInUseError,
    ServiceQuotaExceededError,
)
from aiorekostream.fleet.outcomes import (
    AlreadyRunning,
    AlreadyStopped,
    Failed,
    StartOutcome,
    StopOutcome,
    Unknown,
)
from aiorekostream.resilience.verdict import is_throttling

if TYPE_CHECKING:
    from aiorekostream.domain.requests import StartRequest

__all__ = ["TRIES", "Verdict", "on_start", "on_stop"]

TRIES = 5
"""How many calls are made for one request, if all of them end before they were carried out for want of speed."""


_OVER = frozenset({Status.STOPPED, Status.FAILED, Status.STOPPING})


class Verdict(enum.Enum):
    """It has no outcome yet."""

    AGAIN = "its call was not carried out, since calls came too fast"
    NO_SLOT = "too many sessions are under way"


def on_start(request: StartRequest, error: Exception, tries: int) -> StartOutcome | Verdict:
    """After a start."""
    match error:
        case ResourceInUseError():
            return AlreadyRunning(request)
        # UNCERTAIN: AWS documents the limit on sessions and not how a start is refused for it; neither of these codes
        # is modelled for StartStreamProcessor, and no other limit is in its way.
        case LimitExceededError() | ServiceQuotaExceededError():
            return Verdict.NO_SLOT
        case _ if _too_fast(error) and tries < TRIES:
            return Verdict.AGAIN
        case _ if _leaves_doubt(error):
            return Unknown(request, error)
        case _:
            return Failed(request, error)


def on_stop(name: str, error: Exception, tries: int, *, status: Status | None = None) -> StopOutcome | Verdict:
    """After a stop; for one that the service refused as impossible now, with the processor's status after that."""
    match error:
        # UNCERTAIN: in which statuses AWS refuses a stop. Only some of them mean that there is nothing to stop.
        case ResourceInUseError() if status in _OVER:
            return AlreadyStopped(name)
        case _ if _too_fast(error) and tries < TRIES:
            return Verdict.AGAIN
        case _ if _leaves_doubt(error):
            return Unknown(name, error)
        case _:
            return Failed(name, error)


def _too_fast(error: Exception) -> bool:
    return is_throttling(error) or (isinstance(error, DeadlineExceededError) and error.retry_safe)


def _leaves_doubt(error: Exception) -> bool:
    return isinstance(error, CallError) and not error.retry_safe
