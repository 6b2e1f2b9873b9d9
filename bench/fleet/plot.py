"""Plot the number of started cameras over time as an SVG. Pure."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from bench.fleet.cases import CASES
from bench.fleet.contenders import CONTENDERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.fleet.cases import FleetCase
    from bench.fleet.results import FleetResults
    from bench.fleet.runner import FleetRow

__all__ = ["plot"]

_CASES = ("known", "lower", "shared")
_COLOURS = {
    "fleet": "#0b6e4f",
    "legacy": "#d1495b",
    "standard": "#e08e1d",
    "adaptive": "#3066be",
    "capo": "#7d5ba6",
}
_WIDTH, _HEIGHT = 760, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 236, 34, 36
_POINTS = 80
_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_MOST_TICKS = 6
_LINE = 15


def plot(results: FleetResults) -> str:
    """Return the SVG, with one panel for each case of a burst of starts under a quota."""
    panels = [(case, results.of(case.key)) for case in CASES if case.key in _CASES and results.of(case.key)]
    height = _HEIGHT * len(panels)
    return "\n".join(
        (
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
                f'height="{height}" font-family="sans-serif" font-size="12" role="img">'
            ),
            "<title>Cameras started over time, by client</title>",
            f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
            *(line for number, panel in enumerate(panels) for line in _panel(*panel, top=number * _HEIGHT)),
            "</svg>",
            "",
        )
    )


def _panel(case: FleetCase, rows: Sequence[FleetRow], *, top: int) -> Iterator[str]:
    shown = [row for row in rows if row.contender in _COLOURS]
    ideal = case.ideal or 1.0
    # A client that takes much longer than the others must not compress their curves.
    longest = min(max([ideal, *(row.measurement.pace[-1] for row in shown if row.measurement.pace)]), 3 * ideal) * 1.02
    inner_width, inner_height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def x(seconds: float) -> float:
        return round(_LEFT + min(seconds, longest) / longest * inner_width, 1)

    def y(count: float) -> float:
        return round(top + _TOP + (1 - count / case.count) * inner_height, 1)

    yield f'<text x="{_LEFT}" y="{top + 20}" font-weight="bold">{escape(case.title)}</text>'
    for count in _ticks(case.count):
        yield f'<path d="M{_LEFT} {y(count)}H{_LEFT + inner_width}" stroke="#dddddd"/>'
        yield f'<text x="{_LEFT - 6}" y="{y(count) + 4}" text-anchor="end" fill="#555555">{count}</text>'
    for second in _ticks(longest):
        yield f'<text x="{x(second)}" y="{y(0) + 16}" text-anchor="middle" fill="#555555">{second} s</text>'
    if case.quota is not None:
        yield (
            f'<path d="M{x(0)} {y(case.quota.burst)}L{x(ideal)} {y(case.count)}" fill="none" stroke="#999999" '
            f'stroke-width="5" stroke-opacity="0.35"/>'
        )
    for row in reversed(shown):
        points = " ".join(
            f"{x(seconds)},{y(count)}" for seconds, count in _thinned(row.measurement.pace) if seconds <= longest
        )
        yield f'<polyline points="{points}" fill="none" stroke="{_COLOURS[row.contender]}" stroke-width="2"/>'
    legend = [
        ("#999999", "allowed by the quota"),
        *((_COLOURS[row.contender], f"{_short(row)}: {len(row.measurement.pace)} of {case.count}") for row in shown),
    ]
    for number, (colour, text) in enumerate(legend):
        level = top + _TOP + 10 + number * _LINE * 1.3
        yield f'<path d="M{_WIDTH - _RIGHT + 12} {level - 4:.1f}h16" stroke="{colour}" stroke-width="3"/>'
        yield f'<text x="{_WIDTH - _RIGHT + 34}" y="{level:.1f}">{escape(text)}</text>'


def _short(row: FleetRow) -> str:
    return CONTENDERS[row.contender].title.replace(" retries", "")


def _thinned(pace: Sequence[float]) -> list[tuple[float, int]]:
    """Return a few points of the step function: the time, and the cameras started by then."""
    every = max(1, math.ceil(len(pace) / _POINTS))
    ordered = sorted(pace)
    points = [(seconds, number) for number, seconds in enumerate(ordered, 1) if number % every == 0]
    return [(0.0, 0), *points, *([(ordered[-1], len(ordered))] if ordered else [])]


def _ticks(end: float) -> list[int]:
    step = next((step for step in _STEPS if end / step <= _MOST_TICKS), _STEPS[-1])
    return list(range(0, int(end) + 1, step))
