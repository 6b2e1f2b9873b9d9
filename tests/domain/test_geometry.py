"""Shapes on the frame: any shape may be seen, but only some may be watched."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from aiorekostream.domain.geometry import BoundingBox, Point, Polygon, RegionOfInterest
from aiorekostream.domain.requests import LabelDetectionUpdate
from aiorekostream.errors import InvalidRequestError, ValidationIssue
from aiorekostream.limits import Limits, using_limits
from tests import strategies

BOX = BoundingBox(left=0.1, top=0.2, width=0.5, height=0.25)
CORNERS = [Point(0, 0), Point(1, 0), Point(1, 1)]


def _watched(*regions: RegionOfInterest) -> object:
    return LabelDetectionUpdate(name="front-door", regions_of_interest=regions).regions_of_interest


def _issues(regions: Any) -> list[ValidationIssue]:  # noqa: ANN401 - what is wrong is the point
    with pytest.raises(InvalidRequestError) as caught:
        LabelDetectionUpdate(name="front-door", regions_of_interest=regions)
    return list(caught.value.issues)


@given(strategies.regions)
def test_boxes_and_polygons_inside_the_frame_may_be_watched(regions: tuple[RegionOfInterest, ...]) -> None:
    assert _watched(*regions) == regions


@pytest.mark.parametrize("edge", [0, 1, 0.0, 1.0, -0.0])
def test_the_edge_of_the_frame_is_part_of_it(edge: float) -> None:
    _watched(BoundingBox(left=edge, top=edge, width=edge, height=edge), Polygon([Point(edge, edge)] * 3))


@pytest.mark.parametrize("side", ["left", "top", "width", "height"])
@pytest.mark.parametrize("value", [-0.001, 1.001, 50, -1])
def test_a_box_that_is_not_on_the_frame_may_be_seen_and_not_watched(side: str, value: float) -> None:
    box = BoundingBox(**{"left": 0, "top": 0, "width": 1, "height": 1, side: value})
    (issue,) = _issues([BOX, box])
    assert issue == ValidationIssue(("regions_of_interest", 1, side), float(value), "a ratio of the frame from 0 to 1")


@pytest.mark.parametrize("axis", ["x", "y"])
@pytest.mark.parametrize("value", [-0.001, 1.001])
def test_a_corner_outside_the_frame_may_be_seen_and_not_watched(axis: str, value: float) -> None:
    corner = Point(**{"x": 0.5, "y": 0.5, axis: value})
    (issue,) = _issues([Polygon([*CORNERS, corner])])
    assert issue.path == f"regions_of_interest[0].points[3].{axis}"


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, pytest.param(10**400, id="huge"), True, "0.5", None, Decimal("0.5"), 0.5j]
)
def test_only_finite_numbers_are_ratios(value: Any) -> None:  # noqa: ANN401 - what is wrong is the point
    with pytest.raises(InvalidRequestError) as caught:
        Point(0, value)
    (issue,) = caught.value.issues
    assert (issue.path, issue.expected) == ("y", "a finite number")
    with pytest.raises(InvalidRequestError):
        BoundingBox(left=value, top=0, width=1, height=1)


@pytest.mark.parametrize("corners", [3, 10])
def test_a_polygon_to_watch_has_3_to_10_corners(corners: int) -> None:
    # AWS accepts corners that coincide.
    _watched(Polygon([Point(0.5, 0.5)] * corners))


@pytest.mark.parametrize("corners", [0, 2, 11])
def test_a_polygon_with_fewer_or_more_corners_is_refused(corners: int) -> None:
    (issue,) = _issues([BOX, Polygon([Point(0.5, 0.5)] * corners)])
    assert issue == ValidationIssue(
        ("regions_of_interest", 1, "points"), f"{corners} points", "a polygon of 3 to 10 points"
    )


def test_up_to_10_regions_may_be_watched() -> None:
    _watched(*[BOX] * 10)
    assert _watched() == ()
    (issue,) = _issues([BOX] * 11)
    assert issue == ValidationIssue(("regions_of_interest",), "11 regions", "at most 10 regions")


def test_an_account_with_other_limits_may_watch_more() -> None:
    polygon = Polygon([Point(0.5, 0.5)] * 11)
    with using_limits(Limits(max_regions_of_interest=11, max_polygon_points=11)):
        _watched(*[polygon] * 11)
        assert [issue.expected for issue in _issues([polygon] * 12)] == ["at most 11 regions"]
        assert [issue.expected for issue in _issues([Polygon(CORNERS[:2])])] == ["a polygon of 3 to 11 points"]


def test_every_wrong_region_is_told_at_once() -> None:
    wrong = BoundingBox(left=-1, top=2, width=1, height=1)
    issues = _issues([wrong, BOX, Polygon(CORNERS[:2]), {"left": 0}, *[BOX] * 8])
    assert [issue.path for issue in issues] == [
        "regions_of_interest",
        "regions_of_interest[0].left",
        "regions_of_interest[0].top",
        "regions_of_interest[2].points",
        "regions_of_interest[3]",
    ]


@pytest.mark.parametrize("regions", [None, BOX, "box", b"", bytearray(), 5, {"BoundingBox": {}}], ids=repr)
def test_regions_are_a_collection(regions: object) -> None:
    (issue,) = _issues(regions)
    assert (issue.path, issue.expected) == ("regions_of_interest", "a collection of BoundingBox and Polygon")


@pytest.mark.parametrize("points", [None, "abc", 5, {0: 0}])
def test_the_corners_of_a_polygon_are_a_collection(points: Any) -> None:  # noqa: ANN401 - what is wrong is the point
    with pytest.raises(InvalidRequestError, match="points: must be a collection of points"):
        Polygon(points)


def test_the_corners_of_a_polygon_have_an_order_so_they_are_no_set() -> None:
    assert Polygon(iter(CORNERS)).points == tuple(CORNERS)
    with pytest.raises(InvalidRequestError, match="in the order of the outline"):
        Polygon(frozenset(CORNERS))


def test_each_corner_is_a_point() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        Polygon([CORNERS[0], (0, 1), CORNERS[1], None])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    assert [issue.path for issue in caught.value.issues] == ["points[1]", "points[3]"]
