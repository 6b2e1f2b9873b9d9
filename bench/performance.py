"""Fleets of cameras at the speed of the quota: ours, bare aiobotocore and capo-rekognition side by side.

    python bench/performance.py [--only CASE] [--smoke] [--json FILE] [--docs docs]

The contenders take turns against an emulator in a process of its own, and what they tell their callers is held against
the emulator's record. Everything takes about fifteen minutes, since quotas run in real time.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the helpers are found wherever this is run from

from bench.fleet import command, service

if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        service.main()
    else:
        command.main(__doc__)
