"""Define the messages between a host and the script of a shared quota."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

import attrs

if TYPE_CHECKING:
    from aiorekostream.limits import Quota

__all__ = ["VERSION", "ForeignVersion", "LeaseExchange", "Report", "Taken", "TooLate", "read_reply", "reply_text"]

# The version of the stored fields and of their meaning. Hosts of another version leave the bucket alone.
VERSION = "2"

_FOREIGN, _TOO_LATE = 0, 2
_NEVER = -1.0
# Seconds; in place of an infinite time, which not every server's numbers have.
_LONG = 1e9


@attrs.frozen
class Report:
    """What became of a permit.

    Attributes:
        kind: what happened.
        number: the number of the permit.
        seconds: since the permit was due, for a throttle; how late the request was, for a delay.
        overtaking: the permits with higher numbers whose requests this host knows to be accepted.
    """

    kind: Literal["throttled", "cancelled", "delayed"]
    number: int = 0
    seconds: float = 0.0
    overtaking: int = 0


@attrs.frozen(kw_only=True)
class LeaseExchange:
    """Everything that a host reports to the server, and requests from it, in one round trip.

    Attributes:
        want: the permits that are asked for; 0 or more.
        horizon: seconds within which they are to be due.
        known_number: the number of the last permit that the host knows of.
        seen: the server's time in its last reply, for its own use; 0 if there was none.
        known_for: seconds since the last reply.
        patience: seconds for which the host waits for the reply.
        rested: seconds since the host sent a request; ``None`` if it has sent none.
        known_rate: the rate that the host knows the bucket to have learned, in calls a second; 0 if none.
        alone: the permits that the host granted without the server since the last reply.
        sharers: the hosts among which it divided the rate then, or would have; at least 1.
        reports: what became of permits.
    """

    want: int
    horizon: float
    known_number: int = 0
    seen: float = 0.0
    known_for: float = 0.0
    patience: float = math.inf
    rested: float | None = None
    known_rate: float = 0.0
    alone: int = 0
    sharers: int = 1
    reports: Sequence[Report] = ()

    def arguments(self, host: str, quota: Quota, slack: float) -> list[str | float]:
        """Return the arguments of the script."""
        arguments: list[str | float] = [
            *(VERSION, host, quota.rate, quota.burst, slack, self.want, self.horizon, self.known_number),
            *(self.seen, self.known_for, min(self.patience, _LONG)),
            _NEVER if self.rested is None else self.rested,
            *(self.known_rate, self.alone, self.sharers),
        ]
        for report in self.reports:
            arguments += [report.kind, report.number, report.seconds, report.overtaking]
        return arguments


@attrs.frozen(kw_only=True)
class Taken:
    """The server's answer.

    Attributes:
        first_number: the number of the first permit.
        waits: seconds until each permit is due.
        retry_after: seconds until it is worth asking again, if fewer permits came than were asked for.
        rate: the rate of the bucket, in calls a second.
        hosts: the number of hosts that asked within the last seconds.
        now: the server's time.
        rank: the number of those hosts whose names come before that of this host.
    """

    first_number: int
    waits: Sequence[float]
    retry_after: float
    rate: float
    hosts: int
    now: float
    rank: int = 0


@attrs.frozen
class ForeignVersion:
    """The bucket belongs to hosts of another version.

    Attributes:
        version: that version; empty if another program uses the key.
        hosts: the number of hosts that asked within the last seconds, of any version.
    """

    version: str
    hosts: int


@attrs.frozen
class TooLate:
    """The server ran the script after the host had given up, or its clock has jumped. The script did nothing.

    Attributes:
        now: the server's time.
    """

    now: float


_Reply: TypeAlias = "list[int | bytes | str]"


def read_reply(reply: object) -> Taken | ForeignVersion | TooLate:
    """Read the reply of the script."""
    status, *rest = cast("_Reply", reply)
    if status == _FOREIGN:
        return ForeignVersion(reply_text(rest[0]), int(rest[1]))
    if status == _TOO_LATE:
        return TooLate(float(rest[0]))
    now, first, rate, hosts, rank, retry, *waits = rest
    return Taken(
        now=float(now),
        first_number=int(first),
        rate=float(rate),
        hosts=int(hosts),
        rank=int(rank),
        retry_after=int(retry) / 1e6,
        waits=[int(wait) / 1e6 for wait in waits],
    )


def reply_text(value: int | bytes | str) -> str:
    """Return a value of a reply as text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
