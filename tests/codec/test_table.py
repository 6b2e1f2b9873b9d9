"""The table of cases, in both directions, and what botocore says of each message."""

from __future__ import annotations

import copy
import json

import pytest
from botocore.validate import ParamValidator
from hypothesis import given, settings
from hypothesis import strategies as st

from aiorekostream.codec import decode, encode, parse_processor, parse_start
from aiorekostream.operations import CREATE, OPERATIONS, START
from tests import strategies
from tests.codec.cases import REPLIES, REQUESTS, Case
from tests.codec.model import MODEL, complaints

each_request = pytest.mark.parametrize("case", REQUESTS, ids=[f"{i}-{case}" for i, case in enumerate(REQUESTS)])
each_reply = pytest.mark.parametrize("case", REPLIES, ids=[f"{i}-{case}" for i, case in enumerate(REPLIES)])
REQUEST_CLASSES = [(operation.name, cls) for operation in OPERATIONS.values() for cls in operation.requests]
each_class = pytest.mark.parametrize(("operation", "cls"), REQUEST_CLASSES, ids=lambda it: getattr(it, "__name__", it))
PARSERS = {CREATE.name: parse_processor, START.name: parse_start}
_PARSED = [case for case in REQUESTS if case.operation in PARSERS]


def _agrees(operation: str, wire: dict[str, object]) -> None:
    shape = MODEL.operation_model(operation).input_shape
    report = ParamValidator().validate(wire, shape)
    assert not report.has_errors(), report.generate_report()
    assert [*complaints(shape, wire)] == []


def test_the_table_has_every_operation_and_every_request_and_reply() -> None:
    assert {(case.operation, type(case.value)) for case in REQUESTS} == set(REQUEST_CLASSES)
    assert {(case.operation, type(case.value)) for case in REPLIES} == {
        (operation.name, operation.reply) for operation in OPERATIONS.values()
    }


@each_request
def test_a_request_is_written_as_the_table_says(case: Case) -> None:
    assert encode(case.value) == case.wire


@each_request
def test_botocore_agrees_with_the_table(case: Case) -> None:
    _agrees(case.operation, dict(case.wire))


@pytest.mark.parametrize("case", _PARSED, ids=[f"{i}-{case}" for i, case in enumerate(_PARSED)])
def test_boto3s_arguments_are_read_as_the_table_says(case: Case) -> None:
    arguments = copy.deepcopy(dict(case.wire))
    assert PARSERS[case.operation](arguments) == case.value
    assert arguments == case.wire


@each_reply
def test_a_reply_is_read_as_the_table_says(case: Case) -> None:
    operation = OPERATIONS[case.operation]
    assert decode(case.wire, operation.reply, operation=operation.name) == case.value


@each_reply
def test_the_replies_of_the_table_are_replies_of_botocores_model(case: Case) -> None:
    assert [*complaints(MODEL.operation_model(case.operation).output_shape, dict(case.wire))] == []


@each_class
@settings(max_examples=25)
@given(data=st.data())
def test_botocore_agrees_with_every_request_that_can_be_made(operation: str, cls: type, data: st.DataObject) -> None:
    wire = encode(data.draw(strategies.REQUESTS[cls]))
    assert json.loads(json.dumps(wire)) == wire
    _agrees(operation, wire)


@settings(max_examples=50)
@given(strategies.starts)
def test_every_start_is_read_back_from_what_is_sent(start: object) -> None:
    assert parse_start(encode(start)) == start


@settings(max_examples=50)
@given(strategies.processors)
def test_every_processor_is_read_back_from_what_is_sent(processor: object) -> None:
    assert parse_processor(encode(processor)) == processor
