"""Whole lives of a plan, drawn by Hypothesis, held against what it promises."""

from __future__ import annotations

import math
from collections import Counter

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.replies import StartedSession
from aiorekostream.domain.requests import FaceSearchStart, StartRequest
from aiorekostream.errors import RequestCancelledError
from aiorekostream.fleet.outcomes import AlreadyRunning, Expired, Failed, Outcome, Started, Unknown
from aiorekostream.fleet.plan import Call, Ended, Plan, Recall, Settle
from aiorekostream.fleet.requests import WhenBusy
from aiorekostream.fleet.slots import MARGIN, Hold, Slots
from aiorekostream.fleet.tickets import Stage, Ticket
from tests.fleet.service import label

LABELS = ["a", "b", "c", "d", "e"]
FACES = ["x", "y", "z"]
SECONDS = st.one_of(st.sampled_from([0.0, 0.5, 5.0, 30.0]), st.floats(0, 60))
FATES = ["started", "failed", "unknown", "again", "again later", "no slot"]
PICK = st.integers(0, 10**6)


class Lives(RuleBasedStateMachine):
    """The model knows the real sessions: when each began, and when it truly ends."""

    @initialize(
        policy=st.sampled_from(WhenBusy),
        in_flight=st.integers(1, 4),
        label_limit=st.integers(1, 3),
        face_limit=st.integers(1, 2),
        patience=st.sampled_from([7.0, math.inf]),
    )
    def begin(self, policy: WhenBusy, in_flight: int, label_limit: int, face_limit: int, patience: float) -> None:
        self.limits = {ProcessorKind.LABEL_DETECTION: label_limit, ProcessorKind.FACE_SEARCH: face_limit}
        self.plan = Plan(Slots(self.limits), in_flight, policy, patience=patience)
        self.now = 0.0
        self.tickets: list[Ticket] = []
        self.outcomes: dict[Ticket, Outcome] = {}
        self.calls: list[Ticket] = []
        self.real: dict[str, tuple[ProcessorKind, float]] = {}
        self.attempted: set[Ticket] = set()
        self.seen: dict[str, Hold] = {}

    # ------------------------------------------------------------------------------------------------------ the world

    def at_work(self) -> dict[str, tuple[ProcessorKind, float]]:
        return {name: (kind, end) for name, (kind, end) in self.real.items() if end > self.now}

    def step(self) -> None:
        for decision in self.plan.step(self.now):
            match decision:
                case Call(ticket):
                    assert ticket.stage is not Stage.DONE
                    assert ticket not in self.calls
                    assert ticket.deadline > self.now, "sent although it is worth nothing"
                    assert ticket.name not in {other.name for other in self.calls}, "two starts of one processor"
                    self.calls.append(ticket)
                    self.attempted.discard(ticket)
                case Settle(ticket, outcome):
                    assert ticket not in self.outcomes, "two outcomes"
                    assert outcome.request == ticket.request
                    if ticket.doubted:
                        assert not isinstance(outcome, Expired), "it may have been carried out"
                        withdrawn = isinstance(outcome, Failed) and isinstance(outcome.error, RequestCancelledError)
                        assert not withdrawn, "it may have been carried out"
                    self.outcomes[ticket] = outcome
                    if ticket in self.calls:
                        self.calls.remove(ticket)
                case Recall(ticket):
                    assert ticket not in self.attempted, "it may be carried out"
                    self.calls.remove(ticket)
                case Ended():
                    pass

    @rule(
        name=st.sampled_from(LABELS + FACES),
        seconds=st.integers(1, 60),
        within=st.one_of(st.just(math.inf), SECONDS),
        urgent=st.booleans(),
    )
    def request(self, name: str, seconds: int, within: float, *, urgent: bool) -> None:
        is_label = name in LABELS
        request: StartRequest = label(name, seconds) if is_label else FaceSearchStart(name)
        ticket = Ticket(
            request,
            name,
            kind=request.kind,
            lasts=seconds if is_label else math.inf,
            deadline=self.now + within,
            urgent=urgent,
        )
        self.tickets.append(ticket)
        self.plan.take(ticket, self.now)
        self.step()

    @precondition(lambda self: self.calls)
    @rule(pick=PICK)
    def an_attempt_goes_out(self, pick: int) -> None:
        ticket = self.calls[pick % len(self.calls)]
        self.plan.sent(ticket)
        self.attempted.add(ticket)
        self.step()

    @precondition(lambda self: any(it.stage is Stage.SENT for it in self.calls))
    @rule(pick=PICK)
    def an_attempt_is_throttled(self, pick: int) -> None:
        sent = [it for it in self.calls if it.stage is Stage.SENT]
        self.plan.held_back(sent[pick % len(sent)], self.now)
        self.step()

    @precondition(lambda self: any(it.stage is Stage.SENT for it in self.calls))
    @rule(pick=PICK, share=st.floats(0.1, 1), carried_out=st.booleans(), seems_so=st.booleans())
    def an_answer_is_lost(self, pick: int, share: float, *, carried_out: bool, seems_so: bool) -> None:
        sent = [it for it in self.calls if it.stage is Stage.SENT]
        ticket = sent[pick % len(sent)]
        assert ticket.kind is not None
        self.plan.doubted(ticket)
        if carried_out and ticket.name not in self.at_work():
            self.real[ticket.name] = ticket.kind, self.now + ticket.lasts * share
        if not seems_so:
            self.plan.held_back(ticket, self.now)
        self.step()

    @precondition(lambda self: self.calls)
    @rule(pick=PICK, fate=st.sampled_from(FATES), share=st.floats(0.1, 1))
    def a_call_ends(self, pick: int, fate: str, share: float) -> None:
        ticket = self.calls.pop(pick % len(self.calls))
        self.plan.sent(ticket)
        kind = ticket.kind
        assert kind is not None
        request = ticket.request
        assert not isinstance(request, str)
        session = StartedSession(f"session-{len(self.outcomes)}")
        end = self.now + ticket.lasts * share + (MARGIN - 0.001 if share == 1 else 0)
        if ticket.name in self.at_work():
            found = Unknown(request, RuntimeError()) if ticket.doubted else AlreadyRunning(request)
            self.plan.finished(ticket, found, self.now)
        elif fate == "started":
            self.real[ticket.name] = kind, end
            self.plan.finished(ticket, Started(request, session), self.now)
        elif fate == "unknown":
            self.real[ticket.name] = kind, end
            self.plan.finished(ticket, Unknown(request, RuntimeError()), self.now)
        elif fate == "failed":
            self.plan.finished(ticket, Failed(request, RuntimeError()), self.now)
        elif fate == "again":
            self.plan.again(ticket, self.now)
        elif fate == "again later":
            self.plan.again(ticket, self.now, rest=share * 100)
        else:
            self.plan.no_slot(ticket, self.now)
        self.step()

    @rule(name=st.sampled_from(LABELS + FACES))
    def somebody_stops_a_processor(self, name: str) -> None:
        if name in self.at_work():
            kind, _ = self.real[name]
            self.real[name] = kind, min(self.real[name][1], self.now + 1)
        self.plan.told_to_stop(name, self.now, self.plan.slots.held(name))
        self.step()

    @rule()
    def look_for_ends(self) -> None:
        self.a_look_begins()
        self.a_look_is_answered()

    @rule()
    def a_look_begins(self) -> None:
        begun = self.plan.slots.begun_before(self.now)
        self.seen = {name: hold for name, hold in begun.items() if name not in self.at_work()}

    @rule()
    def a_look_is_answered(self) -> None:
        for name, hold in self.seen.items():
            self.plan.ended(name, hold)
        self.plan.looked(self.now)
        self.step()

    @rule()
    def stock_is_taken(self) -> None:
        for name, (kind, _) in self.at_work().items():
            self.plan.adopt(name, kind, self.now)
        self.step()

    @precondition(lambda self: len(self.outcomes) < len(self.tickets))
    @rule(pick=PICK)
    def withdraw(self, pick: int) -> None:
        left = [it for it in self.tickets if it not in self.outcomes]
        self.plan.withdraw(left[pick % len(left)], self.now)
        self.step()

    @rule(seconds=SECONDS)
    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        for _ in range(1000):
            if self.plan.next_moment > end:
                break
            self.now = max(self.now, self.plan.next_moment)
            self.step()
        else:
            raise AssertionError("time alone keeps it busy")
        self.now = end

    # ------------------------------------------------------------------------------------------------------- promises

    @invariant()
    def no_kind_has_more_sessions_than_it_may(self) -> None:
        busy = {name: kind for name, (kind, _) in self.at_work().items()}
        busy |= {ticket.name: ticket.kind for ticket in self.calls if ticket.kind is not None}
        for kind, limit in self.limits.items():
            assert Counter(busy.values())[kind] <= limit
            assert self.plan.slots.count(kind) <= limit

    @invariant()
    def no_more_calls_are_on_their_way_than_may_be(self) -> None:
        assert self.plan.in_flight == len(self.calls) <= self.plan.max_in_flight
        assert self.plan.waiting == len(self.tickets) - len(self.outcomes) - len(self.calls)

    @invariant()
    def what_can_go_goes(self) -> None:
        if self.plan.in_flight < self.plan.max_in_flight:
            for (_, kind), lane in self.plan._lanes.items():
                assert not lane or (kind is not None and not self.plan.slots.room(kind)), "it could go and does not"

    @invariant()
    def whoever_stands_behind_has_somebody_before(self) -> None:
        for name, followers in self.plan._behind.items():
            assert followers
            is_awaited = self.plan.when_busy is WhenBusy.WAIT and name in self.plan.slots
            assert name in self.plan._leaders or is_awaited or name in self.plan._unseen

    @invariant()
    def nothing_is_remembered_of_what_is_settled(self) -> None:
        left = len(self.tickets) - len(self.outcomes)
        assert len(self.plan._leaders) + sum(map(len, self.plan._behind.values())) == left
        assert len(self.plan._deadlines) <= left
        assert len(self.plan.slots) <= len(LABELS) + len(FACES)

    def teardown(self) -> None:
        """Let everything that waits come to its end: nobody starves."""
        if not hasattr(self, "plan"):
            return
        for _ in range(10 * len(self.tickets) + 100):
            if len(self.outcomes) == len(self.tickets):
                break
            for ticket in list(self.calls):
                if ticket in self.calls:
                    self.calls.remove(ticket)
                    self.plan.sent(ticket)
                    request = ticket.request
                    assert not isinstance(request, str)
                    self.plan.finished(ticket, Failed(request, RuntimeError()), self.now)
                    self.step()
            self.real = {}
            self.wait(6.0)
            self.look_for_ends()
        assert len(self.outcomes) == len(self.tickets), "a request has no outcome"
        for ticket, outcome in self.outcomes.items():
            if isinstance(outcome, Expired):
                assert ticket.taken + outcome.waited >= ticket.deadline
        self.real = {}
        self.wait(200.0)
        self.look_for_ends()
        assert len(self.plan.slots) == 0
        assert not self.plan.waits_for_an_end


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
