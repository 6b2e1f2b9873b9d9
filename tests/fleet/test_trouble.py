"""Outcomes of a fleet when the network, the service, or the user's own code fails."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.emulator import Timings
from aiorekostream.fleet import Failed, Fleet, StartReport, StopReport
from tests.emulator.samples import faces as a_face_search
from tests.emulator.samples import labels as a_label_detection
from tests.fleet import service as virtual
from tests.fleet.service import DESCRIBE, START, STOP, OpensLate, faces, labels, leave, names
from tests.simulation.fates import Fate
from tests.simulation.scenes import label_start, make_client
from tests.simulation.service import Network, SimulatedService
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

_ENOUGH = rks.Limits(concurrent_label_detection={"us-east-1": 1000})


def _always(fate: Fate) -> Callable[[str, Mapping[str, object]], Fate]:
    """This becomes of every start, and nothing bad of other calls."""
    return lambda operation, _: fate if operation == START else Fate.ANSWERED


def _once(fate: Fate, operation: str = START) -> Callable[[str, Mapping[str, object]], Fate]:
    """The same for the first call of an operation alone."""
    fates = [fate]
    return lambda asked, _: fates.pop() if asked == operation and fates else Fate.ANSWERED


# ---------------------------------------------------------------------------------------------- the service or the way


@pytest.mark.parametrize("read_timeout", [3.0, 30.0])
@pytest.mark.parametrize(
    "fate", [Fate.READ_TIMEOUT_NOT_APPLIED, Fate.NO_CONNECTION, Fate.CLOSED_NOT_APPLIED, Fate.SERVER_ERROR_NOT_APPLIED]
)
def test_start_that_never_gets_through_has_an_outcome_within_total(fate: Fate, read_timeout: float) -> None:
    service = SimulatedService(fates=_always(fate), network=Network(read_timeout=read_timeout))

    async def main() -> tuple[StartReport, float]:
        service.create(a_label_detection("door"))
        report = await Fleet(make_client(service, total=60)).start([label_start("door")])
        return report, service.now

    report, seconds = run(main())
    assert len(report.failed) + len(report.unknown) == 1
    assert seconds <= 60
    assert not service.applied(START, "door")


@pytest.mark.parametrize(
    "harm", [Fate.NO_CONNECTION, Fate.SERVER_ERROR_NOT_APPLIED, Fate.CLOSED_NOT_APPLIED, Fate.READ_TIMEOUT_NOT_APPLIED]
)
def test_outage_of_eight_seconds_loses_no_request(harm: Fate) -> None:
    def fate(_operation: str, _members: Mapping[str, object]) -> Fate:
        return harm if 2 <= service.now < 10 else Fate.ANSWERED

    service = SimulatedService(limits=_ENOUGH, fates=fate)

    async def main() -> StartReport:
        doors = [f"door-{number}" for number in range(200)]
        service.create(*map(a_label_detection, doors))
        return await Fleet(make_client(service, total=120)).start(map(label_start, doors))

    assert run(main()).counts == {"started": 200}


@pytest.mark.parametrize(("failures", "counts"), [(3, {"started": 3}), (100, {"failed": 3})])
def test_fleet_retries_to_open_the_client(failures: int, counts: dict[str, int]) -> None:
    transport = OpensLate(lambda _operation, _body: {"SessionId": "s"}, failures=failures)
    report = virtual.run(Fleet(virtual.Service().client(transport=transport)).start(labels(3)))
    assert report.counts == counts
    assert {type(it.error) for it in report.failed} <= {errors.ConnectError}
    assert len({id(it.error) for it in report.failed}) == len(report.failed), "each has an error of its own"


# ------------------------------------------------------------------------------------------------------------- unknown


@pytest.mark.parametrize("way", ["deadline", "cancellation"])
def test_start_that_is_applied_late_is_never_reported_unsent(way: str) -> None:
    """It is applied two seconds after the connection broke, when its deadline has passed."""
    service = SimulatedService(fates=_once(Fate.CLOSED_LATE), network=Network(lateness=2.0))

    async def main() -> StartReport:
        service.create(a_label_detection("door"))
        fleet = Fleet(make_client(service), expires_after=0.1 if way == "deadline" else None)
        starting = fleet.iter_start([label_start("door")])
        if way == "deadline":
            return await starting.wait()
        await leave(starting.wait(), after=0.1)
        return starting.report

    report = run(main())
    assert report.counts == {"started": 1}
    assert report.started[0].session.reconciled
    assert len(service.applied(START, "door")) == 1


def test_lost_start_is_not_sent_again_after_its_deadline() -> None:
    service = SimulatedService(fates=_always(Fate.SERVER_ERROR_NOT_APPLIED))

    async def main() -> StartReport:
        service.create(a_label_detection("door"))
        fleet = Fleet(make_client(service, rate_limiter=None), expires_after=1)
        return await fleet.start([label_start("door")])

    (failed,) = run(main()).failed
    assert isinstance(failed.error, errors.ServiceError)
    assert failed.error.retry_safe, "the service can no longer apply it"
    assert failed.error.hint.endswith("not applied; it is not sent again, since its deadline (expires_at) has passed")
    assert max(service.sendings["door"]) <= 1


def test_start_does_not_return_to_the_queue_after_a_lost_response() -> None:
    """Its retries are throttled until its deadline: it is no request that was never sent, which expires."""
    lost = errors.InternalServerError("", operation=START, code="", http_status=500, retry_safe=False)
    failures: list[Exception] = [lost]
    service = virtual.service_of(1)
    service.before = lambda operation, _: (failures or [virtual.throttling()]).pop() if operation == START else None
    (outcome,) = virtual.run(Fleet(service.client(), expires_after=15).start(labels(1)))
    assert isinstance(outcome, Failed), outcome
    assert isinstance(outcome.error, errors.ThrottlingError)


def test_lost_stop_is_reconciled_when_it_is_cancelled() -> None:
    service = SimulatedService(fates=_once(Fate.CLOSED_NOT_APPLIED, STOP))

    async def main() -> StopReport:
        service.create(a_face_search("lobby"))
        client = make_client(service)
        await client.start_stream_processor(rks.FaceSearchStart("lobby"))
        stopping = Fleet(client).iter_stop(["lobby"])
        await leave(stopping.wait(), after=0.1)
        return stopping.report

    (outcome,) = run(main())
    assert isinstance(outcome, Failed), outcome
    assert not service.applied(STOP, "lobby")


@pytest.mark.parametrize("read_timeout", [3.0, 0.5])
def test_ambiguous_start_is_not_sent_again_after_a_stop(read_timeout: float) -> None:
    """The stop comes while the start has no answer yet, or while it is reconciled."""
    service = SimulatedService(fates=_once(Fate.READ_TIMEOUT_APPLIED), network=Network(read_timeout=read_timeout))

    async def main() -> tuple[StopReport, StartReport, bool]:
        service.create(a_face_search("door"))
        fleet = Fleet(make_client(service, total=60))
        starting = asyncio.create_task(fleet.start([rks.FaceSearchStart("door")]))
        await asyncio.sleep(0.4)
        stopped = await fleet.stop(["door"])
        started = await starting
        await asyncio.sleep(600)
        return stopped, started, service.is_busy("door")

    stopped, started, is_at_work = run(main())
    assert stopped.counts == {"stopped": 1}
    assert started.counts in ({"unknown": 1}, {"started": 1})
    assert not is_at_work
    assert len(service.applied(START, "door")) == 1


def test_lost_start_is_unknown_when_a_stop_ends_its_session_at_once() -> None:
    """The first poll is lost, and the next one shows a processor that looks as it did before the start."""
    fates = {START: [Fate.CLOSED_APPLIED], DESCRIBE: [Fate.NO_CONNECTION]}
    service = SimulatedService(
        fates=lambda operation, _: fates[operation].pop() if fates.get(operation) else Fate.ANSWERED,
        timings=Timings(stopping=0.1),
    )

    async def main() -> tuple[StopReport, StartReport]:
        service.create(a_face_search("door"))
        await asyncio.sleep(60)  # the processor has not changed just now
        fleet = Fleet(make_client(service, total=60))
        starting = asyncio.create_task(fleet.start([rks.FaceSearchStart("door")]))
        await asyncio.sleep(0.07)
        return await fleet.stop(["door"]), await starting

    stopped, started = run(main())
    assert stopped.counts == {"stopped": 1}
    assert started.counts == {"unknown": 1}
    assert len(service.applied(START, "door")) == 1


def test_unknown_start_keeps_its_slot_although_a_stop_finds_nothing() -> None:
    """The service may still apply the start, so a processor at rest proves nothing yet."""
    limits = rks.Limits(concurrent_face_search={"us-east-1": 1})
    service = SimulatedService(
        limits=limits, fates=_once(Fate.READ_TIMEOUT_LATE), network=Network(read_timeout=2.0, lateness=25.0)
    )

    async def main() -> tuple[StartReport, StopReport]:
        service.create(a_face_search("door"), a_face_search("lobby"))
        await asyncio.sleep(60)
        fleet = Fleet(make_client(service, total=8).with_options(limits=limits))
        first = await fleet.start([rks.FaceSearchStart("door")])
        stopped = await fleet.stop(["door"])
        second = asyncio.create_task(fleet.start([rks.FaceSearchStart("lobby")]))
        await asyncio.sleep(60)
        second.cancel()
        await asyncio.wait([second])
        return first, stopped

    first, stopped = run(main())
    assert first.counts == {"unknown": 1}
    assert stopped.counts == {"already stopped": 1}
    assert len(service.applied(START, "door")) == 1
    assert service.peak == 1


# ------------------------------------------------------------------------------------------------- order under trouble


def test_throttled_start_keeps_its_place_among_those_of_one_moment() -> None:
    """The first calls wait for connections, and one of them comes too early for the service."""
    network = Network(jitter=0, connecting=0.1)
    service = SimulatedService(quotas={START: rks.Quota(1, 1, "")}, network=network, limits=_ENOUGH)

    async def main() -> None:
        doors = [f"door-{number}" for number in range(6)]
        service.create(*map(a_label_detection, doors))
        await Fleet(make_client(service)).start(map(label_start, doors))

    run(main())
    assert {decision.code for decision in service.decisions} > {""}, "none was throttled"
    done = [decision.name for decision in service.decisions if not decision.code]
    assert done.index("door-1") <= 2


# -------------------------------------------------------------------------------------------------- the user's monitor


@pytest.mark.parametrize("answer", [None, 5])
def test_monitor_is_called_again_after_an_invalid_result(answer: object, caplog: pytest.LogCaptureFixture) -> None:
    service = virtual.Service(quotas=False, limits=rks.Limits(concurrent_label_detection={"us-east-1": 1}))
    service.create(*names(3))
    asked = 0

    class Nonsense:
        async def ended(self, names: object) -> Any:  # noqa: ANN401 - nonsense
            nonlocal asked
            assert names
            asked += 1
            return answer

    report = virtual.run(Fleet(service.client(), session_monitor=Nonsense()).start(labels(3, 2)))
    assert report.counts == {"started": 3}  # a slot is free once a session cannot last any longer
    assert asked > 2
    assert "could not poll for ended sessions" in caplog.text


def test_fleet_outlives_a_monitor_that_is_cancelled() -> None:
    service = virtual.Service(quotas=False)
    service.create(*names(2, "face"), faces=True)
    one_at_a_time = rks.Limits(concurrent_face_search={"us-east-1": 1})
    asked = 0

    class Cancelled:
        async def ended(self, names: Collection[str]) -> Collection[str]:
            nonlocal asked
            asked += 1
            if asked == 1:
                raise asyncio.CancelledError
            return names

    fleet = Fleet(service.client(limits=one_at_a_time), session_monitor=Cancelled())
    report = virtual.run(fleet.start(faces(2)))
    assert asked == 2
    assert len(report.outcomes) == 2
