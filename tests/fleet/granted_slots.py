"""Session slots that a test grants, in place of those that many hosts share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import attrs

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.status import Status
from aiorekostream.fleet import Reservation, SharedSession

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from aiorekostream.clock import Clock
    from aiorekostream.domain.responses import StartedSession
    from aiorekostream.fleet import SessionEnd, SlotListener
    from aiorekostream.limits import Scope

__all__ = ["GrantedSlots", "SharedSlots", "SlotsPolledElsewhere", "ToldMonitor"]


@attrs.define(eq=False)
class GrantedSlots:
    """Slots that are always free, and reservations that a test decides about.

    Attributes:
        decide: gives the answer to a reservation, in this many seconds; it may raise.
        taken: the processors whose slots are taken.
        stopping_names: the processors that were reported as stopping.
        statuses: the statuses of processors whose sessions were reported as ended.
    """

    decide: Callable[[str], tuple[Reservation, float]] = lambda _: (Reservation.RESERVED, 0.0)
    needs_sync: bool = False
    taken: set[str] = attrs.field(factory=set[str])
    stopping_names: list[str] = attrs.field(factory=list[str])
    statuses: dict[str, Status | None] = attrs.field(factory=dict[str, "Status | None"])

    def open(
        self, scope: Scope, *, limits: Mapping[ProcessorKind, int], clock: Clock, listener: SlotListener
    ) -> GrantedSlots:
        del scope, clock, listener
        assert set(limits) == set(ProcessorKind)
        return self

    def request(self, counts: Mapping[ProcessorKind, int]) -> None:
        del counts

    def has_room(self, kind: ProcessorKind) -> bool:
        del kind
        return True

    def is_full(self, kind: ProcessorKind) -> bool:
        del kind
        return False

    def take(self, name: str, kind: ProcessorKind) -> None:
        del kind
        self.taken.add(name)

    async def reserve(self, name: str, kind: ProcessorKind, *, call: float, session: float) -> Reservation:
        assert (kind, call, session) == (ProcessorKind.LABEL_DETECTION, 60, 10 + 20)
        result, seconds = self.decide(name)
        await asyncio.sleep(seconds)
        return result

    def restore(self, name: str, kind: ProcessorKind) -> None:
        del kind
        self.taken.discard(name)

    def occupy(
        self,
        name: str,
        kind: ProcessorKind,
        *,
        seconds: float,
        begins_in: float = 0.0,
        session: StartedSession | None = None,
        is_external: bool = False,
    ) -> None:
        del kind, session
        assert (round(seconds, 6), begins_in, is_external) == (30, 0, False)
        self.taken.add(name)

    def stopping(self, name: str, seconds: float) -> None:
        assert seconds == 20
        self.stopping_names.append(name)

    def free(self, name: str, kind: ProcessorKind, status: Status | None = None) -> None:
        del kind
        self.taken.discard(name)
        self.statuses[name] = status

    async def sessions(self, *, sweep: float = 0.0) -> Sequence[SharedSession] | None:
        del sweep
        return ()

    def end(self, session: SharedSession, status: Status | None) -> None:
        raise AssertionError(session, status)

    def end_session(self, name: str, kind: ProcessorKind, session_id: str) -> None:
        raise AssertionError(name, kind, session_id)

    def confirm_sync(self) -> None:
        raise AssertionError


@attrs.define(eq=False)
class SharedSlots(GrantedSlots):
    """Slots that other hosts use too, and what the fleet reports of sessions.

    Attributes:
        others: the sessions of other hosts.
        reports: the reports, in their order.
    """

    others: Sequence[SharedSession] = ()
    reports: list[tuple[object, ...]] = attrs.field(factory=list[tuple[object, ...]])

    async def reserve(self, name: str, kind: ProcessorKind, *, call: float, session: float) -> Reservation:
        del name, kind, call, session
        return Reservation.RESERVED

    def occupy(
        self,
        name: str,
        kind: ProcessorKind,
        *,
        seconds: float,
        begins_in: float = 0.0,
        session: StartedSession | None = None,
        is_external: bool = False,
    ) -> None:
        del kind, seconds, session
        self.reports.append(("session", name, round(begins_in, 2), is_external))

    async def sessions(self, *, sweep: float = 0.0) -> Sequence[SharedSession] | None:
        del sweep
        return self.others

    def end(self, session: SharedSession, status: Status | None) -> None:
        self.reports.append(("end", session.name, status))

    def end_session(self, name: str, kind: ProcessorKind, session_id: str) -> None:
        self.reports.append(("end", name, kind, session_id))

    def confirm_sync(self) -> None:
        self.reports.append(("listed",))


class SlotsPolledElsewhere(GrantedSlots):
    """One slot; another host polls for the ends of sessions."""

    def has_room(self, kind: ProcessorKind) -> bool:
        del kind
        return not self.taken

    def is_full(self, kind: ProcessorKind) -> bool:
        return not self.has_room(kind)

    async def sessions(self, *, sweep: float = 0.0) -> Sequence[SharedSession] | None:
        return None if sweep else ()


class ToldMonitor:
    """Reports the ends that a test tells it."""

    def listen(self, on_end: Callable[[SessionEnd], bool]) -> None:
        self.report = on_end

    async def ended(self, names: Collection[str]) -> Collection[str]:
        del names
        return ()
