"""Hold what one host knows about the slot of a processor."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import attrs

from aiorekostream.distributed.slot_exchange import SlotCommand

if TYPE_CHECKING:
    from aiorekostream.distributed.slot_exchange import SlotVerb

__all__ = ["HeldSlot", "SlotUse"]


class SlotUse(enum.Enum):
    """What a slot is held for."""

    RESERVING = "a start, if the server agrees"
    RESERVED = "reserved"
    SESSION = "session"
    EXTERNAL = "external"


@attrs.define(eq=False)
class HeldSlot:
    """A slot of a processor, as this host knows it.

    Attributes:
        token: identifies its use.
        use: what it is held for.
        until: when it is free at the latest, on the host's clock.
        begins_at: when polls can show that there is no session.
        session: the id of the session; empty if it is not known.
        before: what the processor had when its start was reserved.
        is_confirmed: whether the server knows its use by this token.
    """

    token: str
    use: SlotUse
    until: float
    begins_at: float
    session: str = ""
    before: HeldSlot | None = None
    is_confirmed: bool = False

    def command(self, verb: SlotVerb, name: str, now: float) -> SlotCommand:
        """Return the command that reserves or keeps it for a processor."""
        return SlotCommand(
            verb,
            name,
            self.token,
            seconds=max(0.0, self.until - now),
            begins_in=max(0.0, self.begins_at - now),
            session=self.session,
            detail=self.use.value,
        )
