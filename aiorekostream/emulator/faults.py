"""Define the faults that can be injected into requests.

A fault is the failure, the requests that it applies to, and how often. It applies to well-formed requests of a known
caller, before the request quotas are checked.
"""

import datetime
from fnmatch import fnmatchcase
from typing import final

import attrs

from aiorekostream.domain.fields import finite, flag, optional_count, seconds, whole_number
from aiorekostream.domain.rules import Validated, collecting, reject

__all__ = [
    "FAULTS",
    "ErrorResponse",
    "Fault",
    "Hang",
    "InjectedFault",
    "Latency",
    "MalformedResponse",
    "ResetAfter",
    "ResetBefore",
    "ServerError",
    "Throttle",
    "delay",
    "text",
]


def text(value: str) -> str:
    """Validate text."""
    return value if isinstance(value, str) else reject(value, "text")


def _optional_text(value: str | None) -> str | None:
    return None if value is None else text(value)


def _probability(value: float) -> float:
    return finite(value, least=0, most=1)


def delay(value: datetime.timedelta | float) -> float:
    """Validate a delay: a ``timedelta`` or seconds, from 0 to 1e9."""
    return seconds(value, least=0, most=1e9)


def _status(value: int) -> int:
    return whole_number(value, least=400, most=599)


@attrs.frozen(kw_only=True, field_transformer=collecting)
class InjectedFault(Validated):
    """What all injected faults have: the processors that they apply to, how often, and with which probability."""

    name: str = attrs.field(default="*", converter=text)
    times: int | None = attrs.field(default=1, converter=optional_count)
    probability: float = attrs.field(default=1.0, converter=_probability)


@attrs.frozen(kw_only=True, field_transformer=collecting)
class Fault(InjectedFault):
    """The base of all injected faults: selects the requests that the fault applies to.

    Attributes:
        operation: a pattern (``*``, ``?``, ``[...]``) for AWS's name of the operation; all operations by default.
        name: a pattern for the name of the stream processor; the default ``*`` matches requests without a name too.
        times: the number of requests that the fault applies to, at least 1; None for no limit; 1 by default.
        probability: the probability that the fault applies to a matching request, from 0 to 1; 1 by default.

    Raises:
        InvalidRequestError: an attribute is out of its range.
    """

    operation: str = attrs.field(default="*", converter=text)

    def matches(self, operation: str, name: str) -> bool:
        """Return whether the fault may apply to a request.

        Args:
            operation: AWS's name of the operation.
            name: the processor; empty for a request that names none.
        """
        return fnmatchcase(operation, self.operation) and fnmatchcase(name, self.name)


@final
@attrs.frozen(kw_only=True, field_transformer=collecting)
class Throttle(Fault):
    """Respond with ``ThrottlingException``; the operation is not executed.

    Attributes:
        status: the HTTP status, 400 to 599. Below 500 the message is ``Slow down; ...``, otherwise ``Service
            Unavailable``: AWS documents both. 400 by default.
    """

    status: int = attrs.field(default=400, converter=_status)


@final
@attrs.frozen(kw_only=True, field_transformer=collecting)
class ErrorResponse(Fault):
    """Respond with an error; the operation is not executed.

    Attributes:
        code: AWS's error code, ``AccessDeniedException`` by default.
        message: the message; None for a body that contains only ``__type``.
        status: the HTTP status, 400 to 599; 400 by default.
    """

    code: str = attrs.field(default="AccessDeniedException", converter=text)
    message: str | None = attrs.field(default=None, converter=_optional_text)
    status: int = attrs.field(default=400, converter=_status)


@final
@attrs.frozen(kw_only=True, field_transformer=collecting)
class ServerError(Fault):
    """Respond with a server error.

    Attributes:
        status: the HTTP status, 400 to 599; 500 by default.
        code: AWS's error code.
        html: whether to respond with an HTML page without an error code, as a proxy would.
        done: whether to execute the operation first.
    """

    status: int = attrs.field(default=500, converter=_status)
    code: str = attrs.field(default="InternalServerError", converter=text)
    html: bool = attrs.field(default=False, converter=flag)
    done: bool = attrs.field(default=False, converter=flag)


@final
@attrs.frozen(kw_only=True, field_transformer=collecting)
class Latency(Fault):
    """Delay a request before it is processed.

    The operation is executed when it is due even if the caller has disconnected: a service may act after its client has
    stopped listening. Only if thousands of such requests are pending, further ones are dropped.

    Attributes:
        seconds: the delay in real time, whichever clock the emulator has: a ``timedelta`` or seconds, from 0 to 1e9; 1
            by default.
    """

    seconds: float = attrs.field(default=1.0, converter=delay)


@final
@attrs.frozen(kw_only=True, field_transformer=collecting)
class ResetBefore(Fault):
    """Reset the connection after reading the request; the operation is not executed."""


@final
@attrs.frozen(kw_only=True, field_transformer=collecting)
class ResetAfter(Fault):
    """Execute the operation, then reset the connection instead of responding."""


@final
@attrs.frozen(kw_only=True, field_transformer=collecting)
class Hang(Fault):
    """Send no response, until the caller disconnects or the emulator closes.

    Attributes:
        done: whether to execute the operation first.
    """

    done: bool = attrs.field(default=False, converter=flag)


@final
@attrs.frozen(kw_only=True, field_transformer=collecting)
class MalformedResponse(Fault):
    """Respond with HTTP 200 and a body that is not valid for the operation.

    Attributes:
        body: the body.
        done: whether to execute the operation first; True by default.
    """

    body: str = attrs.field(default="<html><body>It works!</body></html>", converter=text)
    done: bool = attrs.field(default=True, converter=flag)


FAULTS: dict[str, type[Fault]] = {
    fault.__name__: fault
    for fault in (MalformedResponse, Hang, Latency, ErrorResponse, ResetAfter, ResetBefore, ServerError, Throttle)
}
"""The classes of faults by name."""
