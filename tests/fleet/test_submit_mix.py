"""Any mix of submits, runs and cancellations has one true outcome for each request, and begins no session twice."""

from __future__ import annotations

import asyncio
import datetime
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, cast

import attrs
import hypothesis.strategies as st
from hypothesis import given

from aiorekostream import LabelDetectionStart, ProducerTimestamp, StopSelector
from aiorekostream.fleet import Fleet, FleetEvent, Started, StartOutcome, Unknown
from aiorekostream.testing import Reply
from tests.effort import examples
from tests.fleet.service import BEGINNING, NOW, START, Service, lost, names, run, throttling

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiorekostream.fleet import WhenBusy

_HARMS = {"throttled": throttling(), "lost": lost()}


def _mark(start: object) -> int:
    """The time of the selector, by which a request is known wherever it appears."""
    selector = cast("LabelDetectionStart", start).start_selector
    assert isinstance(selector, ProducerTimestamp)
    return selector.milliseconds


@attrs.define
class MarkedService(Service):
    """Counts the sessions that each request began, and fails some starts."""

    begun: Counter[int] = attrs.field(factory=Counter[int], init=False)

    def ask(self, operation: str, body: Mapping[str, Any]) -> Reply | Exception:
        answer = Service.ask(self, operation, body)
        if operation == START and isinstance(answer, Reply):
            self.begun[body["StartSelector"]["KVSStreamStartSelector"]["ProducerTimestamp"]] += 1
        return answer


@attrs.define
class Program:
    """A program that uses one fleet in any way.

    Attributes:
        service: what it calls.
        fleet: its fleet.
        marks: its requests.
        tasks: what it does at once.
        returned: the outcomes that it was given.
    """

    service: MarkedService
    fleet: Fleet
    marks: list[int] = attrs.field(factory=list, init=False)
    tasks: list[asyncio.Task[None]] = attrs.field(factory=list, init=False)
    returned: list[StartOutcome] = attrs.field(factory=list, init=False)

    async def run(self, steps: list[tuple[str, int, float, float | None]]) -> None:
        for verb, place, seconds, within in steps:
            if verb == "cancel":
                if self.tasks:
                    self.tasks[place % len(self.tasks)].cancel()
            elif verb == "run":
                self.begin(self.start([self.request(place), self.request(3 - place)]))
            else:
                self.begin(self.submit(self.request(place), urgent=verb == "urgent submit", within=within))
            await asyncio.sleep(seconds)
        if self.tasks:
            await asyncio.wait(self.tasks)
        await self.fleet.aclose()

    def request(self, place: int) -> LabelDetectionStart:
        mark = ProducerTimestamp(NOW.milliseconds + len(self.marks))
        self.marks.append(mark.milliseconds)
        return LabelDetectionStart(name=names(4)[place], start_selector=mark, stop_selector=StopSelector(5))

    def begin(self, work: Any) -> None:  # noqa: ANN401 - a coroutine
        self.tasks.append(asyncio.create_task(work))

    async def submit(self, start: LabelDetectionStart, *, urgent: bool, within: float | None) -> None:
        at = None if within is None else BEGINNING + datetime.timedelta(seconds=self.service.clock.now() + within)
        self.returned.append(await self.fleet.submit(start, urgent=urgent, expires_at=at))

    async def start(self, starts: list[LabelDetectionStart]) -> None:
        self.returned.extend(await self.fleet.start(starts))


_STEP = st.tuples(
    st.sampled_from(["submit", "submit", "urgent submit", "run", "cancel", "cancel"]),
    st.integers(0, 3),  # the processor, or the task to cancel
    st.sampled_from([0.0, 0.01, 0.3, 6.0]),  # seconds until the next step
    st.sampled_from([None, 0.2, 8.0]),  # seconds until the deadline
)


@given(
    steps=st.lists(_STEP, min_size=1, max_size=12),
    harms=st.lists(st.sampled_from(["", "", "throttled", "lost"]), max_size=8),
    policy=st.sampled_from(["queue", "share", "reject"]),
)
@examples(100)
def test_any_mix_of_submits_and_runs_has_one_true_outcome_each(
    steps: list[tuple[str, int, float, float | None]], harms: list[str], policy: WhenBusy
) -> None:
    reported: dict[int, list[StartOutcome]] = defaultdict(list)
    service = MarkedService(
        before=lambda operation, _: _HARMS.get(harms.pop()) if harms and operation == START else None
    )
    service.create(*names(4))

    def listen(event: FleetEvent) -> None:
        if event.outcome is not None:
            reported[_mark(event.outcome.request)].append(cast("StartOutcome", event.outcome))

    program = Program(service, Fleet(service.client(), when_busy=policy, on_event=listen))
    run(program.run(steps))
    for outcome in program.returned:
        assert reported[_mark(outcome.request)] == [outcome]
    for mark in program.marks:
        outcomes = reported[mark]
        assert len(outcomes) <= 1, "none, if its task was cancelled before its first step"
        assert service.begun[mark] <= 1
        if outcomes and policy != "share" and not isinstance(outcomes[0], Unknown):
            assert service.begun[mark] == isinstance(outcomes[0], Started), outcomes
