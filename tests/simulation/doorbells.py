"""Let doorbells ring at random; each is worth a session of 10 to 30 seconds if that begins soon."""

from __future__ import annotations

import asyncio
import datetime
import gc
import random
import tracemalloc
from collections import Counter
from typing import TYPE_CHECKING

import attrs

import aiorekostream as rks
from aiorekostream.fleet.fleet import Fleet
from tests.emulator.samples import labels
from tests.simulation.scenes import label_start, make_client
from tests.simulation.service import SimulatedService

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiorekostream.domain.requests import StartRequest

__all__ = ["Day", "ring"]

_WORTH = datetime.timedelta(seconds=10)


@attrs.frozen
class Day:
    """The result of a day.

    Attributes:
        service: what the service did.
        outcomes: how many of each kind.
        seconds: how long it took, by the loop's clock.
        tasks: the most tasks that there were at once.
        grown: bytes that were added between a tenth of the events and the end, if that was weighed.
        waited: the longest that a doorbell waited for its session, in seconds.
    """

    service: SimulatedService
    outcomes: Counter[str]
    seconds: float
    tasks: int
    grown: int
    waited: float


async def ring(seed: int, *, times: int, seconds: float, doors: int, limit: int, weighs: bool = False) -> Day:
    """Let doorbells ring so many times in so many seconds, on the average; weighing takes twice as long."""
    rng = random.Random(seed)  # noqa: S311 - to be repeated
    limits = rks.Limits(concurrent_label_detection={"us-east-1": limit})
    service = SimulatedService(seed=seed, limits=limits, keeps=False)
    names = [f"door-{number:05}" for number in range(doors)]
    service.create(*map(labels, names))
    client = make_client(service).with_options(limits=limits)
    fleet = Fleet(client, expires_after=_WORTH)
    loop = asyncio.get_running_loop()
    rung: dict[str, float] = {}
    memory: list[int] = []

    async def events() -> AsyncIterator[StartRequest]:
        moment = 0.0
        for number in range(times):
            moment += rng.expovariate(times / seconds)
            await asyncio.sleep(moment - loop.time())
            if weighs and number in {times // 10, times - 1}:
                gc.collect()  # how much garbage there is depends on the moment of the last collection
                memory.append(tracemalloc.get_traced_memory()[0])
            name = rng.choice(names)
            rung[name] = loop.time()
            yield label_start(name, rng.randint(10, 30))

    outcomes, tasks, waited = Counter[str](), 0, 0.0
    if weighs:
        tracemalloc.start()
    async with fleet.iter_start(events()) as run:
        async for outcome in run:
            outcomes[type(outcome).__name__] += 1
            tasks = max(tasks, len(asyncio.all_tasks()))
            waited = max(waited, loop.time() - rung[outcome.name])
    if weighs:
        tracemalloc.stop()
    return Day(service, outcomes, loop.time(), tasks, memory[-1] - memory[0] if memory else 0, waited)
