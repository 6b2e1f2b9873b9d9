"""How values are kept valid: converters that reject, and a base class that reports every refusal at once.

A field's converter either returns the right value or raises ``InvalidRequestError`` with what is allowed. In a class
made with ``field_transformer=collecting`` it leaves a ``Refused`` in the field's place instead, so that the other
fields are looked at too. ``Validated`` then gathers all of them, adds what contradicts across fields, and raises once.
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
    "Refused",
    "Validated",
    "all_valid",
    "as_mapping",
    "as_step",
    "as_tuple",
    "collecting",
    "each",
    "is_set",
    "reject",
]

_T = TypeVar("_T")
_Converter: TypeAlias = "Callable[[object], object]"


class Absent:
    """What a issue shows as its value where nothing was given."""

    def __repr__(self) -> str:
        return "nothing"

    def __reduce__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()


@attrs.frozen
class Refused:
    """Stands in a field for a value that was refused, until the whole is refused."""

    issues: tuple[ValidationIssue, ...]


def reject(value: object, allowed: str) -> NoReturn:
    """ErrorResponse one value."""
    raise InvalidRequestError([ValidationIssue((), value, allowed)])


def collecting(_: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    """Let the converters of a class leave ``Refused`` instead of raising; an attrs field transformer."""
    return [
        field.evolve(converter=_guarded(cast("_Converter", convert)))
        if (convert := cast("object", field.converter))
        else field
        for field in fields
    ]


def _guarded(convert: _Converter) -> _Converter:
    @functools.wraps(convert)
    def converter(value: object) -> object:
        if isinstance(value, Refused):
            return value
        try:
            return convert(value)
        except InvalidRequestError as error:
            return Refused(error.issues)

    return converter


def each(items: Iterable[tuple[str | int, object]], convert: Callable[[object], _T]) -> list[_T]:
    """Convert every item of a collection; the issues of all of them come in one ``InvalidRequestError``."""
    good: list[_T] = []
    issues: list[ValidationIssue] = []
    for step, item in items:
        if isinstance(item, Refused):
            issues += [issue.under(step) for issue in item.issues]
            continue
        try:
            good.append(convert(item))
        except InvalidRequestError as error:
            issues += [issue.under(step) for issue in error.issues]
    if issues:
        raise InvalidRequestError(issues)
    return good


def all_valid(*values: object) -> bool:
    """Whether none of the values was refused, so that they can be compared with each other."""
    return not any(isinstance(value, Refused) for value in values)


class Validated:
    """The base of every value: it exists only if all its fields are right and do not contradict each other."""

    __slots__ = ()

    def __attrs_post_init__(self) -> None:
        issues = [*self._refusals(), *self._contradictions()]
        if issues:
            raise InvalidRequestError(issues)

    def _refusals(self) -> Iterator[ValidationIssue]:
        for field in attrs.fields(cast("type[attrs.AttrsInstance]", type(self))):
            name = field.name
            value: object = getattr(self, name)
            if isinstance(value, Refused):
                yield from (issue.under(name) for issue in value.issues)

    def _contradictions(self) -> Iterable[ValidationIssue]:
        """What is wrong between fields; must pass over fields that are not ``all_valid``."""
        return ()


def as_step(key: object) -> str:
    """A mapping's key, whatever it is, as a step of a issue's path."""
    if isinstance(key, str):
        return str.__str__(key)
    try:
        return repr(key)
    except Exception:  # noqa: BLE001 - whatever was given, a issue can be told
        return f"<{type(key).__name__}>"


def as_mapping(value: object, allowed: str) -> Mapping[object, object]:
    """Any mapping, or a refusal."""
    if not isinstance(value, Mapping):
        reject(value, allowed)
    return cast("Mapping[object, object]", value)


def as_tuple(value: object, allowed: str) -> tuple[object, ...]:
    """The items of any collection but text and mappings, or a refusal; those of a set in the order of their text."""
    if not _is_collection(value):
        reject(value, allowed)
    try:
        items = tuple(cast("Iterable[object]", value))
        return tuple(sorted(items, key=str)) if is_set(value) else items
    except Exception as error:  # an iterator is anybody's code
        raise InvalidRequestError([ValidationIssue((), value, allowed)]) from error


def _is_collection(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | bytearray | memoryview | Mapping)


def is_set(value: object) -> bool:
    """Whether it is a collection without an order."""
    return isinstance(value, set | frozenset)
