"""Whole fleets over a network that loses things, by seed: one outcome for each request, true, and never too many."""

from __future__ import annotations

import asyncio
import datetime
import random
from collections import Counter
from typing import TYPE_CHECKING

import attrs

import aiorekostream as rks
from aiorekostream.fleet.fleet import Fleet
from aiorekostream.fleet.outcomes import Expired, Started, StartOutcome, Unknown
from tests.emulator.samples import faces, labels
from tests.simulation.scenes import label_start, make_client
from tests.simulation.service import Fate, Network, Service
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_START = "StartStreamProcessor"
_LIMIT = 5
_HARMS = [fate for fate in Fate if fate is not Fate.FINE]


def _fates(dice: random.Random) -> Callable[[str, Mapping[str, object]], Fate]:
    chances = [dice.choice([0.0, 0.0, 0.02, 0.1]) for _ in _HARMS]

    def fate(_operation: str, _members: Mapping[str, object]) -> Fate:
        return dice.choices([Fate.FINE, *_HARMS], [1.0, *chances])[0]

    return fate


@attrs.frozen
class _Scene:
    service: Service
    names: list[str]
    outcomes: list[StartOutcome]


async def _play(seed: int) -> _Scene:
    dice = random.Random(seed)  # noqa: S311 - to be repeated
    rate = dice.choice([2.0, 20.0])
    service = Service(
        seed=seed,
        quotas={_START: rks.Quota(rate, rate, ""), "ListStreamProcessors": rks.Quota(5, 5, "")},
        limits=rks.Limits(
            concurrent_label_detection={"us-east-1": _LIMIT}, concurrent_face_search={"us-east-1": _LIMIT}
        ),
        network=Network(read_timeout=dice.choice([2.0, 10.0]), lateness=dice.choice([0.05, 1.0])),
        fates=_fates(dice),
        others={_START: rate * dice.choice([0.01, 0.5])},
    )
    names = [f"camera-{number:02}" for number in range(dice.randint(1, 25))]
    # Face searches never end: no more of them than there may be.
    kinds = {name: number < _LIMIT and dice.random() < 0.3 for number, name in enumerate(names)}
    service.furnish(*((faces if kinds[name] else labels)(name) for name in names))
    client = make_client(service, total=60).with_options(limits=service.limits)
    expires_after = dice.choice([None, None, datetime.timedelta(seconds=10), datetime.timedelta(seconds=60)])
    fleet = Fleet(client, expires_after=expires_after)
    requests = [rks.FaceSearchStart(n) if kinds[n] else label_start(n, dice.choice([1, 5, 20])) for n in names]
    async with asyncio.timeout(3600):
        report = await fleet.start(requests)
    return _Scene(service, names, list(report.outcomes))


def _flaws(scene: _Scene) -> list[str]:
    service, found = scene.service, list[str]()
    if Counter(outcome.name for outcome in scene.outcomes) != Counter(scene.names):
        found.append(f"{len(scene.outcomes)} outcomes for {len(scene.names)} requests")
    for outcome in scene.outcomes:
        done = service.done(_START, outcome.name)
        match outcome:
            case Started(session=session):
                is_true = bool(done) and session.session_id in {None, *(deed.session_id for deed in done)}
            case Unknown():
                is_true = True
            case _:
                # It was looked for and not found; that it is carried out even later than that cannot be foreseen.
                is_true = all(deed.late for deed in done)
        if not is_true:
            found.append(f"{outcome}, but {done}")
    if service.peak > _LIMIT:
        found.append(f"{service.peak} sessions at once")
    return found


def test_every_request_of_a_fleet_has_one_outcome_which_is_true(seeds: range) -> None:
    for seed in seeds[::10]:
        scene = run(_play(seed))
        assert _flaws(scene) == [], f"play seed {seed} again with: pytest tests/simulation --seed {seed}"


def test_what_expires_was_never_sent_late() -> None:
    """200 doors at once, 20 a second, and nobody wants what is older than 5 seconds."""
    service = Service(
        quotas={_START: rks.Quota(20, 20, "")}, limits=rks.Limits(concurrent_label_detection={"us-east-1": 1000})
    )

    async def scene() -> list[StartOutcome]:
        names = [f"door-{number}" for number in range(200)]
        service.furnish(*map(labels, names))
        client = make_client(service).with_options(limits=service.limits)
        report = await Fleet(client, expires_after=datetime.timedelta(seconds=5)).start(map(label_start, names))
        return list(report.outcomes)

    outcomes = run(scene())
    assert sum(isinstance(outcome, Started) for outcome in outcomes) >= 110
    assert all(isinstance(outcome, Started | Expired) for outcome in outcomes)
    assert max(deed.at for deed in service.deeds) <= 5.1
