"""Validation of values: converters that reject a value, and a base class that reports every issue at once.

A field's converter returns the valid value or raises ``InvalidRequestError`` with what is allowed. In a class made with
``field_transformer=collecting``, a converter that raises leaves a ``Rejected`` in the field instead, so that the other
fields are validated too. ``Validated`` then collects the issues of all fields, adds those between fields, and raises
once.

Invariant: no instance of ``Validated`` that a caller can reach holds a ``Rejected``.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias, TypeVar, cast

import attrs

from aiorekostream.errors import InvalidRequestError, ValidationIssue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "ABSENT",
    "Absent",
    "Rejected",
    "Validated",
    "all_valid",
    "as_mapping",
    "as_step",
    "as_tuple",
    "collecting",
    "each",
    "is_unordered",
    "reject",
]

_T = TypeVar("_T")
_Converter: TypeAlias = "Callable[[object], object]"


class Absent:
    """The type of ``ABSENT``: the value of an issue whose field was not given."""

    def __repr__(self) -> str:
        return "nothing"

    def __reduce__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()


@attrs.frozen
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


def collecting(_: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    """Wrap the converters of a class to return ``Rejected`` instead of raising; an attrs field transformer."""
    return [
        field.evolve(converter=_collecting_converter(cast("_Converter", convert)))
        if (convert := cast("object", field.converter))
        else field
        for field in fields
    ]


def _collecting_converter(convert: _Converter) -> _Converter:
    @functools.wraps(convert)
    def converter(value: object) -> object:
        if isinstance(value, Rejected):
            return value
        try:
            return convert(value)
        except InvalidRequestError as error:
            return Rejected(error.issues)

    return converter


def each(items: Iterable[tuple[str | int, object]], convert: Callable[[object], _T]) -> list[_T]:
    """Convert every item of a collection and raise one ``InvalidRequestError`` with the issues of all items."""
    converted: list[_T] = []
    issues: list[ValidationIssue] = []
    for step, item in items:
        if isinstance(item, Rejected):
            issues += [issue.under(step) for issue in item.issues]
            continue
        try:
            converted.append(convert(item))
        except InvalidRequestError as error:
            issues += [issue.under(step) for issue in error.issues]
    if issues:
        raise InvalidRequestError(issues)
    return converted


def all_valid(*values: object) -> bool:
    """Whether none of the values was rejected, so that they can be compared with each other."""
    return not any(isinstance(value, Rejected) for value in values)


class Validated:
    """Base of the values: creating one raises unless all fields are valid and do not contradict each other."""

    __slots__ = ()

    def __attrs_post_init__(self) -> None:
        issues = [*self._field_issues(), *self._contradictions()]
        if issues:
            raise InvalidRequestError(issues)

    def _field_issues(self) -> Iterator[ValidationIssue]:
        for field in attrs.fields(cast("type[attrs.AttrsInstance]", type(self))):
            name = field.name
            value: object = getattr(self, name)
            if isinstance(value, Rejected):
                yield from (issue.under(name) for issue in value.issues)

    def _contradictions(self) -> Iterable[ValidationIssue]:
        """Yield the issues between fields; an override compares only fields that are ``all_valid``."""
        return ()


def as_step(key: object) -> str:
    """Convert a mapping's key, of any type, to a step of an issue's path."""
    if isinstance(key, str):
        return str.__str__(key)
    try:
        return repr(key)
    except Exception:  # noqa: BLE001 - an issue is reported even if repr() fails
        return f"<{type(key).__name__}>"


def as_mapping(value: object, expected: str) -> Mapping[object, object]:
    """Return a mapping as it is, and reject any other value."""
    if not isinstance(value, Mapping):
        reject(value, expected)
    return cast("Mapping[object, object]", value)


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
    """Whether the value is a collection without an order."""
    return isinstance(value, set | frozenset)
