"""The emulator's clocks: real time, faster or slower time, and time that moves only when it is told to."""

from __future__ import annotations

from typing import Protocol

import attrs

from aiorekostream.clock import SystemClock
from aiorekostream.domain.fields import finite
from aiorekostream.domain.rules import Validated, collecting

__all__ = ["EmulatorClock", "ManualClock", "RealClock", "ScaledClock"]


def _wall() -> float:
    return SystemClock().wall().timestamp()


def _factor(value: float) -> float:
    return finite(value, least=1e-6, most=1e6)


def _moment(value: float) -> float:
    return finite(value, least=0, most=1e11)


class EmulatorClock(Protocol):
    """What the emulator needs to know of time."""

    def now(self) -> float:
        """Seconds since 1970-01-01T00:00:00Z."""
        ...


@attrs.frozen
class RealClock:
    """The machine's own time."""

    def now(self) -> float:
        """Seconds since 1970-01-01T00:00:00Z."""
        return _wall()


@attrs.frozen(field_transformer=collecting)
class ScaledClock(Validated):
    """Time that begins now and passes faster or slower than real time.

    Everything that the emulator does by itself keeps its proportion: sessions end sooner, and quotas fill sooner.

    Attributes:
        factor: how many of its seconds pass in a real one, from 0.000001 to 1,000,000.

    Raises:
        InvalidRequestError: the factor is out of this range.
    """

    factor: float = attrs.field(converter=_factor)
    _beginning: float = attrs.field(factory=_wall, init=False)

    def now(self) -> float:
        """Seconds since 1970-01-01T00:00:00Z, as this clock has it."""
        return self._beginning + (_wall() - self._beginning) * self.factor


@attrs.define(field_transformer=collecting)
class ManualClock(Validated):
    """Time that stands still until ``advance`` is called.

    Attributes:
        moment: the time it shows, in seconds since 1970-01-01T00:00:00Z.

    Raises:
        InvalidRequestError: it would begin before 1970 or go back.
    """

    moment: float = attrs.field(default=1_700_000_000.0, converter=_moment)

    def now(self) -> float:
        """Seconds since 1970-01-01T00:00:00Z, as this clock has it."""
        return self.moment

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass, 0 or more."""
        self.moment += finite(seconds, least=0, most=1e9)
