"""Single values and what is allowed for them: text, whole numbers, percentages, times and durations."""

from __future__ import annotations

import datetime
import math
import re

from aiorekostream.domain.rules import reject
from aiorekostream.errors import InvalidRequestError, ValidationIssue
from aiorekostream.limits import limits_in_force

__all__ = [
    "UNICODE",
    "collection_id",
    "duration_in_seconds",
    "epoch_milliseconds",
    "finite",
    "flag",
    "kms_key_id",
    "percent",
    "processor_name",
    "text",
    "whole_number",
]

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MILLISECOND = datetime.timedelta(milliseconds=1)
_SECOND = datetime.timedelta(seconds=1)
# Anything that can be sent: half of a surrogate pair has no UTF-8.
UNICODE = re.compile(r"[^\ud800-\udfff]*")
_NAME = re.compile(r"[a-zA-Z0-9_.\-]+")
_KMS_KEY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_/+=,@.\-]*")

# In milliseconds these are 3 March 1973 and the year 5138: numbers outside were meant in another unit.
_LEAST_MILLISECONDS = 10**11
_MOST_MILLISECONDS = 10**14 - 1


def text(value: object, *, least: int, most: int, pattern: re.Pattern[str], allowed: str) -> str:
    """Text of a length, all of which matches a pattern: a trailing newline is no part of it."""
    if not isinstance(value, str) or not least <= len(value) <= most or pattern.fullmatch(value) is None:
        reject(value, allowed)
    return str.__str__(value)  # of text that is an enumeration's member too, str() would give the member's name


def whole_number(value: object, *, least: int, most: int | None = None, unit: str = "") -> int:
    """A whole number in a range; ``True`` is none."""
    top = f"from {least} to {most}" if most is not None else f"of at least {least}"
    allowed = f"a whole number{unit and ' of '}{unit} {top}"
    if not isinstance(value, int) or isinstance(value, bool) or value < least or (most is not None and value > most):
        reject(value, allowed)
    return int(value)


def finite(value: object, *, least: float = -math.inf, most: float = math.inf) -> float:
    """A number in a range; ``True``, NaN and the infinities are none."""
    allowed = "a finite number" if math.isinf(least) else f"a number from {least:g} to {most:g}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        reject(value, allowed)
    try:
        number = float(value)
    except OverflowError:
        reject(value, allowed)
    if not math.isfinite(number) or not least <= number <= most:
        reject(value, allowed)
    return number


def flag(value: object) -> bool:
    """``True`` or ``False`` and nothing like them."""
    if not isinstance(value, bool):
        reject(value, "True or False")
    return value


def percent(value: float) -> float:
    """A percentage from 0 to 100, not a ratio."""
    return finite(value, least=0, most=100)


def processor_name(value: str) -> str:
    """The name of a stream processor: 1 to 128 of ``a-z A-Z 0-9 _ . -``."""
    return text(value, least=1, most=128, pattern=_NAME, allowed="1 to 128 characters of a-z, A-Z, 0-9, '_', '.', '-'")


def collection_id(value: str) -> str:
    """The id of a face collection: 1 to 255 of ``a-z A-Z 0-9 _ . -``."""
    return text(value, least=1, most=255, pattern=_NAME, allowed="1 to 255 characters of a-z, A-Z, 0-9, '_', '.', '-'")


def kms_key_id(value: str | None) -> str | None:
    """A KMS key id, key ARN, alias or alias ARN; ``None`` for no key."""
    if value is None:
        return None
    allowed = (
        "a KMS key id, key ARN, alias or alias ARN: 1 to 2048 characters of a-z, A-Z, 0-9, ':', '_', '/', '+', '=', "
        "',', '@', '.', '-', the first a letter or a digit"
    )
    return text(value, least=1, most=2048, pattern=_KMS_KEY_ID, allowed=allowed)


def duration_in_seconds(value: int | datetime.timedelta) -> int:
    """The longest time of a session in whole seconds, or as a ``timedelta`` of whole seconds."""
    most = limits_in_force().max_duration_in_seconds
    if not isinstance(value, datetime.timedelta):
        return whole_number(value, least=1, most=most, unit="seconds")
    seconds, rest = divmod(value, _SECOND)
    if rest or not 1 <= seconds <= most:
        reject(value, f"a timedelta of whole seconds from 1 to {most}")
    return seconds


def epoch_milliseconds(value: int | datetime.datetime) -> int:
    """Milliseconds since 1970 in UTC, or an aware ``datetime`` (what is less than a millisecond is cut off)."""
    if isinstance(value, datetime.datetime):
        return _milliseconds_until(value)
    allowed = f"milliseconds since 1970-01-01T00:00:00Z, {_LEAST_MILLISECONDS} to {_MOST_MILLISECONDS}"
    if not isinstance(value, int) or isinstance(value, bool):
        reject(value, f"{allowed}, or a datetime with a time zone")
    if 0 <= value < _LEAST_MILLISECONDS:
        reject(value, f"{allowed}: this looks like seconds")
    if value > _MOST_MILLISECONDS:
        reject(value, f"{allowed}: this looks like micro- or nanoseconds")
    return whole_number(value, least=_LEAST_MILLISECONDS, most=_MOST_MILLISECONDS, unit="milliseconds")


def _milliseconds_until(moment: datetime.datetime) -> int:
    try:
        milliseconds = None if moment.utcoffset() is None else (moment - _EPOCH) // _MILLISECOND
    except Exception as error:  # a time zone is anybody's code
        raise InvalidRequestError([ValidationIssue((), moment, "a datetime whose time zone can be read")]) from error
    if milliseconds is None:
        reject(moment, "a datetime with a time zone, or whole milliseconds since 1970-01-01T00:00:00Z")
    if not _LEAST_MILLISECONDS <= milliseconds <= _MOST_MILLISECONDS:
        reject(moment, "a datetime from 1973-03-03T09:46:40Z to 5138-11-16T09:46:39.999Z")
    return milliseconds
