"""Reports, as values."""

from __future__ import annotations

import datetime
import inspect

import pytest

from aiorekostream import errors
from aiorekostream.domain.requests import StartRequest
from aiorekostream.domain.responses import StartedSession
from aiorekostream.errors import ProcessorBusyError
from aiorekostream.fleet import (
    AlreadyRunning,
    AlreadyStopped,
    Expired,
    Failed,
    FleetReport,
    Started,
    StartOutcome,
    StartReport,
    StopOutcome,
    Stopped,
    StopReport,
    Unknown,
)
from tests.fleet.service import label

REQUEST = label("camera-0")
LOST = errors.UnknownOutcomeError("lost", operation="StartStreamProcessor")
ALL: tuple[StartOutcome, ...] = (
    Started(REQUEST, StartedSession("s-1")),
    AlreadyRunning(REQUEST),
    Failed(REQUEST, ProcessorBusyError(name="camera-0")),
    Expired(REQUEST, 2.5, waited_for="capacity"),
    Unknown(REQUEST, LOST),
)


@pytest.mark.parametrize("outcome", [Started, AlreadyRunning, Expired, Failed, Unknown, Stopped, AlreadyStopped])
def test_signature_of_an_outcome_has_no_type_variable(outcome: type) -> None:
    request = inspect.signature(outcome).parameters["request"].annotation
    assert request in {StartRequest, str, StartRequest | str}


def test_report_gives_counts_and_a_line_for_each_failure() -> None:
    assert str(FleetReport(ALL)).splitlines() == [
        "5 requests: 1 started, 1 already running, 1 failed, 1 expired, 1 unknown",
        "  camera-0: failed: camera-0 is busy: this fleet is starting it, or has a session of it under way",
        "  camera-0: expired after 2.5 s, waiting for any session of its kind to end",
        "  camera-0: unknown: StartStreamProcessor: lost",
    ]
    assert str(FleetReport()) == "0 requests"
    assert str(FleetReport((Failed("x", ValueError()),) * 30)).splitlines()[-1] == "  and 10 more"


def test_report_sorts_its_outcomes_by_type() -> None:
    report = StartReport(ALL)
    parts = (report.started, report.already_running, report.failed, report.expired, report.unknown)
    assert [len(part) for part in parts] == [1] * 5
    assert {it.name for it in report} == {"camera-0"}
    assert len(report) == 5
    stops: tuple[StopOutcome, ...] = (Stopped("a"), AlreadyStopped("b"), Failed("c", ValueError()))
    assert [it.name for it in StopReport(stops).stopped] == ["a", "b"]


def test_report_raises_all_failures_with_their_processors() -> None:
    with pytest.raises(ExceptionGroup, match="5 requests") as caught:
        FleetReport(ALL).raise_for_failures()
    assert [type(error) for error in caught.value.exceptions] == [ProcessorBusyError, errors.UnknownOutcomeError]
    assert LOST.__notes__ == ["processor: camera-0"]
    FleetReport(ALL[:2]).raise_for_failures()


@pytest.mark.parametrize("outcome", ALL, ids=lambda it: type(it).__name__)
def test_outcome_of_a_start_has_the_request_and_the_name(outcome: StartOutcome) -> None:
    assert outcome.request is REQUEST
    assert outcome.name == "camera-0"


def test_unknown_outcome_has_the_time_of_a_safe_retry() -> None:
    moment = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    error = errors.UnknownOutcomeError("lost", operation="StartStreamProcessor", retry_safe_at=moment)
    assert Unknown(REQUEST, error).retry_safe_at == moment
    assert Unknown(REQUEST, ValueError()).retry_safe_at is None
