"""Test the clocks: every member, in the loop's own time and in time that is advanced by hand."""

from __future__ import annotations

import asyncio
import contextvars
import datetime
import functools
from typing import TYPE_CHECKING

import pytest

from aiorekostream.client import Client
from aiorekostream.clock import Clock, SystemClock, TimerHandle
from aiorekostream.emulator import ManualClock
from aiorekostream.errors import ConfigurationError
from aiorekostream.fleet import Fleet
from aiorekostream.testing import MemoryTransport
from tests.virtual_time import VirtualLoop, run

if TYPE_CHECKING:
    from collections.abc import Callable

_BEGIN = 1_700_000_000.0


async def _settle() -> None:
    """Let every task continue that can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def _pass(clock: Clock, seconds: float) -> None:
    """Let time pass on either clock."""
    await _settle()
    if isinstance(clock, ManualClock):
        clock.advance(seconds)
        await _settle()
    else:
        await asyncio.sleep(seconds)
        await _settle()


@pytest.fixture(params=[SystemClock, ManualClock])
def clock(request: pytest.FixtureRequest) -> Clock:
    made: Callable[[], Clock] = request.param
    return made()


# -------------------------------------------------------------------------------------------------------- either clock


def test_clock_calls_back_at_the_moment(clock: Clock) -> None:
    async def scene() -> list[list[str]]:
        called, seen = list[str](), list[list[str]]()
        begin = clock.now()
        for name, seconds in (("b", 2), ("a", 1), ("c", 2), ("now", 0), ("past", -1)):
            clock.call_at(begin + seconds, functools.partial(called.append, name))
        assert called == []
        for seconds in (0, 1, 1):
            await _pass(clock, seconds)
            seen.append(sorted(called) if seconds == 0 else list(called))
        return [seen[0], seen[1][2:], seen[2][3:]]

    assert run(scene()) == [["now", "past"], ["a"], ["b", "c"]]


def test_clock_does_not_call_back_when_cancelled(clock: Clock) -> None:
    async def scene() -> list[str]:
        called = list[str]()
        begin = clock.now()
        handles = [
            clock.call_at(begin + seconds, functools.partial(called.append, f"{seconds}")) for seconds in (0, 1, 2)
        ]
        handles[0].cancel()
        handles[1].cancel()
        handles[1].cancel()
        await _pass(clock, 3)
        handles[2].cancel()
        return called

    assert run(scene()) == ["2"]


def test_clock_s_callback_cancels_a_later_one_of_the_same_moment(clock: Clock) -> None:
    async def scene() -> list[str]:
        called, handles = list[str](), list[TimerHandle]()
        moment = clock.now() + 1

        def cancel() -> None:
            handles[0].cancel()

        clock.call_at(moment, cancel)
        handles.append(clock.call_at(moment, functools.partial(called.append, "later")))
        await _pass(clock, 2)
        return called

    assert run(scene()) == []


def test_clock_calls_back_in_the_context_of_the_registration(clock: Clock) -> None:
    variable = contextvars.ContextVar("variable", default="outside")

    async def scene() -> list[str]:
        seen = list[str]()
        variable.set("inside")
        clock.call_at(clock.now() + 1, lambda: seen.append(variable.get()))
        variable.set("later")
        await _pass(clock, 1)
        return seen

    assert run(scene()) == ["inside"]


def test_clock_s_failing_callback_does_not_stop_others(clock: Clock) -> None:
    async def scene() -> tuple[list[str], list[str]]:
        called, reported = list[str](), list[str]()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: reported.append(f"{context['exception']!r}"))
        clock.call_at(clock.now() + 1, dict[str, str]().popitem)
        clock.call_at(clock.now() + 1, lambda: called.append("after"))
        await _pass(clock, 1)
        return called, reported

    assert run(scene()) == (["after"], ["KeyError('popitem(): dictionary is empty')"])


def test_clock_releases_sleepers_in_order(clock: Clock) -> None:
    async def scene() -> list[int]:
        woken = list[int]()

        async def sleeper(seconds: int) -> None:
            await clock.sleep(seconds)
            woken.append(seconds)

        tasks = [asyncio.create_task(sleeper(seconds)) for seconds in (3, 1, 2, 0)]
        await _pass(clock, 3)
        await asyncio.gather(*tasks)
        return woken

    assert run(scene()) == [0, 1, 2, 3]


def test_clock_s_sleeper_can_be_cancelled(clock: Clock) -> None:
    async def scene() -> bool:
        task = asyncio.create_task(clock.sleep(1))
        await _settle()
        task.cancel()
        await _pass(clock, 2)
        return task.cancelled()

    assert run(scene())


def test_clock_s_timeout_raises_at_the_moment(clock: Clock) -> None:
    async def scene() -> tuple[bool, bool]:
        async def waits() -> None:
            async with clock.timeout_at(clock.now() + 2):
                await asyncio.get_running_loop().create_future()

        task = asyncio.create_task(waits())
        await _pass(clock, 1)
        early = task.done()
        await _pass(clock, 1)
        return early, isinstance(task.exception(), TimeoutError)

    assert run(scene()) == (False, True)


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_clock_s_timeout_in_the_past_raises_at_the_first_wait(clock: Clock, seconds: float) -> None:
    async def scene() -> None:
        with pytest.raises(TimeoutError):
            async with clock.timeout_at(clock.now() + seconds):
                await asyncio.get_running_loop().create_future()

    run(scene())


def test_clock_s_timeout_ends_with_its_block(clock: Clock) -> None:
    async def scene() -> list[str]:
        reported = list[str]()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(f"{context}"))
        async with clock.timeout_at(clock.now() + 1):
            pass
        await _pass(clock, 2)
        return reported

    assert run(scene()) == []


@pytest.mark.parametrize(("outer", "inner", "caught"), [(1, 2, "outer"), (2, 1, "inner")])
def test_nested_timeouts_of_a_clock_are_distinguished(clock: Clock, outer: int, inner: int, caught: str) -> None:
    async def scene() -> str:
        async def waits() -> str:
            begin = clock.now()
            try:
                async with clock.timeout_at(begin + outer):
                    try:
                        async with clock.timeout_at(begin + inner):
                            await asyncio.get_running_loop().create_future()
                    except TimeoutError:
                        return "inner"
            except TimeoutError:
                return "outer"
            return "none"

        task = asyncio.create_task(waits())
        await _pass(clock, 1)
        return await task

    assert run(scene()) == caught


def test_clock_s_timeout_lets_a_cancellation_through(clock: Clock) -> None:
    async def scene() -> bool:
        async def waits() -> None:
            async with clock.timeout_at(clock.now() + 1):
                await asyncio.get_running_loop().create_future()

        task = asyncio.create_task(waits())
        await _settle()
        task.cancel()
        await _pass(clock, 2)
        return task.cancelled()

    assert run(scene())


def test_clock_s_timeout_lets_an_error_through(clock: Clock) -> None:
    async def scene() -> None:
        with pytest.raises(ZeroDivisionError):
            async with clock.timeout_at(clock.now() + 1):
                _ = 1 / 0

    run(scene())


def test_clock_shows_the_date_in_utc(clock: Clock) -> None:
    wall = clock.wall()
    assert wall.tzinfo is datetime.UTC
    expected = datetime.datetime.now(datetime.UTC).timestamp() if isinstance(clock, SystemClock) else _BEGIN
    assert wall.timestamp() == pytest.approx(expected, abs=60)


# -------------------------------------------------------------------------------------------------------- system clock


def test_system_clock_reads_the_loop_s_time() -> None:
    async def scene() -> tuple[float, float]:
        first = SystemClock().now()
        await SystemClock().sleep(5)
        return first, SystemClock().now()

    assert run(scene()) == (0, 5)


_USES: dict[str, Callable[[Client], object]] = {
    "now": lambda _: SystemClock().now(),
    "timeline": lambda _: SystemClock().timeline(),
    "call_at": lambda _: SystemClock().call_at(0, list),
    "rates": lambda client: client.rates(),
    "sessions": lambda client: Fleet(client).sessions,
    "session_ends": lambda client: Fleet(client).session_ends(),
}


@pytest.mark.parametrize("use", _USES.values(), ids=_USES)
def test_use_without_an_event_loop_is_a_configuration_error(use: Callable[[Client], object]) -> None:
    client = Client(transport=MemoryTransport(lambda _operation, _body: {}))
    with pytest.raises(ConfigurationError, match="call it in a coroutine"):
        use(client)


def test_system_clock_shares_a_timeline_between_real_loops_only() -> None:
    async def timeline() -> object:
        return SystemClock().timeline()

    assert asyncio.run(timeline()) is asyncio.run(timeline())
    loops = VirtualLoop(), VirtualLoop()
    timelines = [loop.run_until_complete(timeline()) for loop in loops]
    assert timelines == list(loops)
    for loop in loops:
        loop.close()
