"""When the next call under one quota may be made, and what the service's answers teach about the quota.

A pacer begins with the quota that it believes in: a bucket that holds ``burst`` calls and gains ``rate`` a second.
While the service agrees, calls go out at just that speed. A refusal says that the bucket there was empty at that
moment, so what was let through since the last refusal, divided by the time since, *is* the rate; the pacer goes on a
little below it, and then feels its way up again, slowly at first and then faster, until it is refused or back at what
it believed. The first refusal after a rest is another matter where it bears the rate out: then the burst was spent a
little early, and nothing else was wrong.

Pure: it is told the time and never waits; ``gate`` does that.
"""

from __future__ import annotations

from collections import deque

import attrs

__all__ = ["Pacer", "Ticket"]

# A call may overtake another on the way, so the service may see two of them closer together than they were sent: most
# of all at first, when each call must wait for a connection to come about until the first of these is free again. One
# call and a tenth less than the burst leave room for that; where the burst is one call, a slightly lower rate does.
_ROOM = 0.9
_SINGLE_FILE = 0.975
_PAIR = 2

# The believed rate is borne out where at least this share of it was measured: the call came early by a little. A single
# call need not wait for a whole turn then; so much of one is left to it.
_BORNE_OUT = 0.9
_NEARLY = 0.9

# The burst is sent somewhat faster than the rate and not at once, so that a refusal stops the rest of it.
_SPURT = 3.0

# Going on after a refusal: a little below the measured rate, then up by a share of it each second, and, faster and
# faster, by a share of the rate that was believed: a quota that others have left is found again within half a minute.
_STEP_BACK = 0.97
_CLIMB = 0.01
_LEAP = 0.001

# So many calls could have been made and were not before it is said that less was asked for than the quota allows.
_SPILT = 1.0

# How many calls' worth of weight the rate that was believed so far has against a new measurement.
_WEIGHT = 3.0
# It never comes down to less than this share of the rate that was believed.
_LEAST_SHARE = 0.01

# So many of the calls that were let through last are known by number, to tell which have overtaken others.
_KNOWN = 100

_ROUNDING = 1e-6


@attrs.frozen
class Ticket:
    """One call that was made: its number, from 1, and when."""

    number: int
    at: float


@attrs.define
class Pacer:
    """The pace of one operation, in one Region of one account.

    Attributes:
        rate: calls a second that the quota is believed to allow; more than 0.
        burst: calls at once, after a rest, that it is believed to allow; less than 1 counts as 1.
    """

    rate: float
    burst: float
    _measured: float | None = attrs.field(default=None, init=False)
    _refused_at: float = attrs.field(default=0.0, init=False)
    _tokens: float = attrs.field(default=0.0, init=False)
    _counted_at: float | None = attrs.field(default=None, init=False)
    _last_at: float = attrs.field(default=float("-inf"), init=False)
    _number: int = attrs.field(default=0, init=False)
    _heard: int = attrs.field(default=0, init=False)
    # What is measured: calls after this one, since that moment, and whether the bucket there was full then.
    _first: int = attrs.field(default=0, init=False)
    _since: float = attrs.field(default=0.0, init=False)
    _rested: bool = attrs.field(default=True, init=False)
    _spilt: float = attrs.field(default=_SPILT, init=False)
    _returned: int = attrs.field(default=0, init=False)
    _passed: deque[int] = attrs.field(factory=lambda: deque[int](maxlen=_KNOWN), init=False)

    def rate_at(self, now: float) -> float:
        """Calls a second that are made at that moment."""
        ceiling = self.rate * (_SINGLE_FILE if self.burst < _PAIR else 1.0)
        if self._measured is None:
            return ceiling
        passed = max(0.0, now - self._refused_at)
        climbed = self._measured * (_STEP_BACK + _CLIMB * passed) + self.rate * _LEAP * passed * passed
        return min(ceiling, climbed)

    def ready_at(self, now: float, *, spread: bool = True) -> float:
        """The earliest moment at which the next call may be made; not before ``now``.

        Args:
            now: the time.
            spread: whether a burst is spread out a little, so that a refusal stops the rest of it.
        """
        self._count(now)
        spurt = self._last_at + 1 / (_SPURT * self.rate) if spread else now
        # What is missing of a call by rounding alone would never come: it is less than any clock can tell.
        wanting = 1 - self._tokens
        return max(now, spurt, now + wanting / self.rate_at(now) if wanting > _ROUNDING else now)

    def take(self, now: float) -> Ticket:
        """Make a call; the caller has waited for ``ready_at``."""
        self._count(now)
        if self._spilt >= _SPILT:
            # Less was asked for than would have been let through: what was let through says nothing about the rate.
            self._measure_from(now, rested=True)
        self._tokens -= 1
        self._last_at = now
        self._number += 1
        return Ticket(self._number, now)

    def passed(self, ticket: Ticket) -> None:
        """The service let this call through."""
        self._passed.append(ticket.number)

    def refused(self, ticket: Ticket, now: float) -> None:
        """The service said that this call came too fast."""
        self._count(now)
        if ticket.number <= self._heard:
            return  # sent before the last refusal was heard: the same news
        took = max(ticket.at - self._since, 1e-6)
        overtook = sum(number > ticket.number for number in self._passed)
        let_through = max(0, ticket.number - 1 - self._first - self._returned) + overtook
        if self._rested:
            # The bucket there was full when this began, and is as much smaller as its rate is lower, as a first guess.
            measured = (let_through + 1) / (max(1.0, self.burst) / self.rate + took)
        else:
            measured = (let_through + _WEIGHT) / (took + _WEIGHT / (self._measured or self.rate))
        is_borne_out = let_through > 0 and measured >= self.rate * _BORNE_OUT
        is_believed = self._rested and is_borne_out
        self._measured = None if is_believed else min(self.rate, max(measured, self.rate * _LEAST_SHARE))
        self._refused_at = now
        self._heard = self._number
        self._measure_from(now, rested=False)
        self._tokens = _NEARLY if is_borne_out and self.burst < _PAIR else min(self._tokens, 0.0)

    def returned(self, ticket: Ticket) -> None:
        """The call was not made after all."""
        self._tokens = min(self._tokens + 1, self._depth(self._counted_at or ticket.at))
        if ticket.number > self._first:
            self._returned += 1

    def believe(self, rate: float, burst: float) -> None:
        """Go on with another quota; what was spent and what was learnt stays."""
        self.rate, self.burst = rate, burst

    def _depth(self, now: float) -> float:
        return max(1.0, _ROOM * self.burst * self.rate_at(now) / self.rate - 1)

    def _measure_from(self, now: float, *, rested: bool) -> None:
        self._since, self._first, self._rested, self._spilt, self._returned = now, self._number, rested, 0.0, 0
        self._passed.clear()

    def _count(self, now: float) -> None:
        depth = self._depth(now)
        if self._counted_at is None:
            self._tokens, self._counted_at = depth, now
        level = self._tokens + max(0.0, now - self._counted_at) * self.rate_at(now)
        self._spilt += max(0.0, level - depth)
        self._tokens = min(level, depth)
        self._counted_at = max(now, self._counted_at)
