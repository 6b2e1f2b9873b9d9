"""Grant one host's share of a rate, in turns between those of the other hosts."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

import attrs

from aiorekostream.rate_limiting.token_bucket import BURST_SHARE, AdaptiveTokenBucket

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["HostShare", "Seat", "begin_share", "latest_seat"]

# Seconds. What quotas heard of the hosts within this time is about the same hosts: the script counts a host that long.
_SAME_HOSTS = 10.0
# Seconds. A request that waited for a turn and is late by no more still goes at once, not a whole period later.
_LATE_WITHIN = 0.1


@attrs.frozen
class Seat:
    """The place of a host among those that share an account.

    Attributes:
        hosts: the number of hosts; at least 1.
        phase: where the turns of this host lie between those of the others, from 0 to 1.
        offset: seconds by which the server's clock is ahead of this host's.
        heard_at: when the server said so; never, if it is a guess.
    """

    hosts: int
    phase: float = 0.0
    offset: float = 0.0
    heard_at: float = -math.inf

    @classmethod
    def guessed(cls, host: str, hosts: int) -> Seat:
        """Return the place of a host that has not heard from the server."""
        digest = hashlib.blake2b(host.encode(), digest_size=6).digest()
        return cls(hosts, int.from_bytes(digest, "big") / 2**48)


def latest_seat(seats: Iterable[Seat]) -> Seat:
    """Return the seat among the most hosts of those that quotas of one account heard of last."""
    known = list(seats)
    latest = max(seat.heard_at for seat in known)
    return max((seat for seat in known if seat.heard_at >= latest - _SAME_HOSTS), key=lambda seat: seat.hosts)


@attrs.define(eq=False)
class HostShare(AdaptiveTokenBucket):
    """A bucket of one token that is granted in a turn of this host.

    Without the server, hosts cannot tell how many of them rest. If each had a token ready, all of them together had a
    burst of one request each. So each host has one turn in the time in which all of them have one, and a rested host
    waits for its turn.

    Attributes:
        seat: the place of this host.
        room: the calls by which the hosts together may exceed the rate.
    """

    seat: Seat = attrs.field(kw_only=True)
    room: float = attrs.field(kw_only=True)
    _turn_at: float = attrs.field(default=-math.inf, init=False)

    def ready_at(self, now: float, *, spread: bool = True) -> float:
        """See ``AdaptiveTokenBucket.ready_at``; the result is the moment of a turn."""
        ready = AdaptiveTokenBucket.ready_at(self, now, spread=spread)
        period = 1 / self.max_rate
        late_within = min(_LATE_WITHIN, self.room * period / self.seat.hosts)
        if now > self._turn_at + late_within or ready > max(now, self._turn_at) + period / 2:
            # A turn that was used late leaves the next one as it is.
            begin = self.seat.phase * period - self.seat.offset
            earliest = max(now, ready - period / 2)
            self._turn_at = begin + math.ceil((earliest - begin) / period) * period
        return max(now, self._turn_at)


def begin_share(share: float, seat: Seat, *, burst: float, slack: float, operation: str) -> AdaptiveTokenBucket:
    """Return the bucket of a host's share.

    Args:
        share: the calls a second of this host.
        seat: the place of the host.
        burst: that of the quota of all hosts.
        slack: see ``AdaptiveTokenBucket``.
        operation: AWS's name of the operation, for the log.
    """
    room = burst - max(0.0, BURST_SHARE * burst - 1)  # what the bucket on the server leaves unused
    if seat.hosts <= room:  # so few hosts may each have a call ready
        return AdaptiveTokenBucket(share, 1.0, operation, slack=slack)
    return HostShare(share, 1.0, operation, slack=slack, seat=seat, room=room)
