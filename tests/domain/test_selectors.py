"""Where a label detection begins and when it ends: units, times, and numbers that were meant in another unit."""

from __future__ import annotations

import datetime
import zoneinfo
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aiorekostream.domain.selectors import FragmentNumber, ProducerTimestamp, StopSelector
from aiorekostream.errors import InvalidRequestError, ValidationIssue
from tests.strategies import fragment_numbers, moments, producer_timestamps

UTC = datetime.UTC
LEAST, MOST = 10**11, 10**14 - 1


def _issue(cls: Any, value: object) -> ValidationIssue:  # noqa: ANN401 - what is wrong is the point
    with pytest.raises(InvalidRequestError) as caught:
        cls(value)
    (issue,) = caught.value.issues
    assert issue.value is value
    return issue


class _Zone(datetime.tzinfo):
    """A time zone that answers whatever it was given, or raises it."""

    def __init__(self, answer: Any) -> None:  # noqa: ANN401 - what is wrong is the point
        self.answer = answer

    def utcoffset(self, _: datetime.datetime | None, /) -> datetime.timedelta | None:
        if isinstance(self.answer, Exception):
            raise self.answer
        answer: datetime.timedelta | None = self.answer
        return answer

    dst = utcoffset

    def tzname(self, _: datetime.datetime | None, /) -> str | None:
        return None


# the moment


@pytest.mark.parametrize("value", [LEAST, LEAST + 1, 1655930623123, MOST])
def test_milliseconds_are_taken_as_they_are(value: int) -> None:
    assert ProducerTimestamp(value).milliseconds == value


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (0, "this looks like seconds"),
        (1655930623, "this looks like seconds"),
        (LEAST - 1, "this looks like seconds"),
        (MOST + 1, "this looks like micro- or nanoseconds"),
        (1655930623123456789, "this looks like micro- or nanoseconds"),
        pytest.param(10**400, "this looks like micro- or nanoseconds", id="huge"),
        (-1, f"from {LEAST} to {MOST}"),
        (-1655930623123, f"from {LEAST} to {MOST}"),
    ],
)
def test_numbers_that_are_plainly_of_another_unit_are_refused_with_the_word_milliseconds(value: int, hint: str) -> None:
    issue = _issue(ProducerTimestamp, value)
    assert issue.path == "milliseconds"
    assert "milliseconds" in issue.expected
    assert str(LEAST) in issue.expected
    assert str(MOST) in issue.expected
    assert hint in issue.expected


@pytest.mark.parametrize(
    "value",
    [True, 1655930623.123, "1655930623123", None, Decimal(1655930623123), Fraction(1655930623123), datetime.date.max],
)
def test_what_is_neither_a_whole_number_nor_a_datetime_is_no_timestamp(value: object) -> None:
    assert "milliseconds" in _issue(ProducerTimestamp, value).expected


def test_a_naive_datetime_is_refused() -> None:
    naive = datetime.datetime(2022, 6, 22, 20, 43, 43)  # noqa: DTZ001 - what is wrong is the point
    assert "with a time zone" in _issue(ProducerTimestamp, naive).expected


def test_a_datetime_whose_zone_knows_no_offset_is_naive_too() -> None:
    moment = datetime.datetime(2022, 6, 22, tzinfo=_Zone(None))
    assert "with a time zone" in _issue(ProducerTimestamp, moment).expected


@pytest.mark.parametrize(
    "answer", [NotImplementedError(), ValueError("no"), 3600, "UTC", datetime.timedelta(days=1)], ids=repr
)
def test_a_zone_that_cannot_be_read_is_refused_like_any_wrong_input(answer: object) -> None:
    # repr() of such a moment fails as well, and still the issue can be told.
    moment = datetime.datetime(2022, 6, 22, tzinfo=_Zone(answer))
    with pytest.raises(InvalidRequestError, match="milliseconds: must be a datetime whose time zone can be read"):
        ProducerTimestamp(moment)


@given(moments, st.timedeltas(datetime.timedelta(hours=-23), datetime.timedelta(hours=23)))
def test_a_moment_is_the_same_in_every_time_zone(moment: datetime.datetime, offset: datetime.timedelta) -> None:
    there = moment.astimezone(datetime.timezone(offset))
    assert ProducerTimestamp.from_datetime(there) == ProducerTimestamp.from_datetime(moment)


@given(moments)
@example(datetime.datetime(2022, 6, 22, microsecond=999, tzinfo=UTC))
@example(datetime.datetime(2022, 6, 22, microsecond=123999, tzinfo=UTC))
def test_what_is_less_than_a_millisecond_is_cut_off(moment: datetime.datetime) -> None:
    whole = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert ProducerTimestamp.from_datetime(moment).to_datetime() == whole


@given(producer_timestamps)
@example(ProducerTimestamp(LEAST))
@example(ProducerTimestamp(MOST))
def test_a_timestamp_comes_back_from_its_datetime(timestamp: ProducerTimestamp) -> None:
    moment = timestamp.to_datetime()
    assert moment.tzinfo is UTC
    assert ProducerTimestamp.from_datetime(moment) == timestamp


def test_the_hour_that_comes_twice_is_two_moments() -> None:
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
def test_a_datetime_out_of_range_is_refused_with_the_range_of_datetimes(moment: datetime.datetime) -> None:
    issue = _issue(ProducerTimestamp, moment)
    assert issue.expected == "a datetime from 1973-03-03T09:46:40Z to 5138-11-16T09:46:39.999Z"


def test_the_range_of_datetimes_that_is_told_is_the_true_one() -> None:
    least = datetime.datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC)
    most = datetime.datetime(5138, 11, 16, 9, 46, 39, 999999, tzinfo=UTC)
    assert ProducerTimestamp.from_datetime(least).milliseconds == LEAST
    assert ProducerTimestamp.from_datetime(most).milliseconds == MOST


# the fragment


@pytest.mark.parametrize("value", ["0", "9" * 128, "91343852333289682796718532614445757584843717598"])
def test_a_fragment_number_is_1_to_128_digits(value: str) -> None:
    assert FragmentNumber(value).value == value


@pytest.mark.parametrize(
    "value", ["", "9" * 129, "12a", "-1", "+1", "1.0", " 1", "1\n", "١٢٣", "²", 123, b"12", True, None]
)
def test_what_is_no_fragment_number_is_refused(value: object) -> None:
    issue = _issue(FragmentNumber, value)
    assert (issue.path, issue.expected) == ("value", "text of 1 to 128 digits")


@given(fragment_numbers, fragment_numbers)
def test_fragments_are_in_the_order_of_their_numbers_and_not_of_their_text(
    one: FragmentNumber, other: FragmentNumber
) -> None:
    assert int(one) == int(one.value)
    assert (int(one) < int(other)) == (one.value.lstrip("0").zfill(128) < other.value.lstrip("0").zfill(128))


# the end


def test_a_session_lasts_ten_seconds_where_nothing_else_is_said() -> None:
    assert StopSelector().max_duration_in_seconds == 10


@given(st.integers(1, 120))
@example(1)
@example(120)
def test_a_session_lasts_1_to_120_seconds_as_a_number_or_a_timedelta(seconds: int) -> None:
    assert StopSelector(seconds).max_duration_in_seconds == seconds
    by_timedelta = StopSelector(datetime.timedelta(seconds=seconds))
    assert by_timedelta == StopSelector(seconds)
    assert type(by_timedelta.max_duration_in_seconds) is int


@pytest.mark.parametrize("value", [0, 121, -1, pytest.param(10**400, id="huge"), True, 10.0, "10", None, float("nan")])
def test_a_duration_out_of_range_is_refused(value: object) -> None:
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
def test_a_timedelta_out_of_range_or_with_parts_of_a_second_is_refused(value: datetime.timedelta) -> None:
    assert _issue(StopSelector, value).expected == "a timedelta of whole seconds from 1 to 120"
