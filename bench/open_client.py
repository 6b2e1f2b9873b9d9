"""Measure how long opening a client blocks the event loop, against aiobotocore's ``create_client``.

    python bench/open_client.py [--runs 9] [--smoke]

A task wakes once a millisecond while the client is opened in a new process; each figure is the longest gap between two
wake-ups. The paths take turns, and the figure that counts is the ratio of their medians. All are measured with
aiobotocore imported before, and with the import as part of opening. ``eager`` is aiorekostream with botocore's own
loader, which reads the data of all services: the package's ``_data_files.py`` is worth its lines while it is 10 ms
below. The garbage collector is paused, so that a collection at a random moment does not decide.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.calls.gaps import measure_gaps

_ENVIRONMENT = {
    **os.environ,
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "an-example-and-no-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ENDPOINT_URL_REKOGNITION": "http://127.0.0.1:9",
}

Close = Callable[[], Awaitable[object]]


async def _open_aiobotocore() -> Close:
    from aiobotocore.session import AioSession  # noqa: PLC0415 - the import is what is measured

    client = await AioSession().create_client("rekognition").__aenter__()
    return client.close


async def _open_aiorekostream() -> Close:
    from aiorekostream.transport.aws import AwsTransport  # noqa: PLC0415 - the import is what is measured

    transport = AwsTransport()
    await transport.open()
    return transport.aclose


def _as_it_is(_: object) -> None:
    """Leave botocore's loader of data files as it is."""


def _load_eagerly() -> None:
    connect = importlib.import_module("aiorekostream.transport.connect")
    vars(connect)["narrow"] = _as_it_is


async def _open_eagerly() -> Close:
    await asyncio.to_thread(_load_eagerly)  # where the package imports it, too
    return await _open_aiorekostream()


_PATHS = {"aiobotocore": _open_aiobotocore, "aiorekostream": _open_aiorekostream, "eager": _open_eagerly}


async def _open_once(path: str, *, imported: bool) -> None:
    # A program with an event loop has imported these before.
    importlib.import_module("aiorekostream.client")
    if imported:
        importlib.import_module("aiobotocore.session")
    gaps: list[float] = []
    measuring = asyncio.create_task(measure_gaps(gaps))
    await asyncio.sleep(0.05)
    gaps.clear()
    began = time.perf_counter()
    close = await _PATHS[path]()
    took = time.perf_counter() - began
    await asyncio.sleep(0.005)
    measuring.cancel()
    print(max(gaps) * 1e3, took * 1e3)
    await close()


def _in_new_process(path: str, imported: str) -> tuple[float, float]:
    command = [sys.executable, __file__, path, imported]
    output = subprocess.run(command, env=_ENVIRONMENT, capture_output=True, text=True, check=True).stdout
    stall, took = map(float, output.split())
    return stall, took


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] and sys.argv[1] in _PATHS:
        gc.disable()
        asyncio.run(_open_once(sys.argv[1], imported=sys.argv[2] == "before"))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9, help="new processes for each figure")
    parser.add_argument("--smoke", action="store_true", help="one process for each figure, to check that it runs")
    options = parser.parse_args()
    runs = 1 if options.smoke else options.runs
    print(f"longest stall of the event loop while a client opens, in ms: medians of {runs} new processes")
    for imported in ("before", "while"):
        found: dict[str, list[tuple[float, float]]] = {path: [] for path in _PATHS}
        for _ in range(runs):
            for path, figures in found.items():
                figures.append(_in_new_process(path, imported))
        stalls = {path: statistics.median(stall for stall, _ in figures) for path, figures in found.items()}
        print(f"aiobotocore imported {imported} opening" + (" began" if imported == "before" else ""))
        for path, figures in found.items():
            worst = max(stall for stall, _ in figures)
            took = statistics.median(took for _, took in figures)
            print(f"  {path:14}{stalls[path]:7.1f}   (worst {worst:.1f}; opening took {took:.0f})")
        print(f"  {'ratio':14}{stalls['aiorekostream'] / stalls['aiobotocore']:7.2f}")
        print(f"  {'saved':14}{stalls['eager'] - stalls['aiorekostream']:7.1f}   by loading lazily")
    interval = sys.getswitchinterval() * 1e3
    print(f"a thread may hold the interpreter lock for {interval:.0f} ms at a time, which bounds the stall from below")


if __name__ == "__main__":
    main()
