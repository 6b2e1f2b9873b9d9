"""The poll planner in a world that changes while a poll is in flight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from aiorekostream.client.poll_planner import DescribePoll, Idle, ListPoll, PollPlanner
from aiorekostream.client.wait_conditions import Evaluation, Observation, WaitCondition, Waiter
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.responses import StreamProcessorPage, StreamProcessorSummary
from aiorekostream.domain.status import Status
from aiorekostream.errors import AccessDeniedError, ResourceNotFoundError
from tests.effort import examples

if TYPE_CHECKING:
    from collections.abc import Iterable

_NOT_FOUND = ResourceNotFoundError("?", operation="D", code="ResourceNotFoundException", http_status=400)
_DENIED = AccessDeniedError("?", operation="D", code="AccessDeniedException", http_status=400)


@attrs.frozen
class _InFlight:
    """A poll, what the service had in store when it began, and the step at which that was."""

    poll: DescribePoll | ListPoll
    world: dict[str, tuple[Status, ProcessorKind]]
    step: int

    def describe(self, name: str) -> Observation:
        if name not in self.world:
            return Observation(status=None, described=True, error=_NOT_FOUND)
        status, kind = self.world[name]
        return Observation(status=status, kind=kind, described=True)


class ChangingWorld(RuleBasedStateMachine):
    """Polls begin and are answered, lost or refused; lists leave out entries; the world changes meanwhile."""

    names = st.sampled_from([f"camera-{n}" for n in range(9)])

    def __init__(self) -> None:
        super().__init__()
        self.planner = PollPlanner(20, 5)
        self.now = 0.0
        self.step = 0
        self.world: dict[str, tuple[Status, ProcessorKind]] = {}
        self.joined: dict[Waiter, int] = {}
        self.in_flight: _InFlight | None = None
        self.page = 0
        self.denied: set[str] = set()

    @rule(name=names, condition=st.sampled_from(WaitCondition))
    def wait_begins(self, name: str, condition: WaitCondition) -> None:
        self.joined[self.planner.join(name, condition, self.now)] = self.step

    @precondition(lambda self: self.joined)
    @rule(data=st.data())
    def wait_is_given_up(self, data: st.DataObject) -> None:
        waiter = data.draw(st.sampled_from(list(self.joined)))
        self.planner.leave(waiter)
        del self.joined[waiter]

    @rule(name=names, status=st.sampled_from(Status), kind=st.sampled_from(ProcessorKind))
    def processor_changes(self, name: str, status: Status, kind: ProcessorKind) -> None:
        self.step += 1
        self.world[name] = (status, self.world.get(name, (status, kind))[1])

    @rule(name=names)
    def processor_is_deleted(self, name: str) -> None:
        self.step += 1
        self.world.pop(name, None)

    @rule(seconds=st.floats(0, 10))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.in_flight is None)
    @rule()
    def poll_begins(self) -> None:
        poll = self.planner.next_poll(self.now)
        if isinstance(poll, Idle):
            assert poll.until > self.now
            return
        if isinstance(poll, DescribePoll):
            assert poll.name in {waiter.name for waiter in self.joined}
        self.step += 1
        self.in_flight = _InFlight(poll, dict(self.world), self.step)

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data(), random=st.floats(0, 1))
    def poll_is_answered(self, data: st.DataObject, random: float) -> None:
        assert self.in_flight is not None
        seen, self.in_flight = self.in_flight, None
        if isinstance(seen.poll, DescribePoll):
            observation = seen.describe(seen.poll.name)
            results = self.planner.described(seen.poll, observation, now=self.now, random=random)
        else:
            left_out = data.draw(st.sets(self.names))
            token = f"page-{self.page}" if data.draw(st.booleans()) else None
            results = self._listed(seen, left_out, token, random)
        self._end(results, seen)

    @precondition(lambda self: self.in_flight)
    @rule()
    def poll_is_lost(self) -> None:
        assert self.in_flight is not None
        self.planner.lost(self.in_flight.poll, self.now)
        self.in_flight = None

    @precondition(lambda self: self.in_flight and isinstance(self.in_flight.poll, DescribePoll))
    @rule()
    def describe_is_denied(self) -> None:
        seen, self.in_flight = self.in_flight, None
        assert seen is not None
        assert isinstance(seen.poll, DescribePoll)
        self.denied.add(seen.poll.name)
        refusal = Observation(status=None, described=True, error=_DENIED)
        assert self.planner.described(seen.poll, refusal, now=self.now, random=0.5) == []

    @invariant()
    def planner_knows_every_wait(self) -> None:
        waiters = self.planner.waiters()
        assert len(waiters) == len(self.joined)
        assert set(waiters) == self.joined.keys()

    def teardown(self) -> None:
        """Once the world stands still, every wait that can end does so within a minute."""
        for _ in range(600):
            if self.in_flight is None:
                self.poll_begins()
            seen, self.in_flight = self.in_flight, None
            if seen is None:
                self.now += 0.5
            elif isinstance(seen.poll, DescribePoll):
                observation = seen.describe(seen.poll.name)
                self._end(self.planner.described(seen.poll, observation, now=self.now, random=0.5), seen)
            else:
                self._end(self._listed(seen, set(), None, 0.5), seen)
        is_few = len({each.name for each in self.joined}) / 20 <= self.planner.pages / 5
        for waiter in self.joined:
            status, kind = self.world.get(waiter.name, (None, None))
            # A list does not show the kind; among many, it is described only for a start that seems slow.
            is_slow_start = waiter.condition is WaitCondition.RUNNING and status is Status.STARTING
            can_describe = waiter.name not in self.denied
            kind = kind if can_describe and (is_few or (is_slow_start and not waiter.was_described)) else None
            error = _NOT_FOUND if status is None else None
            observation = Observation(status=status, kind=kind, described=True, error=error)
            assert waiter.observe(observation, self.now, 0.5) is Evaluation.PENDING

    def _listed(self, seen: _InFlight, left_out: set[str], token: str | None, random: float) -> list[Waiter]:
        assert isinstance(seen.poll, ListPoll)
        self.page += 1
        entries = tuple(
            StreamProcessorSummary(name, status) for name, (status, _) in seen.world.items() if name not in left_out
        )
        page = StreamProcessorPage(entries, token)
        return self.planner.listed(seen.poll, page, now=self.now, random=random)

    def _end(self, results: Iterable[Waiter], seen: _InFlight) -> None:
        for result in results:
            name, is_denied = result.name, isinstance(result.observation.error, AccessDeniedError)
            assert self.joined.pop(result) < seen.step
            assert result.observation.status == seen.world.get(name, (None, None))[0] or (
                # A list may leave out what exists; where Describe is denied, that refuses the wait.
                result.evaluation is Evaluation.REFUSED and is_denied
            )
            if result.observation.status is None and not is_denied:
                assert isinstance(seen.poll, DescribePoll)
            assert result.evaluation not in {Evaluation.PENDING, Evaluation.NEEDS_DESCRIBE}


ChangingWorld.TestCase.settings = examples(200, steps=60)
TestChangingWorld = ChangingWorld.TestCase
