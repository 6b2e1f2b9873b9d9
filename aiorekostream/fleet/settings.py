"""How a fleet is set up: what its arguments must be."""

from __future__ import annotations

import datetime
import inspect
import math
from collections.abc import Callable

import attrs

from aiorekostream.client import Client
from aiorekostream.domain.fields import finite, whole_number
from aiorekostream.domain.rules import Validated, collecting, reject
from aiorekostream.fleet.ends import Ends
from aiorekostream.fleet.progress import Progress
from aiorekostream.fleet.requests import WhenBusy

__all__ = ["Settings"]


def _when_busy(value: WhenBusy | str) -> WhenBusy:
    try:
        return WhenBusy(value)
    except ValueError:
        reject(value, "'wait', 'join' or 'refuse'")


def _expires_after(value: datetime.timedelta | None) -> float:
    if value is None:
        return math.inf
    if not isinstance(value, datetime.timedelta) or value <= datetime.timedelta():
        reject(value, "a timedelta above zero, or None")
    return value.total_seconds()


def _abreast(value: int | None) -> int | None:
    return None if value is None else whole_number(value, least=1)


def _capacity(value: int) -> int:
    return whole_number(value, least=1)


def _seconds(value: float) -> float:
    return finite(value, least=0.1, most=3600)


def _client(value: Client) -> Client:
    if not hasattr(value, "pipeline"):
        reject(value, "a Client")
    return value


def _listener(value: Callable[[Progress], None] | None) -> Callable[[Progress], None] | None:
    if value is not None and (not callable(value) or inspect.iscoroutinefunction(value)):
        reject(value, "a plain function of a Progress, or None")
    return value


def _ends(value: Ends | None) -> Ends | None:
    if value is not None and not callable(getattr(value, "ended", None)):
        reject(value, "an object with a method `ended`, or None")
    return value


@attrs.frozen(kw_only=True, field_transformer=collecting)
class Settings(Validated):
    """The arguments of a fleet, as they were found to be right.

    Raises:
        InvalidRequestError: arguments break their rules; all issues at once.
    """

    client: Client = attrs.field(converter=_client)
    on_progress: Callable[[Progress], None] | None = attrs.field(converter=_listener)
    ends: Ends | None = attrs.field(converter=_ends)
    when_busy: WhenBusy = attrs.field(converter=_when_busy)
    expires_after: float = attrs.field(converter=_expires_after)
    max_in_flight: int | None = attrs.field(converter=_abreast)
    max_waiting: int = attrs.field(converter=_capacity)
    look_every: float = attrs.field(converter=_seconds)
