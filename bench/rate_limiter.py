"""Measure the share of a quota that is used at full demand, by the rate limiter alone and by a client.

    python bench/rate_limiter.py [--rate 1000] [--seconds 2] [--rounds 5] [--callers 50] [--smoke]

The quota is ``--rate`` calls a second with a burst of one: the hardest case for an event loop, since each permit is due
on a timer of its own. The limiter is measured by tasks that acquire permits for requests that are answered at once, the
client by tasks that make starts over a transport in memory. asyncio's event loop is measured, and uvloop's where it is
installed. A rate limiter must reach most of the rate and must never exceed it. The paths take turns; the table has the
median share and the highest peak of all rounds. A bucket with a burst of one cannot make up for a stall, so other work
on the machine lowers the share.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import importlib
import importlib.util
import itertools
import statistics
import time
from typing import TYPE_CHECKING, cast
from unittest import mock

import attrs

import aiorekostream as rks
from aiorekostream.clock import SystemClock
from aiorekostream.limits import Quota, Scope
from aiorekostream.rate_limiting import LocalRateLimiter, PermitRequest
from aiorekostream.rate_limiting.token_bucket import AdaptiveTokenBucket
from aiorekostream.testing import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from aiorekostream.rate_limiting.token_bucket import Grant

    Call = Callable[[], Coroutine[object, object, None]]
    """Makes one call and adds the moment at which it was sent to the list of the path."""

    Path = Callable[[float, list[float]], Call]

TARGET_SHARE = 0.9
"""The least share of the rate; the most is 1."""


@attrs.frozen
class Result:
    """The result of one run.

    Attributes:
        share: calls sent in the time, as a share of those that the rate allows.
        peak: the most calls in any second, as a share of the rate.
        burst: the smallest burst with which a token bucket of this rate would have accepted every call.
        polls: polls of the limiter's bucket for each call.
        cpu: microseconds of CPU for each call.
    """

    share: float
    peak: float
    burst: float
    polls: float
    cpu: float


def limiter_path(rate: float, sent: list[float]) -> Call:
    """Acquire a permit and report it as allowed."""
    limiter, clock = LocalRateLimiter(), SystemClock()
    scope = Scope(endpoint=f"bench-{time.monotonic_ns()}", region="us-east-1", account="bench")

    async def call() -> None:
        permit = await limiter.acquire(
            PermitRequest(scope=scope, operation="StartStreamProcessor", quota=Quota(rate, 1), clock=clock)
        )
        sent.append(time.monotonic())
        permit.allowed()

    return call


def client_path(rate: float, sent: list[float]) -> Call:
    """Start a processor with a client whose transport answers at once."""
    numbers = itertools.count()

    def handler(_operation: str, _body: Mapping[str, object]) -> Mapping[str, object]:
        sent.append(time.monotonic())
        return {"SessionId": "session"}

    limits = rks.Limits(quotas={"StartStreamProcessor": Quota(rate, 1)})
    client = rks.Client(transport=MemoryTransport(handler), limits=limits)

    async def call() -> None:
        await client.start_stream_processor(
            rks.LabelDetectionStart(
                name=f"camera-{next(numbers)}",
                start_selector=rks.ProducerTimestamp(1_763_892_000_000),
                stop_selector=rks.StopSelector(max_duration_in_seconds=30),
            )
        )

    return call


PATHS: Mapping[str, Path] = {"rate limiter": limiter_path, "client": client_path}


async def measure(path: Path, rate: float, *, seconds: float, callers: int) -> Result:
    """Make calls from several tasks for a time."""
    polls, try_acquire = 0, AdaptiveTokenBucket.try_acquire

    def counted(self: AdaptiveTokenBucket, now: float, *, spread: bool = True) -> Grant | float:
        nonlocal polls
        polls += 1
        return try_acquire(self, now, spread=spread)

    sent: list[float] = []
    call = path(rate, sent)
    begin = time.monotonic()

    async def repeat() -> None:
        while time.monotonic() < begin + seconds:
            await call()

    cpu = time.process_time()
    with mock.patch.object(AdaptiveTokenBucket, "try_acquire", counted):
        await asyncio.gather(*(repeat() for _ in range(callers)))
    cpu = time.process_time() - cpu
    return Result(
        share=sum(moment < begin + seconds for moment in sent) / (rate * seconds),
        peak=_most_in_a_window(sent, min(1.0, seconds)) / (rate * min(1.0, seconds)),
        burst=_burst_needed(sent, rate),
        polls=polls / len(sent),
        cpu=cpu / len(sent) * 1e6,
    )


def _most_in_a_window(sent: Sequence[float], length: float) -> int:
    most, window = 0, collections.deque[float]()
    for moment in sent:
        window.append(moment)
        while window[0] <= moment - length:
            window.popleft()
        most = max(most, len(window))
    return most


def _burst_needed(sent: Sequence[float], rate: float) -> float:
    """Fill a leaky bucket with the calls: its highest level is the burst that they need."""
    level, highest, last = 0.0, 0.0, sent[0]
    for moment in sent:
        level = max(0.0, level - (moment - last) * rate) + 1
        highest, last = max(highest, level), moment
    return highest


def _event_loops() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if importlib.util.find_spec("uvloop") is not None:
        uvloop = importlib.import_module("uvloop")
        loops["uvloop"] = cast("Callable[[], asyncio.AbstractEventLoop]", uvloop.new_event_loop)
    return loops


def _combined(rounds: Sequence[Result]) -> Result:
    return Result(
        share=statistics.median(result.share for result in rounds),
        peak=max(result.peak for result in rounds),
        burst=statistics.median(result.burst for result in rounds),
        polls=statistics.median(result.polls for result in rounds),
        cpu=statistics.median(result.cpu for result in rounds),
    )


def main() -> None:
    """Measure both paths on every event loop, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=1000.0, help="calls a second")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a run")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each path on each event loop")
    parser.add_argument("--callers", type=int, default=50, help="tasks that make calls")
    parser.add_argument("--smoke", action="store_true", help="a run of a tenth of a second, to check that it runs")
    options = parser.parse_args()
    seconds, rounds = (0.1, 1) if options.smoke else (options.seconds, options.rounds)
    found: dict[tuple[str, str], list[Result]] = {}
    for _ in range(rounds):
        for (path, prepare), (loop, factory) in itertools.product(PATHS.items(), _event_loops().items()):
            with asyncio.Runner(loop_factory=factory) as runner:
                result = runner.run(measure(prepare, options.rate, seconds=seconds, callers=options.callers))
            found.setdefault((path, loop), []).append(result)
    print("| path | event loop | share of the rate | busiest second | burst needed | polls per call | CPU per call |")
    print("|---|---|---:|---:|---:|---:|---:|")
    combined = {key: _combined(results) for key, results in found.items()}
    for (path, loop), result in combined.items():
        print(
            f"| {path} | {loop} | {result.share:.3f} | {result.peak:.3f} | {result.burst:.1f} "
            f"| {result.polls:.2f} | {result.cpu:.0f} us |"
        )
    if not options.smoke:
        is_met = all(result.share >= TARGET_SHARE and result.peak <= 1 for result in combined.values())
        print(f"target: {TARGET_SHARE:g} to 1 of the rate, no second above it: {'reached' if is_met else 'missed'}")


if __name__ == "__main__":
    main()
