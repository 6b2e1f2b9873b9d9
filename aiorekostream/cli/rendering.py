"""Render the demonstration's table and summary."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from aiorekostream.cli.cameras import CameraState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorekostream.cli.cameras import Camera

__all__ = ["summary", "table"]

_COLUMNS = 4  # With names of nine characters, four columns fit a terminal of 80 columns.
_SESSION_ID_LENGTH = 4  # characters of the session id in a cell
_STYLES = {
    CameraState.WAITING: ("·", "dim"),
    CameraState.CREATED: ("○", "blue"),
    CameraState.WORKING: ("◐", "yellow"),
    CameraState.ENDED: ("●", "green"),
    CameraState.FAILED: ("✗", "bold red"),
}


def table(cameras: Sequence[Camera], seconds: float) -> Table:
    """Render all cameras with the first characters of their session ids, the elapsed time and a legend."""
    legend = "   ".join(f"[{style}]{symbol} {state}[/]" for state, (symbol, style) in _STYLES.items())
    grid = Table(title=summary(cameras, seconds), caption=legend, show_header=False, box=box.ROUNDED)
    height = -(-len(cameras) // _COLUMNS)
    columns = [cameras[start : start + height] for start in range(0, len(cameras), height)]
    for _ in columns:
        grid.add_column(no_wrap=True)
    for row in range(height):
        grid.add_row(*(_cell(column[row]) for column in columns if row < len(column)))
    return grid


def summary(cameras: Sequence[Camera], seconds: float) -> str:
    """Render the number of cameras in each state in one line."""
    counts = Counter(camera.state for camera in cameras)
    states = ", ".join(f"{counts[state]} {state}" for state in CameraState if counts[state])
    return f"{len(cameras)} cameras after {seconds:.1f} s: {states}"


def _cell(camera: Camera) -> Text:
    symbol, style = _STYLES[camera.state]
    session = camera.session_id[:_SESSION_ID_LENGTH].ljust(_SESSION_ID_LENGTH)
    return Text.assemble((f"{symbol} {camera.name}", style), " ", (session, "dim"))
