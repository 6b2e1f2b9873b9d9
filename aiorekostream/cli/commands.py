"""Define the options of the commands. Each command imports what it needs when it runs; see ``app``."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["demo", "emulator"]

_PORTS = Number(gte=0, lte=65_535)
_FLAG = Parameter(negative="", show_default=False)
_REPEATED = Parameter(negative="", show_default=False, consume_multiple=False)


def demo(
    *,
    cameras: Annotated[int, Parameter(validator=Number(gte=1, lte=200))] = 50,
    seconds: Annotated[int, Parameter(validator=Number(gte=1, lte=120))] = 5,
) -> None:
    """Run the demonstration.

    Parameters
    ----------
    cameras
        The number of label detection cameras; the emulated account allows 200 concurrent sessions.
    seconds
        The duration of each session.
    """
    from aiorekostream.cli.demo import run_demo_on_terminal  # noqa: PLC0415 - see the module `app`

    _forget_aws_settings()
    _run(run_demo_on_terminal(cameras=cameras, seconds=seconds))


def _forget_aws_settings() -> None:
    """Remove the user's AWS settings, so that no real credentials are read."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull)


def emulator(
    *,
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(validator=_PORTS)] = 4599,
    clock: Literal["real", "manual"] = "real",
    speed: Annotated[float, Parameter(validator=Number(gt=0, lte=1_000_000))] = 1.0,
    unlimited: Annotated[bool, _FLAG] = False,
    limits: Path | None = None,
    credentials: Path | None = None,
    processors: Path | None = None,
    faults: Path | None = None,
    footage: Path | None = None,
    raw_delivery: Annotated[bool, _FLAG] = False,
    deliver_to: str = "",
    allow_remote: Annotated[bool, _FLAG] = False,
    allow_host: Annotated[tuple[str, ...], _REPEATED] = (),
    allow_origin: Annotated[tuple[str, ...], _REPEATED] = (),
    record: Annotated[bool, _FLAG] = False,
    log: Annotated[bool, _FLAG] = False,
) -> None:
    """Run the Rekognition emulator until interrupted.

    Parameters
    ----------
    host
        The address to listen on. An address other than a loopback address is reachable from other machines.
    port
        The port to listen on; 0 selects a free one.
    clock
        "manual" is a clock that stands still until POST /_emulator/clock/advance.
    speed
        The seconds of the emulator's clock that pass in one real second.
    unlimited
        Disable the request quotas, and the limits of reads of data streams.
    limits
        A file with the limits of every account; AWS's defaults apply to what it omits.
    credentials
        A file with the access keys that are accepted. Without it, signatures are not verified.
    processors
        A file with the stream processors to create.
    faults
        A file with the faults to inject and the resources that are unavailable.
    footage
        A file with what the cameras see. Without it, they see nothing.
    raw_delivery
        Deliver the messages of label detections without SNS's envelope.
    deliver_to
        The URL of a server of SNS, S3 and Kinesis, such as moto's, to which results are delivered instead of to the
        emulator's own queues, buckets and data streams.
    allow_remote
        Allow --deliver-to another machine.
    allow_host
        A further host name under which SQS, S3 and Kinesis are reached; can be repeated.
    allow_origin
        The origin of web pages that may call the emulator, such as http://localhost:3000; can be repeated.
    record
        Record the calls for GET /_emulator/calls.
    log
        Write one line for each call: its operation, name and outcome.
    """
    from aiorekostream.cli.serve import ServeOptions, serve  # noqa: PLC0415 - see the module `app`

    options = ServeOptions(
        host=host,
        port=port,
        has_manual_clock=clock == "manual",
        speed=speed,
        unlimited=unlimited,
        limits=limits,
        credentials=credentials,
        processors=processors,
        faults=faults,
        footage=footage,
        has_raw_delivery=raw_delivery,
        deliver_to=deliver_to,
        allow_remote=allow_remote,
        allow_hosts=allow_host,
        allow_origins=allow_origin,
        record=record,
        log=log,
    )
    _run(serve(options))


def _run(command: Coroutine[object, object, int]) -> None:
    import asyncio  # noqa: PLC0415 - see the module `app`

    from aiorekostream.errors import RekostreamError  # noqa: PLC0415 - see the module `app`

    gc.freeze()
    gc.enable()
    try:
        sys.exit(asyncio.run(command))
    except KeyboardInterrupt:
        sys.exit(130)
    except RekostreamError as error:
        sys.exit(f"aiorekostream: {error}")
