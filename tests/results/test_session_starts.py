"""Events that come before the answer to the start of their session; in virtual time."""

from __future__ import annotations

import asyncio

import pytest

import aiorekostream as rks
from aiorekostream import results
from tests.fleet.service import run
from tests.results.cameras import Cameras, collect, detected, ids_of
from tests.virtual_time import now


@pytest.mark.parametrize("name", ["door", None])
def test_event_that_overtakes_the_answer_is_not_lost(name: str | None) -> None:
    cameras = Cameras(answers_after=3)

    async def main() -> list[str]:
        async with cameras.consumer() as consumer:
            cameras.later(1, cameras.queue.send, detected("door-1", name=name))
            async with cameras.session(consumer) as session:
                assert now() == 3
                return ids_of(await collect(session))

    assert run(main()) == ["door-1/label-1", "door-1/end"]
    assert cameras.queue.messages == {}


def test_event_without_a_name_finds_its_session_among_those_that_start() -> None:
    cameras = Cameras(answers_after=3)

    async def main() -> list[list[str]]:
        async with cameras.consumer() as consumer:

            async def read(name: str) -> list[str]:
                async with cameras.session(consumer, name) as session:
                    return ids_of(await collect(session))

            cameras.later(1, cameras.queue.send, detected("b-1"), detected("c-1"), detected("a-1"))
            return await asyncio.gather(*map(read, "abc"))

    assert run(main()) == [[f"{name}-1/label-1", f"{name}-1/end"] for name in "abc"]


def test_held_event_is_not_held_again_for_a_later_start() -> None:
    """It came before that start, so it is of another session."""
    cameras, unclaimed = Cameras(answers_after=3), list[float]()

    async def take(event: results.StreamProcessorEvent) -> None:
        assert event.session_id == "door-9"
        unclaimed.append(now())

    async def main() -> None:
        async with cameras.consumer() as consumer, results.SessionRouter(consumer, on_unclaimed=take) as router:

            async def fail(*, after: float) -> None:
                await asyncio.sleep(after)
                with pytest.raises(rks.ResourceInUseError):
                    await cameras.session(router).__aenter__()

            cameras.statuses["door"] = "STARTING"
            cameras.later(1, cameras.queue.send, detected("door-9", name="door"))
            await asyncio.gather(fail(after=0), fail(after=2))
            assert now() == 5
            assert unclaimed == [3]

    run(main())


def test_event_that_was_held_for_a_refused_start_is_released() -> None:
    cameras = Cameras(answers_after=3)

    async def main() -> None:
        async with cameras.consumer() as consumer, cameras.session(consumer, "other"):
            cameras.statuses["door"] = "STARTING"
            cameras.later(1, cameras.queue.send, detected("door-9", name="door"))
            with pytest.raises(rks.ResourceInUseError):
                async with cameras.session(consumer):
                    pass
            await asyncio.sleep(0.1)
            assert consumer.report.released == 1

    run(main())
