"""A fleet on slots that a test grants: what it sends, and what becomes of its permits and requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
import pytest

import aiorekostream as rks
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.status import Status
from aiorekostream.fleet import Expired, Fleet, Reservation, SharedSession
from aiorekostream.rate_limiting.limiter import LocalRateLimiter
from tests.fleet.service import START, Service, label, run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiorekostream.clock import Clock
    from aiorekostream.domain.responses import StartedSession
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


@attrs.frozen(eq=False)
class _Limiter(LocalRateLimiter):
    """Notes the operations of permits that were returned."""

    returned: list[str] = attrs.field(factory=list[str], init=False)

    async def acquire(self, request: PermitRequest) -> Permit:
        permit, limiter = await super().acquire(request), self

        class Counted:
            allowed, throttled = permit.allowed, permit.throttled

            def cancel(self) -> None:
                limiter.returned.append(request.operation)
                permit.cancel()

        return Counted()


def _service() -> Service:
    service = Service()
    service.create("door")
    return service


@pytest.mark.parametrize("answer", [Reservation.BUSY, Reservation.FULL, RuntimeError("a bug")])
def test_start_without_a_slot_is_put_back_with_its_permit(answer: Reservation | RuntimeError) -> None:
    service, limiter = _service(), _Limiter()
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
    service, limiter = _service(), _Limiter()
    slots = _Slots(lambda _: (Reservation.RESERVED, 2.0))

    async def main() -> None:
        fleet = Fleet(service.client(rate_limiter=limiter), slots=slots, expires_after=1)
        assert isinstance(await fleet.submit(label("door")), Expired)

    run(main())
    assert (set(limiter.returned), service.starts(), slots.taken) == ({START}, [], set())


def test_start_that_is_cancelled_while_it_is_reserved_is_not_sent() -> None:
    service, limiter = _service(), _Limiter()
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
