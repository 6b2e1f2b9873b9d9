"""One ``start``, ``starting``, ``stop`` or ``stopping``: what it took and what came of it; and which was the latest."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, MutableMapping
from typing import TypeVar

import attrs

from aiorekostream.fleet.outcomes import Outcome
from aiorekostream.fleet.tickets import Ticket

__all__ = ["Run", "Runs"]

_T = TypeVar("_T")


@attrs.define(eq=False)
class Run:
    """Requests of one caller, read no faster than there is room for them.

    Attributes:
        capacity: how many requests may be taken that have no outcome yet.
        hands_on: whether outcomes are handed on, and take up room until they are; they are kept if not.
        outcomes: those that were not handed on.
        pending: the requests that have none.
        tasks: where its calls are made.
    """

    capacity: int
    hands_on: bool
    outcomes: deque[Outcome] = attrs.field(factory=deque[Outcome], init=False)
    pending: set[Ticket] = attrs.field(factory=set[Ticket], init=False)
    tasks: asyncio.TaskGroup = attrs.field(factory=asyncio.TaskGroup, init=False)
    _news: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    async def as_room_allows(self, items: Iterable[_T] | AsyncIterable[_T]) -> AsyncIterator[_T]:
        """The items, each read when there is room for it."""
        if isinstance(items, AsyncIterable):
            async for item in items:
                yield item
                await self._room()
        else:
            for item in items:
                yield item
                await self._room()

    async def settled(self) -> None:
        """Wait until every request has its outcome."""
        while self.pending:
            await self._wait()

    def settle(self, outcome: Outcome, ticket: Ticket | None = None) -> None:
        """A request has its outcome; one that was none has no ticket."""
        if ticket is not None:
            self.pending.discard(ticket)
        self.outcomes.append(outcome)
        self._news.set()

    async def has_news(self, driver: asyncio.Task[None]) -> bool:
        """Wait for an outcome to hand on; False when the task that drives this run is done, and none is left."""
        driver.add_done_callback(self._driven)
        try:
            while not self.outcomes and not driver.done():
                await self._wait()
        finally:
            driver.remove_done_callback(self._driven)
        return bool(self.outcomes)

    def hand_on(self) -> Outcome:
        """The next outcome, which makes room for a request."""
        self._news.set()
        return self.outcomes.popleft()

    def _driven(self, _: asyncio.Task[None]) -> None:
        self._news.set()

    async def _room(self) -> None:
        while len(self.pending) + (len(self.outcomes) if self.hands_on else 0) >= self.capacity:
            await self._wait()

    async def _wait(self) -> None:
        # Whoever waits looks for itself whether the news concern it.
        self._news.clear()
        await self._news.wait()


@attrs.define(eq=False)
class Runs:
    """The latest run, of each task and of all."""

    _latest: Run | None = attrs.field(default=None, init=False)
    _by_task: MutableMapping[asyncio.Task[object], Run] = attrs.field(
        factory=weakref.WeakKeyDictionary[asyncio.Task[object], Run], init=False
    )

    def new(self, capacity: int, *, hands_on: bool) -> Run:
        """Begin one, for the task that runs."""
        self._latest = run = Run(capacity, hands_on)
        if (task := asyncio.current_task()) is not None:
            self._by_task[task] = run
        return run

    @property
    def latest(self) -> Run | None:
        """That of the task that runs, or of all if it has made none."""
        try:
            task = asyncio.current_task()
        except RuntimeError:  # no event loop runs
            task = None
        return self._latest if task is None else self._by_task.get(task, self._latest)
