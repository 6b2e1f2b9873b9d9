"""Read the times of a video: durations, dates and times, and the times of producers that count from their own start."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from aiorekostream.codec.lenient import unreadable

if TYPE_CHECKING:
    from aiorekostream.domain.video import ProducerTime

__all__ = ["FIRST_ABSOLUTE", "Times"]

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
# Milliseconds: 9 September 2001. A producer that sends relative timecodes counts from its own start; its time stays
# below this for 31 years.
FIRST_ABSOLUTE = 10**12


@attrs.frozen
class Times:
    """The times of one kind of event.

    Attributes:
        unit: the unit of its numbers, for the issues.
        milliseconds: converts such a number to milliseconds; raises ``UnreadableError`` for a value that is no number.
    """

    unit: str
    milliseconds: Callable[[object], float]

    def duration(self, value: object) -> datetime.timedelta:
        """Read a duration, at least 0."""
        return self._elapsed(value, f"{self.unit}, at least 0")

    def moment(self, value: object) -> datetime.datetime:
        """Read a date and time in UTC, from 1970."""
        expected = f"{self.unit} since 1970 in UTC"
        return self._after_1970(value, self._elapsed(value, expected), expected)

    def producer_time(self, value: object) -> ProducerTime:
        """Read a time of the producer: before September 2001, it is the time since the producer's start."""
        expected = f"{self.unit} since 1970 in UTC, or since the producer's start"
        elapsed = self._elapsed(value, expected)
        if self.milliseconds(value) < FIRST_ABSOLUTE:
            return elapsed
        return self._after_1970(value, elapsed, expected)

    def _elapsed(self, value: object, expected: str) -> datetime.timedelta:
        number = self.milliseconds(value)
        try:
            # An int is taken exactly, a float is rounded to microseconds.
            if number >= 0:
                return datetime.timedelta(0, 0, 0, number)
        except OverflowError as error:
            raise unreadable(value, expected) from error
        raise unreadable(value, expected)

    def _after_1970(self, value: object, elapsed: datetime.timedelta, expected: str) -> datetime.datetime:
        try:
            return _EPOCH + elapsed
        except OverflowError as error:
            raise unreadable(value, expected) from error
