from __future__ import annotations

import math
from typing import Any

import botocore.session
import hypothesis.strategies as st
import pytest
from hypothesis import given

from aiorekostream.emulator.model import load_model
from aiorekostream.emulator.world import OPERATIONS
from aiorekostream.emulator.world.model_validator import ModelValidator
from aiorekostream.limits import DEFAULT_LIMITS, Limits
from tests.emulator.samples import faces, labels, session

VALIDATOR = ModelValidator(load_model(), OPERATIONS, DEFAULT_LIMITS)
ARN = "arn:aws:rekognition:us-east-1:111122223333:streamprocessor/door"
CREATE, START, TAG = "CreateStreamProcessor", "StartStreamProcessor", "TagResource"


def test_model_has_the_members_that_botocore_loads() -> None:
    theirs: Any = botocore.session.get_session().get_service_model("rekognition")
    for operation in OPERATIONS:
        shape = theirs.operation_model(operation).input_shape
        ours = load_model()["shapes"][shape.name]
        assert list(ours.get("members", {})) == list(shape.members)


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        (CREATE, labels("door", Tags={"team": "doors", "größe": "1 m"}, KmsKeyId="alias/doors")),
        (CREATE, faces("lobby")),
        (CREATE, faces("lobby", RoleArn="arn:aws-us-gov:iam::111122223333:role/service/Rekognition")),
        (CREATE, labels("x", NotificationChannel={"SNSTopicArn": "arn:aws-cn:sns:cn-north-1:111122223333:doors"})),
        (CREATE, labels("x", KmsKeyId=None, Tags={})),
        (START, session("door")),
        (START, {"Name": "lobby", "StartSelector": None}),
        ("ListStreamProcessors", {}),
        ("ListStreamProcessors", {"MaxResults": 2**31 - 1}),
        (TAG, {"ResourceArn": ARN, "Tags": {"a": ""}}),
    ],
)
def test_request_that_the_model_allows_has_no_error(operation: str, request_: dict[str, Any]) -> None:
    assert VALIDATOR.request_error(operation, request_) is None


@pytest.mark.parametrize(
    ("operation", "request_", "word"),
    [
        (START, {}, "Name is required"),
        (START, {"Name": None}, "Name is required"),
        (START, {"Name": ""}, "Name must be at least 1"),
        (START, {"Name": "a" * 129}, "Name must be at most 128"),
        (START, {"Name": "a b"}, "Name does not match"),
        (START, {"Name": "door\n"}, "Name does not match"),
        (START, {"Name": "door", "Selector": {}}, "Selector is not a member"),
        (START, {"Name": "door", "StopSelector": {"maxDurationInSeconds": 5}}, "is not a member"),
        (START, {"Name": "door", "StopSelector": {"MaxDurationInSeconds": 0}}, "at least 1"),
        (START, {"Name": "door", "StopSelector": {"MaxDurationInSeconds": 121}}, "at most 120"),
        (START, {"Name": "d", "StartSelector": {"KVSStreamStartSelector": {"FragmentNumber": "12x"}}}, "match"),
        (START, {"Name": "d", "StartSelector": {"KVSStreamStartSelector": {"FragmentNumber": "١٢"}}}, "match"),
        (START, {"Name": "d", "StartSelector": {"KVSStreamStartSelector": {"ProducerTimestamp": -1}}}, "at least 0"),
        (CREATE, labels("x", RoleArn="arn:aws:iam::1:role/R"), "RoleArn does not match"),
        (CREATE, labels("x", Tags={"aws:x": "1"}), "does not match"),
        (CREATE, labels("x", Tags={"a": "€"}), "does not match"),
        (CREATE, labels("x", Tags={"a": "b" * 257}), "at most 256"),
        (CREATE, labels("x", Output={"S3Destination": {"Bucket": "ab"}}), "at least 3"),
        (CREATE, labels("x", Settings={"ConnectedHome": {"Labels": ["PET"] * 129}}), "at most 128"),
        (CREATE, labels("x", Settings={"ConnectedHome": {"Labels": ["PET"], "MinConfidence": 101}}), "at most 100"),
        ("UpdateStreamProcessor", {"Name": "x", "ParametersToDelete": ["Labels"]}, "must be one of"),
        ("ListStreamProcessors", {"MaxResults": 0}, "at least 1"),
        ("ListStreamProcessors", {"NextToken": "x" * 256}, "at most 255"),
        (TAG, {"ResourceArn": "short", "Tags": {}}, "at least 20"),
        (TAG, {"ResourceArn": ARN, "Tags": {str(n): "" for n in range(201)}}, "at most 200"),
    ],
)
def test_request_that_the_model_forbids_is_an_invalid_parameter(
    operation: str, request_: dict[str, Any], word: str
) -> None:
    refusal = VALIDATOR.request_error(operation, request_)
    assert refusal is not None
    assert refusal.code == "InvalidParameterException"
    assert refusal.message is not None
    assert refusal.message.startswith("Request has invalid parameters. ")
    assert word in refusal.message


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        (START, {"Name": 5}),
        (START, {"Name": ["door"]}),
        (START, {"Name": "door", "StopSelector": []}),
        (START, {"Name": "door", "StopSelector": {"MaxDurationInSeconds": "5"}}),
        (START, {"Name": "door", "StopSelector": {"MaxDurationInSeconds": 5.0}}),
        (START, {"Name": "door", "StopSelector": {"MaxDurationInSeconds": True}}),
        (START, {"Name": "d", "StartSelector": {"KVSStreamStartSelector": {"ProducerTimestamp": 2**63}}}),
        ("ListStreamProcessors", {"MaxResults": 2**31}),
        (CREATE, labels("x", Tags=[])),
        (CREATE, labels("x", Tags={"a": 1})),
        (CREATE, labels("x", Tags={"a": None})),
        (CREATE, labels("x", DataSharingPreference={"OptIn": 1})),
        (CREATE, labels("x", RegionsOfInterest=[None])),
        (CREATE, labels("x", Settings={"ConnectedHome": {"Labels": "PET"}})),
        (CREATE, labels("x", Settings={"ConnectedHome": {"Labels": ["PET"], "MinConfidence": math.inf}})),
        (CREATE, labels("x", Settings={"ConnectedHome": {"Labels": ["PET"], "MinConfidence": 10**400}})),
    ],
)
def test_wrong_json_type_is_a_serialization_error(operation: str, request_: dict[str, Any]) -> None:
    refusal = VALIDATOR.request_error(operation, request_)
    assert refusal is not None
    assert (refusal.code, refusal.status) == ("SerializationException", 400)


def test_limits_replace_the_maximums_of_the_model() -> None:
    roomy = ModelValidator(load_model(), OPERATIONS, Limits(max_duration_in_seconds=600, max_tags=500))
    assert roomy.request_error(START, session("door", seconds=600)) is None
    assert roomy.request_error(START, session("door", seconds=601)) is not None
    assert roomy.request_error(TAG, {"ResourceArn": ARN, "Tags": {str(n): "" for n in range(500)}}) is None


def test_response_that_the_model_forbids_has_an_error() -> None:
    assert VALIDATOR.response_error("ListTagsForResource", {"Tags": {}}) is None
    assert VALIDATOR.response_error("ListTagsForResource", {"tags": {}}) is not None
    assert VALIDATOR.response_error("StartStreamProcessor", {"SessionId": 1}) is not None
    assert VALIDATOR.response_error("DescribeStreamProcessor", {"Status": "GONE"}) is not None
    assert VALIDATOR.response_error("DescribeStreamProcessor", {"CreationTimestamp": "today"}) is not None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["Name", "Tags", "Input", "Arn"]), inner)
    ),
)


@given(operation=st.sampled_from(OPERATIONS), request_=st.dictionaries(st.sampled_from(["Name", "Tags", "X"]), _JSON))
def test_any_json_is_accepted_or_refused(operation: str, request_: dict[str, Any]) -> None:
    refusal = VALIDATOR.request_error(operation, request_)
    assert refusal is None or refusal.code in {"InvalidParameterException", "SerializationException"}
