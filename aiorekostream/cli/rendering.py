"""What the demonstration shows: a table that fills."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from aiorekostream.cli.cameras import Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorekostream.cli.cameras import Camera

__all__ = ["summary", "table"]

_COLUMNS = 4  # with names of nine letters, these fit into eighty
_SESSION_SHOWN = 4
_LOOKS = {
    Stage.WAITING: ("·", "dim"),
    Stage.CREATED: ("○", "blue"),
    Stage.WORKING: ("◐", "yellow"),
    Stage.ENDED: ("●", "green"),
    Stage.FAILED: ("✗", "bold red"),
}


def table(cameras: Sequence[Camera], seconds: float) -> Table:
    """All cameras with the beginnings of their session ids, and what was reached after so many seconds."""
    legend = "   ".join(f"[{style}]{sign} {stage}[/]" for stage, (sign, style) in _LOOKS.items())
    grid = Table(title=summary(cameras, seconds), caption=legend, show_header=False, box=box.ROUNDED)
    height = -(-len(cameras) // _COLUMNS)
    columns = [cameras[start : start + height] for start in range(0, len(cameras), height)]
    for _ in columns:
        grid.add_column(no_wrap=True)
    for row in range(height):
        grid.add_row(*(_cell(column[row]) for column in columns if row < len(column)))
    return grid


def summary(cameras: Sequence[Camera], seconds: float) -> str:
    """How many cameras are where, in a line."""
    counts = Counter(camera.stage for camera in cameras)
    stages = ", ".join(f"{counts[stage]} {stage}" for stage in Stage if counts[stage])
    return f"{len(cameras)} cameras after {seconds:.1f} s: {stages}"


def _cell(camera: Camera) -> Text:
    sign, style = _LOOKS[camera.stage]
    session = camera.session_id[:_SESSION_SHOWN].ljust(_SESSION_SHOWN)
    return Text.assemble((f"{sign} {camera.name}", style), " ", (session, "dim"))
