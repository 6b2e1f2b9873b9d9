"""Simulate the service in virtual time: the emulator's dispatcher and world, behind a network that loses responses.

The service is a transport. What becomes of a request is decided when it is sent, and happens whether or not the caller
still waits for it. What the service really did is in ``decisions``.
"""

from __future__ import annotations

import asyncio
import datetime
import functools
import itertools
import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import attrs

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.status import Status
from aiorekostream.emulator import Timings
from aiorekostream.emulator.http.operations import Dispatcher, ParsedRequest
from aiorekostream.emulator.model import load_model
from aiorekostream.emulator.world import OPERATIONS as WORLD_OPERATIONS
from aiorekostream.emulator.world import World
from aiorekostream.emulator.world.answers import Refusal, Success
from aiorekostream.emulator.world.identity import Caller
from aiorekostream.emulator.world.model_validator import ModelValidator
from aiorekostream.emulator.world.quotas import Quotas
from aiorekostream.limits import DEFAULT_LIMITS, Limits, Quota, Scope
from aiorekostream.operations import OPERATIONS
from aiorekostream.transport.attempts import Attempt
from aiorekostream.transport.port import Reply, ignored
from tests.simulation.fates import Effect, Fate, FateOf, Loss, answered, error_of, refused

if TYPE_CHECKING:
    from aiorekostream.emulator.world.accounts import Account
    from aiorekostream.emulator.world.answers import OperationResult

__all__ = ["EPOCH", "HERE", "Decision", "Network", "SimulatedService"]

EPOCH = 1_700_000_000.0
HERE = Caller("111122223333", "us-east-1")
_VALIDATOR = ModelValidator(load_model(), WORLD_OPERATIONS, DEFAULT_LIMITS)
_READS = frozenset({"DescribeStreamProcessor", "ListStreamProcessors", "ListTagsForResource"})


@attrs.frozen(kw_only=True)
class Network:
    """How long things take on the way, in seconds.

    Attributes:
        latency: the least, one way.
        jitter: the most that is added at random, one way; 0 keeps requests in order.
        connecting: how much longer a request takes that finds no connection free.
        read_timeout: how long a client waits for an answer.
        lateness: how long into its window a late request is applied (see ``Loss.window``), cut off at the end of
            the window; anywhere in the window, at random, if not given.
    """

    latency: float = 0.02
    jitter: float = 0.01
    connecting: float = 0.0
    read_timeout: float = 30.0
    lateness: float | None = None


@attrs.frozen(kw_only=True)
class Decision:
    """One request that the service decided on.

    Attributes:
        at: when, on the loop's clock.
        operation: AWS's name.
        name: the processor.
        is_ours: whether it came from the client under test, rather than from another one.
        code: how it was refused; empty if it was applied.
        session_id: the session that it began.
    """

    at: float
    operation: str
    name: str
    is_ours: bool
    code: str = ""
    session_id: str | None = None


@attrs.define(kw_only=True, eq=False)
class SimulatedService:
    """The service and the way to it, for one event loop.

    Attributes:
        caller: the account and the Region that it is called for.
        seed: of all that is left to chance.
        quotas: the rates that it allows; operations that are not named have no quota.
        limits: the other limits of the account.
        timings: how long things take.
        network: the way to it.
        fates: what becomes of requests.
        others: calls a second, by operation, of another client that draws on the same quotas.
        others_until: when they stop.
        has_whole_seconds: whether its timestamps are cut to whole seconds, as its ``Date`` header is.
        skew: how far its clock is ahead of the loop's, beside the epoch.
        keeps: whether every decision is kept, or only counted.
        chance: gives a number from 0 to 1 each time, by the seed.
        decisions: what it decided on.
        codes: how many requests that change something were refused, by code, or applied.
        sent: how many requests were sent, by operation.
        sendings: when requests that change something were sent, by the name of the processor.
        peak: the most processors of one kind that were ever active at once.
    """

    caller: Caller = HERE
    seed: int = 0
    quotas: Mapping[str, Quota] = DEFAULT_LIMITS.quotas
    limits: Limits = DEFAULT_LIMITS
    timings: Timings = attrs.field(factory=Timings)
    network: Network = attrs.field(factory=Network)
    fates: FateOf = answered
    others: Mapping[str, float] = attrs.field(factory=dict[str, float])
    others_until: float = float("inf")
    has_whole_seconds: bool = False
    skew: float = 0.0
    keeps: bool = True
    codes: Counter[str] = attrs.field(factory=Counter[str], init=False)
    decisions: list[Decision] = attrs.field(factory=list, init=False)
    sent: dict[str, int] = attrs.field(factory=dict, init=False)
    sendings: dict[str, list[float]] = attrs.field(factory=dict, init=False)
    peak: int = attrs.field(default=0, init=False)
    chance: Callable[[], float] = attrs.field(init=False)
    world: World = attrs.field(init=False)
    _dispatcher: Dispatcher = attrs.field(init=False)
    _others_next: dict[str, float] = attrs.field(init=False)
    _free_connections: int = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.chance = random.Random(self.seed).random  # noqa: S311 - to be repeated, not to be secret
        numbers = itertools.count(1)
        self.world = World(new_id=lambda: f"session-{next(numbers)}", limits=self.limits, timings=self.timings)
        self._dispatcher = Dispatcher(
            world=self.world,
            validator=_VALIDATOR,
            quotas=Quotas(self.quotas),
            accounts={},
            secrets=None,
            checks_answers=False,
        )
        self._others_next = {name: self.chance() / rate for name, rate in self.others.items()}

    # ------------------------------------------------------------------------------------------------ as a transport

    @property
    def region(self) -> str:
        return self.caller.region

    @property
    def scope(self) -> Scope:
        return Scope(endpoint=f"simulated-{id(self)}", region=self.caller.region, account=self.caller.account)

    is_ready = True

    async def open(self) -> None:
        """Do nothing: it is always open."""

    async def ready(self) -> None:
        """Do nothing: it has a connection for every call."""

    async def aclose(self) -> None:
        """Do nothing: it is always open."""

    async def send(self, operation: str, body: Mapping[str, object], *, on_sent: Callable[[], None] = ignored) -> Reply:
        loop = asyncio.get_running_loop()
        self.sent[operation] = self.sent.get(operation, 0) + 1
        if operation not in _READS and self.keeps:
            self.sendings.setdefault(str(body.get("Name")), []).append(self.now)
        outcome: asyncio.Future[Reply] = loop.create_future()
        fate = self.fates(operation, body)
        connecting = 0.0 if self._free_connections else self.network.connecting
        self._free_connections = max(0, self._free_connections - 1)
        if fate is not Fate.NO_CONNECTION:
            on_sent()
        loop.call_later(connecting + self._way(), self._arrive, operation, body, fate, self.now, outcome)
        try:
            return await outcome
        finally:
            self._free_connections += 1

    # ------------------------------------------------------------------------------------------- what tests may ask

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    @property
    def account(self) -> Account:
        account = self.world.account(self.caller)
        account.advance(self._time)
        return account

    def active(self, kind: ProcessorKind) -> int:
        return self.account.active(kind)

    def changed(self, name: str) -> float:
        """When a processor last changed."""
        processor = self.account.processors.get(name)
        return self.now if processor is None else processor.updated - EPOCH - self.skew

    def is_busy(self, name: str) -> bool:
        """Whether a processor has a session that was not stopped yet."""
        processor = self.account.processors.get(name)
        return processor is not None and processor.status in {Status.STARTING, Status.RUNNING}

    def answer(self, operation: str, members: Mapping[str, object]) -> Reply | Exception:
        """Decide on a request of the client under test now, without a network."""
        answer = self._decide(operation, members)
        if isinstance(answer, Refusal):
            return refused(answer, Attempt(operation, OPERATIONS[operation].idempotent, signed=True, sent=True))
        date = datetime.datetime.fromtimestamp(int(self._time), datetime.UTC)
        return _reply(answer, date, has_whole_seconds=self.has_whole_seconds)

    def create(self, *requests: Mapping[str, object]) -> None:
        """Create processors, at once and without a decision."""
        for request in requests:
            answer = self.world.serve(self.caller, "CreateStreamProcessor", request, self._time)
            assert isinstance(answer, Success), answer

    def act(self, operation: str, members: Mapping[str, object], *, after: float = 0.0) -> None:
        """Let another client do something, now or later, without a quota."""
        asyncio.get_running_loop().call_later(after, functools.partial(self._decide, operation, members, is_ours=False))

    def fail(self, name: str, *, after: float) -> None:
        """Let the next session of a processor fail."""
        self.world.schedule_failure(name, "Access denied to Role", self._time, after=after)

    def applied(self, operation: str, name: str, *, is_ours: bool = True) -> list[Decision]:
        """The requests of one kind that were applied."""
        return [
            decision
            for decision in self.decisions
            if not decision.code
            and decision.is_ours is is_ours
            and (decision.operation, decision.name) == (operation, name)
        ]

    # ------------------------------------------------------------------------------------------------------ the course

    @property
    def _time(self) -> float:
        return EPOCH + self.skew + self.now

    def _way(self) -> float:
        return self.network.latency + self.chance() * self.network.jitter

    def _arrive(
        self,
        operation: str,
        members: Mapping[str, object],
        fate: Fate,
        sent_at: float,
        outcome: asyncio.Future[Reply],
    ) -> None:
        loop = asyncio.get_running_loop()
        attempt = Attempt(operation, OPERATIONS[operation].idempotent, signed=True, sent=True)
        said = self.answer(operation, members) if fate.effect is Effect.AT_ONCE else None
        way = self._way()
        if fate is Fate.ANSWERED:
            assert said is not None
            loop.call_later(way, _settle, outcome, said)
            return
        seen_at = self.now + way
        if fate.loss is Loss.READ_TIMEOUT:
            seen_at = max(seen_at, sent_at + self.network.read_timeout)
        loop.call_at(seen_at, _settle, outcome, error_of(fate.loss, attempt))
        if fate.effect is Effect.LATE:
            since, until = fate.loss.window(sent_at=sent_at, seen_at=seen_at)
            lateness = self.network.lateness
            delay = self.chance() * (until - since) if lateness is None else lateness
            moment = min(max(self.now, since + delay), until)
            loop.call_at(moment, functools.partial(self._decide, operation, members))

    def _decide(self, operation: str, members: Mapping[str, object], *, is_ours: bool = True) -> OperationResult:
        request = ParsedRequest(
            operation=operation, name=str(members.get("Name", "")), caller=self.caller, members=members
        )
        if is_ours:
            self._let_others_draw(operation)
            answer = self._dispatcher.execute(request, self._time)
        else:
            answer = self.world.serve(self.caller, operation, members, self._time)
        if operation not in _READS:
            self._note(request, answer, is_ours=is_ours)
        return answer

    def _note(self, request: ParsedRequest, answer: OperationResult, *, is_ours: bool) -> None:
        code = answer.code if isinstance(answer, Refusal) else ""
        self.codes[code or "applied"] += 1
        self.peak = max(self.peak, *map(self.active, ProcessorKind))
        if self.keeps:
            self.decisions.append(
                Decision(
                    at=self.now,
                    operation=request.operation,
                    name=request.name,
                    is_ours=is_ours,
                    code=code,
                    session_id=answer.session_id if isinstance(answer, Success) else None,
                )
            )

    def _let_others_draw(self, operation: str) -> None:
        rate = self.others.get(operation)
        if rate is None:
            return
        moment = self._others_next[operation]
        while moment <= min(self.now, self.others_until):
            self._dispatcher.quotas.refusal(self.caller, operation, EPOCH + self.skew + moment)
            moment += 1 / rate
        self._others_next[operation] = moment


def _settle(outcome: asyncio.Future[Reply], said: Reply | Exception) -> None:
    if outcome.done():
        return  # the caller has gone away
    if isinstance(said, Exception):
        outcome.set_exception(said)
    else:
        outcome.set_result(said)


def _reply(answer: Success, date: datetime.datetime, *, has_whole_seconds: bool) -> Reply:
    body = dict(answer.body or {})
    for name in ("CreationTimestamp", "LastUpdateTimestamp"):
        moment = body.get(name)
        if isinstance(moment, float):
            body[name] = datetime.datetime.fromtimestamp(int(moment) if has_whole_seconds else moment, datetime.UTC)
    return Reply(body, "simulated", date)
