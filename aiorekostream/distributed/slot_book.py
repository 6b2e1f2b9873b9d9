"""Decide what a host reports to the server about the session slots of one kind, and which it may use.

The book has the slots that this host holds. It reports all of them again when the server was lost, so that nothing
depends on a single report. The time is an argument, and nothing here waits.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from aiorekostream.distributed.held_slot import HeldSlot, SlotUse
from aiorekostream.distributed.slot_exchange import SlotCommand, SlotExchange
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.fleet.slot_leases import Reservation

if TYPE_CHECKING:
    from aiorekostream.distributed.slot_exchange import SlotReply

__all__ = ["POLL_INTERVAL", "SlotBook"]

POLL_INTERVAL = 5.0
"""Seconds between polls by a host that waits for a slot, since the message that one is free may get lost.

Leases are renewed as often, so it must be less than LEASE in session_slots.lua.
"""
# Seconds. The next expiry of a slot may be that of a lease, which is renewed, so a host does not poll more often.
_SHORTEST_INTERVAL = 0.1
# Seconds between attempts to reach the server.
_RETRY = 1.0

_ANSWERS = {1: Reservation.RESERVED, 0: Reservation.BUSY}


@attrs.define(eq=False, kw_only=True)
class SlotBook:
    """The slots of one kind, as this host knows them.

    Attributes:
        kind: the kind.
        limit: the most sessions at once.
        host: the name of this host, unique among all hosts.
        patience: seconds for which the host waits for a reply.
        share: the sessions that this host may have while the server is out of reach.
        leases: the slots that are leased and not used yet.
        is_full: whether the server had fewer slots than were asked for.
        is_away: whether the server is out of reach.
        needs_sync: whether the server has lost everything, and no host has listed the sessions since.
    """

    kind: ProcessorKind
    limit: int
    host: str
    patience: float
    share: int = 0
    leases: int = attrs.field(default=0, init=False)
    is_full: bool = attrs.field(default=False, init=False)
    is_away: bool = attrs.field(default=False, init=False)
    needs_sync: bool = attrs.field(default=False, init=False)
    _wanted: int = attrs.field(default=0, init=False)
    _held: dict[str, HeldSlot] = attrs.field(factory=dict, init=False)
    # The processors whose requests are dispatched, and not reserved yet.
    _taken: set[str] = attrs.field(factory=set[str], init=False)
    # What is not reported yet: reservations and changed slots by processor, ended uses by token or session.
    _reserving: dict[str, None] = attrs.field(factory=dict, init=False)
    _changed: dict[str, None] = attrs.field(factory=dict, init=False)
    _ended: dict[str, SlotCommand] = attrs.field(factory=dict, init=False)
    _stopping: dict[str, float] = attrs.field(factory=dict, init=False)
    _synced_epoch: str = attrs.field(default="", init=False)
    _epoch: str = attrs.field(default="", init=False)
    _seen: float = attrs.field(default=0.0, init=False)
    _known_at: float = attrs.field(default=0.0, init=False)
    _poll_at: float = attrs.field(default=-math.inf, init=False)
    _retry_at: float = attrs.field(default=-math.inf, init=False)
    _is_asking: bool = attrs.field(default=False, init=False)
    _numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1), init=False)

    # ---------------------------------------------------------------------------------------------------------- leases

    def request(self, count: int) -> None:
        """Set the number of leases that the host wants; leases above it are returned."""
        self._wanted = count

    def has_room(self) -> bool:
        """Return whether one more request may be dispatched."""
        if self.is_away:
            return len(self._taken) + len(self._held) < self.share
        reserving = sum(each.use is SlotUse.RESERVING for each in self._held.values())
        return self.leases > len(self._taken) + reserving

    def take(self, name: str) -> None:
        """Use a lease for the request of a processor."""
        self._taken.add(name)

    # ---------------------------------------------------------------------------------------------------------- reports

    def reserve(self, name: str, *, until: float, begins_at: float) -> Reservation | str:
        """Reserve the slot of a dispatched request; returns the token under which the server answers, or an answer."""
        self._taken.discard(name)
        if self.is_away and len(self._held) >= self.share:
            return Reservation.FULL
        use = SlotUse.RESERVED if self.is_away else SlotUse.RESERVING
        held = HeldSlot(self._token(), use, until, begins_at, before=self._held.get(name))
        self._held[name] = held
        if self.is_away:
            self._changed[name] = None
            return Reservation.RESERVED
        self._reserving[name] = None
        return held.token

    def restore(self, name: str) -> None:
        """Give back a slot whose start was not applied."""
        self._taken.discard(name)
        held = self._held.get(name)
        if held is not None and held.use in {SlotUse.RESERVING, SlotUse.RESERVED}:
            is_unknown = name not in self._reserving
            self._give_up(name, held)
            if is_unknown:
                self._end(name, held)

    def occupy(self, name: str, *, until: float, begins_at: float, session: str, is_external: bool) -> None:
        """Record a session that exists, or may exist."""
        held = self._held.get(name)
        use = SlotUse.EXTERNAL if is_external else SlotUse.SESSION
        if held is None:
            self._held[name] = HeldSlot(self._token(), use, until, begins_at, session)
        else:
            held.is_confirmed = held.is_confirmed and not is_external
            held.use, held.until, held.begins_at, held.before = use, until, begins_at, None
            held.session = session or held.session
        self._changed[name] = None

    def stopping(self, name: str, until: float) -> None:
        """Record that a stop was sent."""
        self._stopping[name] = until

    def free(self, name: str, status: str) -> None:
        """Record the end of a session that this host knows."""
        held = self._held.pop(name, None)
        if held is not None:
            self._reserving.pop(name, None)
            self._changed.pop(name, None)
            self._end(name, held, status)

    def end(self, name: str, token: str, status: str) -> None:
        """Record the end of a session of any host."""
        held = self._held.get(name)
        if held is not None and held.token == token:
            self.free(name, status)
        else:
            self._ended[token] = SlotCommand("free", name, token, detail=status)

    def end_session(self, name: str, session: str) -> None:
        """Record the end of a session that only another host may know, by its id."""
        self._ended[f"session {session}"] = SlotCommand("ended", name, session=session)

    # ----------------------------------------------------------------------------------------------------- other hosts

    def has_ended(self, name: str, token: str) -> bool:
        """Record that another host has reported the end of a session; whether this host knew it."""
        held = self._held.get(name)
        if held is None or held.token != token:
            return False
        del self._held[name]
        self._changed.pop(name, None)
        return True

    def wake(self) -> bool:
        """Poll at once, since a slot may be free; return whether the host waits for one."""
        self._poll_at = -math.inf
        return self.leases < self._want

    def report_all(self, now: float) -> None:
        """Report again every slot that may still be in use: the server may have lost it."""
        for name, held in tuple(self._held.items()):
            if held.use in {SlotUse.SESSION, SlotUse.EXTERNAL} and held.until <= now:
                self._changed.pop(name, None)
                del self._held[name]
            elif held.use is not SlotUse.RESERVING:
                self._changed[name] = None

    def confirm_sync(self, epoch: str) -> None:
        """Report that the sessions were listed in this epoch."""
        self._synced_epoch = epoch

    # -------------------------------------------------------------------------------------------------------- exchanges

    @property
    def next_moment(self) -> float:
        """When the next exchange is due; infinity for never."""
        has_news = bool(self._ended or self._reserving or self._changed or self._stopping or self._synced_epoch)
        if self._is_asking:
            return math.inf
        if self.is_away:
            return self._retry_at if has_news or self._want else math.inf
        if has_news or self.leases > self._want:
            return -math.inf
        if self.leases < self._want:
            return self._poll_at
        return self._known_at + POLL_INTERVAL if self.leases else math.inf

    def next_exchange(self, now: float) -> SlotExchange | None:
        """Return what is to be sent now, if anything; its reply or failure follows."""
        if self.next_moment > now:
            return None
        self._is_asking = True
        commands = [*self._ended.values()]
        for name in self._reserving:
            held = self._held[name]
            commands.append(held.command("reserve", name, now))
        commands += [self._held[name].command("keep", name, now) for name in self._changed]
        commands += [
            SlotCommand("stopping", name, seconds=max(0.0, until - now)) for name, until in self._stopping.items()
        ]
        exchange = SlotExchange(
            want=self._want,
            commands=commands,
            synced_epoch=self._synced_epoch,
            seen=self._seen,
            known_for=now - self._known_at if self._seen else 0.0,
            patience=self.patience,
        )
        for reported in (self._ended, self._reserving, self._changed, self._stopping):
            reported.clear()
        self._synced_epoch = ""
        return exchange

    def answered(self, exchange: SlotExchange, reply: SlotReply, now: float) -> dict[str, Reservation]:
        """Record the server's reply; returns the results of reservations by their tokens."""
        self._is_asking = self.is_away = False
        self._seen, self._known_at = reply.now, now
        if self._epoch and self._epoch != reply.epoch:
            self.report_all(now)
        self._epoch = reply.epoch
        self.leases, self.needs_sync = reply.leases, not reply.is_synced
        self.is_full = reply.leases < exchange.want
        retry = (
            POLL_INTERVAL
            if reply.retry_after is None
            else min(POLL_INTERVAL, max(_SHORTEST_INTERVAL, reply.retry_after))
        )
        self._poll_at = now + retry if self.is_full else -math.inf
        decided: dict[str, Reservation] = {}
        for command, answer in zip(exchange.commands, reply.answers, strict=True):
            held = self._held.get(command.name)
            is_same = held is not None and held.token == command.token
            if command.verb == "reserve":
                decision = decided[command.token] = _ANSWERS.get(int(answer), Reservation.FULL)
                if held is not None and is_same:
                    if decision is Reservation.RESERVED:
                        held.use, held.is_confirmed = SlotUse.RESERVED, True
                    else:
                        self._give_up(command.name, held)
            elif command.verb == "keep" and held is not None and is_same:
                self._confirm(command.name, held, str(answer))
        return decided

    def failed(self, exchange: SlotExchange, now: float) -> dict[str, Reservation]:
        """Record that an exchange had no reply, and may have been carried out; returns as ``answered``."""
        self._is_asking, self.is_away, self.is_full, self.needs_sync = False, True, True, False
        self.leases, self._seen, self._retry_at = 0, 0.0, now + _RETRY
        decided: dict[str, Reservation] = {}
        for command in exchange.commands:
            held = self._held.get(command.name)
            if command.verb == "free":
                self._ended.setdefault(command.token, command)
            elif command.verb == "ended":
                self.end_session(command.name, command.session)
            elif command.verb == "stopping":
                self._stopping.setdefault(command.name, now + command.seconds)
            elif command.verb == "reserve":
                decided[command.token] = Reservation.FULL
                if held is not None and held.token == command.token:
                    self._give_up(command.name, held)
                    self._end(command.name, held)
        for name in tuple(self._reserving):
            held = self._held[name]
            decided[held.token] = Reservation.FULL
            self._give_up(name, held)
        self._synced_epoch = self._synced_epoch or exchange.synced_epoch
        self.report_all(now)
        return decided

    # ---------------------------------------------------------------------------------------------------------- details

    @property
    def _want(self) -> int:
        return self._wanted + len(self._taken)

    def _token(self) -> str:
        return f"{self.host}:{next(self._numbers)}"

    def _confirm(self, name: str, held: HeldSlot, token: str) -> None:
        """Take the token under which the server keeps a slot."""
        if token == held.token or not held.is_confirmed:
            # Another host may have reported the session that this host has found.
            held.token, held.is_confirmed = token, True
        else:
            # The processor has another session by now, which another host started.
            self._changed.pop(name, None)
            del self._held[name]

    def _give_up(self, name: str, held: HeldSlot) -> None:
        self._reserving.pop(name, None)
        self._changed.pop(name, None)
        del self._held[name]
        if held.before is not None:
            self._held[name] = held.before

    def _end(self, name: str, held: HeldSlot, status: str = "") -> None:
        self._ended[held.token] = SlotCommand("free", name, held.token, detail=status)
