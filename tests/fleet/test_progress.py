"""What a fleet tells on its way."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from aiorekostream import errors
from aiorekostream.fleet import Fleet, Progress, Step
from tests.fleet.service import START, Service, label, labels, names, run, stream

if TYPE_CHECKING:
    import pytest


def test_each_request_is_followed_from_its_taking_to_its_outcome() -> None:
    service = Service()
    service.create("camera-0")
    told: list[Progress] = []
    run(Fleet(service.client(), on_progress=told.append).start(labels(1)))
    assert [it.step for it in told] == [Step.QUEUED, Step.PACED, Step.SENT, Step.STARTED]
    assert [(it.waiting, it.in_flight, it.running) for it in told] == [(1, 0, 0), (0, 1, 1), (0, 1, 1), (0, 0, 1)]
    assert told[-1].outcome is not None
    assert {it.name for it in told} == {"camera-0"}


def test_throttling_and_the_end_of_a_session_are_told() -> None:
    service = Service()
    service.create("camera-0", "camera-1")
    throttled = [errors.ThrottlingError("", operation=START, code="T", http_status=400, retry_safe=True)]
    service.before = lambda operation, _: throttled.pop() if throttled and operation == START else None
    told: list[Progress] = []
    run(Fleet(service.client(), on_progress=told.append).start([label("camera-0", 3), label("camera-0", 3)]))
    steps = Counter(it.step for it in told)
    assert steps[Step.THROTTLED] == steps[Step.RETRIED] == steps[Step.ENDED] == 1
    assert steps[Step.STARTED] == steps[Step.QUEUED] == 2


def test_whoever_watches_hears_of_ends_although_nobody_waits_for_them() -> None:
    service = Service()
    service.create(*names(2))
    told: list[Progress] = []

    async def main() -> None:
        fleet = Fleet(service.client(), on_progress=told.append)
        await fleet.start([label("camera-0", 3)])
        told.clear()

        await fleet.start(stream([label("camera-1")], every=12))

    run(main())
    assert next((it.step, it.name) for it in told) == (Step.ENDED, "camera-0")


def test_the_depth_of_the_queue_is_told() -> None:
    service = Service()
    service.create(*names(150))
    told: list[Progress] = []
    run(Fleet(service.client(), on_progress=told.append).start(labels(150, 30)))
    assert max(it.in_flight for it in told) == 100
    assert max(it.waiting for it in told) == 50
    assert told[-1].waiting == told[-1].in_flight == 0


def test_an_error_of_the_listener_is_logged_and_goes_no_further(caplog: pytest.LogCaptureFixture) -> None:
    service = Service()
    service.create(*names(3))

    def listener(_: Progress) -> None:
        raise ZeroDivisionError

    report = run(Fleet(service.client(), on_progress=listener).start(labels(3)))
    assert len(report.started) == 3
    assert "on_progress failed at queued of camera-0" in caplog.text
