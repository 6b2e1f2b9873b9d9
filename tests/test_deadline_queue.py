"""Deadline queues, compared with a plain dictionary."""

from __future__ import annotations

import math
import sys

from hypothesis import given
from hypothesis import strategies as st

from aiorekostream.deadline_queue import DeadlineQueue

_CHANGES = st.lists(st.tuples(st.sampled_from("abcde"), st.one_of(st.none(), st.floats(0, 100), st.just(math.inf))))


@given(_CHANGES, st.floats(0, 100))
def test_deadline_queue_keeps_the_latest_moment_of_each_key(
    changes: list[tuple[str, float | None]], now: float
) -> None:
    queue, model = DeadlineQueue[str](), dict[str, float]()
    for key, moment in changes:
        if moment is None:
            queue.remove(key)
        else:
            queue.set(key, moment)
        model.pop(key, None)
        if moment is not None and moment < math.inf:
            model[key] = moment
        assert queue.next_moment == min(model.values(), default=math.inf)
        assert len(queue) == len(model)
        if model:
            assert model[queue.first()] == queue.next_moment
    due = queue.pop_due(now)
    assert sorted(due) == sorted(key for key, moment in model.items() if moment <= now)
    assert [model[key] for key in due] == sorted(model[key] for key in due)
    assert len(queue) == len(model) - len(due)


def test_deadline_queue_keeps_the_order_of_equal_moments() -> None:
    queue = DeadlineQueue[str]()
    for key in "cab":
        queue.set(key, 1)
    assert queue.pop_due(1) == ["c", "a", "b"]


def test_deadline_queue_does_not_grow_with_removed_keys() -> None:
    class Key:
        """Counts its references."""

    queue, key = DeadlineQueue[Key](), Key()
    queue.set(Key(), -1)  # the first key may stay for ever: what is removed is behind it
    before = sys.getrefcount(key)
    for number in range(10_000):
        queue.set(key, number)
        queue.remove(key)
    assert sys.getrefcount(key) - before < 100
