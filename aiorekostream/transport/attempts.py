"""Record the progress of an attempt at a call, with values that the transport fills in on its way."""

from __future__ import annotations

import contextvars
import datetime
import email.utils
from collections.abc import Callable, Mapping

import attrs

from aiorekostream.transport.port import ignored

__all__ = ["CURRENT", "Answer", "Attempt", "seconds"]


@attrs.frozen
class Answer:
    """The parts of a response that are known before its body is read.

    Attributes:
        status: the HTTP status.
        request_id: AWS's id of the request, when it came.
        date: the service's own time, when it came.
        retry_after: the seconds that the service asked to wait; 0 if it did not.
    """

    status: int
    request_id: str | None
    date: datetime.datetime | None = None
    retry_after: float = 0.0

    @classmethod
    def read(cls, status: int, headers: Mapping[str, str]) -> Answer:
        """From the status and the headers, by lower-case name."""
        # Calls of an emulator are applied in its own time.
        date = headers.get("x-emulator-date") or headers.get("date")
        return cls(status, headers.get("x-amzn-requestid"), _date(date), seconds(headers.get("retry-after")))


def _date(text: str | None) -> datetime.datetime | None:
    try:
        moment = email.utils.parsedate_to_datetime(text or "")
    except (ValueError, OverflowError):
        return None
    return moment if moment.utcoffset() is not None else None


def seconds(text: str | None) -> float:
    """The seconds of a Retry-After header; 0 where it names none."""
    # Retry-After may also be a date, which no service of AWS's sends.
    return float(text) if text is not None and text.isascii() and text.isdigit() else 0.0


@attrs.define
class Attempt:
    """The progress of one attempt at a call.

    Attributes:
        operation: AWS's name of the operation.
        idempotent: whether doing it twice is the same as doing it once.
        on_sent: called when the request begins to go out.
        signed: whether the request was signed and handed to the HTTP client.
        sent: whether it found a connection, and so may have been applied.
        answer: the answer, once one has come.
    """

    operation: str
    idempotent: bool
    on_sent: Callable[[], None] = ignored
    signed: bool = False
    sent: bool = False
    answer: Answer | None = None

    def found_connection(self) -> None:
        """There is a connection, and the request goes out."""
        self.sent = True
        self.on_sent()


CURRENT: contextvars.ContextVar[Attempt | None] = contextvars.ContextVar("attempt", default=None)
"""The attempt that this task makes."""
