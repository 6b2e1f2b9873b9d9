"""The demonstration: many cameras, created and started at once, and watched until their sessions end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rich.live import Live

from aiorekostream.cli.cameras import Camera, Stage
from aiorekostream.cli.rendering import summary, table
from aiorekostream.client import Client
from aiorekostream.domain.processors import LabelDetectionProcessor, S3Destination
from aiorekostream.domain.requests import LabelDetectionStart
from aiorekostream.domain.selectors import ProducerTimestamp, StopSelector
from aiorekostream.domain.status import Status
from aiorekostream.domain.words import Label
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
_SWEEP_EVERY = 0.3  # seconds; ListStreamProcessors may be called five times a second
_DRAW_EVERY = 0.1  # seconds, on a terminal
_TELL_EVERY = 1.0  # seconds, elsewhere
_PATIENCE = 60.0  # seconds for a session beyond its own length


async def run_demo(
    console: Console, *, cameras: int, seconds: int, clock: Clock, emulated: EmulatorClock | None = None
) -> bool:
    """Run it, and tell whether every session came to its end.

    Args:
        console: where the table is drawn.
        cameras: how many.
        seconds: how long each session lasts.
        clock: tells the time and sleeps.
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
            await _everything(client, fleet, seconds, clock)
        finally:
            drawing.cancel()
            await asyncio.wait([drawing])
    console.print(table(fleet, clock.now() - begun))
    for camera in fleet:
        if camera.trouble:
            console.print(f"{camera.name}: {camera.trouble}", markup=False)
    return all(camera.stage is Stage.ENDED for camera in fleet)


async def _everything(client: Client, fleet: Sequence[Camera], seconds: int, clock: Clock) -> None:
    async with asyncio.TaskGroup() as tasks:
        starts = [tasks.create_task(_create_and_start(client, camera, seconds, clock)) for camera in fleet]
        tasks.create_task(_watch(client, fleet, starts, clock.now() + seconds + _PATIENCE, clock))


async def _create_and_start(client: Client, camera: Camera, seconds: int, clock: Clock) -> None:
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
    except RekostreamError as error:
        camera.stage, camera.trouble = Stage.FAILED, str(error)
    else:
        camera.stage, camera.session_id = Stage.WORKING, session.session_id or ""


async def _watch(
    client: Client, fleet: Sequence[Camera], starts: Sequence[asyncio.Task[None]], patience: float, clock: Clock
) -> None:
    """Sweep over the account's processors until every session is over."""
    while not (all(task.done() for task in starts) and all(camera.is_over for camera in fleet)):
        await clock.sleep(_SWEEP_EVERY)
        # Only a camera that was started before the sweep can be said to have ended by it.
        working = {camera.name: camera for camera in fleet if camera.stage is Stage.WORKING}
        try:
            async for found in client.list_stream_processors():
                if (camera := working.get(found.name)) is not None:
                    await _note(client, camera, found.status)
        except RekostreamError as error:
            for camera in working.values():
                camera.trouble = str(error)
        if clock.now() > patience:
            for camera in fleet:
                if not camera.is_over:
                    camera.stage, camera.trouble = Stage.FAILED, "its session did not end in time"
            return


async def _note(client: Client, camera: Camera, status: Status) -> None:
    if status is Status.STOPPED:
        camera.stage, camera.trouble = Stage.ENDED, ""
    elif status is Status.FAILED:
        described = await client.describe_stream_processor(camera.name)
        camera.stage, camera.trouble = Stage.FAILED, described.status_message or "no reason was given"


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
