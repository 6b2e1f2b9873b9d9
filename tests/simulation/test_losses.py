"""1,000 starts over a network that loses answers: none is lost, and each outcome is true."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest

import aiorekostream as rks
from tests.emulator.samples import labels
from tests.simulation.scenes import Told, label_start, make_client, tell, untruth
from tests.simulation.service import Fate, Service
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_START = "StartStreamProcessor"
_MANY = 1000
_ENOUGH = rks.Limits(concurrent_label_detection={"us-east-1": 10_000})

# 5 % of answers lost, 5 % 5xx (done or not), 1 % resets before the service saw the request.
_LOSSES = {Fate.LOST_AFTER: 0.03, Fate.HANGS_AFTER: 0.02, Fate.BROKEN: 0.025, Fate.BROKEN_AFTER: 0.025}
_RESETS = {Fate.LOST_BEFORE: 0.01}


def _fates(seed: int) -> Callable[[str, Mapping[str, object]], Fate]:
    dice = random.Random(seed)  # noqa: S311 - to be repeated
    chances = _LOSSES | _RESETS

    def fate(_operation: str, _members: Mapping[str, object]) -> Fate:
        return dice.choices([Fate.FINE, *chances], [1 - sum(chances.values()), *chances.values()])[0]

    return fate


@pytest.mark.parametrize("seed", range(5))
def test_every_outcome_is_true_and_none_is_lost(seed: int) -> None:
    service = Service(seed=seed, limits=_ENOUGH, fates=_fates(seed))

    async def scene() -> tuple[list[Told], float]:
        names = [f"door-{number:04}" for number in range(_MANY)]
        service.furnish(*map(labels, names))
        client = make_client(service)
        starts = (
            tell(service, _START, name, client.start_stream_processor(label_start(name, 60)), lasts=60)
            for name in names
        )
        return await asyncio.gather(*starts), service.now

    tales, seconds = run(scene())
    again = f"play it again with: pytest {__name__} -k {seed}"
    assert [untruth(service, told) for told in tales if untruth(service, told)] == [], again
    started = [told for told in tales if isinstance(told.answer, rks.StartedSession)]
    others = Counter(type(told.answer).__name__ for told in tales if told not in started)
    # What cannot be told are lost answers whose DescribeStreamProcessor was lost twelve times over: none.
    assert len(started) == _MANY, others
    assert sum(len(service.done(_START, told.name)) for told in tales) == _MANY, "somebody was started twice"
    assert seconds <= 3 * 60, again
