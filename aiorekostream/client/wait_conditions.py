"""Define wait conditions: what a wait waits for, what one observation means for it, and what it remembers. Pure.

A list shows a name and a status; Describe also shows the kind and StatusMessage, and it alone proves that a processor
does not exist. ``domain/status.py`` has the life of each kind.
"""

import enum
import math
from typing import cast

import attrs

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.responses import StreamProcessorSummary
from aiorekostream.domain.status import STARTABLE, Status
from aiorekostream.errors import ResourceNotFoundError

__all__ = ["SHOWN_AFTER", "Evaluation", "Observation", "WaitCondition", "Waiter", "evaluate"]

# The time from one poll of a processor to the next, in seconds: half of the wait's age, within these bounds.
_SHORTEST_INTERVAL = 0.5
_LONGEST_INTERVAL = 5.0
# UNCERTAIN: for how many seconds AWS may not find a processor that was just created.
_CREATION_DELAY = 5.0
# A face search was seen to be RUNNING 2 s after its start. One that is STARTING for 10 s may be a label detection.
_SLOW_START = 10.0
SHOWN_AFTER = 1.0
"""Seconds for which a poll may show the status from before a call that was just answered. UNCERTAIN: AWS does not
document how long.
"""


class WaitCondition(enum.StrEnum):
    """What a wait waits for; the value completes "it was not ..."."""

    RUNNING = "RUNNING"
    """The face search runs."""
    FINISHED = "finished"
    """The session of the label detection has ended."""
    STOPPED = "STOPPED"
    """The processor is STOPPED."""
    STEADY = "at rest"
    """The processor is STOPPED, FAILED or RUNNING, or STARTING again after STOPPING."""
    DELETED = "deleted"
    """The processor does not exist."""
    OBSERVED = "observed"
    """The processor was polled, whatever its status."""


class Evaluation(enum.Enum):
    """What one observation means for a wait."""

    PENDING = enum.auto()
    """The wait goes on."""
    NEEDS_DESCRIBE = enum.auto()
    """The list suggests an end that only Describe can confirm or explain."""
    SATISFIED = enum.auto()
    """The condition holds."""
    FAILED = enum.auto()
    """The processor is FAILED."""
    STOPPED_EARLY = enum.auto()
    """The processor was STARTING and is STOPPED, so it will not run."""
    WRONG_KIND = enum.auto()
    """A processor of this kind never satisfies the condition."""
    REFUSED = enum.auto()
    """The service refuses to describe the processor, for instance because it does not exist."""


_FAILED = {Status.FAILED: Evaluation.FAILED}
# What a status means for a wait; what is left out is pending.
_MEANINGS: dict[WaitCondition, dict[Status, Evaluation]] = {
    WaitCondition.RUNNING: {Status.RUNNING: Evaluation.SATISFIED, Status.STOPPED: Evaluation.STOPPED_EARLY, **_FAILED},
    WaitCondition.FINISHED: {Status.STOPPED: Evaluation.SATISFIED, Status.RUNNING: Evaluation.WRONG_KIND, **_FAILED},
    WaitCondition.STOPPED: {Status.STOPPED: Evaluation.SATISFIED, **_FAILED},
    WaitCondition.STEADY: dict.fromkeys(STARTABLE | {Status.RUNNING}, Evaluation.SATISFIED),
    WaitCondition.DELETED: {},
}
# What Describe must explain or confirm. A list that changes while its pages are read may skip an entry, so absence from
# it proves nothing.
_UNEXPLAINED = frozenset({Evaluation.FAILED, Evaluation.STOPPED_EARLY, Evaluation.REFUSED})
_SATISFIED_BY_ABSENCE = frozenset({WaitCondition.DELETED, WaitCondition.OBSERVED})
_WRONG_KINDS = frozenset(
    {(WaitCondition.RUNNING, ProcessorKind.LABEL_DETECTION), (WaitCondition.FINISHED, ProcessorKind.FACE_SEARCH)}
)
# In the first second of a wait, these statuses may be those from before the caller's start or stop.
_MAY_BE_STALE = {
    WaitCondition.FINISHED: STARTABLE,
    WaitCondition.RUNNING: frozenset({Status.FAILED}),
    WaitCondition.STEADY: frozenset({Status.RUNNING}),
}


@attrs.frozen(kw_only=True)
class Observation:
    """What one poll showed of a processor.

    Attributes:
        status: its status; ``None`` if the poll did not find it.
        kind: its kind, where it was described.
        message: its StatusMessage, where it was described and has one.
        described: whether Describe answered or refused, rather than a list.
        error: how Describe refused; of a list, how it refused before, so that the list must do. Only
            ``ResourceNotFoundError`` proves that the processor does not exist. Of a poller that cannot go on, the
            reason.
    """

    status: Status | None
    kind: ProcessorKind | None = None
    message: str | None = None
    described: bool = False
    error: BaseException | None = None


def evaluate(waiter: "Waiter", observation: Observation, now: float) -> Evaluation:
    """Evaluate an observation that began after the wait; an unknown status leaves the wait pending."""
    condition, status = waiter.condition, observation.status
    is_restarted = condition is WaitCondition.STEADY and waiter.status is Status.STOPPING and status is Status.STARTING
    if status is None:
        meaning = _evaluate_absence(waiter, observation, now)
    elif status is not Status.RUNNING and (condition, observation.kind) in _WRONG_KINDS:
        return Evaluation.WRONG_KIND
    elif waiter.may_be_stale(status, now):
        return Evaluation.PENDING
    elif condition is WaitCondition.OBSERVED or is_restarted:
        return Evaluation.SATISFIED
    else:
        meaning = _MEANINGS[condition].get(status, Evaluation.PENDING)
    if meaning is Evaluation.STOPPED_EARLY and waiter.starting_since is None:
        return Evaluation.PENDING
    is_final = observation.described or observation.error is not None or meaning not in _UNEXPLAINED
    return meaning if is_final else Evaluation.NEEDS_DESCRIBE


def _evaluate_absence(waiter: "Waiter", observation: Observation, now: float) -> Evaluation:
    is_absent = isinstance(observation.error, ResourceNotFoundError)
    if waiter.condition in _SATISFIED_BY_ABSENCE:
        return Evaluation.SATISFIED if is_absent else Evaluation.REFUSED
    is_new = waiter.status is None and now < waiter.joined + _CREATION_DELAY
    is_denied = observation.described and not is_absent
    return Evaluation.PENDING if is_new and not is_denied else Evaluation.REFUSED


@attrs.define(eq=False, repr=False)
class Waiter:
    """One wait, and what its polls have shown so far.

    Attributes:
        name: the processor.
        condition: what is waited for.
        joined: when the wait began.
        after: the number of the last poll that began before the wait; only later polls count for it.
        status: the status that was seen last.
        starting_since: when the processor was first seen STARTING.
        was_described: whether Describe has shown it.
        observation: the last observation.
        evaluation: what that means for the wait.
        due: when the next poll is due; infinity if only Describe can confirm or explain what a list suggests.
    """

    name: str
    condition: WaitCondition
    joined: float
    after: int
    status: Status | None = None
    starting_since: float | None = None
    was_described: bool = False
    observation: Observation = Observation(status=None)
    evaluation: Evaluation = Evaluation.PENDING
    due: float = -math.inf

    def observe(self, observation: Observation, now: float, random: float) -> Evaluation:
        """Evaluate an observation for this wait, and remember it and when the next poll is due.

        Args:
            observation: what the poll showed.
            now: the time.
            random: a number from 0 to 1, for 25 % of jitter either way.
        """
        status = observation.status
        self.observation, self.evaluation = observation, evaluate(self, observation, now)
        self.was_described |= observation.described
        if status is not None:
            self.status = status
        if status is Status.STARTING and self.starting_since is None:
            self.starting_since = now
        interval = min(max(_SHORTEST_INTERVAL, (now - self.joined) / 2), _LONGEST_INTERVAL)
        self.due = now + interval * (0.75 + random / 2)
        if self.evaluation is Evaluation.NEEDS_DESCRIBE:
            self.due = math.inf
        elif self.may_be_stale(status, now):
            self.due = self.joined + SHOWN_AFTER
        return self.evaluation

    @property
    def has_ended(self) -> bool:
        """Whether the wait is over, with or without its condition."""
        return self.evaluation not in {Evaluation.PENDING, Evaluation.NEEDS_DESCRIBE}

    @property
    def summary(self) -> StreamProcessorSummary:
        """The processor as the last poll showed it; without a status where it was not found."""
        return StreamProcessorSummary(self.name, cast("Status", self.observation.status))

    def may_be_stale(self, status: Status | None, now: float) -> bool:
        """Tell whether a status may be from before the call that the caller made just before the wait."""
        is_young = self.starting_since is None and now < self.joined + SHOWN_AFTER
        return is_young and status in _MAY_BE_STALE.get(self.condition, ())

    def may_be_wrong_kind(self, now: float) -> bool:
        """Tell whether the list shows a slow start that may be a label detection, which never runs."""
        since = self.starting_since
        is_slow = since is not None and now - since >= _SLOW_START
        return is_slow and self.condition is WaitCondition.RUNNING and not self.was_described
