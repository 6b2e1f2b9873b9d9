"""The shell around a plan: reads requests, makes calls, watches the time, and carries outcomes to whoever asked."""

from __future__ import annotations

import asyncio
import functools
import logging
import math
from typing import TYPE_CHECKING, Protocol, TypeVar

import attrs

from aiorekostream.clock import Clock
from aiorekostream.fleet.alarm import Alarm
from aiorekostream.fleet.ends import Ends
from aiorekostream.fleet.outcomes import Outcome, Started, failed, lost, unknown
from aiorekostream.fleet.plan import Call, Ended, Plan, Recall, Settle
from aiorekostream.fleet.progress import Progress, Step, Teller
from aiorekostream.fleet.run import Run
from aiorekostream.fleet.tickets import Stage, Ticket
from aiorekostream.fleet.verdicts import Again, NoSlot, Verdict
from aiorekostream.pipeline import CallEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable, Collection, Iterable

__all__ = ["Desk", "Send"]

_T = TypeVar("_T")
_log = logging.getLogger("aiorekostream")

# A start that was just answered may be listed as STOPPED still: the service does not say that its lists are up to date.
_SEEN_AFTER = 1.0

# So many requests are read before others have their turn.
_BREATH = 100

_STEPS = {
    CallEvent.QUEUED: Step.PACED,
    CallEvent.SENT: Step.SENT,
    CallEvent.THROTTLED: Step.THROTTLED,
    CallEvent.RETRIED: Step.RETRIED,
    CallEvent.SETTLING: Step.SETTLING,
}


class Send(Protocol):
    """Makes the call for a request."""

    def __call__(self, ticket: Ticket, notify: Callable[[CallEvent], None]) -> Awaitable[Outcome | Verdict]:
        """Its outcome, or why it has none yet."""
        ...


@attrs.define(eq=False, kw_only=True)
class Desk:
    """Carries out a plan.

    Attributes:
        plan: decides.
        send: makes calls.
        clock: tells the time.
        teller: tells of progress.
        ends: tells which sessions have ended; ``None`` where there are none.
        look_every: seconds between two looks for ended sessions, while somebody waits for one.
    """

    plan: Plan
    send: Send
    clock: Clock
    teller: Teller
    ends: Ends | None
    look_every: float
    _runs: dict[Ticket, Run] = attrs.field(factory=dict, init=False)
    _tasks: dict[Ticket, asyncio.Task[None]] = attrs.field(factory=dict, init=False)
    _alarms: list[Alarm] = attrs.field(factory=list, init=False)
    _keeps_time: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)
    _looks: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)
    _looked_at: float = attrs.field(default=-math.inf, init=False)

    async def drive(
        self, run: Run, items: Iterable[_T] | AsyncIterable[_T], ticket_of: Callable[[_T], Ticket | Outcome]
    ) -> None:
        """Carry out a run. If it is cancelled, or reading fails, what is not sent is withdrawn, and the rest settled.

        A second cancellation breaks off what is under way, which is ``Unknown`` then.
        """
        failure: BaseException | None = None
        async with run.tasks as tasks:
            watches = [tasks.create_task(self._keep_time()), tasks.create_task(self._look_for_ends())]
            try:
                taken = 0
                async for item in run.as_room_allows(items):
                    self._take(run, ticket_of(item))
                    taken += 1
                    if taken % _BREATH == 0:
                        await self.clock.sleep(0)  # what is settled at once leaves room for ever
                await run.settled()
            except BaseException as error:  # whatever it is, what the run has taken must not stay in the plan
                for ticket in run.pending:
                    self.plan.withdraw(ticket, self.clock.now())
                self.pump()
                try:
                    await run.settled()
                except asyncio.CancelledError:
                    if isinstance(error, asyncio.CancelledError):
                        raise
                    await run.settled()  # after a failure, this is the first cancellation and not the second
                    raise
                if isinstance(error, asyncio.CancelledError):
                    raise
                failure = error
            finally:
                for watch in watches:
                    watch.cancel()
        if failure is not None:
            raise failure

    def pump(self) -> None:
        """Carry out what the plan decides now."""
        for decision in self.plan.step(self.clock.now()):
            match decision:
                case Call(ticket):
                    self._tasks[ticket] = self._runs[ticket].tasks.create_task(self._carry(ticket))
                case Recall(ticket):
                    self._break_off(ticket)
                case Settle(ticket, outcome):
                    self._settle(ticket, outcome)
                case Ended(name):
                    self._tell(Step.ENDED, name)
        for alarm in self._alarms:
            alarm.look()

    # --------------------------------------------------------------------------------------------------------- requests

    def _take(self, run: Run, ticket: Ticket | Outcome) -> None:
        if not isinstance(ticket, Ticket):
            run.settle(ticket)
            self._tell(Step.SETTLED, ticket.name, ticket)
            return
        self.plan.take(ticket, self.clock.now())
        run.pending.add(ticket)
        self._runs[ticket] = run
        self._tell(Step.QUEUED, ticket.name)
        self.pump()

    async def _carry(self, ticket: Ticket) -> None:
        try:
            outcome = await self.send(ticket, functools.partial(self._heard, ticket))
        except asyncio.CancelledError:
            if self._tasks.get(ticket) is asyncio.current_task():  # if not, the plan has broken it off
                self._lose(ticket)
            raise
        except Exception as error:  # noqa: BLE001 - one camera's trouble, whatever it is, is not the others'
            _log.exception("the call for %s ended in a way that it never should", ticket.name)
            outcome = (unknown if ticket.stage is Stage.SENT or ticket.doubted else failed)(ticket.request, error)
        if self._tasks.get(ticket) is not asyncio.current_task():
            return  # the plan has broken it off: the request has its outcome, or another call
        del self._tasks[ticket]
        now = self.clock.now()
        match outcome:
            case Again(rest):
                self.plan.again(ticket, now, rest=rest)
            case NoSlot():
                self.plan.no_slot(ticket, now)
            case _:
                self.plan.finished(ticket, outcome, now)
        self.pump()

    def _heard(self, ticket: Ticket, event: CallEvent) -> None:
        """Something has happened to the call of a request."""
        self._tell(_STEPS[event], ticket.name)
        match event:
            case CallEvent.SENT:
                self.plan.sent(ticket)
            case CallEvent.SETTLING:
                self.plan.doubted(ticket)
            case CallEvent.THROTTLED | CallEvent.RETRIED:
                self.plan.held_back(ticket, self.clock.now())
                self.pump()  # it may have expired while it was under way
            case CallEvent.QUEUED:
                pass

    def _lose(self, ticket: Ticket) -> None:
        del self._tasks[ticket]
        now = self.clock.now()
        if ticket.stage is Stage.SENT or ticket.doubted:
            message = "the program broke the call off while it was under way"
            self.plan.finished(ticket, lost(ticket.request, message), now)
        else:
            self.plan.withdraw(ticket, now)
        self.pump()

    def _settle(self, ticket: Ticket, outcome: Outcome) -> None:
        self._break_off(ticket)
        self._runs.pop(ticket).settle(outcome, ticket)
        self._tell(Step.STARTED if isinstance(outcome, Started) else Step.SETTLED, ticket.name, outcome)

    def _break_off(self, ticket: Ticket) -> None:
        task = self._tasks.pop(ticket, None)
        if task is not None:
            task.cancel()

    def _tell(self, step: Step, name: str, outcome: Outcome | None = None) -> None:
        if self.teller:
            plan = self.plan
            self.teller.tell(
                Progress(
                    step=step,
                    name=name,
                    waiting=plan.waiting,
                    in_flight=plan.in_flight,
                    running=len(plan.slots),
                    outcome=outcome,
                )
            )

    # ------------------------------------------------------------------------------------------------------------- time

    async def _keep_time(self) -> None:
        await self._whenever(self._keeps_time, lambda: self.plan.next_moment, self._time_passed)

    async def _time_passed(self) -> None:
        self.pump()

    async def _look_for_ends(self) -> None:
        await self._whenever(self._looks, self._next_look, self._look)

    def _next_look(self) -> float:
        wanted = self.plan.waits_for_an_end or (self.teller and len(self.plan.slots) > 0)
        return self._looked_at + self.look_every if wanted and self.ends is not None else math.inf

    async def _look(self) -> None:
        asked = self.plan.slots.begun_before(self.clock.now() - _SEEN_AFTER)
        over = await self._over(self.ends, asked.keys()) if asked and self.ends is not None else set[str]()
        self._looked_at = self.clock.now()
        for name in over & asked.keys():
            self.plan.ended(name, asked[name])
        self.plan.looked(self._looked_at)
        self.pump()

    async def _over(self, ends: Ends, names: Collection[str]) -> set[str]:
        try:
            return set(await ends.ended(names))
        except asyncio.CancelledError as error:
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise
            trouble: BaseException = error  # it is not this task that somebody has cancelled
        except Exception as error:  # noqa: BLE001 - whatever it is, the next look may see
            trouble = error
        _log.warning("could not look for ended sessions: %r", trouble)
        return set()

    async def _whenever(
        self, duty: asyncio.Lock, moment: Callable[[], float], act: Callable[[], Awaitable[None]]
    ) -> None:
        async with duty:  # one run does it for all, and when that is over the next one
            alarm = Alarm(self.clock, moment)
            self._alarms.append(alarm)
            try:
                while True:
                    await alarm.sleep()
                    await act()
            finally:
                self._alarms.remove(alarm)
