"""Results as tables: the words for each figure, and whether a case's target was reached. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.fleet.contenders import CONTENDERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.fleet.cases import Case
    from bench.fleet.turns import Row

__all__ = ["heading", "lines", "note", "verdict"]

OURS = "fleet"
_YARDSTICK = "legacy-wide"
_PACED = ("time / ideal", "requests", "throttled", "not done", "sessions lost", "in doubt")
_FAULTY = ("untrue outcomes", "not started", "sessions lost", "in doubt", "starts sent", "other calls", "seconds")
_RACED = ("time / bare client", "not started")


def heading(case: Case) -> tuple[str, ...]:
    """The names of the columns."""
    return _RACED if case.rounds > 1 else _FAULTY if case.ideal is None else _PACED


def lines(case: Case, rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """A line for each row: the contender, then the columns."""
    return [(CONTENDERS[row.contender].title, *_figures(case, row, rows)) for row in rows]


def _figures(case: Case, row: Row, rows: Sequence[Row]) -> tuple[str, ...]:
    tally = row.tally
    if case.rounds > 1:
        return f"{_share_of_time(case, row, rows):.2f}", f"{tally.cameras_lost}"
    if case.ideal is None:
        return (
            *(f"{count}" for count in (tally.untrue, tally.cameras_lost, tally.sessions_lost, tally.in_doubt)),
            *(f"{count}" for count in (tally.requests, tally.describes)),
            f"{tally.seconds:.1f}",
        )
    return (
        f"{_share_of_time(case, row, rows):.2f}",
        f"{tally.requests}",
        f"{_throttled(row):.1%}".replace("%", " %"),
        *(f"{count}" for count in (tally.cameras_lost, tally.sessions_lost, tally.in_doubt)),
    )


def _share_of_time(case: Case, row: Row, rows: Sequence[Row]) -> float:
    base = case.ideal or next((one.tally.seconds for one in rows if one.contender == _YARDSTICK), row.tally.seconds)
    return row.tally.seconds / base


def _throttled(row: Row) -> float:
    return row.tally.throttled / max(1, row.tally.requests)


def note(case: Case, rows: Sequence[Row]) -> str:
    """How the figures came about."""
    said: list[str] = []
    if case.ideal is not None:
        said.append(f"Ideal time: {case.formula}.")
    if case.taken:
        rates = sorted({f"{row.tally.taken:.1f}" for row in rows}, key=float)
        said.append(f"The other client got {' to '.join([rates[0], *rates[1:][-1:]])} calls a second through.")
    if case.rounds > 1:
        said.append(f"Medians of {case.rounds} rounds in which all took turns.")
    return " ".join(said)


def verdict(case: Case, rows: Sequence[Row]) -> str:
    """The target, and whether it was reached."""
    row = next((row for row in rows if row.contender == OURS), None)
    target = case.target
    if row is None or target is None:
        return ""
    tally = row.tally
    said: list[str] = []
    met = [not (tally.cameras_lost or tally.sessions_lost or tally.untrue)]
    if target.time is not None:
        said.append(f"at most {target.time:g} of the {'ideal time' if case.ideal else 'time of the bare client'}")
        met.append(_share_of_time(case, row, rows) <= target.time)
    if target.requests is not None:
        said.append(f"{target.requests} requests")
        met.append(tally.requests <= target.requests)
    if target.throttled is not None:
        said.append(f"{target.throttled:.0%} throttled".replace("%", " %"))
        met.append(_throttled(row) <= target.throttled)
    said.append("every outcome true, nothing lost" if case.faults else "nothing lost")
    return f"Target: {', '.join(said)}. {'Reached.' if all(met) else 'Missed.'}"
