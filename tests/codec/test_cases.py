"""The cases, encoded, decoded and parsed, and validated by botocore."""

from __future__ import annotations

import copy
import json

import boto3
import pytest
from botocore import xform_name
from botocore.stub import Stubber
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from aiorekostream.codec import decode, encode, parse_processor, parse_start, processor_in, to_boto3
from aiorekostream.domain.requests import FaceSearchStart
from aiorekostream.domain.responses import StartedSession
from aiorekostream.domain.selectors import FragmentNumber
from aiorekostream.errors import InvalidRequestError
from aiorekostream.operations import CREATE, OPERATIONS, START
from tests import strategies
from tests.codec.cases import REQUESTS, RESPONSES, CodecCase
from tests.codec.service_model import MODEL, violations
from tests.effort import examples

pytestmark = pytest.mark.filterwarnings("ignore::aiorekostream.errors.AwsGuidanceWarning")
each_request = pytest.mark.parametrize("case", REQUESTS, ids=[f"{i}-{case}" for i, case in enumerate(REQUESTS)])
each_response = pytest.mark.parametrize("case", RESPONSES, ids=[f"{i}-{case}" for i, case in enumerate(RESPONSES)])
REQUEST_CLASSES = [(operation.name, cls) for operation in OPERATIONS.values() for cls in operation.requests]
each_class = pytest.mark.parametrize(
    ("operation", "cls"), REQUEST_CLASSES, ids=lambda value: getattr(value, "__name__", value)
)
PARSERS = {CREATE.name: parse_processor, START.name: parse_start}
_PARSABLE_REQUESTS = [case for case in REQUESTS if case.operation in PARSERS]


def _assert_valid_for_botocore(operation: str, wire: dict[str, object]) -> None:
    shape = MODEL.operation_model(operation).input_shape
    report = ParamValidator().validate(wire, shape)
    assert not report.has_errors(), report.generate_report()
    assert [*violations(shape, wire)] == []


def test_cases_cover_every_request_and_response_of_every_operation() -> None:
    assert {(case.operation, type(case.value)) for case in REQUESTS} == set(REQUEST_CLASSES)
    assert {(case.operation, type(case.value)) for case in RESPONSES} == {
        (operation.name, operation.reply) for operation in OPERATIONS.values()
    }


@each_request
def test_encode_matches_the_case(case: CodecCase) -> None:
    assert encode(case.value) == case.wire


@each_request
def test_case_is_valid_for_botocore(case: CodecCase) -> None:
    _assert_valid_for_botocore(case.operation, dict(case.wire))


@pytest.mark.parametrize("case", _PARSABLE_REQUESTS, ids=[f"{i}-{case}" for i, case in enumerate(_PARSABLE_REQUESTS)])
def test_parse_matches_the_case(case: CodecCase) -> None:
    arguments = copy.deepcopy(dict(case.wire))
    assert PARSERS[case.operation](arguments) == case.value
    assert arguments == case.wire


@each_response
def test_decode_matches_the_case(case: CodecCase) -> None:
    operation = OPERATIONS[case.operation]
    assert decode(case.wire, operation.reply, operation=operation.name) == case.value


@each_response
def test_response_case_is_valid_for_botocore(case: CodecCase) -> None:
    assert [*violations(MODEL.operation_model(case.operation).output_shape, dict(case.wire))] == []


@each_class
@examples(25)
@given(data=st.data())
def test_encoded_request_is_valid_for_botocore(operation: str, cls: type, data: st.DataObject) -> None:
    wire = to_boto3(data.draw(strategies.REQUESTS[cls]))
    assert json.loads(json.dumps(wire)) == wire
    _assert_valid_for_botocore(operation, wire)


@examples(50)
@given(strategies.starts)
def test_parse_start_returns_the_request_that_was_encoded(start: object) -> None:
    assert parse_start(to_boto3(start)) == start


@examples(50)
@given(strategies.processors)
def test_parse_processor_returns_the_processor_that_was_encoded(processor: object) -> None:
    assert parse_processor(to_boto3(processor)) == processor


@each_request
def test_to_boto3_returns_the_arguments_of_the_case_in_a_new_dictionary(case: CodecCase) -> None:
    arguments = to_boto3(case.value)
    assert arguments == case.wire
    arguments.clear()
    assert to_boto3(case.value) == case.wire


@pytest.mark.parametrize(
    "value", [None, "lobby", {"Name": "lobby"}, FragmentNumber("5"), StartedSession(), FaceSearchStart], ids=repr
)
def test_to_boto3_rejects_a_value_that_is_not_a_request(value: object) -> None:
    with pytest.raises(InvalidRequestError, match="value: must be a request, one of FaceSearchProcessor, "):
        to_boto3(value)


def test_to_boto3_is_accepted_by_the_method_of_boto3() -> None:
    client = boto3.client("rekognition", region_name="us-east-1")
    with Stubber(client) as stubber:
        for case in REQUESTS:
            method = xform_name(case.operation)
            stubber.add_response(method, {}, dict(case.wire))
            getattr(client, method)(**to_boto3(case.value))
        stubber.assert_no_pending_responses()
    client.close()


@each_request
def test_processor_in_returns_the_name_of_the_processor(case: CodecCase) -> None:
    """The name, or the last part of the ARN."""
    expected = {"ListStreamProcessors": None}.get(case.operation, case.wire.get("Name", "front-door"))
    assert processor_in(case.wire) == expected
