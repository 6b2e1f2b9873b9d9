"""Simulate many hosts that share quotas and slots: motion events, hosts that die and join, and a server that goes away.

The hosts are the package's own clients and fleets; the server is a model that runs the package's scripts. The hosts
handle motion events as ``examples/motion_workers`` does. ``python bench/many_hosts.py`` plays the whole.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import attrs

import aiorekostream as rks
from aiorekostream.fleet import SessionEnd
from aiorekostream.limits import DEFAULT_LIMITS, Limits
from tests.emulator.samples import labels
from tests.simulation.motion_host import DEADLINE, SESSION, VISIBILITY, Motion, MotionHost
from tests.simulation.script_server import ScriptServer
from tests.simulation.service import HERE, SimulatedService

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiorekostream.emulator.world.answers import OperationResult

__all__ = ["Course", "HourPlan", "play"]

_START, _LIST, _DESCRIBE = "StartStreamProcessor", "ListStreamProcessors", "DescribeStreamProcessor"
# Seconds that a notification takes at the most, and how many are lost.
_NOTIFICATION, _LOST = 1.0, 0.01


@attrs.frozen(kw_only=True)
class HourPlan:
    """What happens, by default in the whole simulation.

    Attributes:
        hosts: the hosts at a time.
        cameras: the cameras.
        seconds: the length of the simulation.
        events: the motion events, at random moments and cameras.
        session_limit: the quota on concurrent sessions.
        starts_per_second: the quota on starts, and its burst.
        death_every: seconds between the deaths of hosts; each is replaced at once if the server is there.
        away: when the server goes away, and when it is back and empty.
        seed: of all that is left to chance.
    """

    hosts: int = 100
    cameras: int = 10_000
    seconds: float = 3600.0
    events: int = 200_000
    session_limit: int = 2_000
    starts_per_second: float = 80.0
    death_every: float = 60.0
    away: tuple[float, float] = (1500.0, 2100.0)


@attrs.define(kw_only=True, eq=False)
class CountedService(SimulatedService):
    """The service, which counts how far the rates are exceeded, and reports each session with its start point.

    Attributes:
        on_session: called with the processor, the id of the session and the start point in milliseconds.
        excess: by operation, the most calls by which the rate was exceeded at any time.
    """

    on_session: Callable[[str, str, int], None]
    excess: dict[str, float] = attrs.field(factory=dict[str, float], init=False)
    _levels: dict[str, tuple[float, float]] = attrs.field(factory=dict[str, tuple[float, float]], init=False)

    def _decide(self, operation: str, members: Mapping[str, object], *, is_ours: bool = True) -> OperationResult:
        level, at = self._levels.get(operation, (0.0, self.now))
        if (quota := self.quotas.get(operation)) is not None:
            level = max(0.0, level - (self.now - at) * quota.rate) + 1
            self._levels[operation] = level, self.now
            self.excess[operation] = max(self.excess.get(operation, 0.0), level)
        answer = super()._decide(operation, members, is_ours=is_ours)
        session_id = getattr(answer, "session_id", None)
        if session_id is not None:
            selector = cast("Mapping[str, Mapping[str, int]]", members["StartSelector"])
            milliseconds = selector["KVSStreamStartSelector"]["ProducerTimestamp"]
            self.on_session(str(members["Name"]), session_id, milliseconds)
        return answer


@attrs.define(eq=False)
class Course:
    """What happened.

    Attributes:
        plan: what was to happen.
        service: the service.
        motions: the motion events.
        sessions: the processor and the start point of each session, by its id.
        trips: the round trips to the server.
        messages: the messages that the server sent to subscribed hosts.
        dead: the hosts that died.
    """

    plan: HourPlan
    motions: list[Motion]
    service: CountedService = attrs.field(init=False)
    sessions: dict[str, tuple[str, int]] = attrs.field(factory=dict[str, tuple[str, int]], init=False)
    trips: int = attrs.field(default=0, init=False)
    messages: int = attrs.field(default=0, init=False)
    dead: int = attrs.field(default=0, init=False)

    def outcomes(self, *, away: bool | None = None) -> Counter[str]:
        """The final outcomes by type; only those of events while the server is away, or not, if asked for."""
        begin, end = self.plan.away
        return Counter(
            type(motion.outcomes[-1]).__name__
            for motion in self.motions
            if away is None or away is (begin - DEADLINE <= motion.at < end)
        )

    def flaws(self) -> list[str]:
        """What breaks the invariants."""
        found = [
            f"{operation} exceeded its rate by {excess:.1f} calls"
            for operation, excess in self.service.excess.items()
            if excess > self.service.quotas[operation].burst
        ]
        if self.service.peak > self.plan.session_limit:
            found.append(f"{self.service.peak} sessions at once")
        begun = Counter(self.sessions.values())
        found += [f"{event} has {count} sessions" for event, count in begun.items() if count > 1]
        for motion in self.motions:
            event = motion.camera, motion.milliseconds
            if not motion.is_acknowledged:
                found.append(f"{event} has no outcome, but {motion.outcomes}")
                continue
            match motion.outcomes[-1]:
                case rks.Started(session=session):
                    camera, began = self.sessions.get(session.session_id or "", ("", 0))
                    # A request that the fleet shares has the session of another event.
                    is_true = camera == motion.camera and abs(event[1] - began) <= 1000 * (SESSION + DEADLINE)
                case rks.Expired():
                    is_true = not begun[event] or motion.is_ambiguous
                case _:
                    is_true = True
            if not is_true:
                found.append(f"{event}: {motion.outcomes[-1]}, but {begun[event]} sessions")
        return found


async def play(plan: HourPlan, *, seed: int = 1, on_motion: Callable[[float], None] = lambda _: None) -> Course:
    """Play a plan."""
    chance = random.Random(seed)  # noqa: S311 - to be repeated
    motions = [
        Motion(round(chance.uniform(1, plan.seconds), 3), f"camera-{chance.randrange(plan.cameras)}")
        for _ in range(plan.events)
    ]
    motions.sort(key=lambda motion: motion.at)
    return await _Play(plan, seed, chance, Course(plan, motions), on_motion).run()


@attrs.define(eq=False)
class _Play:
    plan: HourPlan
    seed: int
    chance: random.Random
    course: Course
    on_motion: Callable[[float], None]
    server: ScriptServer = attrs.field(factory=ScriptServer, init=False)
    hosts: list[MotionHost] = attrs.field(factory=list[MotionHost], init=False)
    tasks: set[asyncio.Task[None]] = attrs.field(factory=set[asyncio.Task[None]], init=False)
    is_away: bool = attrs.field(default=False, init=False)
    limits: Limits = attrs.field(init=False)

    async def run(self) -> Course:
        plan, loop = self.plan, asyncio.get_running_loop()
        rate = rks.Quota(plan.starts_per_second, plan.starts_per_second, "")
        quotas = {_START: rate, _LIST: DEFAULT_LIMITS.quotas[_LIST], _DESCRIBE: DEFAULT_LIMITS.quotas[_DESCRIBE]}
        # The service itself would allow more sessions: that the hosts keep the limit must be seen.
        service = self.course.service = CountedService(
            seed=self.seed,
            quotas=quotas,
            limits=Limits(quotas=quotas, concurrent_label_detection={HERE.region: plan.cameras}),
            keeps=False,
            on_session=self._on_session,
        )
        service.create(*(labels(f"camera-{number}") for number in range(plan.cameras)))
        self.limits = Limits(quotas=quotas, concurrent_label_detection={HERE.region: plan.session_limit})
        for _ in range(plan.hosts):
            self.join()
        loop.call_at(plan.away[0], self._lose_server)
        back = loop.create_task(self._find_server())
        deaths = loop.create_task(self._die_every())
        for motion in self.course.motions:
            if motion.at > loop.time():
                await asyncio.sleep(motion.at - loop.time())
                self.on_motion(loop.time())
            self._deliver(motion)
        while not all(motion.is_acknowledged for motion in self.course.motions[-plan.events // 10 :]):
            await asyncio.sleep(1)
            if loop.time() > plan.seconds + 10 * DEADLINE:
                break
        deaths.cancel()
        await asyncio.wait([back, deaths, *self.tasks])
        for host in self.hosts:
            await host.aclose()
        self.course.trips, self.course.messages = self.server.trips, self.server.messages
        return self.course

    def join(self) -> None:
        self.hosts.append(MotionHost(self.server, self.course.service, self.limits, expected_hosts=self.plan.hosts))

    # ------------------------------------------------------------------------------------------------------ the queues

    def _deliver(self, motion: Motion) -> None:
        """Deliver a motion event to a host, and again after the visibility timeout."""
        if motion.is_acknowledged:
            return
        self.chance.choice(self.hosts).handle(motion)
        asyncio.get_running_loop().call_later(VISIBILITY, self._deliver, motion)

    def _on_session(self, name: str, session_id: str, milliseconds: int) -> None:
        self.course.sessions[session_id] = name, milliseconds
        if self.chance.random() >= _LOST:
            delay = SESSION + self.chance.random() * _NOTIFICATION
            asyncio.get_running_loop().call_later(delay, self._notify, name, session_id)

    def _notify(self, name: str, session_id: str) -> None:
        on_end = self.chance.choice(self.hosts).monitor.on_end
        assert on_end is not None
        on_end(SessionEnd(name, session=rks.StartedSession(session_id, name=name)))

    # -------------------------------------------------------------------------------------------------------- troubles

    async def _die_every(self) -> None:
        while True:
            await asyncio.sleep(self.plan.death_every)
            host = self.hosts.pop(self.chance.randrange(len(self.hosts)))
            self.course.dead += 1
            task = asyncio.get_running_loop().create_task(host.die())
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
            if not self.is_away:
                self.join()

    def _lose_server(self) -> None:
        self.is_away = True
        for host in self.hosts:
            host.redis.break_down("away")

    async def _find_server(self) -> None:
        await asyncio.sleep(self.plan.away[1])
        self.server.flush()
        self.is_away = False
        for host in self.hosts:
            host.redis.trouble = ""
        while len(self.hosts) < self.plan.hosts:
            self.join()
