"""Make requests at and beyond the bounds of every member of every operation."""

from __future__ import annotations

import copy
import functools
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from aiorekostream.emulator.world.accounts import Account
from aiorekostream.emulator.world.crud import token_after
from tests.codec.json_paths import dotted
from tests.codec.service_model import MODEL
from tests.emulator.samples import HERE, faces, labels, session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Json: TypeAlias = Any

_ARN = f"arn:aws:rekognition:us-east-1:{HERE.account}:streamprocessor/door"
_BOX = {"BoundingBox": {"Left": 0.0, "Top": 0.0, "Width": 1.0, "Height": 1.0}}
_TOKEN = token_after(Account(HERE.account, HERE.region), "door")
_POLYGON = {"Polygon": [{"X": 0.1, "Y": 0.1}, {"X": 0.9, "Y": 0.1}, {"X": 0.5, "Y": 0.9}]}

BASES: Mapping[str, tuple[str, Json]] = {
    "create a label detection": (
        "CreateStreamProcessor",
        labels(
            "new",
            KmsKeyId="alias/doors",
            Settings={"ConnectedHome": {"Labels": ["PERSON"], "MinConfidence": 60.0}},
            RegionsOfInterest=[_BOX, _POLYGON],
            DataSharingPreference={"OptIn": True},
            Tags={"team": "doors"},
        ),
    ),
    "create a face search": ("CreateStreamProcessor", faces("new")),
    "start at a timestamp": ("StartStreamProcessor", session("door")),
    "start at a fragment": (
        "StartStreamProcessor",
        {**session("door"), "StartSelector": {"KVSStreamStartSelector": {"FragmentNumber": "1234"}}},
    ),
    "start a face search": ("StartStreamProcessor", {"Name": "lobby"}),
    "stop": ("StopStreamProcessor", {"Name": "door"}),
    "describe": ("DescribeStreamProcessor", {"Name": "door"}),
    "delete": ("DeleteStreamProcessor", {"Name": "door"}),
    "list": ("ListStreamProcessors", {"MaxResults": 10, "NextToken": _TOKEN}),
    "update": (
        "UpdateStreamProcessor",
        {
            "Name": "door",
            "SettingsForUpdate": {"ConnectedHomeForUpdate": {"Labels": ["PET"], "MinConfidence": 60.0}},
            "RegionsOfInterestForUpdate": [_BOX, _POLYGON],
            "DataSharingPreferenceForUpdate": {"OptIn": False},
        },
    ),
    "update to the defaults": (
        "UpdateStreamProcessor",
        {"Name": "door", "ParametersToDelete": ["ConnectedHomeMinConfidence", "RegionsOfInterest"]},
    ),
    "tag": ("TagResource", {"ResourceArn": _ARN, "Tags": {"team": "doors"}}),
    "untag": ("UntagResource", {"ResourceArn": _ARN, "TagKeys": ["team"]}),
    "list tags": ("ListTagsForResource", {"ResourceArn": _ARN}),
}
"""Valid requests of every operation, with every member in one of them."""


@attrs.frozen
class Variant:
    """A base request with one changed member.

    Attributes:
        base: the key of the base.
        path: the changed member, such as ``Settings.FaceSearch.CollectionId``.
        change: what was done to it.
        operation: AWS's name.
        request: the changed request.
    """

    base: str
    path: str
    change: str
    operation: str
    request: Json

    def __str__(self) -> str:
        return f"{self.base}: {self.path or 'the request'} {self.change}"


def variants() -> list[Variant]:
    """Return every base, and every base with one member at or beyond one of its bounds, each once."""
    return [*{str(variant): variant for variant in _variants()}.values()]


def _variants() -> Iterator[Variant]:
    """Yield every base, and every base with one member at or beyond one of its bounds."""
    for base, (operation, request) in BASES.items():
        yield Variant(base, "", "as it is", operation, copy.deepcopy(request))
        shape = MODEL.operation_model(operation).input_shape
        for path, rule, value in _members(shape, request, ()):
            for change, changed in _changes(rule, value):
                if changed is ... or changed != value:
                    yield Variant(base, dotted(path), change, operation, _with(request, path, changed))
        yield Variant(base, "Surprise", "added", operation, {**copy.deepcopy(request), "Surprise": 1})


_Path: TypeAlias = tuple[str | int, ...]


def _members(rule: Json, value: Json, path: _Path) -> Iterator[tuple[_Path, Json, Json]]:
    if path:
        yield path, rule, value
    match rule.type_name:
        case "structure":
            for name, inner in rule.members.items():
                if name in value:
                    yield from _members(inner, value[name], (*path, name))
        case "list":
            yield from _members(rule.member, value[0], (*path, 0))
            if len(value) > 1 and isinstance(value[0], dict):
                yield from _members(rule.member, value[1], (*path, 1))
        case "map":
            (key,) = value
            yield from _members(rule.value, value[key], (*path, key))
        case _:
            pass


def _changes(rule: Json, value: Json) -> Iterator[tuple[str, Json]]:
    """Yield what a member can be changed to; ``...`` removes it."""
    yield "left out", ...
    match rule.type_name:
        case "string":
            yield from _texts(rule, value)
        case "integer" | "long" | "float":
            yield from _numbers(rule)
        case "boolean":
            yield "text", "true"
        case "list":
            yield "an object", {}
            for size in _sizes(rule, least=0):
                yield f"of {size} items", _items(value, size)
        case "map":
            yield "a list", []
            for size in _sizes(rule, least=0):
                yield f"of {size} entries", {f"key-{number}": "value" for number in range(size)}
            yield "with a key of 129 characters", {"k" * 129: "value"}
            yield "with a key of AWS", {"aws:key": "value"}
        case _:
            yield "a list", []
            yield "empty", {}
            yield "with a surprise", {**value, "Surprise": 1}


def _texts(rule: Json, value: str) -> Iterator[tuple[str, Json]]:
    yield "a number", 5
    for size in _sizes(rule):
        yield f"of {size} characters", _stretched(value, size)
    yield "with a space and a quote", f"{value} '"
    if rule.enum:
        yield "unknown", "UNKNOWN"


def _numbers(rule: Json) -> Iterator[tuple[str, Json]]:
    yield "text", "5"
    yield "true", True
    least, most, is_whole = rule.metadata.get("min"), rule.metadata.get("max"), rule.type_name != "float"
    step = 1 if is_whole else 0.5
    if is_whole:
        yield "a fraction", 1.5
    if least is not None:
        yield from ((f"{number:g}", number) for number in (least - step, least))
    if most is not None:
        yield from ((f"{number:g}", number) for number in (most, most + step))
    elif is_whole:
        yield "2147483647", 2**31 - 1
    else:
        yield from (("-0.1", -0.1), ("0", 0.0), ("1.1", 1.1))


def _sizes(rule: Json, *, least: int | None = None) -> list[int]:
    """Return the sizes at and beyond the bounds of a member; ``least`` is its minimum if the model has none."""
    least, most = rule.metadata.get("min", least), rule.metadata.get("max")
    sizes = [] if least is None else [least - 1, least]
    sizes += [] if most is None else [most, most + 1]
    return [size for size in sizes if size >= 0]


def _stretched(text: str, size: int) -> str:
    filler = "1" if text.isdecimal() else "a"
    return text[:size] if size <= len(text) else text + filler * (size - len(text))


def _items(items: list[Json], size: int) -> list[Json]:
    """Return that many items; strings differ, because some lists must not have one twice."""
    if items and isinstance(items[0], str):
        return [*items, *(f"key-{number}" for number in range(size))][:size]
    return (items * (size + 1))[:size]


def _with(request: Json, path: _Path, value: Json) -> Json:
    changed = copy.deepcopy(request)
    inner = functools.reduce(lambda found, step: found[step], path[:-1], changed)
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = copy.deepcopy(value)
    return changed
