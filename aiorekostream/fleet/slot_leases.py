"""Define the port of session slots that many hosts share: what a fleet asks for, and what it reports.

A fleet leases a slot before it takes a permit, and reserves it for a processor when it has chosen the request. From
then on the slot belongs to the session: it outlives the host that started it.
"""

import enum
import math
from collections.abc import Mapping, Sequence
from typing import Protocol, final

import attrs

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.responses import StartedSession
from aiorekostream.domain.status import Status

__all__ = ["Reservation", "SharedSession", "SlotLeases", "SlotListener"]


class Reservation(enum.Enum):
    """The answer to a reservation."""

    RESERVED = "the start may be sent"
    BUSY = "another host starts this processor"
    FULL = "there is no slot"


@final
@attrs.frozen(kw_only=True)
class SharedSession:
    """A slot that a session or a start of any host has taken.

    Attributes:
        name: the processor.
        kind: the limit that it counts against.
        token: identifies this use of the slot: a later session of the processor has another one.
        is_reserved: whether its start is under way.
        session: the session; ``None`` if it is not known.
        age: seconds since it began; negative if it may begin only later.
        seconds: how long it can last from now on; infinity for a face search.
    """

    name: str
    kind: ProcessorKind
    token: str
    is_reserved: bool
    session: StartedSession | None
    age: float
    seconds: float = math.inf


class SlotListener(Protocol):
    """Receive the changes of shared slots; a fleet implements it."""

    def on_change(self) -> None:
        """Check again: a slot was leased, or lost."""
        ...

    def on_end(self, name: str, status: Status | None) -> None:
        """Record that another host saw the end of a session that this fleet knows.

        Args:
            name: the processor.
            status: its status after the session; ``None`` if it was not seen.
        """
        ...

    def on_mistake(self, error: Exception) -> None:
        """End the queued requests: the configuration must be corrected before any slot can be leased.

        Args:
            error: what is wrong; each queued request fails with it.
        """
        ...


class SlotLeases(Protocol):
    """Lease the shared slots of one account and Region to one fleet.

    No method but ``reserve`` and ``sessions`` waits. What is reported meanwhile is kept until the store can be reached.
    """

    @property
    def needs_sync(self) -> bool:
        """Whether the store has lost what it knew: no slot is leased until a host has listed the sessions."""
        ...

    def request(self, counts: Mapping[ProcessorKind, int]) -> None:
        """Lease up to the given number of slots of each kind, and return the leases above it.

        Args:
            counts: by kind, the number of leased slots that the fleet can use now, 0 or more; a kind that is not named
                has none.
        """
        ...

    def has_room(self, kind: ProcessorKind) -> bool:
        """Return whether a leased slot is available."""
        ...

    def is_full(self, kind: ProcessorKind) -> bool:
        """Return whether the store had fewer slots than were asked for."""
        ...

    def take(self, name: str, kind: ProcessorKind) -> None:
        """Use a leased slot for the request of a processor; ``reserve`` or ``restore`` follows.

        Args:
            name: the processor.
            kind: its kind; ``has_room`` has returned true for it.
        """
        ...

    async def reserve(self, name: str, kind: ProcessorKind, *, call: float, session: float) -> Reservation:
        """Reserve the slot for a processor, before its start is sent.

        Args:
            name: the processor.
            kind: its kind.
            call: seconds within which the start is sent, and its outcome determined.
            session: seconds that its session may last after that; infinity for a face search.

        Returns:
            Whether the start may be sent. It never takes longer than the timeout of the store.
        """
        ...

    def restore(self, name: str, kind: ProcessorKind) -> None:
        """Give a slot back whose start was not applied; an earlier session of the processor keeps it."""
        ...

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
        """Report a session that exists, or may exist.

        Args:
            name: the processor.
            kind: its kind.
            seconds: how long it may last from now on; infinity for a face search.
            begins_in: seconds until polls can show that there is no session.
            session: the session; ``None`` if it is not known.
            is_external: whether it was found, rather than started by this fleet.
        """
        ...

    def stopping(self, name: str, seconds: float) -> None:
        """Report that a stop was sent.

        Args:
            name: the processor.
            seconds: how long its session may last from now on, at most.
        """
        ...

    def free(self, name: str, kind: ProcessorKind, status: Status | None = None) -> None:
        """Report that a session that this fleet knows is over.

        Args:
            name: the processor.
            kind: its kind.
            status: the processor's status after the session; ``None`` if it was not seen.
        """
        ...

    async def sessions(self, *, sweep: float = 0.0) -> Sequence[SharedSession] | None:
        """List the slots that are taken.

        Args:
            sweep: seconds for which no other host polls for ended sessions; 0 to list the slots in any case.

        Returns:
            The slots; ``None`` if the store is out of reach, or another host polls.
        """
        ...

    def end(self, session: SharedSession, status: Status | None) -> None:
        """Report that a session of the last list is over.

        Args:
            session: the slot, as ``sessions`` returned it; no effect where the processor has a later session.
            status: the processor's status after the session; ``None`` if it was not seen.
        """
        ...

    def end_session(self, name: str, kind: ProcessorKind, session_id: str) -> None:
        """Report that a session of another host is over, by its id.

        Args:
            name: the processor.
            kind: its kind.
            session_id: the id of the session, as in ``StartedSession``; it has no effect where no slot has this id.
        """
        ...

    def confirm_sync(self) -> None:
        """Report that the sessions were listed since the last list of slots, and all of them reported."""
        ...
