from __future__ import annotations

import importlib.abc
import io
import os
import signal
import subprocess
import sys

import boto3
import pytest
from rich.console import Console

from aiorekostream.cli import main
from aiorekostream.cli.cameras import Camera, Stage
from aiorekostream.cli.demo import run_demo
from aiorekostream.cli.rendering import table
from aiorekostream.clock import SystemClock
from aiorekostream.emulator import ScaledClock

_COMMAND = [sys.executable, "-c", "from aiorekostream.cli import main; main()"]


@pytest.mark.parametrize("terminal", [True, False])
async def test_the_demonstration_sees_every_session_to_its_end(*, terminal: bool) -> None:
    page = io.StringIO()
    console = Console(file=page, force_terminal=terminal, width=80, color_system=None)
    good = await run_demo(console, cameras=5, seconds=1, clock=SystemClock(), emulated=ScaledClock(50))
    assert good
    assert "5 ended" in page.getvalue()
    assert "camera-5" in page.getvalue()


async def test_the_demonstration_says_so_when_a_session_does_not_end() -> None:
    page = io.StringIO()
    console = Console(file=page, width=80)
    # To this emulator a second is eleven and a half days of ours.
    clock = ScaledClock(1e-6)
    assert not await run_demo(console, cameras=1, seconds=1, clock=SystemClock(), patience=0, emulated=clock)
    assert "was not finished after 1 s" in " ".join(page.getvalue().split())


def test_the_table_fits_a_terminal_of_eighty_columns_and_twenty_four_lines() -> None:
    page = io.StringIO()
    fleet = [Camera(f"camera-{n:02d}", stage, "f3a8eb8f") for n, stage in zip(range(50), list(Stage) * 10, strict=True)]
    Console(file=page, width=80).print(table(fleet, 12.34))
    lines = page.getvalue().splitlines()
    assert len(lines) <= 24
    assert all(f"camera-{n:02d} f3a8" in page.getvalue() for n in range(50))
    assert "50 cameras after 12.3 s: 10 waiting, 10 created, 10 working, 10 ended, 10 failed" in " ".join(
        page.getvalue().split()
    )


def test_the_emulator_serves_until_it_is_interrupted() -> None:
    with subprocess.Popen([*_COMMAND, "emulator", "--port", "0"], stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        name, _, url = served.stdout.readline().strip().removeprefix("export ").partition("=")
        assert name == "AWS_ENDPOINT_URL_REKOGNITION"
        rekognition = boto3.client("rekognition", region_name="us-east-1", endpoint_url=url)
        assert rekognition.list_stream_processors()["StreamProcessors"] == []
        rekognition.close()
        served.send_signal(signal.SIGINT)
        assert served.wait(timeout=30) == 0


@pytest.mark.parametrize("arguments", [["--port", "65536"], ["--speed", "0"], ["--port", "door"]])
def test_the_emulator_refuses_options_that_make_no_sense(arguments: list[str]) -> None:
    done = subprocess.run([*_COMMAND, "emulator", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert arguments[0] in done.stdout + done.stderr


def test_the_command_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cyclopts", None)
    for name in [name for name in sys.modules if name == "aiorekostream.cli.commands"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(SystemExit, match=r"pip install 'aiorekostream\[cli\]'"):
        main()


def test_an_interrupted_import_ends_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(importlib.abc.MetaPathFinder):
        def find_spec(self, fullname: str, *_: object) -> None:
            if fullname == "aiorekostream.cli.commands":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "aiorekostream.cli.commands", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 130


def test_the_command_line_does_not_use_the_user_s_credentials() -> None:
    environment = {**os.environ, "AWS_PROFILE": "nobody", "AWS_SECRET_ACCESS_KEY": "precious"}
    done = subprocess.run(
        [*_COMMAND, "demo", "--cameras", "1", "--seconds", "1"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
