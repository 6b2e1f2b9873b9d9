"""Run the demonstration: create and start many cameras concurrently, and wait until their sessions end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import rich
from rich.live import Live

from aiorekostream.cli.cameras import Camera, CameraState
from aiorekostream.cli.rendering import summary, table
from aiorekostream.client import Client
from aiorekostream.clock import SystemClock
from aiorekostream.domain.enums import Label
from aiorekostream.domain.processors import LabelDetectionProcessor, S3Destination
from aiorekostream.domain.requests import LabelDetectionStart
from aiorekostream.domain.selectors import ProducerTimestamp, StopSelector
from aiorekostream.emulator import Emulator, RealClock
from aiorekostream.errors import RekostreamError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from aiorekostream.clock import Clock
    from aiorekostream.emulator import EmulatorClock

__all__ = ["run_demo", "run_demo_on_terminal"]

_REGION = "us-east-1"
_ACCOUNT = "123456789012"
_REDRAW_INTERVAL = 0.1  # seconds, on a terminal
_SUMMARY_INTERVAL = 1.0  # seconds, without a terminal


async def run_demo_on_terminal(*, cameras: int, seconds: int) -> int:
    """Run the demonstration on the standard output, and return the exit status."""
    return 0 if await run_demo(rich.get_console(), cameras=cameras, seconds=seconds, clock=SystemClock()) else 1


async def run_demo(
    console: Console,
    *,
    cameras: int,
    seconds: int,
    clock: Clock,
    end_timeout: float = 60.0,
    emulator_clock: EmulatorClock | None = None,
) -> bool:
    """Run the demonstration, and return whether every session ended.

    Args:
        console: the console for the output.
        cameras: the number of cameras.
        seconds: the duration of each session.
        clock: the clock of the demonstration.
        end_timeout: the time in seconds to wait for the end of a session beyond its duration.
        emulator_clock: the emulator's clock; real time by default.
    """
    fleet = [Camera(f"camera-{number:0{len(str(cameras))}d}") for number in range(1, cameras + 1)]
    started_at = clock.now()
    async with (
        Emulator(clock=emulator_clock or RealClock()) as emulator,
        Client(region=_REGION, endpoint_url=emulator.url) as client,
    ):
        console.print(f"emulator at {emulator.url}")
        display = asyncio.create_task(_display(console, fleet, clock, started_at))
        try:
            await _run_all(client, fleet, seconds, end_timeout, clock)
        finally:
            display.cancel()
            await asyncio.wait([display])
    console.print(table(fleet, clock.now() - started_at))
    for camera in fleet:
        if camera.error:
            console.print(f"{camera.name}: {camera.error}", markup=False)
    return all(camera.state is CameraState.ENDED for camera in fleet)


async def _run_all(client: Client, fleet: Sequence[Camera], seconds: int, end_timeout: float, clock: Clock) -> None:
    async with asyncio.TaskGroup() as tasks:
        for camera in fleet:
            tasks.create_task(_run_camera(client, camera, seconds, end_timeout, clock))


async def _run_camera(client: Client, camera: Camera, seconds: int, end_timeout: float, clock: Clock) -> None:
    """Create a camera, start it, and wait for the end of its session."""
    try:
        await client.create_stream_processor(_processor(camera.name))
        camera.state = CameraState.CREATED
        session = await client.start_stream_processor(
            LabelDetectionStart(
                name=camera.name,
                start_selector=ProducerTimestamp.from_datetime(clock.wall()),
                stop_selector=StopSelector(max_duration_in_seconds=seconds),
            )
        )
        camera.state, camera.session_id = CameraState.WORKING, session.session_id or ""
        await client.wait_until_finished(camera.name, timeout=seconds + end_timeout)
    except RekostreamError as error:
        camera.state, camera.error = CameraState.FAILED, str(error)
    else:
        camera.state = CameraState.ENDED


async def _display(console: Console, fleet: Sequence[Camera], clock: Clock, started_at: float) -> None:
    """Redraw the table on a terminal; print a summary once a second elsewhere."""
    if not console.is_terminal:
        while True:
            console.print(summary(fleet, clock.now() - started_at))
            await clock.sleep(_SUMMARY_INTERVAL)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(table(fleet, clock.now() - started_at), refresh=True)
            await clock.sleep(_REDRAW_INTERVAL)


def _processor(name: str) -> LabelDetectionProcessor:
    return LabelDetectionProcessor(
        name=name,
        kinesis_video_stream_arn=f"arn:aws:kinesisvideo:{_REGION}:{_ACCOUNT}:stream/{name}/1656000000000",
        role_arn=f"arn:aws:iam::{_ACCOUNT}:role/rekognition",
        labels=[Label.PERSON, Label.PACKAGE],
        s3_destination=S3Destination("front-doors"),
        sns_topic_arn=f"arn:aws:sns:{_REGION}:{_ACCOUNT}:front-doors",
    )
