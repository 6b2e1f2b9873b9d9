"""Processors that are brought to run, whatever state they are in."""

from __future__ import annotations

import asyncio
import datetime
from typing import TYPE_CHECKING

import pytest

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.emulator import Timings
from aiorekostream.errors import InvalidRequestError
from aiorekostream.fleet import AlreadyRunning, Fleet, FleetRequest, SessionEnd, Started
from aiorekostream.testing import MemoryTransport, Reply
from tests.fleet.service import (
    BEGINNING,
    DESCRIBE,
    FACE,
    FAILURE,
    LIST,
    START,
    STOP,
    faces,
    label,
    labels,
    lost,
    names,
    refusal,
    run,
    service_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiorekostream.fleet import StartReport


def test_ensure_running_starts_what_is_at_rest_and_waits_until_it_runs() -> None:
    service = service_of(1, face_searches=2)

    async def main() -> tuple[StartReport, set[str]]:
        report = await Fleet(service.client()).ensure_running([label("camera-0", 60), *faces(2)])
        return report, {f"{name} {service.status(name)}" for name in ("camera-0", "face-0", "face-1")}

    report, statuses = run(main())
    assert report.counts == {"started": 3}
    assert statuses == {"camera-0 STARTING", "face-0 RUNNING", "face-1 RUNNING"}


def test_ensure_running_leaves_alone_what_runs() -> None:
    """Of this fleet, of another client, and of all that the account allows: nothing is sent, and no slot is needed."""
    service = service_of(1, face_searches=10)

    async def main() -> tuple[StartReport, int]:
        service.start_all()
        service.act(START, "camera-0")
        await asyncio.sleep(5)
        fleet = Fleet(service.client())
        await fleet.sync_sessions()
        report = await fleet.ensure_running([label("camera-0"), *faces(10)])
        return report, len(fleet.sessions)

    report, sessions = run(main())
    assert (report.counts, sessions) == ({"already running": 11}, 11)
    assert service.starts() == []


def test_ensure_running_counts_and_watches_sessions_that_it_found() -> None:
    service = service_of(face_searches=1)

    async def main() -> SessionEnd:
        service.start_all()
        await asyncio.sleep(5)
        fleet = Fleet(service.client())
        ends = fleet.session_ends()
        await fleet.ensure_running([FACE])
        assert fleet.running == 1
        service.fail("face-0", after=30)
        return await anext(ends)

    assert run(main()) == SessionEnd("face-0", rks.Status.FAILED, status_message=FAILURE)


def test_ensure_running_waits_for_what_is_starting() -> None:
    service = service_of(face_searches=1, timings=Timings(starting=20))

    async def main() -> tuple[StartReport, str]:
        service.start_all()
        report = await Fleet(service.client()).ensure_running([FACE])
        return report, service.status("face-0")

    report, status = run(main())
    assert (report.counts, status) == ({"already running": 1}, "RUNNING")


@pytest.mark.parametrize("verb", ["stop", "update", "fail"])
def test_ensure_running_starts_again_what_is_ending(verb: str) -> None:
    service = service_of(1, timings=Timings(stopping=10, updating=10))

    async def main() -> tuple[StartReport, float, str]:
        client = service.client()
        fleet = Fleet(client)
        if verb == "update":
            await client.update_stream_processor(rks.LabelDetectionUpdate(name="camera-0", min_confidence=60))
        else:
            await fleet.submit(label("camera-0", 100))
            await asyncio.sleep(3)
            if verb == "stop":
                await client.stop_stream_processor("camera-0")
            else:
                service.fail("camera-0")
        began = service.clock.now()
        report = await fleet.ensure_running([label("camera-0", 100)])
        return report, service.clock.now() - began, service.status("camera-0")

    report, seconds, status = run(main())
    assert (report.counts, status) == ({"started": 1}, "STARTING")
    assert (seconds > 9) is (verb != "fail")


@pytest.mark.parametrize("is_ours", [True, False])
def test_ensure_running_starts_a_session_that_has_died_unnoticed(*, is_ours: bool) -> None:
    """It did not last as long as a poll interval, and the fleet has seen nothing of its end."""
    service = service_of(face_searches=1)

    async def main() -> StartReport:
        client = service.client()
        fleet = Fleet(client, when_busy="share", poll_interval=60)
        await (fleet.submit(FACE) if is_ours else client.start_stream_processor(FACE))
        service.fail("face-0", after=3)
        await asyncio.sleep(4)
        return await fleet.ensure_running([FACE])

    assert run(main()).counts == {"started": 1}
    assert len(service.starts()) == 2


@pytest.mark.parametrize("after", [0.5, 1.5])
def test_ensure_running_fails_with_the_error_of_the_wait(after: float) -> None:
    service = service_of(face_searches=3)
    ended: list[SessionEnd] = []

    async def main() -> tuple[StartReport, int]:
        async with Fleet(service.client()) as fleet:
            ends = fleet.session_ends()
            service.fail("face-0", after=after)
            report = await fleet.ensure_running([FleetRequest(start, tag=start.name) for start in faces(3)])
            running = fleet.running
        ended.extend([end async for end in ends])
        return report, running

    report, running = run(main())
    assert (report.counts, running) == ({"started": 2, "failed": 1}, 2)
    (failed,) = report.failed
    assert isinstance(failed.error, rks.StreamProcessorFailedError)
    assert (failed.error.status_message, failed.tag) == (FAILURE, "face-0")
    assert [(end.name, end.status, end.status_message) for end in ended] == [("face-0", rks.Status.FAILED, FAILURE)]


@pytest.mark.parametrize("timeout", [20, datetime.timedelta(seconds=20)])
def test_ensure_running_fails_when_the_wait_takes_too_long(timeout: datetime.timedelta | float) -> None:
    service = service_of(face_searches=1, timings=Timings(starting=1000))

    async def main() -> tuple[StartReport, float]:
        return await Fleet(service.client()).ensure_running([FACE], timeout=timeout), service.clock.now()

    report, now = run(main())
    assert isinstance(report.failed[0].error, rks.WaitTimeoutError)
    assert 20 < now < 22


def test_ensure_running_keeps_tag_deadline_and_priority_of_a_request() -> None:
    """The processor is ending at first, and the start is sent when it is at rest."""
    service = service_of(2, timings=Timings(stopping=10))

    async def main() -> StartReport:
        fleet = Fleet(service.client())
        for name in names(2):
            service.act(START, name)
        await asyncio.sleep(1)
        for name in names(2):
            service.act(STOP, name)
        await asyncio.sleep(1)
        in_time, late = (BEGINNING + datetime.timedelta(seconds=seconds) for seconds in (60, 5))
        return await fleet.ensure_running(
            [
                FleetRequest(label("camera-0"), expires_at=in_time, tag="in time", urgent=True),
                FleetRequest(label("camera-1"), expires_at=late, tag="late"),
            ]
        )

    report = run(main())
    assert [it.tag for it in report.started] == ["in time"]
    assert [it.tag for it in report.expired] == ["late"]


def test_ensure_running_shares_one_start_among_equal_requests() -> None:
    service = service_of(face_searches=1)

    async def main() -> tuple[StartReport, StartReport]:
        fleet = Fleet(service.client(), when_busy="reject")
        return await asyncio.gather(fleet.ensure_running([FACE, FACE]), fleet.ensure_running([FACE]))

    first, second = run(main())
    assert [type(it) for it in [*first, *second]] == [Started] * 3
    assert len(service.starts()) == 1


def test_ensure_running_starts_many_at_the_rate_of_the_quota() -> None:
    service = service_of(150)

    async def main() -> tuple[StartReport, float]:
        fleet = Fleet(service.client())
        report = await fleet.ensure_running(labels(150, 100))
        first = service.clock.now()
        again = await fleet.ensure_running(labels(150, 100))
        assert again.counts == {"already running": 150}
        assert service.clock.now() - first < 10
        return report, first

    report, seconds = run(main())
    assert report.counts == {"started": 150}
    assert seconds < 12
    assert len(service.starts()) == 150


def test_ensure_running_fails_when_another_client_changes_it_all_the_time() -> None:
    service = service_of(face_searches=1)

    async def handle(operation: str, _body: Mapping[str, object]) -> Reply | Exception:
        if operation == DESCRIBE:
            return Reply({"Name": "face-0", "StreamProcessorArn": "arn", "Status": "STOPPED"})
        return refusal(errors.ResourceInUseError, operation)

    async def main() -> tuple[StartReport, float]:
        fleet = Fleet(service.client(transport=MemoryTransport(handle)))
        return await fleet.ensure_running([FACE]), service.clock.now()

    report, now = run(main())
    (failed,) = report.failed
    assert isinstance(failed.error, rks.WaitTimeoutError)
    assert "Another client changes it again and again" in str(failed.error)
    assert now < 30


def test_ensure_running_believes_a_refusal_when_it_may_not_poll() -> None:
    """With the permission to start alone, a label detection that is in use is at work."""
    service = service_of(2)
    denied = {DESCRIBE, LIST}

    async def handle(operation: str, body: Mapping[str, object]) -> Reply | Exception:
        answer = refusal(errors.AccessDeniedError, operation) if operation in denied else None
        return answer or await service.answer(operation, body)

    async def main() -> StartReport:
        service.act(START, "camera-0")
        await asyncio.sleep(1)
        return await Fleet(service.client(transport=MemoryTransport(handle))).ensure_running(labels(2, 60))

    assert {type(it): it.name for it in run(main())} == {AlreadyRunning: "camera-0", Started: "camera-1"}


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (rks.FaceSearchStart("missing"), errors.ResourceNotFoundError),
        (label("missing"), errors.ResourceNotFoundError),
        (rks.FaceSearchStart("camera-0"), errors.InvalidParameterError),
        (label("face-0"), errors.InvalidParameterError),
        (rks.FaceSearchStart("camera-busy"), InvalidRequestError),
        (label("face-busy"), InvalidRequestError),
    ],
)
def test_ensure_running_fails_for_a_wrong_processor(request_: rks.StartRequest, error: type[Exception]) -> None:
    service = service_of(2, face_searches=1)
    service.create("camera-busy")
    service.create("face-busy", faces=True)

    async def main() -> StartReport:
        service.act(START, "camera-busy")
        service.act(START, "face-busy")
        await asyncio.sleep(5)
        return await Fleet(service.client()).ensure_running([request_, label("camera-1")])

    report = run(main())
    assert report.counts == {"started": 1, "failed": 1}
    assert type(report.failed[0].error) is error


def test_ensure_running_leaves_an_unknown_outcome_unknown() -> None:
    service = service_of(1)
    service.before = lambda operation, _: lost(operation) if operation in {START, DESCRIBE} else None
    assert run(Fleet(service.client()).ensure_running(labels(1))).counts == {"unknown": 1}
    assert len(service.starts()) == 1


def test_ensure_running_sends_an_unknown_start_no_more() -> None:
    """Polls show it at rest later, and they do not show whether the lost start had a session in between."""
    service = service_of(1)
    service.before = lambda operation, _: lost(operation) if operation == START else None

    async def handle(operation: str, body: Mapping[str, object]) -> Reply | Exception:
        if operation == DESCRIBE and service.starts() and service.clock.now() < 61:
            await asyncio.sleep(100)
        return await service.answer(operation, body)

    async def main() -> StartReport:
        report = await Fleet(service.client(transport=MemoryTransport(handle))).ensure_running(labels(1))
        await asyncio.sleep(60)
        return report

    assert run(main()).counts == {"unknown": 1}
    assert len(service.starts()) == 1
