"""The errors that end waits, with hints that say what to do."""

from __future__ import annotations

import pytest

from aiorekostream.client.wait_conditions import Evaluation, Observation, WaitCondition, Waiter
from aiorekostream.client.wait_errors import failure_hint, timeout_error, wait_error
from aiorekostream.domain.status import Status
from aiorekostream.errors import (
    AccessDeniedError,
    ResourceNotFoundError,
    StreamProcessorFailedError,
    WaitTimeoutError,
)

_C = WaitCondition


def _waiter(condition: WaitCondition, status: Status | None = None) -> Waiter:
    return Waiter("camera", condition, 0, 0, status=status)


@pytest.mark.parametrize(
    ("condition", "status", "seconds", "part"),
    [
        (_C.RUNNING, Status.STARTING, 120, "AWS's advice for a processor that is STARTING"),
        (_C.RUNNING, Status.STARTING, 119, ""),
        (_C.RUNNING, Status.STOPPED, 150, "No caller seems to have started it"),
        (_C.RUNNING, Status.UPDATING, 150, ""),
        (_C.FINISHED, Status.STARTING, 10, "A session may last as long as"),
        (_C.FINISHED, Status.UPDATING, 10, ""),
        (_C.STOPPED, Status.RUNNING, 60, "No caller seems to have stopped it"),
        (_C.STOPPED, Status.STARTING, 60, "No caller seems to have stopped it"),
        (_C.STOPPED, Status.STOPPING, 60, ""),
        (_C.DELETED, Status.FAILED, 60, ""),
        (_C.RUNNING, None, 60, ""),
    ],
)
def test_timeout_hints_at_the_likely_cause(
    condition: WaitCondition, status: Status | None, seconds: float, part: str
) -> None:
    error = timeout_error(_waiter(condition, status), seconds)
    assert isinstance(error, WaitTimeoutError)
    assert error.hint.startswith(part)
    assert bool(error.hint) is bool(part)


@pytest.mark.parametrize("condition", [condition for condition in _C if condition is not _C.DELETED])
def test_timeout_after_a_listed_failure_is_a_failure(condition: WaitCondition) -> None:
    waiter = _waiter(condition, Status.FAILED)
    waiter.evaluation = Evaluation.NEEDS_DESCRIBE
    assert isinstance(timeout_error(waiter, 10), StreamProcessorFailedError)


def test_timeout_of_a_deletion_is_no_failure() -> None:
    """The processor was seen FAILED, and a list that leaves it out suggests that it is gone."""
    waiter = _waiter(_C.DELETED, Status.FAILED)
    waiter.evaluation = Evaluation.NEEDS_DESCRIBE
    assert isinstance(timeout_error(waiter, 10), WaitTimeoutError)


@pytest.mark.parametrize(
    ("evaluation", "error"),
    [
        (
            Evaluation.REFUSED,
            ResourceNotFoundError("?", operation="D", code="ResourceNotFoundException", http_status=400),
        ),
        (Evaluation.REFUSED, AccessDeniedError("?", operation="D", code="AccessDeniedException", http_status=400)),
    ],
)
def test_waits_ended_by_one_answer_get_errors_of_their_own(
    evaluation: Evaluation, error: ResourceNotFoundError | AccessDeniedError
) -> None:
    observation = Observation(status=None, described=True, error=error)
    waiter = Waiter("camera", _C.RUNNING, 0, 0, observation=observation, evaluation=evaluation)
    one, other = wait_error(waiter), wait_error(waiter)
    assert type(one) is type(other) is type(error)
    assert one is not None
    assert other is not None
    assert one is not other
    assert one.args == other.args == error.args


@pytest.mark.parametrize(
    ("message", "part"),
    [
        ("Access denied to Role", "trust rekognition.amazonaws.com"),
        ("Access denied to Kinesis Video", "kinesisvideo:GetMedia"),
        ("Access denied to Kinesis Data", "kinesis:PutRecords"),
        ("Stream front-door doesn't exist", "video stream must exist"),
        ("Stream front-door doesn’t exist", "video stream must exist"),  # noqa: RUF001 - as some pages have it
        ("Collection not found", "face collection must exist"),
        ("Stream faces under account 111122223333 not found", "data stream must exist"),
        ("Unsupported video codec format.", "H.264"),
        ("ACCESS DENIED to something new", "lacks a permission"),
        ("The moon is full", "streaming-video-troubleshooting"),
        ("", "streaming-video-troubleshooting"),
        (None, "streaming-video-troubleshooting"),
    ],
)
def test_failure_hint_exists_for_every_message(message: str | None, part: str) -> None:
    assert part in failure_hint(message)
