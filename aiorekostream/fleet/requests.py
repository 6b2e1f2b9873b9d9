"""Define the requests of a fleet: starts with a deadline or a priority, and the policy for busy processors."""

import datetime
from typing import Any, Literal, TypeAlias, final

import attrs

from aiorekostream.domain.fields import flag
from aiorekostream.domain.requests import FaceSearchStart, LabelDetectionStart, StartRequest
from aiorekostream.domain.rules import Validated, collecting, reject

__all__ = ["FleetRequest", "WhenBusy"]

WhenBusy: TypeAlias = Literal["queue", "share", "reject"]
"""The policy for a request for a processor that the fleet is starting, or has a session of.

``"queue"`` sends it when that session has ended, ``"share"`` gives it the outcome and the session of the request before
it, ``"reject"`` fails it with ``ProcessorBusyError``.
"""


def _start(value: StartRequest) -> StartRequest:
    if not isinstance(value, FaceSearchStart | LabelDetectionStart):
        reject(value, "a FaceSearchStart or a LabelDetectionStart")
    return value


def _moment(value: datetime.datetime | None) -> datetime.datetime | None:
    if value is not None and (not isinstance(value, datetime.datetime) or value.utcoffset() is None):
        reject(value, "a datetime with a time zone")
    return value


@final
@attrs.frozen(field_transformer=collecting)
class FleetRequest(Validated):
    """A start with a deadline or a priority.

    Attributes:
        request: the start.
        expires_at: the date and time, with a time zone, after which it is no longer worth sending; ``None`` for no
            deadline.
        urgent: whether it goes before those that are not urgent.
        tag: any object, such as the id of the event that the request is for; it is returned as ``outcome.tag``.

    Raises:
        InvalidRequestError: fields break their rules; all issues at once.
    """

    request: StartRequest = attrs.field(converter=_start)
    expires_at: datetime.datetime | None = attrs.field(default=None, converter=_moment, kw_only=True)
    urgent: bool = attrs.field(default=False, converter=flag, kw_only=True)
    tag: Any = attrs.field(default=None, kw_only=True, hash=False)
