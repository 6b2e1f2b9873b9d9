"""Play whole fleets over a network that loses responses, by seed: one true outcome a request, and never too many."""

from __future__ import annotations

import asyncio
import datetime
import random
from collections import Counter

import attrs

import aiorekostream as rks
from aiorekostream.fleet.fleet import Fleet
from aiorekostream.fleet.outcomes import Expired, Started, StartOutcome, Unknown
from tests.emulator.samples import faces, labels
from tests.simulation.fates import LOSSES, random_fates
from tests.simulation.scenes import RUN_ON, label_start, make_client
from tests.simulation.service import Network, SimulatedService
from tests.virtual_time import run

_START = "StartStreamProcessor"
_LIMIT = 5


@attrs.frozen
class _FleetScene:
    service: SimulatedService
    names: list[str]
    outcomes: list[StartOutcome]


async def _play(seed: int) -> _FleetScene:
    rng = random.Random(seed)  # noqa: S311 - to be repeated
    rate = rng.choice([2.0, 20.0])
    service = SimulatedService(
        seed=seed,
        quotas={_START: rks.Quota(rate, rate, ""), "ListStreamProcessors": rks.Quota(5, 5, "")},
        limits=rks.Limits(
            concurrent_label_detection={"us-east-1": _LIMIT}, concurrent_face_search={"us-east-1": _LIMIT}
        ),
        network=Network(read_timeout=rng.choice([2.0, 10.0]), lateness=rng.choice([None, None, 0.05, 1.0])),
        fates=random_fates(rng, {fate: rng.choice([0.0, 0.0, 0.02, 0.1]) for fate in LOSSES}),
        others={_START: rate * rng.choice([0.01, 0.5])},
    )
    names = [f"camera-{number:02}" for number in range(rng.randint(1, 25))]
    # Face searches never end: no more of them than there may be.
    kinds = {name: number < _LIMIT and rng.random() < 0.3 for number, name in enumerate(names)}
    service.create(*((faces if kinds[name] else labels)(name) for name in names))
    client = make_client(service, total=60).with_options(limits=service.limits)
    expires_after = rng.choice([None, None, datetime.timedelta(seconds=10), datetime.timedelta(seconds=60)])
    fleet = Fleet(client, expires_after=expires_after)
    requests = [rks.FaceSearchStart(n) if kinds[n] else label_start(n, rng.choice([1, 5, 20])) for n in names]
    async with asyncio.timeout(3600):
        report = await fleet.start(requests)
    await asyncio.sleep(RUN_ON)
    return _FleetScene(service, names, list(report.outcomes))


def _flaws(scene: _FleetScene) -> list[str]:
    service, found = scene.service, list[str]()
    if Counter(outcome.name for outcome in scene.outcomes) != Counter(scene.names):
        found.append(f"{len(scene.outcomes)} outcomes for {len(scene.names)} requests")
    for outcome in scene.outcomes:
        applied = service.applied(_START, outcome.name)
        ids = {None, *(decision.session_id for decision in applied)}
        match outcome:
            case Started(session=session):
                is_true = len(applied) == 1 and session.session_id in ids
            case Unknown():
                is_true = len(applied) <= 1
            case _:
                is_true = not applied  # not even late
        if not is_true:
            found.append(f"{outcome}, but {applied}")
    if service.peak > _LIMIT:
        found.append(f"{service.peak} sessions at once")
    return found


def test_fleet_gives_each_request_one_true_outcome(seeds: range) -> None:
    for seed in seeds[::10]:
        scene = run(_play(seed))
        assert _flaws(scene) == [], f"play seed {seed} again with: pytest tests/simulation --seed {seed}"


def test_expired_request_was_never_sent() -> None:
    """200 starts at once, 20 a second, and each expires after 5 seconds."""
    service = SimulatedService(
        quotas={_START: rks.Quota(20, 20, "")}, limits=rks.Limits(concurrent_label_detection={"us-east-1": 1000})
    )

    async def scene() -> list[StartOutcome]:
        names = [f"door-{number}" for number in range(200)]
        service.create(*map(labels, names))
        client = make_client(service).with_options(limits=service.limits)
        report = await Fleet(client, expires_after=datetime.timedelta(seconds=5)).start(map(label_start, names))
        return list(report.outcomes)

    outcomes = run(scene())
    assert sum(isinstance(outcome, Started) for outcome in outcomes) >= 110
    assert all(isinstance(outcome, Started | Expired) for outcome in outcomes)
    assert max(decision.at for decision in service.decisions) <= 5.1
