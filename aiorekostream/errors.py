"""Every exception that the package raises; nothing else lives here.

::

    RekostreamError
    ├── InvalidRequestError             yours: the input breaks a rule; nothing was sent  (also a ValueError)
    ├── ConfigurationError              yours: no Region, no credentials, a closed client; nothing was sent
    ├── StreamProcessorFailedError      a processor that was waited for has FAILED
    ├── NotSentError                    a request of a fleet that was not sent
    │   ├── ProcessorBusyError          the fleet has this processor under way already
    │   └── RequestCancelledError              the fleet was left before its turn came
    ├── WaitTimeoutError                what was waited for did not come in time  (also a TimeoutError)
    └── CallError                       a call was tried and did not succeed
        ├── RateLimitedError            the pacer would have had to wait, and was told not to; nothing was sent
        ├── UnknownOutcomeError         the answer was lost, and what became of the call could not be found out
        ├── MalformedResponseError         theirs: the service answered something that cannot be read
        ├── TransportError              nobody's: the request or its answer was lost on the way
        │   ├── ConnectError            never sent, so it is safe to send again
        │   └── ConnectionLostError     may have been carried out
        ├── DeadlineExceededError       the call's own deadline passed  (also a TimeoutError)
        └── ServiceError                the service refused; one class for each code, others keep this class
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

``retry_safe`` on an error says whether sending the same call again can do harm: it is true where the call
was certainly not carried out, or where doing it twice is the same as doing it once.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "AccessDeniedError",
    "CallError",
    "ConfigurationError",
    "ConnectError",
    "ConnectionLostError",
    "DeadlineExceededError",
    "InternalServerError",
    "InvalidPaginationTokenError",
    "InvalidParameterError",
    "InvalidRequestError",
    "LimitExceededError",
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

_SHOWN = 80


def _shortened(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - whatever was given, a issue can be told (int has a limit of digits, too)
        text = f"<{type(value).__name__}>"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


@attrs.frozen
class ValidationIssue:
    """One thing that is wrong with an input or a response: where it is, what was found, and what is allowed.

    Attributes:
        steps: the way to the value, field names and positions in lists; the constructor calls it ``path``.
        value: what was found there.
        expected: what is allowed, as a phrase that completes "must be ...".
    """

    steps: tuple[str | int, ...] = attrs.field(alias="path")
    value: object
    expected: str

    @property
    def path(self) -> str:
        """The way to the value as text, such as ``RegionsOfInterest[0].BoundingBox.Left``."""
        text = ""
        for step in self.steps:
            text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
        return text

    def under(self, *steps: str | int) -> ValidationIssue:
        """The same issue with these steps before its own."""
        return attrs.evolve(self, path=(*steps, *self.steps))

    def __str__(self) -> str:
        return f"{self.path or 'value'}: must be {self.expected}; got {_shortened(self.value)}"


class RekostreamError(Exception):
    """The root of every exception that this package raises on purpose."""

    retry_safe: bool = False

    def _arguments(self) -> dict[str, object]:
        """The keyword arguments that make an equal exception; what pickling needs."""
        return {}

    def __reduce__(self) -> tuple[Callable[[], RekostreamError], tuple[()]]:
        return functools.partial(type(self), *self.args, **self._arguments()), ()


class InvalidRequestError(RekostreamError, ValueError):
    """The input breaks a rule, so nothing was sent. The caller's to mend.

    Attributes:
        issues: every issue of the input at once, each with its path, its value and what is allowed.
    """

    issues: tuple[ValidationIssue, ...]

    def __init__(self, issues: Iterable[ValidationIssue]) -> None:
        self.issues = tuple(issues)
        super().__init__(self.issues)

    def __str__(self) -> str:
        return "\n".join(map(str, self.issues))


class ConfigurationError(RekostreamError):
    """The client cannot work as it is set up: no Region, no credentials, or it is closed. Nothing was sent."""


class StreamProcessorFailedError(RekostreamError):
    """A processor that was waited for has FAILED.

    See https://docs.aws.amazon.com/rekognition/latest/dg/streaming-video-troubleshooting.html.

    Attributes:
        name: the processor.
        status_message: AWS's own words, when there are any.
        hint: what to do about it.
    """

    name: str
    status_message: str | None
    hint: str

    def __init__(self, *, name: str, status_message: str | None, hint: str = "") -> None:
        self.name = name
        self.status_message = status_message
        self.hint = hint
        super().__init__()

    def _arguments(self) -> dict[str, object]:
        return {"name": self.name, "status_message": self.status_message, "hint": self.hint}

    def __str__(self) -> str:
        text = f"{self.name} has FAILED: {self.status_message or 'without a message'}"
        return f"{text}. {self.hint}" if self.hint else text


class WaitTimeoutError(RekostreamError, TimeoutError):
    """What was waited for did not come in time.

    Attributes:
        name: the processor.
        wanted: what was waited for.
        status: the status that was seen last, if any was.
        seconds: how long was waited.
        hint: what to do about it.
    """

    name: str
    wanted: str
    status: str | None
    seconds: float
    hint: str

    def __init__(self, *, name: str, wanted: str, status: str | None, seconds: float, hint: str = "") -> None:
        self.name = name
        self.wanted = wanted
        self.status = status
        self.seconds = seconds
        self.hint = hint
        super().__init__()

    def _arguments(self) -> dict[str, object]:
        return {
            "name": self.name,
            "wanted": self.wanted,
            "status": self.status,
            "seconds": self.seconds,
            "hint": self.hint,
        }

    def __str__(self) -> str:
        seen = f"it is {self.status}" if self.status else "its status was never seen"
        text = f"{self.name} was not {self.wanted} after {self.seconds:g} s: {seen}"
        return f"{text}. {self.hint}" if self.hint else text


class NotSentError(RekostreamError):
    """A request of a fleet that was not sent.

    Attributes:
        name: the processor.
        retry_safe: true.
    """

    name: str
    retry_safe = True

    def __init__(self, *, name: str) -> None:
        self.name = name
        super().__init__()

    def _arguments(self) -> dict[str, object]:
        return {"name": self.name}

    def __str__(self) -> str:
        return f"the request for {self.name} was not sent"


class ProcessorBusyError(NotSentError):
    """A fleet is starting this processor, or has a session of it, and was told to refuse a second request.

    Attributes:
        name: the processor.
        retry_safe: true.
    """

    def __str__(self) -> str:
        return f"{self.name} is busy: this fleet is starting it, or has a session of it under way"


class RequestCancelledError(NotSentError):
    """A fleet was left (cancelled, or out of a loop) before this request was sent.

    Attributes:
        name: the processor.
        retry_safe: true.
    """

    def __str__(self) -> str:
        return f"{self.name} was withdrawn before its request was sent"


class CallError(RekostreamError):
    """A call was tried and did not succeed.

    Attributes:
        operation: AWS's name of the operation.
        attempts: how many times it was tried.
        retry_safe: whether the same call may be made again without harm.
        hint: what to do about it, where AWS does not say.
    """

    operation: str
    attempts: int
    hint: str

    def __init__(
        self,
        message: object,
        *,
        operation: str,
        attempts: int = 1,
        hint: str = "",
        retry_safe: bool = False,
    ) -> None:
        self.operation = operation
        self.attempts = attempts
        self.hint = hint
        self.retry_safe = retry_safe
        super().__init__(message)

    def _said(self) -> str:
        return str(self.args[0])

    def _arguments(self) -> dict[str, object]:
        return {
            "operation": self.operation,
            "attempts": self.attempts,
            "hint": self.hint,
            "retry_safe": self.retry_safe,
        }

    def _facts(self) -> list[str]:
        return [f"attempts: {self.attempts}"] if self.attempts > 1 else []

    def __str__(self) -> str:
        facts = self._facts()
        text = f"{self.operation}: {self._said()}" + (f" ({', '.join(facts)})" if facts else "")
        return f"{text}. {self.hint}" if self.hint else text


class RateLimitedError(CallError):
    """The quota is used up for now, and the pacer was told not to wait. Nothing was sent.

    Attributes:
        operation: AWS's name of the operation.
        retry_after: seconds until the call could be made.
        retry_safe: true.
    """

    retry_after: float

    def __init__(
        self,
        message: object,
        *,
        operation: str,
        retry_after: float,
        attempts: int = 0,
        hint: str = "",
        retry_safe: bool = True,
    ) -> None:
        self.retry_after = retry_after
        super().__init__(message, operation=operation, attempts=attempts, hint=hint, retry_safe=retry_safe)

    def _arguments(self) -> dict[str, object]:
        return {**super()._arguments(), "retry_after": self.retry_after}


class UnknownOutcomeError(CallError):
    """The answer was lost, and what became of the call could not be found out; the message says what was seen.

    Attributes:
        operation: AWS's name of the operation.
        attempts: how many times it was tried.
        retry_safe: false.
    """


class MalformedResponseError(CallError):
    """The service answered, and the answer cannot be read: the call was probably carried out.

    Attributes:
        issues: what is wrong with the answer, each with its path in AWS's spelling.
        operation: AWS's name of the operation.
        request_id: AWS's id of the request, when it came.
        attempts: how many times the request was sent.
        retry_safe: whether the same call may be made again without harm.
    """

    issues: tuple[ValidationIssue, ...]
    request_id: str | None

    def __init__(
        self,
        issues: Iterable[ValidationIssue],
        *,
        operation: str,
        request_id: str | None = None,
        attempts: int = 1,
        hint: str = "",
        retry_safe: bool = False,
    ) -> None:
        self.issues = tuple(issues)
        self.request_id = request_id
        super().__init__(self.issues, operation=operation, attempts=attempts, hint=hint, retry_safe=retry_safe)

    def _said(self) -> str:
        return "the reply cannot be read: " + "; ".join(map(str, self.issues))

    def _arguments(self) -> dict[str, object]:
        return {**super()._arguments(), "request_id": self.request_id}

    def _facts(self) -> list[str]:
        return [*super()._facts(), *([f"request id: {self.request_id}"] if self.request_id else [])]


class TransportError(CallError):
    """The request or its answer was lost on the way.

    Attributes:
        operation: AWS's name of the operation.
        attempts: how many times it was tried.
        retry_safe: whether the same call may be made again without harm.
    """


class ConnectError(TransportError):
    """No connection came about (refused, unknown host, connect timeout): the request was never sent."""


class ConnectionLostError(TransportError):
    """The connection broke, or no answer came in time, after the request was sent: it may have been carried out."""


class DeadlineExceededError(CallError, TimeoutError):
    """The call's own deadline passed. If a request was under way, it may have been carried out.

    Attributes:
        operation: AWS's name of the operation.
        attempts: how many times it was tried.
        deadline: the deadline that passed, in seconds from the call's beginning.
        retry_safe: whether the same call may be made again without harm.
    """

    deadline: float

    def __init__(
        self,
        message: str,
        *,
        operation: str,
        deadline: float,
        attempts: int = 1,
        hint: str = "",
        retry_safe: bool = False,
    ) -> None:
        self.deadline = deadline
        super().__init__(message, operation=operation, attempts=attempts, hint=hint, retry_safe=retry_safe)

    def _arguments(self) -> dict[str, object]:
        return {**super()._arguments(), "deadline": self.deadline}


class ServiceError(CallError):
    """The service refused the call. A code without a class of its own arrives as this class itself.

    See https://docs.aws.amazon.com/rekognition/latest/dg/error-handling.html.

    Attributes:
        operation: AWS's name of the operation.
        code: AWS's error code, such as ``ThrottlingException``.
        message: AWS's own message, which AWS may leave empty.
        request_id: AWS's id of the request, to be quoted to AWS Support.
        http_status: the HTTP status of the answer.
        attempts: how many times the request was sent.
        retry_safe: whether the same call may be made again without harm.
        retry_after: the seconds that the service asked to wait, from the answer's ``Retry-After``; 0 if it did not.
        hint: what to do about it, where AWS does not say.
    """

    code: str
    message: str
    request_id: str | None
    http_status: int
    retry_after: float

    def __init__(
        self,
        message: str,
        *,
        operation: str,
        code: str,
        http_status: int,
        request_id: str | None = None,
        attempts: int = 1,
        hint: str = "",
        retry_safe: bool = False,
        retry_after: float = 0.0,
    ) -> None:
        self.retry_after = retry_after
        self.code = code
        self.message = message
        self.http_status = http_status
        self.request_id = request_id
        super().__init__(message, operation=operation, attempts=attempts, hint=hint, retry_safe=retry_safe)

    def _arguments(self) -> dict[str, object]:
        return {
            **super()._arguments(),
            "code": self.code,
            "http_status": self.http_status,
            "request_id": self.request_id,
            "retry_after": self.retry_after,
        }

    def _facts(self) -> list[str]:
        facts = [f"HTTP {self.http_status}", *super()._facts()]
        return [*facts, f"request id: {self.request_id}"] if self.request_id else facts

    def _said(self) -> str:
        return f"{self.code}: {self.message}" if self.message else f"{self.code}, without a message"


class AccessDeniedError(ServiceError):
    """``AccessDeniedException``: the caller may not do this, or the Region does not offer it."""


class InternalServerError(ServiceError):
    """``InternalServerError``: the service failed; it may have carried the call out."""


class InvalidPaginationTokenError(ServiceError):
    """``InvalidPaginationTokenException``: the page token is wrong or too old."""


class InvalidParameterError(ServiceError):
    """``InvalidParameterException``: the service refused a parameter that looked right from here."""


class LimitExceededError(ServiceError):
    """``LimitExceededException``: a hard limit of the account, such as the number of processors."""


class ProvisionedThroughputExceededError(ServiceError):
    """``ProvisionedThroughputExceededException``: too many calls a second; not carried out."""


class ResourceInUseError(ServiceError):
    """``ResourceInUseException``: the processor's state forbids it now, or the name is taken."""


class ResourceNotFoundError(ServiceError):
    """``ResourceNotFoundException``: there is no such processor."""


class ServiceQuotaExceededError(ServiceError):
    """``ServiceQuotaExceededException``: a quota of the account on sizes or counts, such as tags."""


class ThrottlingError(ServiceError):
    """``ThrottlingException``: too many calls a second; not carried out."""
