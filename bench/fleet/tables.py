"""Format results as tables, and compare them with the targets. Pure."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from bench.fleet.contenders import CONTENDERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.fleet.cases import FleetCase
    from bench.fleet.runner import FleetRow

__all__ = ["conclusion", "heading", "lines", "note"]

SUBJECT = "fleet"
"""The contender that has targets."""

_REFERENCE = "legacy-wide"
_LIMITED = ("time / ideal", "requests", "throttled", "not done", "sessions lost", "unknown")
_STRAY = ("time / undisturbed", "seconds", "undisturbed", "expired", "throttled", "not started", "sessions lost")
_LOSSY = ("untrue outcomes", "unknown", "not started", "sessions lost", "starts sent", "other calls", "seconds")
_UNLIMITED = ("time / aiobotocore", "quartiles", "not started")


def heading(case: FleetCase) -> tuple[str, ...]:
    """Return the names of the columns."""
    if case.rounds > 1:
        return _UNLIMITED
    if case.stray_throttle:
        return _STRAY
    return _LOSSY if case.ideal is None else _LIMITED


def lines(case: FleetCase, rows: Sequence[FleetRow]) -> list[tuple[str, ...]]:
    """Return a line for each row: the contender, then the columns."""
    return [(CONTENDERS[row.contender].title, *_figures(case, row, rows)) for row in rows]


def _figures(case: FleetCase, row: FleetRow, rows: Sequence[FleetRow]) -> tuple[str, ...]:
    found = row.measurement
    time = f"{_relative_time(case, row, rows):.2f}"
    if case.rounds > 1:
        return time, _quartiles(row, rows), f"{found.not_done}"
    if case.stray_throttle:
        return (
            *(time, f"{found.seconds:.2f}", f"{row.undisturbed or 0:.2f}"),
            *(f"{count}" for count in (found.expired, found.throttled, found.not_done, found.sessions_lost)),
        )
    if case.ideal is None:
        return (
            *(f"{found.untrue}", f"{found.unknown} ({_percent(found.unknown / case.count)})"),
            *(f"{count}" for count in (found.not_done, found.sessions_lost, found.requests, found.other_requests)),
            f"{found.seconds:.1f}",
        )
    return (
        *(time, f"{found.requests}", _percent(_throttled_share(row))),
        *(f"{count}" for count in (found.not_done, found.sessions_lost, found.unknown)),
    )


def _relative_time(case: FleetCase, row: FleetRow, rows: Sequence[FleetRow]) -> float:
    if case.rounds > 1:
        return statistics.median(_ratios(row, rows))
    return row.measurement.seconds / (row.undisturbed or case.ideal or row.measurement.seconds)


def _ratios(row: FleetRow, rows: Sequence[FleetRow]) -> list[float]:
    """Return the ratio to the reference in each round: what slows one round down slows down both."""
    reference = next((each for each in rows if each.contender == _REFERENCE), row)
    return [seconds / base for seconds, base in zip(row.rounds, reference.rounds, strict=True)]


def _quartiles(row: FleetRow, rows: Sequence[FleetRow]) -> str:
    lower, _, upper = statistics.quantiles(_ratios(row, rows), n=4)
    return f"{lower:.2f} to {upper:.2f}"


def _throttled_share(row: FleetRow) -> float:
    return row.measurement.throttled / max(1, row.measurement.requests)


def _percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"


def note(case: FleetCase, rows: Sequence[FleetRow]) -> str:
    """Return how the figures were measured."""
    facts: list[str] = []
    if case.ideal is not None:
        facts.append(f"Ideal time: {case.formula}.")
    if case.stray_throttle:
        facts.append(
            f"Before, {case.warm_up} starts at one a second, the last of which is throttled once; without that "
            f"throttle in the undisturbed run. Requests to the fleet expire after {case.expires_after:g} s."
        )
    if case.taken:
        rates = sorted({f"{row.measurement.taken:.1f}" for row in rows}, key=float)
        facts.append(f"The other client's calls that were not throttled: {' to '.join([rates[0], *rates[1:][-1:]])}/s.")
    if case.rounds > 1:
        facts.append(f"Median of the ratios in {case.rounds} rounds in which all clients take turns.")
    return " ".join(facts)


def conclusion(case: FleetCase, rows: Sequence[FleetRow]) -> str:
    """Return the target, and whether it was reached."""
    row = next((row for row in rows if row.contender == SUBJECT), None)
    target = case.target
    if row is None or target is None:
        return ""
    found = row.measurement
    limits: list[str] = []
    met = [not (found.not_done or found.sessions_lost or found.untrue)]
    if target.time is not None:
        reference = "aiobotocore's time" if case.rounds > 1 else "the ideal time"
        limits.append(f"{target.time:g} of {'the undisturbed time' if case.stray_throttle else reference}")
        met.append(_relative_time(case, row, rows) <= target.time)
    if target.requests is not None:
        limits.append(f"{target.requests} requests")
        met.append(found.requests <= target.requests)
    if target.throttled is not None:
        limits.append(f"{_percent(target.throttled, 0)} throttled")
        met.append(_throttled_share(row) <= target.throttled)
    if target.unknown is not None:
        limits.append(f"{_percent(target.unknown)} unknown")
        met.append(found.unknown <= target.unknown * case.count)
    demand = "every outcome true, nothing lost" if case.faults else "nothing lost"
    return f"Target: at most {', '.join(limits)}; {demand}. {'Reached.' if all(met) else 'Missed.'}"
