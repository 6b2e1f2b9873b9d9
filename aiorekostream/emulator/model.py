"""Load Amazon's model of the API from the data files of botocore. Runs no code of botocore."""

from __future__ import annotations

import functools
import gzip
import importlib.resources
import json
from typing import TYPE_CHECKING, Required, TypedDict, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OperationModel", "ServiceModel", "Shape", "ShapeReference", "load_model"]


class ShapeReference(TypedDict):
    """A reference to a shape by its name."""

    shape: str


class Shape(TypedDict, total=False):
    """A shape of the model. Only lists have a ``member``, and only maps have a ``key`` and a ``value``."""

    type: Required[str]
    required: list[str]
    members: dict[str, ShapeReference]
    member: Required[ShapeReference]
    key: Required[ShapeReference]
    value: Required[ShapeReference]
    min: float
    max: float
    pattern: str
    enum: list[str]


class OperationModel(TypedDict):
    """The input and output shapes of an operation."""

    input: ShapeReference
    output: ShapeReference


class ServiceModel(TypedDict):
    """The parts of the model that the emulator uses."""

    operations: Mapping[str, OperationModel]
    shapes: Mapping[str, Shape]


@functools.cache
def load_model() -> ServiceModel:
    """Load the model of the installed botocore, once per process. Blocks for about 20 ms."""
    version = importlib.resources.files("botocore").joinpath("data", "rekognition", "2016-06-27")
    packed = version.joinpath("service-2.json.gz")
    data = gzip.decompress(packed.read_bytes()) if packed.is_file() else version.joinpath("service-2.json").read_bytes()
    return cast("ServiceModel", json.loads(data))
