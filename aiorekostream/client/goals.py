"""What can be waited for, and what one look at a processor means for it: a pure table.

A list shows name and status and no more; Describe, the closer look, shows the kind and StatusMessage too. The life of
each kind is told in ``domain/status.py``.
"""

from __future__ import annotations

import enum

import attrs

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.status import Status
from aiorekostream.errors import AccessDeniedError, ResourceNotFoundError

__all__ = ["Goal", "Sight", "Verdict", "judge"]


class Goal(enum.StrEnum):
    """What somebody waits for; the value completes "it was not ..."."""

    RUNNING = "RUNNING"
    """A face search runs."""
    FINISHED = "finished"
    """A label detection's session is over."""
    STOPPED = "STOPPED"
    """It is STOPPED, whatever it did before."""
    AT_REST = "at rest"
    """It can be started: STOPPED or FAILED."""
    SETTLED = "at rest again"
    """It is neither on its way to rest nor to work; or it is on its way to work again."""
    DELETED = "deleted"
    """It is no longer there."""


class Verdict(enum.Enum):
    """What one look means for one who waits."""

    WAIT = enum.auto()
    """Not yet."""
    LOOK_CLOSER = enum.auto()
    """It is over, and only Describe can tell how."""
    REACHED = enum.auto()
    """What was waited for is there."""
    FAILED = enum.auto()
    """The processor has FAILED."""
    ENDED = enum.auto()
    """It was STARTING and is STOPPED: it will not run."""
    UNSUITED = enum.auto()
    """A processor of this kind never gets there."""
    MISSING = enum.auto()
    """There is no such processor."""


@attrs.frozen(kw_only=True)
class Sight:
    """What one look at a processor showed.

    Attributes:
        status: its status; ``None`` if there is no such processor.
        kind: its kind, where it was described.
        message: its StatusMessage, where it was described and has one.
        is_close: whether it was described, rather than listed.
        is_sure: whether it is certain that there is none, where none was found.
        refusal: how the service said that there is none.
        denial: how the service refused to describe it, where the list must do instead.
    """

    status: Status | None
    kind: ProcessorKind | None = None
    message: str | None = None
    is_close: bool = False
    is_sure: bool = True
    refusal: ResourceNotFoundError | None = None
    denial: AccessDeniedError | None = None


_SIGN: dict[Goal, frozenset[Status]] = {
    Goal.RUNNING: frozenset({Status.RUNNING}),
    Goal.FINISHED: frozenset({Status.STOPPED}),
    Goal.STOPPED: frozenset({Status.STOPPED}),
    Goal.AT_REST: frozenset({Status.STOPPED, Status.FAILED}),
    Goal.SETTLED: frozenset({Status.STOPPED, Status.FAILED, Status.RUNNING}),
    Goal.DELETED: frozenset(),
}


def judge(
    goal: Goal, sight: Sight, *, was_seen: bool, was_starting: bool, is_new: bool, was_ending: bool = False
) -> Verdict:
    """What a look that was begun after the wait means for it.

    A status that is not known here means nothing: the wait goes on.

    Args:
        goal: what is waited for.
        sight: what the look showed.
        was_seen: whether an earlier look of this wait found the processor.
        was_starting: whether an earlier look of this wait found it STARTING.
        is_new: whether the wait is so young that the processor may have been created just before it.
        was_ending: whether the look before found its session ending.
    """
    if sight.status is None:
        return _judge_absence(goal, sight, may_come=is_new and not was_seen)
    if _is_unsuited(goal, sight):
        return Verdict.UNSUITED
    is_restarted = goal is Goal.SETTLED and was_ending and sight.status is Status.STARTING
    if sight.status in _SIGN[goal] or is_restarted:
        return Verdict.REACHED
    if sight.status is Status.FAILED and goal is not Goal.DELETED:
        end = Verdict.FAILED
    elif goal is Goal.RUNNING and sight.status is Status.STOPPED and was_starting:
        end = Verdict.ENDED
    else:
        return Verdict.WAIT
    return end if sight.is_close else Verdict.LOOK_CLOSER


def _judge_absence(goal: Goal, sight: Sight, *, may_come: bool) -> Verdict:
    if goal is Goal.DELETED:
        return Verdict.REACHED
    if may_come:
        return Verdict.WAIT
    return Verdict.MISSING if sight.is_close else Verdict.LOOK_CLOSER


def _is_unsuited(goal: Goal, sight: Sight) -> bool:
    is_running = sight.status is Status.RUNNING
    if goal is Goal.RUNNING:
        return sight.kind is ProcessorKind.LABEL_DETECTION and not is_running
    if goal is Goal.FINISHED:
        return sight.kind is ProcessorKind.FACE_SEARCH or is_running
    return False
