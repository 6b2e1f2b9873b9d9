"""Map what stops a call, or the opening of a client, before anything is signed: credentials and configuration.

A credential provider that is unreachable or overloaded is transient; every other failure is one of the configuration.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

import aiohttp
from botocore import exceptions as botocore
from botocore.parsers import ResponseParserError

from aiorekostream import errors
from aiorekostream.error_codes import error_class
from aiorekostream.transport import misconfiguration
from aiorekostream.transport.port import CredentialsNotReadyError
from aiorekostream.transport.secrets import Secrets

__all__ = [
    "LOST_IN_THE_NETWORK",
    "cause_of",
    "configuration_error",
    "described",
    "mapping",
    "no_credentials",
    "unsigned_error",
]

_BAD_REQUEST = 400
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500

# What STS says of an identity provider that it cannot reach for a moment.
_PROVIDER_AWAY = "IDPCommunicationError"
# botocore's name for the credentials of a machine: a renewal of theirs fails with no other cause than silence.
_OF_A_MACHINE = "iam-role"
# botocore's name for those of a container. Only the text of its error has the status that the agent answered.
_OF_A_CONTAINER = "container-role"
_AGENT_STATUS = r"non 200 response (\d{3})\b"

# Errors of the operating system that are no trouble of the network.
_FILES = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
LOST_IN_THE_NETWORK: tuple[type[Exception], ...] = (
    aiohttp.ClientError,
    botocore.ConnectionError,
    botocore.HTTPClientError,
    OSError,
)


def unsigned_error(error: Exception, operation: str, secrets: Secrets | None = None) -> errors.RekostreamError:
    """Return the error of what stops a call, or the opening of a client, before anything is signed."""
    text = f"the credentials could not be fetched: {_said_of_credentials(error, secrets or Secrets())}"
    if _agent_status(error) == _BAD_REQUEST:
        return CredentialsNotReadyError(text, operation=operation, retry_safe=True)
    if _will_pass(error):
        return errors.ConnectError(text, operation=operation, retry_safe=True)
    return configuration_error(error, secrets)


def no_credentials(operation: str, *, status: int | None, hint: str) -> errors.RekostreamError:
    """Return the error of a session that has no credentials.

    Args:
        operation: what needs them.
        status: the HTTP status that the metadata service of the instance answered at last, if it did.
        hint: what to do about it.
    """
    if status is not None and _is_passing(status):
        return errors.ConnectError(
            f"the credentials could not be fetched: {hint}", operation=operation, retry_safe=True
        )
    return configuration_error(botocore.NoCredentialsError(), hint=hint)


def configuration_error(
    error: Exception, secrets: Secrets | None = None, *, hint: str = ""
) -> errors.ConfigurationError:
    """Return the error of a wrong configuration, with what to do about it where that is known."""
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
    found = _said_of_credentials(error, secrets or Secrets())
    return errors.ConfigurationError(f"the AWS client cannot work as it is set up: {found}")


def _agent_status(error: BaseException) -> int | None:
    """Return the HTTP status that a container's credential agent answered; ``None`` if the error names none."""
    if not isinstance(error, botocore.CredentialRetrievalError | botocore.MetadataRetrievalError):
        return None
    found = re.search(_AGENT_STATUS, str(error))
    return int(found[1]) if found else None


def _will_pass(error: BaseException | None) -> bool:
    """Return whether it is only for a moment that no credentials come."""
    if isinstance(error, botocore.ClientError):
        code = str(mapping(error.response.get("Error")).get("Code"))
        is_passing = issubclass(error_class(code), errors.ThrottlingError | errors.InternalServerError)
        return is_passing or _is_passing(_status(error)) or code == _PROVIDER_AWAY
    if isinstance(error, botocore.CredentialRetrievalError | botocore.MetadataRetrievalError):
        provider = mapping(error.kwargs).get("provider")
        if provider == _OF_A_CONTAINER or isinstance(error, botocore.MetadataRetrievalError):
            status = _agent_status(error)
            return status is None or _is_passing(status)
        return provider == _OF_A_MACHINE or _will_pass(error.__cause__ or error.__context__)
    if isinstance(error, ResponseParserError):  # of STS, mostly from a load balancer before it
        return True
    return isinstance(error, LOST_IN_THE_NETWORK) and not isinstance(cause_of(error), _FILES)


def _is_passing(status: int) -> bool:
    return status == _TOO_MANY_REQUESTS or status >= _SERVER_ERROR


def _said_of_credentials(error: Exception, secrets: Secrets) -> str:
    """Return the text of an error before a request was signed, with the HTTP status of a provider that refused."""
    said = secrets.clean(described(cause_of(error)))
    status = _status(error) if isinstance(error, botocore.ClientError) else 0
    return f"{said} (HTTP {status})" if status else said


def _status(error: botocore.ClientError) -> int:
    """Return the HTTP status of a refusal; 0 if it names none."""
    status = mapping(error.response.get("ResponseMetadata")).get("HTTPStatusCode")
    return status if isinstance(status, int) else 0


def cause_of(error: Exception) -> Exception:
    """Return the error that aiobotocore wrapped: botocore's errors keep it as the ``error`` of their message."""
    kwargs = mapping(getattr(error, "kwargs", None))
    inner = kwargs.get("error")
    return inner if isinstance(inner, Exception) else error


def described(error: Exception) -> str:
    """Return the type and the text of an error."""
    name = type(error).__name__
    return f"{name}: {error}" if str(error) else name


def mapping(value: object) -> Mapping[str, object]:
    """Return a value that is a mapping; an empty one for any other value."""
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}
