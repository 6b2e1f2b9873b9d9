"""A day of doorbells, and a minute in which all of them ring."""

from __future__ import annotations

from tests.effort import part
from tests.simulation.doorbells import Day, ring
from tests.virtual_time import run

_LIMIT = 200


def _is_orderly(day: Day) -> bool:
    """Whether no quota was broken, no session was one too many, and each session has its outcome."""
    return (
        set(day.service.codes) == {"applied"}
        and day.service.peak <= _LIMIT
        and _started(day) == day.service.codes["applied"]
    )


def _started(day: Day) -> int:
    return day.outcomes["Started"]


def test_doorbells_of_a_day_break_no_quota() -> None:
    times = part(10_000)
    day = run(ring(1, times=times, seconds=86_400, doors=2_000, limit=_LIMIT))
    assert _is_orderly(day)
    assert day.outcomes.total() == times
    # The others rang at a door that still had a session ten seconds later.
    assert set(day.outcomes) <= {"Started", "Expired"}
    assert _started(day) >= 0.99 * times
    assert day.service.sent["StartStreamProcessor"] == _started(day)
    assert day.tasks <= 20


def test_memory_does_not_grow_in_an_hour_of_doorbells() -> None:
    times = part(1_500)
    day = run(ring(2, times=times, seconds=3_600, doors=300, limit=_LIMIT, weighs=True))
    assert _is_orderly(day)
    assert day.outcomes.total() == times
    assert day.grown <= 200_000


def test_account_limit_is_used_up_when_all_doorbells_ring() -> None:
    day = run(ring(3, times=2_000, seconds=60, doors=2_000, limit=_LIMIT))
    assert _is_orderly(day)
    assert day.outcomes.total() == 2_000
    assert day.service.peak == _LIMIT
    # 200 at once, and about three of each other's places in a minute of sessions of 20 seconds on the average.
    assert _started(day) >= 500
    assert day.waited <= 10.5
