from __future__ import annotations

import math

import pytest

from aiorekostream.errors import InvalidRequestError
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
