"""What brings a processor nearer to what is wanted of it, for each status: two tables, pure."""

from __future__ import annotations

import enum
from types import MappingProxyType
from typing import TYPE_CHECKING

from aiorekostream.domain.status import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Step", "step_to_rest", "step_to_work"]


class Step(enum.Enum):
    """What to do next."""

    NONE = enum.auto()
    """It is there, or on its way."""
    ACT = enum.auto()
    """Start it, or stop it."""
    WAIT = enum.auto()
    """What is under way must end first."""


_TO_WORK: Mapping[Status, Step] = MappingProxyType(
    {
        Status.STOPPED: Step.ACT,
        Status.FAILED: Step.ACT,
        Status.STARTING: Step.NONE,
        Status.RUNNING: Step.NONE,
        Status.STOPPING: Step.WAIT,
        Status.UPDATING: Step.WAIT,
    }
)
_TO_REST: Mapping[Status, Step] = MappingProxyType(
    {
        Status.STOPPED: Step.NONE,
        Status.FAILED: Step.NONE,
        Status.STARTING: Step.ACT,
        Status.RUNNING: Step.ACT,
        Status.STOPPING: Step.WAIT,
        Status.UPDATING: Step.WAIT,
    }
)


def step_to_work(status: Status) -> Step:
    """The step towards a processor that works; a status that is not known here is waited out."""
    return _TO_WORK.get(status, Step.WAIT)


def step_to_rest(status: Status) -> Step:
    """The step towards a processor that does nothing; a status that is not known here is waited out."""
    return _TO_REST.get(status, Step.WAIT)
