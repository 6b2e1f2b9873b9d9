"""The motion workers of the examples: three processes, killed between starts and acknowledgements, lose no event."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from examples.motion_workers.run_locally import SETTINGS, run
from examples.motion_workers.worker import Settings
from tests.distributed.servers import find_programs, running_server
from tests.effort import part

if TYPE_CHECKING:
    from collections.abc import Mapping

# Workers are killed in the first half of the events.
_EVENTS, _KILLS = max(6, part(24)), part(4)
_URLS = {"REDIS_URL": "redis://localhost", "MOTION_QUEUE_URL": "motion", "RESULTS_QUEUE_URL": "results"}


async def test_killed_workers_start_one_session_for_each_event() -> None:
    """Outcomes are those that were logged before the acknowledgement, so an event may have several."""
    with running_server(next(iter(find_programs().values()))) as server:
        report = await run(server.url, events=_EVENTS, kills=_KILLS)
    assert report.kills == _KILLS
    assert len(report.outcomes) == _EVENTS, "every event has an outcome"
    assert set(report.sessions.values()) == {1}, "no event has two sessions"
    assert report.most_at_once <= int(SETTINGS["SESSION_LIMIT"])
    for camera, outcomes in report.outcomes.items():
        assert report.sessions[camera] or set(outcomes) == {"Expired"}, f"{camera} has no session: {outcomes}"
    assert len(report.handled) == report.sessions.total(), "the results of each session were handled"


@pytest.mark.parametrize(
    "wrong",
    [
        {"VISIBILITY_SECONDS": "25"},
        {"VISIBILITY_SECONDS": "5"},
        {"SESSION_SECONDS": "29"},
    ],
)
def test_settings_that_allow_two_sessions_are_invalid(wrong: Mapping[str, str]) -> None:
    assert Settings.read(_URLS).session_seconds == 30
    with pytest.raises(ValueError, match="must"):
        Settings.read({**_URLS, **wrong})
