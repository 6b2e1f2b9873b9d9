"""Define the context in which one operation executes, with the durations of state changes."""

from __future__ import annotations

import datetime  # noqa: TC003 - the annotations of converters become those of __init__
import math
from collections.abc import Callable
from typing import final

import attrs

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.fields import seconds
from aiorekostream.domain.rules import Validated, collecting, reject
from aiorekostream.emulator.world.accounts import Account
from aiorekostream.emulator.world.dependency_faults import DependencyFaults
from aiorekostream.emulator.world.footage import Analyst
from aiorekostream.limits import Limits

__all__ = ["OperationContext", "ScheduledFailure", "Timings"]


def _seconds(value: datetime.timedelta | float) -> float:
    return seconds(value, least=0, most=1e9)


def _interval(value: datetime.timedelta | float) -> float:
    return seconds(value, least=0.01, most=1e9)


def _seconds_or_for_ever(value: datetime.timedelta | float) -> float:
    return math.inf if value == math.inf else _seconds(value) or reject(value, "more than 0 seconds")


@final
@attrs.frozen(kw_only=True, field_transformer=collecting)
class Timings(Validated):
    """The durations of state changes, on the emulator's clock: a ``timedelta`` or seconds, from 0 to 1e9.

    UNCERTAIN: AWS documents none of them. The 2 seconds of ``starting`` were observed once; the other defaults are
    guesses, except ``stuck``.

    Attributes:
        starting: the time from the start of a face search to RUNNING.
        failing: the time from a start with an unavailable role, stream or collection to FAILED.
        stopping: the time from a stop to STOPPED.
        updating: the time from an update to STOPPED.
        deleting: the time from a delete until Describe no longer finds the processor and its name and streams are free.
        overshoot: the time by which a label detection exceeds its maximum duration: AWS checks the duration only at the
            end of a video fragment.
        media: the length of the video in every stream; a label detection ends there if that is earlier. More than 0;
            infinite by default.
        detecting: the time from the frame of a first occurrence, or from the beginning of a session that starts with
            it, to the notification; and from a frame that a face search analyzes to its record.
        sampling: the time between two frames that a face search analyzes, each of which becomes a record; from 0.01.
            AWS has been observed to analyze one frame a second.
        stuck: the time in STARTING after which DeleteStreamProcessor is allowed: AWS advises deleting a processor that
            has been starting for more than two minutes.

    Raises:
        InvalidRequestError: a duration is out of range.
    """

    starting: float = attrs.field(default=2.0, converter=_seconds)
    failing: float = attrs.field(default=1.0, converter=_seconds)
    stopping: float = attrs.field(default=1.0, converter=_seconds)
    updating: float = attrs.field(default=1.0, converter=_seconds)
    deleting: float = attrs.field(default=2.0, converter=_seconds)
    overshoot: float = attrs.field(default=0.0, converter=_seconds)
    media: float = attrs.field(default=math.inf, converter=_seconds_or_for_ever)
    detecting: float = attrs.field(default=1.0, converter=_seconds)
    sampling: float = attrs.field(default=1.0, converter=_interval)
    stuck: float = attrs.field(default=120.0, converter=_seconds)


@attrs.frozen
class ScheduledFailure:
    """A failure that is scheduled for a processor's next start.

    Attributes:
        message: the StatusMessage.
        after: the delay after the start, in seconds.
    """

    message: str
    after: float


@attrs.frozen(kw_only=True)
class OperationContext:
    """The state and the configuration that one operation works on.

    Attributes:
        account: the caller's account in the Region, advanced to the time of the request.
        limits: the account's limits.
        timings: the durations of state changes.
        dependency_faults: the resources that are unavailable.
        analyst: returns what the cameras see.
        new_id: generates a session id.
        take_scheduled_failure: returns and removes the failure that is scheduled for a processor's next start.
    """

    account: Account
    limits: Limits
    timings: Timings
    dependency_faults: DependencyFaults
    analyst: Analyst
    new_id: Callable[[], str]
    take_scheduled_failure: Callable[[str], ScheduledFailure | None]

    @property
    def now(self) -> float:
        """The time of the request, in epoch seconds."""
        return self.account.now

    def max_active(self, kind: ProcessorKind) -> int | None:
        """Return the maximum number of active processors of a kind; None if the Region does not offer the kind."""
        is_face_search = kind is ProcessorKind.FACE_SEARCH
        by_region = self.limits.concurrent_face_search if is_face_search else self.limits.concurrent_label_detection
        return by_region.get(self.account.region)
