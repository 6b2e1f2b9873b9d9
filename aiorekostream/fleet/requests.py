"""What a fleet is asked: starts with a deadline or in a hurry, and what to do about a busy camera."""

from __future__ import annotations

import datetime
import enum

import attrs

from aiorekostream.domain.fields import flag
from aiorekostream.domain.requests import FaceSearchStart, LabelDetectionStart, StartRequest
from aiorekostream.domain.rules import Validated, collecting, reject

__all__ = ["FleetRequest", "WhenBusy"]


class WhenBusy(enum.StrEnum):
    """What becomes of a request for a processor that the fleet is starting, or has a session of under way."""

    WAIT = "wait"
    """It is sent when the session before it has ended."""
    JOIN = "join"
    """It shares the outcome, and the session, of the request before it."""
    REFUSE = "refuse"
    """It fails with ``ProcessorBusyError``."""


def _start(value: StartRequest) -> StartRequest:
    if not isinstance(value, FaceSearchStart | LabelDetectionStart):
        reject(value, "a FaceSearchStart or a LabelDetectionStart")
    return value


def _moment(value: datetime.datetime | None) -> datetime.datetime | None:
    if value is not None and (not isinstance(value, datetime.datetime) or value.utcoffset() is None):
        reject(value, "a datetime with a time zone")
    return value


@attrs.frozen(field_transformer=collecting)
class FleetRequest(Validated):
    """A start with something to be said about when.

    Attributes:
        request: the start.
        expires_at: when it is no longer worth sending, with a time zone; ``None`` if it always is.
        urgent: whether it goes before those that are not.

    Raises:
        InvalidRequestError: fields break their rules; all issues at once.
    """

    request: StartRequest = attrs.field(converter=_start)
    expires_at: datetime.datetime | None = attrs.field(default=None, converter=_moment, kw_only=True)
    urgent: bool = attrs.field(default=False, converter=flag, kw_only=True)
