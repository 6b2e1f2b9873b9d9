"""Render the demonstration's table and summary."""

from __future__ import annotations

import statistics
from collections import Counter
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from aiorekostream.cli.cameras import CameraState
from aiorekostream.domain.enums import Label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorekostream.cli.cameras import Camera

__all__ = ["summary", "table"]

_COLUMNS = 3  # With names of nine characters, three columns fit a terminal of 80 columns.
_STYLES = {
    CameraState.WAITING: ("·", "dim"),
    CameraState.CREATED: ("○", "blue"),
    CameraState.WORKING: ("◐", "yellow"),
    CameraState.ENDED: ("●", "green"),
    CameraState.FAILED: ("✗", "bold red"),
}
_LETTERS = {Label.PERSON: "P", Label.PET: "A", Label.PACKAGE: "K"}
_LEGEND = "P person   A pet   K package   longest time from frame to event"


def table(cameras: Sequence[Camera], seconds: float) -> Table:
    """Render all cameras with what they saw, the elapsed time and a legend."""
    states = "   ".join(f"[{style}]{symbol} {state}[/]" for state, (symbol, style) in _STYLES.items())
    grid = Table(title=summary(cameras, seconds), caption=f"{states}\n{_LEGEND}", show_header=False, box=box.ROUNDED)
    height = -(-len(cameras) // _COLUMNS)
    columns = [cameras[start : start + height] for start in range(0, len(cameras), height)]
    for _ in columns:
        grid.add_column(no_wrap=True)
    for row in range(height):
        grid.add_row(*(_cell(column[row]) for column in columns if row < len(column)))
    return grid


def summary(cameras: Sequence[Camera], seconds: float) -> str:
    """Render the number of cameras in each state, and the events so far, in one or two lines."""
    counts = Counter(camera.state for camera in cameras)
    states = ", ".join(f"{counts[state]} {state}" for state in CameraState if counts[state])
    line = f"{len(cameras)} cameras after {seconds:.1f} s: {states}"
    delays = [delay for camera in cameras for delay in camera.delays]
    if not delays:
        return line
    return f"{line}\n{len(delays)} events, from frame to event {statistics.median(delays):.2f} s (median)"


def _cell(camera: Camera) -> Text:
    symbol, style = _STYLES[camera.state]
    seen = "".join(letter if label in camera.seen else " " for label, letter in _LETTERS.items())
    delay = f"{max(camera.delays):.2f} s" if camera.delays else ""
    return Text.assemble((f"{symbol} {camera.name}", style), f" {seen} ", (f"{delay:>6}", "dim"))
