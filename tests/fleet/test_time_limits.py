"""Time limits of a fleet: every call ends within `total` of its dispatch, whatever hangs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import attrs
import pytest

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.fleet import Fleet, FleetEvent, FleetEventType
from aiorekostream.testing import MemoryTransport, Reply
from tests.fleet.service import DESCRIBE, START, STOP, Service, faces, leave, lost, names, run, throttling

if TYPE_CHECKING:
    from aiorekostream.fleet import StartReport

_FOR_EVER = 1e7  # seconds; a hang that a test would notice as a virtual time that is far too late


@attrs.define
class Hanging(MemoryTransport):
    """Opens or connects only after a while, or not at all."""

    opening: float = attrs.field(default=0, kw_only=True)
    connecting: float = attrs.field(default=0, kw_only=True)
    attempts: int = attrs.field(default=0, init=False)

    async def open(self) -> None:
        await asyncio.sleep(self.opening)

    async def send(
        self, operation: str, body: Mapping[str, object], *, on_sent: Callable[[], None] = lambda: None
    ) -> Reply:
        self.attempts += 1
        if self.connecting:
            await asyncio.sleep(self.connecting)
            raise errors.ConnectError("the credentials could not be fetched", operation=operation, retry_safe=True)
        return await MemoryTransport.send(self, operation, body, on_sent=on_sent)


@pytest.mark.parametrize("total", [2, 4, 60])
@pytest.mark.parametrize("connecting", [5, 65, _FOR_EVER])
def test_start_whose_connection_hangs_fails_within_total(connecting: float, total: float) -> None:
    """The cases: a port that answers no SYN, credentials whose renewal never answers, an STS that is silent."""
    service = Service()
    transport = Hanging(lambda _operation, _body: {}, connecting=connecting)

    async def main() -> tuple[StartReport, float]:
        report = await Fleet(service.client(transport=transport, total=total)).start(faces(1))
        return report, service.clock.now()

    report, seconds = run(main())
    assert report.counts == {"failed": 1}
    assert seconds <= total
    assert 1 <= transport.attempts <= rks.RetryPolicy().max_attempts


def test_start_whose_connection_hangs_fails_by_default() -> None:
    transport = Hanging(lambda _operation, _body: {}, connecting=65)

    async def main() -> tuple[StartReport, float]:
        report = await Fleet(rks.Client(transport=transport)).start([rks.FaceSearchStart("door")])
        return report, asyncio.get_running_loop().time()

    report, seconds = run(main())
    assert report.counts == {"failed": 1}
    assert seconds <= 60


@pytest.mark.parametrize("verb", ["start", "stop"])
def test_requests_fail_when_opening_hangs(verb: str) -> None:
    service = Service()
    transport = Hanging(lambda _operation, _body: {}, opening=_FOR_EVER)

    async def main() -> float:
        fleet = Fleet(service.client(transport=transport, total=5))
        report = await (fleet.start(faces(3)) if verb == "start" else fleet.stop(names(3)))
        assert report.counts == {"failed": 3}
        assert {type(it.error) for it in report.failed} == {errors.DeadlineExceededError}
        return service.clock.now()

    assert run(main()) == 5


@attrs.define
class UnopenedTransport(MemoryTransport):
    """Cannot be opened, until it is repaired."""

    error: Exception | None = attrs.field(default=None, kw_only=True)

    async def open(self) -> None:
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize(
    "error", [errors.ConfigurationError("no Region"), ZeroDivisionError()], ids=lambda it: type(it).__name__
)
@pytest.mark.parametrize("verb", ["start", "stop"])
def test_requests_fail_when_opening_fails_and_work_again_later(verb: str, error: Exception) -> None:
    service = Service()
    service.create(*names(3, "face"), faces=True)
    transport = UnopenedTransport(service.answer, error=error)

    async def main() -> None:
        fleet = Fleet(service.client(transport=transport))

        async def work() -> dict[str, int]:
            report = await (fleet.start(faces(3)) if verb == "start" else fleet.stop(names(3, "face")))
            assert {type(it.error) for it in report.failed} <= {type(error)}
            return report.counts

        assert await work() == {"failed": 3}
        transport.error = None
        assert await work() == {"started" if verb == "start" else "already stopped": 3}

    run(main())


def test_request_that_waits_for_the_opening_is_cancelled_at_once() -> None:
    service = Service()
    transport = Hanging(lambda _operation, _body: {}, opening=_FOR_EVER)

    async def main() -> None:
        starting = Fleet(service.client(transport=transport)).iter_start(faces(2))
        await leave(starting.wait(), after=1)
        assert service.clock.now() == 1
        assert {type(it.error) for it in starting.report.failed} == {errors.RequestCancelledError}

    run(main())


Answer = Mapping[str, object] | Reply | Exception


def _harms(service: Service) -> dict[str, Callable[[str], float | Exception | None]]:
    """What becomes of calls: how long they take, their error, or nothing special."""
    denied = errors.AccessDeniedError("", operation=DESCRIBE, code="A", http_status=400, retry_safe=True)
    broken = errors.InternalServerError("", operation=START, code="InternalServerError", http_status=500)
    return {
        "silence": lambda operation: _FOR_EVER if operation in {START, STOP} else None,
        "silence of everything": lambda _: _FOR_EVER,
        "lost and silent": lambda operation: lost(operation) if operation in {START, STOP} else _FOR_EVER,
        "lost and denied": lambda operation: lost(operation) if operation in {START, STOP} else denied,
        "lost": lambda operation: lost(operation) if operation in {START, STOP} else None,
        "broken": lambda operation: broken if operation in {START, STOP} else None,
        "throttled": lambda operation: throttling(operation) if operation in {START, STOP} else None,
        "lost, then throttled": lambda operation: (
            (
                throttling(operation)
                if len(set(service.order(operation))) < service.count(operation)
                else lost(operation)
            )
            if operation in {START, STOP}
            else None
        ),
        "lost, polls throttled": lambda operation: (
            lost(operation) if operation in {START, STOP} else throttling(operation)
        ),
    }


@pytest.mark.parametrize("harm", _harms(Service()))
@pytest.mark.parametrize("verb", ["start", "stop"])
@pytest.mark.parametrize("total", [5.0, 40.0])
def test_every_call_ends_within_total_of_its_dispatch(verb: str, harm: str, total: float) -> None:
    """A throttled request is dispatched anew, so its time begins again; all others have one dispatch."""
    service = Service(quotas=False)
    service.create(*names(8, "face"), faces=True)
    fate = _harms(service)[harm]
    sent: dict[str, float] = {}
    ended: dict[str, float] = {}

    async def handle(operation: str, body: Mapping[str, object]) -> Answer:
        name = str(body.get("Name", ""))
        service.calls.append((operation, name, service.clock.now()))
        if operation in {START, STOP}:
            sent.setdefault(name, service.clock.now())
        found = fate(operation)
        if isinstance(found, float):
            await asyncio.sleep(found)
        return found if isinstance(found, Exception) else await service.answer(operation, body)

    def listen(event: FleetEvent) -> None:
        if event.type in {FleetEventType.STARTED, FleetEventType.COMPLETED}:
            ended[event.name] = service.clock.now()

    async def main() -> None:
        client = service.client(transport=MemoryTransport(handle), total=total)
        fleet = Fleet(client, on_event=listen)
        await (fleet.start(faces(8)) if verb == "start" else fleet.stop(names(8, "face")))

    run(main())
    assert len(ended) == 8
    if harm != "throttled":
        for name, moment in ended.items():
            assert moment - sent[name] <= total + 1e-6, name
