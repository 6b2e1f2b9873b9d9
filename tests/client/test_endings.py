"""How a wait ends whose time is over, in words that say what to do."""

from __future__ import annotations

import pytest

from aiorekostream.client.endings import too_late
from aiorekostream.client.goals import Goal
from aiorekostream.client.tickets import Ticket
from aiorekostream.domain.status import Status
from aiorekostream.errors import StreamProcessorFailedError, WaitTimeoutError


def _ticket(goal: Goal, status: Status | None) -> Ticket:
    return Ticket(name="camera", goal=goal, turn=0, joined=0, due=0, status=status)


@pytest.mark.parametrize(
    ("goal", "status", "seconds", "part"),
    [
        (Goal.RUNNING, Status.STARTING, 120, "AWS's advice for one that is STARTING"),
        (Goal.RUNNING, Status.STARTING, 119, ""),
        (Goal.RUNNING, Status.STOPPED, 150, "Nobody seems to have started it"),
        (Goal.RUNNING, Status.UPDATING, 150, ""),
        (Goal.FINISHED, Status.STARTING, 10, "A session may last as long as"),
        (Goal.FINISHED, Status.UPDATING, 10, ""),
        (Goal.STOPPED, Status.RUNNING, 60, "Nobody seems to have stopped it"),
        (Goal.STOPPED, Status.STARTING, 60, "Nobody seems to have stopped it"),
        (Goal.AT_REST, Status.RUNNING, 60, "Nobody seems to have stopped it"),
        (Goal.STOPPED, Status.STOPPING, 60, ""),
        (Goal.DELETED, Status.FAILED, 60, ""),
        (Goal.RUNNING, None, 60, ""),
    ],
)
def test_a_wait_that_took_too_long_says_what_may_be_the_matter(
    goal: Goal, status: Status | None, seconds: float, part: str
) -> None:
    error = too_late(_ticket(goal, status), seconds)
    assert isinstance(error, WaitTimeoutError)
    assert error.hint.startswith(part)
    assert bool(error.hint) is bool(part)


@pytest.mark.parametrize("goal", [goal for goal in Goal if goal is not Goal.DELETED])
def test_what_was_seen_to_have_failed_has_failed_although_nobody_could_say_why(goal: Goal) -> None:
    assert isinstance(too_late(_ticket(goal, Status.FAILED), 10), StreamProcessorFailedError)
