"""Record the progress of an attempt at a call, with values that the transport fills in on its way."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Mapping

import attrs

from aiorekostream.transport.port import http_date, ignored
from aiorekostream.transport.secrets import Secrets

__all__ = ["CURRENT", "Answer", "Attempt", "seconds"]

# The emulator's own time; its header `Date` has the real time, by which AWS's SDKs correct their clocks.
_EMULATED_DATE = "x-emulator-date"
_LONGEST = 86_400  # seconds that a service may ask to wait; a longer wait is no wait of one call
_DIGITS = 10  # of a number of seconds; more are far above the longest wait


@attrs.frozen(eq=False, repr=False)
class Answer:
    """The status and the headers of a response, as far as they are used.

    Attributes:
        status: the HTTP status.
        request_id: AWS's id of the request; ``None`` if the response has none.
        date: the service's own time, as text of a header; ``None`` if the response has none. See ``Reply.date``.
        retry_after: the seconds that the service asked to wait, at most a day; 0 if it did not.
    """

    status: int
    request_id: str | None
    date: str | None = None
    retry_after: float = 0.0

    @classmethod
    def read(cls, status: int, headers: Mapping[str, str], *, is_local: bool = False) -> Answer:
        """Return the answer with a status and headers; names are found in lower case.

        Args:
            status: the HTTP status.
            headers: the headers.
            is_local: whether the endpoint is on this machine, where an emulator may have a time of its own.
        """
        date = headers.get("date")
        emulated = headers.get(_EMULATED_DATE) if is_local else None
        return cls(
            status, headers.get("x-amzn-requestid"), emulated or date, seconds(headers.get("retry-after"), since=date)
        )


def seconds(text: str | None, *, since: str | None = None) -> float:
    """Return the seconds of a header Retry-After, at most a day; 0 if it has none.

    Args:
        text: the header: seconds or an HTTP date.
        since: the header Date of the same response, from which a date is counted: the clocks may differ.
    """
    if text is None:
        return 0.0
    if text.isascii() and text.isdigit():
        return float(min(int(text[:_DIGITS]), _LONGEST))
    until, now = http_date(text), http_date(since)
    if until is None or now is None:
        return 0.0
    return min(max(0.0, (until - now).total_seconds()), float(_LONGEST))


@attrs.define(eq=False, repr=False)
class Attempt:
    """The progress of one attempt at a call.

    Attributes:
        operation: AWS's name of the operation.
        idempotent: whether doing it twice is the same as doing it once.
        on_sent: called when the request begins to go out.
        is_local: whether the endpoint is on this machine.
        secrets: what must not appear in errors.
        region: the Region of the call.
        regions: the Regions that botocore knows; empty where that is not known.
        signed: whether the request was signed and handed to the HTTP client.
        sent: whether the request began to go out on a connection, and so may have been applied.
        answer: the status and headers of the response, once it has come.
        members: the members of a successful response, as the service wrote them.
    """

    operation: str
    idempotent: bool
    on_sent: Callable[[], None] = ignored
    is_local: bool = False
    secrets: Secrets = attrs.field(factory=Secrets)
    region: str = ""
    regions: frozenset[str] = frozenset()
    signed: bool = False
    sent: bool = False
    answer: Answer | None = None
    members: dict[str, object] | None = None

    def goes_out(self) -> None:
        """Note that the first byte is about to be written to a connection, unless the caller refuses it."""
        self.on_sent()
        self.sent = True


CURRENT: contextvars.ContextVar[Attempt | None] = contextvars.ContextVar("attempt", default=None)
"""The attempt that this task makes."""
