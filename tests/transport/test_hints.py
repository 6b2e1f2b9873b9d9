"""Hints of errors, with the numbers of the account and the page of AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest

from aiorekostream.limits import DEFAULT_LIMITS, Limits, Quota
from aiorekostream.operations import OPERATIONS
from aiorekostream.transport.hints import advise

if TYPE_CHECKING:
    from collections.abc import Mapping

_FACES = {"Settings": {"FaceSearch": {"CollectionId": "staff"}}}
_LABELS = {"Settings": {"ConnectedHome": {"Labels": ["PERSON"]}}}
_CREATE, _START, _STOP = "CreateStreamProcessor", "StartStreamProcessor", "StopStreamProcessor"
_RUN = {"Name": "a", "StopSelector": {"MaxDurationInSeconds": 10}}


def _hint(
    code: str,
    operation: str,
    body: Mapping[str, object] | None = None,
    *,
    message: str = "",
    region: str | None = "us-east-1",
    limits: Limits = DEFAULT_LIMITS,
) -> str:
    return advise(code, message, operation=operation, region=region, body=body or {}, limits=limits)


@pytest.mark.parametrize(
    ("operation", "body", "region", "says"),
    [
        (_CREATE, _FACES, "us-east-2", "face search is offered in ap-northeast-1, eu-central-1, eu-west-1"),
        (_CREATE, _LABELS, "eu-central-1", "label detection is offered in ap-south-1, eu-west-1"),
        (_START, _RUN, "eu-central-1", "label detection is offered in ap-south-1, eu-west-1"),
        (_START, {"Name": "a"}, "ap-south-1", "face search is offered in ap-northeast-1"),
        ("UpdateStreamProcessor", {"Name": "a"}, "ap-northeast-1", "label detection is offered in"),
        ("ListStreamProcessors", {}, "ap-southeast-2", "face search is offered in"),
        ("ListStreamProcessors", {}, "ap-southeast-2", "label detection is offered in"),
    ],
)
@pytest.mark.parametrize("message", ["", "User is not authorized"])
def test_denial_names_the_regions_when_the_kind_is_not_offered(
    operation: str, body: Mapping[str, object], region: str, says: str, message: str
) -> None:
    hint = _hint("AccessDeniedException", operation, body, region=region, message=message)
    assert f"Not in {region}" in hint
    assert says in hint
    assert "general/latest/gr/rekognition.html" in hint


def test_regions_are_those_of_the_limits_in_force() -> None:
    limits = attrs.evolve(DEFAULT_LIMITS, concurrent_label_detection={"mars-1": 5})
    assert "Not in" not in _hint("AccessDeniedException", _START, _RUN, region="mars-1", limits=limits)


@pytest.mark.parametrize("region", ["us-east-1", None])
def test_blank_denial_names_the_action_and_the_closure(region: str | None) -> None:
    hint = _hint("AccessDeniedException", _START, _RUN, region=region)
    assert "rekognition:StartStreamProcessor" in hint
    assert "2026-04-30" in hint
    assert "rekognition-availability-changes.html" in hint


def test_denied_creation_reminds_of_passing_the_role() -> None:
    assert "iam:PassRole" in _hint("AccessDeniedException", _CREATE, _LABELS)


@pytest.mark.parametrize("message", ["", "User is not authorized"])
def test_denied_stop_says_that_stopping_is_an_action_of_its_own(message: str) -> None:
    assert "action of its own" in _hint("AccessDeniedException", _STOP, message=message)


def test_denial_that_explains_itself_needs_no_hint() -> None:
    assert not _hint("AccessDeniedException", _START, _RUN, message="User: x is not authorized to perform: y")


@pytest.mark.parametrize("code", ["ThrottlingException", "ProvisionedThroughputExceededException", "Throttling"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_throttling_names_the_quota_and_its_rate(code: str, operation: str) -> None:
    quota = DEFAULT_LIMITS.quotas[operation]
    hint = _hint(code, operation)
    assert f"{quota.rate:g} times a second" in hint
    assert quota.code in hint


def test_quota_is_that_of_the_limits_in_force() -> None:
    limits = attrs.evolve(DEFAULT_LIMITS, quotas={_STOP: Quota(7.5, 8, "L-1"), _START: None})
    assert "7.5 times a second" in _hint("ThrottlingException", _STOP, limits=limits)
    assert not _hint("ThrottlingException", _START, limits=limits)


def test_quota_without_a_code_has_no_empty_name() -> None:
    limits = attrs.evolve(DEFAULT_LIMITS, quotas={_STOP: Quota(7.5, 8)})
    assert ": a quota that AWS can raise" in _hint("ThrottlingException", _STOP, limits=limits)


@pytest.mark.parametrize(
    ("body", "region", "says"),
    [
        (_RUN, "us-east-1", ("200 at once", "label detection", "L-0A2A7683")),
        ({"Name": "a"}, "us-east-1", ("10 at once", "face search", "L-8D9029A2")),
        (_RUN, None, ("a number at once", "L-0A2A7683")),
        (_RUN, "mars-1", ("a number at once", "L-0A2A7683")),
    ],
)
def test_limit_on_starting_is_that_of_running_sessions(
    body: Mapping[str, object], region: str | None, says: tuple[str, ...]
) -> None:
    hint = _hint("LimitExceededException", _START, body, region=region)
    assert all(part in hint for part in says)


@pytest.mark.parametrize(
    ("message", "number"), [("", "10,000"), ("Stream processor limit exceeded for account, limit - 10", "have 10 ")]
)
def test_limit_on_creating_is_that_of_processors(message: str, number: str) -> None:
    hint = _hint("LimitExceededException", _CREATE, _LABELS, message=message)
    assert number in hint
    assert "L-01C8D885" in hint


@pytest.mark.parametrize("operation", ["TagResource", _CREATE])
def test_quota_on_counts_names_the_number_of_tags(operation: str) -> None:
    assert "200 tags" in _hint("ServiceQuotaExceededException", operation)


@pytest.mark.parametrize(
    ("operation", "says"),
    [
        (_CREATE, "name"),
        (_START, "neither STOPPED nor FAILED"),
        (_STOP, "nothing to stop"),
        ("UpdateStreamProcessor", "STOPPED"),
        ("DeleteStreamProcessor", "Stop it first"),
        ("ListStreamProcessors", ""),
    ],
)
def test_resource_in_use_hint_names_the_next_step(operation: str, says: str) -> None:
    hint = _hint("ResourceInUseException", operation)
    assert says in hint
    assert bool(hint) is bool(says)


@pytest.mark.parametrize(
    ("code", "operation", "says"),
    [
        ("InvalidParameterException", _START, "a face search with neither"),
        ("InvalidParameterException", "UpdateStreamProcessor", "Only a label detection"),
        ("InvalidPaginationTokenException", "ListStreamProcessors", "first page"),
        ("ResourceNotFoundException", _START, "us-east-1"),
        ("UnknownOperationException", _START, "endpoint"),
        ("ExpiredTokenException", _START, "new ones"),
        ("UnrecognizedClientException", _START, "access key"),
        ("InvalidSignatureException", _START, "clock"),
        ("OptInRequired", _START, "opt in"),
        ("RequestTimeTooSkewed", _START, "clock"),
        ("RequestExpired", _START, "clock"),
        ("SubscriptionRequiredException", _START, "sign-up"),
        ("503", _START, "load balancer"),
        ("LimitExceededException", "TagResource", "limit of the account"),
    ],
)
def test_other_errors_have_their_hints(code: str, operation: str, says: str) -> None:
    assert says in _hint(code, operation)


@pytest.mark.parametrize("code", ["InvalidSignatureException", "SignatureDoesNotMatch"])
def test_region_that_the_endpoint_does_not_know_is_named(code: str) -> None:
    message = "Credential should be scoped to a valid region."
    hint = _hint(code, _START, region="us-east-1a", message=message)
    assert "does not know the Region 'us-east-1a'" in hint
    assert "clock" not in hint
    assert "does not know the Region:" in _hint(code, _START, region=None, message=message)


@pytest.mark.parametrize("code", ["InternalServerError", "TomorrowsException", "", "InvalidParameterException"])
def test_unknown_error_has_no_hint(code: str) -> None:
    assert not _hint(code, _CREATE, {"Settings": "odd"})
