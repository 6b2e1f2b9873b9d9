"""Run the emulator as the command line asks, until it is interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from aiorekostream.cli.option_files import read_credentials, read_faults, read_footage, read_limits, read_processors
from aiorekostream.emulator import Emulator, EmulatorClock, ManualClock, RealClock, ScaledClock
from aiorekostream.errors import ConfigurationError
from aiorekostream.limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["ServeOptions", "serve"]


@attrs.frozen(kw_only=True)
class ServeOptions:
    """The options of the command ``emulator``; see there.

    Attributes:
        host: the address.
        port: the port.
        has_manual_clock: whether the clock stands still until it is advanced.
        speed: the emulated seconds in a real one.
        unlimited: whether the request quotas are disabled.
        limits: the file with the limits.
        credentials: the file with the access keys.
        processors: the file with the stream processors.
        faults: the file with the faults.
        footage: the file with what the cameras see.
        has_raw_delivery: whether messages have no envelope.
        deliver_to: the URL of another server of SNS, S3 and Kinesis; empty for the emulator's own.
        allow_remote: whether that server may be another machine.
        allow_hosts: further host names of SQS, S3 and Kinesis.
        allow_origins: the origins of web pages.
        record: whether calls are recorded.
        log: whether calls are written to the standard error.
    """

    host: str = "127.0.0.1"
    port: int = 0
    has_manual_clock: bool = False
    speed: float = 1.0
    unlimited: bool = False
    limits: Path | None = None
    credentials: Path | None = None
    processors: Path | None = None
    faults: Path | None = None
    footage: Path | None = None
    has_raw_delivery: bool = False
    deliver_to: str = ""
    allow_remote: bool = False
    allow_hosts: tuple[str, ...] = ()
    allow_origins: tuple[str, ...] = ()
    record: bool = False
    log: bool = False


async def serve(options: ServeOptions) -> int:
    """Run the emulator, and return the exit status.

    Raises:
        ConfigurationError: options contradict each other, a file is invalid, or the address is unavailable.
        InvalidRequestError: an origin is invalid.
    """
    clock = _clock(options)
    credentials = None if options.credentials is None else read_credentials(options.credentials)
    faults = None if options.faults is None else read_faults(options.faults)
    processors = () if options.processors is None else read_processors(options.processors)
    running = Emulator(
        host=options.host,
        port=options.port,
        clock=clock,
        limits=DEFAULT_LIMITS if options.limits is None else read_limits(options.limits),
        quotas=not options.unlimited,
        dependency_faults=None if faults is None else faults.dependency_faults,
        accounts={} if credentials is None else credentials.accounts,
        credentials=None if credentials is None else credentials.secrets,
        footage=None if options.footage is None else read_footage(options.footage),
        raw_message_delivery=options.has_raw_delivery,
        deliver_to=options.deliver_to or None,
        allow_remote=options.allow_remote,
        allow_origins=options.allow_origins,
        allow_hosts=options.allow_hosts,
        record=options.record,
    )
    async with running:
        for processor in processors:
            access_key = processor.access_key or (credentials.first_key if credentials is not None else "any")
            running.create_stream_processor(processor.request, region=processor.region, access_key=access_key)
        running.inject(*(() if faults is None else faults.faults))
        with _logged_calls() if options.log else contextlib.nullcontext():
            services = ("REKOGNITION",) if options.deliver_to else ("REKOGNITION", "SQS", "S3", "KINESIS")
            sys.stdout.writelines(f"export AWS_ENDPOINT_URL_{service}={running.url}\n" for service in services)
            sys.stdout.flush()
            await _interrupted()
    return 0


def _clock(options: ServeOptions) -> EmulatorClock:
    if options.has_manual_clock:
        if options.speed != 1:
            raise ConfigurationError("--clock manual stands still, so it has no --speed: give one of the two")
        return ManualClock()
    return RealClock() if options.speed == 1 else ScaledClock(options.speed)


@contextlib.contextmanager
def _logged_calls() -> Generator[None]:
    """Write the calls to the standard error, because the standard output is a shell command."""
    logger = logging.getLogger("aiorekostream.emulator.calls")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)


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
