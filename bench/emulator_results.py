"""Measure the CPU of an emulator whose cameras have results, read by a consumer in another process.

    python bench/emulator_results.py [--smoke] [--cameras 200] [--seconds 40]

Label detections: each camera has one event in five seconds. The other process starts the sessions of ten seconds, each
with a detection and an end, and receives and deletes the events through SQS with aiobotocore. Target: at most 10 % of a
core.

Face searches: each camera has one record a second and a data stream of its own, whose shard the other process reads
once a second through Kinesis with aiobotocore. Target: below 30 % of a core.
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

from collections.abc import Callable

import attrs
from aiobotocore.session import get_session

from aiorekostream.domain.enums import Label
from aiorekostream.emulator import Analyst, Appearance, Emulator, Footage, KnownFace, RandomFootage
from aiorekostream.limits import Limits

_LABELS_TARGET, _FACES_TARGET = 0.10, 0.30
_SESSION_SECONDS = 10
_PROGRAM = (
    "import asyncio, sys; sys.path.insert(0, 'bench'); import emulator_results as b;"
    " asyncio.run(getattr(b, sys.argv[1])(*sys.argv[2:]))"
)
_ACCOUNT = "111122223333"


def _processor(number: int, **members: object) -> dict[str, object]:
    name = f"camera-{number}"
    return {
        "Name": name,
        "Input": {
            "KinesisVideoStream": {"Arn": f"arn:aws:kinesisvideo:us-east-1:{_ACCOUNT}:stream/{name}/1656000000000"}
        },
        "RoleArn": f"arn:aws:iam::{_ACCOUNT}:role/Rekognition",
        **members,
    }


def label_detection(number: int) -> dict[str, object]:
    """Return the members of a processor that detects persons."""
    return _processor(
        number,
        Output={"S3Destination": {"Bucket": "pictures"}},
        Settings={"ConnectedHome": {"Labels": ["PERSON"]}},
        NotificationChannel={"SNSTopicArn": f"arn:aws:sns:us-east-1:{_ACCOUNT}:doors"},
    )


def _face_search(number: int) -> dict[str, object]:
    return _processor(
        number,
        Output={"KinesisDataStream": {"Arn": f"arn:aws:kinesis:us-east-1:{_ACCOUNT}:stream/camera-{number}"}},
        Settings={"FaceSearch": {"CollectionId": "staff"}},
    )


def _client(name: str, url: str) -> Any:  # noqa: ANN401 - an aiobotocore client, whose stubs have no SQS
    creator: Any = get_session().create_client
    return creator(
        name, region_name="us-east-1", endpoint_url=url, aws_access_key_id="any", aws_secret_access_key="any"
    )


async def use_labels(url: str, cameras: str, seconds: str) -> None:
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


async def use_faces(url: str, cameras: str, seconds: str) -> None:
    """Start the face searches of all cameras, and read their records once a second."""
    async with _client("rekognition", url) as rekognition, _client("kinesis", url) as kinesis:
        begin = time.monotonic()
        end = begin + float(seconds)

        async def read(number: int) -> int:
            name = f"camera-{number}"
            await rekognition.start_stream_processor(Name=name)
            shard = {"StreamName": name, "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}
            token = (await kinesis.get_shard_iterator(**shard))["ShardIterator"]
            records = 0
            due_at = begin + 1 + number / int(cameras)
            while due_at < end:
                await asyncio.sleep(max(0.0, due_at - time.monotonic()))
                found = await kinesis.get_records(ShardIterator=token)
                records, token, due_at = records + len(found["Records"]), found["NextShardIterator"], due_at + 1
            return records

        found = await asyncio.gather(*map(read, range(int(cameras))))
        print(json.dumps({"sessions": int(cameras), "events": sum(found)}))


@attrs.frozen(kw_only=True)
class _EmulatorFigures:
    """What is measured."""

    what: str
    program: str
    processor: Callable[[int], dict[str, object]]
    footage: Analyst
    ramp: float
    target: float


_LABELS = _EmulatorFigures(
    what="label detections",
    program="use_labels",
    processor=label_detection,
    footage=Footage([Appearance(Label.PERSON, at=4)]),
    # Until the first sessions end, there are fewer events.
    ramp=_SESSION_SECONDS + 2,
    target=_LABELS_TARGET,
)
_FACES = _EmulatorFigures(
    what="face searches",
    program="use_faces",
    processor=_face_search,
    footage=RandomFootage(
        subjects=[Label.PERSON], duration=20, known_faces=[KnownFace("0a1b2c3d"), KnownFace("5d4c3b2a")]
    ),
    # Until the face searches run, there are no records.
    ramp=5,
    target=_FACES_TARGET,
)


async def _measure(measured: _EmulatorFigures, cameras: int, seconds: float) -> None:
    limits = Limits(concurrent_face_search={"us-east-1": cameras})
    async with Emulator(footage=measured.footage, limits=limits, quotas=False, record=False) as emulator:
        for number in range(cameras):
            emulator.create_stream_processor(measured.processor(number), region="us-east-1", access_key="any")
        arguments = (measured.program, emulator.url, str(cameras), str(seconds))
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
        await asyncio.sleep(min(measured.ramp, seconds / 2))
        cpu, begin = time.process_time(), time.monotonic()
        printed, _ = await user.communicate()
        used, passed = time.process_time() - cpu, time.monotonic() - begin
    if user.returncode:
        message = "the other process failed"
        raise RuntimeError(message)
    found = json.loads(printed)
    print(
        f"{measured.what}: {cameras} cameras, {found['sessions']} sessions and {found['events']} events;"
        f" measured for {passed:.1f} s"
    )
    print(f"{used / passed:6.1%} of a core   target {measured.target:.0%}")


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--smoke", action="store_true", help="a few cameras, to check that it runs")
    options.add_argument("--cameras", type=int, default=200)
    options.add_argument("--seconds", type=float, default=40)
    given = options.parse_args()
    cameras, seconds = (2, 6) if given.smoke else (given.cameras, given.seconds)
    for measured in (_LABELS, _FACES):
        asyncio.run(_measure(measured, cameras, seconds))


if __name__ == "__main__":
    main()
