"""botocore's service model as a referee: it shares no code with the codec."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, TypeAlias

import botocore.session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Shape: TypeAlias = Any  # botocore ships no types
Json: TypeAlias = Any

MODEL: Shape = botocore.session.get_session().get_service_model("rekognition")

# Patterns of the model that are not the truth, or that Python cannot read: the tests of names and tags stand in.
PATTERNS_PASSED_OVER = {
    "RoleArn": "knows the partition aws only: refuses good roles of GovCloud and China",
    "SNSTopicArn": "knows the partition aws only: refuses good topics of GovCloud and China",
    "TagKey": "speaks of classes of Unicode that Python's re does not know",
    "TagValue": "the same",
}

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "timestamp": (int, float),
}


@functools.cache
def shape(name: str) -> Shape:
    """A shape of the service by its name."""
    return MODEL.shape_for(name)


def complaints(rule: Shape, value: Json, path: str = "") -> Iterator[str]:
    """All that the model has against a value: members, types, ranges, lengths, patterns and words."""
    judges = {"structure": (dict, _structure), "list": (list, _list), "map": (dict, _map)}
    kind, judge = judges.get(rule.type_name, (object, _scalar))
    if isinstance(value, kind):
        yield from judge(rule, value, path)
    else:
        yield f"{path} is no {rule.type_name}: {value!r}"


def _structure(rule: Shape, value: Json, path: str) -> Iterator[str]:
    yield from (f"{path}.{name} is missing" for name in rule.required_members if name not in value)
    for name in value:
        if name in rule.members:
            yield from complaints(rule.members[name], value[name], f"{path}.{name}")
        else:
            yield f"{path}.{name} is no member"


def _list(rule: Shape, value: Json, path: str) -> Iterator[str]:
    yield from _range(rule, len(value), path)
    for i, item in enumerate(value):
        yield from complaints(rule.member, item, f"{path}[{i}]")


def _map(rule: Shape, value: Json, path: str) -> Iterator[str]:
    yield from _range(rule, len(value), path)
    for key in value:
        yield from complaints(rule.key, key, f"{path}.{key}")
        yield from complaints(rule.value, value[key], f"{path}.{key}")


def _scalar(rule: Shape, value: Json, path: str) -> Iterator[str]:
    if type(value) not in _TYPES[rule.type_name]:
        yield f"{path} is no {rule.type_name}: {value!r}"
    elif isinstance(value, str):
        yield from _range(rule, len(value), path)
        pattern = rule.metadata.get("pattern")
        if pattern and rule.name not in PATTERNS_PASSED_OVER and re.fullmatch(pattern, value, re.ASCII) is None:
            yield f"{path} does not match {pattern}: {value!r}"
        if value not in rule.metadata.get("enum", [value]):
            yield f"{path} is none of the words: {value!r}"
    else:
        yield from _range(rule, value, path)


def _range(rule: Shape, size: float, path: str) -> Iterator[str]:
    if not rule.metadata.get("min", size) <= size <= rule.metadata.get("max", size):
        yield f"{path} is out of range: {size}"
