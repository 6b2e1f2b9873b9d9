"""Ensured states after a call whose outcome is unknown: it is made again only when that is safe."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

import aiorekostream as rks
from aiorekostream.emulator import Timings
from tests.emulator.samples import faces, labels, session
from tests.simulation.fates import Fate
from tests.simulation.scenes import make_client
from tests.simulation.service import Network, SimulatedService
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiorekostream.client import Ensured

_APPLY_DELAY = 30.0  # seconds after a read timeout; see RetryPolicy.max_apply_delay
_START, _STOP, _CREATE = "StartStreamProcessor", "StopStreamProcessor", "CreateStreamProcessor"
_DESCRIBE = "DescribeStreamProcessor"
_DOOR = faces("door")

_ENSURE: Mapping[str, Callable[[rks.Client], Awaitable[Ensured]]] = {
    _START: lambda client: client.ensure_running(rks.FaceSearchStart("door")),
    _STOP: lambda client: client.ensure_stopped("door"),
    _CREATE: lambda client: client.ensure_created(rks.parse_processor(_DOOR)),
}


@pytest.mark.parametrize("operation", _ENSURE)
@pytest.mark.parametrize("fate", [Fate.READ_TIMEOUT_NOT_APPLIED, Fate.READ_TIMEOUT_LATE, Fate.READ_TIMEOUT_APPLIED])
def test_unknown_call_is_made_again_only_when_that_is_safe(operation: str, fate: Fate) -> None:
    """Its time ends long before the service can no longer apply it."""
    fates = [fate]
    service = SimulatedService(
        fates=lambda asked, _: fates.pop() if asked == operation and fates else Fate.ANSWERED,
        network=Network(read_timeout=2.0, lateness=25.0),
    )

    async def main() -> Ensured:
        if operation != _CREATE:
            service.create(_DOOR)
        if operation == _STOP:
            service.act(_START, {"Name": "door"})
        await asyncio.sleep(60)  # the processor has not changed just now
        ensured = await _ENSURE[operation](make_client(service, total=8))
        await asyncio.sleep(60)
        return ensured

    assert run(main()).name == "door"
    assert len(service.applied(operation, "door")) == 1
    first, *later = service.sendings["door"]
    assert all(sent - first >= _APPLY_DELAY for sent in later)
    assert bool(later) == (fate is Fate.READ_TIMEOUT_NOT_APPLIED)


@pytest.mark.parametrize("kind", ["face search", "label detection"])
def test_lost_stop_is_sent_again_whatever_the_session_does_meanwhile(kind: str) -> None:
    """A face search comes to run in the meantime, and a label detection would go on for a minute."""
    fates = [Fate.READ_TIMEOUT_NOT_APPLIED]
    service = SimulatedService(
        fates=lambda asked, _: fates.pop() if asked == _STOP and fates else Fate.ANSWERED,
        network=Network(read_timeout=2.0),
        timings=Timings(starting=20),
    )
    is_face_search = kind == "face search"

    async def main() -> tuple[Ensured, float]:
        service.create(_DOOR if is_face_search else labels("door"))
        service.act(_START, {"Name": "door"} if is_face_search else session("door", seconds=110))
        await asyncio.sleep(2)
        ensured = await make_client(service, total=8).ensure_stopped("door")
        return ensured, asyncio.get_running_loop().time()

    ensured, now = run(main())
    assert ensured.changed
    assert len(service.sendings["door"]) == 2
    assert now < 2 + _APPLY_DELAY + 10


def test_lost_start_whose_session_is_over_stays_unknown() -> None:
    """It is applied after the call has ended, and another client stops the session before a poll shows it."""
    fates, polls = [Fate.READ_TIMEOUT_LATE], list[float]()

    def fate(asked: str, _: Mapping[str, object]) -> Fate:
        if asked == _DESCRIBE:
            polls.append(asyncio.get_running_loop().time())
        return fates.pop() if asked == _START and fates else Fate.ANSWERED

    service = SimulatedService(fates=fate, network=Network(read_timeout=2.0, lateness=20.0))

    async def main() -> None:
        service.create(_DOOR)
        await asyncio.sleep(60)
        service.act(_STOP, {"Name": "door"}, after=24)
        with pytest.raises(rks.UnknownOutcomeError):
            await make_client(service, total=8).ensure_running(rks.FaceSearchStart("door"))

    run(main())
    assert len([moment for moment in polls if moment > 60 + _APPLY_DELAY]) == 1
    assert len(service.sendings["door"]) == 1
