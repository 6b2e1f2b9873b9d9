"""Measure the CPU time of one StartStreamProcessor, against a bare aiobotocore client with its defaults.

    python bench/call_cpu.py [--rounds 31] [--calls 150] [--smoke]

The server is another process on loopback, so only the work of the client is counted. The paths take turns: aiohttp and
botocore's signer by hand, transport alone, client without a rate limiter, client with one whose quota is never reached.
The figure that counts is the median of the paired ratios to aiobotocore.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the helpers are found from any folder

from bench.calls import contenders

PATHS = (contenders.bare, contenders.floor, contenders.transport, contenders.unlimited, contenders.limited)


async def measure(url: str, rounds: int, calls: int) -> dict[str, list[float]]:
    """Return the microseconds of CPU for each call in each round, by path."""
    found: dict[str, list[float]] = {}
    async with contextlib.AsyncExitStack() as stack:
        paths = {path.__name__: await stack.enter_async_context(path(url)) for path in PATHS}
        for number in range(rounds + 1):
            for name, call in paths.items():
                began = time.process_time()
                for _ in range(calls):
                    await call()
                if number:  # the first round warms up
                    found.setdefault(name, []).append((time.process_time() - began) / calls * 1e6)
    return found


def main() -> None:
    """Measure and print."""
    if sys.argv[1:] == ["serve"]:
        asyncio.run(contenders.serve())
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--calls", type=int, default=150, help="calls in a round")
    parser.add_argument("--smoke", action="store_true", help="as little as possible, to check that it runs")
    options = parser.parse_args()
    rounds, calls = (1, 3) if options.smoke else (options.rounds, options.calls)
    os.environ.update(contenders.ENVIRONMENT)
    with contenders.serving(__file__) as url:
        found = asyncio.run(measure(url, rounds, calls))
    print(f"CPU of one StartStreamProcessor, medians of {rounds} rounds of {calls} calls, paths taking turns")
    for name, figures in found.items():
        median = statistics.median(figures)
        ratio = statistics.median(each / base for each, base in zip(figures, found["bare"], strict=True))
        print(f"{name:10}{median:7.0f} us   {ratio:.2f} of bare   ({min(figures):.0f} to {max(figures):.0f})")


if __name__ == "__main__":
    main()
