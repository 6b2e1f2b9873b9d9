"""The tutorial, as a newcomer types it: its programs in their order, against an emulator that is empty at first."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import sys
from pathlib import Path

from aiorekostream.emulator import Emulator

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(python|text|shell)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_URL = "http://127.0.0.1:4599"


def _blocks() -> list[tuple[str, str]]:
    return _BLOCK.findall((ROOT / "docs" / "tutorial" / "index.md").read_text(encoding="utf-8"))


def _exported(url: str) -> dict[str, str]:
    """The variables that the tutorial sets, for an emulator at another address."""
    [line] = [text for language, text in _blocks() if language == "shell" and text.startswith("export ")]
    return dict(word.split("=", 1) for word in shlex.split(line.replace(_URL, url))[1:])


async def _run(program: Path, settings: dict[str, str]) -> str:
    # Only what every shell has: no setting of this machine takes part.
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(program.parent), **settings}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        program.name,
        cwd=program.parent,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return printed.decode()


async def test_tutorial_prints_what_it_says_from_an_empty_emulator(tmp_path: Path) -> None:
    blocks = [(language, text) for language, text in _blocks() if language != "shell"]
    assert [language for language, _ in blocks] == ["python", "text"] * (len(blocks) // 2)
    async with Emulator() as emulator:
        for (_, program), (_, shown) in zip(blocks[::2], blocks[1::2], strict=True):
            path = tmp_path / "program.py"
            path.write_text(program, encoding="utf-8")
            printed = await _run(path, _exported(emulator.url))
            assert re.fullmatch(re.escape(shown).replace(r"\.\.\.", ".+"), printed), printed
