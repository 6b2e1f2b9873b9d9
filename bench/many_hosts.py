"""Simulate 100 hosts and 10,000 cameras that share quotas and session slots, and print what happened.

    python bench/many_hosts.py [--smoke] [--seconds N]

Motion events come at random, 55.6 a second. Hosts die and are replaced. For a sixth of the time, the Redis server is
away, and it is empty when it is back. An hour takes about 20 minutes of one core. The status is 1 if a quota was
exceeded by more than its burst, if there were too many sessions, or if an outcome is not true.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.simulation.many_hosts import Course, HourPlan, play
from tests.virtual_time import run

_EVENTS_A_SECOND = 200_000 / 3600


def _plan(*, seconds: float) -> HourPlan:
    away = seconds * 5 / 12
    return HourPlan(seconds=seconds, events=round(seconds * _EVENTS_A_SECOND), away=(away, away + seconds / 6))


def _report(course: Course) -> None:
    plan, sent, events = course.plan, course.service.sent, len(course.motions)
    for title, away in (("server away", True), ("otherwise", False)):
        outcomes = course.outcomes(away=away)
        shares = ", ".join(f"{name} {count / outcomes.total():.1%}" for name, count in outcomes.most_common())
        print(f"{title:20} {outcomes.total()} events: {shares}")
    print(f"{'sessions':20} {len(course.sessions)}, at most {course.service.peak} at once of {plan.session_limit}")
    for operation, count in sorted(sent.items()):
        quota = course.service.quotas[operation]
        above = f"at most {course.service.excess[operation]:.0f} calls above {quota.rate:g} a second"
        print(f"{operation:20} {count} calls, {count / plan.seconds:.1f} a second; {above}, burst {quota.burst:g}")
    print(f"{'calls by answer':20} {dict(course.service.codes)}")
    print(f"{'hosts':20} {plan.hosts}, of which {course.dead} died")
    trips, a_second = course.trips, course.trips / plan.seconds
    print(f"{'round trips':20} {trips}, {trips / events:.1f} for an event, {a_second:.0f} a second")
    print(f"{'messages':20} {course.messages / plan.seconds:.0f} messages a second")


def main() -> None:
    """Play, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a small simulation, to check that it runs")
    parser.add_argument("--seconds", type=float, default=3600.0, help="the length, in seconds")
    options = parser.parse_args()
    small = HourPlan(hosts=3, cameras=60, seconds=60, events=120, session_limit=40, death_every=25, away=(25.0, 35.0))
    began, shown = time.perf_counter(), 0.0

    def show(now: float) -> None:
        nonlocal shown
        if now - shown >= 60 and not options.smoke:
            shown = now
            print(f"{now:.0f} s, after {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)

    course = run(play(small if options.smoke else _plan(seconds=options.seconds), on_motion=show))
    _report(course)
    flaws = course.flaws()
    print(f"{'flaws':20} {len(flaws)}")
    sys.exit("\n".join(flaws[:20]) or None)


if __name__ == "__main__":
    main()
