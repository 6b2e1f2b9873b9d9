"""The arguments of a fleet and of its requests."""

from __future__ import annotations

import copy
import datetime
from typing import Any

import pytest

from aiorekostream import errors
from aiorekostream.errors import ProcessorBusyError, RequestCancelledError
from aiorekostream.fleet import Fleet, FleetEvent, FleetRequest
from tests.fleet.service import BEGINNING, Service, label

_WRONG: dict[str, Any] = {
    "when_busy": ["ignore", "wait", None],
    "expires_after": [0, -1, datetime.timedelta(0), True, "1", float("nan")],
    "on_event": ["x", 1],
    "max_in_flight": [0, -1, 1.5, True],
    "max_pending": [0, None, 2.5],
    "session_monitor": ["x", object()],
    "poll_interval": [0, 0.05, 3601, datetime.timedelta(0), float("nan")],
}


async def _coroutine(_: FleetEvent) -> None:
    pass


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in _WRONG.items() for value in values])
def test_fleet_rejects_an_option_that_breaks_its_rule(name: str, value: object) -> None:
    options: dict[str, Any] = {name: value}
    with pytest.raises(errors.InvalidRequestError) as caught:
        Fleet(Service().client(), **options)
    assert [issue.path for issue in caught.value.issues] == [name]


def test_fleet_names_the_values_of_when_busy() -> None:
    wrong: Any = "ignore"
    with pytest.raises(errors.InvalidRequestError, match=r"when_busy: must be 'queue', 'share' or 'reject'"):
        Fleet(Service().client(), when_busy=wrong)


def test_fleet_reports_all_issues_of_its_options_at_once() -> None:
    none: Any = None
    wrong: dict[str, Any] = {"on_event": _coroutine, "session_monitor": "x", "max_pending": 0, "poll_interval": 0}
    with pytest.raises(errors.InvalidRequestError) as caught:
        Fleet(none, **wrong)
    assert [issue.path for issue in caught.value.issues] == ["client", *wrong]


@pytest.mark.parametrize("seconds", [0.1, 5, 3600, datetime.timedelta(seconds=5)])
def test_fleet_takes_seconds_or_a_timedelta(seconds: datetime.timedelta | float) -> None:
    assert repr(Fleet(Service().client(), poll_interval=seconds, expires_after=seconds)).startswith("Fleet(Client(")


def test_fleet_request_reports_all_its_issues_at_once() -> None:
    naive = datetime.datetime(2026, 1, 1)  # noqa: DTZ001 - that it has no zone is the point
    with pytest.raises(errors.InvalidRequestError) as caught:
        FleetRequest("camera-0", expires_at=naive, urgent=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert [issue.path for issue in caught.value.issues] == ["request", "expires_at", "urgent"]
    request = FleetRequest(label("camera-0"), expires_at=BEGINNING)
    assert (request.expires_at, request.urgent) == (BEGINNING, False)


@pytest.mark.parametrize("error", [ProcessorBusyError(name="lobby"), RequestCancelledError(name="lobby")])
def test_error_of_a_fleet_names_its_processor_and_can_be_copied(
    error: ProcessorBusyError | RequestCancelledError,
) -> None:
    assert "lobby" in str(error)
    assert str(copy.copy(error)) == str(error)
    assert error.retry_safe
