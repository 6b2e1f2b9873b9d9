"""Requests: two kinds of start that cannot be mixed up, updates that keep or reset, and pages."""

from __future__ import annotations

from typing import Any

import pytest

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

BEGIN, END = ProducerTimestamp(1655930623123), StopSelector(30)


def _issue(make: Any, *args: object, **kwargs: object) -> ValidationIssue:  # noqa: ANN401 - a class
    with pytest.raises(InvalidRequestError) as caught:
        make(*args, **kwargs)
    (issue,) = caught.value.issues
    return issue


def test_each_kind_of_start_says_which_it_is() -> None:
    start = LabelDetectionStart(name="front-door", start_selector=BEGIN, stop_selector=END)
    assert start.kind is ProcessorKind.LABEL_DETECTION
    assert FaceSearchStart("lobby").kind is ProcessorKind.FACE_SEARCH


def test_a_face_search_takes_no_selectors() -> None:
    make: Any = FaceSearchStart
    for selectors in ({"start_selector": BEGIN}, {"stop_selector": END}):
        with pytest.raises(TypeError, match="unexpected keyword argument"):
            make("lobby", **selectors)


def test_a_label_detection_needs_both_selectors() -> None:
    make: Any = LabelDetectionStart
    for selectors in ({"start_selector": BEGIN}, {"stop_selector": END}, {}):
        with pytest.raises(TypeError, match="missing"):
            make(name="front-door", **selectors)


@pytest.mark.parametrize("wrong", [None, 1655930623123, "91343852333", (BEGIN, FragmentNumber("5")), END, {}])
def test_a_start_selector_is_one_moment_or_one_fragment(wrong: object) -> None:
    issue = _issue(LabelDetectionStart, name="front-door", start_selector=wrong, stop_selector=END)
    assert (issue.path, issue.expected) == ("start_selector", "a ProducerTimestamp or a FragmentNumber")


@pytest.mark.parametrize("wrong", [None, 30, BEGIN, {"MaxDurationInSeconds": 30}])
def test_a_stop_selector_is_a_stop_selector(wrong: object) -> None:
    issue = _issue(LabelDetectionStart, name="front-door", start_selector=BEGIN, stop_selector=wrong)
    assert (issue.path, issue.expected) == ("stop_selector", "a StopSelector")


@pytest.mark.parametrize("cls", [FaceSearchStart, StopRequest, DescribeRequest, DeleteRequest])
@pytest.mark.parametrize("wrong", ["", "a" * 129, "front door", "lobby\n", "arn:aws:rekognition", None, 5])
def test_a_processor_is_named_by_1_to_128_signs(cls: type, wrong: object) -> None:
    assert cls("a" * 128).name == "a" * 128
    issue = _issue(cls, wrong)
    assert (issue.path, issue.value) == ("name", wrong)


# updates


def test_an_update_keeps_what_is_not_named() -> None:
    update = LabelDetectionUpdate(name="front-door", labels=["PET"])
    assert update.labels == (Label.PET,)
    assert (update.min_confidence, update.regions_of_interest, update.data_sharing_opt_in) == (KEEP, KEEP, KEEP)


def test_an_update_that_changes_nothing_is_refused() -> None:
    assert "changes something" in _issue(LabelDetectionUpdate, name="front-door").expected


@pytest.mark.parametrize(
    ("name", "wrong"),
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
def test_only_confidence_and_regions_can_be_reset_and_nothing_can_be_none(name: str, wrong: object) -> None:
    assert _issue(LabelDetectionUpdate, name="front-door", **{name: wrong}).steps[0] == name


def test_a_wrong_name_and_wrong_changes_of_an_update_are_told_at_once() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        LabelDetectionUpdate(name="", labels=["CAR", "PET", "BUS"], min_confidence=-1)
    assert [issue.path for issue in caught.value.issues] == ["name", "labels[0]", "labels[2]", "min_confidence"]


# pages


@pytest.mark.parametrize("good", [1, 1000, 2**31 - 1])
def test_a_page_holds_at_least_one_and_at_most_what_aws_can_count(good: int) -> None:
    # AWS's default is 1000 and it names no maximum; the member is an integer of 32 bits.
    assert ListRequest(max_results=good).max_results == good


@pytest.mark.parametrize("wrong", [0, -1, 2**31, pytest.param(10**400, id="huge"), True, 1.0, "50"])
def test_another_size_of_page_is_refused(wrong: object) -> None:
    issue = _issue(ListRequest, max_results=wrong)
    assert (issue.path, issue.expected) == ("max_results", "a whole number from 1 to 2147483647")


@pytest.mark.parametrize("good", ["a", "a" * 255, "== \n/+😀"])
def test_a_token_is_what_aws_gave(good: str) -> None:
    assert ListRequest(next_token=good).next_token == good


@pytest.mark.parametrize("wrong", ["", "a" * 256, "\ud800", 5, b"a"])
def test_an_empty_token_is_refused_since_it_would_begin_all_over(wrong: object) -> None:
    issue = _issue(ListRequest, next_token=wrong)
    assert (issue.path, issue.expected) == ("next_token", "a token of 1 to 255 characters")


def test_tags_are_those_of_a_stream_processor() -> None:
    arn = "arn:aws-us-gov:rekognition:us-gov-west-1:123456789012:streamprocessor/lobby"
    assert str(ListTagsRequest(arn).resource_arn) == arn
    issue = _issue(ListTagsRequest, arn.replace("streamprocessor", "collection"))
    assert issue.path == "resource_arn"
