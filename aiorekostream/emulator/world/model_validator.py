"""Validate requests, and the emulator's own responses, against Amazon's model of the API.

Stricter than AWS in one point: a member that the model does not have is refused, so that misspelled members are
detected. AWS ignores them.

A pattern of the model must match the whole string. Some patterns are replaced: those of roles and topics allow only the
``aws`` partition in the model, and those of tags use Unicode classes, which ``re`` does not support.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias, cast

from aiorekostream.emulator.world.answers import RefusedError, invalid, refuse, serialization

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aiorekostream.emulator.model import ServiceModel, Shape
    from aiorekostream.emulator.world.answers import JsonObject, Refusal
    from aiorekostream.limits import Limits

    _Check: TypeAlias = Callable[[object, str, list[str]], None]

__all__ = ["ModelValidator"]


# Characters; a request may have thousands of unknown members.
_MAX_MESSAGE_LENGTH = 2000
_LONG_BOUND = 2**63
_INTEGER_BOUND = 2**31


class ModelValidator:
    """Compile one check per input and output shape of the model, and validate with them.

    Args:
        model: the model.
        operations: the operations to compile.
        limits: the account's limits; they replace the maximums of the model that AWS may raise for an account.
    """

    def __init__(self, model: ServiceModel, operations: Iterable[str], limits: Limits) -> None:
        self._shapes = model["shapes"]
        self._checks: dict[str, _Check] = {}
        self._maximums: Mapping[str, float] = {
            "ConnectedHomeLabels": limits.max_labels,
            "MaxDurationInSecondsULong": limits.max_duration_in_seconds,
            "RegionsOfInterest": limits.max_regions_of_interest,
            "TagKeyList": limits.max_tags,
            "TagMap": limits.max_tags,
        }
        self._check_factories: Mapping[str, Callable[[str, Shape], _Check]] = {
            "boolean": self._boolean,
            "float": self._number,
            "integer": self._whole,
            "list": self._list,
            "long": self._whole,
            "map": self._map,
            "string": self._string,
            "structure": self._structure,
            "timestamp": self._number,
        }
        self._inputs: dict[str, _Check] = {}
        self._outputs: dict[str, _Check] = {}
        for operation in operations:
            references = model["operations"][operation]
            self._inputs[operation] = self._check(references["input"]["shape"])
            self._outputs[operation] = self._check(references["output"]["shape"])

    def request_error(self, operation: str, request: JsonObject) -> Refusal | None:
        """Return the refusal of a request that does not match the model, or None."""
        return _first_error(self._inputs[operation], request)

    def response_error(self, operation: str, response: JsonObject) -> str | None:
        """Return a description of the mismatches of a response with the model, or None."""
        refusal = _first_error(self._outputs[operation], response)
        return None if refusal is None else refusal.message

    def _check(self, name: str) -> _Check:
        if name not in self._checks:
            shape = self._shapes[name]
            self._checks[name] = self._check_factories[shape["type"]](name, shape)
        return self._checks[name]

    def _structure(self, name: str, shape: Shape) -> _Check:
        del name
        required = tuple(shape.get("required", ()))
        members = {member: self._check(reference["shape"]) for member, reference in shape.get("members", {}).items()}

        def check(value: object, path: str, problems: list[str]) -> None:
            found = _object(value, path)
            problems.extend(f"{_join(path, member)} is required." for member in required if found.get(member) is None)
            for member, inner in found.items():
                here = _join(path, member)
                if member not in members:
                    problems.append(f"{here} is not a member that the API has.")
                elif inner is not None:
                    members[member](inner, here, problems)

        return check

    def _list(self, name: str, shape: Shape) -> _Check:
        item, size = self._check(shape["member"]["shape"]), self._size(name, shape, "items")

        def check(value: object, path: str, problems: list[str]) -> None:
            if not isinstance(value, list | tuple):
                raise _mistyped(path, "a list")
            items = cast("list[object]", value)
            size(len(items), path, problems)
            for index, inner in enumerate(items):
                item(inner, f"{path}[{index}]", problems)

        return check

    def _map(self, name: str, shape: Shape) -> _Check:
        key, value_of = self._check(shape["key"]["shape"]), self._check(shape["value"]["shape"])
        size = self._size(name, shape, "entries")

        def check(value: object, path: str, problems: list[str]) -> None:
            entries = _object(value, path)
            size(len(entries), path, problems)
            for name_of, inner in entries.items():
                key(name_of, f"{path}'s key {name_of!r}", problems)
                value_of(inner, _join(path, name_of), problems)

        return check

    def _string(self, name: str, shape: Shape) -> _Check:
        matches = matcher(name, shape["pattern"]) if "pattern" in shape else None
        allowed, size = frozenset(shape.get("enum", ())), self._size(name, shape, "characters")

        def check(value: object, path: str, problems: list[str]) -> None:
            if not isinstance(value, str):
                raise _mistyped(path, "a string")
            size(len(value), path, problems)
            if matches is not None and not matches(value):
                problems.append(f"{path} does not match {shape.get('pattern')}.")
            if allowed and value not in allowed:
                problems.append(f"{path} must be one of {', '.join(sorted(allowed))}.")

        return check

    def _whole(self, name: str, shape: Shape) -> _Check:
        size, bound = self._size(name, shape, ""), _INTEGER_BOUND if shape["type"] == "integer" else _LONG_BOUND

        def check(value: object, path: str, problems: list[str]) -> None:
            if not isinstance(value, int) or isinstance(value, bool) or not -bound <= value < bound:
                raise _mistyped(path, "a whole number")
            size(value, path, problems)

        return check

    def _number(self, name: str, shape: Shape) -> _Check:
        size = self._size(name, shape, "")

        def check(value: object, path: str, problems: list[str]) -> None:
            if not isinstance(value, int | float) or isinstance(value, bool) or not _is_finite(value):
                raise _mistyped(path, "a number")
            size(value, path, problems)

        return check

    def _boolean(self, name: str, shape: Shape) -> _Check:
        del name, shape

        def check(value: object, path: str, problems: list[str]) -> None:
            del problems
            if not isinstance(value, bool):
                raise _mistyped(path, "true or false")

        return check

    def _size(self, name: str, shape: Shape, unit: str) -> Callable[[float, str, list[str]], None]:
        least, most = shape.get("min", -math.inf), self._maximums.get(name, shape.get("max", math.inf))
        of = f" {unit}" if unit else ""

        def check(size: float, path: str, problems: list[str]) -> None:
            if size < least:
                problems.append(f"{path} must be at least {least}{of}.")
            if size > most:
                problems.append(f"{path} must be at most {most}{of}.")

        return check


def _first_error(check: _Check, value: JsonObject) -> Refusal | None:
    problems: list[str] = []
    try:
        check(value, "", problems)
    except RefusedError as error:
        return error.refusal
    return invalid(" ".join(problems)[:_MAX_MESSAGE_LENGTH]) if problems else None


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _object(value: object, path: str) -> JsonObject:
    if not isinstance(value, Mapping):
        raise _mistyped(path or "The request", "an object")
    return cast("JsonObject", value)


def _mistyped(path: str, expected: str) -> RefusedError:
    return refuse(serialization(f"{path} must be {expected}."))


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


_TAG_SIGNS = frozenset("_.:/=+-@")


def _compiled(pattern: str) -> Callable[[str], bool]:
    whole = re.compile(pattern, re.ASCII)
    return lambda text: whole.fullmatch(text) is not None


def _is_tag_text(text: str) -> bool:
    return all(sign in _TAG_SIGNS or unicodedata.category(sign)[0] in "LZN" for sign in text)


def _is_tag_key(text: str) -> bool:
    return _is_tag_text(text) and not text.startswith("aws:")


_BY_HAND: Mapping[str, Callable[[str], bool]] = MappingProxyType(
    {
        "RoleArn": _compiled(r"arn:aws(-[a-z]+)*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"),
        "SNSTopicArn": _compiled(r"arn:aws(-[a-z]+)*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_.\-]+"),
        "TagKey": _is_tag_key,
        "TagValue": _is_tag_text,
    }
)


def matcher(shape: str, pattern: str) -> Callable[[str], bool]:
    """Return a predicate that matches strings of a shape of the model."""
    return _BY_HAND.get(shape) or _compiled(pattern)
