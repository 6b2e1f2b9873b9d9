"""Run the demonstration: start many cameras concurrently, and read what they see until their sessions end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import attrs
import rich
from aiobotocore.session import AioSession
from rich.live import Live

from aiorekostream.cli.cameras import Camera, CameraState
from aiorekostream.cli.rendering import summary, table
from aiorekostream.client import Client
from aiorekostream.clock import Clock, SystemClock
from aiorekostream.domain.enums import Label
from aiorekostream.domain.labels import LabelDetected
from aiorekostream.domain.processors import LabelDetectionProcessor, S3Destination
from aiorekostream.domain.requests import LabelDetectionStart
from aiorekostream.domain.selectors import ProducerTimestamp, StopSelector
from aiorekostream.emulator import Emulator, EmulatorClock, RandomFootage, RealClock
from aiorekostream.errors import RekostreamError
from aiorekostream.results import Session, SqsConsumer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from rich.console import Console

__all__ = ["run_demo", "run_demo_on_terminal"]

_REGION = "us-east-1"
_ACCOUNT = "123456789012"
_TOPIC = "front-doors"
_ACCESS_KEY = "AKIADEMONSTRATION"
_REDRAW_INTERVAL = 0.1  # seconds, on a terminal
_SUMMARY_INTERVAL = 1.0  # seconds, without a terminal
_LINGER = 1.0  # seconds that a session takes events after its end; the emulator's queue is fast
# Every subject appears at every camera once in each interval of this many seconds.
_FOOTAGE = RandomFootage(seed=1, interval=6, duration=3)


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
    all_cameras = [Camera(f"camera-{number:0{len(str(cameras))}d}") for number in range(1, cameras + 1)]
    started_at = clock.now()
    video_clock = emulator_clock or RealClock()
    credentials = AioSession()
    credentials.set_credentials(_ACCESS_KEY, "of-no-use-anywhere")
    async with Emulator(clock=video_clock, footage=_FOOTAGE, accounts={_ACCESS_KEY: _ACCOUNT}) as emulator:
        console.print(f"emulator at {emulator.url}")
        async with (
            _progress(console, all_cameras, clock, started_at),
            Client(region=_REGION, endpoint_url=emulator.url, session=credentials) as client,
            SqsConsumer(f"{emulator.url}/{_ACCOUNT}/{_TOPIC}", region=_REGION, session=credentials) as consumer,
            asyncio.TaskGroup() as tasks,
        ):
            service = _CameraService(
                client=client,
                consumer=consumer,
                clock=clock,
                video_clock=video_clock,
                seconds=seconds,
                end_timeout=end_timeout,
            )
            for camera in all_cameras:
                tasks.create_task(service.run(camera))
    console.print(table(all_cameras, clock.now() - started_at))
    for camera in all_cameras:
        if camera.error:
            console.print(f"{camera.name}: {camera.error}", markup=False)
    return all(camera.state is CameraState.ENDED for camera in all_cameras)


@attrs.frozen(kw_only=True)
class _CameraService:
    """What a service of many cameras shares.

    Attributes:
        client: starts the sessions.
        consumer: has the events of all sessions.
        clock: the clock of the demonstration.
        video_clock: the clock of the cameras.
        seconds: the duration of each session.
        end_timeout: the seconds until the end of a session must be known, beyond its duration.
    """

    client: Client
    consumer: SqsConsumer
    clock: Clock
    video_clock: EmulatorClock
    seconds: int
    end_timeout: float

    async def run(self, camera: Camera) -> None:
        """Create a camera, start it, and read its events until its session has ended."""
        longest = self.seconds + self.end_timeout
        try:
            await self.client.create_stream_processor(_processor(camera.name))
            camera.state = CameraState.CREATED
            async with (
                self.clock.timeout_at(self.clock.now() + longest),
                Session(self.client, self._start(camera), events=self.consumer, linger=_LINGER) as session,
            ):
                camera.state = CameraState.WORKING
                async for event in session:
                    if isinstance(event, LabelDetected):
                        camera.add(event, self.video_clock.now())
        except RekostreamError as error:
            camera.state, camera.error = CameraState.FAILED, str(error)
        except TimeoutError:
            camera.state, camera.error = CameraState.FAILED, f"its session was not finished after {longest:g} s"
        else:
            camera.state = CameraState.ENDED

    def _start(self, camera: Camera) -> LabelDetectionStart:
        return LabelDetectionStart(
            name=camera.name,
            start_selector=ProducerTimestamp(round(self.video_clock.now() * 1000)),
            stop_selector=StopSelector(max_duration_in_seconds=self.seconds),
        )


@contextlib.asynccontextmanager
async def _progress(
    console: Console, cameras: Sequence[Camera], clock: Clock, started_at: float
) -> AsyncGenerator[None]:
    """Show the progress while the block runs."""
    display = asyncio.create_task(_display(console, cameras, clock, started_at))
    try:
        yield
    finally:
        display.cancel()
        await asyncio.wait([display])


async def _display(console: Console, cameras: Sequence[Camera], clock: Clock, started_at: float) -> None:
    """Redraw the table on a terminal; print a summary once a second elsewhere."""
    if not console.is_terminal:
        while True:
            console.print(summary(cameras, clock.now() - started_at))
            await clock.sleep(_SUMMARY_INTERVAL)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(table(cameras, clock.now() - started_at), refresh=True)
            await clock.sleep(_REDRAW_INTERVAL)


def _processor(name: str) -> LabelDetectionProcessor:
    return LabelDetectionProcessor(
        name=name,
        kinesis_video_stream_arn=f"arn:aws:kinesisvideo:{_REGION}:{_ACCOUNT}:stream/{name}/1656000000000",
        role_arn=f"arn:aws:iam::{_ACCOUNT}:role/rekognition",
        labels=[Label.PERSON, Label.PET, Label.PACKAGE],
        s3_destination=S3Destination(_TOPIC),
        sns_topic_arn=f"arn:aws:sns:{_REGION}:{_ACCOUNT}:{_TOPIC}",
    )
