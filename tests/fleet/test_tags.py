"""Tags, by which a caller knows the event of an outcome, and the cancellation of one request of a run."""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from aiorekostream import LabelDetectionStart, errors
from aiorekostream.errors import InvalidRequestError, ProcessorBusyError, RequestCancelledError
from aiorekostream.fleet import (
    AlreadyRunning,
    AlreadyStopped,
    Expired,
    Failed,
    Fleet,
    FleetEvent,
    FleetRequest,
    Started,
    Stopped,
    Unknown,
)
from tests.fleet.service import (
    BEGINNING,
    DESCRIBE,
    START,
    Service,
    label,
    labels,
    lost,
    names,
    once,
    run,
    service_of,
    throttling,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from aiorekostream.fleet import StartOutcome, StartReport, StopReport, WhenBusy


def tagged(name: str, tag: object, duration: int = 10) -> FleetRequest:
    return FleetRequest(label(name, duration), tag=tag)


# ----------------------------------------------------------------------------------------------------------------- tags

_IN_USE = errors.ResourceInUseError("", operation=START, code="R", http_status=400, retry_safe=True)
_DENIED = errors.AccessDeniedError("", operation=START, code="A", http_status=400, retry_safe=True)


@pytest.mark.parametrize(
    ("error", "outcome"), [(None, Started), (_IN_USE, AlreadyRunning), (_DENIED, Failed), (lost(), Unknown)]
)
def test_outcome_of_a_call_has_the_tag(error: Exception | None, outcome: type) -> None:
    service = service_of(1)
    if outcome is Unknown:
        service.before = lambda operation, _: lost(operation) if operation in {START, DESCRIBE} else None
    elif error is not None:
        service.before = once(error)
    (found,) = run(Fleet(service.client()).start([tagged("camera-0", "event-7")]))
    assert (type(found), found.tag) == (outcome, "event-7")


def test_expired_and_cancelled_outcomes_have_the_tag() -> None:
    service = service_of(2)
    service.before = lambda operation, _: throttling(retry_after=60) if operation == START else None

    async def main() -> StartReport:
        late = FleetRequest(label("camera-0"), expires_at=BEGINNING, tag="late")
        async with Fleet(service.client()).iter_start([late, tagged("camera-1", "cancelled")]) as run_:
            waiting = asyncio.create_task(run_.wait())
            await asyncio.sleep(1)
        return await waiting

    assert {type(it): it.tag for it in run(main())} == {Expired: "late", Failed: "cancelled"}


@pytest.mark.parametrize("policy", ["queue", "share", "reject"])
def test_each_request_of_one_processor_has_its_own_tag(policy: WhenBusy) -> None:
    service = service_of(1)
    starts: list[LabelDetectionStart | FleetRequest] = [
        tagged("camera-0", 1, 5),
        label("camera-0", 5),
        tagged("camera-0", 2, 5),
        tagged("camera-0", 3, 5),
    ]
    report = run(Fleet(service.client(), when_busy=policy).start(starts))
    assert sorted(str(it.tag) for it in report) == ["1", "2", "3", "None"]
    if policy == "share":
        assert len({it.session for it in report.started}) == 1
    if policy == "reject":
        assert [it.tag for it in report.started] == [1]
        assert {type(it.error) for it in report.failed} == {ProcessorBusyError}


def test_request_that_shares_an_older_session_has_its_own_tag() -> None:
    service = service_of(1)

    async def main() -> list[object]:
        fleet = Fleet(service.client(), when_busy="share")
        reports = [await fleet.start([tagged("camera-0", tag, 60)]) for tag in ("first", "second")]
        return [it.tag for report in reports for it in report.started]

    assert run(main()) == ["first", "second"]


def test_outcomes_of_other_requests_have_no_tag() -> None:
    service = service_of(2)
    no_request: Any = {"Name": "camera-0"}

    async def main() -> tuple[StartReport, StopReport, StartOutcome]:
        fleet = Fleet(service.client())
        starts = await fleet.start([label("camera-0", 60), no_request])
        return starts, await fleet.stop(["camera-0", "camera-1"]), await fleet.submit(label("camera-1"))

    starts, stops, one = run(main())
    assert {type(it) for it in [*starts, *stops]} == {Started, Failed, Stopped, AlreadyStopped}
    assert {it.tag for it in [*starts, *stops, one]} == {None}


def test_event_of_an_outcome_has_the_tag() -> None:
    service = service_of(1)
    told: list[FleetEvent] = []
    run(Fleet(service.client(), on_event=told.append).start([tagged("camera-0", "event-7")]))
    assert [it.outcome.tag for it in told if it.outcome is not None] == ["event-7"]


def test_any_object_is_a_tag() -> None:
    """One that cannot be hashed leaves requests and outcomes hashable."""
    service = service_of(1)
    tag = {"camera": ["front", "door"]}
    request = tagged("camera-0", tag)
    (outcome,) = run(Fleet(service.client()).start([request]))
    assert outcome.tag is tag
    assert len({request, tagged("camera-0", None)}) == len({outcome, copy.copy(outcome)}) + 1 == 2
    assert pickle.loads(pickle.dumps(outcome)).tag == tag  # noqa: S301 - its own data


def test_tag_is_no_part_of_the_pattern_of_an_outcome() -> None:
    service = service_of(1)
    (outcome,) = run(Fleet(service.client()).start([tagged("camera-0", "event-7")]))
    match outcome:
        case Started(request, session, tag=tag):
            assert (request, session.reconciled, tag) == (label("camera-0"), False, "event-7")
        case _:
            pytest.fail(repr(outcome))
    assert "event-7" not in repr(outcome)


# --------------------------------------------------------------------------------------------- cancelling one of a run


def test_cancelled_request_of_a_run_is_not_sent() -> None:
    service = service_of(40)
    requests = labels(40)

    async def main() -> StartReport:
        async with Fleet(service.client()).iter_start(requests) as run_:
            waiting = asyncio.create_task(run_.wait())
            await asyncio.sleep(0.1)
            assert run_.cancel(requests[39])
            assert not run_.cancel(requests[39]), "it has its outcome"
            return await waiting

    report = run(main())
    assert report.counts == {"started": 39, "failed": 1}
    (failed,) = report.failed
    assert failed.request is requests[39]
    assert isinstance(failed.error, RequestCancelledError)
    assert len(service.starts()) == 39


def test_cancelled_request_that_was_sent_gets_its_outcome() -> None:
    service = service_of(1, latency=3)
    request = tagged("camera-0", "event-7")

    async def main() -> StartReport:
        async with Fleet(service.client()).iter_start([request]) as run_:
            waiting = asyncio.create_task(run_.wait())
            await asyncio.sleep(1)
            assert run_.cancel(request)
            assert run_.cancel(request)
            return await waiting

    assert run(main()).counts == {"started": 1}


@pytest.mark.parametrize(
    "other", [label("camera-1"), label("camera-0", 11), tagged("camera-0", None), "camera-0", None]
)
def test_run_does_not_cancel_a_request_that_it_was_not_given(other: Any) -> None:  # noqa: ANN401
    service = service_of(1, latency=3)

    async def main() -> StartReport:
        async with Fleet(service.client()).iter_start([label("camera-0")]) as run_:
            assert not run_.cancel(label("camera-0")), "it is not read yet"
            waiting = asyncio.create_task(run_.wait())
            await asyncio.sleep(1)
            assert not run_.cancel(other)
            report = await waiting
            assert not run_.cancel(label("camera-0"))
            return report

    assert run(main()).counts == {"started": 1}


def test_request_of_another_run_is_not_cancelled() -> None:
    service = service_of(1, latency=3)
    request = label("camera-0")

    async def main() -> StartReport:
        fleet = Fleet(service.client())
        starting = asyncio.create_task(fleet.start([request]))
        await asyncio.sleep(1)
        assert not fleet.iter_start([request]).cancel(request)
        return await starting

    assert run(main()).counts == {"started": 1}


def test_cancel_takes_the_very_object_among_equal_requests() -> None:
    service = service_of(1)
    twins = [label("camera-0", 5), label("camera-0", 5), label("camera-0", 5)]

    async def main() -> StartReport:
        async with Fleet(service.client()).iter_start(twins) as run_:
            waiting = asyncio.create_task(run_.wait())
            await asyncio.sleep(0.1)
            assert run_.cancel(twins[2])
            return await waiting

    (failed,) = run(main()).failed
    assert failed.request is twins[2]


@pytest.mark.parametrize("is_same_object", [True, False])
def test_each_cancel_takes_another_of_equal_requests(*, is_same_object: bool) -> None:
    """The first one was sent, and its cancellation waits for the answer."""
    service = service_of(1, latency=3)
    twins = [label("camera-0", 5)] * 3 if is_same_object else [label("camera-0", 5) for _ in range(3)]

    async def main() -> StartReport:
        async with Fleet(service.client()).iter_start(twins) as run_:
            waiting = asyncio.create_task(run_.wait())
            await asyncio.sleep(1)
            assert [run_.cancel(label("camera-0", 5)) for _ in range(3)] == [True] * 3
            return await waiting

    assert run(main()).counts == {"started": 1, "failed": 2}
    assert len(service.starts()) == 1


def test_run_of_stops_cancels_one_name() -> None:
    service = service_of(5)

    async def main() -> StopReport:
        async with Fleet(service.client()).iter_stop(names(5)) as run_:
            waiting = asyncio.create_task(run_.wait())
            await asyncio.sleep(0.5)
            assert run_.cancel("camera-4")
            return await waiting

    report = run(main())
    assert [it.name for it in report.failed] == ["camera-4"]
    assert "camera-4" not in service.order("StopStreamProcessor")


def test_cancelled_request_makes_room_for_the_next_one() -> None:
    service = service_of(3)
    service.before = lambda operation, name: (
        throttling(retry_after=60) if (operation, name) == (START, "camera-0") else None
    )
    requests = labels(3)

    async def main() -> list[str]:
        seen: list[str] = []
        async with Fleet(service.client(), max_pending=1).iter_start(requests) as run_:
            asyncio.get_running_loop().call_later(5, run_.cancel, requests[0])
            async for outcome in run_:
                seen.append(outcome.name)  # noqa: PERF401 - the loop is what is tested
        return seen

    assert run(main()) == names(3)


def test_invalid_request_has_an_outcome_and_cannot_be_cancelled() -> None:
    no_request: Any = {"Name": "camera-0"}

    async def main() -> StartReport:
        run_ = Fleet(Service().client()).iter_start([no_request])
        report = await run_.wait()
        assert not run_.cancel(no_request)
        return report

    (failed,) = run(main()).failed
    assert isinstance(failed.error, InvalidRequestError)


# --------------------------------------------------------------------------------------------- cancelling in a listener


def test_listener_may_cancel_requests_that_expire_at_the_same_moment(caplog: pytest.LogCaptureFixture) -> None:
    service = service_of(3)
    service.before = lambda operation, _: throttling(retry_after=60) if operation == START else None
    requests = labels(3)

    async def main() -> StartReport:
        def listen(event: FleetEvent) -> None:
            if isinstance(event.outcome, Expired):
                for request in requests:
                    run_.cancel(request)

        run_ = Fleet(service.client(), expires_after=5, on_event=listen).iter_start(requests)
        return await run_.wait()

    assert run(main()).counts == {"failed": 2, "expired": 1}
    assert "Exception in callback" not in caplog.text


@pytest.mark.parametrize("is_blind", [True, False])
def test_listener_may_cancel_requests_that_a_poll_decides_about(*, is_blind: bool) -> None:
    service = service_of(2)
    requests = [tagged("camera-0", number, 60) for number in range(4)]
    errors_: list[Exception] = []

    class BlindMonitor:
        async def ended(self, names: Collection[str]) -> Collection[str]:
            if is_blind:
                raise ConnectionResetError(", ".join(names))
            return ()

    async def main() -> StartReport:
        def listen(event: FleetEvent) -> None:
            if event.outcome is not None and event.outcome.tag == 0:
                try:
                    run_.cancel(requests[2])
                except Exception as error:  # noqa: BLE001 - the fleet would only log it
                    errors_.append(error)

        fleet = Fleet(service.client(), when_busy="share", on_event=listen, session_monitor=BlindMonitor())
        run_ = fleet.iter_start([])
        await fleet.submit(label("camera-0", 60))
        await asyncio.sleep(30)
        run_ = fleet.iter_start(requests)
        return await run_.wait()

    report = run(main())
    assert [type(it).__name__ for it in sorted(report, key=lambda it: str(it.tag)) if it.tag == 2] == ["Failed"]
    assert len(report) == 4
    assert errors_ == []


def test_listener_may_look_at_the_sessions() -> None:
    """That also frees sessions that cannot last any longer, at any moment."""
    service = service_of(5)
    counts: list[int] = []

    async def main() -> dict[str, int]:
        fleet = Fleet(service.client(), expires_after=40, on_event=lambda _: counts.append(len(fleet.sessions)))
        return (await fleet.start([*labels(5), *labels(5), *labels(5)])).counts

    assert run(main()) == {"started": 15}
    assert max(counts) == 5
