"""Map the exceptions of botocore and aiohttp to the package's own errors.

Nothing here moves bytes: an ``Attempt`` says how far the call came, the exception says what stopped it. Three rules
decide whether the service may have applied the call:

- Nothing is sent before the request is signed. An earlier failure (credentials, Region, a hook of the user's) is one of
  the configuration, or a transient one of the credential provider.
- A request that found no connection was never sent: refused, unknown host, TLS, proxy, connect timeout.
- Everything later may have been applied, unless the service says that it refused.

Errors are told apart by their code: Rekognition answers nearly all of them with HTTP 400. What codes mean is in
``error_codes.py``.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import aiohttp
from botocore import exceptions as botocore

from aiorekostream import errors
from aiorekostream.error_codes import Category, category_of, error_class
from aiorekostream.transport import misconfiguration
from aiorekostream.transport.attempts import Answer, Attempt, seconds
from aiorekostream.transport.unsigned_errors import (
    LOST_IN_THE_NETWORK,
    cause_of,
    configuration_error,
    described,
    mapping,
    unsigned_error,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["malformed_response", "refused_address", "service_error", "translated"]

_PROXY_AUTHENTICATION_REQUIRED = 407
_FIRST_ERROR = 400

# These stop the HTTP client itself before it connects: a bad address, header, proxy setting or certificate bundle.
_SET_UP_CAUSES = (
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
    botocore.InvalidProxiesConfigError,
    FileNotFoundError,
    ValueError,
)

# No connection was made: an unknown host, a refusal, a certificate, or a connect timeout.
_NOT_CONNECTED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, botocore.ConnectTimeoutError)
# The connection was closed or reset.
_CLOSED = (
    aiohttp.ClientConnectionResetError,
    aiohttp.ClientOSError,
    aiohttp.ClientPayloadError,
    aiohttp.ServerDisconnectedError,
    botocore.ConnectionClosedError,
    ConnectionError,
)
# The connection may still be open.
_SILENT = (TimeoutError, botocore.ReadTimeoutError, botocore.ConnectTimeoutError)
# The network between is gone, so the service did not see the connection end.
_SILENT_ERRNOS = (errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN)


def translated(error: Exception, attempt: Attempt) -> errors.RekostreamError:
    """Return the error of this package that an exception of an attempt means."""
    if isinstance(error, errors.RekostreamError):
        return error
    if isinstance(error, botocore.ClientError):
        # While the request is signed, credentials may call STS or SSO: their refusals are none of this operation's.
        is_ours = error.operation_name == attempt.operation
        return _refused(error, attempt) if is_ours else unsigned_error(error, attempt.operation, attempt.secrets)
    cause = cause_of(error)
    if isinstance(cause, errors.RekostreamError):
        return cause
    if not attempt.signed:
        return _stopped_before_signing(error, attempt)
    # The clients of other services note only that they hand the request to aiohttp. Their calls are idempotent, so the
    # kind of the error may show that no connection was made.
    if not attempt.sent or (attempt.idempotent and isinstance(cause, _NOT_CONNECTED)):
        return _stopped_before_sending(cause, attempt)
    return _stopped_after_sending(error, attempt)


def _refused(error: botocore.ClientError, attempt: Attempt) -> errors.RekostreamError:
    found = service_error(error.response, attempt)
    if found.http_status == _PROXY_AUTHENTICATION_REQUIRED:  # AWS never answers so
        return errors.ConfigurationError(misconfiguration.PROXY_AUTHENTICATION)
    return found


def refused_address(error: Exception) -> str:
    """Return the address, of the endpoint or of its proxy, where nothing listens; empty for any other error."""
    cause = cause_of(error)
    if isinstance(cause, aiohttp.ClientConnectorError) and cause.errno == errno.ECONNREFUSED:
        return f"{cause.host}:{cause.port}"
    return ""


def service_error(response: Mapping[str, object], attempt: Attempt) -> errors.ServiceError:
    """Return the error that botocore's parsed error response describes."""
    error = mapping(response.get("Error"))
    metadata = mapping(response.get("ResponseMetadata"))
    headers = mapping(metadata.get("HTTPHeaders"))
    status = metadata.get("HTTPStatusCode")
    request_id = metadata.get("RequestId") or headers.get("x-amzn-requestid")
    date = _text(headers.get("date")) or None
    answer = Answer(
        status if isinstance(status, int) else 0,
        _text(request_id) or None,
        date,
        seconds(_text(headers.get("retry-after")) or None, since=date),
    )
    code = _code(error.get("Code"), headers.get("x-amzn-errortype"))
    return _service_error(code or str(answer.status or ""), _text(error.get("Message")), attempt, answer)


def _service_error(code: str, message: str, attempt: Attempt, answer: Answer) -> errors.ServiceError:
    category = category_of(code, answer.status)
    clean = attempt.secrets.clean
    return error_class(code)(
        clean(message),
        operation=attempt.operation,
        code=clean(code),
        http_status=answer.status,
        request_id=answer.request_id and clean(answer.request_id),
        retry_safe=attempt.idempotent or category in {Category.THROTTLING, Category.HARD},
        retry_after=answer.retry_after,
    )


def _stopped_before_signing(error: Exception, attempt: Attempt) -> errors.RekostreamError:
    if isinstance(error, botocore.ParamValidationError):
        return errors.InvalidRequestError(
            [errors.ValidationIssue((), str(error), f"parameters of {attempt.operation}")]
        )
    return unsigned_error(error, attempt.operation, attempt.secrets)


def _stopped_before_sending(cause: Exception, attempt: Attempt) -> errors.RekostreamError:
    said = attempt.secrets.clean(described(cause))
    if text := misconfiguration.of_connecting(cause, region=attempt.region, regions=attempt.regions):
        return errors.ConfigurationError(f"{text} ({said})")
    if isinstance(cause, _SET_UP_CAUSES):
        return configuration_error(cause, attempt.secrets)
    text = misconfiguration.failure_to_connect(cause)
    return errors.ConnectError(attempt.secrets.clean(text) or said, operation=attempt.operation, retry_safe=True)


def _stopped_after_sending(error: Exception, attempt: Attempt) -> errors.RekostreamError:
    cause, answer = cause_of(error), attempt.answer
    if answer is None or isinstance(error, LOST_IN_THE_NETWORK):
        return errors.ConnectionLostError(
            attempt.secrets.clean(_lost(error, cause)),
            operation=attempt.operation,
            closed=_is_closed(error),
            retry_safe=attempt.idempotent,
        )
    if answer.status >= _FIRST_ERROR:
        return _service_error(str(answer.status), "", attempt, answer)
    return malformed_response(attempt, described(error), f"the response of {attempt.operation}")


def _lost(error: Exception, cause: Exception) -> str:
    said = described(cause)
    if isinstance(cause, aiohttp.SocketTimeoutError | botocore.ReadTimeoutError):
        return f"no response within the read timeout ({said})"
    return f"the connection was closed before the response ({said})" if _is_closed(error) else said


def malformed_response(attempt: Attempt, value: object, expected: str) -> errors.CallError:
    """Return the error of an answer that cannot be read; the service may have applied the call.

    Args:
        attempt: the attempt that was answered.
        value: what was found.
        expected: what is allowed, as a phrase that completes "must be ...".
    """
    request_id = None if attempt.answer is None else attempt.answer.request_id
    if isinstance(value, str):
        value = attempt.secrets.clean(value)
    return errors.MalformedResponseError(
        [errors.ValidationIssue((), value, expected)],
        operation=attempt.operation,
        request_id=request_id and attempt.secrets.clean(request_id),
        retry_safe=attempt.idempotent,
    )


def _is_closed(error: Exception) -> bool:
    """Return whether the connection was seen to be closed or reset, rather than silent.

    A service that lost its client applies the call for a shorter time than one that is still busy with it; see
    ``RetryPolicy.max_apply_delay_after_close``. Anything that may be a timeout is not closed.
    """
    causes = (error, cause_of(error))
    if any(isinstance(cause, _SILENT) or getattr(cause, "errno", None) in _SILENT_ERRNOS for cause in causes):
        return False
    return any(isinstance(cause, _CLOSED) for cause in causes)


def _code(code: object, header: object) -> str:
    """Return the plain word of a code that may look like ``namespace#Code:http://...``."""
    text = _text(code)
    if text.isdigit() and header:
        # botocore reads the code from the body alone and falls back to the status.
        text = _text(header)
    return text.partition(":")[0].rpartition("#")[2]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
