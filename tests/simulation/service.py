"""A simulated service in virtual time: the emulator's own desk and world, behind a network that loses things.

It is a transport. What becomes of a request is decided when it is sent, and takes its course whether or not the caller
still waits for it. What the service really did is in ``deeds``.
"""

from __future__ import annotations

import asyncio
import datetime
import enum
import functools
import itertools
import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import attrs

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.status import Status
from aiorekostream.emulator.answers import Refusal, Success
from aiorekostream.emulator.callers import Caller
from aiorekostream.emulator.dispatcher import Dispatcher, ParsedRequest
from aiorekostream.emulator.model import load_model
from aiorekostream.emulator.quotas import Quotas
from aiorekostream.emulator.referee import Referee
from aiorekostream.emulator.timings import Timings
from aiorekostream.emulator.world import OPERATIONS as WORLD_OPERATIONS
from aiorekostream.emulator.world import World
from aiorekostream.errors import ConnectError, ConnectionLostError
from aiorekostream.limits import DEFAULT_LIMITS, Limits, Quota, Scope
from aiorekostream.operations import OPERATIONS
from aiorekostream.transport.attempts import Attempt
from aiorekostream.transport.error_mapping import service_error
from aiorekostream.transport.port import Reply, ignored

if TYPE_CHECKING:
    from aiorekostream.emulator.accounts import Account
    from aiorekostream.emulator.answers import Answer

__all__ = ["EPOCH", "HERE", "Deed", "Fate", "Network", "Service", "kindly"]

EPOCH = 1_700_000_000.0
HERE = Caller("111122223333", "us-east-1")
_REFEREE = Referee(load_model(), WORLD_OPERATIONS, DEFAULT_LIMITS)
_QUESTIONS = frozenset({"DescribeStreamProcessor", "ListStreamProcessors"})
_BROKEN = Refusal("InternalServerError", "Internal server error.", 500)


class Fate(enum.Enum):
    """What becomes of a request."""

    FINE = "answered"
    UNREACHED = "no connection comes about"
    LOST_BEFORE = "the connection breaks, and it is not carried out"
    LOST_AFTER = "it is carried out, and the connection breaks"
    LATE = "the connection breaks, and it is carried out seconds later"
    BROKEN = "500, not carried out"
    BROKEN_AFTER = "500, although it was carried out"
    HANGS = "silence, not carried out"
    HANGS_AFTER = "silence, although it was carried out"


Fates = Callable[[str, Mapping[str, object]], Fate]
"""Decides on a request, by the operation and its members."""


def kindly(_operation: str, _members: Mapping[str, object]) -> Fate:
    """Nothing is lost."""
    return Fate.FINE


@attrs.frozen(kw_only=True)
class Network:
    """How long things take on the way, in seconds.

    Attributes:
        latency: the least, one way.
        jitter: the most that is added at random, one way; 0 keeps requests in order.
        connecting: how much longer a request takes that finds no connection free.
        read_timeout: how long a client waits for an answer.
        lateness: how long after a broken connection a late request is carried out.
    """

    latency: float = 0.02
    jitter: float = 0.01
    connecting: float = 0.0
    read_timeout: float = 30.0
    lateness: float = 2.0


@attrs.frozen(kw_only=True)
class Deed:
    """One request that the service decided on.

    Attributes:
        at: when, on the loop's clock.
        operation: AWS's name.
        name: the processor.
        ours: whether it came from the client.
        code: how it was refused; empty if it was carried out.
        session_id: the session that it began.
        late: whether it was carried out after the connection had broken.
    """

    at: float
    operation: str
    name: str
    ours: bool
    code: str = ""
    session_id: str | None = None
    late: bool = False

    @property
    def done(self) -> bool:
        return not self.code


@attrs.define(kw_only=True, eq=False)
class Service:
    """The service and the way to it, for one event loop.

    Attributes:
        seed: of all that is left to chance.
        quotas: what it allows; operations that are not named have no quota.
        limits: the other limits of the account.
        timings: how long things take.
        network: the way to it.
        fates: what becomes of requests.
        others: calls a second by operation that somebody else makes, who draws on the same quotas.
        others_until: when they stop.
        skew: how far its clock is ahead of the loop's, beside the epoch.
        keeps: whether every deed is kept, or only counted.
        chance: gives a number from 0 to 1 each time, by the seed.
        deeds: what it decided on.
        codes: how many requests that change something were refused, by code, or carried out.
        sent: how many requests were sent, by operation.
        sendings: when requests that change something were sent, by the name of the processor.
        peak: the most processors of one kind that were ever at work at once.
    """

    seed: int = 0
    quotas: Mapping[str, Quota] = DEFAULT_LIMITS.quotas
    limits: Limits = DEFAULT_LIMITS
    timings: Timings = attrs.field(factory=Timings)
    network: Network = attrs.field(factory=Network)
    fates: Fates = kindly
    others: Mapping[str, float] = attrs.field(factory=dict[str, float])
    others_until: float = float("inf")
    skew: float = 0.0
    keeps: bool = True
    codes: Counter[str] = attrs.field(factory=Counter[str], init=False)
    deeds: list[Deed] = attrs.field(factory=list, init=False)
    sent: dict[str, int] = attrs.field(factory=dict, init=False)
    sendings: dict[str, list[float]] = attrs.field(factory=dict, init=False)
    peak: int = attrs.field(default=0, init=False)
    region: str | None = attrs.field(default=HERE.region, init=False)
    chance: Callable[[], float] = attrs.field(init=False)
    _desk: Dispatcher = attrs.field(init=False)
    _others_next: dict[str, float] = attrs.field(init=False)
    _free: int = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.chance = random.Random(self.seed).random  # noqa: S311 - to be repeated, not to be secret
        numbers = itertools.count(1)
        self._desk = Dispatcher(
            world=World(new_id=lambda: f"session-{next(numbers)}", limits=self.limits, timings=self.timings),
            referee=_REFEREE,
            quotas=Quotas(self.quotas),
            accounts={},
            secrets=None,
            checks_answers=False,
        )
        self._others_next = {name: self.chance() / rate for name, rate in self.others.items()}

    # ------------------------------------------------------------------------------------------------ as a transport

    @property
    def scope(self) -> Scope:
        return Scope(endpoint=f"simulated-{id(self)}", region=HERE.region, account=HERE.account)

    async def open(self) -> None:
        """Is always open."""

    async def aclose(self) -> None:
        """Is always open."""

    async def send(self, operation: str, body: Mapping[str, object], *, on_sent: Callable[[], None] = ignored) -> Reply:
        loop = asyncio.get_running_loop()
        self.sent[operation] = self.sent.get(operation, 0) + 1
        if operation not in _QUESTIONS and self.keeps:
            self.sendings.setdefault(str(body.get("Name")), []).append(self.now)
        answered: asyncio.Future[Reply] = loop.create_future()
        fate = self.fates(operation, body)
        connecting = 0.0 if self._free else self.network.connecting
        self._free = max(0, self._free - 1)
        if fate is not Fate.UNREACHED:
            on_sent()
        loop.call_later(connecting + self._way(), self._arrive, operation, body, fate, answered)
        try:
            return await answered
        finally:
            self._free += 1

    # --------------------------------------------------------------------------------------------- what others may do

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    @property
    def account(self) -> Account:
        account = self._desk.world.account(HERE)
        account.advance(self._time)
        return account

    def active(self, kind: ProcessorKind) -> int:
        return self.account.active(kind)

    def changed(self, name: str) -> float:
        """When a processor last changed."""
        processor = self.account.processors.get(name)
        return self.now if processor is None else processor.updated - EPOCH - self.skew

    def at_work(self, name: str) -> bool:
        """Whether a processor has a session that nobody has stopped yet."""
        processor = self.account.processors.get(name)
        return processor is not None and processor.status in {Status.STARTING, Status.RUNNING}

    def furnish(self, *requests: Mapping[str, object]) -> None:
        """Create processors, at once and without a record."""
        for request in requests:
            answer = self._desk.world.serve(HERE, "CreateStreamProcessor", request, self._time)
            assert isinstance(answer, Success), answer

    def somebody(self, operation: str, members: Mapping[str, object], *, after: float = 0.0) -> None:
        """Somebody else does something, now or later, without a quota."""
        asyncio.get_running_loop().call_later(after, functools.partial(self._do, operation, members, ours=False))

    def doom(self, name: str, *, after: float) -> None:
        """Let the next session of a processor fail."""
        self._desk.world.doom(name, "Access denied to Role", self._time, after=after)

    def done(self, operation: str, name: str, *, ours: bool = True) -> list[Deed]:
        """What was carried out."""
        return [d for d in self.deeds if d.done and d.ours is ours and (d.operation, d.name) == (operation, name)]

    # ------------------------------------------------------------------------------------------------------ the course

    @property
    def _time(self) -> float:
        return EPOCH + self.skew + self.now

    def _way(self) -> float:
        return self.network.latency + self.chance() * self.network.jitter

    def _arrive(
        self, operation: str, members: Mapping[str, object], fate: Fate, answered: asyncio.Future[Reply]
    ) -> None:
        loop = asyncio.get_running_loop()
        attempt = Attempt(operation, OPERATIONS[operation].idempotent, signed=True, sent=True)
        lost = ConnectionLostError("reset", operation=operation, retry_safe=attempt.idempotent)
        way = self._way()
        match fate:
            case Fate.UNREACHED:
                refused = ConnectError("refused", operation=operation, retry_safe=True)
                loop.call_later(way, _settle, answered, refused)
            case Fate.LOST_BEFORE:
                loop.call_later(way, _settle, answered, lost)
            case Fate.LOST_AFTER:
                self._do(operation, members)
                loop.call_later(way, _settle, answered, lost)
            case Fate.LATE:
                loop.call_later(way, _settle, answered, lost)
                loop.call_later(self.network.lateness, functools.partial(self._do, operation, members, late=True))
            case Fate.HANGS:
                loop.call_later(self.network.read_timeout, _settle, answered, lost)
            case Fate.HANGS_AFTER:
                self._do(operation, members)
                loop.call_later(self.network.read_timeout, _settle, answered, lost)
            case Fate.BROKEN:
                loop.call_later(way, _settle, answered, _error(_BROKEN, attempt))
            case Fate.BROKEN_AFTER:
                self._do(operation, members)
                loop.call_later(way, _settle, answered, _error(_BROKEN, attempt))
            case Fate.FINE:
                answer = self._do(operation, members)
                date = datetime.datetime.fromtimestamp(int(self._time), datetime.UTC)
                outcome = _error(answer, attempt) if isinstance(answer, Refusal) else _reply(answer, date)
                loop.call_later(way, _settle, answered, outcome)

    def _do(self, operation: str, members: Mapping[str, object], *, ours: bool = True, late: bool = False) -> Answer:
        order = ParsedRequest(operation=operation, name=str(members.get("Name", "")), caller=HERE, members=members)
        if ours:
            self._let_others_draw(operation)
            answer = self._desk.carry_out(order, self._time)
        else:
            answer = self._desk.world.serve(HERE, operation, members, self._time)
        if operation not in _QUESTIONS:
            code = answer.code if isinstance(answer, Refusal) else ""
            session_id = answer.session_id if isinstance(answer, Success) else None
            self.codes[code or "done"] += 1
            deed = Deed(
                at=self.now,
                operation=operation,
                name=order.name,
                ours=ours,
                code=code,
                session_id=session_id,
                late=late,
            )
            if self.keeps:
                self.deeds.append(deed)
            self.peak = max(self.peak, *map(self.active, ProcessorKind))
        return answer

    def _let_others_draw(self, operation: str) -> None:
        rate = self.others.get(operation)
        if rate is None:
            return
        moment = self._others_next[operation]
        while moment <= min(self.now, self.others_until):
            self._desk.quotas.refusal(HERE, operation, EPOCH + self.skew + moment)
            moment += 1 / rate
        self._others_next[operation] = moment


def _settle(answered: asyncio.Future[Reply], outcome: Reply | Exception) -> None:
    if answered.done():
        return  # the caller has gone away
    if isinstance(outcome, Exception):
        answered.set_exception(outcome)
    else:
        answered.set_result(outcome)


def _error(refusal: Refusal, attempt: Attempt) -> Exception:
    return service_error(
        {
            "Error": {"Code": refusal.code, "Message": refusal.message or ""},
            "ResponseMetadata": {"HTTPStatusCode": refusal.status, "RequestId": "simulated"},
        },
        attempt,
    )


def _reply(answer: Success, date: datetime.datetime) -> Reply:
    body = dict(answer.body or {})
    for name in ("CreationTimestamp", "LastUpdateTimestamp"):
        moment = body.get(name)
        if isinstance(moment, float):
            body[name] = datetime.datetime.fromtimestamp(moment, datetime.UTC)
    return Reply(body, "simulated", date)
