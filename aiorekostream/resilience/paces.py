"""Pacing as a client sees it: a small protocol, and the pacing that all clients of a process share."""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Protocol

import attrs

from aiorekostream.clock import Clock
from aiorekostream.errors import NotAdmittedError
from aiorekostream.limits import Quota, Scope
from aiorekostream.resilience.gate import Gate
from aiorekostream.resilience.pacing import Pacer, Ticket

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
    """Leave to send one request."""

    def throttled(self) -> None:
        """The service refused the request as too fast."""
        ...


class Pacing(Protocol):
    """What a client asks before it sends; write your own to share a quota between machines."""

    async def admit(self, call: PacedCall) -> Admission:
        """Wait until the call may be sent.

        Raises:
            NotAdmittedError: it would have to wait, and this pacing does not.
        """
        ...


@attrs.frozen
class _Leave:
    gate: Gate
    ticket: Ticket

    def throttled(self) -> None:
        self.gate.refused(self.ticket)


# The gates of each event loop. A gate lives as long as its loop: what it has learnt is worth more than what it weighs.
_gates: MutableMapping[asyncio.AbstractEventLoop, dict[tuple[Scope, str], Gate]] = weakref.WeakKeyDictionary()


@attrs.frozen(kw_only=True)
class LocalPacing:
    """Every client of the same account, Region and event loop draws on the same quota, first come first served.

    It begins with the quota of the client's ``limits``, spends the burst, and learns from refusals what the quota is in
    truth. Accounts are told apart by number where the credentials tell it, else by access key.

    Attributes:
        wait: whether a call waits for its turn; if not, it fails at once with ``NotAdmittedError``.
        account: an account's name for this purpose, where several access keys draw on one quota.
    """

    wait: bool = True
    account: str | None = None

    async def admit(self, call: PacedCall) -> Admission:
        """Wait until the call may be sent.

        Raises:
            NotAdmittedError: it would have to wait, and ``wait`` is false.
        """
        gate = self._gate(call)
        if not self.wait and (delay := gate.delay()) > 0:
            message = f"the quota of {call.quota.rate:g} calls a second is used up for {delay:.2f} s"
            raise NotAdmittedError(message, operation=call.operation, retry_after=delay)
        return _Leave(gate, await gate.admit(since=call.since, urgent=call.urgent))

    def _gate(self, call: PacedCall) -> Gate:
        gates = _gates.setdefault(asyncio.get_running_loop(), {})
        scope = call.scope if self.account is None else attrs.evolve(call.scope, account=self.account)
        key = (scope, call.operation)
        if key not in gates:
            gates[key] = Gate(Pacer(call.quota.rate, call.quota.burst), call.clock)
        gates[key].believe(call.quota.rate, call.quota.burst)
        return gates[key]
