"""Decide whether a detection lies in a processor's regions of interest.

See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_RegionOfInterest.html. UNCERTAIN: AWS's pages
disagree on how much of an object must lie inside: more than 20 % of its box, or more than half. Here it is 20 %.
"""

from __future__ import annotations

from itertools import pairwise, product
from typing import TYPE_CHECKING

from aiorekostream.emulator.world.fields import Fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorekostream.domain.geometry import BoundingBox
    from aiorekostream.emulator.world.answers import JsonObject

__all__ = ["is_in_regions"]

_LEAST_SHARE = 0.2
# Points in each direction with which a share is measured.
_GRID = 10


def is_in_regions(box: BoundingBox, regions: Sequence[JsonObject]) -> bool:
    """Return whether enough of a box lies in the regions; always if there are none."""
    if not regions:
        return True
    shapes = [Fields(region) for region in regions]
    steps = [(index + 0.5) / _GRID for index in range(_GRID)]
    points = [(box.left + x * box.width, box.top + y * box.height) for x, y in product(steps, steps)]
    inside = sum(any(_contains(shape, x, y) for shape in shapes) for x, y in points)
    return inside > _LEAST_SHARE * len(points)


def _contains(shape: Fields, x: float, y: float) -> bool:
    box = shape.optional_structure("BoundingBox")
    if box is not None:
        left, top, width, height = (box.optional_number(name) or 0.0 for name in ("Left", "Top", "Width", "Height"))
        return left <= x <= left + width and top <= y <= top + height
    corners = [
        (point.optional_number("X") or 0.0, point.optional_number("Y") or 0.0) for point in shape.structures("Polygon")
    ]
    crossings = 0
    for (x1, y1), (x2, y2) in pairwise([*corners, *corners[:1]]):
        # A ray to the right crosses an edge that spans its height and lies to its right there.
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) / (y2 - y1) * (x2 - x1):
            crossings += 1
    return crossings % 2 == 1
