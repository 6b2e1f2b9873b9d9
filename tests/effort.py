"""How much a test with many random cases tries: all of it once in CI, and a part of it in every other run.

The Hypothesis profile ``brief`` selects the part: every test runs, with fewer cases. What the cases prove does not
depend on the version of Python. CI tries all of them against the wheel on the newest one.
"""

from __future__ import annotations

from hypothesis import settings

__all__ = ["examples", "part"]

_BRIEF = "brief"
_PART = 10


def _is_brief() -> bool:
    return settings.get_current_profile_name() == _BRIEF


def examples(most: int, *, steps: int = 50) -> settings:
    """Return the settings of a test that needs another number of examples than the profile's.

    Args:
        most: the number of examples; with ``brief``, at most as many as its profile has.
        steps: the number of steps of an example of a state machine.
    """
    if _is_brief():
        most = min(most, settings.get_profile(_BRIEF).max_examples)
    return settings(max_examples=most, stateful_step_count=steps)


def part(whole: int) -> int:
    """Return how many cases are tried, or how large one is: the whole, or with ``brief`` a tenth, and one at least."""
    return max(1, whole // _PART) if _is_brief() else whole
