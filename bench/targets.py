"""Measure what one call costs, and print a table with the targets and the contenders beside it.

    python bench/targets.py [--with FOLDER] [--docs docs] [--smoke]

Calls alternate in one process, 20 at a time; each figure of CPU is the median of 7 rounds by getrusage. Figures of a
whole process are medians of 9 new processes that take turns. The garbage collector is paused, or kept away from the
modules, where a single collection at a random moment would decide. ``--with`` names a folder with capo-rekognition and
uvloop, by default the one that ``make bench`` fills; a contender that is not there takes no part. ``--docs`` writes the
table for the page on performance.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import importlib
import importlib.util
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the helpers are found from any folder

import attrs

import aiorekostream as rks
from bench.calls import contenders
from bench.calls.gaps import measure_gaps

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

_AT_ONCE = 20
_CONNECTIONS = 100
_CONTENDERS = Path(sys.prefix) / "contenders"
_FRAGMENT = "performance-calls.inc"
_HELP = "import cyclopts, rich.console"


@attrs.frozen(kw_only=True)
class _Size:
    """How much is measured."""

    rounds: int = 7
    batches: int = 25  # of 20 calls
    processes: int = 9
    in_flight: int = 10_000


@attrs.frozen
class _TargetRow:
    """One line of the table: what was measured, and a figure that must be at most a limit."""

    what: str
    figure: float
    limit: float
    unit: str
    beside: str

    @property
    def cells(self) -> tuple[str, ...]:
        unit = f" {self.unit}" if self.unit else ""
        reached = "reached" if self.figure <= self.limit else "missed"
        return self.what, f"{self.figure:.2f}{unit}", f"{self.limit:g}{unit}", reached, self.beside


# ----------------------------------------------------------------------------------------------------------------- CPU


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def _measure_cpu(url: str, size: _Size) -> dict[str, list[float]]:
    """Return the microseconds of CPU for each of 20 calls at once, in each round, by client."""
    opens = [contenders.floor, contenders.limited, contenders.bare]
    if contenders.is_capo_installed():
        opens.append(contenders.capo)
    found: dict[str, list[float]] = {}
    async with contextlib.AsyncExitStack() as stack:
        calls = {each.__name__: await stack.enter_async_context(each(url)) for each in opens}
        for number in range(size.rounds + 1):
            used = dict.fromkeys(calls, 0.0)
            # The clients take turns after each batch, so a slower second of the machine is a slower second of all.
            for _ in range(size.batches):
                for name, call in calls.items():
                    began = _cpu()
                    await asyncio.gather(*(call() for _ in range(_AT_ONCE)))
                    used[name] += _cpu() - began
            if number == 0:
                # The first round warms up. What all four libraries hold from then on is left out of collections: one
                # collection of their modules takes as long as 100 calls, and whichever call causes it would pay.
                gc.collect()
                gc.freeze()
                continue
            for name, seconds in used.items():
                found.setdefault(name, []).append(seconds / size.batches / _AT_ONCE * 1e6)
    gc.unfreeze()
    return found


def _cpu_rows(what: str, found: dict[str, list[float]], limits: dict[str, float]) -> Iterator[_TargetRow]:
    beside = ", ".join(f"{name} {statistics.median(figures):.0f} us" for name, figures in found.items())
    for name, limit in limits.items():
        if name in found:
            ratios = [ours / theirs for ours, theirs in zip(found["limited"], found[name], strict=True)]
            yield _TargetRow(f"{what}: CPU, of {name}'s", statistics.median(ratios), limit, "", beside)


# -------------------------------------------------------------------------------------------------------------- memory


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text("utf-8").split()[1]) * resource.getpagesize()


async def _measure_memory(url: str, in_flight: int) -> None:
    async with rks.Client(
        endpoint_url=url, rate_limiter=None, max_connections=_CONNECTIONS, timeout=rks.Timeout(total=600, read=600)
    ) as client:
        start = contenders.start()
        warm = [asyncio.ensure_future(client.start_stream_processor(start)) for _ in range(_CONNECTIONS)]
        await asyncio.sleep(1)
        gc.collect()
        before = _resident()
        tasks = [asyncio.ensure_future(client.start_stream_processor(start)) for _ in range(in_flight)]
        await asyncio.sleep(1)
        print((_resident() - before) / in_flight / 1024)
        for task in (*warm, *tasks):
            task.cancel()
        await asyncio.gather(*warm, *tasks, return_exceptions=True)


# ----------------------------------------------------------------------------------------------------- whole processes


async def _measure_opening(_: str) -> None:
    gaps: list[float] = []
    client = rks.Client()
    watching = asyncio.ensure_future(measure_gaps(gaps))
    await asyncio.sleep(0.05)
    gaps.clear()
    async with client:
        await asyncio.sleep(0.005)
        watching.cancel()
        print(max(gaps) * 1e3)


async def _measure_first_call(url: str) -> None:
    async with rks.Client(endpoint_url=url) as client:
        start = contenders.start()
        began = time.perf_counter()
        await client.start_stream_processor(start)
        print((time.perf_counter() - began) * 1e3)


_FIRST_START = {
    "aiorekostream": """
import asyncio, aiorekostream as rks
async def main():
    async with rks.Client() as client:
        await client.start_stream_processor(rks.LabelDetectionStart(name="front-door",
            start_selector=rks.ProducerTimestamp(1763892000000), stop_selector=rks.StopSelector(30)))
asyncio.run(main())
""",
    "aiobotocore": """
import asyncio
from aiobotocore.session import AioSession
async def main():
    async with AioSession().create_client("rekognition") as client:
        await client.start_stream_processor(Name="front-door",
            StartSelector={"KVSStreamStartSelector": {"ProducerTimestamp": 1763892000000}},
            StopSelector={"MaxDurationInSeconds": 30})
asyncio.run(main())
""",
}
_MEASUREMENTS: dict[str, Callable[[str], Coroutine[object, object, None]]] = {
    "opening": _measure_opening,
    "first": _measure_first_call,
}


def _seconds(command: list[str], url: str) -> float:
    # An installed package has its bytecode: without it, each process would compile this one and not aiobotocore.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["AWS_ENDPOINT_URL_REKOGNITION"] = url
    began = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def _printed(what: str, url: str, *arguments: str) -> float:
    command = [sys.executable, __file__, "measure", what, url, *arguments]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _process_rows(url: str, silent: str, size: _Size) -> Iterator[_TargetRow]:
    memory = _printed("memory", silent, str(size.in_flight))
    yield _TargetRow(f"{size.in_flight:,} calls in flight over {_CONNECTIONS} connections, each", memory, 9, "KB", "")
    names = ("opening", "first", *_FIRST_START, "help", "libraries")
    found: dict[str, list[float]] = {name: [] for name in names}
    helps = [str(Path(sys.executable).with_name("aiorekostream")), "--help"]
    for _ in range(size.processes):
        for name in _MEASUREMENTS:
            found[name].append(_printed(name, url))
        for name, program in _FIRST_START.items():
            found[name].append(_seconds([sys.executable, "-c", program], url))
        found["help"].append(_seconds(helps, url))
        found["libraries"].append(_seconds([sys.executable, "-c", _HELP], url))
    median = {name: statistics.median(figures) for name, figures in found.items()}
    yield _TargetRow("longest stall of the loop while opening", median["opening"], 25, "ms", "")
    yield _TargetRow("first call after opening, plain HTTP", median["first"], 8, "ms", "")
    for what, name, other, limit in (
        ("process start to first start, of aiobotocore's", "aiorekostream", "aiobotocore", 1.1),
        ("aiorekostream --help, of importing cyclopts and rich.console", "help", "libraries", 1.3),
    ):
        beside = f"{median[name] * 1e3:.0f} and {median[other] * 1e3:.0f} ms"
        yield _TargetRow(what, median[name] / median[other], limit, "", beside)


# ----------------------------------------------------------------------------------------------------------- the table


def _rows(size: _Size) -> Iterator[_TargetRow]:
    with contenders.serving(__file__) as url, contenders.serving(__file__, "silent") as silent:
        what = f"one start, rate limiter on, {_AT_ONCE} at once"
        yield from _cpu_rows(what, asyncio.run(_measure_cpu(url, size)), {"floor": 1.4, "capo": 0.75, "bare": 0.5})
        if importlib.util.find_spec("uvloop") is not None:
            run = cast("Callable[[object], dict[str, list[float]]]", importlib.import_module("uvloop").run)
            yield from _cpu_rows(f"{what}, on uvloop", run(_measure_cpu(url, size)), {"floor": 1.5})
        yield from _process_rows(url, silent, size)


def _table(rows: list[_TargetRow]) -> Iterator[str]:
    yield "| measured | figure | at most | | contenders |"
    yield "|---|---:|---:|---|---|"
    for row in rows:
        yield f"| {' | '.join(row.cells)} |"


def _measure(what: str, url: str, *arguments: str) -> None:
    if what == "memory":
        asyncio.run(_measure_memory(url, int(arguments[0])))
        return
    gc.disable()
    asyncio.run(_MEASUREMENTS[what](url))


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(contenders.serve(silent=sys.argv[2:] == ["silent"]))
        return
    os.environ.update(contenders.ENVIRONMENT)
    if sys.argv[1:2] == ["measure"]:
        _measure(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--with", dest="folder", default=_CONTENDERS, help="a folder with capo-rekognition and uvloop")
    parser.add_argument("--docs", type=Path, help="the folder of the documentation, to write the table there")
    parser.add_argument("--smoke", action="store_true", help="as little as possible, to check that it runs")
    options = parser.parse_args()
    sys.path.append(str(options.folder))
    size = _Size(rounds=1, batches=1, processes=1, in_flight=200) if options.smoke else _Size()
    lines = list(_table(list(_rows(size))))
    print("\n".join(lines))
    if options.docs is not None:
        (options.docs / _FRAGMENT).write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
