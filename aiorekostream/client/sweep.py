"""Whom to look at, when and how, for everybody who waits: a pure state machine.

A few names are described one by one; many share a sweep over the list, whoever waits for whichever of them, and only
what a list cannot tell is described. It is told what was seen and answers whose wait is over. It never awaits, reads a
clock or rolls dice.

Looks and waits are numbered in the order in which they begin, and a look counts only for the waits that began before
it: what it showed may be older than the others.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from aiorekostream.client.goals import Sight, Verdict
from aiorekostream.client.tickets import Ending, Ticket
from aiorekostream.errors import AccessDeniedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiorekostream.client.goals import Goal
    from aiorekostream.domain.replies import StreamProcessorSummary

__all__ = ["Looks", "Watch", "are_few"]

_AFTER_LOSS = 2.0
# Watching leaves at least half of each quota to the rest of the program.
_SHARE = 0.5
# A list does not tell a label detection, which is STARTING as long as it works, from a face search that starts slowly.
# Those in doubt are described, a few with each sweep.
_DOUBTS_PER_PAGE = 2
_MOST_DESCRIBED_AT_ONCE = 20


def are_few(names: int, *, pages: int, describe_rate: float, list_rate: float) -> bool:
    """Whether describing so many names takes no more of its quota's time than a sweep takes of its own.

    Args:
        names: how many are to be looked at.
        pages: how many pages the list has.
        describe_rate: calls of Describe a second.
        list_rate: calls of List a second.
    """
    return names / describe_rate <= pages / list_rate


@attrs.frozen(kw_only=True)
class Looks:
    """What to look at now.

    Attributes:
        turn: the number of these looks.
        describe: names to describe.
        sweep: whether to read the whole list.
        again: when to ask for more looks, if nothing happens before.
    """

    turn: int
    describe: tuple[str, ...]
    sweep: bool
    again: float


@attrs.define(eq=False)
class Watch:
    """Everybody who waits.

    Attributes:
        describe_rate: calls of Describe a second.
        list_rate: calls of List a second.
        pages: how many pages the list had when it was read last.
        may_list: whether the list may be read; if not, everything is described.
    """

    describe_rate: float
    list_rate: float
    pages: int = 1
    may_list: bool = True
    _turns: Iterator[int] = attrs.field(factory=itertools.count, init=False)
    _tickets: dict[str, set[Ticket]] = attrs.field(factory=dict, init=False)
    _closer: dict[str, float] = attrs.field(factory=dict, init=False)
    _denied: dict[str, AccessDeniedError] = attrs.field(factory=dict, init=False)
    _has_listed: bool = attrs.field(default=False, init=False)
    _looking: dict[str, int] = attrs.field(factory=dict, init=False)
    _sweeping: int | None = attrs.field(default=None, init=False)
    _met: set[str] = attrs.field(factory=set, init=False)
    _earliest: float = attrs.field(default=math.inf, init=False)
    _next_sweep: float = attrs.field(default=-math.inf, init=False)

    def join(self, name: str, goal: Goal, now: float) -> Ticket:
        """Begin a wait."""
        ticket = Ticket(name=name, goal=goal, turn=self.turn(), joined=now, due=now)
        self._tickets.setdefault(name, set()).add(ticket)
        self._earliest = min(self._earliest, now)
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """End a wait; a second time does nothing."""
        tickets = self._tickets.get(ticket.name, set())
        tickets.discard(ticket)
        if not tickets:
            self._tickets.pop(ticket.name, None)
            self._closer.pop(ticket.name, None)

    def tickets(self, name: str | None = None) -> tuple[Ticket, ...]:
        """The waits for one processor, or all of them."""
        if name is not None:
            return tuple(self._tickets.get(name, ()))
        return tuple(itertools.chain.from_iterable(self._tickets.values()))

    def turn(self) -> int:
        """The next number."""
        return next(self._turns)

    def looks(self, now: float) -> Looks:
        """What to look at now; it counts as under way until its result is told."""
        room = _MOST_DESCRIBED_AT_ONCE - len(self._looking)
        due: dict[str, float] = {}
        earliest = self._earliest
        if self._are_few():
            # The share of the quota is that of those who are there now: whoever has left makes room.
            pause = len(self._tickets) / (self.describe_rate * _SHARE)
            for name, tickets in self._tickets.items():
                due[name] = min(max(ticket.due, ticket.described + pause) for ticket in tickets)
            # What may not be described is looked for in the list all the same.
            denied = self._denied.keys() & due.keys() if self.may_list else set[str]()
            earliest = min((due.pop(name) for name in denied), default=math.inf)
        next_sweep = max(earliest, self._next_sweep) if self._sweeping is None else math.inf
        for name, moment in self._closer.items():
            due[name] = min(due.get(name, math.inf), moment)
        idle = {name: moment for name, moment in due.items() if name not in self._looking}
        names = [name for name, moment in idle.items() if moment <= now]
        again = min((moment for moment in (*idle.values(), next_sweep) if moment > now), default=math.inf)
        chosen, turn, is_due = tuple(names[:room]), self.turn(), next_sweep <= now
        self._looking |= dict.fromkeys(chosen, turn)
        if is_due:
            self._sweeping, self._met = turn, set()
            self._next_sweep = now + self.pages / (self.list_rate * _SHARE)
        return Looks(turn=turn, describe=chosen, sweep=is_due, again=again)

    def drop_looks(self) -> None:
        """Tell that whatever is under way will have no result."""
        self._looking.clear()
        self._denied.clear()
        self._sweeping = None

    def described(self, name: str, turn: int, sight: Sight, *, now: float, random: float) -> list[Ending]:
        """Tell what a Describe showed; whose wait is over?"""
        self._over(name, turn)
        self._closer.pop(name, None)
        endings = list(self._judged(name, turn, sight, now))
        for ticket in self.tickets(name):
            if ticket.turn < turn:
                ticket.rest(now, random)
        return endings

    def describe_lost(self, name: str, turn: int, now: float) -> None:
        """Tell that a Describe of this turn had no result."""
        if not self._over(name, turn):
            return
        if name in self._closer:
            self._closer[name] = now + _AFTER_LOSS
        for ticket in self.tickets(name):
            ticket.due = now + _AFTER_LOSS

    def describe_denied(self, name: str, turn: int, denial: AccessDeniedError, now: float) -> bool:
        """Tell that the service refuses to describe a processor.

        Returns:
            Whether the list will do; it is known to where it has been read.
        """
        will_do = self.may_list and self._has_listed
        if will_do:
            self._over(name, turn)
            self._closer.pop(name, None)
            self._denied[name] = denial
            self._earliest = now
            for ticket in self.tickets(name):
                ticket.due = now
        return will_do

    def listed(self, entries: Iterable[StreamProcessorSummary], turn: int, now: float) -> list[Ending]:
        """Tell what a page of the sweep showed, which was asked for at this turn; whose wait is over?"""
        self._has_listed = True
        endings: list[Ending] = []
        for entry in entries:
            if entry.name in self._tickets:
                self._met.add(entry.name)
                endings += self._judged(entry.name, turn, Sight(status=entry.status), now)
        return endings

    def swept(self, turn: int, pages: int, *, now: float, random: float) -> list[Ending]:
        """Tell that the sweep of this turn has read all pages; whose wait is over?"""
        endings: list[Ending] = []
        if turn != self._sweeping:
            return endings
        self._sweeping, self.pages = None, pages
        # A list that changes while its pages are read may skip an entry.
        absent = Sight(status=None, is_sure=pages == 1)
        for name in [name for name in self._tickets if name not in self._met]:
            endings += self._judged(name, turn, absent, now)
        self._schedule(turn, now, random)
        return endings

    def sweep_lost(self, turn: int, now: float) -> None:
        """Tell that the sweep of this turn broke off."""
        if turn != self._sweeping:
            return
        self._sweeping = None
        self._next_sweep = max(self._next_sweep, now + _AFTER_LOSS)

    def _over(self, name: str, turn: int) -> bool:
        """End a look, unless it was dropped and another one at this name may be under way."""
        is_under_way = self._looking.get(name) == turn
        if is_under_way:
            del self._looking[name]
        return is_under_way

    def _are_few(self) -> bool:
        return not self.may_list or are_few(
            len(self._tickets), pages=self.pages, describe_rate=self.describe_rate, list_rate=self.list_rate
        )

    def _judged(self, name: str, turn: int, sight: Sight, now: float) -> Iterator[Ending]:
        if not sight.is_close and name in self._denied:
            sight = attrs.evolve(sight, is_close=True, denial=self._denied[name])
        for ticket in self.tickets(name):
            if ticket.turn > turn:
                continue
            verdict = ticket.judge(sight, now)
            if verdict is Verdict.LOOK_CLOSER:
                self._closer[name] = now
            elif verdict is not Verdict.WAIT:
                self.leave(ticket)
                yield Ending(ticket, verdict, sight)

    def _schedule(self, turn: int, now: float, random: float) -> None:
        doubts = self.pages * _DOUBTS_PER_PAGE
        self._earliest = math.inf
        for tickets in self._tickets.values():
            for ticket in tickets:
                if ticket.turn < turn:
                    ticket.rest(now, random)
                if doubts and ticket.is_doubtful(now) and ticket.name not in self._closer:
                    self._closer[ticket.name] = now
                    doubts -= 1
                self._earliest = min(self._earliest, ticket.due)
