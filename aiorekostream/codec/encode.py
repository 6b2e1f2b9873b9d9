"""Encode requests as AWS's JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, cast

import cattrs

from aiorekostream.codec.spelling import SPELLING
from aiorekostream.domain.enums import Label
from aiorekostream.domain.names import Arn
from aiorekostream.domain.requests import KEEP, RESET, LabelDetectionUpdate
from aiorekostream.domain.tags import Tags

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["encode"]

_Json: TypeAlias = dict[str, object]

# The names in ParametersToDelete of UpdateStreamProcessor.
# https://docs.aws.amazon.com/rekognition/latest/APIReference/API_UpdateStreamProcessor.html
_PARAMETERS_TO_DELETE = {"min_confidence": "ConnectedHomeMinConfidence", "regions_of_interest": "RegionsOfInterest"}

_converter = cattrs.Converter()


def encode(request: object) -> dict[str, object]:
    """Encode a request as AWS's JSON, without fields that are ``None`` or empty."""
    return cast("_Json", _converter.unstructure(request))


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
