"""The web service under load: two hundred cameras, and a network that loses, throttles and delays; in virtual time.

The service runs behind HTTP on a Unix socket, whose data arrives at once: only the simulated service takes time.
"""

from __future__ import annotations

import asyncio
import datetime
import random
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import attrs
import pytest
from aiohttp import web

import aiorekostream as rks
from aiorekostream.emulator.world.answers import Refusal
from aiorekostream.transport.attempts import Attempt
from aiorekostream.transport.port import ignored
from examples.web_service import make_app
from tests.effort import part
from tests.emulator.samples import labels
from tests.simulation.fates import Fate, random_fates, refused
from tests.simulation.scenes import SimulatedClock
from tests.simulation.service import EPOCH, SimulatedService
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiorekostream.limits import Scope
    from aiorekostream.testing import Reply

_START = "StartStreamProcessor"
_CAMERAS, _EVENTS, _SECONDS = 200, 500, 20.0
_LOST, _THROTTLED, _LATE = 0.05, 0.05, 0.2  # shares of the requests
_LATENESS = 0.3  # seconds
_THROTTLE = Refusal("ThrottlingException", "Slow down; you are sending too many requests.", 400)


@attrs.define
class BadNetwork:
    """A transport that throttles some requests before the service sees them, and hands some responses on late."""

    service: SimulatedService
    rng: random.Random
    throttled: int = 0
    late: int = 0

    @property
    def region(self) -> str:
        return self.service.region

    @property
    def scope(self) -> Scope:
        return self.service.scope

    @property
    def is_ready(self) -> bool:
        return True

    async def open(self) -> None:
        """Do nothing: it is always open."""

    async def ready(self) -> None:
        """Do nothing: it is always ready."""

    async def aclose(self) -> None:
        """Do nothing: it is always open."""

    async def send(self, operation: str, body: Mapping[str, object], *, on_sent: Callable[[], None] = ignored) -> Reply:
        if self.rng.random() < _THROTTLED:
            self.throttled += 1
            on_sent()
            raise refused(_THROTTLE, Attempt(operation, idempotent=False, signed=True, sent=True))
        try:
            return await self.service.send(operation, body, on_sent=on_sent)
        finally:
            if self.rng.random() < _LATE:
                self.late += 1
                await asyncio.sleep(_LATENESS)


@attrs.frozen
class MotionRequest:
    """A motion event, and what the web service answered.

    Attributes:
        name: the camera.
        began: when the event was posted, on the loop's clock.
        ended: when it was answered.
        status: the HTTP status.
        answer: the body.
    """

    name: str
    began: float
    ended: float
    status: int
    answer: Mapping[str, str | None]


async def _play(service: SimulatedService, network: BadNetwork, rng: random.Random) -> list[MotionRequest]:
    """Post the events at random moments, and return them in the order of their answers."""
    loop = asyncio.get_running_loop()
    names = [f"door-{number:03}" for number in range(_CAMERAS)]
    service.create(*map(labels, names))
    events: list[MotionRequest] = []

    async def happen(session: aiohttp.ClientSession, at: float) -> None:
        name = rng.choice(names)
        await asyncio.sleep(at)
        motion_at = datetime.datetime.fromtimestamp(EPOCH + at, datetime.UTC).isoformat()
        async with session.post(f"http://doors/cameras/{name}/motion", json={"motion_at": motion_at}) as response:
            events.append(MotionRequest(name, at, loop.time(), response.status, await response.json()))

    with tempfile.TemporaryDirectory() as folder:
        socket = str(Path(folder) / "socket")
        client = rks.Client(transport=network, clock=SimulatedClock())
        client._pipeline = attrs.evolve(client.pipeline, random=service.chance)  # the jitter of retries
        runner = web.AppRunner(make_app(client))
        await runner.setup()
        await web.UnixSite(runner, socket).start()
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(socket, limit=0)) as session,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(_EVENTS):
                group.create_task(happen(session, rng.uniform(0, _SECONDS)))
        await runner.cleanup()
    return events


def _untruth(service: SimulatedService, event: MotionRequest) -> str:
    """What is untrue about an answer, or that the event expired; empty if neither."""
    applied = [decision for decision in service.applied(_START, event.name) if decision.at <= event.ended]
    outcome, session_id = event.answer["outcome"], event.answer.get("session_id")
    if len(applied) > 1:
        return f"{event}: {len(applied)} sessions began"
    if outcome == "failed":  # its retries ended at its deadline, each without effect
        return f"{event}: a session began" if applied else ""
    if outcome not in {"started", "shared"}:
        return f"{event}: its outcome is not known in time"
    if not applied:
        return f"{event}: no session began"
    # The response that had the id was lost where there is none.
    return "" if session_id in {applied[0].session_id, None} else f"{event}: another session began"


@pytest.mark.parametrize("seed", range(part(10)))
def test_every_event_has_a_true_outcome_and_none_expires(seed: int) -> None:
    """A session lasts longer than the events do, so each camera that sees motion has exactly one."""
    rng = random.Random(seed)  # noqa: S311 - to be repeated
    share = _LOST / 2 / (1 - _LOST)  # relative to an answer
    fates = random_fates(rng, {Fate.CLOSED_APPLIED: share, Fate.CLOSED_NOT_APPLIED: share})
    service = SimulatedService(seed=seed, fates=fates)
    network = BadNetwork(service, rng)
    events = run(_play(service, network, rng))
    assert len(events) == _EVENTS
    assert network.throttled
    assert network.late
    assert any(event.answer.get("session_id", "") is None for event in events), "no response was lost"
    assert [wrong for event in events if (wrong := _untruth(service, event))] == []
