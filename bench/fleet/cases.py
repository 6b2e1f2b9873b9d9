"""What is measured: the cases, each with the quota that the service enforces and the one that is believed in."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import attrs

from aiorekostream.emulator import Fault, Hang, ResetAfter, ResetBefore, ServerError
from aiorekostream.limits import Quota

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["CASES", "Case", "Kind", "Target"]


class Kind(enum.StrEnum):
    """What is asked of the contenders."""

    START = "StartStreamProcessor"
    STOP = "StopStreamProcessor"


@attrs.frozen(kw_only=True)
class Target:
    """What must be reached with nothing lost; what is ``None`` is not asked.

    Attributes:
        time: the most time, in shares of the ideal one.
        requests: the most requests.
        throttled: the largest share of them that may be throttled.
    """

    time: float | None = None
    requests: int | None = None
    throttled: float | None = None


@attrs.frozen(kw_only=True)
class Case:
    """One case.

    Attributes:
        key: its name on the command line.
        title: what happens.
        contenders: who takes part, by key.
        count: how many processors are to be started or stopped.
        kind: which of the two.
        quota: what the service enforces; ``None`` for no quota at all.
        believed: what the client is told; ``None`` for no pacing.
        taken: how many calls a second another client of the account takes.
        latency: how long every request waits before the service looks at it, in seconds.
        read_timeout: how long to wait for an answer, in seconds; ``None`` for the client's own default.
        faults: what goes wrong.
        rounds: how often the contenders take turns; above 1, against the leaner stand-in.
        target: what must be reached; ``None`` if nothing.
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
    rounds: int = 1
    target: Target | None = None

    @property
    def ideal(self) -> float | None:
        """The shortest time that the quota allows, in seconds, from a full bucket on; ``None`` without a quota."""
        if self.quota is None:
            return None
        return max(0.0, self.count - self.quota.burst) / (self.quota.rate - self.taken)

    @property
    def formula(self) -> str:
        """How the ideal time comes about."""
        if self.quota is None or self.ideal is None:
            return ""
        rate = f"{self.quota.rate:g}" if not self.taken else f"({self.quota.rate:g} - {self.taken:g})"
        return f"({self.count} - {self.quota.burst:g}) / {rate} = {self.ideal:.2f} s"

    def among(self, contenders: Collection[str]) -> Case:
        """The same with some contenders only."""
        return attrs.evolve(self, contenders=tuple(key for key in self.contenders if key in contenders))

    def small(self) -> Case:
        """The same within a second or two, to see that it runs."""
        quota = None if self.quota is None else Quota(20, 5, self.quota.code)
        believed = None if self.believed is None else Quota(20, min(5, self.believed.burst), self.believed.code)
        return attrs.evolve(
            self.among({"fleet", "legacy", "legacy-wide", "capo"}),
            count=10,
            quota=quota,
            believed=believed,
            rounds=min(self.rounds, 2),
            latency=0.01,
            read_timeout=self.read_timeout and 0.5,
            target=None,
        )


_STARTS = "L-71793F35"
_STOPS = "L-85890340"

# Five in a hundred answers are lost: half of them by silence, half by a reset after the work was done. Of the five in
# a hundred that are 5xx, half were carried out. A fault strikes only what those before it let by.
_BAD_NETWORK: tuple[Fault, ...] = (
    Hang(times=None, probability=0.025, done=True),
    ResetAfter(times=None, probability=0.025 / 0.975),
    ServerError(times=None, probability=0.025 / 0.95, done=True),
    ServerError(times=None, probability=0.025 / 0.925, status=503, html=True),
    ResetBefore(times=None, probability=0.01 / 0.9),
)

CASES: tuple[Case, ...] = (
    Case(
        key="known",
        title="200 starts, 20 a second with a burst of 20, known",
        contenders=("fleet", "client", "legacy", "standard", "standard-wide", "adaptive", "capo"),
        count=200,
        quota=Quota(20, 20, _STARTS),
        believed=Quota(20, 20, _STARTS),
        target=Target(time=1.05, requests=201),
    ),
    Case(
        key="lower",
        title="200 starts, 7 a second with a burst of 7, while 20 a second are believed",
        contenders=("fleet", "client", "legacy", "standard", "adaptive", "capo"),
        count=200,
        quota=Quota(7, 7, _STARTS),
        believed=Quota(20, 20, _STARTS),
        target=Target(time=1.15, throttled=0.08),
    ),
    Case(
        key="shared",
        title="1,000 starts, 20 a second, of which another client takes 10, not known",
        contenders=("fleet", "legacy", "standard", "adaptive", "capo"),
        count=1000,
        quota=Quota(20, 20, _STARTS),
        believed=Quota(20, 20, _STARTS),
        taken=10,
        target=Target(time=1.15, throttled=0.05),
    ),
    Case(
        key="stops",
        title="30 stops, 1 a second, known",
        contenders=("fleet", "client", "legacy", "standard", "adaptive", "capo"),
        count=30,
        kind=Kind.STOP,
        quota=Quota(1, 1, _STOPS),
        believed=Quota(1, 1, _STOPS),
        target=Target(time=1.05, requests=31),
    ),
    Case(
        key="open",
        title="500 starts without a quota, answers after 60 ms",
        contenders=("legacy-wide", "fleet", "client", "legacy", "capo-wide"),
        count=500,
        rounds=21,
        target=Target(time=1.0),
    ),
    Case(
        key="faults",
        title="1,000 starts; 5 % of the answers are lost, 5 % are 5xx, 1 % of the connections are reset",
        contenders=("fleet", "client", "legacy", "standard", "adaptive", "capo"),
        count=1000,
        read_timeout=2.0,
        faults=_BAD_NETWORK,
        target=Target(),
    ),
)
