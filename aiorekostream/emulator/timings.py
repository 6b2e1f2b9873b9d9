"""How long things take in the emulated service."""

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
    """How long things take, all in seconds of the emulator's clock; 0 or more.

    AWS documents none of these but the longest duration of a session, which is in the request. That a face search takes
    about 2 seconds to start was seen once; the rest is the emulator's own guess.

    Attributes:
        starting: from the start of a face search until it is RUNNING.
        failing: from a start until a role, a stream or a collection that is out of reach makes it FAILED.
        stopping: from a stop until the processor is STOPPED.
        updating: from an update until the processor is STOPPED again.
        deleting: from a delete until Describe no longer finds the processor and its name and streams are free.
        overshoot: how much longer than its maximum duration a label detection works: AWS looks at the time only at the
            end of a video fragment.
        media: how much video every stream has to offer: a label detection ends there if that is earlier.
        stuck: how long a processor has been STARTING when DeleteStreamProcessor no longer refuses it: AWS tells users
            to delete one that starts for more than two minutes.

    Raises:
        InvalidRequestError: one is negative, infinite (``media`` may be) or no number.
    """

    starting: float = attrs.field(default=2.0, converter=_seconds)
    failing: float = attrs.field(default=1.0, converter=_seconds)
    stopping: float = attrs.field(default=1.0, converter=_seconds)
    updating: float = attrs.field(default=1.0, converter=_seconds)
    deleting: float = attrs.field(default=2.0, converter=_seconds)
    overshoot: float = attrs.field(default=0.0, converter=_seconds)
    media: float = attrs.field(default=math.inf, converter=_seconds_or_for_ever)
    stuck: float = attrs.field(default=120.0, converter=_seconds)
