"""Define the selectors of a label detection session: the start in the video, and the longest duration."""

import datetime
from typing import Self, TypeAlias, final

import attrs

from aiorekostream.domain.fields import duration_in_seconds, epoch_milliseconds, text
from aiorekostream.domain.rules import Validated, collecting, reject

__all__ = ["FragmentNumber", "ProducerTimestamp", "StartSelector", "StopSelector", "start_selector", "stop_selector"]

_DIGITS = r"[0-9]+"
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@final
@attrs.frozen(field_transformer=collecting)
class ProducerTimestamp(Validated):
    """Start at the fragment that the camera recorded at this time.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_KinesisVideoStreamStartSelector.html.

    Attributes:
        milliseconds: milliseconds since 1970-01-01T00:00:00Z, or an aware ``datetime``. Numbers that can only be
            seconds (below 100,000,000,000) or microseconds (from 100,000,000,000,000) are refused, as are fractions.

    Raises:
        InvalidRequestError: the value is not such a time.
    """

    milliseconds: int = attrs.field(converter=epoch_milliseconds)

    @classmethod
    def now(cls) -> Self:
        """Return the present, of this machine's clock.

        Use ``ProducerTimestamp(clock.wall())`` for the time of another clock, such as the emulator's.
        """
        return cls(datetime.datetime.now(datetime.UTC))  # noqa: TID251 - for programs; the package does not call it

    @classmethod
    def from_datetime(cls, moment: datetime.datetime) -> Self:
        """Convert an aware ``datetime``, truncated to milliseconds.

        Args:
            moment: the date and time, with a time zone.

        Raises:
            InvalidRequestError: the date and time has no time zone, or is not from 1973-03-03 to 5138-11-16. The
                milliseconds of other dates look like seconds or microseconds.
        """
        return cls(moment)

    def to_datetime(self) -> datetime.datetime:
        """Convert to a ``datetime`` in UTC."""
        return _EPOCH + datetime.timedelta(milliseconds=self.milliseconds)


def _fragment_number(value: str) -> str:
    return text(value, least=1, most=128, pattern=_DIGITS, expected="text of 1 to 128 digits")


def _numerically(value: str) -> tuple[int, str]:
    # The text tells numbers with leading zeros apart, which are not equal either.
    return int(value), value


@final
@attrs.frozen(order=True, field_transformer=collecting)
class FragmentNumber(Validated):
    """Start at a fragment of the video stream.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_KinesisVideoStreamStartSelector.html.

    Attributes:
        value: 1 to 128 digits, as returned by Kinesis Video Streams. Fragments are ordered by their numbers, which grow
            with the time of ingestion; ``int()`` returns the number.

    Raises:
        InvalidRequestError: the value is not such text.
    """

    value: str = attrs.field(converter=_fragment_number, order=_numerically)

    def __int__(self) -> int:
        return int(self.value)


StartSelector: TypeAlias = ProducerTimestamp | FragmentNumber
"""The position to start at: a time or a fragment."""


@final
@attrs.frozen(field_transformer=collecting)
class StopSelector(Validated):
    """End a label detection session after a maximum duration.

    AWS checks the duration at the end of each fragment, so a session may last up to one fragment longer.
    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_StreamProcessingStopSelector.html.

    Attributes:
        max_duration_in_seconds: whole seconds from 1 to 120, as a number or a ``timedelta``; 10 by default. A float
            with a fraction is refused.

    Raises:
        InvalidRequestError: the value is out of this range.
    """

    max_duration_in_seconds: int = attrs.field(default=10, converter=duration_in_seconds)


def start_selector(value: StartSelector) -> StartSelector:
    """Validate the position to start at."""
    if not isinstance(value, ProducerTimestamp | FragmentNumber):
        reject(value, "a ProducerTimestamp or a FragmentNumber")
    return value


def stop_selector(value: StopSelector) -> StopSelector:
    """Validate the maximum duration."""
    if not isinstance(value, StopSelector):
        reject(value, "a StopSelector")
    return value
