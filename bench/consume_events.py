"""Measure the CPU time of ``SqsConsumer``, and its memory, over notifications from a queue in another process.

    python bench/consume_events.py [--events 10000] [--smoke]

The server is the emulator. Each notification is a LABEL_DETECTED of two labels, delivered raw. One task handles and
acknowledges them one after the other. Target: at least 1,500 a second of CPU time, in constant memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the other benchmark is found from any folder

from aiobotocore.session import get_session

from aiorekostream.emulator import Emulator
from aiorekostream.results import SqsConsumer
from bench.decode_events import EVENT

_EVENT_ID = json.loads(EVENT)["eventId"]
_BATCH = 10  # the most that one request sends
_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "an-example-and-no-secret",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


async def _serve(events: int) -> None:
    """Run an emulator whose queue has a number of notifications, and print the URL of the queue."""
    async with Emulator(record=False) as emulator:
        create: Any = get_session().create_client
        async with create("sqs", region_name="us-east-1", endpoint_url=emulator.url) as sqs:
            queue = (await sqs.create_queue(QueueName="doors"))["QueueUrl"]
            for first in range(0, events, _BATCH):
                entries = [
                    {"Id": str(number), "MessageBody": EVENT.replace(_EVENT_ID, f"event-{number}")}
                    for number in range(first, min(first + _BATCH, events))
                ]
                await sqs.send_message_batch(QueueUrl=queue, Entries=entries)
        print(queue, flush=True)
        await asyncio.Event().wait()


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def consume(queue: str, events: int) -> None:
    """Handle all notifications, and print the figures of those after the first tenth."""
    count, began, memory = 0, 0.0, 0.0
    async with SqsConsumer(queue, region="us-east-1") as consumer:
        async for delivery in consumer:
            async with delivery:
                _ = delivery.event
            count += 1
            if count == max(1, events // 10):
                began, memory = time.process_time(), _megabytes()
            if count == events:
                break
        await consumer.flush()
        seconds = time.process_time() - began
    rate = (events - events // 10) / max(seconds, 1e-9)
    print(f"{events} notifications: {rate:.0f} for each second of the consumer's CPU time")
    print(f"memory: {_megabytes():.0f} MB at the end, {memory:.0f} MB after a tenth")
    print(f"acknowledged: {consumer.report.acknowledged}")


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(_serve(int(sys.argv[2])))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--smoke", action="store_true", help="as little as possible, to check that it runs")
    options = parser.parse_args()
    events = 20 if options.smoke else options.events
    os.environ.update(_ENVIRONMENT)
    command = [sys.executable, __file__, "serve", str(events)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            asyncio.run(consume(cast("IO[str]", server.stdout).readline().strip(), events))
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
