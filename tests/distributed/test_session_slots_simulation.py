"""Hosts that share slots, lose replies and die: there are never more sessions than slots, and every slot comes back.

The hosts are slot books, which exchange with the script on a simulated server, at moments that chance chooses.
"""

from __future__ import annotations

import math
import random

import attrs
import fakeredis
import pytest

from aiorekostream.distributed.slot_book import SlotBook
from aiorekostream.distributed.slot_exchange import SLOTS_VERSION, Listed, SlotReply, read_list, read_slot_reply
from aiorekostream.distributed.slot_leases import LIST_SCRIPT, SLOTS_SCRIPT, SlotKeys
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.fleet.slot_leases import Reservation
from tests.distributed.virtual_redis import EPOCH, script_at
from tests.effort import part

_KIND = ProcessorKind.LABEL_DETECTION
_KEYS = SlotKeys("rks:{slots}")
_LIMIT, _HOSTS, _CAMERAS = 4, 3, 8
# Seconds: a call, a session, and how long a session may last beyond its longest duration.
_CALL, _LONGEST, _MARGIN = 3.0, 6.0, 4.0


@attrs.define(eq=False)
class _Start:
    """A start that a host has reserved a slot for; the service may apply it until the call is over."""

    name: str
    host: _SimulatedHost
    deadline: float
    is_applied: bool = False


@attrs.define(eq=False)
class _SimulatedHost:
    """A host, with the starts under way."""

    book: SlotBook
    starts: dict[str, _Start] = attrs.field(factory=dict[str, _Start])
    reserving: dict[str, str] = attrs.field(factory=dict[str, str])


class _SlotSimulation:
    """Three hosts, one server, and the sessions of the service.

    Attributes:
        sessions: when each session of the service will have ended by itself.
        begun: how many sessions there were.
        most: the most at once.
    """

    def __init__(self, seed: int) -> None:
        self.redis = fakeredis.FakeRedis()
        self.chance = random.Random(seed)  # noqa: S311 - a simulation
        self.now = EPOCH
        self.number = 0
        self.hosts = [self._host() for _ in range(_HOSTS)]
        self.orphans: list[_Start] = []
        self.sessions: dict[str, float] = {}
        self.begun = self.most = 0

    def _host(self) -> _SimulatedHost:
        self.number += 1
        book = SlotBook(kind=_KIND, limit=_LIMIT, host=f"h{self.number}", patience=1.0)
        book.request(1)
        return _SimulatedHost(book)

    def step(self) -> None:
        """Let one thing happen."""
        host = self.chance.choice(self.hosts)
        steps = {
            self.exchange: 3,
            self.dispatch: 12,
            self.answer: 6,
            self.pass_time: 4,
            self.end_a_session: 1,
            self.sweep: 2,
            self.list_the_account: 1,
            self.die: 0.05,
            self.restart_the_server: 0.05,
        }
        self.chance.choices(list(steps), list(steps.values()))[0](host)
        self.apply()
        self.most = max(self.most, len(self.sessions))

    # ------------------------------------------------------------------------------------------------------ the server

    def exchange(self, host: _SimulatedHost, *, is_safe: bool = False) -> None:
        """Let a host tell the server its news, and ask for slots; the request or the reply may get lost."""
        book = host.book
        exchange = book.next_exchange(self.now)
        if exchange is None:
            return
        lost = "" if is_safe else self.chance.choices(["", "request", "reply"], [8, 1, 1])[0]
        reply = None
        if lost != "request":
            arguments = exchange.arguments(book.host, book.limit, _KEYS.channel)
            reply = read_slot_reply(self.run(SLOTS_SCRIPT.source, arguments))
        if lost:
            decided = book.failed(exchange, self.now)
        else:
            assert isinstance(reply, SlotReply)
            decided = book.answered(exchange, reply, self.now)
        for token, decision in decided.items():
            name = host.reserving.pop(token, None)
            if name is not None and decision is Reservation.RESERVED:
                host.starts[name] = _Start(name, host, self.now + _CALL)

    def run(self, source: str, arguments: list[str | float]) -> object:
        return self.redis.eval(script_at(source, self.now), 3, *_KEYS.keys, *arguments)

    def list_slots(self) -> Listed:
        listed = read_list(self.run(LIST_SCRIPT.source, [SLOTS_VERSION, "lister", 0]), _KIND)
        assert isinstance(listed, Listed)
        return listed

    # ------------------------------------------------------------------------------------------------------- the hosts

    def dispatch(self, host: _SimulatedHost) -> None:
        """Reserve a slot for a start."""
        book, name = host.book, f"camera-{self.chance.randrange(_CAMERAS)}"
        if name in host.starts or name in host.reserving.values() or not book.has_room():
            book.wake()
            self.exchange(host)
            return
        book.take(name)
        token = book.reserve(name, until=self.now + _CALL + _LONGEST + _MARGIN, begins_at=self.now + _CALL)
        assert isinstance(token, str)
        host.reserving[token] = name
        self.exchange(host)

    def under_way(self) -> list[_Start]:
        """The starts that the service may still apply."""
        starts = [start for host in self.hosts for start in host.starts.values()]
        return [start for start in [*starts, *self.orphans] if not start.is_applied and start.deadline > self.now]

    def apply(self) -> None:
        """Let the service apply a start."""
        for start in self.under_way():
            if self.chance.random() < 0.3:
                start.is_applied = True
                if start.name not in self.sessions:
                    self.sessions[start.name] = self.now + self.chance.uniform(1, _LONGEST + _MARGIN)
                    self.begun += 1

    def answer(self, host: _SimulatedHost) -> None:
        """Let the outcome of a start reach its host."""
        if not host.starts:
            return
        start = host.starts.pop(self.chance.choice(list(host.starts)))
        if start.is_applied:
            until = self.now + _LONGEST + _MARGIN
            host.book.occupy(start.name, until=until, begins_at=self.now, session="s", is_external=False)
        else:
            host.book.restore(start.name)
        self.exchange(host)

    def die(self, host: _SimulatedHost) -> None:
        """Let a host die, and another one take its place."""
        self.orphans += host.starts.values()
        self.hosts[self.hosts.index(host)] = self._host()

    def sweep(self, host: _SimulatedHost) -> None:
        """Let a host look for ended sessions, and report them."""
        for each in self.list_slots().sessions:
            if not each.is_reserved and each.age > 0 and each.name not in self.sessions:
                host.book.end(each.name, each.token, "STOPPED")
        self.exchange(host)

    def list_the_account(self, host: _SimulatedHost) -> None:
        """Let a host fill an empty server."""
        host.book.wake()
        self.exchange(host)
        epoch = self.list_slots().epoch
        if host.book.needs_sync and epoch:
            for name in self.sessions:
                until = self.now + _LONGEST + _MARGIN
                if name not in host.starts and name not in host.reserving.values():
                    host.book.occupy(name, until=until, begins_at=self.now, session="", is_external=True)
            host.book.confirm_sync(epoch)
            self.exchange(host)

    def restart_the_server(self, host: _SimulatedHost) -> None:
        """Let the server lose everything; the hosts that live notice at once, and begin to fill it."""
        if any(start.deadline > self.now for start in self.orphans):
            return  # hosts and server fail at once: only the list of the account shows what the host has started
        self.redis.flushall()
        for each in self.hosts:
            each.book.report_all(self.now)
            self.exchange(each, is_safe=True)
        self.list_the_account(host)

    # ---------------------------------------------------------------------------------------------------- the sessions

    def pass_time(self, _host: _SimulatedHost) -> None:
        """Let time pass; a call ends by its deadline, and where its outcome is not known then, polls decide later."""
        self.now = round(self.now + self.chance.choice([0.1, 0.2, 0.5, 1.0]), 6)
        self.sessions = {name: end for name, end in self.sessions.items() if end > self.now}
        for host in self.hosts:
            for start in [each for each in host.starts.values() if each.deadline <= self.now]:
                del host.starts[start.name]
                end = start.deadline
                until = end + _LONGEST + _MARGIN
                host.book.occupy(start.name, until=until, begins_at=end, session="", is_external=False)

    def end_a_session(self, host: _SimulatedHost) -> None:
        """Let a session end early, and perhaps a host see it."""
        if self.sessions:
            name = self.chance.choice(list(self.sessions))
            del self.sessions[name]
            if name not in host.starts and name not in host.reserving.values() and self.chance.random() < 0.5:
                host.book.free(name, "STOPPED")
                self.exchange(host)

    def finish(self) -> dict[bytes, float]:
        """Let all starts and sessions come to their end; return the slots that are taken then."""
        for host in self.hosts:
            for name in [*host.starts, *host.reserving.values()]:
                host.book.restore(name)
            host.book.request(0)
        self.now += _CALL + 2 * (_LONGEST + _MARGIN)
        for host in self.hosts:
            self.exchange(host, is_safe=True)
        self.now += 1
        for host in self.hosts:
            self.exchange(host, is_safe=True)
        slots = self.redis.zrange(_KEYS.keys[0], 0, -1, withscores=True)
        return {name: moment for name, moment in slots if moment > self.now or math.isinf(moment)}


@pytest.mark.parametrize("seed", range(part(4)))
def test_sessions_keep_the_limit_and_slots_come_back(seed: int) -> None:
    simulation = _SlotSimulation(seed)
    for _ in range(1200):
        simulation.step()
        assert len(simulation.sessions) <= _LIMIT
        starts = [start.name for start in simulation.under_way()]
        assert len(starts) == len(set(starts)), "one start of a processor is under way at a time"
    assert simulation.most == _LIMIT
    assert simulation.begun > 25
    assert simulation.finish() == {}
