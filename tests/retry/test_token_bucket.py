"""The token bucket that bounds retries."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aiorekostream.retry.token_bucket import RetryTokenBucket

_FULL, _PRICE = 500, 5


def test_full_bucket_pays_for_a_hundred_retries() -> None:
    quota = RetryTokenBucket()
    assert [quota.acquire() for _ in range(101)] == [True] * 100 + [False]


def test_successful_retry_returns_its_tokens() -> None:
    quota = RetryTokenBucket()
    for _ in range(1000):
        assert quota.acquire()
        assert quota.acquire()
        quota.succeeded(2)
    assert quota.tokens == _FULL


def test_empty_bucket_fills_with_calls_that_succeed_at_once() -> None:
    quota = RetryTokenBucket(tokens=0)
    for _ in range(_PRICE):
        assert not quota.acquire()
        quota.succeeded(0)
    assert quota.acquire()


@given(st.lists(st.sampled_from(["retry", "retried", "success"]), max_size=300))
def test_bucket_stays_between_zero_and_its_capacity(events: list[str]) -> None:
    quota, paid = RetryTokenBucket(), 0
    for event in events:
        before = quota.tokens
        if event == "retry":
            paid += quota.acquire()
        else:
            quota.succeeded(paid if event == "retried" else 0)
            paid = 0 if event == "retried" else paid
            assert quota.tokens >= before
        assert 0 <= quota.tokens <= _FULL


@given(st.integers(1, 3000))
def test_retries_end_with_the_retry_tokens(calls: int) -> None:
    quota = RetryTokenBucket()
    assert sum(quota.acquire() for _ in range(calls)) == min(calls, _FULL // _PRICE)
