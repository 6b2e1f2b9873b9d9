"""Send windows and ages, from dates with a resolution of one second."""

from __future__ import annotations

import datetime
import math

from hypothesis import given
from hypothesis import strategies as st

from aiorekostream.client.reconcile_rules import Age, Evidence, SendWindow
from aiorekostream.domain.responses import StreamProcessor
from aiorekostream.domain.status import Status

_EPOCH = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
_TICK = datetime.timedelta(microseconds=10)


def _at(second: float) -> datetime.datetime:
    return _EPOCH + datetime.timedelta(seconds=second)


def _evidence(status: Status, *, changed: float, created: float = -1000) -> Evidence:
    """What is seen at second 30.06, half way between the question and the answer, of what was sent at second 0."""
    found = StreamProcessor(
        name="door",
        stream_processor_arn="arn",
        status=status,
        creation_timestamp=_at(created),
        last_update_timestamp=_at(changed),
    )
    return Evidence(found, [SendWindow.before(_at(30), least=30.03, most=30.09)])


@given(st.floats(0, 1e4), st.floats(0, 100), st.floats(0, 10), st.floats(0, 10))
def test_send_window_contains_the_moment_of_sending(
    sent: float, wait: float, to_arrive: float, to_return: float
) -> None:
    date = math.floor(sent + wait + to_arrive)
    found = SendWindow.before(_at(date), least=wait, most=wait + to_arrive + to_return)
    assert found.since - _TICK <= _at(sent) <= found.until + _TICK
    assert found.ago >= datetime.timedelta(seconds=wait + to_arrive) - _TICK


def test_age_is_about_then_within_a_few_seconds() -> None:
    ages = {second: _evidence(Status.STARTING, changed=second).changed for second in (-2, -1, 0, 3.9, 4.1)}
    assert ages == {-2: Age.BEFORE, -1: Age.ABOUT, 0: Age.ABOUT, 3.9: Age.ABOUT, 4.1: Age.AFTER}
    assert _evidence(Status.STOPPED, changed=5, created=-2).created is Age.BEFORE


def test_age_of_an_end_requires_a_later_change() -> None:
    assert _evidence(Status.STOPPED, changed=0.5).may_show_an_end()
    assert not _evidence(Status.STOPPED, changed=-0.2).may_show_an_end()
    assert not _evidence(Status.STOPPED, changed=0.5, created=0.5).may_show_an_end()


def test_age_is_unknown_when_there_is_no_processor() -> None:
    nothing = Evidence(None, [SendWindow.before(_EPOCH, least=0, most=0)])
    assert (nothing.changed, nothing.created) == (None, None)
    assert not nothing.has_come_to_run()
    assert not nothing.may_show_an_end()
    assert str(nothing) == "there is no such processor"


def test_evidence_without_a_send_window_has_no_ages() -> None:
    found = _evidence(Status.RUNNING, changed=2).processor
    assert found is not None
    timeless = Evidence(found)
    assert (timeless.changed, timeless.created) == (None, None)
    assert not timeless.has_come_to_run()
    assert not timeless.has_gone_on_to_run()


def test_face_search_may_have_come_to_run_after_some_seconds() -> None:
    runs = {second: _evidence(Status.RUNNING, changed=second) for second in (-0.2, 0.5, 2.0, 13.9, 15.0)}
    assert [second for second, it in runs.items() if it.has_come_to_run()] == [2.0, 13.9]
    assert [second for second, it in runs.items() if it.has_gone_on_to_run()] == [-0.2, 0.5, 2.0, 13.9]


def test_session_may_end_one_fragment_after_its_duration() -> None:
    length = datetime.timedelta(seconds=10)
    ends = {second: _evidence(Status.STOPPED, changed=second) for second in (5, 9.5, 10, 20, 23.5, 25)}
    assert [second for second, it in ends.items() if it.has_lasted(length)] == [9.5, 10, 20, 23.5]
