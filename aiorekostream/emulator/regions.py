"""Parse regions of interest, and round numbers to the 32-bit floats that AWS stores.

The model leaves most rules about regions open. The API's prose and AWS's CloudFormation schema add that a region is a
box or a polygon, that a polygon has at least three points, and that a box has all four members.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from aiorekostream.emulator.answers import invalid, refuse

if TYPE_CHECKING:
    from aiorekostream.emulator.answers import JsonObject
    from aiorekostream.emulator.fields import Fields
    from aiorekostream.limits import Limits

__all__ = ["float32", "regions_of_interest"]

_MIN_POLYGON_POINTS = 3


def float32(value: float) -> float:
    """Round a number to a 32-bit float: 0.1 becomes 0.10000000149011612."""
    (rounded,) = struct.unpack("f", struct.pack("f", value))
    return float(rounded)


def regions_of_interest(request: Fields, name: str, limits: Limits) -> list[JsonObject]:
    """Parse a list of regions."""
    regions = request.structures(name)
    if len(regions) > limits.max_regions_of_interest:
        raise request.wrong(name, f"at most {limits.max_regions_of_interest} regions")
    return [_region(region, limits) for region in regions]


def _region(region: Fields, limits: Limits) -> JsonObject:
    if region.has("BoundingBox") == region.has("Polygon"):
        raise refuse(invalid(f"{region.path} must have exactly one of BoundingBox and Polygon."))
    if region.has("BoundingBox"):
        return {"BoundingBox": _ratios(region.structure("BoundingBox"), ("Width", "Height", "Left", "Top"))}
    points = [_ratios(point, ("X", "Y")) for point in region.structures("Polygon")]
    if not _MIN_POLYGON_POINTS <= len(points) <= limits.max_polygon_points:
        raise region.wrong("Polygon", f"{_MIN_POLYGON_POINTS} to {limits.max_polygon_points} points")
    return {"Polygon": points}


def _ratios(fields: Fields, names: tuple[str, ...]) -> JsonObject:
    return {name: _ratio(fields, name) for name in names}


def _ratio(fields: Fields, name: str) -> float:
    value = fields.optional_number(name)
    if value is None:
        raise fields.missing(name)
    # UNCERTAIN: the model has no range, AWS's CloudFormation schema has 0 to 100 and Terraform 0 to 1.
    if not 0 <= value <= 1:
        raise fields.wrong(name, "a ratio of the frame from 0 to 1")
    return float32(value)
