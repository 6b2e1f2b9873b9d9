"""Unusual inputs that a value must accept or reject; factories, because an iterator can be used only once."""

from __future__ import annotations

import collections
import datetime
import enum
import math
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class _TextEnum(str, enum.Enum):  # noqa: UP042 - existing programs define enums like this
    NAME = "front-door"
    LABEL = "PET"
    DIGITS = "123"


class _NumberEnum(enum.IntEnum):
    SOME = 30


class _TextSubclass(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "another text"


class _Numberlike:
    """Converts to a number on request, like the scalars of numpy."""

    def __float__(self) -> float:
        return 50.0

    def __int__(self) -> int:
        return 50

    def __index__(self) -> int:
        return 50


class _FailingRepr:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__


class _FailingIterable:
    def __iter__(self) -> Iterator[str]:
        yield "PET"
        raise RuntimeError("no more")


class _FailingZone(datetime.tzinfo):
    def utcoffset(self, _: datetime.datetime | None, /) -> datetime.timedelta | None:
        raise RuntimeError("no offset")

    def dst(self, _: datetime.datetime | None, /) -> datetime.timedelta | None:
        return None

    def tzname(self, _: datetime.datetime | None, /) -> str | None:
        return None


_DAY = datetime.datetime(2022, 6, 22, 20, 43, 43, 123456)  # noqa: DTZ001 - deliberately naive
_EAST = datetime.timezone(datetime.timedelta(hours=23, minutes=59))
_WEST = datetime.timezone(-datetime.timedelta(hours=23, minutes=59))

UNUSUAL_INPUTS: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "true": lambda: True,
    "false": lambda: False,
    "huge": lambda: 10**400,
    "huge-negative": lambda: -(10**400),
    "too-long-to-show": lambda: 10**5000,
    "negative-zero": lambda: -0.0,
    "nan": lambda: math.nan,
    "infinity": lambda: -math.inf,
    "complex": lambda: 1j,
    "decimal": lambda: Decimal(50),
    "decimal-snan": lambda: Decimal("sNaN"),
    "fraction": lambda: Fraction(1, 3),
    "numberlike": _Numberlike,
    "int-enum": lambda: _NumberEnum.SOME,
    "name-enum": lambda: _TextEnum.NAME,
    "label-enum": lambda: _TextEnum.LABEL,
    "digits-enum": lambda: _TextEnum.DIGITS,
    "text": lambda: _TextSubclass("front-door"),
    "empty": lambda: "",
    "surrogate": lambda: "\ud800",
    "nul": lambda: "a\x00b",
    "newline": lambda: "front-door\n",
    "long": lambda: "a" * 100_000,
    "bytes": lambda: b"front-door",
    "bytearray": lambda: bytearray(b"PET"),
    "memoryview": lambda: memoryview(b""),
    "set": lambda: {"PET", "PERSON"},
    "mixed-set": lambda: {"PET", 5, None, 10**5000},
    "frozenset": frozenset,
    "generator": lambda: (label for label in ("PET", "PERSON")),
    "range": lambda: range(3),
    "list-of-lists": lambda: [[], [[]]],
    "deque": lambda: collections.deque(["PET"]),
    "odd-keys": lambda: {1: 2, None: 3, b"a": 4, (): 5, 10**5000: 6},
    "enums-as-keys": lambda: {_TextEnum.NAME: _TextEnum.LABEL, _TextSubclass("site"): _TextSubclass("a")},
    "proxy": lambda: MappingProxyType({"a": "b"}),
    "namespace": lambda: SimpleNamespace(milliseconds=1655930623123),
    "object": object,
    "class": lambda: dict,
    "function": lambda: len,
    "ellipsis": lambda: ...,
    "not-implemented": lambda: NotImplemented,
    "failing-repr": _FailingRepr,
    "failing-iterable": _FailingIterable,
    "date": _DAY.date,
    "time": _DAY.time,
    "naive": lambda: _DAY,
    "aware": lambda: _DAY.replace(tzinfo=_EAST),
    "failing-zone": lambda: _DAY.replace(tzinfo=_FailingZone()),
    "last-moment-west": lambda: datetime.datetime.max.replace(tzinfo=_WEST),
    "first-moment-east": lambda: datetime.datetime.min.replace(tzinfo=_EAST),
    "longest": lambda: datetime.timedelta.max,
    "shortest": lambda: datetime.timedelta.min,
    "microsecond": lambda: datetime.timedelta(microseconds=1),
    "half-a-minute": lambda: datetime.timedelta(seconds=30),
}
