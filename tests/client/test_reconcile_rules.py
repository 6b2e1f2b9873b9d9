"""The resolution for each state that DescribeStreamProcessor can show: the whole table."""

from __future__ import annotations

import datetime
import itertools
from typing import TYPE_CHECKING

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiorekostream.client import reconcile_rules
from aiorekostream.client.reconcile_rules import Age, Evidence, Resolution, SendWindow
from aiorekostream.domain.processors import FaceSearchProcessor, Processor
from aiorekostream.domain.requests import FaceSearchStart, LabelDetectionStart, StartRequest
from aiorekostream.domain.responses import ConnectedHomeSettings, FaceSearchSettings, Settings, StreamProcessor
from aiorekostream.domain.selectors import FragmentNumber, StopSelector
from aiorekostream.domain.status import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

_VIDEO = "arn:aws:kinesisvideo:us-east-1:111122223333:stream/{}/1656000000000"
_AGES = (*Age, None)
_STATUSES = (*Status, Status("DREAMING"))
_MOMENT = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
_seconds = st.floats(-1e6, 1e6)
_FACES = FaceSearchStart("lobby")
_LABELS = LabelDetectionStart(
    name="lobby", start_selector=FragmentNumber("1"), stop_selector=StopSelector(max_duration_in_seconds=30)
)


@attrs.frozen
class _CaseEvidence(Evidence):
    """Evidence with the age and the answers that a case asks for."""

    moment: Age | None = None
    answer: bool = False
    over: bool = False

    @property
    def changed(self) -> Age | None:
        return self.moment

    @property
    def created(self) -> Age | None:
        return self.moment

    def has_lasted(self, length: datetime.timedelta) -> bool:
        assert length == datetime.timedelta(seconds=30)
        return self.answer

    def has_come_to_run(self) -> bool:
        return self.answer

    def has_gone_on_to_run(self) -> bool:
        return self.answer

    def may_show_an_end(self) -> bool:
        return self.over


def _shown(status: Status, changed: Age | None, *, answer: bool = False, over: bool = False) -> Evidence:
    return _CaseEvidence(attrs.evolve(_found(), status=status), moment=changed, answer=answer, over=over)


def on_start(status: Status, changed: Age | None, *, in_time: bool, may_be_over: bool) -> Resolution:
    """Judge the start of the kind whose session comes to this status by itself."""
    evidence = _shown(status, changed, answer=in_time, over=may_be_over)
    return reconcile_rules.on_start(evidence, _LABELS if status is Status.STOPPED else _FACES)


def on_stop(status: Status, changed: Age | None, *, came_to_run: bool) -> Resolution:
    return reconcile_rules.on_stop(_shown(status, changed, answer=came_to_run))


def on_create(found: StreamProcessor | None, wanted: Processor, created: Age | None) -> Resolution:
    return reconcile_rules.on_create(_CaseEvidence(found, moment=created), wanted)


def on_delete(found: StreamProcessor | None, created: Age | None) -> Resolution:
    return reconcile_rules.on_delete(_CaseEvidence(found, moment=created))


# Whatever is not here cannot be told.
_STARTS: Mapping[tuple[Status, Age | None, bool], Resolution] = {
    (Status.STOPPED, Age.BEFORE, False): Resolution.NOT_APPLIED,
    (Status.FAILED, Age.BEFORE, False): Resolution.NOT_APPLIED,
    (Status.STARTING, Age.BEFORE, False): Resolution.CONFLICT,
    (Status.RUNNING, Age.BEFORE, False): Resolution.CONFLICT,
    (Status.STOPPING, Age.BEFORE, False): Resolution.CONFLICT,
    (Status.UPDATING, Age.BEFORE, False): Resolution.CONFLICT,
    (Status("DREAMING"), Age.BEFORE, False): Resolution.CONFLICT,
    (Status.STARTING, Age.ABOUT, False): Resolution.APPLIED,
    # Just the change that a session of ours would have made by itself.
    (Status.RUNNING, Age.ABOUT, True): Resolution.APPLIED,
    (Status.RUNNING, Age.AFTER, True): Resolution.APPLIED,
    (Status.STOPPED, Age.AFTER, True): Resolution.APPLIED,
}


@pytest.mark.parametrize(("status", "changed"), [*itertools.product(_STATUSES, _AGES)])
def test_start_is_judged_by_the_status_and_when_it_changed(status: Status, changed: Age | None) -> None:
    resolution = on_start(status, changed, in_time=False, may_be_over=True)
    assert resolution is _STARTS.get((status, changed, False), Resolution.UNDETERMINED)


@pytest.mark.parametrize(
    ("status", "changed"), [*itertools.product((Status.RUNNING, Status.STOPPED), (Age.ABOUT, Age.AFTER))]
)
def test_start_is_judged_by_the_table_when_the_change_is_in_time(status: Status, changed: Age) -> None:
    resolution = on_start(status, changed, in_time=True, may_be_over=True)
    assert resolution is _STARTS.get((status, changed, True), Resolution.UNDETERMINED)


@pytest.mark.parametrize(("status", "changed", "in_time"), [*itertools.product(_STATUSES, _AGES, (False, True))])
def test_stopped_about_then_was_not_started_when_no_session_is_over(
    status: Status,
    changed: Age | None,
    in_time: bool,  # noqa: FBT001
) -> None:
    resolution = on_start(status, changed, in_time=in_time, may_be_over=False)
    if (status, changed) == (Status.STOPPED, Age.ABOUT):
        assert resolution is Resolution.NOT_APPLIED
    else:
        assert resolution is on_start(status, changed, in_time=in_time, may_be_over=True)


@pytest.mark.parametrize(
    ("request_", "status"), [(_FACES, Status.STOPPED), (_LABELS, Status.RUNNING), (_LABELS, Status.STARTING)]
)
def test_start_is_not_claimed_by_a_change_of_the_other_kind(request_: StartRequest, status: Status) -> None:
    evidence = _shown(status, Age.AFTER, answer=True, over=True)
    assert reconcile_rules.on_start(evidence, request_) is Resolution.UNDETERMINED


@pytest.mark.parametrize("request_", [_FACES, _LABELS])
def test_missing_processor_was_neither_started_nor_stopped(request_: StartRequest) -> None:
    assert reconcile_rules.on_start(Evidence(None), request_) is Resolution.NOT_APPLIED
    assert reconcile_rules.on_stop(Evidence(None)) is Resolution.NOT_APPLIED


@given(st.sampled_from(_STATUSES), st.booleans())
def test_start_is_not_claimed_without_a_change_since_it_was_sent(status: Status, in_time: bool) -> None:  # noqa: FBT001
    assert on_start(status, Age.BEFORE, in_time=in_time, may_be_over=True) is not Resolution.APPLIED
    assert on_start(status, None, in_time=False, may_be_over=True) is Resolution.UNDETERMINED


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status.STARTING, Resolution.NOT_APPLIED),
        (Status.RUNNING, Resolution.NOT_APPLIED),
        (Status.STOPPING, Resolution.APPLIED),
        (Status.STOPPED, Resolution.APPLIED),
        (Status.FAILED, Resolution.APPLIED),
        (Status.UPDATING, Resolution.UNDETERMINED),
        (Status("DREAMING"), Resolution.UNDETERMINED),
    ],
)
def test_stop_was_applied_when_the_processor_is_at_rest(status: Status, expected: Resolution) -> None:
    ages, may_have = (Age.BEFORE, Age.ABOUT, None), (False, True)
    assert {on_stop(status, age, came_to_run=run) for age, run in itertools.product(ages, may_have)} == {expected}


def test_session_that_began_after_the_stop_was_sent_is_not_stopped_as_well() -> None:
    assert on_stop(Status.STARTING, Age.AFTER, came_to_run=False) is Resolution.APPLIED


def test_stop_was_not_applied_when_the_face_search_came_to_run() -> None:
    assert on_stop(Status.RUNNING, Age.AFTER, came_to_run=True) is Resolution.NOT_APPLIED


def test_face_search_that_came_to_run_much_later_may_be_another_one() -> None:
    assert on_stop(Status.RUNNING, Age.AFTER, came_to_run=False) is Resolution.UNDETERMINED


def _found(*, video: str = "lobby", settings: Settings | None = None) -> StreamProcessor:
    return StreamProcessor(
        name="lobby",
        stream_processor_arn="arn:aws:rekognition:us-east-1:111122223333:streamprocessor/lobby",
        status=Status.STOPPED,
        kinesis_video_stream_arn=_VIDEO.format(video),
        settings=settings or FaceSearchSettings("staff"),
    )


_WANTED = FaceSearchProcessor(
    name="lobby",
    kinesis_video_stream_arn=_VIDEO.format("lobby"),
    kinesis_data_stream_arn="arn:aws:kinesis:us-east-1:111122223333:stream/faces",
    role_arn="arn:aws:iam::111122223333:role/rekognition",
    collection_id="staff",
)


@pytest.mark.parametrize(
    ("created", "expected"),
    [
        (Age.BEFORE, Resolution.CONFLICT),
        (Age.ABOUT, Resolution.APPLIED),
        (Age.AFTER, Resolution.UNDETERMINED),
        (None, Resolution.UNDETERMINED),
    ],
)
def test_create_is_judged_by_the_creation_time_of_an_equal_one(created: Age | None, expected: Resolution) -> None:
    assert on_create(_found(), _WANTED, created) is expected


@pytest.mark.parametrize("created", _AGES)
def test_create_conflicts_with_another_processor_of_that_name(created: Age | None) -> None:
    for found in (_found(video="hall"), _found(settings=ConnectedHomeSettings(()))):
        assert on_create(found, _WANTED, created) is Resolution.CONFLICT


def test_create_that_left_nothing_was_not_applied() -> None:
    assert on_create(None, _WANTED, None) is Resolution.NOT_APPLIED


@pytest.mark.parametrize("created", [Age.BEFORE, Age.ABOUT, None])
def test_delete_was_applied_if_the_processor_is_gone(created: Age | None) -> None:
    assert on_delete(None, None) is Resolution.APPLIED
    assert on_delete(_found(), created) is Resolution.NOT_APPLIED


def test_processor_created_after_the_delete_is_left_alone() -> None:
    assert on_delete(_found(), Age.AFTER) is Resolution.APPLIED


@given(_seconds, _seconds, st.floats(0, 100))
def test_moment_lies_before_about_or_after_a_sending(at: float, begin: float, length: float) -> None:
    """What a call does, it does from one second before to three seconds after its sending."""
    moment, since = (_MOMENT + datetime.timedelta(seconds=seconds) for seconds in (at, begin))
    until = since + datetime.timedelta(seconds=length)
    early, late = since - datetime.timedelta(seconds=1), until + datetime.timedelta(seconds=3)
    expected = Age.BEFORE if moment < early else Age.AFTER if moment > late else Age.ABOUT
    assert SendWindow(since, until, until - since).age(moment) is expected


def test_missing_moment_has_no_age() -> None:
    assert SendWindow(_MOMENT, _MOMENT, datetime.timedelta()).age(None) is None
