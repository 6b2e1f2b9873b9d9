"""The commands and their options."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Annotated

import rich
from cyclopts import App, Parameter
from cyclopts.validators import Number

from aiorekostream import __version__
from aiorekostream.cli.demo import run_demo
from aiorekostream.clock import SystemClock
from aiorekostream.emulator import Emulator, RealClock, ScaledClock
from aiorekostream.errors import RekostreamError

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["app"]

app: App = App(
    name="aiorekostream",
    version=__version__,
    help="Amazon Rekognition stream processors: a demonstration, and an emulator to run against.",
)

_PORTS = Number(gte=0, lte=65_535)


@app.command
def demo(
    *,
    cameras: Annotated[int, Parameter(validator=Number(gte=1, lte=200))] = 50,
    seconds: Annotated[int, Parameter(validator=Number(gte=1, lte=120))] = 5,
) -> None:
    """Start an emulator, create and start cameras through the real client, and watch their sessions to the end.

    Parameters
    ----------
    cameras
        How many label detection cameras; the emulated account may run 200 at once.
    seconds
        How long each session lasts.
    """
    _forget_aws_settings()
    _run(_demo(cameras, seconds))


def _forget_aws_settings() -> None:
    """Nothing of the user's own AWS settings has a place here, least of all the credentials; the emulator takes any."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(
        AWS_ACCESS_KEY_ID="AKIADEMONSTRATION",
        AWS_SECRET_ACCESS_KEY="of-no-use-anywhere",  # noqa: S106 - it opens nothing
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    )


async def _demo(cameras: int, seconds: int) -> int:
    return 0 if await run_demo(rich.get_console(), cameras=cameras, seconds=seconds, clock=SystemClock()) else 1


@app.command
def emulator(
    *,
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(validator=_PORTS)] = 4599,
    speed: Annotated[float, Parameter(validator=Number(gt=0, lte=1_000_000))] = 1.0,
    unlimited: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Serve an emulated Rekognition until it is interrupted.

    Point any AWS SDK at it, in any language, with AWS_ENDPOINT_URL_REKOGNITION.

    Parameters
    ----------
    host
        The address to listen on; anything but a loopback address lets other machines in.
    port
        The port to listen on; 0 takes a free one.
    speed
        How many seconds of the emulated service pass in a real one.
    unlimited
        Take calls as fast as they come, without AWS's quotas.
    """
    _run(_serve(host=host, port=port, speed=speed, unlimited=unlimited))


async def _serve(*, host: str, port: int, speed: float, unlimited: bool) -> int:
    clock = RealClock() if speed == 1 else ScaledClock(speed)
    async with Emulator(host=host, port=port, clock=clock, quotas=not unlimited, record=False) as running:
        sys.stdout.write(f"export AWS_ENDPOINT_URL_REKOGNITION={running.url}\n")
        sys.stdout.flush()
        await _interrupted()
    return 0


async def _interrupted() -> None:
    """Wait for Ctrl-C or a termination."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    with contextlib.ExitStack() as handlers:
        for number in (signal.SIGINT, signal.SIGTERM):
            # On systems without signals of this kind Ctrl-C arrives as KeyboardInterrupt instead.
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(number, asked.set)
                handlers.callback(loop.remove_signal_handler, number)
        await asked.wait()


def _run(command: Coroutine[object, object, int]) -> None:
    try:
        sys.exit(asyncio.run(command))
    except KeyboardInterrupt:
        sys.exit(130)
    except RekostreamError as error:
        sys.exit(f"aiorekostream: {error}")
