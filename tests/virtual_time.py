"""An event loop on which time passes only while every task waits, and then at once."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["NothingWillHappenError", "VirtualLoop", "now", "run"]

_T = TypeVar("_T")


class NothingWillHappenError(RuntimeError):
    """Every task waits for another one: with real time, this would hang."""


class _Selector(selectors.SelectSelector):
    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                message = "every task waits and no timer is set"
                raise NothingWillHappenError(message)
            self.loop.moment += max(timeout, 0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose ``time()`` begins at 0 and jumps to the next timer whenever nothing else is to do."""

    def __init__(self) -> None:
        selector = _Selector()
        selector.loop = self
        self.moment = 0.0
        super().__init__(selector)

    def time(self) -> float:
        return self.moment


def run(coroutine: Coroutine[object, object, _T]) -> _T:
    """Run a coroutine to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(coroutine)


def now() -> float:
    """The time of the running event loop, in seconds."""
    return asyncio.get_running_loop().time()
