"""The contract of session slots, as checks of fleets that any implementation can be run through.

Subclass ``SessionSlotsContract`` in a test module and define ``run``.
"""

from __future__ import annotations

import abc
import asyncio
import datetime
from typing import TYPE_CHECKING

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.fleet import Expired, Failed, Fleet, SharedSessionSlots, Unknown
from tests.fleet.service import Service, faces, label, labels, lost, names, once, throttling

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["LIMIT", "SessionSlotsContract", "service_of"]

LABELS, FACES = ProcessorKind.LABEL_DETECTION, ProcessorKind.FACE_SEARCH
LIMIT = 3


def service_of(count: int, *, limit: int = LIMIT) -> Service:
    """A service with so many processors of each kind, and few sessions."""
    limits = rks.Limits(concurrent_label_detection={"us-east-1": limit}, concurrent_face_search={"us-east-1": 1})
    service = Service(limits=limits)
    service.create(*names(count))
    service.create(*names(count, "face"), faces=True)
    return service


class SessionSlotsContract(abc.ABC):
    """Check what a fleet does with slots."""

    @abc.abstractmethod
    def run(self, check: Callable[[SharedSessionSlots | None], Coroutine[object, object, None]]) -> None:
        """Run a check with new slots to its end, in virtual time; ``None`` for those of the fleet itself."""

    def test_fleet_keeps_the_limit_and_starts_all(self) -> None:
        service = service_of(12)

        async def check(slots: SharedSessionSlots | None) -> None:
            report = await Fleet(service.client(), slots=slots).start(labels(12))
            assert len(report.started) == 12

        self.run(check)
        assert service.most[LABELS] == LIMIT
        assert len(service.starts()) == 12

    def test_kinds_have_limits_of_their_own(self) -> None:
        service = service_of(LIMIT)

        async def check(slots: SharedSessionSlots | None) -> None:
            fleet = Fleet(service.client(), slots=slots, expires_after=5)
            report = await fleet.start([*faces(2), *labels(LIMIT)])
            assert len(report.started) == LIMIT + 1
            assert [outcome.request for outcome in report.expired] == [faces(2)[1]]

        self.run(check)

    def test_failed_start_leaves_its_slot_to_the_next(self) -> None:
        service = service_of(LIMIT)

        async def check(slots: SharedSessionSlots | None) -> None:
            missing = [label(f"missing-{number}") for number in range(5)]
            report = await Fleet(service.client(), slots=slots, expires_after=10).start([*missing, *labels(LIMIT)])
            assert len(report.started) == LIMIT

        self.run(check)

    def test_throttled_start_keeps_no_slot(self) -> None:
        service = service_of(LIMIT)
        service.before = once(throttling(), times=2)

        async def check(slots: SharedSessionSlots | None) -> None:
            report = await Fleet(service.client(), slots=slots, expires_after=10).start(labels(LIMIT))
            assert len(report.started) == LIMIT

        self.run(check)

    def test_lost_start_keeps_its_slot_until_it_is_known(self) -> None:
        """The service has begun the session, and shows nothing until the call is over."""
        service = service_of(2, limit=1)
        service.before = lambda operation, name: (
            lost(operation) if name == "camera-0" and service.clock.now() < 40 else None
        )

        async def check(slots: SharedSessionSlots | None) -> None:
            client = service.client(total=20)
            fleet = Fleet(client, slots=slots)
            first, second = await asyncio.gather(fleet.submit(label("camera-0", 60)), fleet.submit(label("camera-1")))
            assert isinstance(first, Unknown)
            assert isinstance(second, rks.Started)

        self.run(check)
        assert service.most[LABELS] == 1

    def test_face_search_keeps_its_slot_until_it_is_stopped(self) -> None:
        service = service_of(2)

        async def check(slots: SharedSessionSlots | None) -> None:
            fleet = Fleet(service.client(), slots=slots)
            await fleet.submit(faces(1)[0])
            waiting = asyncio.create_task(fleet.submit(faces(2)[1]))
            await asyncio.sleep(300)
            assert not waiting.done()
            await fleet.stop(["face-0"])
            await waiting

        self.run(check)
        assert service.most[FACES] == 1

    def test_session_that_ends_early_makes_room(self) -> None:
        service = service_of(LIMIT + 1)

        async def check(slots: SharedSessionSlots | None) -> None:
            fleet = Fleet(service.client(), slots=slots)
            await fleet.start(labels(LIMIT, 120))
            await fleet.stop(["camera-0"])
            await fleet.submit(label(f"camera-{LIMIT}"))
            assert asyncio.get_running_loop().time() < 60

        self.run(check)
        assert service.most[LABELS] == LIMIT

    def test_sessions_of_other_clients_count_once_listed(self) -> None:
        service = service_of(LIMIT + 1)

        async def check(slots: SharedSessionSlots | None) -> None:
            client = service.client()
            for start in labels(LIMIT, 60):
                await client.start_stream_processor(start)
            fleet = Fleet(client, slots=slots)
            assert set(await fleet.sync_sessions()) == set(names(LIMIT))
            await fleet.submit(label(f"camera-{LIMIT}"))

        self.run(check)
        assert service.most[LABELS] == LIMIT

    def test_request_expires_while_it_waits_for_a_slot(self) -> None:
        service = service_of(LIMIT + 1)

        async def check(slots: SharedSessionSlots | None) -> None:
            fleet = Fleet(service.client(), slots=slots)
            await fleet.start(labels(LIMIT, 120))
            deadline = service.clock.wall() + datetime.timedelta(seconds=10)
            outcome = await fleet.submit(label(f"camera-{LIMIT}"), expires_at=deadline)
            assert isinstance(outcome, Expired)

        self.run(check)

    def test_request_is_cancelled_while_it_waits_for_a_slot(self) -> None:
        service = service_of(LIMIT + 1)

        async def check(slots: SharedSessionSlots | None) -> None:
            fleet = Fleet(service.client(), slots=slots)
            await fleet.start(labels(LIMIT, 120))
            run = fleet.iter_start([label(f"camera-{LIMIT}")])
            waiting = asyncio.create_task(run.wait())
            await asyncio.sleep(3)
            assert run.cancel(label(f"camera-{LIMIT}"))
            outcome = (await waiting).outcomes[0]
            assert isinstance(outcome, Failed)
            assert isinstance(outcome.error, errors.RequestCancelledError)

        self.run(check)
