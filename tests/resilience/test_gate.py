"""The gate in virtual time: who goes through, in which order, and what becomes of those that do not."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiorekostream.clock import SystemClock
from aiorekostream.resilience.gate import Gate
from aiorekostream.resilience.pacing import Pacer
from aiorekostream.resilience.turnstile import Turnstile
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiorekostream.resilience.pacing import Ticket


def _gate(rate: float = 10, burst: float = 1) -> Gate:
    return Gate(Turnstile(Pacer(rate, burst)), SystemClock())


class _Queue:
    """Calls before a gate, by name, and the order in which they went through."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.through: list[str] = []
        self.moments: list[float] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    def come(self, name: str, *, since: float | None = None, urgent: bool = False) -> None:
        self.tasks[name] = asyncio.create_task(self._pass(name, since, urgent=urgent))

    async def _pass(self, name: str, since: float | None, *, urgent: bool) -> None:
        loop = asyncio.get_running_loop()
        await self.gate.admit(since=loop.time() if since is None else since, urgent=urgent)
        self.through.append(name)
        self.moments.append(loop.time())

    async def all(self, names: Iterable[str] | None = None) -> None:
        await asyncio.gather(*(self.tasks[name] for name in names or self.tasks), return_exceptions=True)


def _nothing_is_left(gate: Gate) -> bool:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    return gate.depth == 0 and not others


def test_first_come_first_served() -> None:
    async def scene() -> list[str]:
        queue = _Queue(_gate())
        for number in range(20):
            queue.come(f"{number}")
        await queue.all()
        assert _nothing_is_left(queue.gate)
        return queue.through

    assert run(scene()) == [f"{number}" for number in range(20)]


def test_urgent_calls_go_first_and_in_their_own_order() -> None:
    async def scene() -> list[str]:
        queue = _Queue(_gate())
        for name in ("first", "a", "b", "c"):
            queue.come(name)
        await asyncio.sleep(0.15)
        queue.come("urgent-1", urgent=True)
        queue.come("urgent-2", urgent=True)
        await queue.all()
        return queue.through

    assert run(scene()) == ["first", "a", "urgent-1", "urgent-2", "b", "c"]


def test_a_call_that_is_made_again_goes_before_those_that_began_later() -> None:
    async def scene() -> list[str]:
        queue = _Queue(_gate())
        await asyncio.sleep(100)
        for name in ("old", "a", "b", "c"):
            queue.come(name)
            await asyncio.sleep(0.001)
        queue.come("old again", since=100)
        await queue.all()
        return queue.through

    assert run(scene()) == ["old", "old again", "a", "b", "c"]


def test_nobody_overtakes_those_that_wait() -> None:
    async def scene() -> list[str]:
        queue = _Queue(_gate())
        queue.come("first")
        queue.come("waits")
        await asyncio.sleep(0.103)  # its turn has just come
        queue.come("late")
        await queue.all()
        return queue.through

    assert run(scene()) == ["first", "waits", "late"]


def test_a_cancelled_call_leaves_its_place_to_the_next() -> None:
    async def scene() -> tuple[list[str], list[float]]:
        queue = _Queue(_gate(rate=1))
        for name in ("first", "gone", "next"):
            queue.come(name)
        await asyncio.sleep(0.5)
        queue.tasks["gone"].cancel()
        await queue.all()
        assert _nothing_is_left(queue.gate)
        return queue.through, queue.moments

    through, moments = run(scene())
    assert through == ["first", "next"]
    assert moments[1] == pytest.approx(1, rel=0.05)


def test_a_call_that_is_cancelled_in_the_very_moment_of_its_turn_gives_it_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene() -> list[float]:
        loop = asyncio.get_running_loop()
        gate = _gate(rate=1)
        await gate.admit(since=0)
        unlucky = asyncio.create_task(gate.admit(since=0))
        await asyncio.sleep(0)
        turn, take = gate._waiting[0].admitted, gate._turnstile.pacer.take

        def take_and_cancel(_pacer: Pacer, now: float) -> Ticket:
            loop.call_soon(unlucky.cancel)  # after the turn is given, and before the call hears of it
            return take(now)

        monkeypatch.setattr(Pacer, "take", functools.partialmethod(take_and_cancel))
        with pytest.raises(asyncio.CancelledError):
            await unlucky
        monkeypatch.undo()
        assert turn.done()
        assert not turn.cancelled()
        given_up = loop.time()
        await gate.admit(since=0)
        return [given_up, loop.time()]

    given_up, next_one = run(scene())
    assert next_one - given_up <= 0.4  # and not another second


def test_a_timeout_of_the_caller_s_counts_as_a_cancellation() -> None:
    async def scene() -> int:
        gate = _gate(rate=0.01)
        await gate.admit(since=0)
        for _ in range(10):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await gate.admit(since=0)
        return gate.depth

    assert run(scene()) == 0


def test_when_everything_is_cancelled_nothing_waits_for_ever() -> None:
    async def scene() -> bool:
        gate = _gate(rate=0.01)
        queue = _Queue(gate)
        for number in range(5):
            queue.come(f"{number}")
        await asyncio.sleep(1)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await queue.all()
        await asyncio.sleep(0)
        assert queue.through == ["0"]
        await gate.admit(since=0)  # and the gate still works
        return _nothing_is_left(gate)

    assert run(scene())


def test_a_gate_whose_task_was_cancelled_before_it_began_still_works() -> None:
    async def scene() -> bool:
        gate = _gate()
        queue = _Queue(gate)
        await gate.admit(since=0)
        queue.come("unlucky")
        await asyncio.sleep(0)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        queue.come("next")
        await queue.all()
        assert queue.through == ["next"]
        return _nothing_is_left(gate)

    assert run(scene())


def test_calls_that_come_one_by_one_are_never_lost_between_two() -> None:
    async def scene() -> list[float]:
        gate, moments = _gate(rate=10), list[float]()

        async def caller() -> None:
            for _ in range(50):
                await gate.admit(since=0)
                moments.append(asyncio.get_running_loop().time())

        await asyncio.gather(*(caller() for _ in range(3)))
        return moments

    assert len(run(scene())) == 150


def test_whoever_cancels_only_the_gate_s_own_task_leaves_nobody_waiting() -> None:
    async def scene() -> list[bool]:
        gate = _gate(rate=0.01)
        queue = _Queue(gate)
        for number in range(5):
            queue.come(f"{number}")
        await asyncio.sleep(1)
        pump = gate._pump
        assert pump is not None
        pump.cancel()
        await queue.all()
        return [task.cancelled() for task in queue.tasks.values()]

    assert run(scene()) == [False, True, True, True, True]


class _BrokenClock(SystemClock):
    """Tells the time, and cannot wait."""

    async def sleep(self, seconds: float) -> None:
        message = f"cannot sleep for {seconds} s"
        raise OSError(message)

    def timeout_at(self, moment: float) -> contextlib.AbstractAsyncContextManager[object]:
        message = f"cannot wait until {moment}"
        raise OSError(message)


def test_a_clock_that_fails_is_heard_of_by_everybody_who_waits() -> None:
    async def scene() -> list[BaseException | Ticket]:
        gate = Gate(Turnstile(Pacer(1, 1)), _BrokenClock())
        calls = [gate.admit(since=0) for _ in range(4)]
        return await asyncio.gather(*calls, return_exceptions=True)

    _, *others = run(scene())
    assert [type(other) for other in others] == [OSError] * 3


def test_ten_thousand_wait_and_go_through_in_order() -> None:
    async def scene() -> tuple[list[str], float]:
        queue = _Queue(_gate(rate=20, burst=20))
        for number in range(10_000):
            queue.come(f"{number}")
        await queue.all()
        assert _nothing_is_left(queue.gate)
        return queue.through, asyncio.get_running_loop().time()

    began = time.process_time()
    through, seconds = run(scene())
    assert through == [f"{number}" for number in range(10_000)]
    assert seconds == pytest.approx((10_000 - 20) / 20, rel=0.01)
    assert time.process_time() - began < 10  # a second or so, and not the square of it


def test_ten_thousand_are_cancelled_in_no_time() -> None:
    async def scene() -> int:
        queue = _Queue(_gate(rate=0.001))
        for number in range(10_000):
            queue.come(f"{number}")
        await asyncio.sleep(1)
        for task in queue.tasks.values():
            task.cancel()
        await queue.all()
        return queue.gate.depth

    began = time.process_time()
    assert run(scene()) == 0
    assert time.process_time() - began < 10


def test_when_the_last_one_goes_away_nothing_waits_for_a_turn_that_nobody_wants() -> None:
    async def scene() -> bool:
        queue = _Queue(_gate(rate=0.001))
        queue.come("first")
        queue.come("gone")
        await asyncio.sleep(1)
        queue.tasks["gone"].cancel()
        await queue.all()
        await asyncio.sleep(0)
        return _nothing_is_left(queue.gate)

    assert run(scene())


def test_those_that_give_up_behind_urgent_ones_are_not_kept_for_ever() -> None:
    async def scene() -> int:
        gate = _gate(rate=0.001)
        queue = _Queue(gate)
        queue.come("first")
        queue.come("urgent", urgent=True)
        for number in range(1000):
            queue.come(f"{number}")
            await asyncio.sleep(0.001)
            queue.tasks[f"{number}"].cancel()
        await asyncio.sleep(0.1)
        size = len(gate._waiting)
        queue.tasks["urgent"].cancel()
        await asyncio.sleep(0)
        return size

    assert run(scene()) <= 4


def test_the_delay_that_is_named_is_the_delay_that_there_is() -> None:
    async def scene() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        gate = _gate(rate=2)
        queue = _Queue(gate)
        for number in range(6):
            queue.come(f"{number}")
        await asyncio.sleep(0.1)
        named, asked = gate.delay(), loop.time()
        await gate.admit(since=asked)
        return named, loop.time() - asked

    named, waited = run(scene())
    assert named == pytest.approx(waited)


def test_a_refusal_holds_back_those_that_wait() -> None:
    async def scene() -> list[float]:
        gate = _gate(rate=10, burst=10)
        queue = _Queue(gate)
        first = await gate.admit(since=0)
        for number in range(20):
            queue.come(f"{number}")
        await asyncio.sleep(0.001)
        gate.refused(first)
        await queue.all()
        return queue.moments

    moments = run(scene())
    assert moments[0] > 0.2  # one of eleven was let through


_comings = st.lists(
    st.tuples(st.floats(0, 3), st.booleans(), st.sampled_from([None, None, 0.0, 0.05, 1.0])), min_size=1, max_size=40
)


@settings(max_examples=60)
@given(_comings, st.sampled_from([0.5, 10.0, 50.0]), st.sampled_from([1.0, 5.0]))
def test_whoever_comes_and_goes_all_the_others_go_through_and_nothing_is_left(
    comings: list[tuple[float, bool, float | None]], rate: float, burst: float
) -> None:
    async def scene() -> tuple[list[str], set[str], list[float]]:
        queue, stayed = _Queue(_gate(rate, burst)), set[str]()
        loop = asyncio.get_running_loop()

        def come(name: str, *, urgent: bool, patience: float | None) -> None:
            queue.come(name, urgent=urgent)
            if patience is not None:
                loop.call_later(patience, queue.tasks[name].cancel)

        for number, (moment, urgent, patience) in enumerate(comings):
            name = f"{number}"
            if patience is None:
                stayed.add(name)
            loop.call_later(moment, functools.partial(come, name, urgent=urgent, patience=patience))
        await asyncio.sleep(3.1)
        await queue.all()
        assert _nothing_is_left(queue.gate)
        assert queue.gate._waiting == []
        return queue.through, stayed, queue.moments

    through, stayed, moments = run(scene())
    assert len(through) == len(set(through))
    assert stayed <= set(through)
    assert moments == sorted(moments)
    for index, moment in enumerate(moments):
        assert len(moments) - index <= burst + 1 + rate * (moments[-1] - moment) + 1e-6


def test_a_gate_weighs_no_more_after_many_calls() -> None:
    async def scene() -> int:
        gate = _gate(rate=1000, burst=1000)
        for _ in range(1000):
            await gate.admit(since=0)
        gc.collect()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(5_000):
            await gate.admit(since=0)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return after - before

    assert run(scene()) < 50_000  # a single object for each call would be more


def test_a_call_that_came_early_by_a_little_is_made_again_before_those_behind_it_have_their_turn() -> None:
    async def retried() -> tuple[float, float]:
        clock = SystemClock()
        gate = Gate(Turnstile(Pacer(1.0, 1.0)), clock)
        await gate.admit(since=0.0)
        early = await gate.admit(since=0.0)
        behind = asyncio.create_task(gate.admit(since=1.0))
        await asyncio.sleep(0.01)
        refused_at = clock.now()
        gate.refused(early)
        again = await gate.admit(since=0.0)
        return again.at - refused_at, (await behind).at - again.at

    waited, behind = run(retried())
    assert waited < 0.5
    assert behind > 0.9


def test_who_waits_hears_within_a_second_that_another_loop_was_told_of_a_higher_quota() -> None:
    async def scene() -> float:
        turnstile = Turnstile(Pacer(0.001, 1))
        here, there = (Gate(turnstile, SystemClock()) for _ in range(2))
        await here.admit(since=0)
        waits = asyncio.create_task(here.admit(since=0))
        await asyncio.sleep(5)
        there.believe(20, 20)  # a gate of another loop: nobody tells this one
        await waits
        return asyncio.get_running_loop().time()

    assert run(scene()) <= 6.1


def test_two_gates_before_one_turnstile_share_its_turns() -> None:
    async def scene() -> float:
        turnstile = Turnstile(Pacer(10, 1))
        gates = [Gate(turnstile, SystemClock()) for _ in range(2)]
        await asyncio.gather(*(gate.admit(since=0) for gate in gates for _ in range(50)))
        assert all(map(_nothing_is_left, gates))
        return asyncio.get_running_loop().time()

    assert run(scene()) == pytest.approx(10, rel=0.05)
