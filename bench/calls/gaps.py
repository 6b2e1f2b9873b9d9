"""Measure for how long an event loop is blocked."""

from __future__ import annotations

import asyncio
import time

__all__ = ["measure_gaps"]


async def measure_gaps(gaps: list[float]) -> None:
    """Wake once a millisecond until cancelled, and add the seconds between each two wake-ups."""
    last = time.perf_counter()
    while True:
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        gaps.append(now - last)
        last = now
