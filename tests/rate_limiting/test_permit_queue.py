"""Test the queue of the local rate limiter in virtual time: order, cancellation, timeouts, failures and memory."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import itertools
import math
import time
import tracemalloc
import weakref
from typing import TYPE_CHECKING

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiorekostream.clock import Clock, SystemClock, TimerHandle
from aiorekostream.errors import RateLimitedError
from aiorekostream.limits import Quota, Scope
from aiorekostream.rate_limiting import LocalRateLimiter, Permit, PermitRequest, Priority
from tests.effort import examples, part
from tests.virtual_time import VirtualLoop, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_SCOPE = Scope(endpoint="https://queue", region="us-east-1", account="a")
_OPERATION = "StartStreamProcessor"
_limiter = LocalRateLimiter()


def _request(
    rate: float = 10,
    burst: float = 1,
    *,
    arrived_at: float | None = None,
    priority: Priority = Priority.NORMAL,
    timeout: float = float("inf"),
    clock: Clock | None = None,
) -> PermitRequest:
    return PermitRequest(
        scope=_SCOPE,
        operation=_OPERATION,
        quota=Quota(rate, burst),
        arrived_at=arrived_at,
        priority=priority,
        timeout=timeout,
        clock=clock or SystemClock(),
    )


def _length() -> int:
    return _limiter.rates(_SCOPE, {_OPERATION: Quota(1, 1)}, SystemClock())[_OPERATION].queue_length


def _nothing_is_left() -> bool:
    return _length() == 0 and asyncio.all_tasks() <= {asyncio.current_task()}


class _Callers:
    """Callers by name, and the order in which they were granted their permits."""

    def __init__(self, rate: float = 10, burst: float = 1) -> None:
        self.rate, self.burst = rate, burst
        self.granted: list[str] = []
        self.moments: list[float] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    def add(self, name: str, *, arrived_at: float | None = None, priority: Priority = Priority.NORMAL) -> None:
        request = _request(self.rate, self.burst, arrived_at=arrived_at, priority=priority)
        self.tasks[name] = asyncio.create_task(self._acquire(name, request))

    async def _acquire(self, name: str, request: PermitRequest) -> None:
        await _limiter.acquire(request)
        self.granted.append(name)
        self.moments.append(asyncio.get_running_loop().time())

    async def all(self, names: Iterable[str] | None = None) -> None:
        await asyncio.gather(*(self.tasks[name] for name in names or self.tasks), return_exceptions=True)


def test_queue_is_first_come_first_served() -> None:
    async def scene() -> list[str]:
        callers = _Callers()
        for number in range(20):
            callers.add(f"{number}")
        await callers.all()
        assert _nothing_is_left()
        return callers.granted

    assert run(scene()) == [f"{number}" for number in range(20)]


def test_queue_serves_urgent_requests_first_in_their_own_order() -> None:
    async def scene() -> list[str]:
        callers = _Callers()
        for name in ("first", "a", "b", "c"):
            callers.add(name)
        await asyncio.sleep(0.15)
        callers.add("urgent-1", priority=Priority.URGENT)
        callers.add("urgent-2", priority=Priority.URGENT)
        callers.add("recovery", priority=Priority.RECOVERY)
        await callers.all()
        return callers.granted

    assert run(scene()) == ["first", "a", "recovery", "urgent-1", "urgent-2", "b", "c"]


def test_queue_orders_equal_priorities_by_arrival() -> None:
    async def scene() -> list[str]:
        callers = _Callers()
        await asyncio.sleep(100)
        for name in ("old", "a", "b", "c"):
            callers.add(name)
            await asyncio.sleep(0.001)
        callers.add("old again", arrived_at=100)
        await callers.all()
        return callers.granted

    assert run(scene()) == ["old", "old again", "a", "b", "c"]


def test_queue_is_not_overtaken_when_a_permit_is_just_due() -> None:
    """The loop was busy: a token is due, and the timer that grants it to the first in the queue is late."""

    async def scene() -> float:
        await _limiter.acquire(_request())
        waiting = asyncio.create_task(_limiter.acquire(_request()))
        await asyncio.sleep(0.01)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.moment += 0.2
        with pytest.raises(RateLimitedError):
            await _limiter.acquire(_request(timeout=0))
        await waiting
        return loop.time()

    assert run(scene()) == pytest.approx(0.21)


def test_cancelled_permit_wakes_the_queue_at_once() -> None:
    async def scene() -> float:
        permit = await _limiter.acquire(_request(0.001))
        waiting = asyncio.create_task(_limiter.acquire(_request(0.001)))
        await asyncio.sleep(0.5)
        permit.cancel()
        await waiting
        return asyncio.get_running_loop().time()

    assert run(scene()) == pytest.approx(0.5)


def test_acquire_does_not_suspend_when_the_queue_is_empty() -> None:
    async def scene() -> None:
        acquiring = _limiter.acquire(_request())
        with pytest.raises(StopIteration):
            acquiring.send(None)

    run(scene())


def test_cancelled_request_leaves_its_place_to_the_next() -> None:
    async def scene() -> tuple[list[str], list[float]]:
        callers = _Callers(rate=1)
        for name in ("first", "gone", "next"):
            callers.add(name)
        await asyncio.sleep(0.5)
        callers.tasks["gone"].cancel()
        await callers.all()
        assert _nothing_is_left()
        return callers.granted, callers.moments

    granted, moments = run(scene())
    assert granted == ["first", "next"]
    assert moments[1] == pytest.approx(1, rel=0.05)


class _CancellingClock(SystemClock):
    """Cancel the waiting task in the very callback that grants its permit, before the task resumes."""

    victims: list[asyncio.Task[Permit]]

    def __init__(self) -> None:
        object.__setattr__(self, "victims", [])

    def call_at(self, moment: float, callback: Callable[[], object]) -> TimerHandle:
        def call() -> None:
            callback()
            while self.victims:
                self.victims.pop().cancel()

        return super().call_at(moment, call)


def test_request_cancelled_just_after_its_grant_returns_the_token() -> None:
    async def scene() -> tuple[float, float]:
        loop, clock = asyncio.get_running_loop(), _CancellingClock()
        await _limiter.acquire(_request(2, clock=clock))
        unlucky = asyncio.create_task(_limiter.acquire(_request(2, clock=clock)))
        clock.victims.append(unlucky)
        with pytest.raises(asyncio.CancelledError):
            await unlucky
        cancelled_at = loop.time()
        await _limiter.acquire(_request(2))
        return cancelled_at, loop.time()

    cancelled_at, next_at = run(scene())
    assert cancelled_at == pytest.approx(0.512, abs=0.01)
    assert next_at - cancelled_at <= 0.2  # and not another half second


def test_token_of_a_request_cancelled_after_its_grant_wakes_the_next() -> None:
    async def scene() -> tuple[float, float]:
        loop, clock = asyncio.get_running_loop(), _CancellingClock()
        await _limiter.acquire(_request(2, clock=clock))
        unlucky, behind = (asyncio.create_task(_limiter.acquire(_request(2, clock=clock))) for _ in range(2))
        clock.victims.append(unlucky)
        with pytest.raises(asyncio.CancelledError):
            await unlucky
        cancelled_at = loop.time()
        await behind
        return cancelled_at, loop.time()

    cancelled_at, next_at = run(scene())
    assert cancelled_at == pytest.approx(0.512, abs=0.01)
    assert next_at - cancelled_at <= 0.2


def test_acquire_that_is_closed_leaves_its_place_to_the_next() -> None:
    """As an event loop does that is shut down, and the garbage collector: there is no cancellation."""

    async def scene() -> float:
        await _limiter.acquire(_request(1))
        closed = _limiter.acquire(_request(1))
        closed.send(None)
        behind = asyncio.create_task(_limiter.acquire(_request(1)))
        await asyncio.sleep(0.1)
        closed.close()
        assert _length() == 1
        await behind
        return asyncio.get_running_loop().time()

    assert run(scene()) == pytest.approx(1, rel=0.05)


def test_timeout_of_the_caller_counts_as_a_cancellation() -> None:
    async def scene() -> int:
        await _limiter.acquire(_request(0.01))
        for _ in range(10):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await _limiter.acquire(_request(0.01))
        return _length()

    assert run(scene()) == 0


def test_timeout_of_the_request_raises_with_an_estimate() -> None:
    async def scene() -> tuple[float, RateLimitedError]:
        loop = asyncio.get_running_loop()
        await _limiter.acquire(_request(0.1))
        with pytest.raises(RateLimitedError) as caught:
            await _limiter.acquire(_request(0.1, timeout=3))
        assert _nothing_is_left()
        return loop.time(), caught.value

    moment, error = run(scene())
    assert moment == pytest.approx(3)
    assert error.retry_after == pytest.approx(10 / 0.975 - 3)
    assert error.attempts == 0
    assert str(error) == "StartStreamProcessor: no permit within 3 s at 0.1 calls/s; 1 wait"


def test_request_with_a_timeout_is_granted_before_it() -> None:
    async def scene() -> float:
        await _limiter.acquire(_request(1))
        await _limiter.acquire(_request(1, timeout=3))
        return asyncio.get_running_loop().time()

    assert run(scene()) == pytest.approx(1.0256, abs=0.002)


def test_queue_works_on_after_every_task_was_cancelled() -> None:
    async def scene() -> bool:
        callers = _Callers(rate=0.01)
        for number in range(5):
            callers.add(f"{number}")
        await asyncio.sleep(1)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await callers.all()
        await asyncio.sleep(0)
        assert callers.granted == ["0"]
        await _limiter.acquire(_request(0.01))
        return _nothing_is_left()

    assert run(scene())


def test_waiting_needs_no_task() -> None:
    async def scene() -> int:
        callers = _Callers(rate=0.01)
        for number in range(5):
            callers.add(f"{number}")
        await asyncio.sleep(1)
        count = len(asyncio.all_tasks())
        for task in callers.tasks.values():
            task.cancel()
        await callers.all()
        return count

    assert run(scene()) == 1 + 4


def test_requests_that_alternate_are_all_granted() -> None:
    async def scene() -> list[float]:
        moments = list[float]()

        async def caller() -> None:
            for _ in range(50):
                await _limiter.acquire(_request())
                moments.append(asyncio.get_running_loop().time())

        await asyncio.gather(*(caller() for _ in range(3)))
        return moments

    assert len(run(scene())) == 150


class _LateClock(SystemClock):
    """Fire timers late, as asyncio's epoll does, which rounds timeouts up to a millisecond and needs time itself."""

    def call_at(self, moment: float, callback: Callable[[], object]) -> TimerHandle:
        return super().call_at(math.ceil(moment * 1000) / 1000 + 0.0009, callback)


@pytest.mark.parametrize("rate", [300, 400, 1000])
def test_late_timers_lose_no_capacity_and_exceed_no_quota(rate: float) -> None:
    many, clock = 1000, _LateClock()

    async def scene() -> float:
        request = attrs.evolve(_request(rate, 1), clock=clock)
        await asyncio.gather(*(_limiter.acquire(request) for _ in range(many)))
        return clock.now()

    assert 0.95 <= many / rate / run(scene()) <= 1.0


class _FailingClock(SystemClock):
    """Read the time; set a number of timers, and then fail."""

    timers_left: list[None]

    def __init__(self, timers: int) -> None:
        object.__setattr__(self, "timers_left", [None] * timers)

    def call_at(self, moment: float, callback: Callable[[], object]) -> TimerHandle:
        if not self.timers_left:
            message = f"cannot set a timer for {moment}"
            raise OSError(message)
        self.timers_left.pop()
        return super().call_at(moment, callback)


@pytest.mark.parametrize("timers", [0, 1, 2])
def test_failure_of_the_clock_reaches_every_waiter(timers: int) -> None:
    async def scene() -> list[BaseException | Permit]:
        clock = _FailingClock(timers)
        acquiring = [_limiter.acquire(_request(1, clock=clock)) for _ in range(4)]
        return await asyncio.gather(*acquiring, return_exceptions=True)

    answers = run(scene())
    assert [type(answer) for answer in answers[1 + timers :]] == [OSError] * (3 - timers)


def test_ten_thousand_requests_are_granted_in_order() -> None:
    async def scene() -> tuple[list[str], float]:
        callers = _Callers(rate=20, burst=20)
        for number in range(many):
            callers.add(f"{number}")
        await callers.all()
        assert _nothing_is_left()
        return callers.granted, asyncio.get_running_loop().time()

    many = part(10_000)
    begin = time.process_time()
    granted, seconds = run(scene())
    assert granted == [f"{number}" for number in range(many)]
    assert seconds == pytest.approx((many - 20) / 20, rel=0.01)
    assert time.process_time() - begin < 10  # about a second, and not its square


@pytest.mark.parametrize("timeout", [float("inf"), 2.0])
def test_ten_thousand_requests_leave_in_linear_time(timeout: float) -> None:
    async def scene() -> int:
        await _limiter.acquire(_request(0.001))
        request = _request(0.001, timeout=timeout)
        tasks = [asyncio.create_task(_limiter.acquire(request)) for _ in range(part(10_000))]
        await asyncio.sleep(1)
        if timeout > 2:
            for task in tasks:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return _length()

    begin = time.process_time()
    assert run(scene()) == 0
    assert time.process_time() - begin < 10


class _CountingClock(SystemClock):
    """Know the timers that are neither called nor cancelled."""

    pending: set[object]

    def __init__(self) -> None:
        object.__setattr__(self, "pending", set())

    def call_at(self, moment: float, callback: Callable[[], object]) -> TimerHandle:
        return _CountedTimer(self.pending, super().call_at, moment, callback)


class _CountedTimer:
    def __init__(
        self,
        pending: set[object],
        call_at: Callable[[float, Callable[[], object]], TimerHandle],
        moment: float,
        callback: Callable[[], object],
    ) -> None:
        self.pending, self.callback = pending, callback
        pending.add(self)
        self.handle = call_at(moment, self.call)

    def call(self) -> None:
        self.pending.discard(self)
        self.callback()

    def cancel(self) -> None:
        self.pending.discard(self)
        self.handle.cancel()


def test_timer_is_cancelled_when_the_last_request_leaves() -> None:
    async def scene() -> tuple[int, int]:
        clock = _CountingClock()
        await _limiter.acquire(_request(0.001, clock=clock))
        tasks = [
            asyncio.create_task(_limiter.acquire(_request(0.001, timeout=timeout, clock=clock)))
            for timeout in (float("inf"), 50.0)
        ]
        await asyncio.sleep(1)
        waiting = len(clock.pending)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert _nothing_is_left()
        return waiting, len(clock.pending)

    assert run(scene()) == (2, 0)


def test_requests_that_leave_behind_others_are_not_kept() -> None:
    """The memory of requests that left is bounded by those that wait."""

    def futures() -> int:
        gc.collect()
        return sum(isinstance(it, asyncio.Future) and not isinstance(it, asyncio.Task) for it in gc.get_objects())

    async def scene() -> int:
        before = futures()  # those of other tests
        callers = _Callers(rate=0.001)
        callers.add("first")
        callers.add("urgent", priority=Priority.URGENT)
        for number in range(1000):
            callers.add(f"{number}")
            await asyncio.sleep(0.001)
            callers.tasks.pop(f"{number}").cancel()
        await asyncio.sleep(0.1)
        waiters = futures() - before
        callers.tasks["urgent"].cancel()
        await callers.all()
        return waiters

    assert run(scene()) <= 4


def test_estimated_delay_is_the_delay() -> None:
    async def scene() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        callers = _Callers(rate=2)
        for number in range(6):
            callers.add(f"{number}")
        await asyncio.sleep(0.1)
        with pytest.raises(RateLimitedError) as caught:
            await _limiter.acquire(_request(2, timeout=0))
        asked_at = loop.time()
        await _limiter.acquire(_request(2))
        return caught.value.retry_after, loop.time() - asked_at

    estimated, waited = run(scene())
    assert estimated == pytest.approx(waited, abs=0.002)


def test_throttle_delays_the_requests_that_wait() -> None:
    async def scene() -> list[float]:
        callers = _Callers(rate=10, burst=10)
        grants = [await _limiter.acquire(_request(10, 10)) for _ in range(8)]
        for number in range(20):
            callers.add(f"{number}")
        await asyncio.sleep(0.001)
        grants[0].throttled()
        await callers.all()
        return callers.moments

    moments = run(scene())
    assert moments[0] - 7 / 30 > 0.045  # the ninth request would be due 1/30 s after the eighth
    assert moments[-1] > 2


def test_early_request_is_retried_before_the_next_token() -> None:
    """A single request that came early by a little goes before those behind it have their turn."""

    async def scene() -> tuple[float, float]:
        clock = SystemClock()
        await _limiter.acquire(_request(1))
        early = await _limiter.acquire(_request(1))
        behind = asyncio.create_task(_limiter.acquire(_request(1, arrived_at=1.0)))
        await asyncio.sleep(0.01)
        throttled_at = clock.now()
        early.throttled()
        await _limiter.acquire(_request(1, arrived_at=0.0))
        again_at = clock.now()
        await behind
        return again_at - throttled_at, clock.now() - again_at

    waited, behind = run(scene())
    assert waited < 0.5
    assert behind > 0.9


_arrivals = st.lists(
    st.tuples(st.floats(0, 3), st.sampled_from(Priority), st.sampled_from([None, None, 0.0, 0.05, 1.0])),
    min_size=1,
    max_size=40,
)


@examples(60)
@given(_arrivals, st.sampled_from([0.5, 10.0, 50.0]), st.sampled_from([1.0, 5.0]))
def test_queue_grants_all_that_stay_and_keeps_nothing(
    arrivals: list[tuple[float, Priority, float | None]], rate: float, burst: float
) -> None:
    async def scene() -> tuple[list[str], set[str], list[float]]:
        callers, stayed = _Callers(rate, burst), set[str]()
        loop = asyncio.get_running_loop()

        def arrive(name: str, *, priority: Priority, patience: float | None) -> None:
            callers.add(name, priority=priority)
            if patience is not None:
                loop.call_later(patience, callers.tasks[name].cancel)

        for number, (moment, priority, patience) in enumerate(arrivals):
            name = f"{number}"
            if patience is None:
                stayed.add(name)
            loop.call_later(moment, functools.partial(arrive, name, priority=priority, patience=patience))
        await asyncio.sleep(3.1)
        await callers.all()
        assert _nothing_is_left()
        return callers.granted, stayed, callers.moments

    granted, stayed, moments = run(scene())
    assert len(granted) == len(set(granted))
    assert stayed <= set(granted)
    assert moments == sorted(moments)
    for index, moment in enumerate(moments):
        # One more for each request that was cancelled just after its grant, and one millisecond's worth.
        assert len(moments) - index <= burst + 1 + rate * (moments[-1] - moment + 0.001) + 1e-6


def test_acquire_allocates_nothing_that_stays() -> None:
    async def scene() -> int:
        for _ in range(1000):
            await _limiter.acquire(_request(1000, 1000))
        gc.collect()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(5_000):
            await _limiter.acquire(_request(1000, 1000))
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return after - before

    assert run(scene()) < 50_000  # a single object for each request would be more


def test_closed_loop_with_waiters_leaves_nothing() -> None:
    """The loop is closed under requests that wait, without cancelling them."""

    def scene() -> weakref.ref[asyncio.AbstractEventLoop]:
        loop = VirtualLoop()

        async def begin() -> list[asyncio.Task[Permit]]:
            await _limiter.acquire(_request(0.001))
            tasks = [asyncio.create_task(_limiter.acquire(_request(0.001))) for _ in range(3)]
            await asyncio.sleep(0.01)
            for task in tasks:  # no message about pending tasks: that is what is tested
                setattr(task, "_log_destroy_pending", False)  # noqa: B010 - typeshed does not know it
            return tasks

        loop.run_until_complete(begin())
        loop.close()
        return weakref.ref(loop)

    references = [scene() for _ in range(3)]
    gc.collect()
    assert [reference() for reference in references] == [None] * 3


def test_changes_of_another_loop_are_noticed_within_a_second() -> None:
    """Another loop on the same timeline raises the quota and cannot wake this one."""
    timeline, moments = _Timeline(), list[float]()
    here, there = _SharedTimeClock(timeline), _SharedTimeClock(timeline)
    first, second = VirtualLoop(), VirtualLoop()
    first.run_until_complete(_limiter.acquire(_request(0.001, clock=here)))

    async def waits() -> None:
        await _limiter.acquire(_request(0.001, clock=here))
        moments.append(asyncio.get_running_loop().time())

    waiting = first.create_task(waits())
    first.run_until_complete(asyncio.sleep(5))
    second.moment = first.moment

    async def raises_the_quota() -> None:
        (await LocalRateLimiter().acquire(_request(20, 20, timeout=0.5, clock=there))).allowed()

    second.run_until_complete(raises_the_quota())
    first.run_until_complete(waiting)
    first.close()
    second.close()
    assert moments[0] <= 6.2


class _Timeline:
    """The identity of a time that several loops share."""


class _SharedTimeClock(SystemClock):
    shared: _Timeline

    def __init__(self, shared: _Timeline) -> None:
        object.__setattr__(self, "shared", shared)

    def timeline(self) -> object:
        return self.shared


def test_two_loops_share_the_rate() -> None:
    """Both loops' requests together keep to the quota."""
    timeline = _Timeline()
    clock = _SharedTimeClock(timeline)
    loops = [VirtualLoop(), VirtualLoop()]
    moments: list[float] = []

    async def caller(many: int) -> None:
        for _ in range(many):
            await _limiter.acquire(_request(10, clock=clock))
            moments.append(asyncio.get_running_loop().time())

    for _ in range(20):  # in turns, each from where the other one stopped
        for loop, other in itertools.permutations(loops):
            loop.moment = max(loop.moment, other.moment)
            loop.run_until_complete(caller(2))
    for loop in loops:
        loop.close()
    assert moments == sorted(moments)
    assert moments[-1] == pytest.approx((80 - 1) / 9.75, rel=0.01)
