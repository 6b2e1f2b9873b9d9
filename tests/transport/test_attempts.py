"""The answer of an attempt: its date, and how long the service asks to wait."""

from __future__ import annotations

import datetime

import pytest

from aiorekostream.transport.attempts import Answer, Attempt
from aiorekostream.transport.error_mapping import service_error
from aiorekostream.transport.port import Reply


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "today",
        "Mon, 01 Jan 2024 00:00:00 +99999999999999",
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
    ],
)
def test_invalid_date_is_none(text: str | None) -> None:
    assert Reply({}, None, Answer.read(200, {} if text is None else {"date": text}).date).date is None


@pytest.mark.parametrize(
    "text",
    [
        "Mon, 01 Jan 2024 00:00:00 GMT",
        "Monday, 01-Jan-24 00:00:00 GMT",
        "Mon Jan  1 00:00:00 2024",
        "Mon, 01 Jan 2024 01:00:00 +0100",
    ],
    ids=["IMF", "RFC 850", "asctime", "offset"],
)
def test_date_is_read_in_every_format(text: str) -> None:
    found = Reply({}, None, Answer.read(200, {"date": text}).date).date
    assert found == datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)


@pytest.mark.parametrize(("is_local", "year"), [(True, 2023), (False, 2026)])
def test_emulated_date_is_used_on_this_machine_only(*, is_local: bool, year: int) -> None:
    headers = {"date": "Thu, 01 Jan 2026 00:00:00 GMT", "x-emulator-date": "Sun, 01 Jan 2023 00:00:00 GMT"}
    found = Reply({}, None, Answer.read(200, headers, is_local=is_local).date).date
    assert found == datetime.datetime(year, 1, 1, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "Thu, 01 Jan 2026 00:02:00 GMT", "date": "Thu, 01 Jan 2026 00:00:30 GMT"}, 90),
        ({"retry-after": "Thu, 01 Jan 2026 00:00:00 GMT", "date": "Thu, 01 Jan 2026 00:00:30 GMT"}, 0),
        ({"retry-after": "Thursday, 01-Jan-26 00:02:00 GMT", "date": "Thu Jan  1 00:00:30 2026"}, 90),
        ({"retry-after": "Thu Jan  1 00:02:00 2026", "date": "Thu, 01 Jan 2026 00:00:30 GMT"}, 90),
        ({"retry-after": "Fri, 01 Jan 2027 00:02:00 GMT", "date": "Thu, 01 Jan 2026 00:00:30 GMT"}, 86_400),
        ({"retry-after": "86401"}, 86_400),
        ({"retry-after": "9" * 400}, 86_400),
        ({"retry-after": "Thu, 01 Jan 2026 00:02:00 GMT"}, 0),
        ({"retry-after": "soon", "date": "Thu, 01 Jan 2026 00:00:30 GMT"}, 0),
        ({"retry-after": "-1"}, 0),
        ({"retry-after": "1.5"}, 0),
        ({}, 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], seconds: float) -> None:
    assert Answer.read(429, headers).retry_after == seconds
    response = {"Error": {"Code": "ThrottlingException"}, "ResponseMetadata": {"HTTPHeaders": headers}}
    assert service_error(response, Attempt("StopStreamProcessor", idempotent=False)).retry_after == seconds
