"""Define the messages between a host and the scripts of shared session slots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

import attrs

from aiorekostream.distributed.exchange import TooLate, reply_text
from aiorekostream.domain.responses import StartedSession
from aiorekostream.fleet.slot_leases import SharedSession

if TYPE_CHECKING:
    from aiorekostream.domain.enums import ProcessorKind

__all__ = [
    "SLOTS_VERSION",
    "Listed",
    "OtherVersion",
    "SlotCommand",
    "SlotExchange",
    "SlotReply",
    "SlotVerb",
    "read_list",
    "read_slot_reply",
]

# The version of the stored fields and of their meaning. Hosts of another version lease nothing.
SLOTS_VERSION = "1"

_FOREIGN, _DONE = 0, 1
_ENDLESS = -1.0
_FIELDS_OF_A_SLOT = 6

SlotVerb: TypeAlias = Literal["free", "ended", "reserve", "keep", "stopping"]


@attrs.frozen
class SlotCommand:
    """One report, or one reservation.

    Attributes:
        verb: what is reported or asked for.
        name: the processor.
        token: identifies the use of the slot.
        seconds: how long the slot is taken from now on; infinity for no end.
        begins_in: seconds until polls can show that there is no session.
        session: the id of the session; empty if it is not known.
        detail: the status of a processor that was seen at rest, or what a slot is kept for.
    """

    verb: SlotVerb
    name: str
    token: str = ""
    seconds: float = 0.0
    begins_in: float = 0.0
    session: str = ""
    detail: str = ""


@attrs.frozen(kw_only=True)
class SlotExchange:
    """Everything that a host reports to the server, and requests from it, in one round trip.

    Attributes:
        want: the leases that the host is to have; 0 or more.
        commands: reports and reservations.
        synced_epoch: the epoch whose sessions were listed since; empty for none.
        seen: the server's time in its last reply, for its own use; 0 if there was none.
        known_for: seconds since the last reply.
        patience: seconds for which the host waits for the reply.
    """

    want: int
    commands: Sequence[SlotCommand] = ()
    synced_epoch: str = ""
    seen: float = 0.0
    known_for: float = 0.0
    patience: float = 1.0

    def arguments(self, host: str, limit: int, channel: str) -> list[str | float]:
        """Return the arguments of the script."""
        arguments: list[str | float] = [
            *(SLOTS_VERSION, host, limit, channel, self.want, self.synced_epoch),
            *(self.seen, self.known_for, self.patience),
        ]
        for each in self.commands:
            seconds = _ENDLESS if math.isinf(each.seconds) else each.seconds
            arguments += [each.verb, each.name, each.token, seconds, each.begins_in, each.session, each.detail]
        return arguments


@attrs.frozen(kw_only=True)
class SlotReply:
    """The server's answer.

    Attributes:
        now: the server's time.
        epoch: changes when the server has lost everything.
        leases: the leases that the host has now.
        retry_after: seconds until a poll may succeed, if the host has fewer leases than it wants; ``None`` if that is
            not known.
        is_synced: whether the sessions were listed in this epoch.
        answers: one for each command, in their order.
    """

    now: float
    epoch: str
    leases: int
    retry_after: float | None
    is_synced: bool
    answers: Sequence[int | str]


@attrs.frozen
class OtherVersion:
    """The slots belong to hosts of another version.

    Attributes:
        version: that version.
    """

    version: str


@attrs.frozen
class Listed:
    """The slots that are taken.

    Attributes:
        epoch: that of the server.
        sessions: the slots.
    """

    epoch: str
    sessions: Sequence[SharedSession]


_Value: TypeAlias = "int | bytes | str"


def read_slot_reply(reply: object) -> SlotReply | OtherVersion | TooLate:
    """Read the reply of ``session_slots.lua``."""
    status, *rest = cast("list[_Value]", reply)
    if status == _FOREIGN:
        return OtherVersion(reply_text(rest[0]))
    if status != _DONE:
        return TooLate(float(rest[0]))
    now, epoch, leases, retry, is_synced, *answers = rest
    return SlotReply(
        now=float(now),
        epoch=reply_text(epoch),
        leases=int(leases),
        retry_after=None if int(retry) < 0 else int(retry) / 1e6,
        is_synced=bool(int(is_synced)),
        answers=[answer if isinstance(answer, int) else reply_text(answer) for answer in answers],
    )


def read_list(reply: object, kind: ProcessorKind) -> Listed | OtherVersion | None:
    """Read the reply of ``session_list.lua``; ``None`` if another host polls for ended sessions."""
    status, *rest = cast("list[_Value]", reply)
    if status == _FOREIGN:
        return OtherVersion(reply_text(rest[0]))
    if status != _DONE:
        return None
    epoch, *values = map(reply_text, rest)
    rows = zip(*(values[number::_FIELDS_OF_A_SLOT] for number in range(_FIELDS_OF_A_SLOT)), strict=True)
    return Listed(epoch, [_session(row, kind) for row in rows])


def _session(row: Sequence[str], kind: ProcessorKind) -> SharedSession:
    name, token, state, session, age, left = row
    return SharedSession(
        name=name,
        kind=kind,
        token=token,
        is_reserved=state == "reserved",
        session=StartedSession(session) if session else None,
        age=float(age),
        seconds=math.inf if float(left) < 0 else float(left),
    )
