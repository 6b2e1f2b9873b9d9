"""Requests: starts of both kinds, updates that keep or reset parameters, and pages."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest

import aiorekostream as rks
from aiorekostream.domain.enums import Label, ProcessorKind
from aiorekostream.domain.requests import (
    KEEP,
    RESET,
    DeleteRequest,
    DescribeRequest,
    FaceSearchStart,
    LabelDetectionStart,
    LabelDetectionUpdate,
    ListRequest,
    ListTagsRequest,
    StopRequest,
)
from aiorekostream.domain.selectors import FragmentNumber, ProducerTimestamp, StopSelector
from aiorekostream.errors import InvalidRequestError, ValidationIssue

if TYPE_CHECKING:
    from collections.abc import Callable

START_SELECTOR, STOP_SELECTOR = ProducerTimestamp(1655930623123), StopSelector(30)


def _issue(make: Any, *args: object, **kwargs: object) -> ValidationIssue:  # noqa: ANN401 - any callable
    with pytest.raises(InvalidRequestError) as caught:
        make(*args, **kwargs)
    (issue,) = caught.value.issues
    return issue


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: rks.LabelDetectionUpdate(name="door", min_confidence=101), "door"),
        (lambda: rks.LabelDetectionUpdate(name="the door", min_confidence=101), None),
        (lambda: rks.parse_start({"Name": "door", "StartSelector": 5}), "door"),
        (lambda: rks.parse_start({"Name": "door", "Selector": 5}), "door"),
        (lambda: rks.parse_start({"Name": 5, "Selector": 5}), None),
        (lambda: rks.StopSelector(0), None),
    ],
    ids=["value", "invalid name", "parsed value", "unknown key", "parsed invalid name", "no name"],
)
def test_invalid_request_names_its_processor(make: Callable[[], object], name: str | None) -> None:
    with pytest.raises(rks.InvalidRequestError) as caught:
        make()
    assert caught.value.name == name
    lines = str(caught.value).splitlines()
    assert lines == [f"{name}: {issue}" if name else str(issue) for issue in caught.value.issues]
    assert pickle.loads(pickle.dumps(caught.value)).name == name  # noqa: S301 - made in the same expression


def test_start_request_has_its_kind() -> None:
    start = LabelDetectionStart(name="front-door", start_selector=START_SELECTOR, stop_selector=STOP_SELECTOR)
    assert start.kind is ProcessorKind.LABEL_DETECTION
    assert FaceSearchStart("lobby").kind is ProcessorKind.FACE_SEARCH


def test_face_search_start_takes_no_selectors() -> None:
    make: Any = FaceSearchStart
    for selectors in ({"start_selector": START_SELECTOR}, {"stop_selector": STOP_SELECTOR}):
        with pytest.raises(TypeError, match="unexpected keyword argument"):
            make("lobby", **selectors)


def test_label_detection_start_requires_both_selectors() -> None:
    make: Any = LabelDetectionStart
    for selectors in ({"start_selector": START_SELECTOR}, {"stop_selector": STOP_SELECTOR}, {}):
        with pytest.raises(TypeError, match="missing"):
            make(name="front-door", **selectors)


@pytest.mark.parametrize(
    "invalid", [None, 1655930623123, "91343852333", (START_SELECTOR, FragmentNumber("5")), STOP_SELECTOR, {}]
)
def test_label_detection_start_rejects_other_start_selectors(invalid: object) -> None:
    issue = _issue(LabelDetectionStart, name="front-door", start_selector=invalid, stop_selector=STOP_SELECTOR)
    assert (issue.path, issue.expected) == ("start_selector", "a ProducerTimestamp or a FragmentNumber")


@pytest.mark.parametrize("invalid", [None, 30, START_SELECTOR, {"MaxDurationInSeconds": 30}])
def test_label_detection_start_rejects_other_stop_selectors(invalid: object) -> None:
    issue = _issue(LabelDetectionStart, name="front-door", start_selector=START_SELECTOR, stop_selector=invalid)
    assert (issue.path, issue.expected) == ("stop_selector", "a StopSelector")


@pytest.mark.parametrize("cls", [FaceSearchStart, StopRequest, DescribeRequest, DeleteRequest])
@pytest.mark.parametrize("invalid", ["", "a" * 129, "front door", "lobby\n", "arn:aws:rekognition", None, 5])
def test_request_accepts_a_processor_name_of_1_to_128_characters(cls: type, invalid: object) -> None:
    assert cls("a" * 128).name == "a" * 128
    issue = _issue(cls, invalid)
    assert (issue.path, issue.value) == ("name", invalid)


# updates


def test_update_keeps_parameters_that_are_not_given() -> None:
    update = LabelDetectionUpdate(name="front-door", labels=["PET"])
    assert update.labels == (Label.PET,)
    assert (update.min_confidence, update.regions_of_interest, update.data_sharing_opt_in) == (KEEP, KEEP, KEEP)


def test_update_rejects_a_request_without_changes() -> None:
    assert "changes something" in _issue(LabelDetectionUpdate, name="front-door").expected


@pytest.mark.parametrize(
    ("name", "invalid"),
    [
        ("labels", RESET),
        ("labels", []),
        ("labels", ["PET", "PET"]),
        ("labels", None),
        ("min_confidence", 101),
        ("min_confidence", None),
        ("min_confidence", "KEEP"),
        ("regions_of_interest", None),
        ("regions_of_interest", [None]),
        ("data_sharing_opt_in", RESET),
        ("data_sharing_opt_in", None),
        ("data_sharing_opt_in", 1),
    ],
)
def test_update_rejects_the_value_of_the_parameter(name: str, invalid: object) -> None:
    """Only the confidence and the regions can be ``RESET``; no parameter can be ``None``."""
    assert _issue(LabelDetectionUpdate, name="front-door", **{name: invalid}).steps[0] == name


def test_update_reports_every_issue_at_once() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        LabelDetectionUpdate(name="", labels=["CAR", "PET", "BUS"], min_confidence=-1)
    assert [issue.path for issue in caught.value.issues] == ["name", "labels[0]", "labels[2]", "min_confidence"]


# pages


@pytest.mark.parametrize("valid", [1, 1000, 2**31 - 1])
def test_max_results_accepts_a_positive_32_bit_integer(valid: int) -> None:
    # AWS documents a default of 1000 and no maximum; the member is a signed integer of 32 bits.
    assert ListRequest(max_results=valid).max_results == valid


@pytest.mark.parametrize("invalid", [0, -1, 2**31, pytest.param(10**400, id="huge"), True, 1.0, "50"])
def test_max_results_rejects_other_values(invalid: object) -> None:
    issue = _issue(ListRequest, max_results=invalid)
    assert (issue.path, issue.expected) == ("max_results", "a whole number from 1 to 2147483647")


@pytest.mark.parametrize("valid", ["a", "a" * 255, "== \n/+😀"])
def test_next_token_accepts_text_of_1_to_255_characters(valid: str) -> None:
    assert ListRequest(next_token=valid).next_token == valid


@pytest.mark.parametrize("invalid", ["", "a" * 256, "\ud800", 5, b"a"])
def test_next_token_rejects_other_values(invalid: object) -> None:
    """An empty token would request the first page again."""
    issue = _issue(ListRequest, next_token=invalid)
    assert (issue.path, issue.expected) == ("next_token", "a token of 1 to 255 characters")


def test_resource_arn_rejects_other_kinds_of_resource() -> None:
    arn = "arn:aws-us-gov:rekognition:us-gov-west-1:123456789012:streamprocessor/lobby"
    assert str(ListTagsRequest(arn).resource_arn) == arn
    issue = _issue(ListTagsRequest, arn.replace("streamprocessor", "collection"))
    assert issue.path == "resource_arn"
