"""Define the durations of state changes in the emulated service."""

from __future__ import annotations

import math

import attrs

from aiorekostream.domain.fields import finite
from aiorekostream.domain.rules import Validated, collecting, reject

__all__ = ["Timings"]


def _seconds(value: float) -> float:
    return finite(value, least=0, most=1e9)


def _seconds_or_for_ever(value: float) -> float:
    return value if value == math.inf else reject(value, "more than 0 seconds") if value <= 0 else finite(value)


@attrs.frozen(kw_only=True, field_transformer=collecting)
class Timings(Validated):
    """The durations of state changes, in seconds of the emulator's clock, from 0 to 1e9.

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
    stuck: float = attrs.field(default=120.0, converter=_seconds)
