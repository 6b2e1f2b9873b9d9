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
from aiorekostream.results import Consumer, SqsConsumer
from bench.decode_events import EVENT

_EVENT_ID = json.loads(EVENT)["eventId"]
_BATCH = 10  # the most that one request sends
ENVIRONMENT = {
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


def megabytes() -> float:
    """Return the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def consume(consumer: Consumer[Any], count: int) -> float:
    """Handle a number of events one after the other, and print the figures of those after the first tenth.

    Returns:
        The events for each second of CPU time.
    """
    handled, began, memory = 0, 0.0, 0.0
    async with consumer:
        async for delivery in consumer:
            async with delivery:
                _ = delivery.event
            handled += 1
            if handled == max(1, count // 10):
                began, memory = time.process_time(), megabytes()
            if handled == count:
                break
        await consumer.flush()
        seconds = time.process_time() - began
    print(f"memory: {megabytes():.0f} MB at the end, {memory:.0f} MB after a tenth")
    return (count - count // 10) / max(seconds, 1e-9)


async def _consume(queue: str, events: int) -> None:
    consumer = SqsConsumer(queue, region="us-east-1")
    rate = await consume(consumer, events)
    print(f"{events} notifications: {rate:.0f} for each second of the consumer's CPU time")
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
    os.environ.update(ENVIRONMENT)
    command = [sys.executable, __file__, "serve", str(events)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            asyncio.run(_consume(cast("IO[str]", server.stdout).readline().strip(), events))
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
