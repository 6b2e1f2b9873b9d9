"""Processors that are brought to rest, whatever state they are in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.emulator import Timings
from aiorekostream.errors import InvalidRequestError
from aiorekostream.fleet import Fleet, SessionEnd, Started
from aiorekostream.testing import MemoryTransport, Reply
from tests import virtual_time
from tests.emulator import samples
from tests.fleet.service import (
    DESCRIBE,
    FACE,
    LIST,
    START,
    STOP,
    label,
    lost,
    names,
    refusal,
    run,
    service_of,
)
from tests.simulation.fates import Fate
from tests.simulation.scenes import make_client
from tests.simulation.service import Network, SimulatedService

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiorekostream.fleet import StopReport

_APPLY_DELAY = 30.0  # seconds after a read timeout; see RetryPolicy.max_apply_delay


def test_ensure_stopped_brings_80_processors_to_rest_at_one_stop_a_second() -> None:
    service = service_of(80)

    async def main() -> tuple[StopReport, float, set[str]]:
        fleet = Fleet(service.client())
        for name in names(80):
            service.act(START, name)
        await asyncio.sleep(1)
        report = await fleet.ensure_stopped(names(80))
        return report, service.clock.now(), {str(service.status(name)) for name in names(80)}

    report, seconds, statuses = run(main())
    assert statuses == {"STOPPED"}
    assert len(report.stopped) == 80
    assert seconds < 90


def test_ensure_stopped_sends_nothing_to_what_is_at_rest() -> None:
    service = service_of(80, face_searches=1)

    async def main() -> tuple[StopReport, float]:
        service.start_all()
        service.fail("camera-0")
        await asyncio.sleep(5)
        began = service.clock.now()
        report = await Fleet(service.client()).ensure_stopped([*names(80), "face-0"])
        return report, service.clock.now() - began

    report, seconds = run(main())
    assert report.counts == {"stopped": 1, "already stopped": 80}
    assert service.order(STOP) == ["face-0"]
    assert seconds < 10


def test_ensure_stopped_frees_the_slot_and_reports_the_end() -> None:
    service = service_of(face_searches=1)

    async def main() -> tuple[StopReport, int, SessionEnd]:
        fleet = Fleet(service.client(), poll_interval=3600)
        ends = fleet.session_ends()
        outcome = await fleet.submit(FACE)
        await asyncio.sleep(5)
        report = await fleet.ensure_stopped(["face-0"])
        end = await anext(ends)
        assert isinstance(outcome, Started)
        assert end.session == outcome.session
        return report, fleet.running, end

    report, running, end = run(main())
    assert (report.counts, running, end.status) == ({"stopped": 1}, 0, rks.Status.STOPPED)


def test_ensure_stopped_stops_what_this_fleet_has_just_started() -> None:
    """The service may list it as STOPPED for a moment, which proves nothing."""
    service = service_of(face_searches=1)

    async def handle(operation: str, body: Mapping[str, object]) -> Reply | Exception:
        answer = await service.answer(operation, body)
        if operation == DESCRIBE and isinstance(answer, Reply) and service.count(DESCRIBE) == 1:
            return Reply({**answer.body, "Status": "STOPPED"})
        return answer

    async def main() -> tuple[StopReport, str]:
        fleet = Fleet(service.client(transport=MemoryTransport(handle)))
        await fleet.submit(FACE)
        report = await fleet.ensure_stopped(["face-0"])
        return report, service.status("face-0")

    report, status = run(main())
    assert (report.counts, status) == ({"stopped": 1}, "STOPPED")


@pytest.mark.parametrize("kind", ["face search", "label detection"])
def test_ensure_stopped_waits_when_a_stop_is_refused_while_starting(kind: str) -> None:
    """A face search is stopped once it runs, and a label detection ends by itself."""
    service = service_of(1, face_searches=1, timings=Timings(starting=5))
    name = "face-0" if kind == "face search" else "camera-0"
    service.before = lambda operation, who: (
        refusal(errors.ResourceInUseError, STOP)
        if operation == STOP and service.status(who) == rks.Status.STARTING
        else None
    )

    async def main() -> tuple[StopReport, str]:
        fleet = Fleet(service.client())
        await fleet.submit(FACE if kind == "face search" else label("camera-0", 20))
        report = await fleet.ensure_stopped([name])
        return report, service.status(name)

    report, status = run(main())
    assert (len(report.stopped), status) == (1, "STOPPED")


def test_ensure_stopped_fails_when_a_stop_is_always_refused() -> None:
    service = service_of(face_searches=1)
    service.before = lambda operation, _: refusal(errors.ResourceInUseError, STOP) if operation == STOP else None

    async def main() -> StopReport:
        service.start_all()
        await asyncio.sleep(5)
        return await Fleet(service.client()).ensure_stopped(["face-0"])

    assert isinstance(run(main()).failed[0].error, errors.ResourceInUseError)


def test_ensure_stopped_stops_again_what_another_client_starts_once() -> None:
    service = service_of(face_searches=1)

    def start_before_a_poll(operation: str, _name: str) -> None:
        if operation in {LIST, DESCRIBE} and service.count(STOP) == 1:
            service.act(START, "face-0")

    service.before = start_before_a_poll

    async def main() -> tuple[StopReport, str]:
        service.start_all()
        await asyncio.sleep(5)
        report = await Fleet(service.client()).ensure_stopped(["face-0"])
        return report, service.status("face-0")

    report, status = run(main())
    assert (report.counts, status) == ({"stopped": 1}, "STOPPED")


def test_ensure_stopped_fails_when_another_client_starts_it_all_the_time() -> None:
    service = service_of(face_searches=1)

    async def handle(operation: str, _body: Mapping[str, object]) -> Reply | Exception:
        if operation == DESCRIBE:
            return Reply({"Name": "face-0", "StreamProcessorArn": "arn", "Status": "RUNNING"})
        return Reply({})

    async def main() -> StopReport:
        return await Fleet(service.client(transport=MemoryTransport(handle))).ensure_stopped(["face-0"])

    (failed,) = run(main()).failed
    assert isinstance(failed.error, rks.WaitTimeoutError)
    assert "Another client changes it again and again" in str(failed.error)


@pytest.mark.parametrize(
    ("name", "error"),
    [("missing", errors.ResourceNotFoundError), ("front door", InvalidRequestError), (5, InvalidRequestError)],
)
def test_ensure_stopped_fails_for_what_is_no_processor(name: Any, error: type[Exception]) -> None:  # noqa: ANN401
    service = service_of(1)
    report = run(Fleet(service.client()).ensure_stopped([name, "camera-0"]))
    assert report.counts == {"already stopped": 1, "failed": 1}
    assert type(report.failed[0].error) is error


def test_ensure_stopped_stops_what_it_may_not_poll() -> None:
    service = service_of(face_searches=1)

    async def handle(operation: str, body: Mapping[str, object]) -> Reply | Exception:
        if operation in {DESCRIBE, LIST}:
            return refusal(errors.AccessDeniedError, operation)
        return await service.answer(operation, body)

    async def main() -> tuple[StopReport, str]:
        service.start_all()
        await asyncio.sleep(5)
        report = await Fleet(service.client(transport=MemoryTransport(handle))).ensure_stopped(["face-0"])
        await asyncio.sleep(5)
        return report, service.status("face-0")

    report, status = run(main())
    assert status == "STOPPED"
    assert isinstance(report.failed[0].error, errors.AccessDeniedError)  # whether it came to rest is not known


def test_ensure_stopped_leaves_an_unknown_outcome_unknown() -> None:
    service = service_of(face_searches=1)

    async def main() -> StopReport:
        service.start_all()
        await asyncio.sleep(5)
        looks = 0

        def harm(operation: str, _: str) -> Exception | None:
            nonlocal looks
            looks += operation == DESCRIBE
            return lost(operation) if operation == STOP or looks > 1 else None

        service.before = harm
        return await Fleet(service.client()).ensure_stopped(["face-0"])

    assert run(main()).counts == {"unknown": 1}
    assert service.count(STOP) == 1


@pytest.mark.parametrize("fate", [Fate.READ_TIMEOUT_NOT_APPLIED, Fate.READ_TIMEOUT_LATE, Fate.READ_TIMEOUT_APPLIED])
def test_lost_stop_is_sent_again_only_when_that_is_safe(fate: Fate) -> None:
    """Its time ends long before the service can no longer apply it, and an unknown outcome is not the end."""
    fates = [fate]
    service = SimulatedService(
        fates=lambda operation, _: fates.pop() if operation == STOP and fates else Fate.ANSWERED,
        network=Network(read_timeout=2.0, lateness=25.0),
    )

    async def main() -> StopReport:
        service.create(samples.faces("door"))
        service.act(START, {"Name": "door"})
        await asyncio.sleep(60)
        report = await Fleet(make_client(service, total=8)).ensure_stopped(["door"])
        await asyncio.sleep(60)
        return report

    report = virtual_time.run(main())
    is_sent_again = fate is Fate.READ_TIMEOUT_NOT_APPLIED
    is_known = is_sent_again or fate is Fate.READ_TIMEOUT_APPLIED
    assert report.counts == {"stopped" if is_known else "already stopped": 1}
    assert len(service.applied(STOP, "door")) == 1
    first, *later = service.sendings["door"]
    assert all(sent - first >= _APPLY_DELAY for sent in later)
    assert bool(later) is is_sent_again
