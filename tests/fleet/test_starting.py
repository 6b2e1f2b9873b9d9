"""Starting many processors, against the emulated world in virtual time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.fleet import AlreadyRunning, Failed, Fleet, Started, StartReport, Unknown
from aiorekostream.limits import DEFAULT_LIMITS
from tests.fleet.service import (
    DESCRIBE,
    START,
    STOP,
    Service,
    label,
    labels,
    lost,
    names,
    once,
    run,
    service_of,
    stream,
    throttling,
)

if TYPE_CHECKING:
    from aiorekostream.domain.requests import StartRequest


def most_at_once(service: Service, operation: str) -> int:
    """The most calls of an operation that were under way at once, by when they came and the latency."""
    moments = [at for asked, _, at in service.calls if asked == operation]
    return max(sum(at <= other < at + service.latency for other in moments) for at in moments)


# --------------------------------------------------------------------------------------------------------------- speed


def test_fleet_starts_200_processors_at_the_rate_of_the_quota() -> None:
    service = service_of(200)
    report = run(Fleet(service.client()).start(labels(200, 30)))
    assert len(report.started) == 200 == len({it.session.session_id for it in report.started})
    assert len(service.starts()) <= 201
    assert max(service.starts()) <= (200 - 20) / 20 * 1.05


def test_fleet_sends_at_once_without_a_rate_limiter() -> None:
    service = Service(quotas=False, latency=0.06)
    service.create(*names(200))
    report = run(Fleet(service.client(rate_limiter=None)).start(labels(200, 30)))
    assert len(report.started) == 200
    assert service.starts() == [0.0] * 100 + [pytest.approx(0.06)] * 100


def test_fleet_loses_no_request_when_the_quota_is_lower_than_believed() -> None:
    slow = rks.Limits(quotas={START: rks.Quota(2, 2, "")})
    service = service_of(150, limits=slow)
    report = run(Fleet(service.client(limits=DEFAULT_LIMITS, total=20)).start(labels(150)))
    assert len(report.started) == 150


@pytest.mark.parametrize(("operation", "most"), [(START, 3), (STOP, 2)])
def test_fleet_has_at_most_max_in_flight_calls_under_way(operation: str, most: int) -> None:
    service = Service(quotas=False, latency=0.5)
    service.create(*names(12))

    async def main() -> None:
        client = service.client(rate_limiter=None)
        await asyncio.gather(*(client.start_stream_processor(it) for it in labels(12, 100) if operation == STOP))
        fleet = Fleet(client, max_in_flight=most)
        await (fleet.start(labels(12, 100)) if operation == START else fleet.stop(names(12)))

    run(main())
    assert service.count(operation) == 12
    assert most_at_once(service, operation) == most


@pytest.mark.parametrize(("rate", "most"), [(0.1, 2), (1, 5), (7, 35), (20, 100), (1000, 100)])
def test_fleet_has_calls_of_five_seconds_under_way_by_default(rate: float, most: int) -> None:
    """Answers do not come here, so the calls under way pile up."""
    service = Service(quotas=False, latency=10_000)
    service.create(*names(150))
    client = service.client(limits=rks.Limits(quotas={START: rks.Quota(rate, 1, "")}), total=9000)

    async def main() -> int:
        async with Fleet(client).iter_start(labels(150)) as starting:
            waiting = asyncio.create_task(starting.wait())
            await asyncio.sleep(500)
            sent = len(service.starts())
            for _ in range(2):  # do not wait for answers
                waiting.cancel()
                await asyncio.sleep(0)
            with pytest.raises(asyncio.CancelledError):
                await waiting
        return sent

    assert run(main()) == most


def test_fleet_reads_requests_from_an_async_iterator() -> None:
    service = service_of(5)
    report = run(Fleet(service.client()).start(stream(labels(5), every=1)))
    assert len(report.started) == 5
    assert service.starts() == [1, 2, 3, 4, 5]


# -------------------------------------------------------------------------------------------------------------- inputs


@pytest.mark.parametrize("one", [label("camera-1"), "camera-1", {"Name": "camera-1"}, 5])
@pytest.mark.parametrize("verb", ["start", "stop"])
def test_fleet_rejects_a_single_request(verb: str, one: object) -> None:
    service = service_of(1)
    with pytest.raises(errors.InvalidRequestError, match="a collection of"):
        run(getattr(Fleet(service.client()), verb)(one))
    assert not service.calls


@pytest.mark.parametrize("one", [label("camera-1"), "camera-1", {"Name": "camera-1"}, 5])
@pytest.mark.parametrize("verb", ["iter_start", "iter_stop"])
def test_run_of_a_single_request_is_rejected_when_it_is_made(verb: str, one: object) -> None:
    with pytest.raises(errors.InvalidRequestError, match="a collection of"):
        getattr(Fleet(service_of(1).client()), verb)(one)


def test_value_that_is_not_a_request_fails_alone() -> None:
    service = service_of(2)
    wrong: list[StartRequest] = [*labels(2), {"Name": "camera-0"}]  # type: ignore[list-item]  # pyright: ignore[reportAssignmentType]
    report = run(Fleet(service.client()).start(wrong))
    assert report.counts == {"started": 2, "failed": 1}
    with pytest.raises(ExceptionGroup, match="3 requests: 2 started, 1 failed"):
        report.raise_for_failures()


# ------------------------------------------------------------------------------------------------------------ outcomes


def test_outcomes_have_the_order_in_which_they_are_known() -> None:
    service = service_of(3)
    report = run(Fleet(service.client()).start([label("camera-0"), label("missing"), label("camera-1")]))
    assert {type(it) for it in report} == {Started, Failed}
    assert [it.name for it in report.failed] == ["missing"]
    assert report.counts == {"started": 2, "failed": 1}


def _refusal(kind: type[errors.ServiceError], *, retry_safe: bool = True) -> errors.ServiceError:
    return kind("no", operation=START, code=kind.__name__, http_status=400, retry_safe=retry_safe)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (_refusal(errors.ResourceInUseError), AlreadyRunning),
        (_refusal(errors.ResourceNotFoundError), Failed),
        (_refusal(errors.AccessDeniedError), Failed),
        (_refusal(errors.InvalidParameterError), Failed),
        (_refusal(errors.ThrottlingError), Failed),
        (errors.RateLimitedError("", operation=START, retry_after=1), Failed),
        (errors.ConnectError("", operation=START, retry_safe=True), Failed),
        (errors.ConfigurationError("closed"), Failed),
        (errors.MalformedResponseError([], operation=START), Unknown),
    ],
    ids=lambda it: type(it).__name__ if isinstance(it, Exception) else "",
)
def test_error_of_every_attempt_gives_one_outcome(error: Exception, outcome: type) -> None:
    """Only Describe works here, and it is not allowed to tell."""
    denied = errors.AccessDeniedError(
        "", operation=DESCRIBE, code="AccessDeniedException", http_status=400, retry_safe=True
    )
    service = Service(before=lambda operation, _: error if operation == START else denied)
    service.create("camera-0")
    report = run(Fleet(service.client(rate_limiter=None)).start(labels(1)))
    assert [type(it) for it in report] == [outcome]
    if isinstance(found := report.outcomes[0], Failed):
        assert type(found.error) is type(error)


def test_unexpected_error_of_one_call_leaves_the_others_alone(caplog: pytest.LogCaptureFixture) -> None:
    service = service_of(5)

    def bug(_operation: str, name: str) -> None:
        if name == "camera-3":
            raise ZeroDivisionError

    service.before = bug
    report = run(Fleet(service.client()).start(labels(5)))
    assert report.counts == {"started": 4, "unknown": 1}
    assert isinstance(report.unknown[0].error.__cause__, ZeroDivisionError)
    assert report.unknown[0].retry_safe_at is not None
    assert "camera-3" in caplog.text


def test_processor_of_another_client_is_already_running() -> None:
    service = service_of(2)

    async def main() -> StartReport:
        await service.client().start_stream_processor(label("camera-0", 60))
        return await Fleet(service.client()).start(labels(2))

    assert run(main()).counts == {"started": 1, "already running": 1}


def test_start_is_reconciled_when_its_answer_is_lost() -> None:
    service = service_of(20)
    service.before = lambda operation, _: lost() if operation == START else None
    report = run(Fleet(service.client()).start(labels(20, 60)))
    assert len(report.started) == 20
    assert all(it.session.reconciled for it in report.started)
    assert len(service.starts()) == 20


# ----------------------------------------------------------------------------------------------------------- throttles


def test_start_fails_after_max_attempts_when_always_throttled() -> None:
    service = service_of(1)
    service.before = lambda operation, _: throttling() if operation == START else None
    report = run(Fleet(service.client()).start(labels(1)))
    (failed,) = report.failed
    assert isinstance(failed.error, errors.ThrottlingError)
    assert len(service.starts()) == rks.RetryPolicy().max_attempts == failed.error.attempts


def test_start_waits_as_long_as_the_service_asks() -> None:
    service = service_of(2)
    service.before = once(throttling(retry_after=120))
    report = run(Fleet(service.client(total=60)).start(labels(2)))
    assert report.counts == {"started": 2}
    first, other, second = service.starts()
    assert second - first == pytest.approx(120, abs=1)
    assert other < 1, "the others need not wait"


def test_throttled_start_is_sent_before_those_that_came_later() -> None:
    """At one call in flight, the throttled request is the next one again."""
    service = Service(quotas=False)
    service.create(*names(4))
    service.before = once(throttling())
    run(Fleet(service.client(), max_in_flight=1).start(labels(4)))
    assert service.order() == ["camera-0", "camera-0", "camera-1", "camera-2", "camera-3"]


def test_throttled_start_backs_off_without_a_rate_limiter() -> None:
    service = service_of(1)
    service.before = once(throttling(), times=8)
    report = run(Fleet(service.client(rate_limiter=None)).start(labels(1)))
    assert report.counts == {"started": 1}
    assert service.starts()[-1] > 1, "8 immediate retries are no backoff"
