"""Ensured states after a call whose outcome is unknown: it is made again only when that is safe."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

import aiorekostream as rks
from tests.emulator.samples import faces
from tests.simulation.fates import Fate
from tests.simulation.scenes import make_client
from tests.simulation.service import Network, SimulatedService
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiorekostream.client import Ensured

_APPLY_DELAY = 30.0  # seconds after a read timeout; see RetryPolicy.max_apply_delay
_START, _STOP, _CREATE = "StartStreamProcessor", "StopStreamProcessor", "CreateStreamProcessor"
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
