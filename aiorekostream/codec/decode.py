"""Decode responses: members and enum values that are unknown here are accepted, malformed ones are reported by path."""

import datetime
import functools
import math
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias, TypeVar, cast, get_args, get_origin

import attrs
import cattrs
from cattrs.errors import ClassValidationError, IterableValidationError
from cattrs.gen import make_dict_structure_fn

from aiorekostream.codec.spelling import SPELLING
from aiorekostream.domain.enums import Label, OpenEnum
from aiorekostream.domain.geometry import BoundingBox, Point, Polygon, RegionOfInterest
from aiorekostream.domain.processors import S3Destination
from aiorekostream.domain.responses import (
    ConnectedHomeSettings,
    CreatedStreamProcessor,
    FaceSearchSettings,
    ResourceTags,
    Settings,
    StartedSession,
    StreamProcessor,
    StreamProcessorPage,
    StreamProcessorSummary,
    UnknownRegion,
)
from aiorekostream.domain.rules import ABSENT
from aiorekostream.domain.status import Status
from aiorekostream.domain.tags import Tags
from aiorekostream.errors import InvalidRequestError, MalformedResponseError, ValidationIssue
from aiorekostream.operations import OPERATIONS

__all__ = ["decode"]

_T = TypeVar("_T")
# cattrs reads the annotations of these classes at run time, so their modules do not import annotations from __future__.
_DECODED = (
    BoundingBox,
    ConnectedHomeSettings,
    CreatedStreamProcessor,
    FaceSearchSettings,
    Point,
    Polygon,
    ResourceTags,
    S3Destination,
    StartedSession,
    StreamProcessor,
    StreamProcessorPage,
    StreamProcessorSummary,
)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def decode(
    body: Mapping[str, object],
    to: type[_T],
    *,
    operation: str,
    request_id: str | None = None,
) -> _T:
    """Decode a response.

    Args:
        body: the response's members in AWS's spelling.
        to: the class of the value; ``NoneType`` for an operation whose response has no members.
        operation: AWS's name of the operation, for the error.
        request_id: AWS's id of the request, for the error; ``None`` where the response has none.

    Raises:
        MalformedResponseError: members are missing or have the wrong type; ``issues`` has the path of each.
    """
    if to is types.NoneType:
        return cast("_T", None)
    try:
        return _converter(detailed=False).structure(body, to)
    except Exception:  # noqa: BLE001 - decode again with the slower converter that collects every issue
        return _decode_with_issues(body, to, operation=operation, request_id=request_id)


def _decode_with_issues(body: Mapping[str, object], to: type[_T], *, operation: str, request_id: str | None) -> _T:
    try:
        return _converter(detailed=True).structure(body, to)
    except Exception as error:
        issues = tuple(_issues(error))
        retry_safe = operation in OPERATIONS and OPERATIONS[operation].idempotent
        raise MalformedResponseError(
            issues, operation=operation, request_id=request_id, retry_safe=retry_safe
        ) from error


@attrs.define
class _MalformedError(Exception):
    issues: tuple[ValidationIssue, ...]


def _malformed(value: object, expected: str, *path: str) -> _MalformedError:
    return _MalformedError((ValidationIssue(path, value, expected),))


def _text(value: object, _: object) -> str:
    if not isinstance(value, str):
        raise _malformed(value, "text")
    return value


def _number(value: object, _: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _malformed(value, "a finite number")
    try:
        number = float(value)
    except OverflowError as error:
        raise _malformed(value, "a finite number") from error
    if not math.isfinite(number):
        raise _malformed(value, "a finite number")
    return number


def _flag(value: object, _: object) -> bool:
    if not isinstance(value, bool):
        raise _malformed(value, "true or false")
    return value


def _timestamp(value: object, _: object) -> datetime.datetime:
    expected = "seconds since 1970 in UTC"
    if isinstance(value, bool) or not isinstance(value, int | float | datetime.datetime):
        raise _malformed(value, expected)
    try:
        if isinstance(value, datetime.datetime):
            return _EPOCH + (value - _EPOCH)
        return _EPOCH + datetime.timedelta(seconds=value)
    except (OverflowError, TypeError, ValueError) as error:
        raise _malformed(value, expected) from error


def _enum_value(value: object, cls: type[OpenEnum]) -> OpenEnum:
    return cls(_text(value, cls))


def _tags(value: object, _: object) -> Tags:
    return Tags(cast("Mapping[str, str]", _object(value)))


def _object(value: object, *path: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise _malformed(value, "an object", *path)
    return cast("Mapping[str, object]", value)


def _member_at(value: object, path: tuple[str, ...]) -> object:
    for depth, step in enumerate(path):
        value = _object(value, *path[:depth]).get(step)
        if value is None:
            return None
    return value


_Hook: TypeAlias = "Callable[[object, object], object]"


@functools.cache
def _converter(*, detailed: bool) -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=detailed)
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(bool, _flag)
    converter.register_structure_hook(datetime.datetime, _timestamp)
    converter.register_structure_hook(Tags, _tags)
    converter.register_structure_hook(RegionOfInterest | UnknownRegion, _region(converter))
    converter.register_structure_hook(Settings | None, _settings(converter))
    converter.register_structure_hook_factory(_is_tuple, functools.partial(_tuple_from_list, converter))
    for enum in (Label, Status):
        converter.register_structure_hook(enum, _enum_value)
    # The function of a class is generated when it is first decoded: all take 10 ms, and most programs need a few.
    converter.register_structure_hook_factory(_DECODED.__contains__, functools.partial(_by_table, converter))
    return converter


def _by_table(converter: cattrs.Converter, cls: type) -> _Hook:
    table = tuple(SPELLING[cls].items())
    structure = make_dict_structure_fn(cast("type[Any]", cls), converter)

    def structure_value(value: object, _: object) -> object:
        members = _object(value)
        flat = {name: part for name, path in table if (part := _member_at(members, path)) is not None}
        if cls is ConnectedHomeSettings:
            flat.setdefault("labels", [])
        return structure(flat, cls)

    return structure_value


def _settings(converter: cattrs.Converter) -> Callable[[object, object], Settings | None]:
    def structure_value(value: object, _: object) -> Settings | None:
        members = _object(value)
        if members.get("FaceSearch") is not None:
            return converter.structure(members, FaceSearchSettings)
        if members.get("ConnectedHome") is not None:
            return converter.structure(members, ConnectedHomeSettings)
        # The settings of a kind that this version does not know cannot be decoded.
        return None

    return structure_value


def _region(converter: cattrs.Converter) -> Callable[[object, object], RegionOfInterest | UnknownRegion]:
    def structure_value(value: object, _: object) -> RegionOfInterest | UnknownRegion:
        members = _object(value)
        box, polygon = members.get("BoundingBox"), members.get("Polygon")
        # AWS's model makes every member optional, also those of boxes and points.
        if (
            box is not None
            and not polygon
            and _has_all(_object(box, "BoundingBox"), ("Left", "Top", "Width", "Height"))
        ):
            return converter.structure(members, BoundingBox)
        if box is None and polygon is not None and all(_has_all(point, ("X", "Y")) for point in _items(polygon)):
            return converter.structure(members, Polygon)
        return UnknownRegion(members)

    return structure_value


def _has_all(value: object, names: tuple[str, ...]) -> bool:
    """Whether an object has all of these members; true for a value of another type, which is malformed."""
    if not isinstance(value, Mapping):
        return True
    members = cast("Mapping[str, object]", value)
    return all(members.get(name) is not None for name in names)


def _items(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _is_tuple(cls: object) -> bool:
    return get_origin(cls) is tuple


def _tuple_from_list(converter: cattrs.Converter, cls: object) -> _Hook:
    # cattrs would accept any iterable: the characters of a text, the keys of an object.
    items = cast("type[list[object]]", types.GenericAlias(list, get_args(cls)[0]))

    def structure_value(value: object, _: object) -> tuple[object, ...]:
        if type(value) is not list:
            raise _malformed(value, "a list")
        return tuple(converter.structure(value, items))

    return structure_value


def _issues(error: BaseException) -> Iterator[ValidationIssue]:
    match error:
        case ClassValidationError():
            members, others = error.group_exceptions()
            paths = SPELLING.get(error.cl, {})
            for inner, note in members:
                yield from (issue.under(*paths.get(note.name, (note.name,))) for issue in _issues(inner))
            # An issue that a value raises itself has the name of the attribute instead of AWS's path.
            for issue in (issue for inner in others for issue in _issues(inner)):
                first, rest = issue.steps[:1], issue.steps[1:]
                yield attrs.evolve(issue, path=(*paths.get(str(*first), first), *rest))
        case IterableValidationError():
            items, others = error.group_exceptions()
            for inner, position in items:
                yield from (issue.under(position.index) for issue in _issues(inner))
            yield from (issue for inner in others for issue in _issues(inner))
        case InvalidRequestError() | _MalformedError():
            yield from error.issues
        case KeyError():
            yield ValidationIssue((), ABSENT, "present")
        case _:
            yield ValidationIssue((), str(error), "readable")
