"""Play thousands of small scenes with every kind of fault, by seed: the outcome of each call is true."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import aiorekostream as rks
from aiorekostream.domain.status import STARTABLE
from aiorekostream.emulator import Timings
from aiorekostream.fleet import Fleet
from tests.emulator.samples import faces, labels, session
from tests.simulation.fates import LOSSES, random_fates
from tests.simulation.scenes import RUN_ON, Answer, Told, label_start, make_client, tell, untruth
from tests.simulation.service import Network, SimulatedService
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Coroutine

_START, _STOP = "StartStreamProcessor", "StopStreamProcessor"
_CREATE, _DELETE = "CreateStreamProcessor", "DeleteStreamProcessor"
_DESCRIBE = "DescribeStreamProcessor"
_COMMON, _RARE = 0.15, 0.02
_PAST = 60.0  # seconds in which another client may act before the calls begin
_ROUNDING = 1e-6


def _service(seed: int, rng: random.Random) -> SimulatedService:
    rate = rng.choice([1.0, 5.0, 20.0])
    network = Network(
        latency=rng.choice([0.001, 0.02, 0.2]),
        jitter=rng.choice([0.0, 0.01, 0.2]),
        read_timeout=rng.choice([2.0, 10.0, 30.0]),
        lateness=rng.choice([None, None, None, 0.05, 1e9]),
    )
    timings = Timings(
        media=rng.choice([1e6, 1e6, 1.0, 8.0]),
        overshoot=rng.choice([0.0, 3.0, 9.0]),
        starting=rng.choice([2.0, 2.0, 8.0]),
        deleting=rng.choice([0.0, 2.0, 5.0]),
    )
    return SimulatedService(
        seed=seed,
        quotas={name: rks.Quota(rate, rate, "") for name in (_START, _STOP, _DESCRIBE)},
        network=network,
        timings=timings,
        fates=random_fates(rng, {fate: rng.choice([0.0, _RARE, _COMMON]) for fate in LOSSES}),
        others={_START: rate * rng.choice([0.01, 0.5])},
        has_whole_seconds=rng.random() < 0.3,
        skew=rng.uniform(-100, 100),
    )


def _act(service: SimulatedService, name: str, rng: random.Random, *, is_face: bool) -> None:
    """What another client did with the processor in the minute before, or does later."""
    start = {"Name": name} if is_face else session(name, seconds=rng.choice([5, 10, 30, 120]))
    begun = rng.uniform(0, 50)
    match rng.choice(["nothing", "nothing", "started", "failed", "stopped", "stopped soon", "later"]):
        case "started":
            service.act(_START, start, after=begun)
        case "failed":
            service.fail(name, after=rng.uniform(0, 20))
            service.act(_START, start, after=begun)
        case "stopped":
            service.act(_START, start, after=begun)
            service.act(_STOP, {"Name": name}, after=begun + rng.uniform(0, 30))
        case "stopped soon":
            # The call's own session, perhaps, just after it began.
            for after in (1.0, 3.0, 5.0):
                service.act(_STOP, {"Name": name}, after=_PAST + after + rng.uniform(0, 1))
        case "later":
            later = _PAST + rng.uniform(0, 60)
            service.act(_START, start, after=later)
            service.act(_STOP, {"Name": name}, after=later + rng.choice([3.0, 30.0, 300.0]))
        case _:
            pass


def _call(
    service: SimulatedService, client: rks.Client, name: str, rng: random.Random
) -> tuple[str, Coroutine[None, None, Answer], float]:
    """One call with the past of its processor: its operation, the call, and how long its session should last."""
    is_face = rng.random() < 0.3
    processor = (faces if is_face else labels)(name)
    if rng.random() < 0.15:
        if rng.random() < 0.5:
            service.act(_CREATE, processor, after=rng.choice([10.0, _PAST + rng.uniform(0, 60)]))
        return _CREATE, client.create_stream_processor(rks.parse_processor(processor)), 0.0
    service.create(processor)
    _act(service, name, rng, is_face=is_face)
    match rng.choice([_START, _START, _START, _STOP, _DELETE]):
        case "StartStreamProcessor":
            seconds = rng.choice([1, 5, 10, 60])
            request = rks.FaceSearchStart(name) if is_face else label_start(name, seconds)
            return _START, client.start_stream_processor(request), 0.0 if is_face else seconds
        case "StopStreamProcessor":
            return _STOP, client.stop_stream_processor(name), 0.0
        case _:
            return _DELETE, client.delete_stream_processor(name), 0.0


async def play(seed: int) -> tuple[SimulatedService, list[Told], float]:
    """Play the scene of a seed: what the service did, what the calls said, and the time that each call had."""
    rng = random.Random(seed)  # noqa: S311 - to be repeated
    service = _service(seed, rng)
    total = rng.choice([5.0, 20.0, 60.0, 60.0, 180.0])
    client = make_client(service, total=total)
    if rng.random() < 0.2:
        client = client.with_options(rate_limiter=None)

    async def later(operation: str, name: str, call: Coroutine[None, None, Answer], lasts: float) -> Told:
        await asyncio.sleep(rng.uniform(0, 3))
        return await tell(service, operation, name, call, lasts=lasts)

    calls: list[Coroutine[None, None, Told]] = []
    for number in range(rng.randint(1, 6)):
        name = f"camera-{number}"
        operation, call, lasts = _call(service, client, name, rng)
        calls.append(later(operation, name, call, lasts))
    await asyncio.sleep(_PAST)
    told = await asyncio.gather(*calls)
    await asyncio.sleep(RUN_ON)
    return service, told, total


def flaws(seed: int) -> list[str]:
    """What is untrue or late in the scene of a seed."""
    service, tales, total = run(play(seed))
    found = [f"{told} took too long" for told in tales if told.ended > told.begun + total + _ROUNDING]
    return found + list(filter(None, (untruth(service, told) for told in tales)))


def test_call_outcomes_are_true_and_stay_true(seeds: range) -> None:
    for seed in seeds:
        assert flaws(seed) == [], f"play seed {seed} again with: pytest tests/simulation --seed {seed}"


def test_scene_is_repeated_by_its_seed() -> None:
    (first, told_first, _), (second, told_second, _) = run(play(11)), run(play(11))
    assert first.decisions == second.decisions
    assert first.sendings == second.sendings
    assert [str(told.answer) for told in told_first] == [str(told.answer) for told in told_second]


async def _ensure(seed: int) -> list[str]:
    """Let a client ensure that processors run; tell where that began more than one session."""
    rng = random.Random(seed)  # noqa: S311 - to be repeated
    service = _service(seed, rng)
    client = make_client(service, total=rng.choice([5.0, 20.0, 60.0]))
    calls: dict[str, Coroutine[None, None, object]] = {}
    for number in range(rng.randint(1, 6)):
        name, is_face = f"camera-{number}", rng.random() < 0.3
        service.create((faces if is_face else labels)(name))
        _act(service, name, rng, is_face=is_face)
        request = rks.FaceSearchStart(name) if is_face else label_start(name, rng.choice([1, 5, 60]))
        calls[name] = client.ensure_running(request)
    await asyncio.sleep(_PAST)
    found = await asyncio.gather(*calls.values(), return_exceptions=True)
    await asyncio.sleep(RUN_ON)
    crashes = [error for error in found if isinstance(error, Exception) and not isinstance(error, rks.RekostreamError)]
    begun = {name: service.applied(_START, name) for name in calls}
    return [*map(repr, crashes), *(f"{name}: {starts}" for name, starts in begun.items() if len(starts) > 1)]


def test_ensure_running_begins_at_most_one_session(seeds: range) -> None:
    for seed in seeds[::5]:
        assert run(_ensure(seed)) == [], f"play seed {seed} again with: pytest tests/simulation --seed {seed}"


async def _rest(seed: int) -> list[str]:
    """Let a fleet ensure that processors are at rest; tell where an outcome is untrue."""
    rng = random.Random(seed)  # noqa: S311 - to be repeated
    service = _service(seed, rng)
    fleet = Fleet(make_client(service, total=rng.choice([5.0, 20.0, 60.0])))
    untrue: list[str] = []

    async def stop(name: str) -> None:
        (outcome,) = await fleet.ensure_stopped([name])
        status = service.account.processors[name].status
        if status not in STARTABLE and isinstance(outcome, rks.Stopped | rks.AlreadyStopped):
            untrue.append(f"{name} is {status}: {outcome}")
        elif isinstance(outcome, rks.Failed) and not isinstance(outcome.error, rks.RekostreamError):
            untrue.append(repr(outcome))

    names = [f"camera-{number}" for number in range(rng.randint(1, 6))]
    for name in names:
        is_face = rng.random() < 0.5
        service.create((faces if is_face else labels)(name))
        start = {"Name": name} if is_face else session(name, seconds=rng.choice([30, 120]))
        service.act(_START, start, after=rng.uniform(0, _PAST))
    await asyncio.sleep(_PAST)
    await asyncio.gather(*map(stop, names))
    return untrue


def test_fleet_ensures_that_processors_are_at_rest(seeds: range) -> None:
    for seed in seeds[::10]:
        assert run(_rest(seed)) == [], f"play seed {seed} again with: pytest tests/simulation --seed {seed}"
