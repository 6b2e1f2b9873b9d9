"""Where in a video stream a label detection begins, and when it ends."""

import datetime
import re
from typing import Self, TypeAlias

import attrs

from aiorekostream.domain.fields import duration_in_seconds, epoch_milliseconds, text
from aiorekostream.domain.rules import Validated, collecting, reject

__all__ = ["FragmentNumber", "ProducerTimestamp", "StartSelector", "StopSelector", "start_selector", "stop_selector"]

_DIGITS = re.compile(r"[0-9]+")
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@attrs.frozen(field_transformer=collecting)
class ProducerTimestamp(Validated):
    """Begin at the moment at which the camera recorded the picture.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_KinesisVideoStreamStartSelector.html.

    Attributes:
        milliseconds: since 1970-01-01T00:00:00Z; an aware ``datetime`` is taken too. Numbers that are plainly seconds
            (below 100,000,000,000) or microseconds are refused.

    Raises:
        InvalidRequestError: it is no such time.
    """

    milliseconds: int = attrs.field(converter=epoch_milliseconds)

    @classmethod
    def from_datetime(cls, moment: datetime.datetime) -> Self:
        """From an aware ``datetime``; what is less than a millisecond is cut off."""
        return cls(moment)

    def to_datetime(self) -> datetime.datetime:
        """The moment, in UTC."""
        return _EPOCH + datetime.timedelta(milliseconds=self.milliseconds)


def _fragment_number(value: str) -> str:
    return text(value, least=1, most=128, pattern=_DIGITS, allowed="text of 1 to 128 digits")


@attrs.frozen(field_transformer=collecting)
class FragmentNumber(Validated):
    """Begin at a fragment of the video stream.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_KinesisVideoStreamStartSelector.html.

    Attributes:
        value: 1 to 128 digits, as Kinesis Video Streams gave them; later fragments have greater numbers (``int``).

    Raises:
        InvalidRequestError: it is no such text.
    """

    value: str = attrs.field(converter=_fragment_number)

    def __int__(self) -> int:
        return int(self.value)


StartSelector: TypeAlias = ProducerTimestamp | FragmentNumber
"""Where to begin: a moment or a fragment, exactly one."""


@attrs.frozen(field_transformer=collecting)
class StopSelector(Validated):
    """When to end a label detection at the latest.

    AWS looks only at the end of a fragment, so a session may last a little longer.
    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_StreamProcessingStopSelector.html.

    Attributes:
        max_duration_in_seconds: 1 to 120, 10 if not given; a ``timedelta`` of whole seconds is taken too.

    Raises:
        InvalidRequestError: it is out of this range.
    """

    max_duration_in_seconds: int = attrs.field(default=10, converter=duration_in_seconds)


def start_selector(value: StartSelector) -> StartSelector:
    """A moment or a fragment."""
    if not isinstance(value, ProducerTimestamp | FragmentNumber):
        reject(value, "a ProducerTimestamp or a FragmentNumber")
    return value


def stop_selector(value: StopSelector) -> StopSelector:
    """The latest end."""
    if not isinstance(value, StopSelector):
        reject(value, "a StopSelector")
    return value
