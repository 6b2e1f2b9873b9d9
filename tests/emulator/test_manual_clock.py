"""The clock that stands still until it is advanced: its callbacks, its threads and its loops."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref

import pytest

from aiorekostream.emulator import ManualClock
from tests.virtual_time import run

_BEGIN = 1_700_000_000.0


async def _settle() -> None:
    """Let every task continue that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_manual_clock_shows_each_callback_its_moment() -> None:
    async def scene() -> tuple[list[float], float]:
        clock, seen = ManualClock(100), list[float]()

        def again() -> None:
            seen.append(clock.now())
            if clock.now() < 103:
                clock.call_at(clock.now() + 1, again)

        clock.call_at(101, again)
        clock.call_at(101.5, lambda: seen.append(clock.now()))
        clock.call_at(200, lambda: seen.append(clock.now()))
        clock.advance(10)
        return seen, clock.now()

    assert run(scene()) == ([101, 101.5, 102, 103], 110)


def test_manual_clock_s_callback_may_advance_it() -> None:
    async def scene() -> tuple[list[float], float]:
        clock, seen = ManualClock(100), list[float]()
        clock.call_at(101, lambda: clock.advance(50))
        clock.call_at(102, lambda: seen.append(clock.now()))
        clock.advance(5)
        return seen, clock.now()

    assert run(scene()) == ([102], 151)


def test_manual_clock_is_its_own_timeline() -> None:
    first, second = ManualClock(), ManualClock()
    assert first.timeline() is first.timeline()
    assert first.timeline() is not second.timeline()
    assert first != second
    assert len({first.timeline(), second.timeline()}) == 2
    reference = weakref.ref(first.timeline())
    del first
    gc.collect()
    assert reference() is None


def test_manual_clock_wakes_another_thread_s_loop() -> None:
    clock, registered = ManualClock(), threading.Event()

    async def waits() -> tuple[bool, bool]:
        called = list[int]()
        clock.call_at(clock.now() + 10, lambda: called.append(threading.get_ident()))
        task = asyncio.create_task(clock.sleep(20))
        await asyncio.sleep(0)
        registered.set()
        await task
        return called == [threading.get_ident()], clock.now() >= _BEGIN + 20

    def advance() -> None:
        registered.wait(10)
        clock.advance(15)
        clock.advance(15)

    thread = threading.Thread(target=advance)
    thread.start()
    assert asyncio.run(waits()) == (True, True)
    thread.join()
    assert clock.now() == _BEGIN + 30


def test_manual_clock_advanced_by_two_threads_adds_up() -> None:
    clock = ManualClock(0)

    def advance() -> None:
        for _ in range(1000):
            clock.advance(1)

    threads = [threading.Thread(target=advance) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.now() == 4000


def test_manual_clock_drops_the_timers_of_a_closed_loop() -> None:
    clock = ManualClock()

    async def scene() -> None:
        clock.call_at(clock.now() + 1, lambda: pytest.fail("the loop is closed"))

    run(scene())
    clock.advance(2)
    assert clock.now() == _BEGIN + 2


def test_manual_clock_drops_a_timer_cancelled_on_its_way() -> None:
    """Cancelled after another thread's ``advance`` handed it to the loop, and before it ran there."""

    async def scene() -> list[str]:
        clock, called = ManualClock(), list[str]()
        timer = clock.call_at(clock.now() + 1, lambda: called.append("late"))
        thread = threading.Thread(target=clock.advance, args=(2,))
        thread.start()
        thread.join()
        timer.cancel()
        await _settle()
        return called

    assert run(scene()) == []


def test_manual_clock_keeps_no_cancelled_timers() -> None:
    async def scene() -> int:
        clock = ManualClock()
        for _ in range(10_000):
            clock.call_at(clock.now() + 60, _nothing).cancel()
        gc.collect()
        return sum(type(it).__name__ == "_Timer" for it in gc.get_objects())

    def _nothing() -> None:
        pass

    assert run(scene()) <= 300


def test_manual_clock_drives_many_timers_in_order() -> None:
    async def scene() -> list[float]:
        clock, seen = ManualClock(0), list[float]()
        for number in range(5_000):
            clock.call_at((number * 7919) % 5_000 + 1, lambda: seen.append(clock.now()))
        clock.advance(5_000)
        return seen

    begin = time.process_time()
    assert run(scene()) == [float(number) for number in range(1, 5_001)]
    assert time.process_time() - begin < 10


def test_manual_clock_runs_a_coroutine_s_steps_as_it_is_advanced() -> None:
    async def scene() -> list[float]:
        clock, seen = ManualClock(0), list[float]()

        async def steps() -> None:
            for _ in range(3):
                await clock.sleep(1)
                seen.append(clock.now())

        task = asyncio.create_task(steps())
        for _ in range(3):
            await _settle()
            clock.advance(1)
            await _settle()
        await task
        return seen

    assert run(scene()) == [1, 2, 3]
