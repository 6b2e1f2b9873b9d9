"""Read botocore's largest data file without blocking other threads.

``endpoints.json`` has 1.25 MB for about three hundred services. Decoding it in one call holds the interpreter lock
throughout and creates enough objects to cause a full garbage collection: together about 30 ms in which the event loop
makes no progress, whichever thread reads the file. So the file is parsed in steps, and the entry of a service is
decoded on first access.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from botocore.loaders import JSONFileLoader

__all__ = ["LaterObject", "LazyJSONFileLoader", "walked"]

_DEPTH = 3  # levels above the services: the file, its list of partitions, a partition

# Reads the value at an index of a text; returns the value and the index of its end.
_Reader = Callable[[str, int], tuple[object, int]]

_T = TypeVar("_T")

_decode: _Reader = json.JSONDecoder().raw_decode
_BLANK = re.compile(r"[ \t\n\r]*")


class LaterObject(Mapping[str, object]):
    """A JSON object whose members are decoded on access.

    Args:
        members: the JSON text of each member.
    """

    def __init__(self, members: Mapping[str, str]) -> None:
        self._members = members

    def __getitem__(self, name: str) -> object:
        return json.loads(self._members[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)


class LazyJSONFileLoader(JSONFileLoader):
    """Read data files as botocore does, except for the largest one."""

    def load_file(self, file_path: str) -> object:
        """Return the content of a data file, named without its suffix; ``None`` if it does not exist."""
        path = Path(f"{file_path}.json")
        if path.stem == "endpoints" and path.is_file():
            return walked(path.read_text("utf-8"))
        return super().load_file(file_path)


def walked(text: str, depth: int = _DEPTH) -> object:
    """Decode JSON, with a ``LaterObject`` for each object at a depth.

    Raises:
        ValueError: the text is not JSON.
    """
    try:
        return _value(text, _skip(text, 0), depth)[0]
    except IndexError as error:
        raise ValueError("the JSON text ends too soon") from error


def _value(text: str, at: int, depth: int) -> tuple[object, int]:
    opening = text[at]
    if opening == "{" and depth == 0:
        members, end = _object(text, at, _source)
        return LaterObject(members), end
    if opening == "{":
        return _object(text, at, functools.partial(_value, depth=depth - 1))
    if opening == "[" and depth > 0:
        return _array(text, at, functools.partial(_value, depth=depth - 1))
    return _decode(text, at)


def _source(text: str, at: int) -> tuple[str, int]:
    end = _decode(text, at)[1]
    return text[at:end], end


def _object(text: str, at: int, read: Callable[[str, int], tuple[_T, int]]) -> tuple[dict[str, _T], int]:
    found: dict[str, _T] = {}
    at = _skip(text, at + 1)
    while text[at] != "}":
        name, at = _decode(text, at)
        at = _skip(text, _skip(text, at) + 1)
        found[str(name)], at = read(text, at)
        at = _after_comma(text, at)
    return found, at + 1


def _array(text: str, at: int, read: _Reader) -> tuple[list[object], int]:
    found: list[object] = []
    at = _skip(text, at + 1)
    while text[at] != "]":
        item, at = read(text, at)
        found.append(item)
        at = _after_comma(text, at)
    return found, at + 1


def _after_comma(text: str, at: int) -> int:
    at = _skip(text, at)
    return _skip(text, at + 1) if text[at] == "," else at


def _skip(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    return blank.end() if blank else at
