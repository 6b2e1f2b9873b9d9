"""Convert the requests and responses of calls to AWS's JSON and back, by the table of spellings.

In a response, members and enum values that are unknown here are accepted; malformed ones are reported by path.
"""

import datetime
import functools
import types
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar, cast

import cattrs
from cattrs.gen import make_dict_structure_fn

from aiorekostream.codec.lenient import (
    Hook,
    hook,
    is_tuple,
    issues_of,
    member_at,
    members_of,
    number,
    text,
    tuple_hook,
    unreadable,
)
from aiorekostream.codec.spelling import SPELLING
from aiorekostream.domain.enums import Label, OpenEnum
from aiorekostream.domain.geometry import BoundingBox, Point, Polygon, RegionOfInterest
from aiorekostream.domain.names import Arn
from aiorekostream.domain.processors import S3Destination
from aiorekostream.domain.requests import KEEP, RESET, LabelDetectionUpdate
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
from aiorekostream.domain.status import Status
from aiorekostream.domain.tags import Tags
from aiorekostream.errors import InvalidRequestError, MalformedResponseError, ValidationIssue
from aiorekostream.operations import OPERATIONS

__all__ = ["decode", "encode", "processor_in", "to_boto3"]

_T = TypeVar("_T")
_Json: TypeAlias = dict[str, object]

# The names in ParametersToDelete of UpdateStreamProcessor.
# https://docs.aws.amazon.com/rekognition/latest/APIReference/API_UpdateStreamProcessor.html
_PARAMETERS_TO_DELETE = {"min_confidence": "ConnectedHomeMinConfidence", "regions_of_interest": "RegionsOfInterest"}

_REQUESTS = tuple(cls for operation in OPERATIONS.values() for cls in operation.requests)

_encoder = cattrs.Converter()

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


# ------------------------------------------------------------------------------------------------------------- requests


def encode(request: object) -> dict[str, object]:
    """Encode a request as AWS's JSON, without fields that are ``None`` or empty."""
    return cast("_Json", _encoder.unstructure(request))


def to_boto3(value: object) -> dict[str, object]:
    """Convert a request to the keyword arguments of the boto3 method of its operation.

    It is the inverse of ``parse_start`` and ``parse_processor``. A start becomes the arguments of
    ``start_stream_processor``, a processor those of ``create_stream_processor``, an update those of
    ``update_stream_processor``, and so on. Fields that are ``None`` or empty are left out.
    See https://docs.aws.amazon.com/boto3/latest/reference/services/rekognition.html.

    Args:
        value: a request of any operation, such as a ``LabelDetectionStart`` or a ``FaceSearchProcessor``.

    Returns:
        A new dictionary, which shares nothing with the value.

    Raises:
        InvalidRequestError: the value is not a request.
    """
    if not issubclass(type(value), _REQUESTS):
        names = ", ".join(cls.__name__ for cls in _REQUESTS)
        raise InvalidRequestError([ValidationIssue(("value",), value, f"a request, one of {names}")])
    return encode(value)


def processor_in(request: Mapping[str, object]) -> str | None:
    """Return the name of the processor that an encoded request is about; ``None`` if it is about none."""
    name = request.get("Name", request.get("ResourceArn"))
    return name.rpartition("/")[2] if isinstance(name, str) else None


def _put(target: _Json, path: tuple[str, ...], value: object) -> None:
    for step in path[:-1]:
        target = cast("_Json", target.setdefault(step, {}))
    target[path[-1]] = value


def _unstructure_by_table(cls: type) -> Callable[[object], _Json]:
    table = tuple(SPELLING[cls].items())

    def unstructure(value: object) -> _Json:
        encoded: _Json = {}
        for name, path in table:
            part: object = getattr(value, name)
            if part or not (part is None or isinstance(part, str | tuple | Tags)):
                _put(encoded, path, _encoder.unstructure(part))
        return encoded

    return unstructure


def _update(value: LabelDetectionUpdate) -> _Json:
    encoded: _Json = {}
    deleted: list[str] = []
    for name, path in SPELLING[LabelDetectionUpdate].items():
        part: object = getattr(value, name)
        if part is RESET:
            deleted.append(_PARAMETERS_TO_DELETE[name])
        elif part is not KEEP:
            _put(encoded, path, _encoder.unstructure(part))
    return {**encoded, "ParametersToDelete": deleted} if deleted else encoded


def _sequence(value: tuple[object, ...]) -> list[object]:
    return [_encoder.unstructure(item) for item in value]


def _mapping(value: Mapping[str, str]) -> dict[str, str]:
    return dict(value)


_encoder.register_unstructure_hook_factory(SPELLING.__contains__, _unstructure_by_table)
_encoder.register_unstructure_hook(LabelDetectionUpdate, _update)
_encoder.register_unstructure_hook(Tags, _mapping)
_encoder.register_unstructure_hook(tuple, _sequence)
_encoder.register_unstructure_hook(Arn, str)
_encoder.register_unstructure_hook(Label, str)


# ------------------------------------------------------------------------------------------------------------ responses


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
        return _decoder(detailed=False).structure(body, to)
    except Exception:  # noqa: BLE001 - decode again with the slower converter that collects every issue
        return _decode_with_issues(body, to, operation=operation, request_id=request_id)


def _decode_with_issues(body: Mapping[str, object], to: type[_T], *, operation: str, request_id: str | None) -> _T:
    try:
        return _decoder(detailed=True).structure(body, to)
    except Exception as error:
        issues = tuple(issues_of(error, SPELLING))
        retry_safe = operation in OPERATIONS and OPERATIONS[operation].idempotent
        raise MalformedResponseError(
            issues, operation=operation, request_id=request_id, retry_safe=retry_safe
        ) from error


def _flag(value: object, _: object) -> bool:
    if not isinstance(value, bool):
        raise unreadable(value, "true or false")
    return value


def _timestamp(value: object, _: object) -> datetime.datetime:
    expected = "seconds since 1970 in UTC"
    if isinstance(value, bool) or not isinstance(value, int | float | datetime.datetime):
        raise unreadable(value, expected)
    try:
        if isinstance(value, datetime.datetime):
            return _EPOCH + (value - _EPOCH)
        return _EPOCH + datetime.timedelta(seconds=value)
    except (OverflowError, TypeError, ValueError) as error:
        raise unreadable(value, expected) from error


def _enum_value(value: object, cls: type[OpenEnum]) -> OpenEnum:
    return cls(text(value))


def _tags(value: object, _: object) -> Tags:
    return Tags(cast("Mapping[str, str]", members_of(value)))


@functools.cache
def _decoder(*, detailed: bool) -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=detailed)
    converter.register_structure_hook(str, hook(text))
    converter.register_structure_hook(float, hook(number))
    converter.register_structure_hook(bool, _flag)
    converter.register_structure_hook(datetime.datetime, _timestamp)
    converter.register_structure_hook(Tags, _tags)
    converter.register_structure_hook(RegionOfInterest | UnknownRegion, _region(converter))
    converter.register_structure_hook(Settings | None, _settings(converter))
    converter.register_structure_hook_factory(is_tuple, functools.partial(tuple_hook, converter))
    for enum in (Label, Status):
        converter.register_structure_hook(enum, _enum_value)
    # The function of a class is generated when it is first decoded: all take 10 ms, and most programs need a few.
    converter.register_structure_hook_factory(_DECODED.__contains__, functools.partial(_structure_by_table, converter))
    return converter


def _structure_by_table(converter: cattrs.Converter, cls: type) -> Hook:
    table = tuple(SPELLING[cls].items())
    structure = make_dict_structure_fn(cast("type[Any]", cls), converter)

    def structure_value(value: object, _: object) -> object:
        members = members_of(value)
        flat = {name: part for name, path in table if (part := member_at(members, path)) is not None}
        if cls is ConnectedHomeSettings:
            flat.setdefault("labels", [])
        return structure(flat, cls)

    return structure_value


def _settings(converter: cattrs.Converter) -> Callable[[object, object], Settings | None]:
    def structure_value(value: object, _: object) -> Settings | None:
        members = members_of(value)
        if members.get("FaceSearch") is not None:
            return converter.structure(members, FaceSearchSettings)
        if members.get("ConnectedHome") is not None:
            return converter.structure(members, ConnectedHomeSettings)
        # The settings of a kind that this version does not know cannot be decoded.
        return None

    return structure_value


def _region(converter: cattrs.Converter) -> Callable[[object, object], RegionOfInterest | UnknownRegion]:
    def structure_value(value: object, _: object) -> RegionOfInterest | UnknownRegion:
        members = members_of(value)
        box, polygon = members.get("BoundingBox"), members.get("Polygon")
        # AWS's model makes every member optional, also those of boxes and points.
        if (
            box is not None
            and not polygon
            and _has_all(members_of(box, "BoundingBox"), ("Left", "Top", "Width", "Height"))
        ):
            return converter.structure(members, BoundingBox)
        if box is None and polygon is not None and all(_has_all(point, ("X", "Y")) for point in _items(polygon)):
            return converter.structure(members, Polygon)
        return UnknownRegion(members)

    return structure_value


def _has_all(value: object, names: tuple[str, ...]) -> bool:
    """Return whether an object has all of these members; true for a value of another type, which is malformed."""
    if not isinstance(value, Mapping):
        return True
    members = cast("Mapping[str, object]", value)
    return all(members.get(name) is not None for name in names)


def _items(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []
