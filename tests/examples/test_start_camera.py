"""The migrated script of the examples and its original: each runs as it is, beside a clock that passes time for it."""

from __future__ import annotations

import asyncio
import runpy
import sys
import time
from typing import TYPE_CHECKING

import pytest

import aiorekostream as rks
from tests.examples.stage import EXAMPLES, REGION, ExampleStage, on_stage

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


def _play(monkeypatch: pytest.MonkeyPatch, prepare: Callable[[ExampleStage], None]) -> None:
    """Run the script in a process that has an emulator, and whose clients are on the emulator's clock."""

    async def play(script: Coroutine[object, object, None]) -> None:
        async with on_stage() as stage:
            await stage.create("front-door")
            prepare(stage)
            client = rks.Client
            monkeypatch.setattr(rks, "Client", lambda: stage.hold_for(client(clock=stage.clock)))
            monkeypatch.setenv("AWS_ENDPOINT_URL_REKOGNITION", stage.emulator.url)
            monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
            await stage.complete(script)

    run = asyncio.run

    def run_on_stage(script: Coroutine[object, object, None]) -> None:
        run(play(script))

    monkeypatch.setattr(asyncio, "run", run_on_stage)
    monkeypatch.setattr(sys, "argv", ["start_camera.py", "front-door"])
    runpy.run_path(str(EXAMPLES / "start_camera.py"), run_name="__main__")


def test_script_waits_until_the_session_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _play(monkeypatch, lambda _: None)
    session_id, status = capsys.readouterr().out.split()
    assert session_id
    assert status == "STOPPED"


def test_script_raises_when_the_session_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(rks.StreamProcessorFailedError, match="Access denied to Role"):
        _play(monkeypatch, lambda stage: stage.emulator.fail("front-door", "Access denied to Role", after=3))


def test_original_prints_the_same(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def run_original() -> None:
        runpy.run_path(str(EXAMPLES / "start_camera_boto3.py"), run_name="__main__")

    async def play() -> None:
        async with on_stage() as stage:
            await stage.create("front-door")
            monkeypatch.setenv("AWS_ENDPOINT_URL_REKOGNITION", stage.emulator.url)
            monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
            loop = asyncio.get_running_loop()

            def sleep(seconds: float) -> None:
                loop.call_soon_threadsafe(lambda: stage.clock.advance(seconds))

            monkeypatch.setattr(time, "sleep", sleep)
            await asyncio.to_thread(run_original)

    monkeypatch.setattr(sys, "argv", ["start_camera_boto3.py", "front-door"])
    asyncio.run(play())
    assert capsys.readouterr().out.split()[1] == "STOPPED"
