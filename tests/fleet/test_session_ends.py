"""The ends of sessions: each is reported once, with its status and the reason of a failure."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

import pytest

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.emulator import Timings
from aiorekostream.fleet import Fleet, FleetEvent, FleetEventType, SessionEnd, Started
from aiorekostream.testing import MemoryTransport, Reply
from tests import virtual_time
from tests.fleet.service import (
    DESCRIBE,
    FAILURE,
    LIST,
    Service,
    faces,
    label,
    labels,
    names,
    run,
    unlimited_service_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping

    from aiorekostream.fleet import StartOutcome


async def take(ends: AsyncIterator[SessionEnd], count: int) -> list[SessionEnd]:
    """The next ends."""
    return [await anext(ends) for _ in range(count)]


async def rest(ends: AsyncIterator[SessionEnd]) -> list[SessionEnd]:
    """What is left when the fleet is closed."""
    return [end async for end in ends]


def session_of(outcome: StartOutcome) -> rks.StartedSession:
    assert isinstance(outcome, Started)
    return outcome.session


# ----------------------------------------------------------------------------------------------- how an end is noticed


def test_session_ends_has_each_session_with_its_status() -> None:
    """Two iterators have all of them, although many end between two reads."""
    service = unlimited_service_of(20)

    async def main() -> tuple[list[SessionEnd], list[SessionEnd], set[rks.StartedSession]]:
        async with Fleet(service.client()) as fleet:
            first, second = fleet.session_ends(), fleet.session_ends()
            report = await fleet.start(labels(20, 5))
            one = await take(first, 1)
            await asyncio.sleep(60)
        return one + await rest(first), await rest(second), {it.session for it in report.started}

    first, second, sessions = run(main())
    assert first == second
    assert {end.name for end in first} == set(names(20))
    assert {end.session for end in first} == sessions
    assert {(end.status, end.status_message) for end in first} == {(rks.Status.STOPPED, None)}


def test_session_ends_polls_while_no_request_is_pending() -> None:
    service = unlimited_service_of(1)

    async def main() -> float:
        fleet = Fleet(service.client(), poll_interval=2)
        ends = fleet.session_ends()
        await fleet.submit(label("camera-0", 10))
        await anext(ends)
        return service.clock.now()

    assert 10 < run(main()) < 13


def test_session_ends_has_nothing_from_before_it() -> None:
    service = unlimited_service_of(2)

    async def main() -> list[SessionEnd]:
        async with Fleet(service.client()) as fleet:
            early = fleet.session_ends()
            await fleet.submit(label("camera-0", 5))
            await anext(early)
            late = fleet.session_ends()
            await fleet.submit(label("camera-1", 5))
            await anext(early)
        return await rest(late)

    assert [end.name for end in run(main())] == ["camera-1"]


def test_session_ends_has_a_session_that_a_stop_ended() -> None:
    service = unlimited_service_of(face_searches=1)

    async def main() -> tuple[SessionEnd, rks.StartedSession, float]:
        fleet = Fleet(service.client())
        ends = fleet.session_ends()
        outcome = await fleet.submit(faces(1)[0])
        await asyncio.sleep(5)
        await fleet.stop(["face-0"])
        stopped_at = service.clock.now()
        return await anext(ends), session_of(outcome), service.clock.now() - stopped_at

    end, session, seconds = run(main())
    assert end == SessionEnd("face-0", rks.Status.STOPPED, session=session)
    assert seconds < 7


def test_session_ends_has_a_session_that_a_stop_found_ended() -> None:
    """The stop is refused, and Describe shows why: that is reported at once, with the message."""
    service = unlimited_service_of(face_searches=1)

    async def main() -> list[SessionEnd]:
        async with Fleet(service.client(), poll_interval=3600) as fleet:
            ends = fleet.session_ends()
            await fleet.submit(faces(1)[0])
            service.fail("face-0", after=1)
            await asyncio.sleep(5)
            await fleet.stop(["face-0"])
        return await rest(ends)

    (end,) = run(main())
    assert (end.status, end.status_message) == (rks.Status.FAILED, FAILURE)


def test_session_ends_has_a_session_that_cannot_last_any_longer() -> None:
    """No poll shows anything."""
    service = unlimited_service_of(1)

    class UnreachableMonitor:
        async def ended(self, names: Collection[str]) -> Collection[str]:
            raise ConnectionResetError(", ".join(names))

    async def main() -> tuple[SessionEnd, float]:
        fleet = Fleet(service.client(), session_monitor=UnreachableMonitor())
        ends = fleet.session_ends()
        outcome = await fleet.submit(label("camera-0", 10))
        end = await anext(ends)
        assert end.session == session_of(outcome)
        return end, service.clock.now()

    end, now = run(main())
    assert end.status is None
    assert 30 <= now < 31


def test_session_ends_has_a_session_that_another_one_replaced() -> None:
    service = unlimited_service_of(1)

    async def main() -> tuple[list[SessionEnd], rks.StartedSession]:
        async with Fleet(service.client(), when_busy="share", poll_interval=3600) as fleet:
            ends = fleet.session_ends()
            first = await fleet.submit(label("camera-0", 10))
            await asyncio.sleep(11)
            await fleet.submit(label("camera-0", 10))
        return await rest(ends), session_of(first)

    ends, session = run(main())
    assert ends == [SessionEnd("camera-0", session=session)]


def test_session_ends_has_the_session_after_a_start_found_it_under_way() -> None:
    """The session lasts longer than it should; a start is refused as the processor is in use."""
    service = Service(quotas=False, timings=Timings(overshoot=8))
    service.create("camera-0")

    async def main() -> tuple[list[SessionEnd], rks.StartedSession]:
        async with Fleet(service.client(), when_busy="share") as fleet:
            ends = fleet.session_ends()
            first = await fleet.submit(label("camera-0", 10))
            await asyncio.sleep(11)
            assert isinstance(await fleet.submit(label("camera-0", 10)), rks.AlreadyRunning)
            await asyncio.sleep(30)
        return await rest(ends), session_of(first)

    ends, session = run(main())
    assert ends == [SessionEnd("camera-0", rks.Status.STOPPED, session=session)]


def test_session_ends_has_a_deleted_processor() -> None:
    service = unlimited_service_of(face_searches=1)

    async def main() -> SessionEnd:
        client = service.client()
        fleet = Fleet(client)
        ends = fleet.session_ends()
        await fleet.submit(faces(1)[0])
        await client.stop_stream_processor("face-0")
        await client.wait_until_stopped("face-0")
        await client.delete_stream_processor("face-0")
        await client.wait_until_deleted("face-0")
        return await anext(ends)

    end = run(main())
    assert (end.name, end.status) == ("face-0", None)


def test_session_ends_has_sessions_of_other_clients_once_they_are_known() -> None:
    service = unlimited_service_of(face_searches=1)

    async def main() -> SessionEnd:
        service.start_all()
        await asyncio.sleep(5)
        fleet = Fleet(service.client())
        ends = fleet.session_ends()
        await fleet.sync_sessions()
        service.fail("face-0", after=10)
        return await anext(ends)

    assert run(main()) == SessionEnd("face-0", rks.Status.FAILED, status_message=FAILURE)


# -------------------------------------------------------------------------------------------------------------- failure


@pytest.mark.parametrize("kind", ["label detection", "face search"])
def test_failed_session_has_its_status_message(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """A list shows the status and not the message, so many sessions are listed and the failed one is described."""
    service = unlimited_service_of(10, face_searches=9)
    name = "camera-3" if kind == "label detection" else "face-3"
    told: list[FleetEvent] = []

    async def main() -> tuple[SessionEnd, float]:
        fleet = Fleet(service.client(), on_event=told.append)
        ends = fleet.session_ends()
        await fleet.start([*labels(10, 100), *faces(9)])
        service.fail(name, after=7)
        return await anext(ends), service.clock.now()

    end, now = run(main())
    assert (end.name, end.status, end.status_message) == (name, rks.Status.FAILED, FAILURE)
    assert end.session is not None
    assert 7 < now < 14
    assert service.count(LIST) >= 1
    assert [it.session_end for it in told if it.type is FleetEventType.SESSION_ENDED] == [end]
    record = next(record for record in caplog.records if record.levelname == "WARNING")
    assert f"{name} is FAILED: {FAILURE}" in record.message
    assert (record.__dict__["processor"], record.__dict__["status_message"]) == (name, FAILURE)


@pytest.mark.parametrize("harm", ["Describe fails", "Describe hangs", "it runs again"])
def test_failed_session_is_reported_without_a_message(harm: str) -> None:
    service = unlimited_service_of(10)

    async def handle(operation: str, body: Mapping[str, object]) -> Reply | Exception:
        if operation != DESCRIBE:
            return await service.answer(operation, body)
        if harm == "Describe fails":
            return errors.AccessDeniedError("", operation=operation, code="A", http_status=400, retry_safe=True)
        if harm == "Describe hangs":
            await asyncio.sleep(3600)
        return Reply({"Name": body["Name"], "StreamProcessorArn": "arn", "Status": "STARTING", "StatusMessage": "-"})

    async def main() -> tuple[SessionEnd, float]:
        client = service.client(transport=MemoryTransport(handle), total=20)
        async with Fleet(client) as fleet:
            ends = fleet.session_ends()
            await fleet.start(labels(10, 100))
            service.fail("camera-3", after=7)
            end = await anext(ends)
        return end, service.clock.now()

    end, now = run(main())
    assert (end.name, end.status, end.status_message) == ("camera-3", rks.Status.FAILED, None)
    assert now < (35 if harm == "Describe hangs" else 15)


def test_closing_reports_failures_that_are_being_described() -> None:
    service = unlimited_service_of(10)

    async def handle(operation: str, body: Mapping[str, object]) -> Reply | Exception:
        if operation == DESCRIBE:
            await asyncio.sleep(3600)
        return await service.answer(operation, body)

    async def main() -> list[SessionEnd]:
        async with Fleet(service.client(transport=MemoryTransport(handle))) as fleet:
            ends = fleet.session_ends()
            await fleet.start(labels(10, 100))
            for name in names(4):
                service.fail(name, after=3)
            await asyncio.sleep(8)
        assert service.clock.now() < 9, "closing waits for no Describe"
        return await rest(ends)

    assert {(end.name, end.status) for end in run(main())} == {(name, rks.Status.FAILED) for name in names(4)}


def test_many_failures_at_once_all_have_their_message() -> None:
    service = Service(region="us-east-1")
    service.create(*names(150))

    async def main() -> list[SessionEnd]:
        fleet = Fleet(service.client())
        ends = fleet.session_ends()
        await fleet.start(labels(150, 100))
        for name in names(150):
            service.fail(name)
        return await take(ends, 150)

    ends = run(main())
    assert {end.name for end in ends} == set(names(150))
    assert {end.status_message for end in ends} == {FAILURE}


# -------------------------------------------------------------------------------------------------- the iterator's life


def test_session_ends_ends_with_the_fleet_after_what_was_seen() -> None:
    service = unlimited_service_of(2)

    async def main() -> tuple[list[SessionEnd], list[SessionEnd]]:
        fleet = Fleet(service.client())
        read, unread = fleet.session_ends(), fleet.session_ends()
        reading = asyncio.create_task(rest(read))
        await fleet.start(labels(2, 5))
        await asyncio.sleep(20)
        await fleet.aclose()
        return await reading, await rest(unread)

    read, unread = run(main())
    assert read == unread
    assert len(read) == 2


def test_session_ends_has_what_the_last_stop_in_flight_found() -> None:
    service = unlimited_service_of(face_searches=1)

    async def main() -> list[SessionEnd]:
        async with Fleet(service.client(), poll_interval=3600) as fleet:
            ends = fleet.session_ends()
            await fleet.submit(faces(1)[0])
            service.fail("face-0", after=1)
            await asyncio.sleep(5)
            service.latency = 5
            stopping = asyncio.create_task(fleet.stop(["face-0"]))
            await asyncio.sleep(1)
        await stopping
        return await rest(ends)

    assert [(end.name, end.status_message) for end in run(main())] == [("face-0", FAILURE)]


def test_session_ends_ends_when_closing_is_cancelled() -> None:
    service = unlimited_service_of(1)
    service.latency = 10

    async def main() -> list[SessionEnd]:
        fleet = Fleet(service.client())
        ends = fleet.session_ends()
        starting = asyncio.create_task(fleet.submit(label("camera-0")))
        await asyncio.sleep(1)
        closing = asyncio.create_task(fleet.aclose())
        await asyncio.sleep(1)
        closing.cancel()
        seen = await rest(ends)
        await starting
        return seen

    assert run(main()) == []


def test_closed_fleet_has_session_ends_again() -> None:
    service = unlimited_service_of(1)

    async def main() -> SessionEnd:
        fleet = Fleet(service.client())
        await fleet.aclose()
        ends = fleet.session_ends()
        await fleet.submit(label("camera-0", 5))
        return await anext(ends)

    assert run(main()).name == "camera-0"


def test_dropped_iterator_stops_the_polls() -> None:
    service = unlimited_service_of(face_searches=1)

    async def main() -> int:
        fleet = Fleet(service.client())
        ends = fleet.session_ends()
        await fleet.submit(faces(1)[0])
        await asyncio.sleep(30)
        assert service.count(LIST) + service.count(DESCRIBE) >= 5
        del ends
        gc.collect()
        await asyncio.sleep(10)
        seen = len(service.calls)
        await asyncio.sleep(3600)
        return len(service.calls) - seen

    assert run(main()) == 0


def test_waiting_for_an_end_can_be_cancelled() -> None:
    service = unlimited_service_of(2)

    async def main() -> list[SessionEnd]:
        fleet = Fleet(service.client())
        ends = fleet.session_ends()
        waits = [asyncio.create_task(take(ends, 1)) for _ in range(3)]
        await asyncio.sleep(1)
        waits[0].cancel()
        await fleet.start(labels(2, 5))
        done = await asyncio.gather(*waits[1:])
        return [end for each in done for end in each]

    assert {end.name for end in run(main())} == set(names(2))


@pytest.mark.parametrize("is_polling", [True, False])
def test_session_ends_goes_on_in_the_next_event_loop(*, is_polling: bool) -> None:
    """As in `asyncio.run` after `asyncio.run`, which cancels every task at its end."""
    service = unlimited_service_of(1)
    fleet = Fleet(service.client())
    ends: list[AsyncIterator[SessionEnd]] = []
    moment = 0.0

    async def first() -> None:
        nonlocal moment
        ends.append(fleet.session_ends())
        await fleet.submit(label("camera-0", 8))
        if is_polling:
            service.latency = 4
            await asyncio.sleep(7)
        moment = service.clock.now()

    class LaterLoop(virtual_time.VirtualLoop):
        def __init__(self) -> None:
            super().__init__()
            self.moment = moment

    virtual_time.run(first())
    service.latency = 0.05
    with asyncio.Runner(loop_factory=LaterLoop) as runner:
        (end,) = runner.run(take(ends[0], 1))
    assert (end.name, end.status) == ("camera-0", rks.Status.STOPPED)


# --------------------------------------------------------------------------------------------------- listeners of ends


@pytest.mark.parametrize("type_", [FleetEventType.SESSION_ENDED, FleetEventType.STARTED])
def test_listener_may_cancel_requests_when_a_session_is_replaced(type_: FleetEventType) -> None:
    """The request that began the new session has its outcome by then."""
    service = unlimited_service_of(1)

    async def main() -> dict[str, int]:
        starts = [label("camera-0", 5)]

        def listen(event: FleetEvent) -> None:
            if event.type is type_:
                run_.cancel(starts[0])

        fleet = Fleet(service.client(), when_busy="share", on_event=listen, poll_interval=3600)
        run_ = fleet.iter_start([])
        await fleet.start(starts)
        await asyncio.sleep(6)
        run_ = fleet.iter_start(starts)
        return (await run_.wait()).counts

    assert run(main()) == {"started": 1}
    assert len(service.starts()) == 2
