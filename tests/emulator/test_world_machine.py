"""Whole lives of the emulated world, drawn by Hypothesis, held against the rules that must never be broken."""

from __future__ import annotations

from collections import Counter
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.status import TRANSITIONS, Status
from aiorekostream.emulator import DependencyFaults, Timings
from aiorekostream.emulator.answers import Refusal, Success
from aiorekostream.limits import Limits
from tests.emulator.samples import Play, data, faces, labels, play, session, video

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
    """Every status that can be come to by any number of steps."""
    found: set[Status] = {before}
    while more := {after for status in found for after in _NEXT[kind][status]} - found:
        found |= more
    return found


class Lives(RuleBasedStateMachine):
    play: Play
    sessions: set[str]
    seen: dict[str, tuple[Status, float]]
    looked_at: float

    @initialize(
        deleting=SECONDS,
        starting=SECONDS,
        stopping=SECONDS,
        updating=SECONDS,
        failing=SECONDS,
        overshoot=st.sampled_from([0.0, 3.0]),
        missing=st.sampled_from([[], ["s"], ["*"]]),
    )
    def begin(self, *, missing: list[str], **timings: float) -> None:
        self.play = play(
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
        self.looked_at = self.play.now

    @rule(name=NAMES, stream=STREAMS, is_face_search=st.booleans())
    def create(self, name: str, stream: str, *, is_face_search: bool) -> None:
        source = {"KinesisVideoStream": {"Arn": video(stream)}}
        target = {"KinesisDataStream": {"Arn": data(stream)}}
        request = faces(name, Input=source, Output=target) if is_face_search else labels(name, Input=source)
        answer = self.play.ask("CreateStreamProcessor", **request)
        if isinstance(answer, Success):
            assert name not in self.seen
            self.seen.pop(name, None)
            assert self.play.status(name) == "STOPPED"
        else:
            assert answer.code in {"ResourceInUseException", "LimitExceededException"}

    @rule(name=NAMES, seconds=st.integers(1, 120))
    def start(self, name: str, seconds: int) -> None:
        processor = self.processors().get(name)
        is_face_search = processor is not None and processor.kind is ProcessorKind.FACE_SEARCH
        request: dict[str, Any] = {"Name": name} if is_face_search else session(name, seconds=seconds)
        answer = self.play.ask("StartStreamProcessor", **request)
        if isinstance(answer, Success):
            assert processor is not None
            assert processor.status in {Status.STOPPED, Status.FAILED}
            assert answer.session_id is not None
            assert answer.session_id not in self.sessions
            self.sessions.add(answer.session_id)
        else:
            self.check_refusal(answer, name, "LimitExceededException")

    @rule(name=NAMES)
    def stop(self, name: str) -> None:
        before = self.processors().get(name)
        answer = self.play.ask("StopStreamProcessor", Name=name)
        if isinstance(answer, Refusal):
            self.check_refusal(answer, name)
        else:
            assert before is not None
            assert before.status in {Status.STARTING, Status.RUNNING}

    @rule(name=NAMES)
    def update(self, name: str) -> None:
        answer = self.play.ask("UpdateStreamProcessor", Name=name, ParametersToDelete=["RegionsOfInterest"])
        if isinstance(answer, Refusal):
            self.check_refusal(answer, name, "InvalidParameterException")

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        answer = self.play.ask("DeleteStreamProcessor", Name=name)
        if isinstance(answer, Refusal):
            self.check_refusal(answer, name)

    @rule(name=NAMES, after=SECONDS)
    def fail(self, name: str, after: float) -> None:
        self.play.world.doom(name, "Access denied to Role", self.play.now, after=after)

    @rule(seconds=SECONDS)
    def wait(self, seconds: float) -> None:
        self.play.wait(seconds)
        self.play.world.advance(self.play.now)

    @precondition(lambda self: self.play.world.next_moment() is not None)
    @rule()
    def wait_for_what_is_next(self) -> None:
        moment = self.play.world.next_moment()
        assert moment is not None
        assert moment >= self.play.now
        before = {name: (p.status, p.gone_at) for name, p in self.processors().items()}
        self.play.now = moment
        self.play.world.advance(moment)
        assert before != {name: (p.status, p.gone_at) for name, p in self.processors().items()}, "nothing happened"

    @invariant()
    def statuses_follow_the_table(self) -> None:
        processors = self.processors()
        for name, processor in processors.items():
            before = self.seen.get(name)
            if before is not None:
                status, updated = before
                assert processor.status in reachable(processor.kind, status)
                assert processor.updated >= (updated if processor.status is status else self.looked_at)
            assert processor.updated <= self.play.now
            assert (processor.status is Status.FAILED) == (processor.status_message is not None)
        self.seen = {name: (p.status, p.updated) for name, p in processors.items()}
        self.looked_at = self.play.now

    @invariant()
    def nothing_exceeds_its_limit(self) -> None:
        account = self.play.world.account(self.play.caller)
        assert len(account.processors) <= MOST
        for kind in ProcessorKind:
            at_work = [p for p in account.processors.values() if p.kind is kind and p.is_active]
            assert account.active(kind) == len(at_work) <= LIMIT[kind]

    @invariant()
    def no_stream_has_two_processors(self) -> None:
        streams = Counter(s for p in self.processors().values() for s in p.blueprint.streams)
        assert all(count == 1 for count in streams.values())

    @invariant()
    def what_is_listed_is_what_is_there(self) -> None:
        listed = self.play.done("ListStreamProcessors")["StreamProcessors"]
        assert [item["Name"] for item in listed] == sorted(self.processors())
        for item in listed:
            assert self.play.status(item["Name"]) == item["Status"]

    @invariant()
    def what_is_under_way_has_an_end_or_runs(self) -> None:
        for processor in self.processors().values():
            if processor.gone_at is None and processor.status not in {Status.STOPPED, Status.FAILED, Status.RUNNING}:
                assert processor.steps

    def processors(self) -> dict[str, Any]:
        self.play.world.advance(self.play.now)
        return dict(self.play.world.account(self.play.caller).processors)

    def check_refusal(self, refusal: Refusal, name: str, *others: str) -> None:
        processor = self.processors().get(name)
        if processor is None or processor.gone_at is not None:
            assert refusal.code == "ResourceNotFoundException"
        else:
            assert refusal.code in {"ResourceInUseException", *others}

    def teardown(self) -> None:
        if not hasattr(self, "play"):
            return
        self.play.wait(1e6)
        self.play.world.advance(self.play.now)
        for processor in self.processors().values():
            assert processor.gone_at is None
            assert processor.status in {Status.STOPPED, Status.FAILED, Status.RUNNING}
        assert self.play.world.next_moment() is None


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
