"""Measure the time of ``import aiorekostream``, against importing its dependencies.

    python bench/import_cost.py [--smoke]

Each figure is the median over new interpreters. The cases take turns, so that a slow moment of the machine affects all
of them alike. A name is loaded when it is first used, so one case also loads every public name, and others load what a
program that only builds values, or one that has a client, needs.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

_BASE = "import attrs, cattrs, tenacity"
_CASES = {
    "attrs + cattrs + tenacity": _BASE,
    "import aiorekostream": "import aiorekostream",
    "the same, and one value": "import aiorekostream; aiorekostream.StopSelector(1)",
    "the same, and Client": "import aiorekostream; aiorekostream.Client",
    "the same, and every public name": "from aiorekostream import *",
    "attrs + cattrs + tenacity + asyncio": f"{_BASE}, asyncio",
}
_PROGRAM = "import time; begin = time.perf_counter(); {code}; print(time.perf_counter() - begin)"


def _seconds(code: str) -> float:
    command = [sys.executable, "-c", _PROGRAM.format(code=code)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--smoke", action="store_true", help="two rounds, to check that it runs")
    rounds = 2 if options.parse_args().smoke else 21
    times: dict[str, list[float]] = {case: [] for case in _CASES}
    for _ in range(rounds):
        for case, code in _CASES.items():
            times[case].append(_seconds(code))
    medians = {case: statistics.median(values) for case, values in times.items()}
    base = medians["attrs + cattrs + tenacity"]
    for case, median in medians.items():
        print(f"{case:36} {1000 * median:7.1f} ms   {median / base:5.2f} of the first")


if __name__ == "__main__":
    main()
