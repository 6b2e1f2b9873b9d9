"""Encode requests as AWS's JSON, which is also what boto3 takes as keyword arguments."""

from collections.abc import Callable, Mapping
from typing import TypeAlias, cast

import cattrs

from aiorekostream.codec.spelling import SPELLING
from aiorekostream.domain.enums import Label
from aiorekostream.domain.names import Arn
from aiorekostream.domain.requests import KEEP, RESET, LabelDetectionUpdate
from aiorekostream.domain.tags import Tags
from aiorekostream.errors import InvalidRequestError, ValidationIssue
from aiorekostream.operations import OPERATIONS

__all__ = ["encode", "processor_in", "to_boto3"]

_Json: TypeAlias = dict[str, object]

# The names in ParametersToDelete of UpdateStreamProcessor.
# https://docs.aws.amazon.com/rekognition/latest/APIReference/API_UpdateStreamProcessor.html
_PARAMETERS_TO_DELETE = {"min_confidence": "ConnectedHomeMinConfidence", "regions_of_interest": "RegionsOfInterest"}

_REQUESTS = tuple(cls for operation in OPERATIONS.values() for cls in operation.requests)

_converter = cattrs.Converter()


def encode(request: object) -> dict[str, object]:
    """Encode a request as AWS's JSON, without fields that are ``None`` or empty."""
    return cast("_Json", _converter.unstructure(request))


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


def _is_omitted(value: object) -> bool:
    return value is None or (not value and isinstance(value, str | tuple | Tags))


def _by_table(cls: type) -> Callable[[object], _Json]:
    table = tuple(SPELLING[cls].items())

    def unstructure(value: object) -> _Json:
        encoded: _Json = {}
        for name, path in table:
            part: object = getattr(value, name)
            if not _is_omitted(part):
                _put(encoded, path, _converter.unstructure(part))
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
            _put(encoded, path, _converter.unstructure(part))
    return {**encoded, "ParametersToDelete": deleted} if deleted else encoded


def _sequence(value: tuple[object, ...]) -> list[object]:
    return [_converter.unstructure(item) for item in value]


def _mapping(value: Mapping[str, str]) -> dict[str, str]:
    return dict(value)


for _cls in SPELLING:
    _converter.register_unstructure_hook(_cls, _by_table(_cls))
_converter.register_unstructure_hook(LabelDetectionUpdate, _update)
_converter.register_unstructure_hook(Tags, _mapping)
_converter.register_unstructure_hook(tuple, _sequence)
_converter.register_unstructure_hook(Arn, str)
_converter.register_unstructure_hook(Label, str)
