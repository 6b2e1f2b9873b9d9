"""Paths in JSON: walk all of them, and replace or remove the value at one."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Json: TypeAlias = Any
JsonPath: TypeAlias = tuple[str | int, ...]


def is_a(value: Json, *classes: type) -> bool:
    """Whether the value is of one of the classes; keeps ``Any`` as its type for type checkers."""
    return isinstance(value, classes)


def children(value: Json) -> Iterable[tuple[str | int, Json]]:
    """The members or items of the value, each with its step."""
    members: dict[str, Json] = value if is_a(value, dict) else {}
    items: list[Json] = value if is_a(value, list) else []
    return [*members.items(), *enumerate(items)]


def walk(value: Json, path: JsonPath = ()) -> Iterator[tuple[JsonPath, Json]]:
    """All paths below the root, each with its value."""
    for step, child in children(value):
        yield (*path, step), child
        yield from walk(child, (*path, step))


def dotted(path: JsonPath) -> str:
    """The path in the format of an issue."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def replaced(wire: Json, path: JsonPath, value: object) -> Json:
    """A copy of the JSON with another value at the path."""
    copied = copy.deepcopy(dict(wire))
    _parent(copied, path)[path[-1]] = value
    return copied


def without(wire: Json, path: JsonPath) -> Json:
    """A copy of the JSON with no value at the path."""
    copied = copy.deepcopy(dict(wire))
    del _parent(copied, path)[path[-1]]
    return copied


def _parent(wire: Json, path: JsonPath) -> Json:
    for step in path[:-1]:
        wire = wire[step]
    return wire
