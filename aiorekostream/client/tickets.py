"""One wait: what it has seen so far, when it is to be looked at again, and how it ended. Pure."""

from __future__ import annotations

import math

import attrs

from aiorekostream.client.goals import Goal, Sight, Verdict, judge
from aiorekostream.domain.status import Status

__all__ = ["Ending", "Ticket", "interval"]

_QUICKEST = 0.5
_SLOWEST = 5.0
# A processor that was created just now may take a while to be found.
_GRACE = 5.0
# A face search was seen to start in two seconds.
_DOUBTFUL = 10.0
# Describe and the list may show for a while what was before the call after which somebody waits.
_SETTLED = 1.0
# What may have been before that.
_LEFT = frozenset(
    {
        (Goal.FINISHED, Status.STOPPED),
        (Goal.FINISHED, Status.FAILED),
        (Goal.RUNNING, Status.FAILED),
        (Goal.SETTLED, Status.RUNNING),
    }
)


def interval(age: float, random: float) -> float:
    """Seconds until a wait of this age is looked at again: from half a second up to five, a quarter more or less."""
    return min(max(_QUICKEST, age / 2), _SLOWEST) * (0.75 + random / 2)


@attrs.define(eq=False, kw_only=True)
class Ticket:
    """One wait.

    Attributes:
        name: the processor.
        goal: what is waited for.
        turn: its number among looks and waits.
        joined: when it began.
        due: when it is to be looked at.
        status: what was seen last.
        starting_since: when it was first seen STARTING.
        described: when it was described last; minus infinity if it never was.
        misses: looks in a row that did not find it.
        is_unsure: whether what was seen last may be of the time before the wait.
    """

    name: str
    goal: Goal
    turn: int
    joined: float
    due: float
    status: Status | None = None
    starting_since: float | None = None
    described: float = -math.inf
    misses: int = 0
    is_unsure: bool = False

    def judge(self, sight: Sight, now: float) -> Verdict:
        """What a look means for this wait; it is remembered."""
        if sight.status is None:
            self.misses += 1
            if not sight.is_sure and self.misses == 1:
                return Verdict.WAIT
        verdict = judge(
            self.goal,
            sight,
            was_seen=self.status is not None,
            was_starting=self.starting_since is not None,
            is_new=now - self.joined < _GRACE,
            was_ending=self.status is Status.STOPPING,
        )
        self.is_unsure = verdict is not Verdict.UNSUITED and self._may_be_old(sight, now)
        if self.is_unsure:
            verdict = Verdict.WAIT
        if sight.is_close:
            self.described = now
        if sight.status is not None:
            self.status, self.misses = sight.status, 0
        if sight.status is Status.STARTING and self.starting_since is None:
            self.starting_since = now
        return verdict

    def rest(self, now: float, random: float) -> None:
        """Put the next look off; one at what may be old waits until it cannot be."""
        moment = now + interval(now - self.joined, random)
        self.due = max(moment, self.joined + _SETTLED) if self.is_unsure else moment

    def _may_be_old(self, sight: Sight, now: float) -> bool:
        was_working = self.starting_since is not None
        return (self.goal, sight.status) in _LEFT and not was_working and now < self.joined + _SETTLED

    def is_doubtful(self, now: float) -> bool:
        """Whether it waits for a label detection to run, perhaps."""
        since, was_described = self.starting_since, self.described > -math.inf
        return self.goal is Goal.RUNNING and not was_described and since is not None and now - since >= _DOUBTFUL


@attrs.frozen
class Ending:
    """A wait that is over, and why."""

    ticket: Ticket
    verdict: Verdict
    sight: Sight
