"""Call the emulator with Amazon's SDK for JavaScript, which corrects its clock by the ``Date`` of the responses.

``make test`` installs the SDK beside the Python environment where npm is present; without it these tests are skipped.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aiorekostream.domain.enums import Label
from aiorekostream.emulator import Appearance, Emulator, ErrorResponse, Footage, ManualClock, ScaledClock, Timings
from tests.emulator.aws_services import KEY, SECRET, service
from tests.emulator.samples import faces, labels, session

if TYPE_CHECKING:
    from aiorekostream.emulator import EmulatorClock

SCRIPTS = Path(__file__).parent / "javascript"
SDK = Path(os.environ.get("AIOREKOSTREAM_JAVASCRIPT") or Path(sys.prefix) / "javascript")
NODE = shutil.which("node")


def needs(*packages: str) -> pytest.MarkDecorator:
    """Skip a test without node or without packages of the SDK."""
    missing = [name for name in packages if not (SDK / "node_modules" / "@aws-sdk" / name).is_dir()]
    return pytest.mark.skipif(
        NODE is None or bool(missing),
        reason=f"node or its packages @aws-sdk/{', @aws-sdk/'.join(packages)} are not installed",
    )


async def run(script: str, *arguments: str) -> Any:  # noqa: ANN401
    """Run a script, and return the JSON that it prints."""
    assert NODE is not None
    command = (NODE, str(SCRIPTS / script), str(SDK), *arguments)
    node = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    printed, _ = await node.communicate()
    assert node.returncode == 0
    return json.loads(printed)


async def outcomes(emulator: Emulator) -> list[tuple[str, int]]:
    """Return the error name and the number of attempts of each call of the script."""
    found = await run("refused_calls.cjs", emulator.url, "AKIAEXAMPLE", "a-secret")
    return [(name, attempts) for name, attempts in found]


@needs("client-rekognition")
@pytest.mark.parametrize("clock", [ManualClock(), ScaledClock(100_000)], ids=["manual", "scaled"])
async def test_refused_call_is_sent_once_by_javascript(clock: EmulatorClock) -> None:
    """The emulated time is years, or within milliseconds minutes, away from real time."""
    async with Emulator(clock=clock, credentials={"AKIAEXAMPLE": "a-secret"}) as emulator:
        emulator.inject(ErrorResponse(operation="Stop*", code="AccessDeniedException", message="No."))
        assert await outcomes(emulator) == [
            ("ResourceNotFoundException", 1),
            ("ResourceNotFoundException", 1),
            ("AccessDeniedException", 1),
            ("", 1),
        ]
        assert len(emulator.calls) == 4


@needs("client-sqs", "client-s3")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_results_are_read_by_javascript(host: str) -> None:
    """With an address in the URL the SDK names the bucket in the path; with a name it must be told to."""
    footage = Footage([Appearance(Label.PERSON, at=1), Appearance(Label.PACKAGE, at=3)])
    clock, credentials = ManualClock(), {KEY: SECRET}
    async with Emulator(clock=clock, footage=footage, timings=Timings(), credentials=credentials) as emulator:
        emulator.create_stream_processor(labels("door"), region="us-east-1", access_key=KEY)
        rekognition = service("rekognition", emulator.url)
        await rekognition("start_stream_processor", **session("door"))
        emulator.advance(10)
        url = f"http://{host}:{emulator.port}"
        assert await run("results.cjs", url, KEY, SECRET, "doors") == {
            "events": ["LABEL_DETECTED", "LABEL_DETECTED", "STREAM_PROCESSING_COMPLETE"],
            "pictures": [True, True],
            "isListed": True,
            "deleted": 3,
            "body": "für die Tür",
            "error": "QueueDoesNotExist",
            "missing": "NoSuchKey",
        }
        rekognition.client.close()


@needs("client-kinesis")
async def test_data_stream_is_read_by_javascript() -> None:
    footage = Footage([Appearance(Label.PERSON, at=2)])
    clock, credentials = ManualClock(), {KEY: SECRET}
    async with Emulator(clock=clock, footage=footage, timings=Timings(), credentials=credentials) as emulator:
        emulator.create_stream_processor(faces("lobby"), region="us-east-1", access_key=KEY)
        rekognition = service("rekognition", emulator.url)
        await rekognition("start_stream_processor", Name="lobby")
        emulator.advance(7)
        assert await run("kinesis.cjs", emulator.url, KEY, SECRET, "lobby") == {
            "shards": 1,
            "faces": [0, 0, 1, 1, 1],
            "arrived": round(clock.now() * 1000),
            "text": "für die Tür",
            "children": ["shardId-000000000001", "shardId-000000000002"],
            "error": "ResourceNotFoundException",
        }
        rekognition.client.close()
