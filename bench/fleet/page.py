"""The page of the documentation, made from a run's results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.fleet.cases import CASES
from bench.fleet.plot import plot
from bench.fleet.tables import heading, lines, note, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.fleet.cases import Case
    from bench.fleet.results import Results

__all__ = ["write"]

_PAGE = "performance.md"
_PLOT = "performance.svg"

_INTRODUCTION = """\
# Performance

What it takes to start or stop a whole fleet, side by side with clients that know nothing of quotas. This page is made
by `make performance` (`python bench/performance.py --docs docs`), which takes about fifteen minutes. The service is an
emulator in a process of its own that enforces the quota and writes down what it did; what callers were told is held
against that record. Every request waits 60 ms before the service looks at it.

- **Time / ideal**: the time until the last outcome was known, over the shortest time that the quota allows from a full
  bucket on: (processors - burst) / rate. A client that gives up early is quick, and has lost cameras.
- **Not done**, **not started**: cameras that were not started (or stopped) although the caller asked.
- **Sessions lost**: cameras that were started while the caller was told that they were not.
- **In doubt**: the caller was told that it is not known; for clients without such a word, any error that is not a
  refusal by the service.
- Every client has its own defaults, a pool of 10 connections for aiobotocore and capo-rekognition among them, where
  nothing else is said.
"""

_ELSEWHERE = """\
## Not measured here

That many processors are watched with a handful of list sweeps, and that the pacer, the slots and the settling of lost
answers hold under all orders of events, is shown in virtual time by the tests.
"""

_DOORBELLS = """\
A day of 10,000 doorbells is played in simulated time by `python bench/doorbells.py`.
"""


def write(results: Results, folder: Path) -> None:
    """Write the page and its picture."""
    (folder / _PAGE).write_text("\n".join(_page(results)), encoding="utf-8")
    (folder / _PLOT).write_text(plot(results), encoding="utf-8")


def _page(results: Results) -> Iterator[str]:
    yield _INTRODUCTION
    yield f"![Cameras started over time, by client]({_PLOT})"
    yield ""
    for case in CASES:
        yield from _section(case, results)
    yield _ELSEWHERE
    if (Path(__file__).parents[1] / "doorbells.py").exists():
        yield _DOORBELLS
    yield "## Made with"
    yield ""
    yield ", ".join(f"{name} {version}" for name, version in results.versions.items()) + "."
    yield ""


def _section(case: Case, results: Results) -> Iterator[str]:
    rows = results.of(case.key)
    if not rows:
        return
    yield f"## {case.title}"
    yield ""
    yield from _table(("client", *heading(case)), lines(case, rows))
    yield ""
    for said in (verdict(case, rows), note(case, rows)):
        if said:
            yield said
    yield ""


def _table(names: tuple[str, ...], body: list[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(names)} |"
    yield f"|---|{'---:|' * (len(names) - 1)}"
    for line in body:
        yield f"| {' | '.join(line)} |"
