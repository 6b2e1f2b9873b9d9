"""Define the options of a fleet, validated together."""

import datetime
import inspect
import math
from collections.abc import Callable
from typing import get_args

import attrs

from aiorekostream.client import Client
from aiorekostream.domain.fields import count, optional_count, seconds
from aiorekostream.domain.rules import Validated, collecting, optional, reject
from aiorekostream.fleet.events import FleetEvent
from aiorekostream.fleet.monitor import SessionMonitor
from aiorekostream.fleet.requests import WhenBusy
from aiorekostream.fleet.slot_sharing import SharedSessionSlots

__all__ = ["FleetOptions"]

# The range of a request's lifetime in seconds.
_SHORTEST, _LONGEST = 0.001, 1e9


def _when_busy(value: WhenBusy) -> WhenBusy:
    if value not in get_args(WhenBusy):
        reject(value, "'queue', 'share' or 'reject'")
    return value


def _expires_after(value: datetime.timedelta | float | None) -> float:
    return math.inf if value is None else seconds(value, least=_SHORTEST, most=_LONGEST)


def _poll_interval(value: datetime.timedelta | float) -> float:
    return seconds(value, least=0.1, most=3600)


def _client(value: Client) -> Client:
    if not hasattr(value, "pipeline"):
        reject(value, "a Client")
    return value


def _listener(value: Callable[[FleetEvent], None] | None) -> Callable[[FleetEvent], None] | None:
    if value is not None and (not callable(value) or inspect.iscoroutinefunction(value)):
        reject(value, "a plain function of a FleetEvent, or None")
    return value


def _monitor(value: SessionMonitor | None) -> SessionMonitor | None:
    return optional(value, "ended", expected="a SessionMonitor, which has a method `ended`")


def _slots(value: SharedSessionSlots | None) -> SharedSessionSlots | None:
    return optional(value, "open", expected="a SharedSessionSlots, such as a RedisSessionSlots")


@attrs.frozen(kw_only=True, field_transformer=collecting)
class FleetOptions(Validated):
    """See ``Fleet``.

    Raises:
        InvalidRequestError: arguments break their rules; all issues at once.
    """

    client: Client = attrs.field(converter=_client)
    on_event: Callable[[FleetEvent], None] | None = attrs.field(converter=_listener)
    session_monitor: SessionMonitor | None = attrs.field(converter=_monitor)
    when_busy: WhenBusy = attrs.field(converter=_when_busy)
    expires_after: float = attrs.field(converter=_expires_after)
    max_in_flight: int | None = attrs.field(converter=optional_count)
    max_pending: int = attrs.field(converter=count)
    poll_interval: float = attrs.field(converter=_poll_interval)
    slots: SharedSessionSlots | None = attrs.field(converter=_slots)
