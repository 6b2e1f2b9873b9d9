"""The operations as data."""

from __future__ import annotations

from types import NoneType

import pytest

from aiorekostream.codec.spelling import SPELLING
from aiorekostream.operations import OPERATIONS
from tests.codec.model import MODEL
from tests.strategies import REPLIES, REQUESTS


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_goes_by_awss_name(name: str) -> None:
    assert OPERATIONS[name].name == name
    assert name in MODEL.operation_names


def test_every_request_belongs_to_one_operation() -> None:
    requests = [cls for operation in OPERATIONS.values() for cls in operation.requests]
    assert len(requests) == len(set(requests))
    assert set(requests) == set(REQUESTS) <= set(SPELLING)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_reply_without_members_is_none(name: str) -> None:
    reply = OPERATIONS[name].reply
    assert (reply is NoneType) == (not MODEL.operation_model(name).output_shape.members)
    assert reply is NoneType or reply in REPLIES


def test_only_what_is_the_same_done_twice_may_be_sent_twice() -> None:
    # There is no token of the client's: a second Start meets ResourceInUse while the first one's session is lost.
    idempotent = {name for name, operation in OPERATIONS.items() if operation.idempotent}
    assert idempotent == {
        "DescribeStreamProcessor",
        "ListStreamProcessors",
        "ListTagsForResource",
        "TagResource",
        "UntagResource",
    }


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        OPERATIONS["Other"] = OPERATIONS["TagResource"]  # type: ignore[index]  # pyright: ignore[reportIndexIssue]
