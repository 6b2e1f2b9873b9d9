"""Outcomes and reports, as values."""

from __future__ import annotations

import datetime

import pytest

from aiorekostream import errors
from aiorekostream.domain.replies import StartedSession
from aiorekostream.domain.status import Status
from aiorekostream.errors import ProcessorBusyError, RequestCancelledError
from aiorekostream.fleet import (
    AlreadyRunning,
    AlreadyStopped,
    Expired,
    Failed,
    FleetReport,
    FleetRequest,
    Started,
    StartOutcome,
    StartReport,
    StopOutcome,
    Stopped,
    StopReport,
    Unknown,
)
from aiorekostream.fleet.verdicts import Again, NoSlot, on_start, on_stop
from tests.fleet.service import BEGINNING, label

REQUEST = label("camera-0")
LOST = errors.UnknownOutcomeError("lost", operation="StartStreamProcessor")
ALL: tuple[StartOutcome, ...] = (
    Started(REQUEST, StartedSession("s-1")),
    AlreadyRunning(REQUEST),
    Failed(REQUEST, ProcessorBusyError(name="camera-0")),
    Expired(REQUEST, 2.5),
    Unknown(REQUEST, LOST),
)


def _refusal(kind: type[errors.ServiceError], *, retry_safe: bool = True) -> errors.ServiceError:
    return kind("no", operation="S", code=kind.__name__, http_status=400, retry_safe=retry_safe)


def test_a_report_reads_well() -> None:
    assert str(FleetReport(ALL)).splitlines() == [
        "5 requests: 1 started, 1 already running, 1 failed, 1 expired, 1 unknown",
        "  camera-0: failed: camera-0 is busy: this fleet is starting it, or has a session of it under way",
        "  camera-0: expired after 2.5 s",
        "  camera-0: unknown: StartStreamProcessor: lost",
    ]
    assert str(FleetReport()) == "0 requests"
    assert str(FleetReport((Failed("x", ValueError()),) * 30)).splitlines()[-1] == "  and 10 more"


def test_a_report_sorts_its_outcomes() -> None:
    report = StartReport(ALL)
    parts = (report.started, report.already_running, report.failed, report.expired, report.unknown)
    assert [len(part) for part in parts] == [1] * 5
    assert {it.name for it in report} == {"camera-0"}
    assert len(report) == 5
    stops: tuple[StopOutcome, ...] = (Stopped("a"), AlreadyStopped("b"), Failed("c", ValueError()))
    assert [it.name for it in StopReport(stops).stopped] == ["a", "b"]


def test_failures_are_raised_together_and_name_their_processors() -> None:
    with pytest.raises(ExceptionGroup, match="5 requests") as caught:
        FleetReport(ALL).raise_for_failures()
    assert [type(error) for error in caught.value.exceptions] == [ProcessorBusyError, errors.UnknownOutcomeError]
    assert LOST.__notes__ == ["processor: camera-0"]
    FleetReport(ALL[:2]).raise_for_failures()


@pytest.mark.parametrize(
    ("error", "start", "stop"),
    [
        (_refusal(errors.ResourceInUseError), AlreadyRunning, Failed),
        (_refusal(errors.LimitExceededError), NoSlot, Failed),
        (_refusal(errors.ServiceQuotaExceededError), NoSlot, Failed),
        (_refusal(errors.ThrottlingError), Again, Again),
        (_refusal(errors.ResourceNotFoundError), Failed, Failed),
        (_refusal(errors.InternalServerError, retry_safe=False), Unknown, Unknown),
        pytest.param(
            errors.DeadlineExceededError("", operation="S", deadline=60, retry_safe=True),
            Again,
            Again,
            id="too late before it was sent",
        ),
        pytest.param(
            errors.DeadlineExceededError("", operation="S", deadline=60), Unknown, Unknown, id="too late under way"
        ),
        (errors.RateLimitedError("", operation="S", retry_after=1), Failed, Failed),
        (errors.ConnectError("", operation="S", retry_safe=True), Failed, Failed),
        (LOST, Unknown, Unknown),
        (errors.ConfigurationError("closed"), Failed, Failed),
    ],
    ids=lambda it: type(it).__name__ if isinstance(it, Exception) else "",
)
def test_an_error_means_one_thing_for_a_request(error: Exception, start: object, stop: object) -> None:
    found = on_start(REQUEST, error, may_repeat=True), on_stop("camera-0", error, may_repeat=True)
    for outcome, wanted in zip(found, (start, stop), strict=True):
        assert type(outcome) is wanted


@pytest.mark.parametrize("status", [*Status, None])
def test_a_refused_stop_is_a_success_only_where_the_processor_is_seen_to_have_no_session_or_to_end_it(
    status: Status | None,
) -> None:
    outcome = on_stop("camera-0", _refusal(errors.ResourceInUseError), may_repeat=True, status=status)
    is_over = status in {Status.STOPPED, Status.FAILED, Status.STOPPING, Status.UPDATING}
    assert type(outcome) is (AlreadyStopped if is_over else Failed)


def test_a_request_is_not_tried_for_ever() -> None:
    throttled = _refusal(errors.ThrottlingError)
    assert isinstance(on_start(REQUEST, throttled, may_repeat=False), Failed)
    assert isinstance(on_stop("camera-0", throttled, may_repeat=False), Failed)
    assert on_start(REQUEST, _refusal(errors.LimitExceededError), may_repeat=False) == NoSlot()


def test_a_service_that_wants_to_be_left_alone_is_left_alone_for_as_long_as_it_says() -> None:
    later = errors.ThrottlingError("", operation="S", code="T", http_status=429, retry_safe=True, retry_after=120)
    assert on_start(REQUEST, later, may_repeat=True) == Again(120) == on_stop("camera-0", later, may_repeat=True)


def test_a_request_with_wrong_wishes_cannot_be_made() -> None:
    naive = datetime.datetime(2026, 1, 1)  # noqa: DTZ001 - that it has no zone is the point
    with pytest.raises(errors.InvalidRequestError) as caught:
        FleetRequest("camera-0", expires_at=naive, urgent=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert [issue.path for issue in caught.value.issues] == ["request", "expires_at", "urgent"]
    assert FleetRequest(REQUEST, expires_at=BEGINNING).expires_at == BEGINNING


def test_the_errors_of_the_fleet_can_be_told_and_copied() -> None:
    for error in (ProcessorBusyError(name="lobby"), RequestCancelledError(name="lobby")):
        assert "lobby" in str(error)
        make, arguments = error.__reduce__()
        assert str(make(*arguments)) == str(error)
        assert error.retry_safe
