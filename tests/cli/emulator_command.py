"""Run the command ``aiorekostream emulator`` in a process of its own."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from collections.abc import Generator

COMMAND = [sys.executable, "-c", "from aiorekostream.cli import main; main()"]
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "emulator.md"
_config: Any = Config


@attrs.define
class RunningCommand:
    """A running emulator; once it has ended, its further endpoints and what it wrote to the standard error."""

    url: str
    endpoints: list[str] = attrs.field(factory=list)
    error: str = ""

    def client(self, key: str = "any", secret: str = "any", region: str = "us-east-1") -> Any:  # noqa: ANN401
        return boto3.client(
            "rekognition",
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            config=_config(retries={"total_max_attempts": 1, "mode": "standard"}),
        )


@contextlib.contextmanager
def running(*arguments: str) -> Generator[RunningCommand]:
    """Run the command on a free port until the end of the block."""
    command = [*COMMAND, "emulator", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        name, _, url = served.stdout.readline().strip().removeprefix("export ").partition("=")
        assert name == "AWS_ENDPOINT_URL_REKOGNITION", served.communicate()
        emulator = RunningCommand(url)
        try:
            yield emulator
        finally:
            served.send_signal(signal.SIGINT)
            # communicate() would lose what readline() has read ahead.
            written = served.stdout.read()
            emulator.endpoints += re.findall(r"AWS_ENDPOINT_URL_(\w+)=", written)
            emulator.error = served.communicate(timeout=30)[1]
        assert served.returncode == 0


def refused(*arguments: str) -> tuple[int, str]:
    """Run the command with arguments that it refuses, and return the exit status and what it wrote."""
    done = subprocess.run(
        [*COMMAND, "emulator", "--port", "0", *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def documented(language: str) -> list[str]:
    """Return the blocks of a language in the emulator's page."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
