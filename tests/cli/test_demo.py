from __future__ import annotations

import gc
import importlib.abc
import io
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from aiorekostream.cli import main
from aiorekostream.cli.cameras import Camera, CameraState
from aiorekostream.cli.demo import run_demo
from aiorekostream.cli.rendering import table
from aiorekostream.clock import SystemClock
from aiorekostream.emulator import ScaledClock
from tests.cli.emulator_command import COMMAND

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize("terminal", [True, False])
async def test_demo_succeeds_when_every_session_ends(*, terminal: bool) -> None:
    page = io.StringIO()
    console = Console(file=page, force_terminal=terminal, width=80, color_system=None)
    succeeded = await run_demo(console, cameras=5, seconds=1, clock=SystemClock(), emulator_clock=ScaledClock(50))
    assert succeeded
    assert "5 ended" in page.getvalue()
    assert "camera-5" in page.getvalue()


async def test_demo_shows_what_the_footage_holds() -> None:
    """In twenty seconds, each subject appears at each camera at least twice."""
    page = io.StringIO()
    console = Console(file=page, width=80)
    assert await run_demo(console, cameras=3, seconds=20, clock=SystemClock(), emulator_clock=ScaledClock(50))
    assert len(re.findall(r"● camera-\d PAK +[\d.]+ s", page.getvalue())) == 3
    assert "9 events, from frame to event" in page.getvalue()


async def test_demo_reports_a_session_that_does_not_end() -> None:
    page = io.StringIO()
    console = Console(file=page, width=80)
    # One second of this emulator's clock takes eleven and a half real days.
    clock = ScaledClock(1e-6)
    assert not await run_demo(console, cameras=1, seconds=1, clock=SystemClock(), end_timeout=0, emulator_clock=clock)
    assert "was not finished after 1 s" in " ".join(page.getvalue().split())


def test_table_fits_a_terminal_of_80_columns_and_24_lines() -> None:
    page = io.StringIO()
    fleet = [
        Camera(f"camera-{n:02d}", state, {"PERSON", "PACKAGE"}, [0.5, 99.25])
        for n, state in zip(range(50), list(CameraState) * 10, strict=True)
    ]
    Console(file=page, width=80).print(table(fleet, 12.34))
    lines = page.getvalue().splitlines()
    assert len(lines) <= 24
    assert all(f"camera-{n:02d} P K 99.25 s" in page.getvalue() for n in range(50))
    text = " ".join(page.getvalue().split())
    assert "50 cameras after 12.3 s: 10 waiting, 10 created, 10 working, 10 ended, 10 failed" in text
    assert "100 events, from frame to event 49.88 s (median)" in text


@pytest.fixture
def collected_garbage() -> Iterator[None]:
    """Undo in this process what the command does to its own."""
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("collected_garbage")
def test_command_names_the_extra_to_install_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cyclopts", None)
    for name in [name for name in sys.modules if name == "aiorekostream.cli.app"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(SystemExit, match=r"pip install 'aiorekostream\[cli\]'"):
        main()


@pytest.mark.usefixtures("collected_garbage")
def test_command_exits_without_traceback_when_interrupted_on_import(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(importlib.abc.MetaPathFinder):
        def find_spec(self, fullname: str, *_: object) -> None:
            if fullname == "aiorekostream.cli.app":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "aiorekostream.cli.app", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 130


def test_demo_ignores_the_credentials_of_the_user() -> None:
    environment = {**os.environ, "AWS_PROFILE": "nobody", "AWS_SECRET_ACCESS_KEY": "precious"}
    done = subprocess.run(
        [*COMMAND, "demo", "--cameras", "1", "--seconds", "1"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("arguments", [[], ["demo"], ["emulator"]])
def test_help_imports_neither_emulator_nor_client_nor_markdown(arguments: list[str]) -> None:
    program = (
        "import atexit, sys; from aiorekostream.cli import main\n"
        "atexit.register(lambda: print(*sys.modules, sep='\\n', file=sys.stderr)); main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments, "--help"], capture_output=True, text=True, check=True
    )
    loaded = set(done.stderr.split())
    assert "rich.console" in loaded
    heavy = ("aiohttp", "botocore", "aiobotocore", "rich.markdown", "markdown_it", "asyncio")
    assert not loaded & {*heavy, "aiorekostream.emulator", "aiorekostream.client", "aiorekostream.cli.demo"}
    assert "emulator" in done.stdout


def test_commands_run_with_garbage_collection() -> None:
    program = (
        "import gc, sys; from aiorekostream.cli import main; from aiorekostream.cli import demo\n"
        "async def run(**_): return 10 + gc.isenabled()\n"
        "demo.run_demo_on_terminal = run; main()"
    )
    done = subprocess.run([sys.executable, "-c", program, "demo"], check=False)
    assert done.returncode == 11
