"""Events of a fleet."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from aiorekostream.fleet import Expired, Failed, Fleet, FleetEvent, FleetEventType, FleetRequest, Started, Stopped
from tests.fleet.service import BEGINNING, STOP, Service, label, labels, lost, names, once, run, service_of, throttling

Type = FleetEventType


def test_events_follow_a_request_from_the_queue_to_its_outcome() -> None:
    told: list[FleetEvent] = []
    run(Fleet(service_of(1).client(), on_event=told.append).start(labels(1)))
    assert [it.type for it in told] == [Type.QUEUED, Type.SENT, Type.STARTED]
    assert [(it.queued, it.in_flight, it.running) for it in told] == [(1, 0, 0), (0, 1, 1), (0, 0, 1)]
    assert isinstance(told[-1].outcome, Started)
    assert {it.name for it in told} == {"camera-0"}


def test_events_follow_a_stop_from_the_queue_to_its_outcome() -> None:
    service = service_of(1)
    told: list[FleetEvent] = []

    async def main() -> None:
        fleet = Fleet(service.client(), on_event=told.append)
        await fleet.start(labels(1, 60))
        told.clear()
        await fleet.stop(["camera-0"])

    run(main())
    assert [it.type for it in told] == [Type.QUEUED, Type.SENT, Type.COMPLETED]
    assert [(it.queued, it.in_flight, it.running) for it in told] == [(1, 0, 1), (0, 1, 1), (0, 0, 1)]
    assert isinstance(told[-1].outcome, Stopped)


@pytest.mark.parametrize("kind", [Type.QUEUED, Type.SENT, Type.STARTED, Type.COMPLETED, Type.SESSION_ENDED])
def test_cancellation_that_a_listener_raises_changes_no_outcome(
    kind: FleetEventType, caplog: pytest.LogCaptureFixture
) -> None:
    """The result of a future that was cancelled raises it, for instance."""
    service = service_of(2)

    def listen(event: FleetEvent) -> None:
        if event.type is kind:
            cancelled = asyncio.get_running_loop().create_future()
            cancelled.cancel()
            cancelled.result()

    async def main() -> list[dict[str, int]]:
        async with asyncio.timeout(1000), Fleet(service.client(), on_event=listen) as fleet:
            started = await fleet.start([*labels(2), label("camera-0"), label("none")])
            return [started.counts, (await fleet.stop(names(2))).counts]

    assert run(main()) == [{"started": 3, "failed": 1}, {"stopped": 1, "already stopped": 1}]
    assert f"on_event failed at {kind}" in caplog.text


def test_events_report_throttles_and_ended_sessions() -> None:
    service = service_of(1)
    service.before = once(throttling())
    told: list[FleetEvent] = []
    run(Fleet(service.client(), on_event=told.append).start([label("camera-0", 3), label("camera-0", 3)]))
    counts = Counter(it.type for it in told)
    assert counts[Type.THROTTLED] == counts[Type.RETRIED] == counts[Type.SESSION_ENDED] == 1
    assert counts[Type.STARTED] == counts[Type.QUEUED] == 2
    assert counts[Type.SENT] == 3


def test_events_report_a_throttled_stop() -> None:
    service = service_of(1)
    service.before = once(throttling(STOP), STOP)
    told: list[FleetEvent] = []
    run(Fleet(service.client(), on_event=told.append).stop(["camera-0"]))
    assert [it.type for it in told] == [
        Type.QUEUED, Type.SENT, Type.THROTTLED, Type.RETRIED, Type.SENT, Type.COMPLETED,
    ]  # fmt: skip


def test_events_report_a_reconciliation() -> None:
    service = service_of(1)
    service.before = once(lost())
    told: list[FleetEvent] = []
    run(Fleet(service.client(), on_event=told.append).start(labels(1, 60)))
    assert [it.type for it in told] == [Type.QUEUED, Type.SENT, Type.RECONCILING, Type.STARTED]


def test_events_report_ended_sessions_while_requests_are_pending() -> None:
    service = service_of(2)
    told: list[FleetEvent] = []

    async def main() -> None:
        fleet = Fleet(service.client(), on_event=told.append)
        await fleet.start([label("camera-0", 3)])
        service.before = once(throttling(retry_after=30))
        await fleet.start([label("camera-1")])

    run(main())
    ended = [(it.type, it.name, it.running) for it in told if it.type is Type.SESSION_ENDED]
    assert ended == [(Type.SESSION_ENDED, "camera-0", 0)]


def test_events_have_the_length_of_the_queue() -> None:
    told: list[FleetEvent] = []
    run(Fleet(service_of(150).client(), on_event=told.append, max_in_flight=10).start(labels(150, 30)))
    assert max(it.in_flight for it in told) <= 10
    assert 100 <= max(it.queued for it in told) <= 150
    assert told[-1].queued == told[-1].in_flight == 0


def test_event_reports_a_request_that_is_expired_at_its_arrival() -> None:
    told: list[FleetEvent] = []
    late = FleetRequest(label("camera-0"), expires_at=BEGINNING)
    run(Fleet(service_of(1).client(), on_event=told.append).start([late]))
    assert [(it.type, type(it.outcome)) for it in told] == [(Type.COMPLETED, Expired)]


def test_event_reports_a_value_that_is_not_a_request() -> None:
    told: list[FleetEvent] = []
    no_requests: list[Any] = [{"Name": "camera-0"}]
    run(Fleet(Service().client(), on_event=told.append).start(no_requests))
    assert [(it.type, type(it.outcome)) for it in told] == [(Type.COMPLETED, Failed)]


def test_event_reports_a_value_that_is_not_a_name() -> None:
    told: list[FleetEvent] = []
    no_names: list[Any] = [5]
    run(Fleet(Service().client(), on_event=told.append).stop(no_names))
    assert [(it.type, type(it.outcome)) for it in told] == [(Type.COMPLETED, Failed)]


def test_event_reports_each_cancelled_request() -> None:
    told: list[FleetEvent] = []
    service = Service(latency=5)
    service.create(*names(3))

    async def main() -> None:
        fleet = Fleet(service.client(), on_event=told.append, max_in_flight=1)
        async with fleet.iter_start(labels(3)) as starting:
            waiting = asyncio.create_task(starting.wait())
            await asyncio.sleep(1)
        await waiting

    run(main())
    counts = Counter(it.type for it in told)
    assert (counts[Type.QUEUED], counts[Type.STARTED], counts[Type.COMPLETED]) == (3, 1, 2)


def test_error_of_the_listener_is_logged_and_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def listener(_: FleetEvent) -> None:
        raise ZeroDivisionError

    report = run(Fleet(service_of(3).client(), on_event=listener).start(labels(3)))
    assert len(report.started) == 3
    assert "on_event failed at queued of camera-0" in caplog.text
