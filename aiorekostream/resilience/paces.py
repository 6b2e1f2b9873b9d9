"""Pacing as a client sees it: a small protocol, and the pacing that all clients of a process share."""

from __future__ import annotations

import asyncio
import threading
import weakref
from typing import TYPE_CHECKING, Protocol

import attrs

from aiorekostream.clock import Clock
from aiorekostream.errors import RateLimitedError
from aiorekostream.limits import Quota, Scope
from aiorekostream.resilience.gate import Gate
from aiorekostream.resilience.pacing import Pacer, Ticket
from aiorekostream.resilience.turnstile import Turnstile

if TYPE_CHECKING:
    from collections.abc import MutableMapping

__all__ = ["Admission", "LocalPacing", "PacedCall", "Pacing"]


@attrs.frozen(kw_only=True)
class PacedCall:
    """A call that asks to be let through.

    Attributes:
        scope: what the quota belongs to.
        operation: AWS's name of the operation.
        quota: the quota that is believed in.
        since: when the call began, on the clock; a call that is made again keeps its place.
        urgent: whether it goes before those that are not.
        clock: tells the time and sleeps.
    """

    scope: Scope
    operation: str
    quota: Quota
    since: float
    urgent: bool
    clock: Clock


class Admission(Protocol):
    """Leave to send one request; it is told what the service made of it, unless that is lost on the way."""

    def passed(self) -> None:
        """The service let the request through, whatever it answered."""
        ...

    def throttled(self) -> None:
        """The service refused the request as too fast."""
        ...


class Pacing(Protocol):
    """What a client asks before it sends; write your own to share a quota between machines."""

    async def admit(self, call: PacedCall) -> Admission:
        """Wait until the call may be sent.

        Raises:
            RateLimitedError: it would have to wait, and this pacing does not.
        """
        ...


@attrs.frozen
class _Leave:
    gate: Gate
    ticket: Ticket

    def passed(self) -> None:
        self.gate.passed(self.ticket)

    def throttled(self) -> None:
        self.gate.refused(self.ticket)


_Key = tuple[Scope, str]

# A turnstile for each quota and an event loop's gate before it. They stay for as long as their timeline and their loop:
# what they have learnt is worth more than what they weigh.
_turnstiles: MutableMapping[object, dict[_Key, Turnstile]] = weakref.WeakKeyDictionary()
_gates: MutableMapping[asyncio.AbstractEventLoop, dict[_Key, Gate]] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


@attrs.frozen(kw_only=True)
class LocalPacing:
    """Every client of the same account and Region draws on the same quota, first come first served.

    That holds for a whole process: for event loops one after the other, which go on with what was learnt, and for those
    of several threads, each of which has a queue of its own.

    It begins with the quota of the client's ``limits``, spends the burst, and learns from refusals what the quota is in
    truth. Accounts are told apart by number where the credentials tell it, else by access key.

    Attributes:
        wait: whether a call waits for its turn; if not, it fails at once with ``RateLimitedError``.
        account: an account's name for this purpose, where several access keys draw on one quota.
    """

    wait: bool = True
    account: str | None = None

    async def admit(self, call: PacedCall) -> Admission:
        """Wait until the call may be sent.

        Raises:
            RateLimitedError: it would have to wait, and ``wait`` is false.
        """
        gate = self._gate(call)
        if self.wait:
            return _Leave(gate, await gate.admit(since=call.since, urgent=call.urgent))
        if (ticket := gate.enter(spread=False)) is None:
            delay = gate.delay()
            message = f"the quota of {call.quota.rate:g} calls a second is used up for {delay:.2f} s"
            raise RateLimitedError(message, operation=call.operation, retry_after=delay)
        return _Leave(gate, ticket)

    def _gate(self, call: PacedCall) -> Gate:
        scope = call.scope if self.account is None else attrs.evolve(call.scope, account=self.account)
        with _lock:
            gate = _gate((scope, call.operation), call)
        gate.believe(call.quota.rate, call.quota.burst)
        return gate


def _gate(key: _Key, call: PacedCall) -> Gate:
    gates = _gates.setdefault(asyncio.get_running_loop(), {})
    if key not in gates:
        turnstiles = _turnstiles.setdefault(call.clock.timeline(), {})
        if key not in turnstiles:
            turnstiles[key] = Turnstile(Pacer(call.quota.rate, call.quota.burst))
        gates[key] = Gate(turnstiles[key], call.clock)
    return gates[key]
