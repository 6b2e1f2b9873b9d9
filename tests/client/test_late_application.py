"""Test calls that a slow service applies after their responses were lost: no false outcome, and no second session."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

import aiorekostream as rks
from tests.emulator.samples import faces, labels
from tests.simulation.fates import LOSSES, Effect, Fate
from tests.simulation.scenes import RUN_ON, Answer, label_start, make_client, outcome_of, tell, untruth
from tests.simulation.service import EPOCH, Network, SimulatedService
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

_START, _STOP, _DESCRIBE = "StartStreamProcessor", "StopStreamProcessor", "DescribeStreamProcessor"
_CREATE, _DELETE = "CreateStreamProcessor", "DeleteStreamProcessor"
_LATE = [fate for fate in LOSSES if fate.effect is Effect.LATE]


def _first(fate: Fate, *, times: int = 1) -> Callable[[str, Mapping[str, object]], Fate]:
    """The first requests that change something meet this fate; all others are answered."""
    left = times

    def fate_of(operation: str, _members: Mapping[str, object]) -> Fate:
        nonlocal left
        if operation == _DESCRIBE or not left:
            return Fate.ANSWERED
        left -= 1
        return fate

    return fate_of


_CALLS: dict[str, tuple[str, Callable[[rks.Client], Awaitable[Answer]]]] = {
    _START: ("door", lambda client: client.start_stream_processor(label_start("door", 1))),
    _STOP: ("lobby", lambda client: client.stop_stream_processor("lobby")),
    _CREATE: ("hall", lambda client: client.create_stream_processor(rks.parse_processor(faces("hall")))),
    _DELETE: ("door", lambda client: client.delete_stream_processor("door")),
}


@pytest.mark.parametrize("lateness", [0.0, 0.6, 2.2, 4.0, 29.9])
@pytest.mark.parametrize("read", [0.5, 1.0, 10.0, 30.0])
@pytest.mark.parametrize("total", [3.0, 15.0, 60.0])
@pytest.mark.parametrize("operation", _CALLS)
def test_outcome_is_true_whenever_the_service_applies_the_call(
    operation: str, total: float, read: float, lateness: float
) -> None:
    network = Network(read_timeout=read, lateness=lateness)
    service = SimulatedService(fates=_first(Fate.READ_TIMEOUT_LATE), network=network)

    async def scene() -> str:
        service.create(labels("door"), faces("lobby"))
        service.act(_START, {"Name": "lobby"})
        await asyncio.sleep(10)
        name, call = _CALLS[operation]
        told = await tell(service, operation, name, call(make_client(service, total=total)), lasts=1)
        await asyncio.sleep(RUN_ON)
        return untruth(service, told)

    assert run(scene()) == ""
    assert len(service.applied(operation, _CALLS[operation][0])) == 1


@pytest.mark.parametrize("fate", _LATE)
@pytest.mark.parametrize("operation", _CALLS)
def test_call_is_sent_again_only_after_a_describe_beyond_the_window(operation: str, fate: Fate) -> None:
    """The service drops the first request, and Describe shows so from the beginning."""
    service = SimulatedService(
        fates=_first(Fate[fate.name.replace("LATE", "NOT_APPLIED")]), network=Network(read_timeout=5)
    )

    async def scene() -> None:
        service.create(labels("door"), faces("lobby"))
        service.act(_START, {"Name": "lobby"})
        await asyncio.sleep(10)
        name, call = _CALLS[operation]
        await call(make_client(service))
        first, second = service.sendings[name]
        since, until = fate.loss.window(sent_at=first, seen_at=first)
        assert second > until
        assert len(service.applied(operation, name)) == 1
        assert since >= first

    run(scene())


@pytest.mark.parametrize("operation", _CALLS)
def test_apply_delays_of_the_policy_are_honoured(operation: str) -> None:
    """Both are overridden, and the service is as much slower as they say."""
    policy = rks.RetryPolicy(max_apply_delay=100, max_apply_delay_after_close=50)
    for fate, least in ((Fate.CLOSED_NOT_APPLIED, 50), (Fate.REQUEST_TIMEOUT_NOT_APPLIED, 100)):
        service = SimulatedService(fates=_first(fate))

        async def scene(service: SimulatedService = service, least: float = least) -> None:
            service.create(labels("door"), faces("lobby"))
            service.act(_START, {"Name": "lobby"})
            await asyncio.sleep(10)
            name, call = _CALLS[operation]
            await call(make_client(service, retry=policy))
            first, second = service.sendings[name]
            assert least <= second - first <= least + 20

        run(scene())


@pytest.mark.parametrize(("fate", "delay"), [(Fate.READ_TIMEOUT_LATE, 30), (Fate.REQUEST_TIMEOUT_LATE, 30)])
def test_unknown_outcome_has_the_time_of_a_safe_retry(fate: Fate, delay: float) -> None:
    service = SimulatedService(fates=_first(fate), network=Network(read_timeout=1, lateness=29))

    async def scene() -> Answer:
        service.create(labels("door"))
        return await outcome_of(make_client(service, total=10).start_stream_processor(label_start("door", 60)))

    answer = run(scene())
    assert isinstance(answer, rks.UnknownOutcomeError)
    assert answer.retry_safe_at is not None
    assert answer.retry_safe_at.timestamp() == pytest.approx(EPOCH + delay, abs=0.01)


@pytest.mark.parametrize("fate", LOSSES)
def test_start_is_sent_at_most_max_attempts_times(fate: Fate) -> None:
    for attempts in (1, 3, 12):
        service = SimulatedService(fates=lambda operation, _: Fate.ANSWERED if operation == _DESCRIBE else fate)

        async def scene(service: SimulatedService = service, attempts: int = attempts) -> Answer:
            service.create(labels("door"))
            client = make_client(service, total=3600, retry=rks.RetryPolicy(max_attempts=attempts))
            return await outcome_of(client.start_stream_processor(label_start("door", 60)))

        run(scene())
        assert service.sent[_START] <= attempts


@pytest.mark.parametrize("loss", [Fate.NO_CONNECTION, Fate.CLOSED_NOT_APPLIED, Fate.SERVER_ERROR_NOT_APPLIED])
def test_eight_seconds_without_the_service_lose_no_start(loss: Fate) -> None:
    """Nothing is answered in the first eight seconds, questions included."""
    service = SimulatedService(quotas={_START: rks.Quota(20, 20, "")})
    service.fates = lambda _operation, _members: loss if service.now < 8 else Fate.ANSWERED

    async def scene() -> list[Answer]:
        names = [f"door-{number}" for number in range(50)]
        service.create(*map(labels, names))
        client = make_client(service, total=60)
        return await asyncio.gather(*(outcome_of(client.start_stream_processor(label_start(name))) for name in names))

    answers = run(scene())
    assert all(isinstance(answer, rks.StartedSession) for answer in answers)
    assert len({decision.session_id for decision in service.decisions if not decision.code}) == 50
