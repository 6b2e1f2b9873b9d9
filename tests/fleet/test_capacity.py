"""The limits on sessions: never more than the account's, and as many as there may be."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.emulator import Timings
from aiorekostream.fleet import Fleet
from aiorekostream.limits import DEFAULT_LIMITS
from aiorekostream.testing import MemoryTransport
from tests.fleet.service import LIST, Service, faces, label, labels, names, run, service_of

if TYPE_CHECKING:
    from collections.abc import Collection

LABELS, FACES = ProcessorKind.LABEL_DETECTION, ProcessorKind.FACE_SEARCH
_LOWER = rks.Limits(concurrent_label_detection={"us-east-1": 6}, concurrent_face_search={"us-east-1": 3})


def test_fleet_starts_100_with_never_more_than_40_sessions() -> None:
    service = service_of(100, region="eu-west-1")
    report = run(Fleet(service.client()).start(labels(100, 10)))
    assert len(report.started) == 100
    assert service.most[LABELS] == 40
    assert len(service.starts()) == 100
    # Three rounds of ten seconds, each seen to end within five seconds.
    assert max(service.starts()) < 3 * (10 + 5)


def test_eleventh_face_search_waits_until_one_is_stopped() -> None:
    service = service_of(face_searches=12)

    async def main() -> tuple[list[float], int]:
        fleet = Fleet(service.client())
        starting = asyncio.create_task(fleet.start(faces(12)))
        await asyncio.sleep(300)
        before = len(service.starts())
        await fleet.stop(["face-4", "face-5"])
        assert len((await starting).started) == 12
        return service.starts(), before

    starts, before = run(main())
    assert before == 10 == service.most[FACES]
    assert 300 < min(starts[10:]) <= max(starts) < 310


def test_full_kind_does_not_hold_the_other_up() -> None:
    service = service_of(face_searches=11)
    service.create("camera-0")

    async def main() -> None:
        async with asyncio.timeout(10):
            await Fleet(service.client()).start([*faces(11), label("camera-0")])

    with pytest.raises(TimeoutError):
        run(main())
    assert service.starts("camera-0")
    assert len(service.starts()) == 11


def test_sessions_that_end_early_make_room_once_polled() -> None:
    service = Service(region="eu-west-1", timings=Timings(media=3))
    service.create(*names(80))
    run(Fleet(service.client()).start(labels(80, 120)))
    assert max(service.starts()) < 15


def test_slots_are_free_by_the_latest_end_when_polls_fail() -> None:
    class ForbiddenMonitor:
        async def ended(self, names: Collection[str]) -> Collection[str]:
            raise errors.ConfigurationError(f"{len(names)} sessions, and no permission")

    service = service_of(41, region="eu-west-1")
    report = run(Fleet(service.client(), session_monitor=ForbiddenMonitor()).start(labels(41, 10)))
    assert len(report.started) == 41
    assert 30 <= max(service.starts()) < 31
    assert service.count(LIST) == 0


def test_runs_of_one_fleet_keep_the_limit_together() -> None:
    service = service_of(50, region="eu-west-1")

    async def main() -> None:
        fleet = Fleet(service.client())
        requests = labels(50, 30)
        await asyncio.gather(fleet.start(requests[:30]), fleet.start(requests[30:]))

    run(main())
    assert service.most[LABELS] == 40
    assert len(service.starts()) == 50


# ------------------------------------------------------------------------------------------------------- other clients


def test_synchronized_sessions_of_other_clients_count() -> None:
    service = service_of(50, region="eu-west-1")

    async def main() -> int:
        await Fleet(service.client()).start(labels(30, 20))
        fleet = Fleet(service.client())
        await fleet.sync_sessions()
        assert fleet.running == 30
        await fleet.start([label(name) for name in names(50)[30:]])
        return len(service.starts())

    assert run(main()) == 50
    assert service.most[LABELS] == 40


def test_limits_hold_when_a_cancellation_breaks_the_opening_off() -> None:
    """The opening that was broken off has set no limits: those of a Region are known once the client is open."""
    service = service_of(3)

    class RegionKnownLate(MemoryTransport):
        async def open(self) -> None:
            await asyncio.sleep(5)
            await super().open()

    async def main() -> int:
        limits = rks.Limits(concurrent_label_detection={service.region: 1})
        transport = RegionKnownLate(service.answer, region=service.region)
        fleet = Fleet(service.client(limits=limits, transport=transport, rate_limiter=None))
        cancelled = asyncio.create_task(fleet.submit(label("camera-0")))
        await asyncio.sleep(1)
        cancelled.cancel()
        others = [asyncio.create_task(fleet.submit(start)) for start in labels(3, 60)[1:]]
        await asyncio.sleep(50)
        running = fleet.running
        await asyncio.gather(*others)
        return running

    assert run(main()) == 1 == service.most[LABELS]


def test_synchronizing_counts_a_processor_that_was_the_fleets_long_ago() -> None:
    service = service_of(3, limits=rks.Limits(concurrent_label_detection={"us-east-1": 100}))

    async def main() -> None:
        client = service.client(limits=rks.Limits(concurrent_label_detection={"us-east-1": 2}))
        fleet = Fleet(client)
        await fleet.start(labels(2, 1))
        await asyncio.sleep(3600)
        for request in labels(2, 100):
            await client.start_stream_processor(request)
        await fleet.sync_sessions()
        await fleet.start([label("camera-2", 5)])

    run(main())
    assert service.most[LABELS] == 2


def test_start_refused_for_capacity_waits_for_a_session_to_end() -> None:
    service = service_of(30, limits=_LOWER)
    report = run(Fleet(service.client(limits=DEFAULT_LIMITS)).start(labels(30, 10)))
    assert len(report.started) == 30
    assert service.most[LABELS] == 6
    # The first wave finds out; after it only a start now and then tries whether there is more room.
    assert len(service.starts()) < 30 + 20 + 20


@pytest.mark.parametrize(("limits", "said"), [({"us-east-1": 5}, "5"), ({"us-east-1": None}, "not known")])
def test_refusal_for_capacity_is_logged(
    limits: dict[str, int | None], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    service = service_of(face_searches=2, limits=rks.Limits(concurrent_face_search={"us-east-1": 1}))
    caplog.set_level("INFO", "aiorekostream")

    async def main() -> None:
        fleet = Fleet(service.client(limits=rks.Limits(concurrent_face_search=limits)), expires_after=10)
        await fleet.submit(faces(1)[0])
        await fleet.submit(faces(2)[1])

    run(main())
    record = caplog.records[0]
    beginning = "face-1 waits for a session to end: its start was refused"
    assert record.getMessage().startswith(f"{beginning} (LimitExceededException: ")
    assert record.getMessage().endswith(f"; known sessions: 1, limit: {said}")
    assert (vars(record)["running"], vars(record)["limit"]) == (1, limits["us-east-1"])


def test_start_is_sent_when_another_client_gives_room() -> None:
    service = service_of(face_searches=4, limits=_LOWER)

    async def main() -> None:
        client = service.client(limits=DEFAULT_LIMITS)
        for request in faces(3):
            await client.start_stream_processor(request)
        starting = asyncio.create_task(Fleet(client).start(faces(4)[3:]))
        await asyncio.sleep(60)
        await client.stop_stream_processor("face-0")
        assert len((await starting).started) == 1

    run(main())
    assert 60 < max(service.starts()) < 70


def test_start_refused_for_capacity_is_retried_at_the_poll_interval() -> None:
    service = service_of(face_searches=2, limits=rks.Limits(concurrent_face_search={"us-east-1": 1}))

    async def main() -> None:
        client = service.client(limits=DEFAULT_LIMITS)
        await client.start_stream_processor(faces(1)[0])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(65):
                await Fleet(client, poll_interval=30).start(faces(2)[1:])

    run(main())
    assert [round(at) for at in service.starts("face-1")] == [0, 30, 60]


# --------------------------------------------------------------------------------------------------------------- polls


@pytest.mark.parametrize(("count", "region"), [(40, "eu-west-1"), (199, "us-east-1")])
def test_fleet_does_not_poll_while_there_is_room(count: int, region: str) -> None:
    service = service_of(count, region=region)
    run(Fleet(service.client()).start(labels(count, 60)))
    assert service.count(LIST) == 0


def test_fleet_does_not_list_when_all_sessions_are_unknown_to_it() -> None:
    service = service_of(face_searches=2, limits=rks.Limits(concurrent_face_search={"us-east-1": 1}))

    async def main() -> None:
        client = service.client(limits=DEFAULT_LIMITS)
        await client.start_stream_processor(faces(1)[0])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(60):
                await Fleet(client).start(faces(2)[1:])

    run(main())
    assert len(service.starts("face-1")) > 1
    assert service.count(LIST) == 0


def test_waiting_runs_poll_no_more_often_than_one() -> None:
    service = service_of(face_searches=14)

    async def main() -> int:
        fleet = Fleet(service.client())
        waiting = [asyncio.create_task(fleet.start([request])) for request in faces(14)]
        await asyncio.sleep(101)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        return service.count(LIST)

    assert 1 < run(main()) <= 101 / 5 + 1
