"""Selectors of a label detection: timestamps, fragment numbers and durations, and numbers of another unit."""

from __future__ import annotations

import datetime
import math
import zoneinfo
from decimal import Decimal
from fractions import Fraction
from typing import Any, NoReturn

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aiorekostream.domain.selectors import FragmentNumber, ProducerTimestamp, StopSelector
from aiorekostream.errors import InvalidRequestError, ValidationIssue
from tests.strategies import fragment_numbers, moments, producer_timestamps

UTC = datetime.UTC
MIN, MAX = 10**11, 10**14 - 1


def _issue(cls: Any, value: object) -> ValidationIssue:  # noqa: ANN401 - deliberately invalid
    with pytest.raises(InvalidRequestError) as caught:
        cls(value)
    (issue,) = caught.value.issues
    assert issue.value is value
    return issue


class _Zone(datetime.tzinfo):
    """A time zone that returns the given offset, or raises it."""

    def __init__(self, offset: Any) -> None:  # noqa: ANN401 - deliberately invalid
        self.offset = offset

    def utcoffset(self, _: datetime.datetime | None, /) -> datetime.timedelta | None:
        if isinstance(self.offset, Exception):
            raise self.offset
        offset: datetime.timedelta | None = self.offset
        return offset

    dst = utcoffset

    def tzname(self, _: datetime.datetime | None, /) -> str | None:
        return None


# timestamps


@pytest.mark.parametrize("value", [MIN, MIN + 1, 1655930623123, MAX])
def test_producer_timestamp_accepts_milliseconds(value: int) -> None:
    assert ProducerTimestamp(value).milliseconds == value


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (0, "this looks like seconds"),
        (1655930623, "this looks like seconds"),
        (MIN - 1, "this looks like seconds"),
        (MAX + 1, "this looks like micro- or nanoseconds"),
        (1655930623123456789, "this looks like micro- or nanoseconds"),
        pytest.param(10**400, "this looks like micro- or nanoseconds", id="huge"),
        (-1, f"from {MIN} to {MAX}"),
        (-1655930623123, f"from {MIN} to {MAX}"),
    ],
)
def test_producer_timestamp_rejects_numbers_of_another_unit(value: int, hint: str) -> None:
    """The issue names the range in milliseconds and, for a positive number, the unit that was probably meant."""
    issue = _issue(ProducerTimestamp, value)
    assert issue.path == "milliseconds"
    assert "milliseconds" in issue.expected
    assert str(MIN) in issue.expected
    assert str(MAX) in issue.expected
    assert hint in issue.expected


@pytest.mark.parametrize(
    "value",
    [True, 1655930623.123, "1655930623123", None, Decimal(1655930623123), Fraction(1655930623123), datetime.date.max],
)
def test_producer_timestamp_rejects_other_types(value: object) -> None:
    assert "milliseconds" in _issue(ProducerTimestamp, value).expected


def test_producer_timestamp_rejects_a_naive_datetime() -> None:
    naive = datetime.datetime(2022, 6, 22, 20, 43, 43)  # noqa: DTZ001 - deliberately invalid
    assert "with a time zone" in _issue(ProducerTimestamp, naive).expected


def test_producer_timestamp_rejects_a_zone_without_an_offset() -> None:
    moment = datetime.datetime(2022, 6, 22, tzinfo=_Zone(None))
    assert "with a time zone" in _issue(ProducerTimestamp, moment).expected


@pytest.mark.parametrize(
    "offset", [NotImplementedError(), ValueError("no"), 3600, "UTC", datetime.timedelta(days=1)], ids=repr
)
def test_producer_timestamp_rejects_a_time_zone_that_raises(offset: object) -> None:
    # repr() of such a datetime raises too, and the issue is reported nevertheless.
    moment = datetime.datetime(2022, 6, 22, tzinfo=_Zone(offset))
    with pytest.raises(InvalidRequestError, match="milliseconds: must be a datetime whose time zone can be read"):
        ProducerTimestamp(moment)


@pytest.mark.parametrize(
    "value", [1605467332.479, Decimal("1655930623.123"), 1605467332, 0.0, Fraction(5, 2)], ids=repr
)
def test_producer_timestamp_says_that_a_number_looks_like_seconds(value: object) -> None:
    assert _issue(ProducerTimestamp, value).expected.endswith(": this looks like seconds")


@pytest.mark.parametrize("value", [1605467332479.5, 1605467332479.0, Decimal(1655930623123), math.nan, -math.inf, True])
def test_producer_timestamp_rejects_other_numbers_than_int(value: object) -> None:
    assert _issue(ProducerTimestamp, value).expected.startswith("whole milliseconds since 1970-01-01T00:00:00Z")


def test_producer_timestamp_rejects_a_datetime_without_a_time() -> None:
    """pandas.NaT is such a value."""

    class NoOffset(datetime.datetime):
        def utcoffset(self) -> NoReturn:
            raise ValueError("NaT has no offset")

    assert "with a time zone" in _issue(ProducerTimestamp, NoOffset(1, 1, 1)).expected


def test_producer_timestamp_now_is_the_present() -> None:
    before = ProducerTimestamp.from_datetime(datetime.datetime.now(UTC))
    now = ProducerTimestamp.now()
    after = ProducerTimestamp.from_datetime(datetime.datetime.now(UTC))
    assert before.milliseconds <= now.milliseconds <= after.milliseconds


@given(moments, st.timedeltas(datetime.timedelta(hours=-23), datetime.timedelta(hours=23)))
def test_producer_timestamp_is_independent_of_the_time_zone(
    moment: datetime.datetime, offset: datetime.timedelta
) -> None:
    elsewhere = moment.astimezone(datetime.timezone(offset))
    assert ProducerTimestamp.from_datetime(elsewhere) == ProducerTimestamp.from_datetime(moment)


@given(moments)
@example(datetime.datetime(2022, 6, 22, microsecond=999, tzinfo=UTC))
@example(datetime.datetime(2022, 6, 22, microsecond=123999, tzinfo=UTC))
def test_producer_timestamp_truncates_to_milliseconds(moment: datetime.datetime) -> None:
    whole = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert ProducerTimestamp.from_datetime(moment).to_datetime() == whole


@given(producer_timestamps)
@example(ProducerTimestamp(MIN))
@example(ProducerTimestamp(MAX))
def test_producer_timestamp_round_trips_through_datetime(timestamp: ProducerTimestamp) -> None:
    moment = timestamp.to_datetime()
    assert moment.tzinfo is UTC
    assert ProducerTimestamp.from_datetime(moment) == timestamp


def test_producer_timestamp_respects_fold_when_clocks_go_back() -> None:
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    twice = datetime.datetime(2022, 10, 30, 2, 30, tzinfo=berlin)
    first, second = (ProducerTimestamp.from_datetime(twice.replace(fold=fold)) for fold in (0, 1))
    assert first.to_datetime() == datetime.datetime(2022, 10, 30, 0, 30, tzinfo=UTC)
    assert second.to_datetime() == datetime.datetime(2022, 10, 30, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "moment",
    [
        datetime.datetime(1970, 1, 1, tzinfo=UTC),
        datetime.datetime(1973, 3, 3, 9, 46, 39, 999999, tzinfo=UTC),
        datetime.datetime(5138, 11, 16, 9, 46, 40, tzinfo=UTC),
        datetime.datetime.max.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=-23))),
        datetime.datetime.min.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=23))),
    ],
    ids=str,
)
def test_producer_timestamp_rejects_a_datetime_out_of_range(moment: datetime.datetime) -> None:
    issue = _issue(ProducerTimestamp, moment)
    assert issue.expected == "a datetime from 1973-03-03T09:46:40Z to 5138-11-16T09:46:39.999Z"


def test_producer_timestamp_accepts_both_ends_of_the_datetime_range() -> None:
    """These are the ends of the range that the issue names."""
    least = datetime.datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC)
    most = datetime.datetime(5138, 11, 16, 9, 46, 39, 999999, tzinfo=UTC)
    assert ProducerTimestamp.from_datetime(least).milliseconds == MIN
    assert ProducerTimestamp.from_datetime(most).milliseconds == MAX


# fragment numbers


@pytest.mark.parametrize("value", ["0", "9" * 128, "91343852333289682796718532614445757584843717598"])
def test_fragment_number_accepts_1_to_128_digits(value: str) -> None:
    assert FragmentNumber(value).value == value


@pytest.mark.parametrize(
    "value", ["", "9" * 129, "12a", "-1", "+1", "1.0", " 1", "1\n", "١٢٣", "²", 123, b"12", True, None]
)
def test_fragment_number_rejects_other_values(value: object) -> None:
    issue = _issue(FragmentNumber, value)
    assert (issue.path, issue.expected) == ("value", "text of 1 to 128 digits")


@given(fragment_numbers, fragment_numbers)
def test_fragment_number_orders_by_number_and_not_by_text(one: FragmentNumber, other: FragmentNumber) -> None:
    assert int(one) == int(one.value)
    assert (int(one) < int(other)) == (one.value.lstrip("0").zfill(128) < other.value.lstrip("0").zfill(128))


# durations


def test_stop_selector_has_a_default_of_10_seconds() -> None:
    assert StopSelector().max_duration_in_seconds == 10


@given(st.integers(1, 120))
@example(1)
@example(120)
def test_stop_selector_accepts_1_to_120_seconds_or_a_timedelta(seconds: int) -> None:
    assert StopSelector(seconds).max_duration_in_seconds == seconds
    by_timedelta = StopSelector(datetime.timedelta(seconds=seconds))
    assert by_timedelta == StopSelector(seconds)
    assert StopSelector(float(seconds)) == by_timedelta
    assert type(by_timedelta.max_duration_in_seconds) is int
    assert type(StopSelector(float(seconds)).max_duration_in_seconds) is int


@pytest.mark.parametrize(
    "value", [0, 121, -1, pytest.param(10**400, id="huge"), True, 10.5, "10", None, math.nan, math.inf]
)
def test_stop_selector_rejects_a_number_out_of_range(value: object) -> None:
    issue = _issue(StopSelector, value)
    assert issue.path == "max_duration_in_seconds"
    assert issue.expected == "a whole number of seconds from 1 to 120"


@pytest.mark.parametrize(
    "value",
    [
        datetime.timedelta(0),
        datetime.timedelta(seconds=-1),
        datetime.timedelta(seconds=121),
        datetime.timedelta(seconds=1.5),
        datetime.timedelta(seconds=10, microseconds=1),
        datetime.timedelta.max,
        datetime.timedelta.min,
    ],
)
def test_stop_selector_rejects_a_timedelta_out_of_range_or_fractional(value: datetime.timedelta) -> None:
    assert _issue(StopSelector, value).expected == "a timedelta of whole seconds from 1 to 120"
