"""Measure the CPU time of one start through a fleet, against ``gather`` over the same client, without a network.

    python bench/fleet_cpu.py [--requests 2000 20000 200000] [--rounds 7] [--smoke]

The transport answers at once and there is no rate limiter, so all of the CPU time is the package's own. Both paths take
turns, each round begins with the other one, and one round warms up. The figure that counts is the median of the paired
ratios. ``gather`` runs over at most 20,000 starts at a time, which is its best case: it keeps a task for each start.

For each number of requests, another process iterates over ``Fleet.iter_start`` with a generator of requests that the
service rejects, so that no sessions are kept. It prints by how much its peak memory grows after the first thousand
requests. Neither the CPU time per request nor this memory may grow with the number of requests.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import resource
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import aiorekostream as rks
from aiorekostream.errors import ResourceNotFoundError
from aiorekostream.testing import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence

    Starts = Sequence[rks.LabelDetectionStart]
    Path = Callable[[Starts], Coroutine[object, object, None]]

TARGET_RATIO = 2.0

_UNLIMITED = 10**9
_BATCH = 20_000
_FIRST = 1_000
# ru_maxrss is in KiB on Linux and in bytes on macOS. See getrusage(2).
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class _NoCalls(list[tuple[str, "Mapping[str, object]"]]):
    """Stays empty: the calls that a transport records would be most of the memory."""

    def append(self, _: object) -> None:
        pass


def _client(*, rejects: bool = False) -> rks.Client:
    numbers = itertools.count()

    def handler(operation: str, _body: Mapping[str, object]) -> Mapping[str, object]:
        if rejects:
            raise ResourceNotFoundError(
                "", operation=operation, code="ResourceNotFoundException", http_status=400, retry_safe=True
            )
        return {"SessionId": f"session-{next(numbers)}"}

    transport = MemoryTransport(handler)
    transport.calls = _NoCalls()
    limits = rks.Limits(concurrent_label_detection={"us-east-1": _UNLIMITED})
    return rks.Client(transport=transport, rate_limiter=None, limits=limits)


def _starts(number: int) -> Iterator[rks.LabelDetectionStart]:
    start_selector, stop_selector = rks.ProducerTimestamp(1_763_892_000_000), rks.StopSelector(1)
    for each in range(number):
        yield rks.LabelDetectionStart(name=f"camera-{each}", start_selector=start_selector, stop_selector=stop_selector)


async def _start_with_gather(starts: Starts) -> None:
    client, sessions = _client(), list[rks.StartedSession]()
    for first in range(0, len(starts), _BATCH):
        sessions += await asyncio.gather(*map(client.start_stream_processor, starts[first : first + _BATCH]))
    if len(sessions) != len(starts):
        raise RuntimeError(f"{len(starts) - len(sessions)} sessions are missing")


async def _start_with_fleet(starts: Starts) -> None:
    report = await rks.Fleet(_client()).start(starts)
    if report.counts != {"started": len(starts)}:
        raise RuntimeError(str(report))


def _cpu(path: Path, starts: Starts) -> float:
    """Return the microseconds of CPU for each start."""
    with asyncio.Runner() as runner:
        runner.get_loop()
        gc.collect()
        begin = time.process_time()
        runner.run(path(starts))
        return (time.process_time() - begin) / len(starts) * 1e6


def _pairs(starts: Starts, rounds: int) -> list[tuple[float, float]]:
    pairs: list[tuple[float, float]] = []
    for number in range(rounds):
        if number % 2:
            fleet = _cpu(_start_with_fleet, starts)
            pairs.append((_cpu(_start_with_gather, starts), fleet))
        else:
            gather = _cpu(_start_with_gather, starts)
            pairs.append((gather, _cpu(_start_with_fleet, starts)))
    return pairs


def _peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT


async def _iterate(number: int) -> None:
    async with rks.Fleet(_client(rejects=True)).iter_start(_starts(number)) as run:
        async for outcome in run:
            if not isinstance(outcome, rks.Failed):
                raise TypeError(f"expected Failed, got {outcome}")


def _print_memory_growth(number: int) -> None:
    asyncio.run(_iterate(_FIRST))
    before = _peak_memory()
    asyncio.run(_iterate(number))
    print((_peak_memory() - before) / 1e6, before / 1e6)


def _memory_growth(number: int) -> tuple[float, float]:
    """Return the growth in another process, and its peak before, in MB."""
    command = [sys.executable, __file__, "--memory", str(number)]
    growth, before = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(growth), float(before)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, nargs="+", default=[2_000, 20_000, 200_000])
    parser.add_argument("--rounds", type=int, default=7, help="pairs for each number of requests")
    parser.add_argument("--smoke", action="store_true", help="one pair of few requests, to check that it runs")
    parser.add_argument("--memory", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory is not None:
        _print_memory_growth(options.memory)
        return
    numbers, rounds = ([50], 1) if options.smoke else (options.requests, options.rounds)
    # First, while this process is small: on Linux, a child's peak memory begins with that of its parent.
    memory = {number: _memory_growth(number) for number in numbers}
    _pairs(list(_starts(10 if options.smoke else _FIRST)), 2)
    for number in numbers:
        pairs = _pairs(list(_starts(number)), rounds)
        ratio = statistics.median(fleet / gather for gather, fleet in pairs)
        gather, fleet = (statistics.median(each) for each in zip(*pairs, strict=True))
        growth, before = memory[number]
        print(
            f"{number:>9} starts: gather {gather:6.1f} us, fleet {fleet:6.1f} us, ratio {ratio:.2f}; "
            f"peak memory {_peak_memory() / 1e6:.0f} MB; iterated: {growth:+.1f} MB over {before:.0f} MB",
            flush=True,
        )
    print(f"target: a ratio of at most {TARGET_RATIO:g}, flat as the number grows; iterated: constant memory")


if __name__ == "__main__":
    main()
