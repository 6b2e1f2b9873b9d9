"""Places in JSON: walking through it, and changing one of them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Json: TypeAlias = Any
Place: TypeAlias = tuple[str | int, ...]


def is_a(value: Json, *classes: type) -> bool:
    """Whether it is one of these; tells type checkers nothing, for which JSON is anything."""
    return isinstance(value, classes)


def parts(value: Json) -> Iterable[tuple[str | int, Json]]:
    """The steps from here, and where they lead."""
    members: dict[str, Json] = value if is_a(value, dict) else {}
    items: list[Json] = value if is_a(value, list) else []
    return [*members.items(), *enumerate(items)]


def places(value: Json, where: Place = ()) -> Iterator[tuple[Place, Json]]:
    """All places but the root, and what stands there."""
    for step, part in parts(value):
        yield (*where, step), part
        yield from places(part, (*where, step))


def dotted(place: Place) -> str:
    """A place as issues show it."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).removeprefix(".")


def changed(wire: Json, place: Place, value: object) -> Json:
    """The same JSON with another value at a place."""
    copied = copy.deepcopy(dict(wire))
    _inside(copied, place)[place[-1]] = value
    return copied


def without(wire: Json, place: Place) -> Json:
    """The same JSON with nothing at a place."""
    copied = copy.deepcopy(dict(wire))
    del _inside(copied, place)[place[-1]]
    return copied


def _inside(wire: Json, place: Place) -> Json:
    for step in place[:-1]:
        wire = wire[step]
    return wire
