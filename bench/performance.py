"""Compare aiorekostream with bare aiobotocore and capo-rekognition at starting and stopping fleets of cameras.

    python bench/performance.py [--only CASE] [--smoke] [--json FILE] [--docs docs]

Each client runs against an emulator in a separate process, and the outcomes that it reports are compared with the
emulator's record. All cases take about twelve minutes, since quotas apply in real time.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the helpers are found from any folder

from bench.fleet import command, service

if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        service.main()
    else:
        command.main(__doc__)
