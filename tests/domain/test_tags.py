"""Tags: an immutable mapping, and the validation of tags in a request."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiorekostream.domain.names import StreamProcessorArn
from aiorekostream.domain.requests import TagRequest, UntagRequest
from aiorekostream.domain.tags import Tags
from aiorekostream.errors import InvalidRequestError, ValidationIssue
from tests import strategies

ARN = StreamProcessorArn.parse("arn:aws:rekognition:us-east-1:123456789012:streamprocessor/front-door")


def _issues(items: Any) -> tuple[ValidationIssue, ...]:  # noqa: ANN401 - deliberately invalid
    with pytest.raises(InvalidRequestError) as caught:
        TagRequest(ARN, items)
    return caught.value.issues


@given(strategies.tags)
def test_tags_equal_the_mapping_that_they_copy(tags: Tags) -> None:
    plain = dict(tags)
    assert tags == plain
    assert {**tags} == plain
    assert len(tags) == len(plain)
    assert Tags(plain) == tags == Tags(MappingProxyType(plain))
    assert hash(Tags(dict(reversed(plain.items())))) == hash(tags)


def test_tags_do_not_change_when_the_given_mapping_changes() -> None:
    items = {"site": "a"}
    tags = Tags(items)
    items["site"] = "b"
    assert tags["site"] == "a"


@pytest.mark.parametrize(
    "key", ["a", "a" * 128, " ", "Köln", "日本", "x_.:/=+-@9", "AWS:a", "not-aws:a", "\u2028", "Ⅷ²"]
)
def test_tag_key_accepts_1_to_128_allowed_characters(key: str) -> None:
    assert TagRequest(ARN, {key: ""}).tags == {key: ""}


@pytest.mark.parametrize(
    "key", ["", "a" * 129, "aws:", "aws:site", "a\n", "a\t", "a,b", "a*", "a\\", "é\u0301", "\ud800", "😀", "\x00"]
)
def test_tag_key_rejects_other_text(key: str) -> None:
    """The path of the issue is the key."""
    (issue,) = _issues({key: "value", "valid": "value"})
    assert issue.steps == ("tags", key)
    assert issue.value == key
    assert "tag key" in issue.expected


@pytest.mark.parametrize("text", ["", "a" * 256, "aws:a", "Köln @ 9"])
def test_tag_value_accepts_up_to_256_allowed_characters(text: str) -> None:
    assert TagRequest(ARN, {"site": text}).tags == {"site": text}


@pytest.mark.parametrize("text", ["a" * 257, "a\n", "a,b", "\udfff", None, 5, True, b"a", ["a"]])
def test_tag_value_rejects_other_values(text: object) -> None:
    """The path of the issue is the key."""
    (issue,) = _issues({"site": text, "valid": "value"})
    assert issue.steps == ("tags", "site")
    assert issue.value is text
    assert "0 to 256" in issue.expected


@pytest.mark.parametrize("key", [None, 5, b"a", ("a",), 10**5000], ids=["none", "int", "bytes", "tuple", "huge"])
def test_tag_key_rejects_values_that_are_not_text(key: object) -> None:
    (issue,) = _issues({key: "value"})
    assert issue.path.startswith("tags.")
    assert "tag key" in str(issue)


@pytest.mark.parametrize(
    "items", [None, "site", 5, ["site"], [("site", "a")], {"site"}, [{"Key": "a", "Value": "b"}]], ids=repr
)
def test_tag_request_rejects_tags_that_are_not_a_mapping(items: object) -> None:
    (issue,) = _issues(items)
    assert (issue.path, issue.expected) == ("tags", "a mapping of tag keys to tag values")


def test_tag_request_reports_every_issue_at_once() -> None:
    issues = _issues({"aws:a": "x", "b,": "y\n", "c": 5, "valid": ""})
    assert sorted(issue.steps[-1] for issue in issues) == ["aws:a", "b,", "b,", "c"]


def test_tag_request_accepts_1_to_200_tags() -> None:
    many = {f"key-{i}": "" for i in range(201)}
    assert len(TagRequest(ARN, dict(list(many.items())[:200])).tags) == 200
    assert [(issue.value, issue.expected) for issue in _issues(many)] == [("201 tags", "at most 200 tags")]
    assert [issue.expected for issue in _issues({})] == ["at least one tag"]


def test_untag_request_accepts_1_to_200_keys() -> None:
    many = [f"key-{i}" for i in range(201)]
    assert UntagRequest(ARN, many[:200]).tag_keys == tuple(many[:200])
    for invalid, reported in ((many, "1 to 200 tag keys"), ([], "1 to 200 tag keys")):
        with pytest.raises(InvalidRequestError, match=reported):
            UntagRequest(ARN, invalid)


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        (["a", "aws:b"], "tag_keys[1]"),
        (["a", "b\n", 5], "tag_keys[1]"),
        (["a", "b", "a"], "tag_keys"),
        ("site", "tag_keys"),
        ({"site": ""}, "tag_keys"),
        (None, "tag_keys"),
    ],
)
def test_untag_request_rejects_invalid_and_duplicate_keys(keys: Any, path: str) -> None:  # noqa: ANN401 - deliberately invalid
    with pytest.raises(InvalidRequestError) as caught:
        UntagRequest(ARN, keys)
    assert caught.value.issues[0].path == path


@pytest.mark.parametrize("items", [5, "ab", [("a", "b")], {"a": 5}, {5: "a"}, {"a": []}], ids=repr)
def test_tags_reject_keys_and_values_that_are_not_text(items: Any) -> None:  # noqa: ANN401 - deliberately invalid
    with pytest.raises(InvalidRequestError):
        Tags(items)


@given(st.dictionaries(st.text(), st.text()))
def test_tags_accept_any_text_when_not_in_a_request(items: dict[str, str]) -> None:
    assert Tags(items) == items
