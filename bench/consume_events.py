"""Measure the CPU time of ``SqsConsumer``, and its memory, over notifications from a queue in another process.

    python bench/consume_events.py [--events 10000] [--smoke]

The server answers as SQS does, with as little work as possible: every notification once, each a LABEL_DETECTED of two
labels. One task handles and acknowledges them one after the other.
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
from typing import IO, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the other benchmark is found from any folder

from aiorekostream.results import SqsConsumer
from bench.decode_events import EVENT

_EVENT_ID = json.loads(EVENT)["eventId"]
_IDLE = 0.2  # seconds until an empty queue answers a long poll
_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "an-example-and-no-secret",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


class _Queue:
    """A queue with a number of messages."""

    def __init__(self, events: int) -> None:
        self._numbers = iter(range(events))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        while True:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()
                return
            length = int(head.partition("content-length:")[2].partition("\r\n")[0])
            members = json.loads(await reader.readexactly(length))
            if "amazonsqs.receivemessage" in head:
                answer = self._receive(int(members["MaxNumberOfMessages"]))
                if not answer:
                    await asyncio.sleep(_IDLE)
            else:
                answer = {"Successful": [{"Id": entry["Id"]} for entry in members["Entries"]]}
            body = json.dumps(answer).encode()
            writer.write(
                b"HTTP/1.1 200 OK\r\nx-amzn-RequestId: 6f1c8e9c\r\nContent-Type: application/x-amz-json-1.0\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
            )

    def _receive(self, count: int) -> dict[str, object]:
        messages = [
            {
                "MessageId": f"message-{number}",
                "ReceiptHandle": f"{number:0>180}",
                "Body": EVENT.replace(_EVENT_ID, f"event-{number}"),
                "Attributes": {"ApproximateReceiveCount": "1"},
            }
            for _, number in zip(range(count), self._numbers, strict=False)
        ]
        return {"Messages": messages} if messages else {}


async def _serve(events: int) -> None:
    server = await asyncio.start_server(_Queue(events).serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def consume(port: int, events: int) -> None:
    """Handle all notifications, and print the figures of those after the first tenth."""
    count, began, memory = 0, 0.0, 0.0
    async with SqsConsumer(f"http://127.0.0.1:{port}/123456789012/doors", region="us-east-1") as consumer:
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
            asyncio.run(consume(int(cast("IO[str]", server.stdout).readline()), events))
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
