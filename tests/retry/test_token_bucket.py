"""The purse for retries."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aiorekostream.retry.token_bucket import RetryTokenBucket

_FULL, _PRICE = 500, 5


def test_a_full_purse_pays_for_a_hundred_retries() -> None:
    quota = RetryTokenBucket()
    assert [quota.acquire() for _ in range(101)] == [True] * 100 + [False]


def test_a_retry_that_succeeds_gives_its_price_back() -> None:
    quota = RetryTokenBucket()
    for _ in range(1000):
        assert quota.acquire()
        assert quota.acquire()
        quota.succeeded(2)
    assert quota.left == _FULL


def test_an_empty_purse_fills_with_calls_that_succeed_at_once() -> None:
    quota = RetryTokenBucket(left=0)
    for _ in range(_PRICE):
        assert not quota.acquire()
        quota.succeeded(0)
    assert quota.acquire()


@given(st.lists(st.sampled_from(["retry", "retried", "success"]), max_size=300))
def test_the_purse_is_never_in_debt_nor_overfull(events: list[str]) -> None:
    quota, paid = RetryTokenBucket(), 0
    for event in events:
        before = quota.left
        if event == "retry":
            paid += quota.acquire()
        else:
            quota.succeeded(paid if event == "retried" else 0)
            paid = 0 if event == "retried" else paid
            assert quota.left >= before
        assert 0 <= quota.left <= _FULL


@given(st.integers(1, 3000))
def test_while_every_call_fails_there_are_no_more_retries_than_the_purse_holds(calls: int) -> None:
    quota = RetryTokenBucket()
    assert sum(quota.acquire() for _ in range(calls)) == min(calls, _FULL // _PRICE)
