"""Unusual inputs that a value must accept or reject; factories, because an iterator can be used only once."""

from __future__ import annotations

import collections
import datetime
import enum
import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable


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


class _SurrogateRepr:
    def __repr__(self) -> str:
        return "\ud800"


class _FailingEquality:
    def __eq__(self, _: object) -> bool:
        raise RuntimeError("no comparison")

    def __hash__(self) -> int:
        raise RuntimeError("no hash")

    def __bool__(self) -> bool:
        raise RuntimeError("no truth")


class _FailingNumber:
    def __float__(self) -> float:
        raise RuntimeError("no number")

    __int__ = __index__ = __trunc__ = __len__ = __float__


def _fail(_: object) -> NoReturn:
    raise RuntimeError("no class")


# isinstance() asks for it.
_FailingClass = type("_FailingClass", (), {"__class__": property(_fail)})


class _FailingAttributes:
    def __getattr__(self, name: str) -> object:
        raise RuntimeError(name)


class _FailingMapping(Mapping[str, str]):
    def __getitem__(self, key: str) -> str:
        raise RuntimeError(key)

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("no keys")

    def __len__(self) -> int:
        raise RuntimeError("no length")


class _OddNumber:
    """Mixed into a number, it says of any comparison that it is true, and converts to another number."""

    def __lt__(self, _: object) -> bool:
        return True

    __le__ = __gt__ = __ge__ = __eq__ = __lt__

    def __hash__(self) -> int:
        return 0

    def __int__(self) -> int:
        return 10**6

    def __float__(self) -> float:
        return 1e6

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class OddInt(_OddNumber, int):
    pass


class _OddFloat(_OddNumber, float):
    def is_integer(self) -> bool:
        raise RuntimeError("no answer")


class _OddText(str):
    __slots__ = ()

    def __len__(self) -> int:
        return 10

    def __eq__(self, _: object) -> bool:
        return True

    def __hash__(self) -> int:
        raise RuntimeError("no hash")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("no characters")

    def startswith(self, *_: object) -> bool:
        raise RuntimeError("no start")


class _OddDuration(datetime.timedelta):
    def total_seconds(self) -> float:
        raise RuntimeError("no seconds")


class _NotATime(datetime.datetime):
    """Like pandas.NaT, which is a ``datetime`` without a time."""

    def utcoffset(self) -> datetime.timedelta | None:
        raise ValueError("NaT has no offset")

    def __sub__(self, _: object) -> Any:  # noqa: ANN401 - anything
        return self


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
    "surrogate-repr": _SurrogateRepr,
    "failing-equality": _FailingEquality,
    "failing-number": _FailingNumber,
    "failing-class": _FailingClass,
    "failing-attributes": _FailingAttributes,
    "failing-mapping": _FailingMapping,
    "failing-items": lambda: [_FailingEquality(), _FailingClass(), _FailingRepr()],
    "failing-values": lambda: {"a": _FailingEquality(), "b": _FailingClass()},
    "odd-int": lambda: OddInt(10**9),
    "odd-negative": lambda: OddInt(-1),
    "odd-float": lambda: _OddFloat(1e9),
    "odd-nan": lambda: _OddFloat(math.nan),
    "odd-text": lambda: _OddText("a" * 5000),
    "odd-tags": lambda: {"a": _OddText("b" * 5000)},
    "odd-duration": lambda: _OddDuration(days=365),
    "not-a-time": lambda: _NotATime(1, 1, 1),
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

# Hypothesis itself asks the values that it draws for their class.
DRAWABLE = [name for name in UNUSUAL_INPUTS if name not in {"failing-class", "failing-items", "failing-values"}]
