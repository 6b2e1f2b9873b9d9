"""Validate JSON against botocore's service model; independent of the codec."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, TypeAlias

import botocore.session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Shape: TypeAlias = Any  # botocore has no type annotations
Json: TypeAlias = Any

MODEL: Shape = botocore.session.get_session().get_service_model("rekognition")

# Patterns of the model that are wrong or that Python cannot compile. The tests of names and tags cover these values.
IGNORED_PATTERNS = {
    "RoleArn": "accepts the partition aws only, and refuses valid roles of GovCloud and China",
    "SNSTopicArn": "accepts the partition aws only, and refuses valid topics of GovCloud and China",
    "TagKey": "uses Unicode classes that Python's re does not support",
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
    """Return a shape of the service by its name."""
    return MODEL.shape_for(name)


def violations(rule: Shape, value: Json, path: str = "") -> Iterator[str]:
    """Yield every violation of the model: members, types, ranges, lengths, patterns and enum values."""
    validators = {"structure": (dict, _structure), "list": (list, _list), "map": (dict, _map)}
    kind, validate = validators.get(rule.type_name, (object, _scalar))
    if isinstance(value, kind):
        yield from validate(rule, value, path)
    else:
        yield f"{path} is not a {rule.type_name}: {value!r}"


def _structure(rule: Shape, value: Json, path: str) -> Iterator[str]:
    yield from (f"{path}.{name} is missing" for name in rule.required_members if name not in value)
    for name in value:
        if name in rule.members:
            yield from violations(rule.members[name], value[name], f"{path}.{name}")
        else:
            yield f"{path}.{name} is not a member"


def _list(rule: Shape, value: Json, path: str) -> Iterator[str]:
    yield from _range(rule, len(value), path)
    for i, item in enumerate(value):
        yield from violations(rule.member, item, f"{path}[{i}]")


def _map(rule: Shape, value: Json, path: str) -> Iterator[str]:
    yield from _range(rule, len(value), path)
    for key in value:
        yield from violations(rule.key, key, f"{path}.{key}")
        yield from violations(rule.value, value[key], f"{path}.{key}")


def _scalar(rule: Shape, value: Json, path: str) -> Iterator[str]:
    if type(value) not in _TYPES[rule.type_name]:
        yield f"{path} is not a {rule.type_name}: {value!r}"
    elif isinstance(value, str):
        yield from _range(rule, len(value), path)
        pattern = rule.metadata.get("pattern")
        if pattern and rule.name not in IGNORED_PATTERNS and re.fullmatch(pattern, value, re.ASCII) is None:
            yield f"{path} does not match {pattern}: {value!r}"
        if value not in rule.metadata.get("enum", [value]):
            yield f"{path} is not a value of the enum: {value!r}"
    else:
        yield from _range(rule, value, path)


def _range(rule: Shape, size: float, path: str) -> Iterator[str]:
    if not rule.metadata.get("min", size) <= size <= rule.metadata.get("max", size):
        yield f"{path} is out of range: {size}"
