"""Session monitors: the sweep that is the default, and those of a program."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.fleet import Fleet, SessionEnd
from aiorekostream.fleet.monitor import PolledSessions
from aiorekostream.testing import MemoryTransport
from tests.fleet.service import FACE, STOP, label, run, service_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_ALL = {"works": "STARTING", "runs": "RUNNING", "stops": "STOPPING", "rests": "STOPPED", "failed": "FAILED"}
_GONE = errors.ResourceNotFoundError(
    "", operation="DescribeStreamProcessor", code="ResourceNotFoundException", http_status=400, retry_safe=True
)


def _ended(*names: str, listed: Mapping[str, str]) -> tuple[set[str], list[str]]:
    """Which of them have ended, where a list skips some, and what was asked for that."""

    def answer(operation: str, body: Mapping[str, object]) -> Mapping[str, object] | Exception:
        if operation == "ListStreamProcessors":
            return {"StreamProcessors": [{"Name": name, "Status": status} for name, status in listed.items()]}
        name = str(body["Name"])
        found = {"Name": name, "StreamProcessorArn": "arn", "Status": _ALL[name]} if name in _ALL else None
        return found or _GONE

    transport = MemoryTransport(answer)
    ends = run(PolledSessions(rks.Client(transport=transport)).ended(names))
    over = {end if isinstance(end, str) else end.name for end in ends}
    return over, [f"{operation} {body.get('Name', '')}".strip() for operation, body in transport.calls]


def test_monitor_shows_processors_at_rest_with_one_list() -> None:
    over, asked = _ended(*_ALL, listed=_ALL)
    assert over == {"rests", "failed"}
    assert asked == ["ListStreamProcessors"]


def test_monitor_describes_what_a_list_skipped() -> None:
    over, asked = _ended(*_ALL, "deleted", listed={})
    assert over == {"rests", "failed", "deleted"}
    assert sorted(asked[1:]) == [f"DescribeStreamProcessor {name}" for name in sorted([*_ALL, "deleted"])]


def test_monitor_that_is_an_empty_collection_is_asked() -> None:
    class Monitor(list[str]):
        async def ended(self, names: Collection[str]) -> Collection[str]:
            return names

    async def main() -> tuple[SessionEnd, float]:
        async with Fleet(service.client(), session_monitor=Monitor()) as fleet:
            ends = fleet.session_ends()
            await fleet.submit(label("camera-0", 60))
            async with asyncio.timeout(30):
                return await anext(ends), service.clock.now()

    service = service_of(1)
    end, at = run(main())
    assert end.name == "camera-0"
    assert at < 30


@pytest.mark.parametrize("answer", ["hangs", [["face-0"]], [None], None, 7, asyncio.CancelledError()], ids=repr)
def test_fleet_goes_on_when_a_monitor_breaks_its_contract(answer: object) -> None:
    """Once; its next answer is true, and only it shows that another client has stopped the session."""

    class BrokenMonitor:
        is_broken = True

        async def ended(self, names: Collection[str]) -> Collection[str]:
            if self.is_broken:
                self.is_broken = False
                if isinstance(answer, BaseException):
                    raise answer
                if answer == "hangs":
                    await asyncio.get_running_loop().create_future()
                return cast("Collection[str]", answer)
            return names

    async def main() -> None:
        service.act(STOP, "face-0", after=3)
        async with asyncio.timeout(1000), Fleet(service.client(), session_monitor=BrokenMonitor()) as fleet:
            report = await fleet.start([FACE, FACE])
            assert report.counts == {"started": 2}

    service = service_of(face_searches=1)
    run(main())
