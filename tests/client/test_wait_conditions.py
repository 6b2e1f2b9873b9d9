"""What one observation means for each wait condition: tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiorekostream.client import wait_conditions
from aiorekostream.client.wait_conditions import (
    Evaluation,
    Observation,
    WaitCondition,
    Waiter,
)
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.status import Status
from aiorekostream.errors import AccessDeniedError, ResourceNotFoundError

_FACES, _LABELS = ProcessorKind.FACE_SEARCH, ProcessorKind.LABEL_DETECTION
_C, _S, _E = WaitCondition, Status, Evaluation
_NOT_FOUND = ResourceNotFoundError("?", operation="D", code="ResourceNotFoundException", http_status=400)
_DENIED = AccessDeniedError("?", operation="D", code="AccessDeniedException", http_status=400)
_ANY_STATUS = [*Status, None, Status("PONDERING")]

# Condition by status, as Describe shows it of the kind that suits the condition; what is left out is PENDING.
_TABLE: dict[WaitCondition, dict[Status | None, Evaluation]] = {
    _C.RUNNING: {_S.RUNNING: _E.SATISFIED, _S.FAILED: _E.FAILED, None: _E.REFUSED},
    _C.FINISHED: {_S.STOPPED: _E.SATISFIED, _S.RUNNING: _E.WRONG_KIND, _S.FAILED: _E.FAILED, None: _E.REFUSED},
    _C.STOPPED: {_S.STOPPED: _E.SATISFIED, _S.FAILED: _E.FAILED, None: _E.REFUSED},
    _C.STEADY: {
        _S.STOPPED: _E.SATISFIED,
        _S.FAILED: _E.SATISFIED,
        _S.RUNNING: _E.SATISFIED,
        None: _E.REFUSED,
    },
    _C.DELETED: {None: _E.SATISFIED},
    _C.OBSERVED: dict.fromkeys(_ANY_STATUS, _E.SATISFIED),
}
_KINDS = {_C.RUNNING: _FACES, _C.FINISHED: _LABELS}
_every_case = pytest.mark.parametrize(
    ("condition", "status"), [(condition, status) for condition in _C for status in _ANY_STATUS]
)


def _described(status: Status | None, kind: ProcessorKind | None = None) -> Observation:
    return Observation(status=status, kind=kind, described=True, error=_NOT_FOUND if status is None else None)


def _evaluate(
    condition: WaitCondition,
    observation: Observation,
    *,
    was_seen: bool = False,
    was_starting: bool = False,
    was_stopping: bool = False,
    is_new: bool = False,
) -> Evaluation:
    status = _S.STOPPING if was_stopping else _S.UPDATING if was_seen else None
    waiter = Waiter("a", condition, 0, 0, status=status, starting_since=0 if was_starting else None)
    return wait_conditions.evaluate(waiter, observation, 2 if is_new else 100)


@_every_case
def test_describe_ends_a_wait_by_the_table(condition: WaitCondition, status: Status | None) -> None:
    expected = _TABLE[condition].get(status, _E.PENDING)
    assert _evaluate(condition, _described(status, _KINDS.get(condition))) is expected


@_every_case
def test_list_needs_describe_for_failures_and_absence(condition: WaitCondition, status: Status | None) -> None:
    expected = _TABLE[condition].get(status, _E.PENDING)
    if status is None or expected is _E.FAILED:
        expected = _E.NEEDS_DESCRIBE
    assert _evaluate(condition, Observation(status=status)) is expected


@pytest.mark.parametrize("condition", [_C.RUNNING, _C.FINISHED])
@pytest.mark.parametrize("status", list(Status))
def test_other_kind_is_wrong_in_every_status(condition: WaitCondition, status: Status) -> None:
    other = _LABELS if condition is _C.RUNNING else _FACES
    # A label detection is never RUNNING by AWS's documentation; if it is, the condition holds.
    is_running = (condition, status) == (_C.RUNNING, _S.RUNNING)
    assert _evaluate(condition, _described(status, other)) is (_E.SATISFIED if is_running else _E.WRONG_KIND)


def test_stopped_ends_a_wait_for_running_only_after_starting() -> None:
    described = _described(_S.STOPPED, _FACES)
    assert _evaluate(_C.RUNNING, described, was_seen=True) is _E.PENDING
    assert _evaluate(_C.RUNNING, described, was_seen=True, was_starting=True) is _E.STOPPED_EARLY
    listed = Observation(status=_S.STOPPED)
    assert _evaluate(_C.RUNNING, listed, was_seen=True, was_starting=True) is _E.NEEDS_DESCRIBE


@_every_case
def test_starting_is_settled_only_after_stopping(condition: WaitCondition, status: Status | None) -> None:
    evaluation = _evaluate(condition, _described(status, _KINDS.get(condition)), was_seen=True, was_stopping=True)
    is_restart = (condition, status) == (_C.STEADY, _S.STARTING)
    assert evaluation is (_E.SATISFIED if is_restart else _TABLE[condition].get(status, _E.PENDING))


def test_stopped_is_pending_for_deleted() -> None:
    assert _evaluate(_C.DELETED, _described(_S.STOPPED), was_seen=True, was_starting=True) is _E.PENDING


@pytest.mark.parametrize("condition", _C)
def test_absence_is_pending_while_a_creation_may_be_new(condition: WaitCondition) -> None:
    by_absence = condition in {_C.DELETED, _C.OBSERVED}
    assert _evaluate(condition, _described(None), is_new=True) is (_E.SATISFIED if by_absence else _E.PENDING)
    seen = _evaluate(condition, _described(None), is_new=True, was_seen=True)
    assert seen is (_E.SATISFIED if by_absence else _E.REFUSED)


@pytest.mark.parametrize("condition", _C)
@pytest.mark.parametrize("error", [None, _DENIED])
def test_absence_is_refused_without_resource_not_found(
    condition: WaitCondition, error: AccessDeniedError | None
) -> None:
    observation = Observation(status=None, described=True, error=error)
    assert _evaluate(condition, observation) is _E.REFUSED


def test_absence_from_lists_never_ends_a_wait() -> None:
    for condition in _C:
        waiter = Waiter("a", condition, 0, 0)
        evaluations = {waiter.observe(Observation(status=None), now, 0.5) for now in range(100)}
        assert evaluations <= {_E.PENDING, _E.NEEDS_DESCRIBE}


@given(st.floats(0, 1e6), st.floats(0, 1))
def test_poll_interval_grows_from_a_third_of_a_second_to_six(age: float, random: float) -> None:
    young, old = (Waiter("a", _C.RUNNING, -each, 0) for each in (age, age + 1))
    for waiter in (young, old):
        waiter.observe(_described(_S.STARTING), 0, random)
    assert 0.375 <= young.due <= 6.25
    assert young.due <= old.due


@pytest.mark.parametrize(("age", "random", "due"), [(0, 0, 0.375), (0, 1, 0.625), (100, 0, 3.75), (100, 1, 6.25)])
def test_poll_interval_has_jitter(age: float, random: float, due: float) -> None:
    waiter = Waiter("a", _C.RUNNING, -age, 0)
    waiter.observe(_described(_S.STARTING), 0, random)
    assert waiter.due == due
