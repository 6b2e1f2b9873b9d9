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
import re
from collections.abc import Mapping
from typing import cast

import aiohttp
from botocore import exceptions as botocore

from aiorekostream import errors
from aiorekostream.error_codes import Category, category_of, error_class
from aiorekostream.transport import misconfiguration
from aiorekostream.transport.attempts import Answer, Attempt, seconds
from aiorekostream.transport.port import CredentialsNotReadyError
from aiorekostream.transport.secrets import Secrets

__all__ = [
    "configuration_error",
    "malformed_response",
    "refused_address",
    "service_error",
    "translated",
    "unsigned_error",
]

_BAD_REQUEST = 400
_PROXY_AUTHENTICATION_REQUIRED = 407
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_FIRST_ERROR = 400

# These stop the HTTP client itself before it connects: a bad address, header, proxy setting or certificate bundle.
_SET_UP_CAUSES = (
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
    botocore.InvalidProxiesConfigError,
    FileNotFoundError,
    ValueError,
)

# What STS says of an identity provider that it cannot reach for a moment.
_PROVIDER_AWAY = "IDPCommunicationError"
# botocore's name for the credentials of a machine: a renewal of theirs fails with no other cause than silence.
_OF_A_MACHINE = "iam-role"
# botocore's name for those of a container, and the only place where the status of its agent's answer is told.
_OF_A_CONTAINER = "container-role"
_AGENT_STATUS = r"non 200 response (\d{3})\b"

# Errors of the operating system that are no trouble of the network.
_FILES = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
_LOST_IN_THE_NETWORK = (
    aiohttp.ClientError,
    botocore.ConnectionError,
    botocore.HTTPClientError,
    OSError,
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
    """The error of this package that an exception of an attempt means."""
    if isinstance(error, errors.RekostreamError):
        return error
    if isinstance(error, botocore.ClientError):
        # While the request is signed, credentials may call STS or SSO: their refusals are none of this operation's.
        is_ours = error.operation_name == attempt.operation
        return _refused(error, attempt) if is_ours else unsigned_error(error, attempt.operation, attempt.secrets)
    cause = _cause(error)
    if isinstance(cause, errors.RekostreamError):
        return cause
    if not attempt.signed:
        return _stopped_before_signing(error, attempt)
    # The clients of other services note only that they hand the request to aiohttp. Their calls are idempotent, so the
    # kind of the error may tell that no connection was made.
    if not attempt.sent or (attempt.idempotent and isinstance(cause, _NOT_CONNECTED)):
        return _stopped_before_sending(cause, attempt)
    return _stopped_after_sending(error, attempt)


def _refused(error: botocore.ClientError, attempt: Attempt) -> errors.RekostreamError:
    found = service_error(error.response, attempt)
    if found.http_status == _PROXY_AUTHENTICATION_REQUIRED:  # AWS never answers so
        return errors.ConfigurationError(misconfiguration.PROXY_AUTHENTICATION)
    return found


def unsigned_error(error: Exception, operation: str, secrets: Secrets | None = None) -> errors.RekostreamError:
    """The error of what stops a call, or the opening of a client, before anything is signed."""
    secrets = secrets or Secrets()
    text = f"the credentials could not be fetched: {secrets.clean(_said(_cause(error)))}"
    if _agent_status(error) == _BAD_REQUEST:
        return CredentialsNotReadyError(text, operation=operation, retry_safe=True)
    if _will_pass(error):
        return errors.ConnectError(text, operation=operation, retry_safe=True)
    return configuration_error(error, secrets)


def configuration_error(
    error: Exception, secrets: Secrets | None = None, *, hint: str = ""
) -> errors.ConfigurationError:
    """The same as the set-up's fault, with what to do about it where that is known."""
    said = (secrets or Secrets()).clean
    if text := misconfiguration.of_settings(error):
        hint = f". {hint}" if hint else ""
        return errors.ConfigurationError(f"{text} ({said(str(error))}){hint}")
    if (status := _agent_status(error)) is not None:
        text = (
            f"the credential agent of the container answered HTTP {status}: check AWS_CONTAINER_CREDENTIALS_FULL_URI or"
            " _RELATIVE_URI, the authorization token, and the role of the task"
        )
        return errors.ConfigurationError(f"{text} ({said(str(error))})")
    return errors.ConfigurationError(f"the AWS client cannot work as it is set up: {said(_said(error))}")


def refused_address(error: Exception) -> str:
    """Return the address, of the endpoint or of its proxy, where nothing listens; empty for any other error."""
    cause = _cause(error)
    if isinstance(cause, aiohttp.ClientConnectorError) and cause.errno == errno.ECONNREFUSED:
        return f"{cause.host}:{cause.port}"
    return ""


def service_error(response: Mapping[str, object], attempt: Attempt) -> errors.ServiceError:
    """The error that botocore's parsed error response describes."""
    error = _mapping(response.get("Error"))
    metadata = _mapping(response.get("ResponseMetadata"))
    headers = _mapping(metadata.get("HTTPHeaders"))
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


def _agent_status(error: BaseException) -> int | None:
    """Return the HTTP status that a container's credential agent answered; ``None`` if the error names none."""
    if not isinstance(error, botocore.CredentialRetrievalError | botocore.MetadataRetrievalError):
        return None
    found = re.search(_AGENT_STATUS, str(error))
    return int(found[1]) if found else None


def _will_pass(error: BaseException | None) -> bool:
    """Whether it is only for a moment that no credentials come."""
    if isinstance(error, botocore.ClientError):
        refusal = service_error(error.response, Attempt(error.operation_name, idempotent=True))
        is_passing = isinstance(refusal, errors.ThrottlingError | errors.InternalServerError)
        return is_passing or refusal.http_status >= _SERVER_ERROR or refusal.code == _PROVIDER_AWAY
    if isinstance(error, botocore.CredentialRetrievalError | botocore.MetadataRetrievalError):
        provider = _mapping(error.kwargs).get("provider")
        if provider == _OF_A_CONTAINER or isinstance(error, botocore.MetadataRetrievalError):
            status = _agent_status(error)
            return status is None or status == _TOO_MANY_REQUESTS or status >= _SERVER_ERROR
        return provider == _OF_A_MACHINE or _will_pass(error.__cause__ or error.__context__)
    return isinstance(error, _LOST_IN_THE_NETWORK) and not isinstance(_cause(error), _FILES)


def _stopped_before_sending(cause: Exception, attempt: Attempt) -> errors.RekostreamError:
    said = attempt.secrets.clean(_said(cause))
    if text := misconfiguration.of_connecting(cause, region=attempt.region, regions=attempt.regions):
        return errors.ConfigurationError(f"{text} ({said})")
    if isinstance(cause, _SET_UP_CAUSES):
        return configuration_error(cause, attempt.secrets)
    text = misconfiguration.failure_to_connect(cause)
    return errors.ConnectError(attempt.secrets.clean(text) or said, operation=attempt.operation, retry_safe=True)


def _stopped_after_sending(error: Exception, attempt: Attempt) -> errors.RekostreamError:
    cause, answer = _cause(error), attempt.answer
    if answer is None or isinstance(error, _LOST_IN_THE_NETWORK):
        return errors.ConnectionLostError(
            attempt.secrets.clean(_lost(error, cause)),
            operation=attempt.operation,
            closed=_is_closed(error),
            retry_safe=attempt.idempotent,
        )
    if answer.status >= _FIRST_ERROR:
        return _service_error(str(answer.status), "", attempt, answer)
    return malformed_response(attempt, _said(error), f"the response of {attempt.operation}")


def _lost(error: Exception, cause: Exception) -> str:
    said = _said(cause)
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
    """Whether the connection was seen to be closed or reset, rather than silent.

    A service that lost its client applies the call for a shorter time than one that is still busy with it; see
    ``RetryPolicy.max_apply_delay_after_close``. Anything that may be a timeout is not closed.
    """
    causes = (error, _cause(error))
    if any(isinstance(cause, _SILENT) or getattr(cause, "errno", None) in _SILENT_ERRNOS for cause in causes):
        return False
    return any(isinstance(cause, _CLOSED) for cause in causes)


def _cause(error: Exception) -> Exception:
    """The error that aiobotocore wrapped: botocore's errors keep it as the ``error`` of their message."""
    kwargs = _mapping(getattr(error, "kwargs", None))
    inner = kwargs.get("error")
    return inner if isinstance(inner, Exception) else error


def _code(code: object, header: object) -> str:
    """The plain word of a code that may look like ``namespace#Code:http://...``."""
    text = _text(code)
    if text.isdigit() and header:
        # botocore reads the code from the body alone and falls back to the status.
        text = _text(header)
    return text.partition(":")[0].rpartition("#")[2]


def _said(error: Exception) -> str:
    name = type(error).__name__
    return f"{name}: {error}" if str(error) else name


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _mapping(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}
