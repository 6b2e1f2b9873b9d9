"""Wake up when results are due, while a caller waits for them or they are delivered elsewhere.

Otherwise nothing runs between two requests: whatever a request needs is made when it arrives.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Generator

import attrs

from aiorekostream.clock import SystemClock, TimerHandle
from aiorekostream.emulator.clocks import EmulatorClock, ManualClock, ScaledClock

__all__ = ["ResultPump"]

# Real seconds; a clock of a program's own may not reach a moment when it is expected to.
_LEAST_DELAY = 0.001


@attrs.define(kw_only=True, eq=False)
class ResultPump:
    """Make results when they are due.

    Attributes:
        clock: the emulator's clock.
        advance: makes the results that are due.
        next_due: returns when the next result may be due, in epoch seconds of the clock, or None.
        is_eager: whether to wake up also while nothing waits.
    """

    clock: EmulatorClock
    advance: Callable[[], None]
    next_due: Callable[[], float | None]
    is_eager: bool = False
    _waiting: int = attrs.field(default=0, init=False)
    _timer: TimerHandle | None = attrs.field(default=None, init=False)
    _timer_moment: float | None = attrs.field(default=None, init=False)
    _loop: asyncio.AbstractEventLoop | None = attrs.field(default=None, init=False)

    def start(self) -> None:
        """Begin, on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self.reschedule()

    def close(self) -> None:
        """End."""
        self._loop = None
        self._cancel()

    @contextlib.contextmanager
    def attended(self) -> Generator[None]:
        """Make results when they are due, until the end of the block."""
        self._waiting += 1
        self.reschedule()
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting and not self.is_eager:
                self._cancel()

    def reschedule(self) -> None:
        """Set the timer anew: the next result may be due at another time."""
        if self._loop is None or not (self._waiting or self.is_eager):
            return
        moment = self.next_due()
        if moment == self._timer_moment:
            return
        self._cancel()
        if moment is not None:
            self._timer_moment = moment
            self._timer = call_at_moment(self.clock, moment, self._fire)

    def _fire(self) -> None:
        self._timer = self._timer_moment = None
        self.advance()
        self.reschedule()

    def _cancel(self) -> None:
        timer, self._timer, self._timer_moment = self._timer, None, None
        if timer is not None:
            timer.cancel()


def call_at_moment(clock: EmulatorClock, moment: float, callback: Callable[[], object]) -> TimerHandle:
    """Call a function on the running event loop when a clock of the emulator reaches a moment in epoch seconds."""
    if isinstance(clock, ManualClock):
        return clock.call_at(moment, callback)
    factor = clock.factor if isinstance(clock, ScaledClock) else 1.0
    real = SystemClock()
    return real.call_at(real.now() + max((moment - clock.now()) / factor, _LEAST_DELAY), callback)
