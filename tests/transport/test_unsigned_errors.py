"""Errors before a call is signed are those of the configuration, or transient."""

from __future__ import annotations

import itertools

import botocore.exceptions
import pytest

from aiorekostream import errors
from aiorekostream.transport.attempts import Attempt
from aiorekostream.transport.error_mapping import translated
from aiorekostream.transport.unsigned_errors import configuration_error

START = "StartStreamProcessor"


def test_refusal_of_the_credential_provider_is_configuration() -> None:
    refused = botocore.exceptions.ClientError({"Error": {"Code": "AccessDenied"}}, "AssumeRole")
    fault = translated(refused, Attempt(START, idempotent=False))
    assert type(fault) is errors.ConfigurationError
    assert "AssumeRole" in str(fault)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("Throttling", 400),
        ("ThrottlingException", 400),
        ("TooManyRequestsException", 429),
        ("ServiceUnavailable", 503),
        ("InternalFailure", 500),
        ("TomorrowsException", 500),
        ("IDPCommunicationError", 400),
    ],
)
def test_transient_refusal_of_the_credential_provider_is_unsent(code: str, status: int) -> None:
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    fault = translated(botocore.exceptions.ClientError(response, "AssumeRole"), Attempt(START, idempotent=False))
    assert type(fault) is errors.ConnectError
    assert fault.retry_safe
    assert fault.operation == START
    assert "AssumeRole" in str(fault)


def _chained(*chain: Exception) -> Exception:
    """The first of these errors, each raised while the next one was handled."""
    for error, context in itertools.pairwise(chain):
        error.__context__ = context
    return chain[0]


_SILENCE = botocore.exceptions.ConnectTimeoutError(endpoint_url="http://169.254.170.2", error=TimeoutError())


@pytest.mark.parametrize(
    "error",
    [
        botocore.exceptions.CredentialRetrievalError(provider="iam-role", error_msg="did not contain: access_key"),
        _chained(botocore.exceptions.MetadataRetrievalError(error_msg="x"), _SILENCE),
        _chained(
            botocore.exceptions.CredentialRetrievalError(provider="container-role", error_msg="x"),
            botocore.exceptions.MetadataRetrievalError(error_msg="x"),
            _SILENCE,
        ),
    ],
)
def test_silent_machine_credentials_leave_the_call_unsent(error: Exception) -> None:
    fault = translated(error, Attempt(START, idempotent=False))
    assert type(fault) is errors.ConnectError
    assert "the credentials could not be fetched" in str(fault)


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError("no such credential_process"),
        PermissionError("the config file belongs to another user"),
        botocore.exceptions.HTTPClientError(error=FileNotFoundError("no such certificate bundle")),
        botocore.exceptions.CredentialRetrievalError(provider="custom-process", error_msg="it says no"),
        botocore.exceptions.MetadataRetrievalError(error_msg="Received non 200 response 403"),
        botocore.exceptions.SSOError(),
    ],
)
def test_lasting_credential_failure_is_configuration(error: Exception) -> None:
    assert type(translated(error, Attempt(START, idempotent=False))) is errors.ConfigurationError


def test_unreachable_credential_provider_leaves_the_call_unsent() -> None:
    lost = botocore.exceptions.ReadTimeoutError(endpoint_url="https://sts.amazonaws.com", error=TimeoutError())
    fault = translated(lost, Attempt(START, idempotent=False))
    assert type(fault) is errors.ConnectError
    assert "credentials" in str(fault)


def test_configuration_error_has_the_message_of_botocore() -> None:
    assert "ValueError: odd" in str(configuration_error(ValueError("odd")))
