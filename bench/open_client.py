"""How long opening a client holds up the event loop: ours against a plain aiobotocore ``create_client``.

    python bench/open_client.py [--runs 9] [--smoke]

Each figure is the longest gap between two beats, one millisecond apart, of a task that does nothing else while the
client is opened in a fresh process. The ways take turns; what counts is the ratio of their medians. Both are measured
with aiobotocore imported before the clock starts, and with the import as part of opening.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

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


async def _plain() -> Close:
    from aiobotocore.session import AioSession  # noqa: PLC0415 - the import is what is measured

    client = await AioSession().create_client("rekognition").__aenter__()
    return client.close


async def _ours() -> Close:
    from aiorekostream.transport.aws import AwsTransport  # noqa: PLC0415 - the import is what is measured

    transport = AwsTransport()
    await transport.open()
    return transport.aclose


_WAYS = {"plain": _plain, "ours": _ours}


async def _beat(gaps: list[float]) -> None:
    last = time.perf_counter()
    while True:
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        gaps.append(now - last)
        last = now


async def _once(way: str, *, imported: bool) -> None:
    # A program that has an event loop has these already.
    importlib.import_module("aiorekostream.client")
    if imported:
        importlib.import_module("aiobotocore.session")
    gaps: list[float] = []
    beating = asyncio.create_task(_beat(gaps))
    await asyncio.sleep(0.05)
    gaps.clear()
    began = time.perf_counter()
    close = await _WAYS[way]()
    took = time.perf_counter() - began
    await asyncio.sleep(0.005)
    beating.cancel()
    print(max(gaps) * 1e3, took * 1e3)
    await close()


def _fresh(way: str, imported: str) -> tuple[float, float]:
    command = [sys.executable, __file__, way, imported]
    output = subprocess.run(command, env=_ENVIRONMENT, capture_output=True, text=True, check=True).stdout
    stall, took = map(float, output.split())
    return stall, took


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] and sys.argv[1] in _WAYS:
        asyncio.run(_once(sys.argv[1], imported=sys.argv[2] == "before"))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9, help="fresh processes for each figure")
    parser.add_argument("--smoke", action="store_true", help="one process for each figure, to see that it runs")
    options = parser.parse_args()
    runs = 1 if options.smoke else options.runs
    print(f"longest stall of the event loop while a client opens, in ms: medians of {runs} fresh processes")
    for imported in ("before", "while"):
        found: dict[str, list[tuple[float, float]]] = {way: [] for way in _WAYS}
        for _ in range(runs):
            for way, figures in found.items():
                figures.append(_fresh(way, imported))
        stalls = {way: statistics.median(stall for stall, _ in figures) for way, figures in found.items()}
        print(f"aiobotocore imported {imported} opening" + (" began" if imported == "before" else ""))
        for way, figures in found.items():
            worst = max(stall for stall, _ in figures)
            took = statistics.median(took for _, took in figures)
            print(f"  {way:7}{stalls[way]:7.1f}   (worst {worst:.1f}; opening took {took:.0f})")
        print(f"  ratio  {stalls['ours'] / stalls['plain']:7.2f}   of plain")
    turn = sys.getswitchinterval() * 1e3
    print(f"a thread may keep Python's lock for {turn:.0f} ms at a time: there can hardly be less")


if __name__ == "__main__":
    main()
