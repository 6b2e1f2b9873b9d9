"""README and the tutorial, as a newcomer types them: in their order, against an emulator that is empty at first."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import sys
from pathlib import Path

from aiorekostream.emulator import Emulator, ManualClock

ROOT = Path(__file__).parents[2]
README, TUTORIAL = ROOT / "README.md", ROOT / "docs" / "tutorial" / "index.md"
_BLOCK = re.compile(r"^```(python|text|shell)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_URL = "http://127.0.0.1:4599"


def _blocks(page: Path) -> list[tuple[str, str]]:
    return _BLOCK.findall(page.read_text(encoding="utf-8"))


def _exported(page: Path, url: str) -> dict[str, str]:
    """The variables that a page sets, for an emulator at another address."""
    [line] = [text for language, text in _blocks(page) if language == "shell" and text.startswith("export ")]
    return dict(word.split("=", 1) for word in shlex.split(line.replace(_URL, url))[1:])


async def _run(folder: Path, program: str, settings: dict[str, str]) -> str:
    path = folder / "program.py"
    path.write_text(program, encoding="utf-8")
    # Only what every shell has: no setting of this machine takes part.
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder), **settings}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        path.name,
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return printed.decode()


async def test_readme_starts_cameras_of_an_empty_emulator(tmp_path: Path) -> None:
    start, fleet, *_ = (text for language, text in _blocks(README) if language == "python")
    clock = ManualClock()
    async with Emulator(clock=clock) as emulator:
        settings = _exported(README, emulator.url)
        assert (await _run(tmp_path, start, settings)).endswith("STARTING\n")
        assert await _run(tmp_path, fleet, settings) == "front-door was not started\n"
        emulator.advance(30)
        assert re.fullmatch(r"front-door [0-9a-f-]{36}\n", await _run(tmp_path, fleet, settings))
        [processor] = emulator.processors
    account = processor.arn.split(":")[4]
    assert f"`{_URL}/{account}/front-door`" in README.read_text(encoding="utf-8")


async def test_tutorial_prints_what_it_says_from_an_empty_emulator(tmp_path: Path) -> None:
    blocks = [(language, text) for language, text in _blocks(TUTORIAL) if language != "shell"]
    assert [language for language, _ in blocks] == ["python", "text"] * (len(blocks) // 2)
    async with Emulator() as emulator:
        for (_, program), (_, shown) in zip(blocks[::2], blocks[1::2], strict=True):
            printed = await _run(tmp_path, program, _exported(TUTORIAL, emulator.url))
            assert re.fullmatch(re.escape(shown).replace(r"\.\.\.", ".+"), printed), printed
