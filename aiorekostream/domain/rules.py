"""How values are kept valid: converters that refuse, and a base class that reports every refusal at once.

A field's converter either returns the right value or raises ``InvalidRequestError`` with what is allowed. In a class
made with ``field_transformer=guarded`` it leaves a ``Refused`` in the field's place instead, so that the other fields
are looked at too. ``Checked`` then gathers all of them, adds what contradicts across fields, and raises once.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias, TypeVar, cast

import attrs

from aiorekostream.errors import Fault, InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "ABSENT",
    "Absent",
    "Checked",
    "Refused",
    "as_mapping",
    "as_step",
    "as_tuple",
    "each",
    "guarded",
    "intact",
    "is_set",
    "refuse",
]

_T = TypeVar("_T")
_Converter: TypeAlias = "Callable[[object], object]"


class Absent:
    """What a fault shows as its value where nothing was given."""

    def __repr__(self) -> str:
        return "nothing"

    def __reduce__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()


@attrs.frozen
class Refused:
    """Stands in a field for a value that was refused, until the whole is refused."""

    faults: tuple[Fault, ...]


def refuse(value: object, allowed: str) -> NoReturn:
    """Refuse one value."""
    raise InvalidRequestError([Fault((), value, allowed)])


def guarded(_: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
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
            return Refused(error.faults)

    return converter


def each(items: Iterable[tuple[str | int, object]], convert: Callable[[object], _T]) -> list[_T]:
    """Convert every item of a collection; the faults of all of them come in one ``InvalidRequestError``."""
    good: list[_T] = []
    faults: list[Fault] = []
    for step, item in items:
        if isinstance(item, Refused):
            faults += [fault.under(step) for fault in item.faults]
            continue
        try:
            good.append(convert(item))
        except InvalidRequestError as error:
            faults += [fault.under(step) for fault in error.faults]
    if faults:
        raise InvalidRequestError(faults)
    return good


def intact(*values: object) -> bool:
    """Whether none of the values was refused, so that they can be compared with each other."""
    return not any(isinstance(value, Refused) for value in values)


class Checked:
    """The base of every value: it exists only if all its fields are right and do not contradict each other."""

    __slots__ = ()

    def __attrs_post_init__(self) -> None:
        faults = [*self._refusals(), *self._contradictions()]
        if faults:
            raise InvalidRequestError(faults)

    def _refusals(self) -> Iterator[Fault]:
        for field in attrs.fields(cast("type[attrs.AttrsInstance]", type(self))):
            name = field.name
            value: object = getattr(self, name)
            if isinstance(value, Refused):
                yield from (fault.under(name) for fault in value.faults)

    def _contradictions(self) -> Iterable[Fault]:
        """What is wrong between fields; must pass over fields that are not ``intact``."""
        return ()


def as_step(key: object) -> str:
    """A mapping's key, whatever it is, as a step of a fault's path."""
    if isinstance(key, str):
        return str.__str__(key)
    try:
        return repr(key)
    except Exception:  # noqa: BLE001 - whatever was given, a fault can be told
        return f"<{type(key).__name__}>"


def as_mapping(value: object, allowed: str) -> Mapping[object, object]:
    """Any mapping, or a refusal."""
    if not isinstance(value, Mapping):
        refuse(value, allowed)
    return cast("Mapping[object, object]", value)


def as_tuple(value: object, allowed: str) -> tuple[object, ...]:
    """The items of any collection but text and mappings, or a refusal; those of a set in the order of their text."""
    if not _is_collection(value):
        refuse(value, allowed)
    try:
        items = tuple(cast("Iterable[object]", value))
        return tuple(sorted(items, key=str)) if is_set(value) else items
    except Exception as error:  # an iterator is anybody's code
        raise InvalidRequestError([Fault((), value, allowed)]) from error


def _is_collection(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | bytearray | memoryview | Mapping)


def is_set(value: object) -> bool:
    """Whether it is a collection without an order."""
    return isinstance(value, set | frozenset)
