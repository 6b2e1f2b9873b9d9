"""The life of each kind of processor, cell by cell."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.status import TRANSITIONS, Event, Status, next_status

FACES, LABELS = ProcessorKind.FACE_SEARCH, ProcessorKind.LABEL_DETECTION
KNOWN = list(Status)

ALLOWED = {
    FACES: {
        "STOPPED": {"start": "STARTING"},
        "STARTING": {"run": "RUNNING", "stop": "STOPPING", "fail": "FAILED"},
        "RUNNING": {"stop": "STOPPING", "fail": "FAILED"},
        "STOPPING": {"finish": "STOPPED"},
        "FAILED": {"start": "STARTING"},
        "UPDATING": {},
    },
    LABELS: {
        "STOPPED": {"start": "STARTING", "update": "UPDATING"},
        "STARTING": {"finish": "STOPPED", "stop": "STOPPING", "fail": "FAILED"},
        "RUNNING": {},
        "STOPPING": {"finish": "STOPPED"},
        "FAILED": {"start": "STARTING", "update": "UPDATING"},
        "UPDATING": {"finish": "STOPPED"},
    },
}


@pytest.mark.parametrize(("kind", "status", "event"), list(itertools.product(ProcessorKind, Status, Event)), ids=str)
def test_each_event_leads_where_aws_says_or_is_not_allowed(kind: ProcessorKind, status: Status, event: Event) -> None:
    expected: str | None = ALLOWED[kind][str(status)].get(str(event))
    assert next_status(kind, status, event) == expected


@given(st.lists(st.sampled_from(Event)))
def test_a_label_detection_never_runs_however_it_lives(events: list[Event]) -> None:
    status = Status.STOPPED
    for event in events:
        status = next_status(LABELS, status, event) or status
        assert status is not Status.RUNNING


@given(st.lists(st.sampled_from(Event)))
def test_a_face_search_is_never_updated_and_ends_only_when_it_is_stopped_or_fails(events: list[Event]) -> None:
    status = Status.STOPPED
    for event in events:
        before, status = status, next_status(FACES, status, event) or status
        assert status is not Status.UPDATING
        if before is Status.RUNNING and status is not Status.RUNNING:
            assert event in {Event.STOP, Event.FAIL}


@pytest.mark.parametrize("kind", ProcessorKind)
def test_both_kinds_start_from_stopped_and_from_failed_alone(kind: ProcessorKind) -> None:
    assert {status for status in KNOWN if next_status(kind, status, Event.START)} == {Status.STOPPED, Status.FAILED}


@pytest.mark.parametrize(("kind", "event"), list(itertools.product(ProcessorKind, Event)), ids=str)
def test_nothing_follows_a_status_that_is_not_known(kind: ProcessorKind, event: Event) -> None:
    assert next_status(kind, Status("PAUSED"), event) is None


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        TRANSITIONS[FACES] = {}  # type: ignore[index]  # pyright: ignore[reportIndexIssue]
