"""Define every exception that the package raises.

::

    RekostreamError
    ├── InvalidRequestError                         the input breaks a rule; nothing was sent  (also a ValueError)
    ├── ConfigurationError                          no Region, no credentials, or a closed client; nothing was sent
    ├── MalformedEventError                         an event of a session cannot be read  (also a ValueError)
    ├── ConsumerLeaseError                          another consumer reads the stream under the same name
    ├── InvalidSignatureError                       a message was not signed by Amazon SNS
    ├── StreamProcessorFailedError                  the processor of a wait is FAILED
    ├── WaitTimeoutError                            a wait exceeded its timeout  (also a TimeoutError)
    ├── NotSentError                                a fleet did not send a request
    │   ├── ProcessorBusyError                      the fleet has another request for, or a session of, the processor
    │   └── RequestCancelledError                   the request was cancelled before it was sent
    └── CallError                                   a call did not succeed
        ├── RateLimitedError                        no permit was available in time; nothing was sent
        ├── UnknownOutcomeError                     the response was lost, and the outcome could not be determined
        ├── MalformedResponseError                  the response cannot be parsed
        ├── TransportError                          the request or its response was lost
        │   ├── ConnectError                        no connection; the request was never sent
        │   └── ConnectionLostError                 the connection broke after sending; the call may have been applied
        ├── DeadlineExceededError                   the call exceeded its total timeout  (also a TimeoutError)
        └── ServiceError                            the service returned an error; base of one class for each code
            ├── AccessDeniedError
            ├── InternalServerError
            ├── InvalidPaginationTokenError
            ├── InvalidParameterError
            ├── LimitExceededError
            ├── ProvisionedThroughputExceededError
            ├── ResourceInUseError
            ├── ResourceNotFoundError
            ├── ServiceQuotaExceededError
            └── ThrottlingError

Every error has ``retry_safe``: whether the same call may be repeated without harm. It is true if the call was certainly
not applied, or if the operation is idempotent. Every error can be pickled and copied, with its notes.

``AwsGuidanceWarning`` is the only warning: a value that AWS accepts although it is probably not what the caller means.
"""

import copy
import datetime
import functools
from collections.abc import Callable, Iterable
from typing import Self, TypeVar

import attrs

from aiorekostream.issues import REPR_LIMIT, ValidationIssue, picklable, shown
from aiorekostream.service_text import one_line

__all__ = [
    "AccessDeniedError",
    "AwsGuidanceWarning",
    "CallError",
    "ConfigurationError",
    "ConnectError",
    "ConnectionLostError",
    "ConsumerLeaseError",
    "DeadlineExceededError",
    "InternalServerError",
    "InvalidPaginationTokenError",
    "InvalidParameterError",
    "InvalidRequestError",
    "InvalidSignatureError",
    "LimitExceededError",
    "MalformedEventError",
    "MalformedResponseError",
    "NotSentError",
    "ProcessorBusyError",
    "ProvisionedThroughputExceededError",
    "RateLimitedError",
    "RekostreamError",
    "RequestCancelledError",
    "ResourceInUseError",
    "ResourceNotFoundError",
    "ServiceError",
    "ServiceQuotaExceededError",
    "StreamProcessorFailedError",
    "ThrottlingError",
    "TransportError",
    "UnknownOutcomeError",
    "ValidationIssue",
    "WaitTimeoutError",
]

_ErrorT = TypeVar("_ErrorT", bound=BaseException)


def copy_error(error: _ErrorT) -> _ErrorT:
    """Return an error with a traceback and notes of its own, for one of several callers.

    An exception of the user's code that cannot be copied, such as one whose constructor has arguments of its own, is
    returned as it is.
    """
    try:
        return copy.copy(error)
    except Exception:  # noqa: BLE001 - whatever its constructor raises
        return error


def _as_tuple(issues: Iterable[ValidationIssue]) -> tuple[ValidationIssue, ...]:
    return tuple(issues)


class AwsGuidanceWarning(UserWarning):
    """A value that AWS accepts, although it is against AWS's guidance or probably not what the caller means.

    Turn it into an error with ``warnings.simplefilter("error", AwsGuidanceWarning)``.
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*args)


class RekostreamError(Exception):
    """The base class of the package's exceptions.

    Attributes:
        retry_safe: whether the same call may be repeated without harm.
    """

    retry_safe: bool = False

    def __init__(self, *args: object) -> None:
        super().__init__(*args)

    def _arguments(self) -> dict[str, object]:
        """Return the keyword arguments that reconstruct the exception; pickling needs them."""
        cls: type = type(self)
        fields = attrs.fields(cls) if attrs.has(cls) else ()
        return {field.name: getattr(self, field.name) for field in fields if field.kw_only}

    def _state(self) -> dict[str, object]:
        """Return the attributes of the instance, its notes among them, in a dictionary and a list of their own."""
        state = dict(vars(self))
        if "__notes__" in state:
            state["__notes__"] = list(self.__notes__)
        return state

    def __reduce__(self) -> tuple[Callable[[], Self], tuple[()], dict[str, object]]:
        args = map(picklable, self.args)
        arguments = {name: picklable(value) for name, value in self._arguments().items()}
        state = {name: picklable(value) for name, value in self._state().items()}
        return functools.partial(type(self), *args, **arguments), (), state

    def __copy__(self) -> Self:
        copied = type(self)(*self.args, **self._arguments())
        copied.__setstate__(self._state())
        return copied

    def __repr__(self) -> str:
        parts = [shown(value, limit=REPR_LIMIT) for value in self.args]
        for name, value in self._arguments().items():
            if value is not None and not (isinstance(value, str) and not value):
                parts.append(f"{name}={shown(value, limit=REPR_LIMIT)}")
        return f"{type(self).__name__}({', '.join(parts)})"


class InvalidRequestError(RekostreamError, ValueError):
    """The input breaks a rule. Nothing was sent.

    Attributes:
        issues: every issue of the input, each with its path, its value and the allowed values.
        name: the name in the input, as a rule that of a processor; ``None`` if it has none, or an invalid one.
    """

    issues: tuple[ValidationIssue, ...]
    name: str | None

    def __init__(self, issues: Iterable[ValidationIssue], *, name: str | None = None) -> None:
        self.issues = tuple(issues)
        self.name = name
        super().__init__(self.issues)

    def _arguments(self) -> dict[str, object]:
        return {**super()._arguments(), "name": self.name}

    def __str__(self) -> str:
        beginning = "" if self.name is None else f"{self.name}: "
        return "\n".join(f"{beginning}{issue}" for issue in self.issues)


class ConfigurationError(RekostreamError):
    """The configuration is incomplete or invalid: no Region, a closed client, an endpoint that redirects.

    Nothing was sent, or what was sent was redirected; redirects are not followed, and the call is not sent again.
    """


class MalformedEventError(RekostreamError, ValueError):
    """A notification or a record of a session cannot be read.

    Attributes:
        issues: every issue, each with its path in AWS's spelling.
    """

    issues: tuple[ValidationIssue, ...]

    def __init__(self, issues: Iterable[ValidationIssue]) -> None:
        self.issues = tuple(issues)
        super().__init__(self.issues)

    def __str__(self) -> str:
        return "the event cannot be read: " + "; ".join(map(str, self.issues))


class ConsumerLeaseError(RekostreamError):
    """Another consumer reads the stream under the same name, or has taken over the lease.

    Attributes:
        owner: the other consumer, as host, process id and a random number; ``None`` if it is not known.
        expires_at: the time in UTC at which its lease expires unless it is renewed; ``None`` if it is not known.
    """

    def __init__(self, *args: object, owner: str | None = None, expires_at: datetime.datetime | None = None) -> None:
        super().__init__(*args)
        self.owner = owner
        self.expires_at = expires_at

    def _arguments(self) -> dict[str, object]:
        return {"owner": self.owner, "expires_at": self.expires_at}


class InvalidSignatureError(RekostreamError):
    """A message was not signed by Amazon SNS, or is for another topic. Its content must not be trusted."""


# attrs generates the constructors below. `auto_exc` would put every field into `args`, which has the message alone.


@attrs.define(slots=False, eq=False, repr=False, auto_exc=False)
class StreamProcessorFailedError(RekostreamError):
    """The processor of a wait is FAILED, or was stopped before it was RUNNING.

    See https://docs.aws.amazon.com/rekognition/latest/dg/streaming-video-troubleshooting.html.

    Attributes:
        name: the name of the processor.
        status_message: AWS's status message, cut at 300 characters and with control characters escaped; ``None`` if
            there is none.
        hint: the recommended action; may be empty.
    """

    name: str = attrs.field(kw_only=True)
    status_message: str | None = attrs.field(kw_only=True, converter=attrs.converters.optional(one_line))
    hint: str = attrs.field(default="", kw_only=True)

    def __str__(self) -> str:
        text = f"{self.name} has FAILED: {self.status_message or 'without a message'}"
        return f"{text}. {self.hint}" if self.hint else text


@attrs.define(slots=False, eq=False, repr=False, auto_exc=False)
class WaitTimeoutError(RekostreamError, TimeoutError):
    """A wait exceeded its timeout.

    Attributes:
        name: the name of the processor.
        wanted: the condition of the wait.
        status: the last observed status; ``None`` if none was observed.
        seconds: the duration of the wait, in seconds.
        hint: the recommended action; may be empty.
    """

    name: str = attrs.field(kw_only=True)
    wanted: str = attrs.field(kw_only=True)
    status: str | None = attrs.field(kw_only=True, converter=attrs.converters.optional(one_line))
    seconds: float = attrs.field(kw_only=True)
    hint: str = attrs.field(default="", kw_only=True)

    def __str__(self) -> str:
        seen = f"it is {self.status}" if self.status else "its status was never seen"
        text = f"{self.name} was not {self.wanted} after {self.seconds:g} s: {seen}"
        return f"{text}. {self.hint}" if self.hint else text


@attrs.define(slots=False, eq=False, repr=False, auto_exc=False)
class NotSentError(RekostreamError):
    """A fleet did not send a request. The subclasses have these attributes, too.

    Attributes:
        name: the name of the processor.
        retry_safe: always true.
    """

    name: str = attrs.field(kw_only=True)
    retry_safe = True

    def __str__(self) -> str:
        return f"the request for {self.name} was not sent"


class ProcessorBusyError(NotSentError):
    """The fleet is starting the processor or has a session of it, and ``when_busy`` is ``"reject"``."""

    def __str__(self) -> str:
        return f"{self.name} is busy: this fleet is starting it, or has a session of it under way"


class RequestCancelledError(NotSentError):
    """The run or the fleet was cancelled or closed before it sent the request."""

    def __str__(self) -> str:
        return f"the request for {self.name} was cancelled before it was sent"


@attrs.define(slots=False, eq=False, repr=False, auto_exc=False)
class CallError(RekostreamError):
    """A call did not succeed. The subclasses have these attributes, too.

    Attributes:
        operation: AWS's name of the operation.
        name: the name of the processor; ``None`` for a call that is not about one, or where it is not known.
        attempts: the number of attempts.
        retry_safe: whether the same call may be repeated without harm.
        hint: the recommended action where AWS gives none; may be empty.
    """

    _message: object
    operation: str = attrs.field(kw_only=True)
    name: str | None = attrs.field(default=None, kw_only=True)
    attempts: int = attrs.field(default=1, kw_only=True)
    hint: str = attrs.field(default="", kw_only=True)
    retry_safe: bool = attrs.field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        Exception.__init__(self, self._message)  # sets `args`

    def _said(self) -> str:
        return str(self._message)

    def _facts(self) -> list[str]:
        return [f"attempts: {self.attempts}"] if self.attempts > 1 else []

    def __str__(self) -> str:
        facts = self._facts()
        text = f"{self.operation}: {self._said()}" + (f" ({', '.join(facts)})" if facts else "")
        return f"{text}. {self.hint}" if self.hint else text


@attrs.define(slots=False, eq=False, repr=False, auto_exc=False)
class RateLimitedError(CallError):
    """The rate limiter granted no permit in time, or does not wait. Nothing was sent.

    Attributes:
        retry_after: the expected time in seconds until a permit is available.
        retry_safe: always true.
    """

    retry_after: float = attrs.field(kw_only=True)
    attempts: int = attrs.field(default=0, kw_only=True)
    retry_safe: bool = attrs.field(default=True, kw_only=True)


@attrs.define(slots=False, eq=False, repr=False, auto_exc=False)
class UnknownOutcomeError(CallError):
    """The response was lost, and the outcome could not be determined. The message has the last observation.

    Attributes:
        retry_safe: always false.
        retry_safe_at: the date and time in UTC from which the service no longer applies the call, so that the same call
            may be repeated, never before the error was raised; ``None`` if it is not known. See
            ``RetryPolicy.max_apply_delay``.
        code: the error code of the first lost response; ``None`` if no response was received.
        request_id: AWS's id of that request, which AWS Support asks for; ``None`` if no response was received.
    """

    retry_safe_at: datetime.datetime | None = attrs.field(default=None, kw_only=True)
    code: str | None = attrs.field(default=None, kw_only=True)
    request_id: str | None = attrs.field(default=None, kw_only=True)


@attrs.define(slots=False, eq=False, repr=False, auto_exc=False)
class MalformedResponseError(CallError):
    """The response cannot be parsed. The call was probably applied.

    Attributes:
        issues: the issues of the response, each with its path in AWS's spelling.
        request_id: AWS's id of the request; ``None`` if the response has none.
    """

    issues: tuple[ValidationIssue, ...] = attrs.field(converter=_as_tuple)
    request_id: str | None = attrs.field(default=None, kw_only=True)
    _message: object = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._message = "the response cannot be read: " + "; ".join(map(str, self.issues))
        Exception.__init__(self, self.issues)

    def _facts(self) -> list[str]:
        return [*super()._facts(), *([f"request id: {self.request_id}"] if self.request_id else [])]


class TransportError(CallError):
    """The request or its response was lost."""


class ConnectError(TransportError):
    """No connection could be opened: refused, unknown host, or connect timeout. The request was never sent."""


@attrs.define(slots=False, eq=False, repr=False, auto_exc=False)
class ConnectionLostError(TransportError):
    """The connection broke, or the read timeout passed, after the request was sent. The call may have been applied.

    Attributes:
        closed: whether the connection was closed or reset, rather than silent. The time in which the service may still
            apply the call is shorter then: ``RetryPolicy.max_apply_delay_after_close``.
    """

    closed: bool = attrs.field(default=False, kw_only=True)


@attrs.define(slots=False, eq=False, repr=False, auto_exc=False)
class DeadlineExceededError(CallError, TimeoutError):
    """The call exceeded its total timeout. A request that was in flight may have been applied.

    Attributes:
        deadline: the deadline, in seconds from the start of the call.
    """

    deadline: float = attrs.field(kw_only=True)


@attrs.define(slots=False, eq=False, repr=False, auto_exc=False)
class ServiceError(CallError):
    """The service returned an error. Raised itself for error codes that have no subclass.

    See https://docs.aws.amazon.com/rekognition/latest/dg/error-handling.html.

    Attributes:
        code: AWS's error code, such as ``ThrottlingException``.
        message: AWS's error message; may be empty.
        request_id: AWS's id of the request, which AWS Support asks for; ``None`` if the response has none.
        http_status: the HTTP status of the response.
        retry_after: the value of the header ``Retry-After`` in seconds, at most 86,400; 0 if the response has none.
    """

    code: str = attrs.field(kw_only=True)
    http_status: int = attrs.field(kw_only=True)
    request_id: str | None = attrs.field(default=None, kw_only=True)
    retry_after: float = attrs.field(default=0.0, kw_only=True)

    @property
    def message(self) -> str:
        """AWS's error message; may be empty."""
        return str(self._message)

    def _facts(self) -> list[str]:
        facts = [f"HTTP {self.http_status}", *super()._facts()]
        return [*facts, f"request id: {self.request_id}"] if self.request_id else facts

    def _said(self) -> str:
        return f"{self.code}: {self.message}" if self.message else f"{self.code}, without a message"


class AccessDeniedError(ServiceError):
    """``AccessDeniedException``: the caller lacks a permission, or the Region lacks the feature."""


class InternalServerError(ServiceError):
    """``InternalServerError``: the service failed; the call may have been applied."""


class InvalidPaginationTokenError(ServiceError):
    """``InvalidPaginationTokenException``: the page token is invalid or expired."""


class InvalidParameterError(ServiceError):
    """``InvalidParameterException``: a parameter that passed validation here is invalid for the service."""


class LimitExceededError(ServiceError):
    """``LimitExceededException``: a limit of the account is reached, such as the number of processors."""


class ProvisionedThroughputExceededError(ServiceError):
    """``ProvisionedThroughputExceededException``: the request rate is above the quota; not applied."""


class ResourceInUseError(ServiceError):
    """``ResourceInUseException``: the processor's status does not allow the call, or the name is taken."""


class ResourceNotFoundError(ServiceError):
    """``ResourceNotFoundException``: there is no such processor, queue, bucket or object."""


class ServiceQuotaExceededError(ServiceError):
    """``ServiceQuotaExceededException``: a quota on sizes or counts is reached, such as the number of tags."""


class ThrottlingError(ServiceError):
    """``ThrottlingException``: the request rate is above the quota; not applied."""
