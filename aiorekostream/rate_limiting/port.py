"""Define the rate limiter's port: what a client asks before it sends a request.

The port fits a limiter in this process and one that many hosts share. Everything that a shared limiter must not depend
on, such as the clock of this process, is marked as local.
"""

import enum
from typing import Protocol, final

import attrs

from aiorekostream.clock import Clock, SystemClock
from aiorekostream.limits import Quota, Scope

__all__ = ["LEAST_REST", "Permit", "PermitRequest", "Priority", "RateLimiter", "RateStatus"]

LEAST_REST = 0.1
"""The least wait after a rate limiter has refused a permit, in seconds, before it is asked again."""


class Priority(enum.IntEnum):
    """The order in which queued permit requests are served; lower numbers first."""

    RECOVERY = 0
    """Reconciliation of a lost response, and retries: the work that is already begun ends first."""
    URGENT = 1
    """Requests that the caller marked as urgent."""
    NORMAL = 2
    """Everything else."""


@final
@attrs.frozen(kw_only=True)
class PermitRequest:
    """Ask for permission to send one request.

    Attributes:
        scope: the endpoint, Region and account that the quota belongs to.
        operation: AWS's name of the operation, such as ``StartStreamProcessor``.
        quota: the quota that the client believes in.
        priority: the request's class in the queue.
        timeout: seconds that the caller will still wait, 0 or more; infinite by default.
        arrived_at: the moment on ``clock`` that orders requests of equal priority; the present if ``None``. Local: it
            never leaves the process.
        clock: reads the time and sets timers. Local: it never leaves the process.
    """

    scope: Scope
    operation: str
    quota: Quota
    priority: Priority = Priority.NORMAL
    timeout: float = float("inf")
    arrived_at: float | None = None
    clock: Clock = attrs.field(factory=SystemClock, eq=False, repr=False)


class Permit(Protocol):
    """Permission to send one request, and the way to report what the service answered.

    The first of the three calls counts; later ones have no effect. None is made when the response is lost, since then
    the service's decision is unknown.
    """

    def allowed(self) -> None:
        """Report that the service accepted the request under its rate quota, whatever else it answered."""
        ...

    def throttled(self) -> None:
        """Report that the service rejected the request as too fast."""
        ...

    def cancel(self) -> None:
        """Return the permit unused: the request was not sent."""
        ...


class RateLimiter(Protocol):
    """Grant permits at the rate that a quota allows.

    Implement this protocol to share a quota in another way. ``tests/rate_limiting/contract.py`` checks an
    implementation against the contract.
    """

    async def acquire(self, request: PermitRequest) -> Permit:
        """Wait for a permit.

        Contract:

        - The answer comes within ``request.timeout`` seconds: a permit, or ``RateLimitedError``.
        - Requests that wait are served by ``priority``; how equal ones are ordered is the limiter's choice.
        - Cancelling the call, at any moment, uses up no permit and leaves nothing queued.
        - The call may be made concurrently, from several tasks of one event loop.

        Args:
            request: what is to be sent, and how long the caller will wait.

        Returns:
            Permission to send one request.

        Raises:
            RateLimitedError: no permit was available in time; ``retry_after`` is the expected wait in seconds.
        """
        ...


@final
@attrs.frozen(kw_only=True)
class RateStatus:
    """The state of one operation's rate limit.

    Attributes:
        believed_rate: the quota that the client believes in, in calls a second.
        used_rate: the rate at which permits are granted at present, in calls a second. Lower than ``believed_rate``
            after throttles.
        queue_length: the number of requests that wait for a permit, in every event loop of this process.
        hosts: the number of hosts that use the quota, as last seen; 1 for a limiter of one process.
        leased_permits: the permits that this host took from the hosts' common bucket and has not used yet.
        reachable: whether the common bucket can be reached; if not, the host uses its share of the rate. Always true
            for a limiter of one process.
    """

    believed_rate: float
    used_rate: float
    queue_length: int
    hosts: int = 1
    leased_permits: int = 0
    reachable: bool = True
