from __future__ import annotations

import copy

import pytest

from aiorekostream import errors
from aiorekostream.retry.classify import is_retryable, is_throttling

_OPERATION = "StartStreamProcessor"


def _refusal(cls: type[errors.ServiceError], code: str, status: int = 400, *, retry_safe: bool) -> errors.ServiceError:
    return cls("", operation=_OPERATION, code=code, http_status=status, retry_safe=retry_safe)


_HARMLESS_AND_HOPEFUL = [
    _refusal(errors.ThrottlingError, "ThrottlingException", retry_safe=True),
    _refusal(errors.ThrottlingError, "ThrottlingException", 500, retry_safe=True),
    _refusal(errors.ProvisionedThroughputExceededError, "ProvisionedThroughputExceededException", retry_safe=True),
    _refusal(errors.ServiceError, "TooManyRequestsException", 429, retry_safe=True),
    _refusal(errors.ServiceError, "429", 429, retry_safe=True),
    _refusal(errors.ServiceError, "RequestTimeoutException", 408, retry_safe=True),
    _refusal(errors.ServiceError, "503", 503, retry_safe=True),
    _refusal(errors.InternalServerError, "InternalServerError", 500, retry_safe=True),
    errors.ConnectError("refused", operation=_OPERATION, retry_safe=True),
    errors.ConnectionLostError("reset", operation=_OPERATION, retry_safe=True),
    errors.MalformedResponseError([], operation=_OPERATION, retry_safe=True),
]
_HOPELESS = [
    _refusal(errors.AccessDeniedError, "AccessDeniedException", retry_safe=True),
    _refusal(errors.InvalidPaginationTokenError, "InvalidPaginationTokenException", retry_safe=True),
    _refusal(errors.InvalidParameterError, "InvalidParameterException", retry_safe=True),
    _refusal(errors.LimitExceededError, "LimitExceededException", retry_safe=True),
    _refusal(errors.ResourceInUseError, "ResourceInUseException", retry_safe=True),
    _refusal(errors.ResourceNotFoundError, "ResourceNotFoundException", retry_safe=True),
    _refusal(errors.ServiceQuotaExceededError, "ServiceQuotaExceededException", retry_safe=True),
    _refusal(errors.ServiceError, "UnrecognizedClientException", 403, retry_safe=True),
    errors.InvalidRequestError([]),
    errors.ConfigurationError("closed"),
    errors.InvalidSignatureError("forged"),
    errors.MalformedEventError([]),
    errors.ConsumerLeaseError("held by another consumer"),
    errors.RateLimitedError("used up", operation=_OPERATION, retry_after=1),
    errors.UnknownOutcomeError("lost", operation=_OPERATION),
    errors.NotSentError(name="a"),
    errors.ProcessorBusyError(name="a"),
    errors.RequestCancelledError(name="a"),
    errors.StreamProcessorFailedError(name="a", status_message=None),
    errors.WaitTimeoutError(name="a", wanted="running", status=None, seconds=1),
    errors.DeadlineExceededError("late", operation=_OPERATION, deadline=1, retry_safe=True),
]


def _name(error: errors.RekostreamError) -> str:
    return f"{type(error).__name__}-{getattr(error, 'code', '')}-{getattr(error, 'http_status', '')}"


@pytest.mark.parametrize("error", _HARMLESS_AND_HOPEFUL, ids=_name)
def test_transient_error_is_retryable_when_retry_safe(error: errors.RekostreamError) -> None:
    assert is_retryable(error)


@pytest.mark.parametrize("error", _HARMLESS_AND_HOPEFUL, ids=_name)
def test_ambiguous_error_is_not_retryable(error: errors.RekostreamError) -> None:
    ambiguous = copy.copy(error)
    ambiguous.retry_safe = False
    assert not is_retryable(ambiguous)


@pytest.mark.parametrize("error", _HOPELESS, ids=_name)
def test_lasting_error_is_not_retryable(error: errors.RekostreamError) -> None:
    assert not is_retryable(error)


def test_tables_classify_every_error_class() -> None:
    judged = {type(error) for error in (*_HARMLESS_AND_HOPEFUL, *_HOPELESS)}
    bases = {errors.RekostreamError, errors.CallError, errors.TransportError}
    assert judged == {getattr(errors, name) for name in errors.__all__ if name.endswith("Error")} - bases


@pytest.mark.parametrize("code", ["LimitExceededException", "ServiceQuotaExceededException"])
def test_session_limit_is_not_throttling(code: str) -> None:
    assert not is_throttling(_refusal(errors.ServiceError, code, retry_safe=True))


def test_foreign_error_is_not_retryable() -> None:
    assert not is_retryable(ValueError("a bug"))
