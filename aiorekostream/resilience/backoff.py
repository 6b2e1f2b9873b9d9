"""How long to wait before the next attempt: arithmetic only."""

from __future__ import annotations

__all__ = ["full_jitter"]


def full_jitter(attempt: int, *, base: float, cap: float, chance: float) -> float:
    """Seconds to wait after a failed attempt, anything from nothing to a ceiling that doubles each time.

    Args:
        attempt: the number of the attempt that failed, from 1.
        base: the ceiling after the first attempt, in seconds.
        cap: the highest ceiling, in seconds.
        chance: a number from 0 to 1 that says how much of the ceiling to take.
    """
    # 2**1023 is the greatest power of two that is a float.
    return chance * min(cap, base * 2.0 ** min(attempt - 1, 1023))
