"""What DescribeStreamProcessor shows, and what is made of it: the whole table."""

from __future__ import annotations

import datetime
import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiorekostream.client.settlement import Age, Verdict, age, on_create, on_delete, on_start, on_stop
from aiorekostream.domain.processors import FaceSearchProcessor
from aiorekostream.domain.replies import ConnectedHomeSettings, FaceSearchSettings, Settings, StreamProcessor
from aiorekostream.domain.status import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

_VIDEO = "arn:aws:kinesisvideo:us-east-1:111122223333:stream/{}/1656000000000"
_AGES = (*Age, None)
_STATUSES = (*Status, Status("DREAMING"))
_MOMENT = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
_seconds = st.floats(-1e6, 1e6)

# Whatever is not here cannot be told.
_STARTS: Mapping[tuple[Status, Age | None, bool], Verdict] = {
    (Status.STOPPED, Age.BEFORE, False): Verdict.NOT_DONE,
    (Status.FAILED, Age.BEFORE, False): Verdict.NOT_DONE,
    (Status.STARTING, Age.BEFORE, False): Verdict.OTHERS,
    (Status.RUNNING, Age.BEFORE, False): Verdict.OTHERS,
    (Status.STOPPING, Age.BEFORE, False): Verdict.OTHERS,
    (Status.UPDATING, Age.BEFORE, False): Verdict.OTHERS,
    (Status("DREAMING"), Age.BEFORE, False): Verdict.OTHERS,
    (Status.STARTING, Age.ABOUT, False): Verdict.OURS,
    # Just the change that a session of ours would have made by itself.
    (Status.RUNNING, Age.ABOUT, True): Verdict.OURS,
    (Status.RUNNING, Age.AFTER, True): Verdict.OURS,
    (Status.STOPPED, Age.AFTER, True): Verdict.OURS,
}


@pytest.mark.parametrize(("status", "changed"), [*itertools.product(_STATUSES, _AGES)])
def test_a_start_is_judged_by_the_status_and_when_it_changed(status: Status, changed: Age | None) -> None:
    verdict = on_start(status, changed, in_time=False, may_be_over=True)
    assert verdict is _STARTS.get((status, changed, False), Verdict.UNKNOWN)


@pytest.mark.parametrize(
    ("status", "changed"), [*itertools.product((Status.RUNNING, Status.STOPPED), (Age.ABOUT, Age.AFTER))]
)
def test_a_change_that_our_session_would_have_made_speaks_for_it(status: Status, changed: Age) -> None:
    verdict = on_start(status, changed, in_time=True, may_be_over=True)
    assert verdict is _STARTS.get((status, changed, True), Verdict.UNKNOWN)


@pytest.mark.parametrize(("status", "changed", "in_time"), [*itertools.product(_STATUSES, _AGES, (False, True))])
def test_what_stopped_about_then_was_not_started_where_no_session_can_be_over_yet(
    status: Status,
    changed: Age | None,
    in_time: bool,  # noqa: FBT001
) -> None:
    verdict = on_start(status, changed, in_time=in_time, may_be_over=False)
    if (status, changed) == (Status.STOPPED, Age.ABOUT):
        assert verdict is Verdict.NOT_DONE
    else:
        assert verdict is on_start(status, changed, in_time=in_time, may_be_over=True)


@given(st.sampled_from(_STATUSES), st.booleans())
def test_no_start_is_claimed_that_changed_nothing_since_it_was_sent(status: Status, in_time: bool) -> None:  # noqa: FBT001
    assert on_start(status, Age.BEFORE, in_time=in_time, may_be_over=True) is not Verdict.OURS
    assert on_start(status, None, in_time=False, may_be_over=True) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (Status.STARTING, Verdict.NOT_DONE),
        (Status.RUNNING, Verdict.NOT_DONE),
        (Status.STOPPING, Verdict.OURS),
        (Status.STOPPED, Verdict.OURS),
        (Status.FAILED, Verdict.OURS),
        (Status.UPDATING, Verdict.UNKNOWN),
        (Status("DREAMING"), Verdict.UNKNOWN),
    ],
)
def test_a_stop_was_carried_out_where_nothing_works_any_more(status: Status, verdict: Verdict) -> None:
    ages, may_have = (Age.BEFORE, Age.ABOUT, None), (False, True)
    assert {on_stop(status, age, came_to_run=run) for age, run in itertools.product(ages, may_have)} == {verdict}


def test_a_session_that_began_after_the_stop_was_sent_is_not_stopped_as_well() -> None:
    assert on_stop(Status.STARTING, Age.AFTER, came_to_run=False) is Verdict.OURS


def test_a_face_search_that_came_to_run_after_the_stop_was_sent_is_still_to_be_stopped() -> None:
    assert on_stop(Status.RUNNING, Age.AFTER, came_to_run=True) is Verdict.NOT_DONE


def test_a_face_search_that_came_to_run_much_later_may_be_another_one() -> None:
    assert on_stop(Status.RUNNING, Age.AFTER, came_to_run=False) is Verdict.UNKNOWN


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
    ("created", "verdict"),
    [
        (Age.BEFORE, Verdict.OTHERS),
        (Age.ABOUT, Verdict.OURS),
        (Age.AFTER, Verdict.UNKNOWN),
        (None, Verdict.UNKNOWN),
    ],
)
def test_a_create_is_judged_by_when_its_like_was_created(created: Age | None, verdict: Verdict) -> None:
    assert on_create(_found(), _WANTED, created) is verdict


@pytest.mark.parametrize("created", _AGES)
def test_a_processor_of_that_name_that_is_another_one_is_somebody_else_s(created: Age | None) -> None:
    for found in (_found(video="hall"), _found(settings=ConnectedHomeSettings())):
        assert on_create(found, _WANTED, created) is Verdict.OTHERS


def test_a_create_that_left_nothing_was_not_carried_out() -> None:
    assert on_create(None, _WANTED, None) is Verdict.NOT_DONE


@pytest.mark.parametrize("created", [Age.BEFORE, Age.ABOUT, None])
def test_a_delete_was_carried_out_if_the_processor_is_gone(created: Age | None) -> None:
    assert on_delete(None, None) is Verdict.OURS
    assert on_delete(_found(), created) is Verdict.NOT_DONE


def test_a_processor_that_was_created_after_the_delete_was_sent_is_left_alone() -> None:
    assert on_delete(_found(), Age.AFTER) is Verdict.OURS


@given(_seconds, _seconds, st.floats(0, 100))
def test_a_moment_lies_before_about_or_after_a_span(at: float, begin: float, length: float) -> None:
    moment, since = (_MOMENT + datetime.timedelta(seconds=seconds) for seconds in (at, begin))
    until = since + datetime.timedelta(seconds=length)
    expected = Age.BEFORE if moment < since else Age.AFTER if moment > until else Age.ABOUT
    assert age(moment, since=since, until=until) is expected


def test_no_moment_has_no_age() -> None:
    assert age(None, since=_MOMENT, until=_MOMENT) is None
