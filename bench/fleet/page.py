"""Generate the page of the documentation from the results of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.fleet.cases import CASES
from bench.fleet.plot import plot
from bench.fleet.tables import conclusion, heading, lines, note

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.fleet.cases import FleetCase
    from bench.fleet.results import FleetResults

__all__ = ["write"]

_PAGE = "performance.md"
_PLOT = "performance.svg"

_INTRODUCTION = """\
# Performance

Starting or stopping a whole fleet, compared with clients that do not know the quotas. `make performance`
(`python bench/performance.py --docs docs`) generates this page in about twelve minutes. The service is an emulator in a
separate process that enforces the quota and records every request; the outcomes that each client reports are compared
with that record. The service processes a request 60 ms after its arrival.

- **Time / ideal**: the time until the last outcome, relative to the shortest time that the quota allows from a full
  bucket on, (processors - burst) / rate. A client that gives up early is fast and leaves cameras unstarted.
- **Time / undisturbed**: the same, relative to the same client without the stray throttle.
- **Time / aiobotocore**: the same, relative to aiobotocore with an equal pool of connections.
- **Not done**, **not started**: cameras that were not started (or stopped) although the caller asked.
- **Sessions lost**: cameras that were started although the client reported that they were not.
- **Unknown**: outcomes that the client reported as unknown. For clients without such an outcome, every error that is
  not a refusal by the service.
- **Untrue outcomes**: outcomes that contradict the record, sessions lost included.
- Every client has its defaults unless its name says otherwise, such as a pool of 10 connections for aiobotocore and
  capo-rekognition.
"""

_ELSEWHERE = """\
## One call

`make bench` measures what one call costs, and what opening a client costs, against the same contenders. The floor is
aiohttp with botocore's signer by hand; calls alternate in one process.

```{include} performance-calls.inc
```

## Not measured here

Tests in virtual time show that a few List calls observe many processors, and that the rate limiter, the session slots
and the reconciliation of lost responses are correct under all orders of events. The other scripts in `bench/` measure
CPU time, memory and imports.
"""


def write(results: FleetResults, folder: Path) -> None:
    """Write the page and its plot."""
    (folder / _PAGE).write_text("\n".join(_page(results)), encoding="utf-8")
    (folder / _PLOT).write_text(plot(results), encoding="utf-8")


def _page(results: FleetResults) -> Iterator[str]:
    yield _INTRODUCTION
    yield f"![Cameras started over time, by client]({_PLOT})"
    yield ""
    for case in CASES:
        yield from _section(case, results)
    yield _ELSEWHERE
    yield "## Versions"
    yield ""
    yield ", ".join(f"{name} {version}" for name, version in results.versions.items()) + "."
    yield ""


def _section(case: FleetCase, results: FleetResults) -> Iterator[str]:
    rows = results.of(case.key)
    if not rows:
        return
    yield f"## {case.title}"
    yield ""
    yield from _table(("client", *heading(case)), lines(case, rows))
    yield ""
    for sentence in (conclusion(case, rows), note(case, rows)):
        if sentence:
            yield sentence
    yield ""


def _table(names: tuple[str, ...], body: list[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(names)} |"
    yield f"|---|{'---:|' * (len(names) - 1)}"
    for line in body:
        yield f"| {' | '.join(line)} |"
