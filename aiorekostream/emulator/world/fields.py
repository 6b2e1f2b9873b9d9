"""Read the typed members of a request, or refuse the request with the path of the invalid member.

The emulator spells members as AWS does and shares no names with the package's codec, so that neither side hides a
misspelling of the other. A null member counts as absent, as it does at AWS.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import attrs

from aiorekostream.emulator.world.answers import JsonObject, invalid, refuse, serialization

if TYPE_CHECKING:
    from aiorekostream.emulator.world.answers import RefusedError

__all__ = ["Fields"]


@attrs.frozen
class Fields:
    """A JSON object of a request, with its path.

    Attributes:
        members: the object.
        path: the path from the top of the request, such as ``Settings.FaceSearch``; empty at the top.
    """

    members: JsonObject
    path: str = ""

    def at(self, name: str) -> str:
        """Return the path of a member."""
        return f"{self.path}.{name}" if self.path else name

    def has(self, name: str) -> bool:
        """Return whether the member is present and not null."""
        return self.members.get(name) is not None

    def missing(self, name: str) -> RefusedError:
        """Return the refusal of a request that lacks a required member."""
        return refuse(invalid(f"{self.at(name)} is required."))

    def wrong(self, name: str, allowed: str) -> RefusedError:
        """Return the refusal of a member with an invalid value."""
        return refuse(invalid(f"{self.at(name)} must be {allowed}."))

    def forbidden(self, name: str, reason: str) -> None:
        """Refuse the request if the member is present."""
        if self.has(name):
            raise refuse(invalid(f"{self.at(name)} must not be given: {reason}."))

    def optional_text(self, name: str) -> str | None:
        """Return a string member, or None if it is absent."""
        value = self.members.get(name)
        if value is None or isinstance(value, str):
            return value
        raise self._mistyped(name, "a string")

    def text(self, name: str) -> str:
        """Return a required string member."""
        value = self.optional_text(name)
        if value is None:
            raise self.missing(name)
        return value

    def optional_structure(self, name: str) -> Fields | None:
        """Return an object member, or None if it is absent."""
        value = self.members.get(name)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise self._mistyped(name, "an object")
        return Fields(cast("JsonObject", value), self.at(name))

    def structure(self, name: str) -> Fields:
        """Return a required object member."""
        value = self.optional_structure(name)
        if value is None:
            raise self.missing(name)
        return value

    def optional_whole(self, name: str) -> int | None:
        """Return an integer member, or None if it is absent."""
        value = self.members.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._mistyped(name, "a whole number")
        return value

    def optional_number(self, name: str) -> float | None:
        """Return a finite number, or None if it is absent."""
        value = self.members.get(name)
        if value is None:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            raise self._mistyped(name, "a number")
        return value

    def flag(self, name: str) -> bool:
        """Return a required boolean member."""
        value = self.members.get(name)
        if value is None:
            raise self.missing(name)
        if not isinstance(value, bool):
            raise self._mistyped(name, "true or false")
        return value

    def items(self, name: str) -> list[object]:
        """Return the items of a list; an empty list if it is absent."""
        value = self.members.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._mistyped(name, "a list")
        return list(cast("list[object]", value))

    def texts(self, name: str) -> list[str]:
        """Return the items of a list of strings; an empty list if it is absent."""
        items = self.items(name)
        strings = [item for item in items if isinstance(item, str)]
        if len(strings) < len(items):
            raise self._mistyped(name, "a list of strings")
        return strings

    def structures(self, name: str) -> list[Fields]:
        """Return the items of a list of objects; an empty list if it is absent."""
        found: list[Fields] = []
        for index, item in enumerate(self.items(name)):
            if not isinstance(item, Mapping):
                raise self._mistyped(name, "a list of objects")
            found.append(Fields(cast("JsonObject", item), f"{self.at(name)}[{index}]"))
        return found

    def text_map(self, name: str) -> dict[str, str]:
        """Return an object whose members are all strings; an empty object if it is absent."""
        found = self.optional_structure(name)
        return {} if found is None else {key: found.text(key) for key in found.members}

    def _mistyped(self, name: str, expected: str) -> RefusedError:
        return refuse(serialization(f"{self.at(name)} must be {expected}."))
