from __future__ import annotations

import math

import pytest

from aiorekostream.errors import (
    CallError,
    ConnectionLostError,
    InvalidRequestError,
    MalformedResponseError,
    ServiceError,
)
from aiorekostream.retry.policy import RetryPolicy


@pytest.mark.parametrize(
    ("arguments", "paths"),
    [
        ({"max_attempts": 0}, ["max_attempts"]),
        ({"max_attempts": True}, ["max_attempts"]),
        ({"base_delay": -1}, ["base_delay"]),
        ({"base_delay": math.nan, "max_delay": math.inf}, ["base_delay", "max_delay"]),
        ({"base_delay": 9, "max_delay": 8}, ["base_delay"]),
    ],
)
def test_policy_rejects_invalid_numbers(arguments: dict[str, float], paths: list[str]) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        RetryPolicy(**arguments)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert [issue.path for issue in caught.value.issues] == paths


def test_policy_supports_equality_and_hash() -> None:
    assert RetryPolicy(max_attempts=3) == RetryPolicy(max_attempts=3)
    assert hash(RetryPolicy()) == hash(RetryPolicy())


def test_policy_accepts_equal_initial_and_maximum_delays() -> None:
    assert RetryPolicy(base_delay=8, max_delay=8).delay(5, 1.0) == 8


def _service_error(http_status: int) -> ServiceError:
    return ServiceError("", operation="StartStreamProcessor", code="Any", http_status=http_status, retry_safe=False)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionLostError("closed", operation="StartStreamProcessor", closed=True), 25 + 2),
        (_service_error(500), 25 + 2),
        (_service_error(503), 25 + 2),
        (_service_error(408), 10 + 40),
        (ConnectionLostError("no response", operation="StartStreamProcessor"), 10 + 40),
        (MalformedResponseError((), operation="StartStreamProcessor"), 10 + 40),
    ],
    ids=["closed", "500", "503", "408", "read timeout", "malformed"],
)
def test_service_may_apply_a_lost_call_from_its_loss_or_its_sending(error: CallError, expected: float) -> None:
    """A closed connection and a server error count from the moment at which they were seen."""
    policy = RetryPolicy(max_apply_delay=40, max_apply_delay_after_close=2)
    assert policy.applied_by(error, sent_at=10, now=25) == expected
