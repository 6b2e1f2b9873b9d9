"""Validate single values: text, whole numbers, percentages, times and durations.

Each function returns the value in its canonical type, or raises ``InvalidRequestError`` with what is allowed.
"""

import datetime
import math
import re
from typing import Any, TypeAlias, cast

from aiorekostream.domain.rules import reject
from aiorekostream.errors import InvalidRequestError, ValidationIssue
from aiorekostream.limits import limits_in_force

__all__ = [
    "UNICODE",
    "Duration",
    "collection_id",
    "count",
    "duration_in_seconds",
    "epoch_milliseconds",
    "finite",
    "flag",
    "kms_key_id",
    "optional_count",
    "percent",
    "processor_name",
    "seconds",
    "text",
    "whole_number",
    "whole_seconds",
]

Duration: TypeAlias = datetime.timedelta | float
"""A duration: a ``timedelta``, or a number of seconds."""

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MILLISECOND = datetime.timedelta(milliseconds=1)
# Patterns are compiled by `re` on first use, and kept there: few programs use all of them.
# Any text that can be sent: a lone surrogate has no UTF-8 encoding.
UNICODE = r"[^\ud800-\udfff]*"
_NAME = r"[a-zA-Z0-9_.\-]+"
_KMS_KEY_ID = r"[A-Za-z0-9][A-Za-z0-9:_/+=,@.\-]*"

# In milliseconds since 1970: 3 March 1973 and 16 November 5138. AWS accepts any number from 0, and takes seconds or
# microseconds that are passed by mistake for a moment decades or millennia away.
_MIN_MILLISECONDS = 10**11
_MAX_MILLISECONDS = 10**14 - 1


def text(value: object, *, least: int, most: int, pattern: str | re.Pattern[str], expected: str) -> str:
    """Validate text by its length and by a pattern that must match the whole of it."""
    if not isinstance(value, str):
        reject(value, expected)
    # str() of text that is also a member of an enumeration may return that member's name.
    plain = str.__str__(value)
    if not least <= len(plain) <= most or re.fullmatch(pattern, plain) is None:
        reject(value, expected)
    return plain


def whole_number(value: object, *, least: int, most: int | None = None, unit: str = "") -> int:
    """Validate a whole number in a range; ``True`` and ``False`` are refused."""
    top = f"from {least} to {most}" if most is not None else f"of at least {least}"
    expected = f"a whole number{unit and ' of '}{unit} {top}"
    # By the type: an object may claim another class, or raise when it is asked.
    if not issubclass(type(value), int) or issubclass(type(value), bool):
        reject(value, expected)
    number = int.__int__(cast("int", value))  # a subclass may compare in a way of its own
    if number < least or (most is not None and number > most):
        reject(value, expected)
    return number


def count(value: int) -> int:
    """Validate a whole number of at least 1."""
    return whole_number(value, least=1)


def optional_count(value: int | None) -> int | None:
    """Validate a whole number of at least 1, or ``None``."""
    return None if value is None else count(value)


def finite(value: object, *, least: float = -math.inf, most: float = math.inf) -> float:
    """Validate a finite number in a range; ``True``, ``False``, NaN and the infinities are refused."""
    expected = "a finite number" if math.isinf(least) else f"a number from {least:g} to {most:g}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        reject(value, expected)
    try:
        number = float(int.__int__(value)) if isinstance(value, int) else float.__float__(value)
    except OverflowError:
        reject(value, expected)
    if not math.isfinite(number) or not least <= number <= most:
        reject(value, expected)
    return number


def seconds(value: object, *, least: float, most: float) -> float:
    """Validate a duration, given as a ``timedelta`` or as a number of seconds, in a range."""
    number = datetime.timedelta.total_seconds(value) if isinstance(value, datetime.timedelta) else value
    try:
        return finite(number, least=least, most=most)
    except InvalidRequestError:
        reject(value, f"a timedelta, or a number of seconds, from {least:g} to {most:g}")


def flag(value: bool) -> bool:  # noqa: FBT001 - an attrs converter takes its value by position
    """Validate a ``bool``; 0, 1 and other truthy or falsy values are refused."""
    if not isinstance(value, bool):
        reject(value, "True or False")
    return value


def percent(value: float) -> float:
    """Validate a percentage from 0 to 100 (not a ratio from 0 to 1)."""
    return finite(value, least=0, most=100)


def processor_name(value: str) -> str:
    """Validate the name of a stream processor: 1 to 128 characters of ``a-z A-Z 0-9 _ . -``."""
    return text(value, least=1, most=128, pattern=_NAME, expected="1 to 128 characters of a-z, A-Z, 0-9, '_', '.', '-'")


def collection_id(value: str) -> str:
    """Validate the id of a face collection: 1 to 255 characters of ``a-z A-Z 0-9 _ . -``."""
    return text(value, least=1, most=255, pattern=_NAME, expected="1 to 255 characters of a-z, A-Z, 0-9, '_', '.', '-'")


def kms_key_id(value: str | None) -> str | None:
    """Validate a KMS key id, key ARN, alias or alias ARN; ``None`` means no key."""
    if value is None:
        return None
    expected = (
        "a KMS key id, key ARN, alias or alias ARN: 1 to 2048 characters of a-z, A-Z, 0-9, ':', '_', '/', '+', '=', "
        "',', '@', '.', '-', the first a letter or a digit"
    )
    return text(value, least=1, most=2048, pattern=_KMS_KEY_ID, expected=expected)


def duration_in_seconds(value: datetime.timedelta | float) -> int:
    """Validate the maximum duration of a session: whole seconds, as a number or as a ``timedelta``."""
    return whole_seconds(value, least=1, most=limits_in_force().max_duration_in_seconds)


def whole_seconds(value: object, *, least: int, most: int) -> int:
    """Validate whole seconds, given as a ``timedelta`` or as a number, in a range; 30.0 is 30, and 30.5 is refused."""
    number = datetime.timedelta.total_seconds(value) if isinstance(value, datetime.timedelta) else value
    if isinstance(number, float) and float.is_integer(number):
        number = float.__int__(number)
    try:
        return whole_number(number, least=least, most=most, unit="seconds")
    except InvalidRequestError:
        kind = "a timedelta of whole" if isinstance(value, datetime.timedelta) else "a whole number of"
        reject(value, f"{kind} seconds from {least} to {most}")


def epoch_milliseconds(value: int | datetime.datetime) -> int:
    """Convert to milliseconds since 1970 in UTC: from a number of them or an aware ``datetime``, truncated."""
    if isinstance(value, datetime.datetime):
        return _milliseconds_until(value)
    expected = f"milliseconds since 1970-01-01T00:00:00Z, {_MIN_MILLISECONDS} to {_MAX_MILLISECONDS}"
    number = None if isinstance(value, bool) else _truncated(value)
    if number is not None and 0 <= number < _MIN_MILLISECONDS:
        reject(value, f"{expected}: this looks like seconds")
    if number is not None and number > _MAX_MILLISECONDS:
        reject(value, f"{expected}: this looks like micro- or nanoseconds")
    if not isinstance(value, int) or isinstance(value, bool):
        reject(value, f"whole {expected}, or a datetime with a time zone")
    return whole_number(value, least=_MIN_MILLISECONDS, most=_MAX_MILLISECONDS, unit="milliseconds")


def _truncated(value: Any) -> int | None:  # noqa: ANN401 - any value
    """Return a finite number of any type without its fraction; ``None`` for any other value."""
    try:
        number = math.trunc(value)
    except Exception:  # noqa: BLE001 - the value is foreign, and may raise anything
        return None
    return number if type(number) is int else None


def _milliseconds_until(moment: datetime.datetime) -> int:
    try:
        # A subclass may answer in a way of its own; pandas.NaT is one that has no time.
        is_aware = datetime.datetime.utcoffset(moment) is not None
        milliseconds = datetime.datetime.__sub__(moment, _EPOCH) // _MILLISECOND if is_aware else None
    except Exception as error:  # a tzinfo is foreign code and may raise anything
        raise InvalidRequestError([ValidationIssue((), moment, "a datetime whose time zone can be read")]) from error
    if milliseconds is None:
        reject(moment, "a datetime with a time zone, or whole milliseconds since 1970-01-01T00:00:00Z")
    if not _MIN_MILLISECONDS <= milliseconds <= _MAX_MILLISECONDS:
        reject(moment, "a datetime from 1973-03-03T09:46:40Z to 5138-11-16T09:46:39.999Z")
    return milliseconds
