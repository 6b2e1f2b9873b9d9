"""Deadlines and priorities of requests."""

from __future__ import annotations

import asyncio
import datetime
from typing import TYPE_CHECKING

import pytest

from aiorekostream import errors
from aiorekostream.fleet import Expired, Failed, Fleet, FleetRequest, Started, StartReport
from aiorekostream.testing import MemoryTransport, Reply
from tests.fleet.service import (
    BEGINNING,
    DESCRIBE,
    START,
    label,
    labels,
    lost,
    once,
    run,
    service_of,
    throttling,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiorekostream.domain.requests import StartRequest

_SECOND = datetime.timedelta(seconds=1)


def test_request_expires_when_it_cannot_be_sent_in_time() -> None:
    service = service_of(100)
    report = run(Fleet(service.client(), expires_after=2 * _SECOND).start(labels(100)))
    assert len(report.started) + len(report.expired) == 100
    assert len(service.starts()) == len(report.started) == pytest.approx(60, abs=4)
    assert all(it.waited == 2.0 for it in report.expired)


def test_request_has_a_deadline_of_its_own() -> None:
    service = service_of(3)
    late, soon, always = labels(3)
    requests: list[StartRequest | FleetRequest] = [
        FleetRequest(late, expires_at=BEGINNING - _SECOND),
        FleetRequest(soon, expires_at=BEGINNING + _SECOND),
        always,
    ]
    report = run(Fleet(service.client()).start(requests))
    assert [it.request for it in report.expired] == [late]
    assert {it.request for it in report.started} == {soon, always}


def test_earlier_deadline_counts_when_a_request_has_two() -> None:
    service = service_of(41, region="eu-west-1")
    later = FleetRequest(label("camera-40"), expires_at=BEGINNING + 70 * _SECOND)
    report = run(Fleet(service.client(), expires_after=3).start([*labels(40, 100), later]))
    assert [(it.name, it.waited) for it in report.expired] == [("camera-40", 3.0)]


def test_throttled_start_expires() -> None:
    service = service_of(1)
    service.before = lambda _operation, _name: throttling(retry_after=1)
    report = run(Fleet(service.client(), expires_after=3).start(labels(1)))
    assert isinstance(report.outcomes[0], Expired)
    assert report.outcomes[0].waited == 3


def test_start_that_backs_off_expires_on_time() -> None:
    service = service_of(1)
    service.before = lambda operation, _: throttling(retry_after=120) if operation == START else None
    report = run(Fleet(service.client(), expires_after=1).start(labels(1)))
    assert [it.waited for it in report.expired] == [1]


def test_answer_counts_when_it_comes_after_the_deadline() -> None:
    report = run(Fleet(service_of(1, latency=5).client(), expires_after=3).start(labels(1)))
    assert len(report.started) == 1


def test_request_expires_while_it_waits_for_a_session_to_end() -> None:
    service = service_of(41, region="eu-west-1")
    last = FleetRequest(label("camera-40"), expires_at=BEGINNING + 7 * _SECOND)
    report = run(Fleet(service.client()).start([*labels(40, 100), last]))
    assert [(it.name, it.waited) for it in report.expired] == [("camera-40", 7.0)]


def test_start_is_not_sent_again_when_throttled_after_its_deadline() -> None:
    service = service_of(1, latency=0)

    async def main() -> StartReport:
        async def slow(_operation: str, _body: object) -> Exception:
            service.calls.append((START, "camera-0", service.clock.now()))
            await asyncio.sleep(5)
            return throttling()

        client = service.client(transport=MemoryTransport(slow))
        return await Fleet(client, expires_after=3).start(labels(1))

    (outcome,) = run(main())
    assert isinstance(outcome, Expired)
    assert outcome.waited == 5
    assert len(service.starts()) == 1


def test_start_does_not_expire_while_it_is_reconciled() -> None:
    service = service_of(1)
    service.before = once(lost())

    async def slow(operation: str, body: Mapping[str, object]) -> Reply | Exception:
        if operation == DESCRIBE:
            await asyncio.sleep(5)
        return await service.answer(operation, body)

    client = service.client(transport=MemoryTransport(slow))
    report = run(Fleet(client, expires_after=2).start(labels(1, 60)))
    assert isinstance(report.outcomes[0], Started)


def test_start_that_cannot_connect_is_not_sent_after_its_deadline() -> None:
    service = service_of(1)
    service.before = lambda _operation, _name: errors.ConnectError("refused", operation=START, retry_safe=True)
    report = run(Fleet(service.client(rate_limiter=None), expires_after=1).start(labels(1)))
    (outcome,) = report
    assert isinstance(outcome, Failed | Expired)
    assert max(service.starts()) <= 1


def test_urgent_requests_go_first() -> None:
    service = service_of(200)
    *many, last = labels(200, 30)
    run(Fleet(service.client()).start([*many, FleetRequest(last, urgent=True)]))
    assert service.starts("camera-199")[0] < 0.1
