"""Amazon's own model of the API, as botocore carries it. Only botocore's data is read here, none of its code is run."""

from __future__ import annotations

import functools
import gzip
import importlib.resources
import json
from typing import TYPE_CHECKING, Required, TypedDict, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Model", "Operation", "Reference", "Shape", "load_model"]


class Reference(TypedDict):
    """A member of a shape, which names the shape that it has."""

    shape: str


class Shape(TypedDict, total=False):
    """One shape of the model. Only lists have a ``member``, and only maps a ``key`` and a ``value``."""

    type: Required[str]
    required: list[str]
    members: dict[str, Reference]
    member: Required[Reference]
    key: Required[Reference]
    value: Required[Reference]
    min: float
    max: float
    pattern: str
    enum: list[str]


class Operation(TypedDict):
    """One operation of the model."""

    input: Reference
    output: Reference


class Model(TypedDict):
    """The model, as far as it is of interest here."""

    operations: Mapping[str, Operation]
    shapes: Mapping[str, Shape]


@functools.cache
def load_model() -> Model:
    """The model of the installed botocore; takes about 20 ms the first time."""
    version = importlib.resources.files("botocore").joinpath("data", "rekognition", "2016-06-27")
    packed = version.joinpath("service-2.json.gz")
    data = gzip.decompress(packed.read_bytes()) if packed.is_file() else version.joinpath("service-2.json").read_bytes()
    return cast("Model", json.loads(data))
