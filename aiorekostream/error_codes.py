"""Say what each error code of AWS means: the class of its error, and whether a retry may succeed. Pure.

This is the only table of codes. A code that it does not name is judged by its HTTP status.
"""

from __future__ import annotations

import enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import attrs

from aiorekostream import errors

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ERROR_CODES", "Category", "ErrorCode", "category_of", "error_class"]

_REQUEST_TIMEOUT = 408
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500


class Category(enum.StrEnum):
    """The category of an error code, by what a caller can expect of a retry."""

    THROTTLING = "throttling"
    """Refused because calls come too fast. Never applied; a retry succeeds at a lower rate."""
    TRANSIENT = "transient"
    """The service or a part before it failed. The call may have been applied; a retry may succeed."""
    HARD = "hard"
    """Refused for a reason that a retry does not change. Never applied."""
    UNSPECIFIED = "unspecified"
    """Neither the code nor the HTTP status is known. The call may have been applied, so it is not retried."""


@attrs.frozen(eq=False, repr=False)
class ErrorCode:
    """The meaning of one code.

    Attributes:
        error: the class of the error.
        category: what a retry can achieve.
    """

    error: type[errors.ServiceError]
    category: Category


_THROTTLED = ErrorCode(errors.ThrottlingError, Category.THROTTLING)
_FAILED = ErrorCode(errors.InternalServerError, Category.TRANSIENT)
_DENIED = ErrorCode(errors.AccessDeniedError, Category.HARD)
_ABSENT = ErrorCode(errors.ResourceNotFoundError, Category.HARD)
_LOST = ErrorCode(errors.ServiceError, Category.TRANSIENT)
_REFUSED = ErrorCode(errors.ServiceError, Category.HARD)

ERROR_CODES: Final[Mapping[str, ErrorCode]] = MappingProxyType(
    {
        # Rekognition's own: https://docs.aws.amazon.com/rekognition/latest/dg/error-handling.html and botocore's model.
        "AccessDeniedException": _DENIED,
        "InternalServerError": _FAILED,
        "InvalidPaginationTokenException": ErrorCode(errors.InvalidPaginationTokenError, Category.HARD),
        "InvalidParameterException": ErrorCode(errors.InvalidParameterError, Category.HARD),
        # botocore counts this one among throttling. Here it is the number of processors, which waiting does not change.
        "LimitExceededException": ErrorCode(errors.LimitExceededError, Category.HARD),
        "ProvisionedThroughputExceededException": ErrorCode(
            errors.ProvisionedThroughputExceededError, Category.THROTTLING
        ),
        "ResourceInUseException": ErrorCode(errors.ResourceInUseError, Category.HARD),
        "ResourceNotFoundException": _ABSENT,
        "ServiceQuotaExceededException": ErrorCode(errors.ServiceQuotaExceededError, Category.HARD),
        "ThrottlingException": _THROTTLED,
        # Shared by AWS's services: https://docs.aws.amazon.com/rekognition/latest/APIReference/CommonErrors.html.
        "AccessDenied": _DENIED,
        "ExpiredTokenException": _REFUSED,
        "IncompleteSignature": _REFUSED,
        "InternalFailure": _FAILED,
        "MalformedHttpRequestException": _REFUSED,
        "NotAuthorized": _REFUSED,
        "OptInRequired": _REFUSED,
        # The only answer below 500 beside a timeout that does not say whether the call was applied.
        "RequestAbortedException": _LOST,
        "RequestEntityTooLargeException": _REFUSED,
        "RequestTimeoutException": _LOST,
        "ServiceUnavailable": _FAILED,
        "UnknownOperationException": _REFUSED,
        "UnrecognizedClientException": _REFUSED,
        "ValidationError": _REFUSED,
        # Of SQS and S3, which carry results: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
        # and https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.
        "AWS.SimpleQueueService.NonExistentQueue": _ABSENT,
        "KMS.ThrottlingException": _THROTTLED,
        "KMSThrottlingException": _THROTTLED,  # of Kinesis: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
        "KmsThrottled": _THROTTLED,
        "NoSuchBucket": _ABSENT,
        "NoSuchKey": _ABSENT,
        "OverLimit": _THROTTLED,  # 120,000 messages in flight
        "QueueDoesNotExist": _ABSENT,
        # Spelt so by other services and by proxies: botocore/retries/standard.py (ThrottledRetryableChecker,
        # TransientRetryableChecker) and botocore/data/_retry.json.
        "BandwidthLimitExceeded": _THROTTLED,
        "InternalError": _FAILED,
        "InternalServerException": _FAILED,
        "RequestExpired": _REFUSED,
        "RequestLimitExceeded": _THROTTLED,
        "RequestThrottled": _THROTTLED,
        "RequestThrottledException": _THROTTLED,
        "RequestTimeTooSkewed": _REFUSED,
        "RequestTimeout": _LOST,
        "ServiceUnavailableException": _FAILED,
        "SlowDown": _THROTTLED,
        "SubscriptionRequiredException": _REFUSED,
        "Throttling": _THROTTLED,
        "ThrottledException": _THROTTLED,
        "TooManyRequestsException": _THROTTLED,
    }
)


def error_class(code: str) -> type[errors.ServiceError]:
    """Return the class of a code's error; ``ServiceError`` for a code without a class of its own."""
    known = ERROR_CODES.get(code)
    return errors.ServiceError if known is None else known.error


def category_of(code: str, http_status: int) -> Category:
    """Return the category of a code, or of the HTTP status where the code is unknown.

    Args:
        code: AWS's error code without its namespace.
        http_status: the HTTP status of the answer; 0 if it is unknown.
    """
    known = ERROR_CODES.get(code)
    if known is not None:
        return known.category
    if http_status == _TOO_MANY_REQUESTS:
        return Category.THROTTLING
    if http_status == _REQUEST_TIMEOUT or http_status >= _SERVER_ERROR:
        return Category.TRANSIENT
    return Category.HARD if http_status > 0 else Category.UNSPECIFIED
