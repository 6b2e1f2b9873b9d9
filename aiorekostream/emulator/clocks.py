"""Provide the emulator's clocks: real time, faster or slower time, and time that moves only on request."""

import asyncio
import contextlib
import contextvars
import datetime
import functools
import heapq
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import attrs

from aiorekostream.clock import SystemClock, TimerHandle, timeout_by_timer
from aiorekostream.domain.fields import finite
from aiorekostream.domain.fields import seconds as duration
from aiorekostream.domain.rules import Validated, collecting
from aiorekostream.errors import ConfigurationError

__all__ = ["EmulatorClock", "ManualClock", "RealClock", "ScaledClock", "manual"]


def _wall() -> float:
    return SystemClock().wall().timestamp()


def _factor(value: float) -> float:
    return finite(value, least=1e-6, most=1e6)


def _moment(value: float) -> float:
    return finite(value, least=0, most=1e11)


class EmulatorClock(Protocol):
    """The clock interface of the emulator."""

    def now(self) -> float:
        """Return the seconds since 1970-01-01T00:00:00Z."""
        ...


@attrs.frozen
class RealClock:
    """The machine's own time."""

    def now(self) -> float:
        """Return the seconds since 1970-01-01T00:00:00Z."""
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
        """Return the seconds since 1970-01-01T00:00:00Z, as this clock has it."""
        return self._beginning + (_wall() - self._beginning) * self.factor


@attrs.define(eq=False, repr=False)
class _Timer:
    """A callback of a ``ManualClock``, and the event loop on which it runs."""

    moment: float
    callback: Callable[[], object]
    loop: asyncio.AbstractEventLoop
    context: contextvars.Context
    on_cancel: Callable[[], None]
    is_pending: bool = True

    def cancel(self) -> None:
        """See ``TimerHandle.cancel``."""
        if self.is_pending:
            self.is_pending = False
            self.on_cancel()

    def fire(self) -> None:
        """Run the callback: at once on its own loop, or through ``call_soon_threadsafe`` from anywhere else."""
        if _running_loop() is self.loop:
            self.run()
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed, and its callbacks went with it
            self.loop.call_soon_threadsafe(self.run)

    def run(self) -> None:
        """Run the callback unless it was cancelled in the meantime; report an exception as the loop does."""
        if not self.is_pending:
            return
        self.is_pending = False
        try:
            self.context.run(self.callback)
        except Exception as error:  # noqa: BLE001 - one callback must not keep the others from running
            message = f"Exception in callback {self.callback!r} of a ManualClock"
            self.loop.call_exception_handler({"message": message, "exception": error})


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


# Cancelled timers stay in the heap until there are more than this many of them and they are the greater part of it, as
# in asyncio's own loop (base_events._MIN_SCHEDULED_TIMER_HANDLES).
_MIN_CANCELLED = 100


@attrs.define(field_transformer=collecting, eq=False)
class ManualClock(Validated):
    """Time that stands still until ``advance`` is called.

    It is a ``Clock`` for the client and a clock for the emulator, so that one call of ``advance`` moves both.

    Attributes:
        moment: the time it shows, in seconds since 1970-01-01T00:00:00Z.

    Raises:
        InvalidRequestError: ``moment`` is before 1970, or ``advance`` would set the clock back.
    """

    moment: float = attrs.field(default=1_700_000_000.0, converter=_moment)
    _timers: list[tuple[float, int, _Timer]] = attrs.field(factory=list, init=False, repr=False)
    _numbers: Iterator[int] = attrs.field(factory=itertools.count, init=False, repr=False)
    _cancelled: int = attrs.field(default=0, init=False, repr=False)
    # Reentrant: a callback may set timers, and may advance the clock itself.
    _lock: threading.RLock = attrs.field(factory=threading.RLock, init=False, repr=False)

    def now(self) -> float:
        """Return the seconds since 1970-01-01T00:00:00Z, as this clock shows them."""
        return self.moment

    def wall(self) -> datetime.datetime:
        """Return the date and time that this clock shows, in UTC."""
        return datetime.datetime.fromtimestamp(self.moment, datetime.UTC)

    def timeline(self) -> object:
        """Return the clock itself: its moments cannot be compared with those of another clock."""
        return self

    async def sleep(self, seconds: float) -> None:
        """Return once the clock was advanced by the given number of seconds; 0 or less yields to the loop once."""
        woken = asyncio.get_running_loop().create_future()
        timer = self.call_at(self.moment + seconds, functools.partial(_wake, woken))
        try:
            await woken
        finally:
            timer.cancel()

    def timeout_at(self, moment: float) -> AbstractAsyncContextManager[object]:
        """Return a block that is cancelled, and raises ``TimeoutError``, when the clock reaches the moment."""
        return timeout_by_timer(self.call_at, moment)

    def call_at(self, moment: float, callback: Callable[[], object]) -> TimerHandle:
        """Call the callback on the running event loop when the clock reaches the moment; see ``Clock.call_at``."""
        loop = asyncio.get_running_loop()
        timer = _Timer(moment, callback, loop, contextvars.copy_context(), self._timer_was_cancelled)
        with self._lock:
            if moment > self.moment:
                heapq.heappush(self._timers, (moment, next(self._numbers), timer))
                return timer
        timer.on_cancel = _nothing
        loop.call_soon(timer.run)
        return timer

    def advance(self, seconds: datetime.timedelta | float) -> None:
        """Let time pass, and run what is due meanwhile.

        Callbacks of the running event loop run inside this call, in the order of their moments; the clock shows each
        one's moment while it runs, and one that sets another timer within the time is followed by that. Tasks that a
        callback wakes continue afterwards, when the loop runs. Callbacks of another loop, such as one in another
        thread, are handed to that loop and run there later.

        Args:
            seconds: how much time passes, a ``timedelta`` or seconds, from 0 to 1,000,000,000.

        Raises:
            InvalidRequestError: the number is out of this range; no time has passed.
        """
        with self._lock:
            end = self.moment + duration(seconds, least=0, most=1e9)
            while self._timers and self._timers[0][0] <= end:
                moment, _, timer = heapq.heappop(self._timers)
                timer.on_cancel = _nothing
                if not timer.is_pending:
                    self._cancelled -= 1
                    continue
                self.moment = max(self.moment, moment)
                timer.fire()
            self.moment = max(self.moment, end)

    def _timer_was_cancelled(self) -> None:
        with self._lock:
            self._cancelled += 1
            if self._cancelled > max(_MIN_CANCELLED, len(self._timers) // 2):
                self._timers = [entry for entry in self._timers if entry[2].is_pending]
                heapq.heapify(self._timers)
                self._cancelled = 0


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)


def _nothing() -> None:
    pass


def manual(clock: EmulatorClock) -> ManualClock:
    """Return a clock that can be advanced.

    Raises:
        ConfigurationError: the clock is not a ``ManualClock``.
    """
    if not isinstance(clock, ManualClock):
        kind = type(clock).__name__
        raise ConfigurationError(
            f"cannot advance a {kind}: use Emulator(clock=ManualClock()) or the option --clock manual"
        )
    return clock
