"""From AWS's JSON to values: tolerant of what is new, exact about what cannot be read."""

from __future__ import annotations

import datetime
import functools
import math
from collections.abc import Callable, Iterator, Mapping
from types import NoneType
from typing import Any, TypeVar, cast

import attrs
import cattrs
from cattrs.errors import ClassValidationError, IterableValidationError
from cattrs.gen import make_dict_structure_fn

from aiorekostream.codec.spelling import SPELLING
from aiorekostream.domain.geometry import BoundingBox, Point, Polygon, RegionOfInterest
from aiorekostream.domain.processors import S3Destination
from aiorekostream.domain.replies import (
    ConnectedHomeSettings,
    CreatedStreamProcessor,
    FaceSearchSettings,
    ResourceTags,
    Settings,
    StartedSession,
    StreamProcessor,
    StreamProcessorPage,
    StreamProcessorSummary,
)
from aiorekostream.domain.rules import ABSENT
from aiorekostream.domain.status import Status
from aiorekostream.domain.tags import Tags
from aiorekostream.domain.words import Label, OpenWord
from aiorekostream.errors import Fault, InvalidRequestError, MalformedReplyError

__all__ = ["decode"]

_T = TypeVar("_T")
# The annotations of these are read at run time, so their modules do without the future's annotations.
_READ = (
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


def decode(body: Mapping[str, object], to: type[_T], *, operation: str, request_id: str | None = None) -> _T:
    """Read a reply.

    Args:
        body: the reply's members in AWS's spelling.
        to: the class of the value; ``NoneType`` where the operation answers nothing.
        operation: AWS's name of the operation, for the error.
        request_id: AWS's id of the request, for the error.

    Raises:
        MalformedReplyError: a member is missing or has the wrong type; ``faults`` point at it.
    """
    if to is NoneType:
        return cast("_T", None)
    try:
        return _converter(detailed=False).structure(body, to)
    except Exception:  # noqa: BLE001 - read once more, slowly, to say what is wrong
        return _explained(body, to, operation=operation, request_id=request_id)


def _explained(body: Mapping[str, object], to: type[_T], *, operation: str, request_id: str | None) -> _T:
    try:
        return _converter(detailed=True).structure(body, to)
    except Exception as error:
        faults = tuple(_faults(error))
        raise MalformedReplyError(faults, operation=operation, request_id=request_id) from error


@attrs.define
class _UnreadableError(Exception):
    value: object
    allowed: str


def _text(value: object, _: object) -> str:
    if not isinstance(value, str):
        raise _UnreadableError(value, "text")
    return value


def _number(value: object, _: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _UnreadableError(value, "a finite number")
    return float(value)


def _flag(value: object, _: object) -> bool:
    if not isinstance(value, bool):
        raise _UnreadableError(value, "true or false")
    return value


def _moment(value: object, _: object) -> datetime.datetime:
    if isinstance(value, datetime.datetime) and value.utcoffset() is not None:
        return value.astimezone(datetime.UTC)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _UnreadableError(value, "seconds since 1970 in UTC")
    try:
        return _EPOCH + datetime.timedelta(seconds=value)
    except (OverflowError, ValueError) as error:
        raise _UnreadableError(value, "seconds since 1970 in UTC") from error


def _word(value: object, cls: type[OpenWord]) -> OpenWord:
    return cls(_text(value, cls))


def _tags(value: object, _: object) -> Tags:
    items = _object(value)
    return Tags({_text(key, str): _text(item, str) for key, item in items.items()})


def _object(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise _UnreadableError(value, "an object")
    return cast("Mapping[str, object]", value)


def _found(value: object, path: tuple[str, ...]) -> object:
    for step in path:
        value = _object(value).get(step)
        if value is None:
            return None
    return value


@functools.cache
def _converter(*, detailed: bool) -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=detailed)

    def by_table(cls: type) -> Callable[[object, object], object]:
        table = tuple(SPELLING[cls].items())
        structure = make_dict_structure_fn(cast("type[Any]", cls), converter)

        def read(value: object, _: object) -> object:
            members = _object(value)
            flat = {name: part for name, path in table if (part := _found(members, path)) is not None}
            return structure(flat, cls)

        return read

    def settings(value: object, _: object) -> Settings | None:
        # A kind that this version does not know has no settings that it could read.
        members = _object(value)
        if "FaceSearch" in members:
            return converter.structure(members, FaceSearchSettings)
        return converter.structure(members, ConnectedHomeSettings) if "ConnectedHome" in members else None

    def region(value: object, _: object) -> RegionOfInterest:
        members = _object(value)
        if "BoundingBox" in members:
            return converter.structure(members, BoundingBox)
        if "Polygon" in members:
            return converter.structure(members, Polygon)
        raise _UnreadableError(value, "an object with BoundingBox or Polygon")

    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(bool, _flag)
    converter.register_structure_hook(datetime.datetime, _moment)
    converter.register_structure_hook(Tags, _tags)
    converter.register_structure_hook(RegionOfInterest, region)
    converter.register_structure_hook(Settings | None, settings)
    for word in (Label, Status):
        converter.register_structure_hook(word, _word)
    for cls in _READ:
        converter.register_structure_hook(cls, by_table(cls))
    return converter


def _faults(error: BaseException) -> Iterator[Fault]:
    match error:
        case ClassValidationError():
            members, others = error.group_exceptions()
            paths = SPELLING.get(error.cl, {})
            for inner, note in members:
                yield from (fault.under(*paths.get(note.name, (note.name,))) for fault in _faults(inner))
            yield from (fault for inner in others for fault in _faults(inner))
        case IterableValidationError():
            items, others = error.group_exceptions()
            for inner, position in items:
                yield from (fault.under(position.index) for fault in _faults(inner))
            yield from (fault for inner in others for fault in _faults(inner))
        case InvalidRequestError():
            yield from error.faults
        case _UnreadableError():
            yield Fault((), error.value, error.allowed)
        case KeyError():
            yield Fault((), ABSENT, "there")
        case _:
            yield Fault((), str(error), "readable")
