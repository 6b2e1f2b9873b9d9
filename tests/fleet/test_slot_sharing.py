"""A fleet on slots that a test grants: what it sends, and what becomes of its permits and requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import attrs
import pytest

import aiorekostream as rks
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.responses import StartedSession
from aiorekostream.domain.status import Status
from aiorekostream.fleet import Expired, Fleet, Reservation, SessionEnd, SharedSession, Unknown
from aiorekostream.rate_limiting.limiter import LocalRateLimiter
from tests.fleet.granted_slots import GrantedSlots, SharedSlots, SlotsPolledElsewhere, ToldMonitor
from tests.fleet.service import DESCRIBE, LIST, START, Service, label, lost, run

if TYPE_CHECKING:
    from aiorekostream.rate_limiting import Permit, PermitRequest


@attrs.frozen(eq=False)
class _ReturnedPermits(LocalRateLimiter):
    """Notes the operations of permits that were returned."""

    returned: list[str] = attrs.field(factory=list[str], init=False)

    async def acquire(self, request: PermitRequest) -> Permit:
        permit, limiter = await super().acquire(request), self

        class ReturnedPermit:
            allowed, throttled = permit.allowed, permit.throttled

            def cancel(self) -> None:
                limiter.returned.append(request.operation)
                permit.cancel()

        return ReturnedPermit()


def _service() -> Service:
    service = Service()
    service.create("door")
    return service


@pytest.mark.parametrize("answer", [Reservation.BUSY, Reservation.FULL, RuntimeError("a bug")])
def test_start_without_a_slot_is_put_back_with_its_permit(answer: Reservation | RuntimeError) -> None:
    service, limiter = _service(), _ReturnedPermits()
    answers = [answer]

    def decide(_name: str) -> tuple[Reservation, float]:
        found = answers.pop() if answers else Reservation.RESERVED
        if isinstance(found, RuntimeError):
            raise found
        return found, 0.0

    async def main() -> None:
        fleet = Fleet(service.client(rate_limiter=limiter), slots=GrantedSlots(decide))
        assert isinstance(await fleet.submit(label("door")), rks.Started)

    run(main())
    assert limiter.returned == [START]
    assert service.starts()[0] >= (0 if answer is Reservation.FULL else 0.5)


def test_start_expires_when_its_slot_comes_too_late() -> None:
    service, limiter = _service(), _ReturnedPermits()
    slots = GrantedSlots(lambda _: (Reservation.RESERVED, 2.0))

    async def main() -> None:
        fleet = Fleet(service.client(rate_limiter=limiter), slots=slots, expires_after=1)
        assert isinstance(await fleet.submit(label("door")), Expired)

    run(main())
    assert (set(limiter.returned), service.starts(), slots.taken) == ({START}, [], set())


def test_start_that_is_cancelled_while_it_is_reserved_is_not_sent() -> None:
    service, limiter = _service(), _ReturnedPermits()
    slots = GrantedSlots(lambda _: (Reservation.RESERVED, 2.0))

    async def main() -> None:
        fleet = Fleet(service.client(rate_limiter=limiter), slots=slots)
        starting = asyncio.create_task(fleet.submit(label("door")))
        await asyncio.sleep(1)
        starting.cancel()
        await asyncio.wait([starting])
        await asyncio.sleep(10)

    run(main())
    assert (limiter.returned, service.starts(), slots.taken) == ([START], [], set())


def test_slots_hear_of_the_whole_life_of_a_session() -> None:
    service, slots = _service(), GrantedSlots()

    async def main() -> None:
        fleet = Fleet(service.client(), slots=slots)
        await fleet.submit(label("door"))
        assert slots.taken == {"door"}
        await fleet.stop(["door"])
        assert slots.stopping_names == ["door"]
        await fleet.ensure_stopped(["door"])

    run(main())
    assert slots.taken == set()
    assert slots.statuses == {"door": rks.Status.STOPPED}


@pytest.mark.parametrize("is_listed", [True, False])
def test_sync_reports_the_end_of_another_hosts_session(is_listed: bool) -> None:  # noqa: FBT001 - a parameter
    """Also where a list does not show the processor, since it was deleted."""
    service, name = _service(), "door" if is_listed else "gone"
    other = SharedSession(
        name=name, kind=ProcessorKind.LABEL_DETECTION, token="t", is_reserved=False, session=None, age=60.0
    )
    slots = SharedSlots(others=[other])

    async def main() -> None:
        assert not await Fleet(service.client(), slots=slots).sync_sessions()

    run(main())
    assert slots.reports == [("end", name, Status.STOPPED if is_listed else None), ("listed",)]


@pytest.mark.parametrize(("is_reserved", "age"), [(True, 60.0), (False, 0.5), (False, 60.0)])
def test_sync_reports_no_end_that_a_list_may_not_show_yet(is_reserved: bool, age: float) -> None:  # noqa: FBT001
    """A start of another host that is under way or was just applied; and one of this fleet, whatever was before."""
    service, kind = _service(), ProcessorKind.LABEL_DETECTION
    other = SharedSession(name="door", kind=kind, token="t", is_reserved=is_reserved, session=None, age=age)
    slots = SharedSlots(others=[other])

    async def main() -> None:
        fleet = Fleet(service.client(), slots=slots)
        if not is_reserved and age > 1:
            await fleet.submit(label("door"))
            service.fail("door")
        await fleet.sync_sessions()

    run(main())
    assert "end" not in {report[0] for report in slots.reports}
    assert slots.reports[-1] == ("listed",)


def test_fleet_that_waits_for_any_slot_leaves_the_polls_to_another_host() -> None:
    service, slots = _service(), SlotsPolledElsewhere()
    service.create("hall")

    async def main() -> None:
        fleet = Fleet(service.client(), slots=slots)
        await fleet.submit(label("door"))
        waiting = asyncio.create_task(fleet.submit(label("hall")))
        await asyncio.sleep(20)
        assert service.order(DESCRIBE) == service.order(LIST) == []
        assert isinstance(await waiting, rks.Started)

    run(main())


def test_notified_end_of_another_hosts_session_is_reported_by_its_id() -> None:
    service, slots, monitor = _service(), SharedSlots(), ToldMonitor()

    async def main() -> None:
        fleet = Fleet(service.client(), slots=slots, session_monitor=monitor)
        await fleet.sync_sessions()
        assert not monitor.report(SessionEnd("door", session=StartedSession("theirs")))

    run(main())
    assert slots.reports == [("listed",), ("end", "door", ProcessorKind.LABEL_DETECTION, "theirs")]


def test_sessions_are_reported_again_in_another_event_loop() -> None:
    service, slots = _service(), SharedSlots()
    fleet = Fleet(service.client(), slots=slots)

    async def start() -> None:
        await fleet.submit(label("door"))

    async def sync() -> None:
        await fleet.sync_sessions()

    run(start())
    own = slots.reports.copy()
    run(sync())
    assert [(report[1], report[3]) for report in own] == [("door", False)]
    assert ("session", "door", True) in {(*report[:2], report[-1]) for report in slots.reports[len(own) :]}


def test_unknown_start_is_reported_until_it_is_safe_to_retry() -> None:
    service, slots = _service(), SharedSlots()
    service.before = lambda operation, _: lost(operation)

    async def main() -> None:
        client = service.client(total=20)
        outcome = await Fleet(client, slots=slots).submit(label("door"))
        assert isinstance(outcome, Unknown)
        assert outcome.retry_safe_at is not None
        left = (outcome.retry_safe_at - service.clock.wall()).total_seconds()
        assert left > 0
        assert slots.reports == [("session", "door", round(left, 2), False)]

    run(main())
