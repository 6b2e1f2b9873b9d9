"""Measure the CPU of an emulator whose cameras have one event each five seconds, read by a consumer elsewhere.

    python bench/emulator_results.py [--smoke] [--cameras 200] [--seconds 40]

Another process starts the sessions, and receives and deletes the events through SQS with aiobotocore. Each session of
ten seconds has a detection and an end. Target: at most 10 % of a core.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the package is found from any folder

from aiobotocore.session import get_session

from aiorekostream.domain.enums import Label
from aiorekostream.emulator import Appearance, Emulator, Footage

_TARGET = 0.10
_SESSION_SECONDS = 10
_PROGRAM = (
    "import asyncio, sys; sys.path.insert(0, 'bench'); import emulator_results as b; asyncio.run(b.use(*sys.argv[1:]))"
)
_ACCOUNT = "111122223333"


def _processor(number: int) -> dict[str, object]:
    name = f"camera-{number}"
    return {
        "Name": name,
        "Input": {
            "KinesisVideoStream": {"Arn": f"arn:aws:kinesisvideo:us-east-1:{_ACCOUNT}:stream/{name}/1656000000000"}
        },
        "Output": {"S3Destination": {"Bucket": "pictures"}},
        "Settings": {"ConnectedHome": {"Labels": ["PERSON"]}},
        "RoleArn": f"arn:aws:iam::{_ACCOUNT}:role/Rekognition",
        "NotificationChannel": {"SNSTopicArn": f"arn:aws:sns:us-east-1:{_ACCOUNT}:doors"},
    }


def _client(name: str, url: str) -> Any:  # noqa: ANN401 - an aiobotocore client, whose stubs have no SQS
    creator: Any = get_session().create_client
    return creator(
        name, region_name="us-east-1", endpoint_url=url, aws_access_key_id="any", aws_secret_access_key="any"
    )


async def use(url: str, cameras: str, seconds: str) -> None:
    """Start the sessions of all cameras at a steady rate, and read their events."""
    async with _client("rekognition", url) as rekognition, _client("sqs", url) as sqs:
        queue = (await sqs.get_queue_url(QueueName="doors"))["QueueUrl"]
        events = 0

        async def consume() -> None:
            nonlocal events
            while True:
                received = await sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=20)
                messages = received.get("Messages", [])
                events += len(messages)
                if messages:
                    entries = [{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(messages)]
                    await sqs.delete_message_batch(QueueUrl=queue, Entries=entries)

        consumer = asyncio.create_task(consume())
        begin, count = time.monotonic(), int(cameras)
        end = begin + float(seconds)
        number = 0
        while time.monotonic() < end:
            # A processor's next session begins a moment after the end of its previous one.
            due_at = begin + number * (_SESSION_SECONDS + 0.2) / count
            await asyncio.sleep(max(0.0, due_at - time.monotonic()))
            await rekognition.start_stream_processor(
                Name=f"camera-{number % count}",
                StartSelector={"KVSStreamStartSelector": {"ProducerTimestamp": int(time.time() * 1000)}},
                StopSelector={"MaxDurationInSeconds": _SESSION_SECONDS},
            )
            number += 1
        consumer.cancel()
        print(json.dumps({"sessions": number, "events": events}))


async def _measure(cameras: int, seconds: float, *, at: float = 4, ramp: float = 0) -> None:
    footage = Footage([Appearance(Label.PERSON, at=at)])
    async with Emulator(footage=footage, quotas=False, record=False) as emulator:
        for number in range(cameras):
            emulator.create_stream_processor(_processor(number), region="us-east-1", access_key="any")
        arguments = (emulator.url, str(cameras), str(seconds))
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        user = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _PROGRAM,
            *arguments,
            cwd=Path(__file__).parents[1],
            env=environment,
            stdout=asyncio.subprocess.PIPE,
        )
        # Until the first sessions end, there are fewer events.
        await asyncio.sleep(ramp)
        cpu, begin = time.process_time(), time.monotonic()
        printed, _ = await user.communicate()
        used, passed = time.process_time() - cpu, time.monotonic() - begin
    if user.returncode:
        message = "the other process failed"
        raise RuntimeError(message)
    found = json.loads(printed)
    print(f"{cameras} cameras, {found['sessions']} sessions and {found['events']} events; measured for {passed:.1f} s")
    print(f"{used / passed:6.1%} of a core   target {_TARGET:.0%}")


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--smoke", action="store_true", help="a few cameras, to check that it runs")
    options.add_argument("--cameras", type=int, default=200)
    options.add_argument("--seconds", type=float, default=40)
    given = options.parse_args()
    measured = (
        _measure(2, 2, at=0) if given.smoke else _measure(given.cameras, given.seconds, ramp=_SESSION_SECONDS + 2)
    )
    asyncio.run(measured)


if __name__ == "__main__":
    main()
