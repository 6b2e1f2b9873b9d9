"""A sleep until a moment that may come earlier while one sleeps."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable

import attrs

from aiorekostream.clock import Clock

__all__ = ["Alarm"]


@attrs.define(eq=False)
class Alarm:
    """For one sleeper, who is woken when the moment has come; infinity never does.

    Attributes:
        clock: tells the time.
        moment: tells when to wake.
    """

    clock: Clock
    moment: Callable[[], float]
    _rings: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _set_for: float = attrs.field(default=-math.inf, init=False)

    async def sleep(self) -> None:
        """Come back when the moment has come."""
        while (moment := self.moment()) > self.clock.now():
            self._rings.clear()
            self._set_for = moment
            with contextlib.suppress(TimeoutError):
                async with contextlib.AsyncExitStack() as stack:
                    if moment < math.inf:
                        await stack.enter_async_context(self.clock.timeout_at(moment))
                    await self._rings.wait()
            self._set_for = -math.inf

    def look(self) -> None:
        """The moment may have changed: let the sleeper look, if it comes earlier than was thought."""
        if self.moment() < self._set_for:
            self._rings.set()
