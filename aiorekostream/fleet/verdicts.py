"""What the error of a call means for the request that it was made for. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import attrs

from aiorekostream.domain.status import Status
from aiorekostream.errors import (
    CallError,
    DeadlineExceededError,
    LimitExceededError,
    ResourceInUseError,
    ServiceError,
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
from aiorekostream.retry.classify import is_throttling

if TYPE_CHECKING:
    from aiorekostream.domain.requests import StartRequest

__all__ = ["Again", "NoSlot", "Verdict", "on_start", "on_stop"]


_OVER = frozenset({Status.STOPPED, Status.FAILED, Status.STOPPING, Status.UPDATING})


@attrs.frozen
class Again:
    """The call was not carried out, since calls came too fast, and is to be made again.

    Attributes:
        rest: for how long the service wants to be left alone before, in seconds.
    """

    rest: float = 0.0


@attrs.frozen
class NoSlot:
    """The call was not carried out, since too many sessions are under way."""


Verdict: TypeAlias = Again | NoSlot
"""Why a request has no outcome yet."""


def on_start(request: StartRequest, error: Exception, *, may_repeat: bool) -> StartOutcome | Verdict:
    """After a start, for which another call may be made or not."""
    match error:
        case ResourceInUseError():
            return AlreadyRunning(request)
        # UNCERTAIN: AWS documents the limit on sessions and not how a start is refused for it; neither of these codes
        # is modelled for StartStreamProcessor, and no other limit is in its way.
        case LimitExceededError() | ServiceQuotaExceededError():
            return NoSlot()
        case _ if may_repeat and _too_fast(error):
            return Again(error.retry_after if isinstance(error, ServiceError) else 0.0)
        case _ if _leaves_doubt(error):
            return Unknown(request, error)
        case _:
            return Failed(request, error)


def on_stop(name: str, error: Exception, *, may_repeat: bool, status: Status | None = None) -> StopOutcome | Verdict:
    """After a stop; for one that the service refused as impossible now, with the processor's status after that."""
    match error:
        # UNCERTAIN: in which statuses AWS refuses a stop. Only some of them mean that there is nothing to stop.
        case ResourceInUseError() if status in _OVER:
            return AlreadyStopped(name)
        case _ if may_repeat and _too_fast(error):
            return Again(error.retry_after if isinstance(error, ServiceError) else 0.0)
        case _ if _leaves_doubt(error):
            return Unknown(name, error)
        case _:
            return Failed(name, error)


def _too_fast(error: Exception) -> bool:
    return is_throttling(error) or (isinstance(error, DeadlineExceededError) and error.retry_safe)


def _leaves_doubt(error: Exception) -> bool:
    return isinstance(error, CallError) and not error.retry_safe
