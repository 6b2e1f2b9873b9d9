"""Validate values: converters that reject a value, and a base class that reports every issue at once.

A field's converter returns the valid value or raises ``InvalidRequestError`` with what is allowed. In a class made with
``field_transformer=collecting``, a converter that raises leaves a ``Rejected`` in the field instead, so that the other
fields are validated too. ``Validated`` then collects the issues of all fields, adds those between fields, and raises
once.

Invariant: no instance of ``Validated`` that a caller can reach holds a ``Rejected``.
"""

import functools
import inspect
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NoReturn, TypeAlias, TypeVar, cast

import attrs

from aiorekostream.errors import AwsGuidanceWarning, InvalidRequestError, ValidationIssue
from aiorekostream.issues import shown

__all__ = [
    "ABSENT",
    "Absent",
    "Rejected",
    "Validated",
    "advise",
    "all_valid",
    "as_mapping",
    "as_step",
    "as_tuple",
    "collecting",
    "convert_safely",
    "each",
    "has_method",
    "is_complete",
    "is_unordered",
    "items_of",
    "optional",
    "reject",
]

_T = TypeVar("_T")
_ValueT = TypeVar("_ValueT")
_Converter: TypeAlias = "Callable[[object], object]"


class Absent:
    """The type of ``ABSENT``: the value of an issue whose field was not given."""

    def __repr__(self) -> str:
        return "nothing"

    def __reduce__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()


@attrs.frozen(eq=False, repr=False)
class Rejected:
    """Takes the place of a field's value that was rejected, until ``Validated`` raises."""

    issues: tuple[ValidationIssue, ...]


def reject(value: object, expected: str) -> NoReturn:
    """Raise ``InvalidRequestError`` for one value.

    Args:
        value: the invalid value.
        expected: what is allowed, as a phrase that completes "must be ...".
    """
    raise InvalidRequestError([ValidationIssue((), value, expected)])


def collecting(_: type, fields: list["attrs.Attribute[Any]"]) -> list["attrs.Attribute[Any]"]:
    """Wrap the converters of a class to return ``Rejected`` instead of raising; an attrs field transformer."""
    return [
        field.evolve(converter=_collecting_converter(cast("_Converter", convert)))
        if (convert := cast("object", field.converter))
        else field
        for field in fields
    ]


@functools.cache
def _collecting_converter(convert: _Converter) -> _Converter:
    @functools.wraps(convert)
    def converter(value: object) -> object:
        if type(value) is Rejected:
            return value
        try:
            return convert_safely(convert, value)
        except InvalidRequestError as error:
            return Rejected(error.issues)

    # attrs asks for it for every field, and to find it out takes most of the time that a class takes to be made.
    converter.__signature__ = inspect.signature(convert)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    return converter


def convert_safely(convert: Callable[[_ValueT], _T], value: _ValueT) -> _T:
    """Return ``convert(value)``; raise ``InvalidRequestError`` where the value itself raises when it is examined.

    A value is foreign code: its comparison, its iteration and its conversion may raise anything.
    """
    try:
        return convert(value)
    except InvalidRequestError:
        raise
    except Exception as error:
        expected = f"a value that can be read; reading it raised {type(error).__name__}"
        raise InvalidRequestError([ValidationIssue((), value, expected)]) from error


def has_method(value: object, name: str) -> bool:
    """Return whether a value has a method of this name; false for one that cannot be asked."""
    try:
        return callable(getattr(value, name, None))
    except Exception:  # noqa: BLE001 - the value is foreign code, and may raise anything
        return False


def optional(value: _ValueT, *methods: str, expected: str) -> _ValueT:
    """Return ``None`` or a value that has these methods; reject any other, since foreign code is used much later."""
    if value is not None and not all(has_method(value, method) for method in methods):
        reject(value, f"{expected}, or None")
    return value


def each(items: Iterable[tuple[str | int, object]], convert: Callable[[object], _T]) -> list[_T]:
    """Convert every item of a collection and raise one ``InvalidRequestError`` with the issues of all items."""
    converted: list[_T] = []
    issues: list[ValidationIssue] = []
    for step, item in items:
        if type(item) is Rejected:
            issues += [issue.under(step) for issue in item.issues]
            continue
        try:
            converted.append(convert_safely(convert, item))
        except InvalidRequestError as error:
            issues += [issue.under(step) for issue in error.issues]
    if issues:
        raise InvalidRequestError(issues)
    return converted


def all_valid(*values: object) -> bool:
    """Return whether none of the values was rejected, so that they can be compared with each other."""
    return all(type(value) is not Rejected for value in values)


def is_complete(value: "Validated") -> bool:
    """Return whether no field was rejected; false for values that ``codec.parse`` makes only for their issues."""
    return all_valid(*attrs.astuple(cast("attrs.AttrsInstance", value), recurse=False))


class Validated:
    """Base of the values: creating one raises unless all fields are valid and do not contradict each other."""

    __slots__ = ()

    def __attrs_post_init__(self) -> None:
        issues = [*self._field_issues(), *self._contradictions()]
        if issues:
            name: object = getattr(self, "name", None)
            raise InvalidRequestError(issues, name=name if isinstance(name, str) else None)

    def _field_issues(self) -> Iterator[ValidationIssue]:
        for field in attrs.fields(cast("type[attrs.AttrsInstance]", type(self))):
            name = field.name
            value: object = getattr(self, name)
            if type(value) is Rejected:
                yield from (issue.under(name) for issue in value.issues)

    def _contradictions(self) -> Iterable[ValidationIssue]:
        """Yield the issues between fields; an override compares only fields that are ``all_valid``."""
        return ()


def advise(guidance: str) -> None:
    """Warn of a value that AWS accepts against its guidance, at the line of the caller outside of this package."""
    # warnings.warn can skip the files of a package from Python 3.12 on. Level 1 is this function.
    frame, level = inspect.currentframe(), 1
    while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == "aiorekostream":
        frame, level = frame.f_back, level + 1
    warnings.warn(guidance, AwsGuidanceWarning, stacklevel=level)


def as_step(key: object) -> str:
    """Convert a mapping's key, of any type, to a step of an issue's path."""
    return str.__str__(key) if isinstance(key, str) else shown(key)


def as_mapping(value: object, expected: str) -> Mapping[object, object]:
    """Return a mapping as it is, and reject any other value."""
    if not isinstance(value, Mapping):
        reject(value, expected)
    return cast("Mapping[object, object]", value)


def items_of(value: Mapping[object, object]) -> list[tuple[object, object]]:
    """Return the entries of a mapping, and reject one that cannot be read."""
    return convert_safely(_items, value)


def _items(value: Mapping[object, object]) -> list[tuple[object, object]]:
    return [(key, item) for key, item in value.items()]


def as_tuple(value: object, expected: str) -> tuple[object, ...]:
    """Return the items of a collection and reject text, mappings and what is not iterable; a set is sorted by text."""
    if not _is_collection(value):
        reject(value, expected)
    try:
        items = tuple(cast("Iterable[object]", value))
        return tuple(sorted(items, key=str)) if is_unordered(value) else items
    except Exception as error:  # an iterator is foreign code and may raise anything
        raise InvalidRequestError([ValidationIssue((), value, expected)]) from error


def _is_collection(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | bytearray | memoryview | Mapping)


def is_unordered(value: object) -> bool:
    """Return whether the value is a collection without an order."""
    return isinstance(value, set | frozenset)
