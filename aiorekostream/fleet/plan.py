"""Which request goes next: the fleet's decisions as a state machine over events. Pure.

Events come in by method, decisions go out by ``step``. What it promises:

- never more sessions of a kind than ``slots`` allows, and one start at a time for each processor;
- exactly one outcome for each request, whatever happens to it;
- first come, first served among those that may go, urgent ones before the others; what must wait for a session to end
  (of its kind, or of its own processor) lets the others by;
- nothing is remembered of a request that has its outcome, but its session while that lasts.
"""

from __future__ import annotations

import itertools
import math
from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias, cast

import attrs

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.errors import ProcessorBusyError, RequestCancelledError
from aiorekostream.fleet.agenda import Agenda
from aiorekostream.fleet.outcomes import AlreadyRunning, Expired, Outcome, Started, Unknown, failed, lost, shared
from aiorekostream.fleet.requests import WhenBusy
from aiorekostream.fleet.slots import MARGIN, Hold, Slots
from aiorekostream.fleet.tickets import Stage, Ticket

if TYPE_CHECKING:
    from aiorekostream.domain.requests import StartRequest

__all__ = ["Call", "Decision", "Ended", "Plan", "Recall", "Settle"]


@attrs.frozen
class Call:
    """Make the call for this request now."""

    ticket: Ticket


@attrs.frozen
class Recall:
    """Break off the call for this request, which was not sent: its own time might run out just when it is."""

    ticket: Ticket


@attrs.frozen
class Settle:
    """This is what became of this request; if a call is on the way for it, that one is to be broken off."""

    ticket: Ticket
    outcome: Outcome


@attrs.frozen
class Ended:
    """The session of this processor has ended."""

    name: str


Decision: TypeAlias = Call | Recall | Settle | Ended
"""What is to be done, or told."""

_Followers: TypeAlias = "OrderedDict[Ticket, None]"


@attrs.define
class Plan:
    """Requests that wait, calls on their way, and sessions under way.

    Attributes:
        slots: the sessions under way, and how many there may be.
        max_in_flight: the most calls on their way at once.
        when_busy: what becomes of a request for a busy processor.
        longest: how long somebody else's label detection may last, in seconds.
        patience: how long a call may wait for its first attempt, in seconds.
        memory: for how long it is believed that a session goes on which was seen or begun, in seconds.
        in_flight: how many calls are on their way.
    """

    slots: Slots
    max_in_flight: int
    when_busy: WhenBusy = WhenBusy.WAIT
    longest: float = 120.0
    patience: float = math.inf
    memory: float = 5.0
    in_flight: int = attrs.field(default=0, init=False)
    _unsettled: int = attrs.field(default=0, init=False)
    _leaders: dict[str, Ticket] = attrs.field(factory=dict, init=False)
    _behind: dict[str, _Followers] = attrs.field(factory=dict, init=False)
    _unseen: set[str] = attrs.field(factory=set, init=False)
    _looked_at: float = attrs.field(default=-math.inf, init=False)
    _since: float = attrs.field(default=-math.inf, init=False)
    _lanes: dict[tuple[bool, ProcessorKind | None], Agenda[Ticket]] = attrs.field(factory=dict, init=False)
    _deadlines: Agenda[Ticket] = attrs.field(factory=Agenda[Ticket], init=False)
    _recalls: Agenda[Ticket] = attrs.field(factory=Agenda[Ticket], init=False)
    _rests: Agenda[Ticket] = attrs.field(factory=Agenda[Ticket], init=False)
    _decided: list[Decision] = attrs.field(factory=list, init=False)
    _numbers: Iterator[int] = attrs.field(factory=itertools.count, init=False)

    # ----------------------------------------------------------------------------------------- what happens to requests

    def take(self, ticket: Ticket, now: float) -> None:
        """A request has come."""
        ticket.taken, ticket.number = now, next(self._numbers)
        self._unsettled += 1
        self._deadlines.put(ticket, ticket.deadline)
        if self._may_have_ended(ticket.name, now):
            self._unseen.add(ticket.name)
            self._stand_behind(ticket)
        else:
            self._place(ticket, now)

    def sent(self, ticket: Ticket) -> None:
        """An attempt goes out: from now on it may be carried out."""
        if ticket.stage is Stage.CALLED:
            ticket.stage = Stage.SENT
            self._recalls.strike(ticket)

    def doubted(self, ticket: Ticket) -> None:
        """The answer to an attempt was lost: from now on only the call itself can tell whether it was carried out."""
        self.sent(ticket)
        ticket.doubted = True

    def held_back(self, ticket: Ticket, now: float) -> None:
        """An attempt has failed, and the call waits before it makes another one."""
        self._recalls.strike(ticket)
        if ticket.stage is Stage.SENT:
            ticket.stage = Stage.CALLED
            self._deadlines.put(ticket, now if ticket.is_over else ticket.deadline)

    def finished(self, ticket: Ticket, outcome: Outcome, now: float) -> None:
        """The call has come to its end."""
        self._landed(ticket)
        if ticket.kind is not None:
            self._account_for(ticket, ticket.kind, outcome, now)
        del self._leaders[ticket.name]
        self._settle(ticket, outcome)
        if self.when_busy is WhenBusy.JOIN:
            for follower in list(self._behind.pop(ticket.name, ())):
                self._settle(follower, shared(outcome, follower.request))
        elif ticket.name not in self.slots:
            self._let_follow(ticket.name)

    def again(self, ticket: Ticket, now: float, *, rest: float = 0.0) -> None:
        """The call came to its end without having been carried out, and is to be made again after a rest."""
        self._landed(ticket)
        self.slots.unreserve(ticket.name)
        if rest > 0:
            ticket.stage = Stage.RESTING
            self._rests.put(ticket, now + rest)
        else:
            self._queue(ticket)
        self._deadlines.put(ticket, now if ticket.is_over else ticket.deadline)

    def no_slot(self, ticket: Ticket, now: float) -> None:
        """The service refused the start because too many sessions are under way: it waits for one to end."""
        self.again(ticket, now)
        ticket.tries -= 1
        if ticket.kind is not None:
            self.slots.refused(ticket.kind, now)

    def withdraw(self, ticket: Ticket, now: float) -> None:
        """A request is no longer wanted. One that is under way gets its outcome all the same."""
        if ticket.stage is not Stage.DONE:
            ticket.withdrawn = True
            self._deadlines.put(ticket, now)

    # ----------------------------------------------------------------------------------------- what happens to sessions

    def told_to_stop(self, name: str, now: float, hold: Hold | None = None) -> None:
        """A processor was told to stop, while it had this session or none that was known."""
        if self.slots.held(name) is hold:
            self.slots.ending(name, now)
        leader = self._leaders.get(name)
        if leader is not None and (leader.stage is Stage.SENT or leader.doubted):
            leader.stopped = True  # it may be what was stopped: then it must not be sent again
            if leader.is_over and leader.stage is not Stage.SENT:
                self._deadlines.put(leader, now)

    def adopt(self, name: str, kind: ProcessorKind, now: float) -> None:
        """A processor was found at work."""
        hold = self.slots.held(name)
        if hold is None or (hold.session is None and hold.since <= now):
            self._somebody_s(name, kind, now)

    def ended(self, name: str, hold: Hold) -> None:
        """This session of a processor was seen to be over."""
        if self.slots.held(name) is hold:
            self.slots.release(name)
            self._over(name)

    def looked(self, now: float) -> None:
        """It was looked for ended sessions: those that were not told have not ended, as far as anybody knows."""
        self._looked_at = now
        for name in self._unseen:
            for ticket in list(self._behind.pop(name, ())):
                self._place(ticket, now)
        self._unseen.clear()

    # -------------------------------------------------------------------------------------------------------- decisions

    def step(self, now: float) -> list[Decision]:
        """What is to be done now, and what is to be told of what has happened since the last time."""
        for name in self.slots.lapse(now):
            self._over(name)
        for ticket in self._deadlines.due(now):
            if ticket.stage is not Stage.SENT:
                self._call_off(ticket, now)
        for ticket in self._rests.due(now):
            self._queue(ticket)
        for ticket in self._recalls.due(now):
            self._decided.append(Recall(ticket))
            self.again(ticket, now)
            ticket.tries -= 1
        while self.in_flight < self.max_in_flight and (chosen := self._next()) is not None:
            self._call(chosen, now)
        decided, self._decided = self._decided, []
        return decided

    @property
    def next_moment(self) -> float:
        """When time alone will give ``step`` something to decide; infinity if never."""
        return min(self._deadlines.next, self._recalls.next, self._rests.next, self.slots.next_change)

    @property
    def waits_for_an_end(self) -> bool:
        """Whether a request waits for a session to end."""
        if self._unseen or (self._behind and self.when_busy is WhenBusy.WAIT):
            return True
        return any(lane and kind is not None and not self.slots.room(kind) for (_, kind), lane in self._lanes.items())

    @property
    def waiting(self) -> int:
        """How many requests have neither an outcome nor a call on its way."""
        return self._unsettled - self.in_flight

    # ---------------------------------------------------------------------------------------------------------- details

    def _is_busy(self, hold: Hold | None, now: float) -> bool:
        # Whoever waits wants to be sure; for the others a session that should be over is: the service knows better.
        return hold is not None and (self.when_busy is WhenBusy.WAIT or now < hold.expected)

    def _may_have_ended(self, name: str, now: float) -> bool:
        """Whether a session is to be joined, or refused for, after which nobody has looked lately."""
        hold = self.slots.held(name)
        if hold is None or self.when_busy is WhenBusy.WAIT or name in self._leaders or not self._is_busy(hold, now):
            return False
        return max(hold.since, self._looked_at) < now - self.memory

    def _place(self, ticket: Ticket, now: float) -> None:
        """What becomes of a request, by what its processor has and what is asked of it already."""
        leader, hold = self._leaders.get(ticket.name), self.slots.held(ticket.name)
        if leader is None and not self._is_busy(hold, now):
            self._queue(ticket)
        elif self.when_busy is WhenBusy.REFUSE:
            self._settle(ticket, failed(ticket.request, ProcessorBusyError(name=ticket.name)))
        elif leader is None and hold is not None and hold.session is not None and self.when_busy is WhenBusy.JOIN:
            self._settle(ticket, Started(_start(ticket), hold.session))
        else:
            self._stand_behind(ticket)

    def _stand_behind(self, ticket: Ticket) -> None:
        ticket.stage = Stage.BEHIND
        self._behind.setdefault(ticket.name, OrderedDict())[ticket] = None

    def _queue(self, ticket: Ticket) -> None:
        self._leaders[ticket.name] = ticket
        ticket.stage = Stage.QUEUED
        self._lanes.setdefault((ticket.urgent, ticket.kind), Agenda[Ticket]()).put(ticket, ticket.number)

    def _next(self) -> Ticket | None:
        for hurry in (True, False):
            lanes = [
                lane
                for (urgent, kind), lane in self._lanes.items()
                if urgent is hurry and lane and (kind is None or self.slots.room(kind))
            ]
            if lanes:
                first = min(lanes, key=lambda lane: lane.next)
                return first.due(first.next)[0]
        return None

    def _call(self, ticket: Ticket, now: float) -> None:
        if ticket.kind is not None:
            self.slots.reserve(ticket.name, ticket.kind)
        ticket.stage = Stage.CALLED
        if ticket.since is None:
            # Each has a moment of its own: those of one step keep their order, however often they are made again.
            self._since = ticket.since = max(now, math.nextafter(self._since, math.inf))
        ticket.tries += 1
        self._recalls.put(ticket, now + self.patience)
        self.in_flight += 1
        self._decided.append(Call(ticket))

    def _landed(self, ticket: Ticket) -> None:
        if ticket.stage not in {Stage.CALLED, Stage.SENT}:
            message = f"no call is on its way for a request that {ticket.stage.value}"
            raise RuntimeError(message)
        self.in_flight -= 1
        self._recalls.strike(ticket)

    def _account_for(self, ticket: Ticket, kind: ProcessorKind, outcome: Outcome, now: float) -> None:
        """Keep the slot for a session that there is or may be."""
        match outcome:
            case Started(session=session):
                self.slots.begun(
                    ticket.name,
                    kind,
                    now=now,
                    expected=now + ticket.lasts,
                    latest=now + ticket.lasts + MARGIN,
                    session=session,
                )
            case AlreadyRunning() | Unknown():
                self._somebody_s(ticket.name, kind, now)
            case _:
                self.slots.unreserve(ticket.name)

    def _somebody_s(self, name: str, kind: ProcessorKind, now: float) -> None:
        longest = math.inf if kind is ProcessorKind.FACE_SEARCH else self.longest
        self.slots.begun(name, kind, now=now, expected=now, latest=now + longest + MARGIN)

    def _call_off(self, ticket: Ticket, now: float) -> None:
        """End a request whose time is over and which is not under way."""
        outcome = _called_off(ticket, now)
        if ticket.stage is Stage.BEHIND:
            followers = self._behind[ticket.name]
            del followers[ticket]
            if not followers:
                del self._behind[ticket.name]
                self._unseen.discard(ticket.name)
        else:
            if ticket.stage is Stage.CALLED:
                self._landed(ticket)
                if ticket.kind is not None:
                    self._account_for(ticket, ticket.kind, outcome, now)
            elif ticket.stage is Stage.RESTING:
                self._rests.strike(ticket)
            else:
                self._lanes[ticket.urgent, ticket.kind].strike(ticket)
            del self._leaders[ticket.name]
            if self.when_busy is not WhenBusy.WAIT or ticket.name not in self.slots:
                self._let_follow(ticket.name)
        self._settle(ticket, outcome)

    def _settle(self, ticket: Ticket, outcome: Outcome) -> None:
        ticket.stage = Stage.DONE
        self._deadlines.strike(ticket)
        self._unsettled -= 1
        self._decided.append(Settle(ticket, outcome))

    def _over(self, name: str) -> None:
        self._decided.append(Ended(name))
        if name not in self._leaders:
            self._let_follow(name)

    def _let_follow(self, name: str) -> None:
        """The next request for a processor that is free now joins the queue."""
        followers = self._behind.get(name)
        if followers:
            ticket, _ = followers.popitem(last=False)
            if not followers:
                del self._behind[name]
            self._queue(ticket)


def _called_off(ticket: Ticket, now: float) -> Outcome:
    if ticket.doubted:
        why = "it was withdrawn" if ticket.withdrawn else "it was stopped" if ticket.stopped else "its deadline passed"
        message = f"an answer was lost; nothing was carried out as far as was seen, and {why} before it was sent again"
        return lost(ticket.request, message)
    if ticket.withdrawn:
        return failed(ticket.request, RequestCancelledError(name=ticket.name))
    return Expired(_start(ticket), now - ticket.taken)


def _start(ticket: Ticket) -> StartRequest:
    return cast("StartRequest", ticket.request)  # names to stop neither expire nor have sessions
