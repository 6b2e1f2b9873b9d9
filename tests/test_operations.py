"""The operations as data."""

from __future__ import annotations

from types import NoneType

import pytest

from aiorekostream.codec.spelling import SPELLING
from aiorekostream.errors import InvalidRequestError
from aiorekostream.operations import OPERATIONS, Operation
from tests.codec.service_model import MODEL
from tests.domain.unusual_inputs import UNUSUAL_INPUTS
from tests.strategies import REQUESTS, RESPONSES


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_has_the_name_of_the_model(name: str) -> None:
    assert OPERATIONS[name].name == name
    assert name in MODEL.operation_names


def test_every_request_belongs_to_one_operation() -> None:
    requests = [cls for operation in OPERATIONS.values() for cls in operation.requests]
    assert len(requests) == len(set(requests))
    assert set(requests) == set(REQUESTS) <= set(SPELLING)


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_has_no_response_class_when_it_has_no_members(name: str) -> None:
    response = OPERATIONS[name].reply
    assert (response is NoneType) == (not MODEL.operation_model(name).output_shape.members)
    assert response is NoneType or response in RESPONSES


def test_only_reads_and_tag_operations_are_idempotent() -> None:
    # AWS takes no client token: a repeated start fails with ResourceInUse, and the response with the session is lost.
    idempotent = {name for name, operation in OPERATIONS.items() if operation.idempotent}
    assert idempotent == {
        "DescribeStreamProcessor",
        "ListStreamProcessors",
        "ListTagsForResource",
        "TagResource",
        "UntagResource",
    }


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("StartStreamProcessor", "request: must be a FaceSearchStart or LabelDetectionStart; got 'lobby'"),
        ("CreateStreamProcessor", "processor: must be a FaceSearchProcessor or LabelDetectionProcessor; got 'lobby'"),
        ("UpdateStreamProcessor", "update: must be a LabelDetectionUpdate; got 'lobby'"),
        ("StopStreamProcessor", "request: must be a StopRequest; got 'lobby'"),
    ],
)
def test_operation_names_the_parameter_of_a_wrong_request(name: str, message: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        OPERATIONS[name].validate_request("lobby")
    assert str(caught.value) == message


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda operation: operation.name)
@pytest.mark.parametrize("unusual", UNUSUAL_INPUTS)
def test_operation_rejects_each_unusual_request(operation: Operation[object, object], unusual: str) -> None:
    with pytest.raises(InvalidRequestError, match=operation.parameter):
        operation.validate_request(UNUSUAL_INPUTS[unusual]())


def test_operations_are_immutable() -> None:
    with pytest.raises(TypeError):
        OPERATIONS["Other"] = OPERATIONS["TagResource"]  # type: ignore[index]  # pyright: ignore[reportIndexIssue]
