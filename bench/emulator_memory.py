"""Measure the memory of an emulator that gets requests of garbage, each from another caller.

    python bench/emulator_memory.py [--smoke]

The requests come from a process of their own. They are recorded, as by default. Target: at most 150 MB after 250,000.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
from pathlib import Path

from aiorekostream.emulator import Emulator

_ROOT = Path(__file__).parents[1]
_TARGET = 150
_PROGRAM = """
import asyncio, itertools, sys
from tests.emulator.garbage import send_garbage
port, first, count = map(int, sys.argv[1:])
asyncio.run(send_garbage(port, count, itertools.count(first)))
"""


def _resident_megabytes() -> float:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096 / 1e6


async def _measure(counts: list[int]) -> None:
    async with Emulator() as emulator:
        print(f"{0:>9,} requests {_resident_megabytes():6.0f} MB")
        for first, last in itertools.pairwise([0, *counts]):
            arguments = (str(emulator.port), str(first), str(last - first))
            sender = await asyncio.create_subprocess_exec(sys.executable, "-c", _PROGRAM, *arguments, cwd=_ROOT)
            if await sender.wait():
                message = "the requests could not be sent"
                raise RuntimeError(message)
            target = f"   target {_TARGET} MB" if last == counts[-1] else ""
            print(f"{last:>9,} requests {_resident_megabytes():6.0f} MB{target}")


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--smoke", action="store_true", help="a few requests, to check that it runs")
    asyncio.run(_measure([100, 200] if options.parse_args().smoke else [2_000, 20_000, 250_000]))


if __name__ == "__main__":
    main()
