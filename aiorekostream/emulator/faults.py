"""Faults that can be scripted, as values: what goes wrong, with which requests, and how often.

A fault strikes requests that are well formed and whose caller is known, before any quota is looked at.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

import attrs

from aiorekostream.domain.fields import finite, flag, whole_number
from aiorekostream.domain.rules import Validated, collecting, reject

__all__ = [
    "ErrorResponse",
    "Fault",
    "Hang",
    "Latency",
    "MalformedResponse",
    "ResetAfter",
    "ResetBefore",
    "ServerError",
    "Throttle",
]


def _text(value: str) -> str:
    return value if isinstance(value, str) else reject(value, "text")


def _optional_text(value: str | None) -> str | None:
    return None if value is None else _text(value)


def _times(value: int | None) -> int | None:
    return None if value is None else whole_number(value, least=1)


def _probability(value: float) -> float:
    return finite(value, least=0, most=1)


def _seconds(value: float) -> float:
    return finite(value, least=0, most=1e9)


def _status(value: int) -> int:
    return whole_number(value, least=400, most=599)


@attrs.frozen(kw_only=True, field_transformer=collecting)
class Fault(Validated):
    """What every scripted fault has: the requests that it strikes.

    Attributes:
        operation: a pattern (``*``, ``?``, ``[...]``) for AWS's name of the operation.
        name: a pattern for the name of the stream processor; ``*`` matches requests without a name too.
        times: how many requests it strikes; None for every one until the faults are cleared.
        probability: the share of the matching requests that it strikes, from 0 to 1.

    Raises:
        InvalidRequestError: an attribute is out of its range.
    """

    operation: str = attrs.field(default="*", converter=_text)
    name: str = attrs.field(default="*", converter=_text)
    times: int | None = attrs.field(default=1, converter=_times)
    probability: float = attrs.field(default=1.0, converter=_probability)

    def matches(self, operation: str, name: str) -> bool:
        """Whether a request is one that it may strike."""
        return fnmatchcase(operation, self.operation) and fnmatchcase(name, self.name)


@attrs.frozen(kw_only=True, field_transformer=collecting)
class Throttle(Fault):
    """``ThrottlingException``, not carried out.

    Attributes:
        status: 400 with ``Slow down; ...``, or 500 with ``Service Unavailable``: AWS documents both.
    """

    status: int = attrs.field(default=400, converter=_status)


@attrs.frozen(kw_only=True, field_transformer=collecting)
class ErrorResponse(Fault):
    """Any refusal, not carried out.

    Attributes:
        code: AWS's error code.
        message: the message; None for a body that is ``__type`` and nothing else.
        status: the HTTP status, 400 to 599.
    """

    code: str = attrs.field(default="AccessDeniedException", converter=_text)
    message: str | None = attrs.field(default=None, converter=_optional_text)
    status: int = attrs.field(default=400, converter=_status)


@attrs.frozen(kw_only=True, field_transformer=collecting)
class ServerError(Fault):
    """The service fails.

    Attributes:
        status: the HTTP status, 400 to 599.
        code: AWS's error code.
        html: answer a page of HTML as a proxy in between would, without any code.
        done: carry the operation out all the same.
    """

    status: int = attrs.field(default=500, converter=_status)
    code: str = attrs.field(default="InternalServerError", converter=_text)
    html: bool = attrs.field(default=False, converter=flag)
    done: bool = attrs.field(default=False, converter=flag)


@attrs.frozen(kw_only=True, field_transformer=collecting)
class Latency(Fault):
    """The request waits before it is looked at. It is carried out then, even if the caller has gone away by that time.

    Attributes:
        seconds: how long; real seconds, whatever clock the emulator has.
    """

    seconds: float = attrs.field(default=1.0, converter=_seconds)


@attrs.frozen(kw_only=True, field_transformer=collecting)
class ResetBefore(Fault):
    """The connection is reset after the request was read; it is not carried out."""


@attrs.frozen(kw_only=True, field_transformer=collecting)
class ResetAfter(Fault):
    """The operation is carried out, and the connection is reset instead of an answer."""


@attrs.frozen(kw_only=True, field_transformer=collecting)
class Hang(Fault):
    """No answer comes for as long as the emulator runs.

    Attributes:
        done: carry the operation out first.
    """

    done: bool = attrs.field(default=False, converter=flag)


@attrs.frozen(kw_only=True, field_transformer=collecting)
class MalformedResponse(Fault):
    """HTTP 200 with a body that is not what AWS sends.

    Attributes:
        body: the body.
        done: carry the operation out first.
    """

    body: str = attrs.field(default="<html><body>It works!</body></html>", converter=_text)
    done: bool = attrs.field(default=True, converter=flag)


FAULTS: dict[str, type[Fault]] = {
    fault.__name__: fault
    for fault in (MalformedResponse, Hang, Latency, ErrorResponse, ResetAfter, ResetBefore, ServerError, Throttle)
}
"""Every kind of fault by its name."""
