"""Many hosts that share quotas and slots, while hosts die and join and the server goes away: the oracle of events."""

from __future__ import annotations

import pytest

from tests.effort import part
from tests.simulation.many_hosts import HourPlan, play
from tests.virtual_time import run

_PLAN = HourPlan(
    hosts=6,
    cameras=120,
    seconds=300,
    events=900,
    session_limit=60,
    starts_per_second=8,
    death_every=45,
    away=(120.0, 180.0),
)


@pytest.mark.parametrize("seed", range(1, 1 + part(2)))
def test_many_hosts_keep_the_quotas_and_each_event_has_one_outcome(seed: int) -> None:
    course = run(play(_PLAN, seed=seed))
    assert course.flaws() == []
    assert course.dead == 6
    assert course.outcomes(away=True)["Expired"] > 100, "no session is started without the server"
    meanwhile = course.outcomes(away=False)
    assert meanwhile["Expired"] <= 0.02 * meanwhile.total()
    assert course.service.peak > 0.75 * _PLAN.session_limit
    assert course.trips < 10 * _PLAN.events
