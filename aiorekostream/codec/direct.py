"""Read the members of an event in their usual shape, many times faster than cattrs does.

The constructors of validated values collect issues, which takes half of the time of an event. Here every member is
validated already, so the values are made without them. Each function raises any exception for a member of another
shape; ``codec/lenient.py`` then decides, and has the path of every issue. Invariant: a value made here equals the one
that is made there.
"""

from __future__ import annotations

import datetime
import math
from typing import TYPE_CHECKING

import attrs

from aiorekostream.codec.times import FIRST_ABSOLUTE
from aiorekostream.domain.geometry import BoundingBox
from aiorekostream.domain.selectors import FragmentNumber
from aiorekostream.domain.video import VideoPosition

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["bounding_box", "duration", "setters", "video_position"]

_timedelta, _from_timestamp, _UTC = datetime.timedelta, datetime.datetime.fromtimestamp, datetime.UTC
_MAX_FRAGMENT_DIGITS = 128  # as in domain/selectors.py
# Milliseconds, in the year 2242: up to here, a float of seconds rounds to the microsecond that is exact.
_LAST_EXACT = 2**33 * 1000


def setters(cls: type[attrs.AttrsInstance]) -> tuple[Callable[[object, object], None], ...]:
    """Return a function for each attribute of a frozen class, in their order, that sets it on an instance.

    ``object.__setattr__`` does the same, and takes twice the time to find the attribute by its name.
    """
    return tuple(vars(cls)[field.name].__set__ for field in attrs.fields(cls))


_set_left, _set_top, _set_width, _set_height = setters(BoundingBox)
(_set_digits,) = setters(FragmentNumber)


def _fragment_number(digits: str) -> FragmentNumber:
    """Make a fragment number."""
    if not (type(digits) is str and len(digits) <= _MAX_FRAGMENT_DIGITS and digits.isdigit() and digits.isascii()):
        raise ValueError
    made: FragmentNumber = object.__new__(FragmentNumber)
    _set_digits(made, digits)
    return made


def bounding_box(left: float, top: float, width: float, height: float) -> BoundingBox:
    """Make a box of floats."""
    if not (
        type(left) is type(top) is type(width) is type(height) is float and math.isfinite(left + top + width + height)
    ):
        raise ValueError
    box: BoundingBox = object.__new__(BoundingBox)
    _set_left(box, left)
    _set_top(box, top)
    _set_width(box, width)
    _set_height(box, height)
    return box


def _moment(milliseconds: int) -> datetime.datetime:
    """Make a date and time in UTC of whole milliseconds since 1970, from 2001 to 2242."""
    if not (type(milliseconds) is int and FIRST_ABSOLUTE <= milliseconds < _LAST_EXACT):
        raise ValueError
    return _from_timestamp(milliseconds / 1000, _UTC)


def duration(milliseconds: int) -> datetime.timedelta:
    """Make a duration of whole milliseconds, at least 0."""
    if not (type(milliseconds) is int and 0 <= milliseconds < FIRST_ABSOLUTE):
        raise ValueError
    return _timedelta(0, 0, 0, milliseconds)  # positional arguments take half of the time


def video_position(number: str, *, server: int, producer: int, offset: int) -> VideoPosition:
    """Make a position of the number of a fragment and of whole milliseconds."""
    return VideoPosition(
        fragment_number=_fragment_number(number),
        server_timestamp=_moment(server),
        producer_timestamp=_moment(producer),
        frame_offset=duration(offset),
    )
