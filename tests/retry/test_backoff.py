from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiorekostream.retry.policy import full_jitter


@pytest.mark.parametrize(("attempt", "ceiling"), [(1, 0.5), (2, 1.0), (3, 2.0), (5, 8.0), (6, 8.0), (5000, 8.0)])
def test_ceiling_doubles_with_each_attempt_up_to_the_cap(attempt: int, ceiling: float) -> None:
    assert full_jitter(attempt, base=0.5, cap=8.0, random=1.0) == ceiling


@given(st.integers(1, 100), st.floats(0, 10), st.floats(0, 60), st.floats(0, 1))
def test_delay_is_between_zero_and_the_ceiling(attempt: int, base: float, cap: float, chance: float) -> None:
    assert 0 <= full_jitter(attempt, base=base, cap=cap, random=chance) <= min(cap, base * 2.0**attempt)


@given(st.integers(1, 100))
def test_delay_uses_the_whole_range_at_the_cap(attempt: int) -> None:
    assert full_jitter(attempt, base=1, cap=1, random=0) == 0
    assert full_jitter(attempt, base=1, cap=1, random=0.5) == 0.5
