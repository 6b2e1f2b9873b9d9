"""Count the package's function calls, and the files that they are in, for one start of a label detection processor.

    python bench/start_calls.py [--list] [--smoke]

One start goes through ``Client.start_stream_processor`` and one through ``Fleet.start``, over a transport in memory and
with the rate limiter. Both paths are warm. A resumption of a coroutine counts as a call, as ``sys.setprofile`` reports
it; methods that attrs generates do not count. The limiter is idle before each measurement, so that a permit is due at
once and no wait is measured. The numbers are exact and do not depend on the machine, so one run suffices. They measure
complexity, not time.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import gc
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import aiorekostream as rks
from aiorekostream.testing import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from types import FrameType

    Start = Callable[[rks.LabelDetectionStart], Coroutine[object, object, object]]
    Calls = collections.Counter[tuple[str, str]]

PACKAGE = Path(rks.__file__).parent
TARGET_CALLS, TARGET_FILES = 200, 18
"""The most calls and files for one start through a fleet."""

_WARM_UP = 3
# Seconds. The default quota is 20 calls/s with a burst of 20, sent at three times the rate: a permit after the few
# starts of the warm-up is due at once after a twentieth of a second, and the bucket is full after a fifth.
_IDLE = 1.0


def start_request(number: int) -> rks.LabelDetectionStart:
    """Return a start; each number has a processor of its own."""
    return rks.LabelDetectionStart(
        name=f"camera-{number}",
        start_selector=rks.ProducerTimestamp(1_763_892_000_000),
        stop_selector=rks.StopSelector(max_duration_in_seconds=30),
    )


def profiled(calls: Calls) -> Callable[[FrameType, str, object], None]:
    """Return a profile function that counts the calls of package functions by file and qualified name."""

    def profile(frame: FrameType, event: str, _: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(PACKAGE):
            calls[str(path.relative_to(PACKAGE)), frame.f_code.co_qualname] += 1

    return profile


async def count(start: Start, idle: float) -> Calls:
    """Warm a path up, wait until the rate limiter is idle, and count the calls of one start."""
    numbers = itertools.count()
    for _ in range(_WARM_UP):
        await start(start_request(next(numbers)))
    await asyncio.sleep(idle)
    request, calls = start_request(next(numbers)), collections.Counter[tuple[str, str]]()
    gc.collect()
    sys.setprofile(profiled(calls))
    try:
        await start(request)
    finally:
        sys.setprofile(None)
    return calls


async def measure(idle: float) -> Mapping[str, Calls]:
    """Count for both paths, each with a client and a rate limit of its own."""

    def client() -> rks.Client:
        numbers = itertools.count()

        def handler(_operation: str, _body: Mapping[str, object]) -> Mapping[str, object]:
            return {"SessionId": f"session-{next(numbers)}"}

        return rks.Client(transport=MemoryTransport(handler))

    fleet = rks.Fleet(client())
    paths: Mapping[str, Start] = {
        "client": client().start_stream_processor,
        "fleet": lambda request: fleet.start([request]),
    }
    return {path: await count(start, idle) for path, start in paths.items()}


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="print every function with its number of calls")
    parser.add_argument("--smoke", action="store_true", help="wait a tenth of a second before each measurement")
    options = parser.parse_args()
    for path, calls in asyncio.run(measure(_IDLE / 10 if options.smoke else _IDLE)).items():
        files = collections.Counter[str]()
        for (file, _), number in calls.items():
            files[file] += number
        print(f"{path:8}{calls.total():4} calls in {len(files):2} files")
        for file, number in files.most_common() if options.list else ():
            print(f"  {number:4} {file}")
            for (where, name), each in calls.most_common():
                if where == file:
                    print(f"       {each:4} {name}")
    print(f"target  {TARGET_CALLS:4} calls in {TARGET_FILES:2} files for one start through a fleet")


if __name__ == "__main__":
    main()
