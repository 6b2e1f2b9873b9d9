"""Define the cases: what is asked of each client, and the quota that the service enforces."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import attrs

from aiorekostream.emulator import Fault, Hang, Latency, ResetAfter, ResetBefore, ServerError
from aiorekostream.limits import Quota

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["CASES", "FleetCase", "Kind", "Target"]


class Kind(enum.StrEnum):
    """The operation that is measured."""

    START = "StartStreamProcessor"
    STOP = "StopStreamProcessor"


@attrs.frozen(kw_only=True)
class Target:
    """The figures that the fleet must reach with nothing lost; ``None`` sets no limit.

    Attributes:
        time: the longest time, relative to the reference of the case.
        requests: the most requests.
        throttled: the largest share of the requests that may be throttled.
        unknown: the largest share of unknown outcomes.
    """

    time: float | None = None
    requests: int | None = None
    throttled: float | None = None
    unknown: float | None = None


@attrs.frozen(kw_only=True)
class FleetCase:
    """One case.

    Attributes:
        key: its name on the command line.
        title: its heading.
        contenders: the clients that take part, by key.
        count: the number of processors to start or stop.
        kind: the operation.
        quota: the quota that the service enforces; ``None`` for no quota.
        believed: the quota that is passed to the client; ``None`` for a client without a rate limiter.
        taken: the calls a second that another client of the account takes.
        latency: the delay before the service processes a request, in seconds.
        read_timeout: the time to wait for an answer, in seconds; ``None`` for the client's default.
        faults: the injected faults.
        warm_up: the number of starts, one a second, that precede the measured ones.
        stray_throttle: whether the last start of the warm-up is throttled once. Such a case is measured with the
            throttle and without it.
        expires_after: the age at which a queued request of the fleet expires, in seconds; ``None`` for never.
        rounds: the number of rounds; above 1, all clients take turns against the stub server.
        target: the figures to reach; ``None`` for none.
    """

    key: str
    title: str
    contenders: tuple[str, ...]
    count: int
    kind: Kind = Kind.START
    quota: Quota | None = None
    believed: Quota | None = None
    taken: float = 0.0
    latency: float = 0.06
    read_timeout: float | None = None
    faults: tuple[Fault, ...] = ()
    warm_up: int = 0
    stray_throttle: bool = False
    expires_after: float | None = None
    rounds: int = 1
    target: Target | None = None

    @property
    def ideal(self) -> float | None:
        """The shortest time that the quota allows from a full bucket on, in seconds; ``None`` without a quota."""
        if self.quota is None:
            return None
        return max(0.0, self.count - self.quota.burst) / (self.quota.rate - self.taken)

    @property
    def formula(self) -> str:
        """The calculation of the ideal time."""
        if self.quota is None or self.ideal is None:
            return ""
        rate = f"{self.quota.rate:g}" if not self.taken else f"({self.quota.rate:g} - {self.taken:g})"
        return f"({self.count} - {self.quota.burst:g}) / {rate} = {self.ideal:.2f} s"

    @property
    def latest_application(self) -> float:
        """The longest time from a request to its application by the service, in seconds."""
        return self.latency + sum(fault.seconds for fault in self.faults if isinstance(fault, Latency))

    def among(self, contenders: Collection[str]) -> FleetCase:
        """Return the case with some of its contenders only."""
        return attrs.evolve(self, contenders=tuple(key for key in self.contenders if key in contenders))

    def without_throttle(self) -> FleetCase:
        """Return the case without its stray throttle."""
        return attrs.evolve(self, stray_throttle=False)

    def small(self) -> FleetCase:
        """Return a version that takes a few seconds, to check that the case runs."""
        quota = None if self.quota is None else Quota(20, 5, self.quota.code)
        believed = None if self.believed is None else Quota(20, min(5, self.believed.burst), self.believed.code)
        return attrs.evolve(
            self.among({"fleet", "legacy", "legacy-wide", "capo"}),
            count=10,
            quota=quota,
            believed=believed,
            rounds=min(self.rounds, 2),
            warm_up=min(self.warm_up, 1),
            latency=0.01,
            read_timeout=self.read_timeout and 0.5,
            faults=tuple(
                attrs.evolve(fault, seconds=1.0) if isinstance(fault, Latency) else fault for fault in self.faults
            ),
            target=None,
        )


# The codes of the default quotas of StartStreamProcessor and StopStreamProcessor in Service Quotas.
_STARTS = "L-71793F35"
_STOPS = "L-85890340"

# 5 % of the responses are lost, half of them without a reset. Of the 5 % that are 5xx, half were applied. A fault is
# matched only if those before it were not, hence the conditional probabilities. Latency is matched independently.
# Late: after the read timeout of 2 s, and well within the 30 s of RetryPolicy.max_apply_delay.
_LOSSES: tuple[Fault, ...] = (
    Hang(times=None, probability=0.025, done=True),
    ResetAfter(times=None, probability=0.025 / 0.975),
    ServerError(times=None, probability=0.025 / 0.95, done=True),
    ServerError(times=None, probability=0.025 / 0.925, status=503, html=True),
    ResetBefore(times=None, probability=0.01 / 0.9),
    Latency(operation=Kind.START, times=None, probability=0.01, seconds=2.5),
    Latency(operation=Kind.START, times=None, probability=0.01, seconds=3.0),
)

CASES: tuple[FleetCase, ...] = (
    FleetCase(
        key="known",
        title="200 starts, 20/s with a burst of 20, known to the client",
        contenders=("fleet", "client", "legacy", "standard", "standard-wide", "adaptive", "capo"),
        count=200,
        quota=Quota(20, 20, _STARTS),
        believed=Quota(20, 20, _STARTS),
        target=Target(time=1.05, requests=201),
    ),
    FleetCase(
        key="lower",
        title="200 starts, 7/s with a burst of 7, while the client believes 20/s",
        contenders=("fleet", "client", "legacy", "standard", "adaptive", "capo"),
        count=200,
        quota=Quota(7, 7, _STARTS),
        believed=Quota(20, 20, _STARTS),
        target=Target(time=1.10, throttled=0.08),
    ),
    FleetCase(
        key="shared",
        title="1,000 starts, 20/s, of which another client takes half",
        contenders=("fleet", "legacy", "standard", "adaptive", "capo"),
        count=1000,
        quota=Quota(20, 20, _STARTS),
        believed=Quota(20, 20, _STARTS),
        taken=10,
        target=Target(time=1.10, throttled=0.05),
    ),
    FleetCase(
        key="stops",
        title="30 stops, 1/s, known to the client",
        contenders=("fleet", "client", "legacy", "standard", "adaptive", "capo"),
        count=30,
        kind=Kind.STOP,
        quota=Quota(1, 1, _STOPS),
        believed=Quota(1, 1, _STOPS),
        target=Target(time=1.05, requests=31),
    ),
    FleetCase(
        key="stray",
        title="60 starts at once after one stray throttle",
        contenders=("fleet", "client", "legacy"),
        count=60,
        quota=Quota(20, 20, _STARTS),
        believed=Quota(20, 20, _STARTS),
        warm_up=10,
        stray_throttle=True,
        expires_after=10.0,
        target=Target(time=1.5),
    ),
    FleetCase(
        key="open",
        title="500 starts without a quota, answers after 60 ms",
        contenders=("legacy-wide", "fleet", "client", "capo-wide"),
        count=500,
        rounds=21,
        target=Target(time=1.05),
    ),
    FleetCase(
        key="faults",
        title="1,000 starts; 5 % of the responses are lost, 5 % are 5xx, 1 % are resets, 2 % are applied late",
        contenders=("fleet", "client", "legacy", "standard", "capo"),
        count=1000,
        read_timeout=2.0,
        faults=_LOSSES,
        target=Target(unknown=0.005),
    ),
)
