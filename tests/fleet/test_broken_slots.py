"""Shared slots that break their contract: every request gets its true outcome, and the fleet goes on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.responses import StartedSession
from aiorekostream.fleet import Expired, Fleet, Reservation, SessionEnd, SharedSession, SharedSessionSlots, Started
from tests.fleet.granted_slots import SharedSlots, ToldMonitor
from tests.fleet.service import START, label, labels, names, once, run, service_of, throttling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.fleet.service import Service

_FAILURE = RuntimeError("a bug of the slots")
_CANCELLATION = asyncio.CancelledError("of a future of the slots")
_FAILURES = pytest.mark.parametrize("failure", [_FAILURE, _CANCELLATION], ids=["error", "cancellation"])
_REPORTS = pytest.mark.parametrize("method", ["take", "restore", "occupy", "stopping", "free"])
_QUESTIONS = pytest.mark.parametrize("method", ["needs_sync", "request", "has_room", "is_full"])


class _BrokenSlots(SharedSlots):
    """Slots of which one method or property raises."""

    def __init__(self, method: str, failure: BaseException) -> None:
        super().__init__()
        self.method, self.failure = method, failure

    def __getattribute__(self, name: str) -> object:
        if not name.startswith("_") and name == super().__getattribute__("method"):
            failure = cast("BaseException", super().__getattribute__("failure"))
            if name == "needs_sync":
                raise failure

            def broken(*_: object, **__: object) -> None:
                raise failure

            return broken
        return super().__getattribute__(name)


def _slots(method: str, failure: BaseException) -> SharedSessionSlots:
    return cast("SharedSessionSlots", cast("object", _BrokenSlots(method, failure)))


async def _start_and_stop(service: Service, slots: SharedSessionSlots) -> list[dict[str, int]]:
    async with asyncio.timeout(1000):
        fleet = Fleet(service.client(), slots=slots)
        started = await fleet.start(labels(3))
        stopped = await fleet.stop(names(3))
        again = await fleet.start(labels(3))
        return [started.counts, stopped.counts, again.counts]


@_FAILURES
@_REPORTS
def test_outcomes_are_true_when_a_report_to_the_slots_fails(
    method: str, failure: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    service = service_of(3)
    service.before = once(throttling())
    counts = run(_start_and_stop(service, _slots(method, failure)))
    assert counts == [{"started": 3}, {"stopped": 3}, {"started": 3}]
    assert "a session could not be reported to the shared slots" in caplog.text


@_FAILURES
@_QUESTIONS
def test_every_request_has_an_outcome_when_the_slots_cannot_be_asked(
    method: str, failure: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    service = service_of(3)
    counts = run(_start_and_stop(service, _slots(method, failure)))
    assert [sum(each.values()) for each in counts] == [3, 3, 3]
    started, _, again = counts
    assert started.get("started", 0) + again.get("started", 0) == service.count(START)
    assert "failed" in started
    assert isinstance(failure, asyncio.CancelledError) or "the scheduler failed in an unexpected way" in caplog.text


@_FAILURES
@pytest.mark.parametrize("method", ["end", "confirm_sync"])
def test_sync_goes_on_when_its_report_to_the_slots_fails(
    method: str, failure: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    kind = ProcessorKind.LABEL_DETECTION
    other = SharedSession(name="gone", kind=kind, token="t", is_reserved=False, session=None, age=60.0)
    slots = _BrokenSlots(method, failure)
    slots.others = [other]
    assert not run(Fleet(service_of(1).client(), slots=slots).sync_sessions())
    assert "a session could not be reported to the shared slots" in caplog.text


@_FAILURES
def test_notified_end_is_no_error_when_its_report_to_the_slots_fails(
    failure: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    monitor = ToldMonitor()

    async def main() -> None:
        fleet = Fleet(service_of(1).client(), slots=_slots("end_session", failure), session_monitor=monitor)
        await fleet.sync_sessions()
        assert not monitor.report(SessionEnd("theirs", session=StartedSession("s-1")))

    run(main())
    assert "a session could not be reported to the shared slots" in caplog.text


def test_request_expires_when_the_reservation_hangs() -> None:
    class HangingSlots(SharedSlots):
        async def reserve(self, name: str, kind: ProcessorKind, *, call: float, session: float) -> Reservation:
            del name, kind, call, session
            await asyncio.get_running_loop().create_future()
            return Reservation.RESERVED

    service = service_of(1)

    async def main() -> object:
        async with asyncio.timeout(1000), Fleet(service.client(), slots=HangingSlots(), expires_after=30) as fleet:
            return await fleet.submit(label("camera-0"))

    assert isinstance(run(main()), Expired)
    assert service.count(START) == 0


@_FAILURES
def test_start_is_sent_when_the_reservation_has_failed_once(failure: BaseException) -> None:
    class FailingSlots(SharedSlots):
        fails = True

        async def reserve(self, name: str, kind: ProcessorKind, *, call: float, session: float) -> Reservation:
            if self.fails:
                self.fails = False
                raise failure
            return await super().reserve(name, kind, call=call, session=session)

    service = service_of(1)

    async def main() -> object:
        async with asyncio.timeout(1000), Fleet(service.client(), slots=FailingSlots()) as fleet:
            return await fleet.submit(label("camera-0"))

    assert isinstance(run(main()), Started)


@pytest.mark.parametrize("failure", [_FAILURE, _CANCELLATION, None], ids=["error", "cancellation", "hang"])
def test_start_is_sent_when_the_list_of_the_slots_has_failed_once(failure: BaseException | None) -> None:
    class SlowSlots(SharedSlots):
        fails = True

        def has_room(self, kind: ProcessorKind) -> bool:
            del kind
            return not self.needs_sync

        async def sessions(self, *, sweep: float = 0.0) -> Sequence[SharedSession] | None:
            del sweep
            if self.fails:
                self.fails = False
                if failure is not None:
                    raise failure
                await asyncio.get_running_loop().create_future()
            return ()

        def confirm_sync(self) -> None:
            self.needs_sync = False

    service = service_of(1)

    async def main() -> object:
        async with asyncio.timeout(1000), Fleet(service.client(), slots=SlowSlots(needs_sync=True)) as fleet:
            return await fleet.submit(label("camera-0"))

    assert isinstance(run(main()), Started)
