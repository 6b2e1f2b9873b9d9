"""The poller: one task that looks at processors for as long as anybody waits, on behalf of all who do.

Who is looked at, when and how, is decided in ``sweep.py``, what a look means in ``goals.py``, and what an end sounds
like in ``endings.py``; here is only what awaits.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import math
from typing import TYPE_CHECKING, cast

from aiorekostream.client.endings import error_of, too_late
from aiorekostream.client.goals import Goal, Sight
from aiorekostream.client.pages import StreamProcessorList
from aiorekostream.client.sweep import Watch
from aiorekostream.domain.requests import DescribeRequest, ListRequest
from aiorekostream.errors import (
    AccessDeniedError,
    CallError,
    InvalidPaginationTokenError,
    RekostreamError,
    ResourceNotFoundError,
    ServiceError,
)
from aiorekostream.limits import DEFAULT_LIMITS
from aiorekostream.operations import DESCRIBE, LIST
from aiorekostream.retry.classify import is_transient

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiorekostream.client.tickets import Ending, Ticket
    from aiorekostream.pipeline import Pipeline

__all__ = ["Poller"]


class Poller:
    """Looks at processors while somebody waits.

    The task begins with the first wait and is over when the last one is. What it cannot survive ends every wait.
    """

    __slots__ = ("_pipeline", "_task", "_trouble", "_waits", "_wake", "_watch")

    def __init__(self, pipeline: Pipeline) -> None:
        """Nothing is sent before somebody waits."""
        quotas = pipeline.limits.quotas
        describe, listing = (quotas.get(op.name, DEFAULT_LIMITS.quotas[op.name]) for op in (DESCRIBE, LIST))
        self._pipeline = pipeline
        self._watch = Watch(describe.rate, listing.rate)
        self._waits: dict[Ticket, asyncio.Future[Sight]] = {}
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._trouble: RekostreamError | None = None

    async def until(self, goal: Goal, name: str, seconds: float) -> Sight:
        """Wait until a processor has come to a goal; what was seen then.

        Raises:
            RekostreamError: it will not, or not in so many seconds.
        """
        clock = self._pipeline.clock
        ticket = self._watch.join(name, goal, clock.now())
        ended: asyncio.Future[Sight] = asyncio.get_running_loop().create_future()
        self._waits[ticket] = ended
        if self._task is None or self._task.done():
            self._trouble = None
            self._watch.drop_looks()
            self._wake = asyncio.Event()  # it belongs to the event loop of the task, which may be another one now
            self._task = asyncio.create_task(self._poll(), name="aiorekostream-poller")
        self._wake.set()
        try:
            async with clock.timeout_at(ticket.joined + seconds):
                return await ended
        except TimeoutError as error:
            if ended.done() and not ended.cancelled():
                return ended.result()
            raise too_late(ticket, seconds) from self._trouble or error
        finally:
            await self._leave(ticket)

    async def _leave(self, ticket: Ticket) -> None:
        self._watch.leave(ticket)
        ended = self._waits.pop(ticket)
        if ended.done() and not ended.cancelled():
            ended.exception()  # asyncio complains of errors that nobody looked at, even to one who was cancelled
        task = self._task
        if not self._waits and task is not None:
            self._task = None
            task.cancel()
            await asyncio.wait([task])

    async def _poll(self) -> None:
        clock = self._pipeline.clock
        try:
            async with asyncio.TaskGroup() as under_way:
                while True:
                    self._wake.clear()
                    looks = self._watch.looks(clock.now())
                    for name in looks.describe:
                        under_way.create_task(self._describe(name, looks.turn))
                    if looks.sweep:
                        under_way.create_task(self._sweep(looks.turn))
                    await self._rest_until(looks.again)
        except asyncio.CancelledError:
            if self._task is asyncio.current_task():  # by somebody who cancels every task that there is
                self._task = None
                for ended in self._waits.values():
                    ended.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            if self._task is asyncio.current_task():
                self._task = None
                self._fail(self._watch.tickets(), _first(error))

    async def _rest_until(self, moment: float) -> None:
        if moment == math.inf:
            await self._wake.wait()
            return
        with contextlib.suppress(TimeoutError):
            async with self._pipeline.clock.timeout_at(moment):
                await self._wake.wait()

    async def _describe(self, name: str, turn: int) -> None:
        try:
            found = await self._pipeline.call(DESCRIBE, DescribeRequest(name))
            sight = Sight(status=found.status, kind=found.kind, message=found.status_message, is_close=True)
        except asyncio.CancelledError:
            self._watch.describe_lost(name, turn, self._pipeline.clock.now())
            self._wake.set()
            raise
        except ResourceNotFoundError as error:
            sight = Sight(status=None, is_close=True, refusal=error)
        except RekostreamError as error:
            now = self._pipeline.clock.now()
            if not isinstance(error, AccessDeniedError) or not self._watch.describe_denied(name, turn, error, now):
                self._watch.describe_lost(name, turn, now)
                if not _passes(error):
                    self._fail((ticket for ticket in self._watch.tickets(name) if ticket.turn < turn), error)
            self._wake.set()
            self._trouble = error
            return
        now, random = self._pipeline.clock.now(), self._pipeline.random()
        self._tell(self._watch.described(name, turn, sight, now=now, random=random))

    async def _sweep(self, turn: int) -> None:
        clock, pages, page_turn = self._pipeline.clock, 0, turn
        try:
            async for page in StreamProcessorList(self._pipeline, ListRequest()).pages():
                self._tell(self._watch.listed(page.stream_processors, page_turn, clock.now()))
                pages, page_turn = pages + 1, self._watch.turn()
        except asyncio.CancelledError:
            self._watch.sweep_lost(turn, clock.now())
            self._wake.set()
            raise
        except RekostreamError as error:
            self._watch.sweep_lost(turn, clock.now())
            self._wake.set()
            if isinstance(error, AccessDeniedError):
                self._watch.may_list = False
            elif not _passes(error):
                raise
            self._trouble = error
            return
        self._tell(self._watch.swept(turn, pages, now=clock.now(), random=self._pipeline.random()))

    def _tell(self, endings: Iterable[Ending]) -> None:
        self._trouble = None
        self._wake.set()
        for ending in endings:
            ended = self._waits.get(ending.ticket)
            if ended is None or ended.done():
                continue
            error = error_of(ending)
            if error is None:
                ended.set_result(ending.sight)
            else:
                ended.set_exception(error)

    def _fail(self, tickets: Iterable[Ticket], error: Exception) -> None:
        for ticket in tuple(tickets):
            self._watch.leave(ticket)
            ended = self._waits.get(ticket)
            if ended is not None and not ended.done():
                ended.set_exception(copy.copy(error))


def _passes(error: RekostreamError) -> bool:
    """Whether another look may succeed: only a refusal of the service that is no passing one forbids it."""
    if isinstance(error, ServiceError):
        return is_transient(error) or isinstance(error, InvalidPaginationTokenError)
    return isinstance(error, CallError)


def _first(error: Exception) -> Exception:
    return _first(cast("Exception", error.exceptions[0])) if isinstance(error, ExceptionGroup) else error
