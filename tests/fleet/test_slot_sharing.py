"""A fleet on slots that a test grants: what it sends, and what becomes of its permits and requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import attrs
import pytest

import aiorekostream as rks
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.responses import StartedSession
from aiorekostream.domain.status import Status
from aiorekostream.fleet import Expired, Fleet, Reservation, SessionEnd, SharedSession, Unknown
from aiorekostream.rate_limiting.limiter import LocalRateLimiter
from tests.fleet.service import START, Service, label, lost, run

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from aiorekostream.clock import Clock
    from aiorekostream.fleet import SlotListener
    from aiorekostream.limits import Scope
    from aiorekostream.rate_limiting import Permit, PermitRequest


@attrs.define(eq=False)
class _Slots:
    """Slots that are always free, and reservations that a test decides about.

    Attributes:
        decide: gives the answer to a reservation, in this many seconds; it may raise.
        taken: the processors whose slots are taken.
        stopping_names: the processors that were reported as stopping.
        statuses: the statuses of processors whose sessions were reported as ended.
    """

    decide: Callable[[str], tuple[Reservation, float]] = lambda _: (Reservation.RESERVED, 0.0)
    needs_sync: bool = False
    taken: set[str] = attrs.field(factory=set[str])
    stopping_names: list[str] = attrs.field(factory=list[str])
    statuses: dict[str, Status | None] = attrs.field(factory=dict[str, "Status | None"])

    def open(
        self, scope: Scope, *, limits: Mapping[ProcessorKind, int], clock: Clock, listener: SlotListener
    ) -> _Slots:
        del scope, clock, listener
        assert set(limits) == set(ProcessorKind)
        return self

    def request(self, counts: Mapping[ProcessorKind, int]) -> None:
        del counts

    def has_room(self, kind: ProcessorKind) -> bool:
        del kind
        return True

    def is_full(self, kind: ProcessorKind) -> bool:
        del kind
        return False

    def take(self, name: str, kind: ProcessorKind) -> None:
        del kind
        self.taken.add(name)

    async def reserve(self, name: str, kind: ProcessorKind, *, call: float, session: float) -> Reservation:
        assert (kind, call, session) == (ProcessorKind.LABEL_DETECTION, 60, 10 + 20)
        result, seconds = self.decide(name)
        await asyncio.sleep(seconds)
        return result

    def restore(self, name: str, kind: ProcessorKind) -> None:
        del kind
        self.taken.discard(name)

    def occupy(
        self,
        name: str,
        kind: ProcessorKind,
        *,
        seconds: float,
        begins_in: float = 0.0,
        session: StartedSession | None = None,
        is_external: bool = False,
    ) -> None:
        del kind, session
        assert (seconds, begins_in, is_external) == (30, 0, False)
        self.taken.add(name)

    def stopping(self, name: str, seconds: float) -> None:
        assert seconds == 20
        self.stopping_names.append(name)

    def free(self, name: str, kind: ProcessorKind, status: Status | None = None) -> None:
        del kind
        self.taken.discard(name)
        self.statuses[name] = status

    async def sessions(self, *, sweep: float = 0.0) -> Sequence[SharedSession] | None:
        del sweep
        return ()

    def end(self, session: SharedSession, status: Status | None) -> None:
        raise AssertionError(session, status)

    def end_session(self, name: str, kind: ProcessorKind, session_id: str) -> None:
        raise AssertionError(name, kind, session_id)

    def confirm_sync(self) -> None:
        raise AssertionError


@attrs.define(eq=False)
class _Shared(_Slots):
    """Slots that other hosts use too, and what the fleet reports of sessions.

    Attributes:
        others: the sessions of other hosts.
        reports: the reports, in their order.
    """

    others: Sequence[SharedSession] = ()
    reports: list[tuple[object, ...]] = attrs.field(factory=list[tuple[object, ...]])

    async def reserve(self, name: str, kind: ProcessorKind, *, call: float, session: float) -> Reservation:
        del name, kind, call, session
        return Reservation.RESERVED

    def occupy(
        self,
        name: str,
        kind: ProcessorKind,
        *,
        seconds: float,
        begins_in: float = 0.0,
        session: StartedSession | None = None,
        is_external: bool = False,
    ) -> None:
        del kind, seconds, session
        self.reports.append(("session", name, round(begins_in, 2), is_external))

    async def sessions(self, *, sweep: float = 0.0) -> Sequence[SharedSession] | None:
        del sweep
        return self.others

    def end(self, session: SharedSession, status: Status | None) -> None:
        self.reports.append(("end", session.name, status))

    def end_session(self, name: str, kind: ProcessorKind, session_id: str) -> None:
        self.reports.append(("end", name, kind, session_id))

    def confirm_sync(self) -> None:
        self.reports.append(("listed",))


class _ToldMonitor:
    """Reports the ends that a test tells it."""

    def listen(self, on_end: Callable[[SessionEnd], bool]) -> None:
        self.report = on_end

    async def ended(self, names: Collection[str]) -> Collection[str]:
        del names
        return ()


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
        fleet = Fleet(service.client(rate_limiter=limiter), slots=_Slots(decide))
        assert isinstance(await fleet.submit(label("door")), rks.Started)

    run(main())
    assert limiter.returned == [START]
    assert service.starts()[0] >= (0 if answer is Reservation.FULL else 0.5)


def test_start_expires_when_its_slot_comes_too_late() -> None:
    service, limiter = _service(), _ReturnedPermits()
    slots = _Slots(lambda _: (Reservation.RESERVED, 2.0))

    async def main() -> None:
        fleet = Fleet(service.client(rate_limiter=limiter), slots=slots, expires_after=1)
        assert isinstance(await fleet.submit(label("door")), Expired)

    run(main())
    assert (set(limiter.returned), service.starts(), slots.taken) == ({START}, [], set())


def test_start_that_is_cancelled_while_it_is_reserved_is_not_sent() -> None:
    service, limiter = _service(), _ReturnedPermits()
    slots = _Slots(lambda _: (Reservation.RESERVED, 2.0))

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
    service, slots = _service(), _Slots()

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
    slots = _Shared(others=[other])

    async def main() -> None:
        assert not await Fleet(service.client(), slots=slots).sync_sessions()

    run(main())
    assert slots.reports == [("end", name, Status.STOPPED if is_listed else None), ("listed",)]


def test_notified_end_of_another_hosts_session_is_reported_by_its_id() -> None:
    service, slots, monitor = _service(), _Shared(), _ToldMonitor()

    async def main() -> None:
        fleet = Fleet(service.client(), slots=slots, session_monitor=monitor)
        await fleet.sync_sessions()
        assert not monitor.report(SessionEnd("door", session=StartedSession("theirs")))

    run(main())
    assert slots.reports == [("listed",), ("end", "door", ProcessorKind.LABEL_DETECTION, "theirs")]


def test_sessions_are_reported_again_in_another_event_loop() -> None:
    service, slots = _service(), _Shared()
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
    service, slots = _service(), _Shared()
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
