"""Define shapes on a video frame: points, boxes and polygons, in ratios of the frame's size.

A shape may lie outside the frame, because AWS reports detections that do. ``regions_of_interest`` accepts only
shapes inside the frame.
"""

from collections.abc import Iterable, Iterator
from typing import TypeAlias, cast, final

import attrs

from aiorekostream.domain.fields import finite
from aiorekostream.domain.rules import Validated, as_tuple, collecting, each, is_unordered, reject
from aiorekostream.errors import InvalidRequestError, ValidationIssue
from aiorekostream.limits import limits_in_force

__all__ = [
    "BoundingBox",
    "Point",
    "Polygon",
    "RegionOfInterest",
    "ratio_of_frame",
    "region_of_interest",
    "regions_of_interest",
]

# https://docs.aws.amazon.com/rekognition/latest/APIReference/API_RegionOfInterest.html
_MIN_POLYGON_POINTS = 3
# How far a shape may reach over the edge, in ratios of the frame: AWS stores 32-bit floats, whose rounding error is at
# most 6e-8 here, and a box that was read from it must be accepted again.
_EDGE = 1e-6


def _ratio(value: float) -> float:
    return finite(value)


@final
@attrs.frozen(field_transformer=collecting)
class Point(Validated):
    """A point on the frame.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_Point.html.

    Attributes:
        x: ratio of the frame's width, from its left edge; finite.
        y: ratio of the frame's height, from its top edge; finite.
    """

    x: float = attrs.field(converter=_ratio)
    y: float = attrs.field(converter=_ratio)


@final
@attrs.frozen(kw_only=True, field_transformer=collecting)
class BoundingBox(Validated):
    """A rectangle on the frame.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_BoundingBox.html.

    Attributes:
        left: ratio of the frame's width; finite.
        top: ratio of the frame's height; finite.
        width: ratio of the frame's width; finite.
        height: ratio of the frame's height; finite.
    """

    left: float = attrs.field(converter=_ratio)
    top: float = attrs.field(converter=_ratio)
    width: float = attrs.field(converter=_ratio)
    height: float = attrs.field(converter=_ratio)


def _points(value: Iterable[Point]) -> tuple[Point, ...]:
    if is_unordered(value):
        reject(value, "a collection of points in the order of the outline, which a set does not keep")
    return tuple(each(enumerate(as_tuple(value, "a collection of points")), _point))


def _point(value: object) -> Point:
    if not isinstance(value, Point):
        reject(value, "a Point")
    return value


@final
@attrs.frozen(field_transformer=collecting)
class Polygon(Validated):
    """An area on the frame, given by its corners in order.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_RegionOfInterest.html.

    Attributes:
        points: the corners, in the order of the outline.
    """

    points: tuple[Point, ...] = attrs.field(converter=_points)


RegionOfInterest: TypeAlias = BoundingBox | Polygon
"""A region of interest: a box or a polygon."""


def regions_of_interest(value: Iterable[RegionOfInterest]) -> tuple[RegionOfInterest, ...]:
    """Validate regions of interest: 0 to 10 boxes and polygons, all inside the frame.

    AWS detects an object when enough of it lies inside a region. UNCERTAIN: AWS's pages disagree on how much
    (more than 20 %, or more than half).
    """
    regions = as_tuple(value, "a collection of BoundingBox and Polygon")
    issues: list[ValidationIssue] = []
    most = limits_in_force().max_regions_of_interest
    if len(regions) > most:
        issues.append(ValidationIssue((), f"{len(regions)} regions", f"at most {most} regions"))
    try:
        each(enumerate(regions), region_of_interest)
    except InvalidRequestError as error:
        issues += error.issues
    if issues:
        raise InvalidRequestError(issues)
    return cast("tuple[RegionOfInterest, ...]", regions)


def region_of_interest(value: object) -> RegionOfInterest:
    """Validate a region of interest: a box, or a polygon of 3 to 10 points, inside the frame."""
    match value:
        case BoundingBox():
            issues = [*_outside(value)]
        case Polygon(points):
            issues = [issue.under("points", index) for index, point in enumerate(points) for issue in _outside(point)]
            most = limits_in_force().max_polygon_points
            if not _MIN_POLYGON_POINTS <= len(points) <= most:
                expected = f"a polygon of {_MIN_POLYGON_POINTS} to {most} points"
                issues.append(ValidationIssue(("points",), f"{len(points)} points", expected))
        case _:
            reject(value, "a BoundingBox or a Polygon")
    if issues:
        raise InvalidRequestError(issues)
    return value


def ratio_of_frame(value: object) -> float:
    """Validate a ratio that lies on the frame: 0 to 1, give or take a rounding error."""
    if not -_EDGE <= (number := finite(value)) <= 1 + _EDGE:
        reject(value, "a ratio of the frame from 0 to 1")
    return number


def _outside(shape: Point | BoundingBox) -> Iterable[ValidationIssue]:
    try:
        each(attrs.asdict(shape).items(), ratio_of_frame)
    except InvalidRequestError as error:
        return error.issues
    return _beyond_edge(shape) if isinstance(shape, BoundingBox) else ()


def _beyond_edge(box: BoundingBox) -> Iterator[ValidationIssue]:
    for side, begin, size in (("width", box.left, box.width), ("height", box.top, box.height)):
        if begin + size > 1 + _EDGE:
            expected = f"at most {1 - begin:g}, so that the box ends inside the frame"
            yield ValidationIssue((side,), size, expected)
