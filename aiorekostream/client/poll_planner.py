"""Plan the polls of a client: which one comes next for all waits together. A pure state machine.

A few processors are described one by one. Many share a sweep of the list, whose calls grow with its pages and not with
the waits, and Describe is kept for what a list does not show. The planner returns the next poll and receives
its result; it never awaits, reads a clock or uses randomness.

Invariants:

- One poll is in flight at a time, so the caller asks for the next one only after it has reported the last one's result.
- Polls are numbered. One counts only for the waits that began before it, since its answer may be older than the others.
- A processor whose waits all need Describe is left out of sweeps, so it costs one Describe and no part of later sweeps.
"""

import math
from typing import Self

import attrs

from aiorekostream.client.wait_conditions import Evaluation, Observation, WaitCondition, Waiter
from aiorekostream.deadline_queue import DeadlineQueue
from aiorekostream.domain.requests import ListRequest
from aiorekostream.domain.responses import StreamProcessorPage
from aiorekostream.errors import AccessDeniedError, RekostreamError

__all__ = ["DescribePoll", "Idle", "ListPoll", "PollPlanner"]

# Seconds until a poll without a result is repeated.
_LOSS_DELAY = 2.0
# Polls leave at least half of each quota to the rest of the program.
_QUOTA_SHARE = 0.5
# A list does not distinguish a label detection, which is STARTING for its whole session, from a face search that starts
# slowly. So many of them are described for each page of a sweep.
_KIND_CHECKS_PER_PAGE = 2


@attrs.frozen
class DescribePoll:
    """Describe one processor.

    Attributes:
        name: the processor.
    """

    name: str


@attrs.define(eq=False, repr=False)
class ListPoll:
    """Read a page of the list. One sweep over all pages is one object, from the poll of the first page on.

    Attributes:
        number: the number of the poll of the first page.
        begun: when that poll began.
        request: asks for the page.
        tokens: the tokens of the pages after the first.
        found: the processors with waits that the pages showed.
    """

    number: int
    begun: float
    request: ListRequest = attrs.field(factory=ListRequest)
    tokens: set[str] = attrs.field(factory=set)
    found: set[str] = attrs.field(factory=set)


@attrs.frozen
class Idle:
    """Poll nothing.

    Attributes:
        until: when to ask again if no wait begins before; infinity if nothing is due.
    """

    until: float


class _DueNames(DeadlineQueue[str]):
    """Names with the time at which each is due.

    Attributes:
        served: the number of the last poll that was chosen from it.
    """

    served = 0


@attrs.define(eq=False, repr=False)
class PollPlanner:
    """Chooses polls for all waits.

    Attributes:
        describe_rate: quota of DescribeStreamProcessor, in calls a second.
        list_rate: quota of ListStreamProcessors, in calls a second.
        pages: how many pages the last complete sweep had.
        can_list: whether the list may be read; if not, each processor is described.
        waits: the waits by processor.
    """

    describe_rate: float
    list_rate: float
    pages: int = 1
    can_list: bool = True
    _describe_from: float = -math.inf
    _sweep_from: float = -math.inf
    _polls: int = attrs.field(default=0, init=False)
    _sweep: ListPoll | None = attrs.field(default=None, init=False)
    waits: dict[str, set[Waiter]] = attrs.field(factory=dict, init=False)
    # The names for which Describe is denied, so that the list must do instead.
    _denied: dict[str, RekostreamError] = attrs.field(factory=dict, init=False)
    # What is due: names to describe whatever else is polled, names for either poll, and names that may only be listed.
    _details: _DueNames = attrs.field(factory=_DueNames, init=False)
    _either: _DueNames = attrs.field(factory=_DueNames, init=False)
    _list_only: _DueNames = attrs.field(factory=_DueNames, init=False)

    def successor(self, now: float) -> Self:
        """Make a planner without waits that keeps to this one's share of the quotas.

        Args:
            now: the present time, which may be that of another event loop.
        """
        describe_from = min(self._describe_from, now + self._describe_pause())
        sweep_from = min(self._sweep_from, now + self._sweep_pause())
        return attrs.evolve(self, can_list=True, describe_from=describe_from, sweep_from=sweep_from)

    def join(self, name: str, condition: WaitCondition, now: float) -> Waiter:
        """Begin a wait."""
        waiter = Waiter(name, condition, now, self._polls, due=now)
        self.waits.setdefault(name, set()).add(waiter)
        self._put(name, now)
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """End a wait; a second time does nothing."""
        waits = self.waits.get(waiter.name, set())
        waits.discard(waiter)
        if not waits:
            for by_name in (self.waits, self._denied):
                by_name.pop(waiter.name, None)
            for queue in (self._details, self._either, self._list_only):
                queue.remove(waiter.name)

    def waiters(self) -> tuple[Waiter, ...]:
        """Return all waits."""
        return tuple(waiter for waits in self.waits.values() for waiter in waits)

    def next_poll(self, now: float) -> DescribePoll | ListPoll | Idle:
        """Choose the next poll; its result must be reported before the next call."""
        few, either = self._are_few(), self._either.next_moment
        sweep_due = max(min(self._list_only.next_moment, math.inf if few else either), self._sweep_from)
        choices = (
            (max(self._details.next_moment, self._describe_from), self._details),
            (max(either, self._describe_from) if few else math.inf, self._either),
            (sweep_due if self._sweep is None else -math.inf, self._list_only),
        )
        due = [queue for moment, queue in choices if moment <= now]
        if not due:
            return Idle(min(moment for moment, _ in choices))
        # Round robin, so that no backlog of one holds up the others.
        queue = min(due, key=lambda queue: queue.served)
        self._polls += 1
        queue.served = self._polls
        if queue is self._list_only:
            self._sweep = self._sweep or ListPoll(self._polls, now)
            return self._sweep
        self._describe_from = now + self._describe_pause()
        return DescribePoll(queue.first())

    def described(self, poll: DescribePoll, observation: Observation, *, now: float, random: float) -> list[Waiter]:
        """Tell what Describe showed or how it was refused, and learn which waits that ended.

        Where only Describe is denied, the list must do: it cannot say why a processor FAILED, nor that it is gone.
        """
        name = poll.name
        self._details.remove(name)
        if self.can_list and isinstance(observation.error, AccessDeniedError) and name in self.waits:
            self._denied[name] = observation.error
            self._either.remove(name)
            for waiter in self.waits[name]:
                waiter.due = now
            self._put(name, now)
            return []
        ended = self._evaluate(name, observation, self._polls, now, random)
        self._reschedule(name)
        return ended

    def listed(self, poll: ListPoll, page: StreamProcessorPage, *, now: float, random: float) -> list[Waiter]:
        """Tell what a page showed, and learn which waits it ended."""
        ended: list[Waiter] = []
        for entry in page.stream_processors:
            if entry.name in self._either or entry.name in self._list_only:
                poll.found.add(entry.name)
                ended += self._evaluate(entry.name, Observation(status=entry.status), self._polls, now, random)
        if not page.next_token:
            ended += self._swept(poll, now, random)
        elif page.next_token in poll.tokens:  # the pages run in a circle
            self.lost(poll, now)
        else:
            poll.tokens.add(page.next_token)
            poll.request = ListRequest(next_token=page.next_token)
        return ended

    def list_denied(self, now: float) -> None:
        """Tell that the service refuses to list processors."""
        self.can_list, self._sweep, self._denied = False, None, {}
        for name in tuple(self._list_only):
            self._list_only.remove(name)
            self._put(name, now)

    def lost(self, poll: DescribePoll | ListPoll, now: float) -> None:
        """Tell that a poll had no result and must be repeated."""
        retry_at = now + _LOSS_DELAY
        if isinstance(poll, ListPoll):
            self._end_sweep(poll, retry_at)
            return
        for queue in (self._details, self._either):
            if poll.name in queue:
                queue.set(poll.name, retry_at)

    def refused(self, error: BaseException) -> tuple[Waiter, ...]:
        """Tell that no poll is possible any more, which ends every wait with an error."""
        waiters = self.waiters()
        for waiter in waiters:
            waiter.observation, waiter.evaluation = Observation(status=None, error=error), Evaluation.REFUSED
        return waiters

    def _are_few(self) -> bool:
        """Tell whether describing takes no more of its quota's time than a sweep takes of its own."""
        names = len(self._either) + len(self._list_only)
        return names / self.describe_rate <= self.pages / self.list_rate or not self.can_list

    def _describe_pause(self) -> float:
        return 1 / (self.describe_rate * _QUOTA_SHARE)

    def _sweep_pause(self) -> float:
        return self.pages / (self.list_rate * _QUOTA_SHARE)

    def _put(self, name: str, due: float) -> None:
        (self._list_only if name in self._denied else self._either).set(name, due)

    def _evaluate(self, name: str, observation: Observation, number: int, now: float, random: float) -> list[Waiter]:
        ended: list[Waiter] = []
        if not observation.described and name in self._denied:
            observation = attrs.evolve(observation, error=self._denied[name])
        for waiter in tuple(self.waits.get(name, ())):
            if waiter.after >= number:
                continue
            evaluation = waiter.observe(observation, now, random)
            if evaluation is Evaluation.NEEDS_DESCRIBE:
                if name not in self._details:
                    self._details.set(name, now)
            elif waiter.has_ended:
                self.leave(waiter)
                ended.append(waiter)
        return ended

    def _swept(self, sweep: ListPoll, now: float, random: float) -> list[Waiter]:
        self.pages = len(sweep.tokens) + 1
        self._end_sweep(sweep)
        ended: list[Waiter] = []
        few, kind_checks = self._are_few(), self.pages * _KIND_CHECKS_PER_PAGE
        for name in (*self._either, *self._list_only):
            if name not in sweep.found:
                ended += self._evaluate(name, Observation(status=None), sweep.number, now, random)
            # A few are described however often others are listed: a list does not show everything.
            if name in self._denied or not few:
                self._reschedule(name)
            if kind_checks and name in self._either and any(each.may_be_wrong_kind(now) for each in self.waits[name]):
                self._details.set(name, now)
                kind_checks -= 1
        return ended

    def _end_sweep(self, sweep: ListPoll, retry_at: float = -math.inf) -> None:
        self._sweep = None
        self._sweep_from = max(sweep.begun + self._sweep_pause(), retry_at)

    def _reschedule(self, name: str) -> None:
        """Put off the next poll of a processor; one whose waits all need Describe is left out of sweeps."""
        self._put(name, min((waiter.due for waiter in self.waits.get(name, ())), default=math.inf))
