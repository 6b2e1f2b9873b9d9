"""Define the commands and their options."""

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
        The number of label detection cameras; the emulated account allows 200 concurrent sessions.
    seconds
        The duration of each session.
    """
    _forget_aws_settings()
    _run(_demo(cameras, seconds))


def _forget_aws_settings() -> None:
    """Replace the user's AWS settings, so that no real credentials are read. The emulator accepts any credentials."""
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
    """Run the Rekognition emulator until interrupted.

    To use it from any AWS SDK, set AWS_ENDPOINT_URL_REKOGNITION to the URL that it prints.

    Parameters
    ----------
    host
        The address to listen on. An address other than a loopback address is reachable from other machines.
    port
        The port to listen on; 0 selects a free one.
    speed
        The seconds of the emulator's clock that pass in one real second.
    unlimited
        Disable the request quotas.
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
    """Wait for SIGINT or SIGTERM."""
    loop = asyncio.get_running_loop()
    interrupted = asyncio.Event()
    with contextlib.ExitStack() as handlers:
        for number in (signal.SIGINT, signal.SIGTERM):
            # Windows event loops have no signal handlers; Ctrl-C raises KeyboardInterrupt there.
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(number, interrupted.set)
                handlers.callback(loop.remove_signal_handler, number)
        await interrupted.wait()


def _run(command: Coroutine[object, object, int]) -> None:
    try:
        sys.exit(asyncio.run(command))
    except KeyboardInterrupt:
        sys.exit(130)
    except RekostreamError as error:
        sys.exit(f"aiorekostream: {error}")
