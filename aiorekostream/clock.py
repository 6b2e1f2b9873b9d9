"""Provide the clock: the only module of the package that reads the time, sleeps or sets a timer."""

import asyncio
import contextlib
import datetime
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import attrs

from aiorekostream.errors import ConfigurationError

__all__ = ["Clock", "SystemClock", "TimerHandle", "is_cancelled", "running_loop", "timeout_by_timer"]


def running_loop() -> asyncio.AbstractEventLoop:
    """Return the running event loop.

    Raises:
        ConfigurationError: there is none.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError as error:
        raise ConfigurationError("no event loop is running: call it in a coroutine") from error


def is_cancelled() -> bool:
    """Return whether the current task is being cancelled.

    If not, a ``CancelledError`` is that of a cancelled future which the code that was awaited has awaited, or raised
    itself: an error like any other, and no reason to end the task.
    """
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


class _Machine:
    """The timeline of the machine's monotonic clock, shared by every event loop that uses it."""


_MACHINE = _Machine()
# Seconds. uvloop caches its time once per loop iteration, so its time lags behind the monotonic clock by the length of
# an iteration. A loop whose time is further away than this has a time of its own.
_MAX_LAG = 1.0


class TimerHandle(Protocol):
    """A callback that is scheduled with ``Clock.call_at``."""

    def cancel(self) -> None:
        """Drop the callback. Has no effect after it ran or when it is already cancelled."""
        ...


class Clock(Protocol):
    """Provide the time to the package."""

    def now(self) -> float:
        """Return the seconds since a fixed moment; never decreases."""
        ...

    def wall(self) -> datetime.datetime:
        """Return the date and time in UTC."""
        ...

    def timeline(self) -> object:
        """Return the identity of the time that ``now`` reads: hashable by identity, and weakly referenceable.

        Moments of two clocks can be compared if and only if both return the same object.
        """
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after some time.

        Args:
            seconds: the seconds to wait; 0 or less yields to the event loop once.
        """
        ...

    def timeout_at(self, moment: float) -> AbstractAsyncContextManager[object]:
        """Return a block that is cancelled, and raises ``TimeoutError``, when ``now()`` reaches a moment.

        Args:
            moment: the moment, in seconds as ``now`` counts them.
        """
        ...

    def call_at(self, moment: float, callback: Callable[[], object]) -> TimerHandle:
        """Call the callback on the running event loop when ``now()`` reaches the moment.

        A moment in the past is due at once. The callback never runs inside this call.
        """
        ...


@attrs.frozen
class SystemClock:
    """Read the time of the running event loop, so that a loop with virtual time needs no other clock.

    Its methods except ``wall`` raise ``ConfigurationError`` where no event loop is running.
    """

    def now(self) -> float:
        """Return the loop's time in seconds."""
        return running_loop().time()

    def wall(self) -> datetime.datetime:
        """Return the machine's date and time in UTC."""
        return datetime.datetime.now(datetime.UTC)

    def timeline(self) -> object:
        """Return the machine's timeline, which asyncio's and uvloop's loops share, or else the loop itself."""
        loop = running_loop()
        return _MACHINE if abs(loop.time() - time.monotonic()) < _MAX_LAG else loop

    async def sleep(self, seconds: float) -> None:
        """Sleep on the loop."""
        await asyncio.sleep(seconds)

    def timeout_at(self, moment: float) -> AbstractAsyncContextManager[object]:
        """Return ``asyncio.timeout_at``."""
        return asyncio.timeout_at(moment)

    def call_at(self, moment: float, callback: Callable[[], object]) -> TimerHandle:
        """Set a timer of the running loop."""
        return running_loop().call_at(moment, callback)


@contextlib.asynccontextmanager
async def timeout_by_timer(
    call_at: Callable[[float, Callable[[], object]], TimerHandle], moment: float
) -> AsyncGenerator[asyncio.Timeout]:
    """Build ``Clock.timeout_at`` from ``Clock.call_at``, for a clock that is not the event loop's.

    Nested timeouts and cancellations from outside are told apart by ``asyncio.timeout``.

    Args:
        call_at: sets the timer.
        moment: when the block is cancelled, on the clock of ``call_at``.

    Raises:
        TimeoutError: the moment came before the end of the block.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as timeout:
        timer = call_at(moment, lambda: timeout.reschedule(loop.time()))
        try:
            yield timeout
        finally:
            timer.cancel()
