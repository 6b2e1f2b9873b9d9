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
from typing import TYPE_CHECKING

import pytest

from aiorekostream.emulator import Emulator, ErrorResponse, ManualClock, ScaledClock

if TYPE_CHECKING:
    from aiorekostream.emulator import EmulatorClock

SCRIPT = Path(__file__).parent / "javascript" / "refused_calls.cjs"
SDK = Path(os.environ.get("AIOREKOSTREAM_JAVASCRIPT") or Path(sys.prefix) / "javascript")
NODE = shutil.which("node")

pytestmark = pytest.mark.skipif(
    NODE is None or not (SDK / "node_modules" / "@aws-sdk" / "client-rekognition").is_dir(),
    reason="node or its package @aws-sdk/client-rekognition is not installed",
)


async def outcomes(emulator: Emulator) -> list[tuple[str, int]]:
    """Run the script, and return the error name and the number of attempts of each of its calls."""
    arguments = (str(SCRIPT), str(SDK), emulator.url, "AKIAEXAMPLE", "a-secret")
    assert NODE is not None
    node = await asyncio.create_subprocess_exec(NODE, *arguments, stdout=asyncio.subprocess.PIPE)
    printed, _ = await node.communicate()
    assert node.returncode == 0
    return [(name, attempts) for name, attempts in json.loads(printed)]


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
