"""Time: the only place of the package that reads a clock or sleeps."""

from __future__ import annotations

import asyncio
import datetime
import time
from typing import TYPE_CHECKING, Protocol

import attrs

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

__all__ = ["Clock", "SystemClock"]


class _Machine:
    """The time that the machine counts, for every event loop that goes by it."""


_MACHINE = _Machine()
# Loops round, and tell the time at which they last looked.
_SAME = 1.0


class Clock(Protocol):
    """What the package needs to know of time."""

    def now(self) -> float:
        """Seconds since some beginning; never goes back."""
        ...

    def wall(self) -> datetime.datetime:
        """The date and time, in UTC."""
        ...

    def timeline(self) -> object:
        """What its moments lie on: where it is the same object, they can be compared. It can be referred to weakly."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Come back after so many seconds."""
        ...

    def timeout_at(self, moment: float) -> AbstractAsyncContextManager[object]:
        """A block that ends with ``TimeoutError`` when ``now()`` reaches the moment."""
        ...


@attrs.frozen
class SystemClock:
    """The running event loop's own time, so that a loop with another time brings this clock along."""

    def now(self) -> float:
        """The loop's time in seconds."""
        return asyncio.get_running_loop().time()

    def wall(self) -> datetime.datetime:
        """The machine's date and time, in UTC."""
        return datetime.datetime.now(datetime.UTC)

    def timeline(self) -> object:
        """The machine's own, if the loop goes by that, as asyncio's and uvloop's do, or the loop's."""
        loop = asyncio.get_running_loop()
        return _MACHINE if abs(loop.time() - time.monotonic()) < _SAME else loop

    async def sleep(self, seconds: float) -> None:
        """Sleep on the loop."""
        await asyncio.sleep(seconds)

    def timeout_at(self, moment: float) -> AbstractAsyncContextManager[object]:
        """``asyncio.timeout_at``."""
        return asyncio.timeout_at(moment)
