"""The demonstration: many cameras, created and started at once, and watched until their sessions end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rich.live import Live

from aiorekostream.cli.cameras import Camera, Stage
from aiorekostream.cli.rendering import summary, table
from aiorekostream.client import Client
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

__all__ = ["run_demo"]

_REGION = "us-east-1"
_ACCOUNT = "123456789012"
_DRAW_EVERY = 0.1  # seconds, on a terminal
_TELL_EVERY = 1.0  # seconds, elsewhere


async def run_demo(
    console: Console,
    *,
    cameras: int,
    seconds: int,
    clock: Clock,
    patience: float = 60.0,
    emulated: EmulatorClock | None = None,
) -> bool:
    """Run it, and tell whether every session came to its end.

    Args:
        console: where the table is drawn.
        cameras: how many.
        seconds: how long each session lasts.
        clock: tells the time and sleeps.
        patience: how much longer than that is waited for a session to end, in seconds.
        emulated: the emulator's own clock; real time if not given.
    """
    fleet = [Camera(f"camera-{number:0{len(str(cameras))}d}") for number in range(1, cameras + 1)]
    begun = clock.now()
    async with (
        Emulator(clock=emulated or RealClock()) as emulator,
        Client(region=_REGION, endpoint_url=emulator.url) as client,
    ):
        console.print(f"emulator at {emulator.url}")
        drawing = asyncio.create_task(_show(console, fleet, clock, begun))
        try:
            await _everything(client, fleet, seconds, patience, clock)
        finally:
            drawing.cancel()
            await asyncio.wait([drawing])
    console.print(table(fleet, clock.now() - begun))
    for camera in fleet:
        if camera.trouble:
            console.print(f"{camera.name}: {camera.trouble}", markup=False)
    return all(camera.stage is Stage.ENDED for camera in fleet)


async def _everything(client: Client, fleet: Sequence[Camera], seconds: int, patience: float, clock: Clock) -> None:
    async with asyncio.TaskGroup() as tasks:
        for camera in fleet:
            tasks.create_task(_watch(client, camera, seconds, patience, clock))


async def _watch(client: Client, camera: Camera, seconds: int, patience: float, clock: Clock) -> None:
    """Create a camera, start it, and wait for the end of its session."""
    try:
        await client.create_stream_processor(_processor(camera.name))
        camera.stage = Stage.CREATED
        session = await client.start_stream_processor(
            LabelDetectionStart(
                name=camera.name,
                start_selector=ProducerTimestamp.from_datetime(clock.wall()),
                stop_selector=StopSelector(max_duration_in_seconds=seconds),
            )
        )
        camera.stage, camera.session_id = Stage.WORKING, session.session_id or ""
        await client.wait_until_finished(camera.name, timeout=seconds + patience)
    except RekostreamError as error:
        camera.stage, camera.trouble = Stage.FAILED, str(error)
    else:
        camera.stage = Stage.ENDED


async def _show(console: Console, fleet: Sequence[Camera], clock: Clock, begun: float) -> None:
    """Draw the table over and over; where nothing can be drawn over, tell the counts now and then."""
    if not console.is_terminal:
        while True:
            console.print(summary(fleet, clock.now() - begun))
            await clock.sleep(_TELL_EVERY)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(table(fleet, clock.now() - begun), refresh=True)
            await clock.sleep(_DRAW_EVERY)


def _processor(name: str) -> LabelDetectionProcessor:
    return LabelDetectionProcessor(
        name=name,
        kinesis_video_stream_arn=f"arn:aws:kinesisvideo:{_REGION}:{_ACCOUNT}:stream/{name}/1656000000000",
        role_arn=f"arn:aws:iam::{_ACCOUNT}:role/rekognition",
        labels=[Label.PERSON, Label.PACKAGE],
        s3_destination=S3Destination("front-doors"),
        sns_topic_arn=f"arn:aws:sns:{_REGION}:{_ACCOUNT}:front-doors",
    )
