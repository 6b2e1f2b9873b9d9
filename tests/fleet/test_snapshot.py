"""Snapshots of the sessions that a fleet knows, and their synchronization with the service."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.fleet import ActiveSession, Fleet, SessionEnd, SessionSnapshot, Started
from aiorekostream.testing import MemoryTransport, Reply
from tests.fleet.service import (
    BEGINNING,
    DESCRIBE,
    FAILURE,
    LIST,
    START,
    faces,
    label,
    run,
    unlimited_service_of,
)

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping


def seconds(date: datetime.datetime | None) -> float | None:
    """Seconds since the beginning of the test."""
    return None if date is None else (date - BEGINNING).total_seconds()


def test_snapshot_of_a_new_fleet_is_empty_and_was_never_polled() -> None:
    async def main() -> SessionSnapshot:
        return Fleet(unlimited_service_of().client()).sessions

    snapshot = run(main())
    assert (len(snapshot), list(snapshot), snapshot.as_of) == (0, [], None)
    assert snapshot.get("camera-0") is None


def test_snapshot_has_the_sessions_of_the_fleet() -> None:
    service = unlimited_service_of(1, face_searches=1)

    async def main() -> tuple[SessionSnapshot, dict[str, rks.StartedSession]]:
        fleet = Fleet(service.client())
        await asyncio.sleep(100)
        report = await fleet.start([label("camera-0", 30), *faces(1)])
        await asyncio.sleep(10)
        return fleet.sessions, {it.name: it.session for it in report.started}

    snapshot, sessions = run(main())
    assert snapshot.keys() == {"camera-0", "face-0"}
    camera, face = snapshot["camera-0"], snapshot["face-0"]
    assert (camera.name, camera.kind, camera.session) == (
        "camera-0",
        ProcessorKind.LABEL_DETECTION,
        sessions["camera-0"],
    )
    assert seconds(camera.started_at) == pytest.approx(100.05, abs=0.1)
    assert seconds(camera.ends_by) == pytest.approx(150.05, abs=0.1), "its duration, and one fragment of the video"
    assert (face.kind, face.session, face.ends_by) == (ProcessorKind.FACE_SEARCH, sessions["face-0"], None)


def test_snapshot_has_a_start_that_is_dispatched() -> None:
    service = unlimited_service_of(1)

    async def main() -> SessionSnapshot:
        fleet = Fleet(service.client())
        starting = asyncio.create_task(fleet.submit(label("camera-0")))
        await asyncio.sleep(0.02)
        snapshot = fleet.sessions
        await starting
        return snapshot

    kind = ProcessorKind.LABEL_DETECTION
    nothing = ActiveSession(name="camera-0", kind=kind, session=None, started_at=None, ends_by=None)
    assert dict(run(main())) == {"camera-0": nothing}


def test_snapshot_does_not_change() -> None:
    service = unlimited_service_of(2)

    async def main() -> SessionSnapshot:
        fleet = Fleet(service.client())
        await fleet.submit(label("camera-0", 30))
        snapshot = fleet.sessions
        await fleet.submit(label("camera-1", 30))
        assert len(fleet.sessions) == 2
        return snapshot

    assert list(run(main())) == ["camera-0"]


def test_snapshot_has_no_session_that_cannot_last_any_longer() -> None:
    """Nothing is pending, so the fleet has not polled since."""
    service = unlimited_service_of(1)
    ends: list[SessionEnd | None] = []

    async def main() -> tuple[int, int]:
        fleet = Fleet(service.client(), on_event=lambda event: ends.append(event.session_end))
        await fleet.submit(label("camera-0", 10))
        await asyncio.sleep(29)
        before = len(fleet.sessions)
        await asyncio.sleep(2)
        return before, len(fleet.sessions)

    assert run(main()) == (1, 0)
    assert [end.name for end in ends if end is not None] == ["camera-0"]


def test_snapshot_has_the_time_of_the_last_poll() -> None:
    service = unlimited_service_of(1)

    async def main() -> list[float | None]:
        fleet = Fleet(service.client(), poll_interval=5)
        ends = fleet.session_ends()
        await asyncio.sleep(10)
        times = [seconds(fleet.sessions.as_of)]
        await fleet.submit(label("camera-0", 30))
        await asyncio.sleep(0.5)
        assert fleet.sessions.as_of is None, "the session is too young to be polled"
        for pause in (5.5, 5, 5):
            await asyncio.sleep(pause)
            times.append(seconds(fleet.sessions.as_of))
        del ends
        await asyncio.sleep(100)
        times.append(seconds(fleet.sessions.as_of))
        return times

    before, first, second, third, last = run(main())
    assert before is None, "there was nothing to poll"
    assert first is not None
    assert second is not None
    assert third is not None
    assert 15 < first < 16 < second < 21 < third < 26
    assert last is not None
    assert last < 32


# ------------------------------------------------------------------------------------------------------ synchronization


def test_synchronizing_counts_the_sessions_of_other_clients() -> None:
    service = unlimited_service_of(2, face_searches=1)

    async def main() -> SessionSnapshot:
        service.start_all()
        fleet = Fleet(service.client())
        await fleet.submit(label("camera-0", 30))
        service.act(START, "camera-1")
        await asyncio.sleep(10)
        assert fleet.sessions.keys() == {"camera-0"}
        return await fleet.sync_sessions()

    snapshot = run(main())
    assert snapshot.keys() == {"camera-0", "camera-1", "face-0"}
    assert snapshot["camera-0"].session is not None
    assert {(snapshot[name].kind, snapshot[name].session) for name in ("camera-1", "face-0")} == {
        (ProcessorKind.LABEL_DETECTION, None),
        (ProcessorKind.FACE_SEARCH, None),
    }
    assert seconds(snapshot.as_of) == pytest.approx(10.05, abs=0.1)


@pytest.mark.parametrize("how", ["finished", "failed", "stopped", "deleted"])
def test_synchronizing_frees_sessions_that_have_ended(how: str) -> None:
    service = unlimited_service_of(2)

    async def main() -> tuple[SessionSnapshot, list[SessionEnd]]:
        client = service.client()
        async with Fleet(client, poll_interval=3600) as fleet:
            ends = fleet.session_ends()
            await fleet.start([label("camera-0", 10 if how == "finished" else 100), label("camera-1", 100)])
            if how == "failed":
                service.fail("camera-0")
            elif how in {"stopped", "deleted"}:
                await client.stop_stream_processor("camera-0")
            await asyncio.sleep(12)
            if how == "deleted":
                await client.delete_stream_processor("camera-0")
                await asyncio.sleep(5)
            snapshot = await fleet.sync_sessions()
        return snapshot, [end async for end in ends]

    snapshot, ends = run(main())
    assert snapshot.keys() == {"camera-1"}
    assert service.order(DESCRIBE)[-2:] == {
        "deleted": ["camera-0", "camera-1"],
        "failed": ["camera-1", "camera-0"],  # for its message
    }.get(how, ["camera-1"])
    (end,) = ends
    status = {"failed": rks.Status.FAILED, "deleted": None}.get(how, rks.Status.STOPPED)
    assert (end.name, end.status) == ("camera-0", status)
    assert end.session is not None


def test_synchronizing_keeps_a_session_that_the_list_skips() -> None:
    """A list that changes while its pages are read may skip a processor; Describe shows it."""
    service = unlimited_service_of(2)

    async def handle(operation: str, body: Mapping[str, object]) -> Reply | Exception:
        return Reply({"StreamProcessors": []}) if operation == LIST else await service.answer(operation, body)

    async def main() -> SessionSnapshot:
        fleet = Fleet(service.client(transport=MemoryTransport(handle)))
        await fleet.start([label("camera-0", 60), label("camera-1", 5)])
        await asyncio.sleep(10)
        return await fleet.sync_sessions()

    assert run(main()).keys() == {"camera-0"}


def test_synchronizing_has_no_effect_on_a_session_that_has_just_begun() -> None:
    """What the service lists may be a moment old."""
    service = unlimited_service_of(1)

    async def handle(operation: str, body: Mapping[str, object]) -> Reply | Exception:
        if operation == LIST:
            return Reply({"StreamProcessors": [{"Name": "camera-0", "Status": "STOPPED"}]})
        return await service.answer(operation, body)

    async def main() -> SessionSnapshot:
        fleet = Fleet(service.client(transport=MemoryTransport(handle)))
        await fleet.submit(label("camera-0", 60))
        return await fleet.sync_sessions()

    assert run(main()).keys() == {"camera-0"}


@pytest.mark.parametrize("operation", [LIST, DESCRIBE])
def test_synchronizing_that_fails_raises_and_shows_no_newer_time(operation: str) -> None:
    service = unlimited_service_of(1)
    denied = errors.AccessDeniedError("", operation=operation, code="A", http_status=400, retry_safe=True)

    async def main() -> tuple[datetime.datetime | None, datetime.datetime | None]:
        fleet = Fleet(service.client())
        await fleet.submit(label("camera-0", 60))
        before = (await fleet.sync_sessions()).as_of
        service.before = lambda asked, _: denied if asked == operation else None
        await asyncio.sleep(5)
        with pytest.raises(errors.AccessDeniedError):
            await fleet.sync_sessions()
        return before, fleet.sessions.as_of

    before, after = run(main())
    assert before == after is not None


def test_failed_session_that_synchronizing_shows_has_its_message() -> None:
    service = unlimited_service_of(1)

    async def main() -> SessionEnd:
        fleet = Fleet(service.client(), poll_interval=3600)
        ends = fleet.session_ends()
        await fleet.submit(label("camera-0", 60))
        service.fail("camera-0", after=3)
        await asyncio.sleep(5)
        await fleet.sync_sessions()
        return await anext(ends)

    assert run(main()).status_message == FAILURE


def test_synchronized_fleet_makes_room_for_the_requests_that_wait() -> None:
    service = unlimited_service_of(2)

    async def main() -> float:
        limits = rks.Limits(concurrent_label_detection={"us-east-1": 1})
        fleet = Fleet(service.client(limits=limits), poll_interval=3600)
        await fleet.submit(label("camera-0", 100))
        service.fail("camera-0", after=3)
        waiting = asyncio.create_task(fleet.submit(label("camera-1")))
        await asyncio.sleep(10)
        await fleet.sync_sessions()
        assert isinstance(await waiting, Started)
        return service.clock.now()

    assert run(main()) < 11
