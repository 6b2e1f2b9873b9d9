"""Many calls under one quota, in virtual time: how long they take, how many requests they need, that none is lost."""

from __future__ import annotations

import asyncio

import pytest

import aiorekostream as rks
from tests.effort import part
from tests.emulator.samples import faces, labels
from tests.simulation.scenes import Answer, at_most, label_start, make_client, outcome_of
from tests.simulation.service import Network, SimulatedService
from tests.virtual_time import run

_START, _STOP = "StartStreamProcessor", "StopStreamProcessor"
_AT_ONCE = 200
_SEEDS = range(part(3))
_ENOUGH = rks.Limits(concurrent_label_detection={"us-east-1": 10_000}, concurrent_face_search={"us-east-1": 10_000})


def _quota(rate: float) -> rks.Quota:
    return rks.Quota(rate, rate, "")


def _starts(service: SimulatedService, many: int, *, believed: rks.Quota) -> tuple[list[Answer], float]:
    """Start so many processors, and say how long that took."""

    async def scene() -> tuple[list[Answer], float]:
        names = [f"door-{number:04}" for number in range(many)]
        service.create(*map(labels, names))
        client = make_client(service, believed=believed)
        answers = await at_most(_AT_ONCE, map(label_start, names), client.start_stream_processor)
        return answers, asyncio.get_running_loop().time()

    return run(scene())


def _throttled(service: SimulatedService) -> int:
    return sum(
        decision.code in {"ThrottlingException", "ProvisionedThroughputExceededException"}
        for decision in service.decisions
    )


@pytest.mark.parametrize("latency", [0.002, 0.02, 0.1])
@pytest.mark.parametrize("seed", _SEEDS)
def test_200_starts_at_a_known_quota_need_one_request_each(seed: int, latency: float) -> None:
    network = Network(latency=latency, jitter=latency / 2)
    service = SimulatedService(seed=seed, quotas={_START: _quota(20)}, limits=_ENOUGH, network=network)
    answers, seconds = _starts(service, 200, believed=_quota(20))
    assert all(isinstance(answer, rks.StartedSession) for answer in answers)
    assert service.sent[_START] == 200
    assert seconds <= 1.05 * (200 - 20) / 20


@pytest.mark.parametrize(("connecting", "most", "at_most"), [(0.06, 200, 1.05), (0.12, 200, 1.05), (0.3, 210, 1.1)])
@pytest.mark.parametrize("seed", _SEEDS)
def test_opening_connections_costs_little(seed: int, connecting: float, most: int, at_most: float) -> None:
    """Two round trips as in the same city, on the same continent, and to another one."""
    network = Network(latency=connecting / 4, jitter=0.01, connecting=connecting)
    service = SimulatedService(seed=seed, quotas={_START: _quota(20)}, limits=_ENOUGH, network=network)
    answers, seconds = _starts(service, 200, believed=_quota(20))
    assert all(isinstance(answer, rks.StartedSession) for answer in answers)
    assert service.sent[_START] <= most
    assert seconds <= at_most * (200 - 20) / 20


@pytest.mark.parametrize("latency", [0.002, 0.02, 0.05])
@pytest.mark.parametrize("seed", _SEEDS)
def test_200_starts_find_7_a_second_while_20_are_believed(seed: int, latency: float) -> None:
    network = Network(latency=latency, jitter=latency / 2)
    service = SimulatedService(seed=seed, quotas={_START: _quota(7)}, limits=_ENOUGH, network=network)
    answers, seconds = _starts(service, 200, believed=_quota(20))
    assert all(isinstance(answer, rks.StartedSession) for answer in answers)
    assert seconds <= 1.15 * (200 - 7) / 7
    assert _throttled(service) <= 0.08 * service.sent[_START]


@pytest.mark.parametrize("latency", [0.002, 0.02, 0.1])
@pytest.mark.parametrize("seed", _SEEDS)
def test_1000_starts_take_what_another_client_leaves(seed: int, latency: float) -> None:
    network = Network(latency=latency, jitter=latency / 2)
    service = SimulatedService(
        seed=seed, quotas={_START: _quota(20)}, limits=_ENOUGH, network=network, others={_START: 10}
    )
    answers, seconds = _starts(service, 1000, believed=_quota(20))
    assert all(isinstance(answer, rks.StartedSession) for answer in answers)
    assert seconds <= 1.15 * (1000 - 20) / 10
    assert _throttled(service) <= 0.05 * service.sent[_START]


@pytest.mark.parametrize("seed", _SEEDS)
def test_freed_quota_is_found_within_half_a_minute(seed: int) -> None:
    others = {_START: 10.0}
    service = SimulatedService(seed=seed, quotas={_START: _quota(20)}, limits=_ENOUGH, others=others, others_until=30)
    answers, seconds = _starts(service, 1000, believed=_quota(20))
    assert all(isinstance(answer, rks.StartedSession) for answer in answers)
    half = 20 + 30 * 10  # until then
    assert seconds <= 30 + 30 + (1000 - half - 30 * 10) / 20


@pytest.mark.parametrize("seed", _SEEDS)
def test_30_stops_at_1_a_second_take_29_seconds_and_lose_none(seed: int) -> None:
    service = SimulatedService(seed=seed, limits=_ENOUGH)

    async def scene() -> tuple[list[Answer], float]:
        names = [f"hall-{number}" for number in range(30)]
        service.create(*map(faces, names))
        for name in names:
            service.act(_START, {"Name": name})
        await asyncio.sleep(5)
        client = make_client(service)
        stops = [outcome_of(client.stop_stream_processor(name)) for name in names]
        return list(await asyncio.gather(*stops)), asyncio.get_running_loop().time() - 5

    answers, seconds = run(scene())
    assert answers == [None] * 30
    assert service.sent[_STOP] <= 31
    assert seconds <= 1.05 * 29
