"""Check the invariants of the emulated world with sequences of operations that Hypothesis generates."""

from __future__ import annotations

from collections import Counter
from typing import Any

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.status import TRANSITIONS, Status
from aiorekostream.emulator import DependencyFaults, Timings
from aiorekostream.emulator.world.answers import Refusal, Success
from aiorekostream.limits import Limits
from tests.effort import examples
from tests.emulator.samples import WorldHarness, data, faces, labels, new_harness, session, video

NAMES = st.sampled_from(["a", "b", "c", "d"])
STREAMS = st.sampled_from(["s", "t", "u", "v", "w", "x"])
SECONDS = st.one_of(st.sampled_from([0.0, 0.5, 1.0, 2.0, 10.0]), st.floats(0, 300))
LIMIT = {ProcessorKind.FACE_SEARCH: 1, ProcessorKind.LABEL_DETECTION: 1}
MOST = 3

_NEXT = {
    kind: {before: {after for (status, _), after in table.items() if status is before} for before in Status}
    for kind, table in TRANSITIONS.items()
}


def reachable(kind: ProcessorKind, before: Status) -> set[Status]:
    """Return every status that is reachable by any number of transitions."""
    found: set[Status] = {before}
    while more := {after for status in found for after in _NEXT[kind][status]} - found:
        found |= more
    return found


class WorldMachine(RuleBasedStateMachine):
    harness: WorldHarness
    sessions: set[str]
    seen: dict[str, tuple[Status, float]]
    checked_at: float

    @initialize(
        deleting=SECONDS,
        starting=SECONDS,
        stopping=SECONDS,
        updating=SECONDS,
        failing=SECONDS,
        overshoot=st.sampled_from([0.0, 3.0]),
        missing=st.sampled_from([[], ["s"], ["*"]]),
    )
    def initialize_world(self, *, missing: list[str], **timings: float) -> None:
        self.harness = new_harness(
            limits=Limits(
                concurrent_face_search={"us-east-1": LIMIT[ProcessorKind.FACE_SEARCH]},
                concurrent_label_detection={"us-east-1": LIMIT[ProcessorKind.LABEL_DETECTION]},
                max_stream_processors=MOST,
            ),
            timings=Timings(**timings),
            dependency_faults=DependencyFaults(missing_video_streams=missing),
        )
        self.sessions = set()
        self.seen = {}
        self.checked_at = self.harness.now

    @rule(name=NAMES, stream=STREAMS, is_face_search=st.booleans())
    def create(self, name: str, stream: str, *, is_face_search: bool) -> None:
        source = {"KinesisVideoStream": {"Arn": video(stream)}}
        target = {"KinesisDataStream": {"Arn": data(stream)}}
        request = faces(name, Input=source, Output=target) if is_face_search else labels(name, Input=source)
        result = self.harness.ask("CreateStreamProcessor", **request)
        if isinstance(result, Success):
            assert name not in self.seen
            self.seen.pop(name, None)
            assert self.harness.status(name) == "STOPPED"
        else:
            assert result.code in {"ResourceInUseException", "LimitExceededException"}

    @rule(name=NAMES, seconds=st.integers(1, 120))
    def start(self, name: str, seconds: int) -> None:
        processor = self.processors().get(name)
        is_face_search = processor is not None and processor.kind is ProcessorKind.FACE_SEARCH
        request: dict[str, Any] = {"Name": name} if is_face_search else session(name, seconds=seconds)
        result = self.harness.ask("StartStreamProcessor", **request)
        if isinstance(result, Success):
            assert processor is not None
            assert processor.status in {Status.STOPPED, Status.FAILED}
            assert result.session_id is not None
            assert result.session_id not in self.sessions
            self.sessions.add(result.session_id)
        else:
            self.check_refusal(result, name, "LimitExceededException")

    @rule(name=NAMES)
    def stop(self, name: str) -> None:
        before = self.processors().get(name)
        result = self.harness.ask("StopStreamProcessor", Name=name)
        if isinstance(result, Refusal):
            self.check_refusal(result, name)
        else:
            assert before is not None
            assert before.status in {Status.STARTING, Status.RUNNING}

    @rule(name=NAMES)
    def update(self, name: str) -> None:
        result = self.harness.ask("UpdateStreamProcessor", Name=name, ParametersToDelete=["RegionsOfInterest"])
        if isinstance(result, Refusal):
            self.check_refusal(result, name, "InvalidParameterException")

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        result = self.harness.ask("DeleteStreamProcessor", Name=name)
        if isinstance(result, Refusal):
            self.check_refusal(result, name)

    @rule(name=NAMES, after=SECONDS)
    def fail(self, name: str, after: float) -> None:
        self.harness.world.schedule_failure(name, "Access denied to Role", self.harness.now, after=after)

    @rule(seconds=SECONDS)
    def wait(self, seconds: float) -> None:
        self.harness.wait(seconds)
        self.harness.world.advance(self.harness.now)

    @precondition(lambda self: self.harness.world.next_event_at() is not None)
    @rule()
    def wait_for_next_event(self) -> None:
        due_at = self.harness.world.next_event_at()
        assert due_at is not None
        assert due_at >= self.harness.now
        before = {name: (p.status, p.removed_at) for name, p in self.processors().items()}
        self.harness.now = due_at
        self.harness.world.advance(due_at)
        assert before != {name: (p.status, p.removed_at) for name, p in self.processors().items()}, (
            "the event changed nothing"
        )

    @invariant()
    def statuses_follow_the_transitions(self) -> None:
        processors = self.processors()
        for name, processor in processors.items():
            before = self.seen.get(name)
            if before is not None:
                status, updated = before
                assert processor.status in reachable(processor.kind, status)
                assert processor.updated >= (updated if processor.status is status else self.checked_at)
            assert processor.updated <= self.harness.now
            assert (processor.status is Status.FAILED) == (processor.status_message is not None)
        self.seen = {name: (p.status, p.updated) for name, p in processors.items()}
        self.checked_at = self.harness.now

    @invariant()
    def limits_are_not_exceeded(self) -> None:
        account = self.harness.world.account(self.harness.caller)
        assert len(account.processors) <= MOST
        for kind in ProcessorKind:
            at_work = [p for p in account.processors.values() if p.kind is kind and p.is_active]
            assert account.active(kind) == len(at_work) <= LIMIT[kind]

    @invariant()
    def streams_have_one_processor(self) -> None:
        streams = Counter(s for p in self.processors().values() for s in p.definition.streams)
        assert all(count == 1 for count in streams.values())

    @invariant()
    def list_returns_all_processors(self) -> None:
        listed = self.harness.done("ListStreamProcessors")["StreamProcessors"]
        assert [item["Name"] for item in listed] == sorted(self.processors())
        for item in listed:
            assert self.harness.status(item["Name"]) == item["Status"]

    @invariant()
    def transient_statuses_have_a_scheduled_transition(self) -> None:
        for processor in self.processors().values():
            if processor.removed_at is None and processor.status not in {Status.STOPPED, Status.FAILED, Status.RUNNING}:
                assert processor.transitions

    def processors(self) -> dict[str, Any]:
        self.harness.world.advance(self.harness.now)
        return dict(self.harness.world.account(self.harness.caller).processors)

    def check_refusal(self, refusal: Refusal, name: str, *others: str) -> None:
        processor = self.processors().get(name)
        if processor is None or processor.removed_at is not None:
            assert refusal.code == "ResourceNotFoundException"
        else:
            assert refusal.code in {"ResourceInUseException", *others}

    def teardown(self) -> None:
        if not hasattr(self, "harness"):
            return
        self.harness.wait(1e6)
        self.harness.world.advance(self.harness.now)
        for processor in self.processors().values():
            assert processor.removed_at is None
            assert processor.status in {Status.STOPPED, Status.FAILED, Status.RUNNING}
        assert self.harness.world.next_event_at() is None


TestWorldMachine = WorldMachine.TestCase
TestWorldMachine.settings = examples(150, steps=40)
