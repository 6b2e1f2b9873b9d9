"""What the tests of the two parsers of events share: notifications, and records of face search."""

from __future__ import annotations

import datetime
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import strategies as st

from aiorekostream.errors import MalformedEventError
from tests.codec.json_paths import Json, JsonPath, dotted, replaced

if TYPE_CHECKING:
    from collections.abc import Callable

JUNK: list[Json] = [5, 1.5, math.nan, True, "", "junk", "\ud800", [], [5], {}, {"a": 5}, 10**400]
"""Values that are malformed in most places."""


def json_values(*names: str) -> st.SearchStrategy[object]:
    """Any JSON, or text or bytes, in which members with these names are frequent."""
    return st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(names) | st.text(), inner, max_size=3)
        ),
        max_leaves=8,
    )


def issues(parse: Callable[[object], object], data: object) -> dict[str, str]:
    """What is expected at each path that the parser reports."""
    with pytest.raises(MalformedEventError) as caught:
        parse(data)
    assert caught.value.issues
    return {issue.path: issue.expected for issue in caught.value.issues}


def assert_missing(parse: Callable[[object], object], data: object, path: JsonPath) -> None:
    """The parser reports the path, or what is below it, as absent, and nothing else."""
    found = issues(parse, data)
    assert any(place.startswith(dotted(path)) for place in found)
    assert set(found.values()) == {"present"}


def assert_reported_in_place(parse: Callable[[object], object], wire: Json, path: JsonPath, value: object) -> None:
    """The parser accepts a value at the path, or reports it where it stands or for what it lacks below."""
    try:
        parse(replaced(wire, path, value))
    except MalformedEventError as error:
        for issue in error.issues:
            assert dotted(path).startswith(issue.path) or issue.path.startswith(dotted(path))


def assert_returns_or_reports(parse: Callable[[object], object], data: object) -> None:
    """The parser raises nothing but its own error, with issues."""
    error = None
    try:
        parse(data)
    except MalformedEventError as raised:
        error = raised
    assert error is None or (error.issues and str(error))


def milliseconds(moment: datetime.datetime | datetime.timedelta) -> int:
    """A duration, or the time since 1970, in milliseconds."""
    if isinstance(moment, datetime.datetime):
        return (moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // datetime.timedelta(milliseconds=1)
    return moment // datetime.timedelta(milliseconds=1)


def without_none(members: dict[str, Any]) -> dict[str, Any]:
    """The members that are not ``None``."""
    return {key: value for key, value in members.items() if value is not None}
