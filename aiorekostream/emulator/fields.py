"""Reading the members of a request: each reader gives a value of the right type or refuses with its path.

Members are spelt here and in the operations as AWS spells them, and nowhere are they taken from the package's codec: a
misspelling of one side cannot be hidden by the other. A null member counts as absent, as it does at AWS.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import attrs

from aiorekostream.emulator.answers import JsonObject, invalid, refuse, serialization

if TYPE_CHECKING:
    from aiorekostream.emulator.answers import RefusedError

__all__ = ["Fields"]


@attrs.frozen
class Fields:
    """A JSON object of a request, with the way to it.

    Attributes:
        members: the object.
        path: names from the top of the request, such as ``Settings.FaceSearch``; empty at the top.
    """

    members: JsonObject
    path: str = ""

    def at(self, name: str) -> str:
        """The way to a member."""
        return f"{self.path}.{name}" if self.path else name

    def has(self, name: str) -> bool:
        """Whether the member is there."""
        return self.members.get(name) is not None

    def missing(self, name: str) -> RefusedError:
        """The refusal of a request that lacks a member."""
        return refuse(invalid(f"{self.at(name)} is required."))

    def wrong(self, name: str, allowed: str) -> RefusedError:
        """The refusal of a member with a wrong value."""
        return refuse(invalid(f"{self.at(name)} must be {allowed}."))

    def forbidden(self, name: str, reason: str) -> None:
        """ErrorResponse the request if the member is there."""
        if self.has(name):
            raise refuse(invalid(f"{self.at(name)} must not be given: {reason}."))

    def optional_text(self, name: str) -> str | None:
        """Text, or None where it is absent."""
        value = self.members.get(name)
        if value is None or isinstance(value, str):
            return value
        raise self._mistyped(name, "a string")

    def text(self, name: str) -> str:
        """Text that must be there."""
        value = self.optional_text(name)
        if value is None:
            raise self.missing(name)
        return value

    def optional_structure(self, name: str) -> Fields | None:
        """An object, or None where it is absent."""
        value = self.members.get(name)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise self._mistyped(name, "an object")
        return Fields(cast("JsonObject", value), self.at(name))

    def structure(self, name: str) -> Fields:
        """An object that must be there."""
        value = self.optional_structure(name)
        if value is None:
            raise self.missing(name)
        return value

    def optional_whole(self, name: str) -> int | None:
        """A whole number, or None where it is absent."""
        value = self.members.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._mistyped(name, "a whole number")
        return value

    def optional_number(self, name: str) -> float | None:
        """A finite number, or None where it is absent."""
        value = self.members.get(name)
        if value is None:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            raise self._mistyped(name, "a number")
        return value

    def flag(self, name: str) -> bool:
        """True or false, which must be there."""
        value = self.members.get(name)
        if value is None:
            raise self.missing(name)
        if not isinstance(value, bool):
            raise self._mistyped(name, "true or false")
        return value

    def items(self, name: str) -> list[object]:
        """The items of a list; none where it is absent."""
        value = self.members.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._mistyped(name, "a list")
        return list(cast("list[object]", value))

    def texts(self, name: str) -> list[str]:
        """The items of a list of text; none where it is absent."""
        items = self.items(name)
        good = [item for item in items if isinstance(item, str)]
        if len(good) < len(items):
            raise self._mistyped(name, "a list of strings")
        return good

    def structures(self, name: str) -> list[Fields]:
        """The items of a list of objects; none where it is absent."""
        found: list[Fields] = []
        for index, item in enumerate(self.items(name)):
            if not isinstance(item, Mapping):
                raise self._mistyped(name, "a list of objects")
            found.append(Fields(cast("JsonObject", item), f"{self.at(name)}[{index}]"))
        return found

    def text_map(self, name: str) -> dict[str, str]:
        """An object whose members are all text; empty where it is absent."""
        found = self.optional_structure(name)
        return {} if found is None else {key: found.text(key) for key in found.members}

    def _mistyped(self, name: str, wanted: str) -> RefusedError:
        return refuse(serialization(f"{self.at(name)} must be {wanted}."))
