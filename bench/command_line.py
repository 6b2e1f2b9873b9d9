"""Measure the time of ``aiorekostream --help``, against importing the two libraries that it needs.

    python bench/command_line.py [--smoke]

Each figure is the median of the wall time of new processes. The cases take turns, so that a slow moment of the machine
affects all of them alike. Target: at most 1.3 of importing ``cyclopts`` and ``rich.console``.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

_FLOOR = "importing cyclopts and rich.console"
_TARGET = 1.3
_CASES = {
    _FLOOR: ("import cyclopts, rich.console",),
    "aiorekostream --help": ("from aiorekostream.cli import main; main()", "--help"),
    "aiorekostream emulator --help": ("from aiorekostream.cli import main; main()", "emulator", "--help"),
    "aiorekostream --version": ("from aiorekostream.cli import main; main()", "--version"),
}


def _seconds(program: str, *arguments: str) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", program, *arguments], check=True, capture_output=True)
    return time.perf_counter() - begin


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--smoke", action="store_true", help="two rounds, to check that it runs")
    rounds = 2 if options.parse_args().smoke else 9
    times: dict[str, list[float]] = {case: [] for case in _CASES}
    for _ in range(rounds):
        for case, command in _CASES.items():
            times[case].append(_seconds(*command))
    medians = {case: statistics.median(values) for case, values in times.items()}
    for case, median in medians.items():
        target = f"   target {_TARGET}" if case == "aiorekostream --help" else ""
        print(f"{case:36} {1000 * median:7.1f} ms   {median / medians[_FLOOR]:5.2f} of the first{target}")


if __name__ == "__main__":
    main()
