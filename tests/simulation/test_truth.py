"""Thousands of small scenes with everything that may go wrong, by seed: whatever a call says is true."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
from typing import TYPE_CHECKING

import aiorekostream as rks
from tests.emulator.samples import faces, labels, session
from tests.simulation.scenes import Answer, Told, label_start, make_client, tell, untruth
from tests.simulation.service import Fate, Network, Service
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

_START = "StartStreamProcessor"
_TOTAL = 60.0
_HARMS = [fate for fate in Fate if fate is not Fate.FINE]
_COMMON, _RARE = 0.25, 0.02


def _fates(dice: random.Random) -> Callable[[str, Mapping[str, object]], Fate]:
    chances = [dice.choice([0.0, _RARE, _COMMON]) / 2 for _ in _HARMS]

    def fate(_operation: str, _members: Mapping[str, object]) -> Fate:
        return dice.choices([Fate.FINE, *_HARMS], [1.0, *chances])[0]

    return fate


def _service(seed: int, dice: random.Random) -> Service:
    rate = dice.choice([1.0, 5.0, 20.0])
    quotas = {name: rks.Quota(rate, rate, "") for name in (_START, "StopStreamProcessor", "DescribeStreamProcessor")}
    network = Network(
        latency=dice.choice([0.001, 0.02, 0.2]),
        jitter=dice.choice([0.0, 0.01, 0.2]),
        read_timeout=dice.choice([2.0, 10.0, 30.0]),
        lateness=dice.choice([0.05, 1.0, 6.0]),
    )
    return Service(
        seed=seed,
        quotas=quotas,
        network=network,
        fates=_fates(dice),
        others={_START: rate * dice.choice([0.01, 0.5])},
        skew=dice.uniform(-100, 100),
    )


def _past(service: Service, name: str, *, is_face: bool, dice: random.Random) -> None:
    """What somebody else did with the processor in the minute before, or will do later."""
    start = {"Name": name} if is_face else session(name, seconds=dice.choice([5, 10, 30, 120]))
    begun = dice.uniform(0, 50)
    match dice.choice(["nothing", "nothing", "started", "failed", "stopped", "later"]):
        case "started":
            service.somebody(_START, start, after=begun)
        case "failed":
            service.doom(name, after=dice.uniform(0, 20))
            service.somebody(_START, start, after=begun)
        case "stopped":
            service.somebody(_START, start, after=begun)
            service.somebody("StopStreamProcessor", {"Name": name}, after=begun + dice.uniform(0, 30))
        case "later":
            service.somebody(_START, start, after=60 + dice.uniform(0, 60))
        case _:
            pass


async def play(seed: int) -> tuple[Service, list[Told]]:
    """Play the scene of a seed: what the service did, and what the calls said."""
    dice = random.Random(seed)  # noqa: S311 - to be repeated
    service = _service(seed, dice)
    client = make_client(service, total=_TOTAL)

    async def later(operation: str, name: str, call: Coroutine[None, None, Answer], lasts: float = 0.0) -> Told:
        await asyncio.sleep(dice.uniform(0, 3))
        return await tell(service, operation, name, call, lasts=lasts)

    calls: list[Coroutine[None, None, Told]] = []
    for number in range(dice.randint(1, 6)):
        name, is_face = f"camera-{number}", dice.random() < 0.3
        service.furnish((faces if is_face else labels)(name))
        _past(service, name, is_face=is_face, dice=dice)
        match dice.choice(["start", "start", "start", "stop", "delete"]):
            case "start":
                seconds = dice.choice([1, 5, 10, 60])
                request = rks.FaceSearchStart(name) if is_face else label_start(name, seconds)
                lasts = math.inf if is_face else seconds
                calls.append(later(_START, name, client.start_stream_processor(request), lasts))
            case "stop":
                calls.append(later("StopStreamProcessor", name, client.stop_stream_processor(name)))
            case _:
                calls.append(later("DeleteStreamProcessor", name, client.delete_stream_processor(name)))
    await asyncio.sleep(60)
    return service, await asyncio.gather(*calls)


def cannot_be_told(service: Service, told: Told) -> bool:
    """Whether what somebody else did looks just like what was asked.

    Their session began within seconds of a request of ours, so that theirs may as well be ours, or it came to its end
    when ours would have.
    """
    if told.operation != _START:
        return False
    theirs = [deed.at for deed in service.done(_START, told.name, ours=False) if deed.at <= told.ended]
    for sent in service.sendings.get(told.name, []):
        until = 14 if told.lasts == math.inf else 4
        if any(-3 <= moment - sent <= until for moment in theirs):
            return True
        if theirs and told.is_idle and told.lasts - 2 <= told.changed - sent <= told.lasts + 15:
            return True
    return False


def doubled(service: Service, told: Told) -> bool:
    """Whether one start began two sessions, although the first was not over when the second began."""
    begun = [deed.at for deed in service.done(_START, told.name)]
    return any(later - earlier < told.lasts for earlier, later in itertools.pairwise(begun)) and not any(
        deed.operation != _START for deed in service.deeds if deed.name == told.name
    )


def flaws(seed: int) -> list[str]:
    """What is untrue, late or done twice in the scene of a seed."""
    service, tales = run(play(seed))
    found = [f"{told} took too long" for told in tales if told.ended > told.begun + _TOTAL + 1e-6]
    found += [f"{told} was done twice" for told in tales if told.operation == _START and doubled(service, told)]
    return found + list(filter(None, (untruth(service, it) for it in tales if not cannot_be_told(service, it))))


def test_whatever_a_call_says_is_true(seeds: range) -> None:
    for seed in seeds:
        assert flaws(seed) == [], f"play seed {seed} again with: pytest tests/simulation --seed {seed}"


def test_a_seed_plays_the_same_scene_every_time() -> None:
    (first, told_first), (second, told_second) = run(play(11)), run(play(11))
    assert first.deeds == second.deeds
    assert first.sendings == second.sendings
    assert [str(told.answer) for told in told_first] == [str(told.answer) for told in told_second]
