"""Shapes in any place, and regions of interest inside the frame."""

from __future__ import annotations

import math
import struct
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiorekostream.domain.geometry import BoundingBox, Point, Polygon, RegionOfInterest
from aiorekostream.domain.requests import LabelDetectionUpdate
from aiorekostream.errors import InvalidRequestError, ValidationIssue
from aiorekostream.limits import Limits, using_limits
from tests import strategies

BOX = BoundingBox(left=0.1, top=0.2, width=0.5, height=0.25)
POINTS = [Point(0, 0), Point(1, 0), Point(1, 1)]


def _regions(*regions: RegionOfInterest) -> object:
    return LabelDetectionUpdate(name="front-door", regions_of_interest=regions).regions_of_interest


def _issues(regions: Any) -> list[ValidationIssue]:  # noqa: ANN401 - deliberately invalid
    with pytest.raises(InvalidRequestError) as caught:
        LabelDetectionUpdate(name="front-door", regions_of_interest=regions)
    return list(caught.value.issues)


@given(strategies.regions)
def test_regions_accept_boxes_and_polygons_inside_the_frame(regions: tuple[RegionOfInterest, ...]) -> None:
    assert _regions(*regions) == regions


@pytest.mark.parametrize("edge", [0, 1, 0.0, 1.0, -0.0, 1 + 1e-7, -1e-7])
def test_regions_include_the_edge_of_the_frame(edge: float) -> None:
    """AWS stores 32-bit floats, so a shape may reach over the edge by a rounding error."""
    box = BoundingBox(left=edge, top=edge, width=1 - edge, height=1 - edge)
    _regions(box, Polygon([Point(edge, edge)] * 3))


@given(st.floats(0, 1))
def test_regions_accept_a_box_that_was_rounded_to_32_bits(left: float) -> None:
    left, width = struct.unpack("2f", struct.pack("2f", left, 1 - left))
    _regions(BoundingBox(left=left, top=left, width=width, height=width))


@pytest.mark.parametrize(("begin", "size", "side"), [("left", "width", "width"), ("top", "height", "height")])
def test_regions_reject_a_box_that_ends_outside_the_frame(begin: str, size: str, side: str) -> None:
    box = BoundingBox(**{"left": 0, "top": 0, "width": 1, "height": 1, begin: 0.6, size: 0.5})
    (issue,) = _issues([box])
    expected = "at most 0.4, so that the box ends inside the frame"
    assert issue == ValidationIssue(("regions_of_interest", 0, side), 0.5, expected)


@pytest.mark.parametrize("side", ["left", "top", "width", "height"])
@pytest.mark.parametrize("value", [-0.001, 1.001, 50, -1])
def test_regions_reject_a_box_outside_the_frame(side: str, value: float) -> None:
    """The box itself is valid, because AWS reports such boxes."""
    box = BoundingBox(**{"left": 0, "top": 0, "width": 1, "height": 1, side: value})
    (issue,) = _issues([BOX, box])
    assert issue == ValidationIssue(("regions_of_interest", 1, side), float(value), "a ratio of the frame from 0 to 1")


@pytest.mark.parametrize("axis", ["x", "y"])
@pytest.mark.parametrize("value", [-0.001, 1.001])
def test_regions_reject_a_polygon_point_outside_the_frame(axis: str, value: float) -> None:
    """The point itself is valid, because AWS reports such points."""
    point = Point(**{"x": 0.5, "y": 0.5, axis: value})
    (issue,) = _issues([Polygon([*POINTS, point])])
    assert issue.path == f"regions_of_interest[0].points[3].{axis}"


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, pytest.param(10**400, id="huge"), True, "0.5", None, Decimal("0.5"), 0.5j]
)
def test_shape_rejects_coordinates_that_are_not_finite_numbers(value: Any) -> None:  # noqa: ANN401 - deliberately invalid
    with pytest.raises(InvalidRequestError) as caught:
        Point(0, value)
    (issue,) = caught.value.issues
    assert (issue.path, issue.expected) == ("y", "a finite number")
    with pytest.raises(InvalidRequestError):
        BoundingBox(left=value, top=0, width=1, height=1)


@pytest.mark.parametrize("count", [3, 10])
def test_regions_accept_a_polygon_of_3_to_10_points(count: int) -> None:
    # AWS accepts points that coincide.
    _regions(Polygon([Point(0.5, 0.5)] * count))


@pytest.mark.parametrize("count", [0, 2, 11])
def test_regions_reject_a_polygon_with_too_few_or_too_many_points(count: int) -> None:
    (issue,) = _issues([BOX, Polygon([Point(0.5, 0.5)] * count)])
    assert issue == ValidationIssue(
        ("regions_of_interest", 1, "points"), f"{count} points", "a polygon of 3 to 10 points"
    )


def test_regions_accept_at_most_10_regions() -> None:
    _regions(*[BOX] * 10)
    assert _regions() == ()
    (issue,) = _issues([BOX] * 11)
    assert issue == ValidationIssue(("regions_of_interest",), "11 regions", "at most 10 regions")


def test_regions_follow_the_limits_in_force() -> None:
    polygon = Polygon([Point(0.5, 0.5)] * 11)
    with using_limits(Limits(max_regions_of_interest=11, max_polygon_points=11)):
        _regions(*[polygon] * 11)
        assert [issue.expected for issue in _issues([polygon] * 12)] == ["at most 11 regions"]
        assert [issue.expected for issue in _issues([Polygon(POINTS[:2])])] == ["a polygon of 3 to 11 points"]


def test_regions_report_every_issue_at_once() -> None:
    invalid = BoundingBox(left=-1, top=2, width=1, height=1)
    issues = _issues([invalid, BOX, Polygon(POINTS[:2]), {"left": 0}, *[BOX] * 8])
    assert [issue.path for issue in issues] == [
        "regions_of_interest",
        "regions_of_interest[0].left",
        "regions_of_interest[0].top",
        "regions_of_interest[2].points",
        "regions_of_interest[3]",
    ]


@pytest.mark.parametrize("regions", [None, BOX, "box", b"", bytearray(), 5, {"BoundingBox": {}}], ids=repr)
def test_regions_reject_a_value_that_is_not_a_collection(regions: object) -> None:
    (issue,) = _issues(regions)
    assert (issue.path, issue.expected) == ("regions_of_interest", "a collection of BoundingBox and Polygon")


@pytest.mark.parametrize("points", [None, "abc", 5, {0: 0}])
def test_polygon_rejects_points_that_are_not_a_collection(points: Any) -> None:  # noqa: ANN401 - deliberately invalid
    with pytest.raises(InvalidRequestError, match="points: must be a collection of points"):
        Polygon(points)


def test_polygon_rejects_a_set_of_points() -> None:
    """A set does not keep the order of the outline; an iterator does."""
    assert Polygon(iter(POINTS)).points == tuple(POINTS)
    with pytest.raises(InvalidRequestError, match="in the order of the outline"):
        Polygon(frozenset(POINTS))


def test_polygon_rejects_items_that_are_not_points() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        Polygon([POINTS[0], (0, 1), POINTS[1], None])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    assert [issue.path for issue in caught.value.issues] == ["points[1]", "points[3]"]
