"""How a wait ends: the error of each verdict that is not what was waited for, in words that say what to do. Pure."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from aiorekostream.client.goals import Goal, Verdict
from aiorekostream.client.remedies import remedy
from aiorekostream.domain.status import Status
from aiorekostream.errors import (
    InvalidRequestError,
    RekostreamError,
    ResourceNotFoundError,
    StreamProcessorFailedError,
    ValidationIssue,
    WaitTimeoutError,
)
from aiorekostream.operations import DESCRIBE

if TYPE_CHECKING:
    from aiorekostream.client.tickets import Ending, Ticket

__all__ = ["error_of", "too_late"]

_LABELS = "https://docs.aws.amazon.com/rekognition/latest/dg/streaming-labels-detection.html"
_TROUBLE = "https://docs.aws.amazon.com/rekognition/latest/dg/streaming-video-troubleshooting.html"
_STUCK = 120.0
_UNDESCRIBED = "Its StatusMessage says why; to read it needs leave for rekognition:DescribeStreamProcessor"

_SUITED = {
    Goal.RUNNING: (
        "a face search: a label detection is STARTING as long as it works and never RUNNING, so wait_until_finished is"
        f" what waits for it ({_LABELS})"
    ),
    Goal.FINISHED: (
        "a label detection: a face search runs until it is stopped, so wait_until_running and wait_until_stopped are"
        f" what waits for it ({_LABELS})"
    ),
}


def error_of(ending: Ending) -> RekostreamError | None:
    """The error that ends a wait; ``None`` where what was waited for is there."""
    ticket, sight = ending.ticket, ending.sight
    match ending.verdict:
        case Verdict.FAILED:
            hint = remedy(sight.message) if sight.denial is None else _UNDESCRIBED
            failure = StreamProcessorFailedError(name=ticket.name, status_message=sight.message, hint=hint)
            failure.__cause__ = sight.denial
            return failure
        case Verdict.ENDED:
            return StreamProcessorFailedError(
                name=ticket.name,
                status_message=sight.message or "it was STARTING and is STOPPED, and was not seen RUNNING",
                hint="Somebody stopped it before, or as soon as, it ran: start it again",
            )
        case Verdict.UNSUITED:
            return InvalidRequestError([ValidationIssue(("name",), ticket.name, f"the name of {_SUITED[ticket.goal]}")])
        case Verdict.MISSING:
            # One answer may end several waits, and each must have a traceback of its own.
            return copy.copy(sight.refusal) or _not_found(ticket.name)
        case _:
            return None


def too_late(ticket: Ticket, seconds: float) -> RekostreamError:
    """The error of a wait whose time is over."""
    if ticket.status is Status.FAILED and ticket.goal is not Goal.DELETED and not ticket.is_unsure:
        hint = "Its StatusMessage could not be read in time: describe it"
        return StreamProcessorFailedError(name=ticket.name, status_message=None, hint=hint)
    return WaitTimeoutError(
        name=ticket.name,
        wanted=ticket.goal.value,
        status=None if ticket.status is None else ticket.status.value,
        seconds=seconds,
        hint=_patience(ticket, seconds),
    )


def _patience(ticket: Ticket, seconds: float) -> str:
    match ticket.goal, ticket.status:
        case Goal.RUNNING, Status.STARTING if seconds >= _STUCK:
            return (
                "AWS's advice for one that is STARTING for more than two minutes: delete it and create it again, and if"
                f" that does not help, ask AWS Support ({_TROUBLE})"
            )
        case Goal.RUNNING, Status.STOPPED:
            return "Nobody seems to have started it"
        case Goal.FINISHED, Status.STARTING:
            return (
                "A session may last as long as the start's stop selector says, and until the end of the video fragment"
                f" that is being looked at ({_LABELS})"
            )
        case Goal.STOPPED | Goal.AT_REST, Status.RUNNING | Status.STARTING:
            return "Nobody seems to have stopped it"
        case _:
            return ""


def _not_found(name: str) -> ResourceNotFoundError:
    message = f"there is no stream processor {name}"
    return ResourceNotFoundError(
        message, operation=DESCRIBE.name, code="ResourceNotFoundException", http_status=400, retry_safe=True
    )
