"""The transitions of each kind of processor, one by one."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.status import TRANSITIONS, Event, Status, next_status

FACES, LABELS = ProcessorKind.FACE_SEARCH, ProcessorKind.LABEL_DETECTION
STATUSES = list(Status)

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
def test_next_status_matches_the_documented_transitions(kind: ProcessorKind, status: Status, event: Event) -> None:
    expected: str | None = ALLOWED[kind][str(status)].get(str(event))
    assert next_status(kind, status, event) == expected


@given(st.lists(st.sampled_from(Event)))
def test_label_detection_never_reaches_running(events: list[Event]) -> None:
    status = Status.STOPPED
    for event in events:
        status = next_status(LABELS, status, event) or status
        assert status is not Status.RUNNING


@given(st.lists(st.sampled_from(Event)))
def test_face_search_leaves_running_only_when_stopped_or_failed(events: list[Event]) -> None:
    """It never reaches UPDATING either."""
    status = Status.STOPPED
    for event in events:
        before, status = status, next_status(FACES, status, event) or status
        assert status is not Status.UPDATING
        if before is Status.RUNNING and status is not Status.RUNNING:
            assert event in {Event.STOP, Event.FAIL}


@pytest.mark.parametrize("kind", ProcessorKind)
def test_start_is_allowed_only_from_stopped_and_failed(kind: ProcessorKind) -> None:
    assert {status for status in STATUSES if next_status(kind, status, Event.START)} == {Status.STOPPED, Status.FAILED}


@pytest.mark.parametrize(("kind", "event"), list(itertools.product(ProcessorKind, Event)), ids=str)
def test_next_status_is_none_for_an_unknown_status(kind: ProcessorKind, event: Event) -> None:
    assert next_status(kind, Status("PAUSED"), event) is None


def test_transitions_are_immutable() -> None:
    with pytest.raises(TypeError):
        TRANSITIONS[FACES] = {}  # type: ignore[index]  # pyright: ignore[reportIndexIssue]
