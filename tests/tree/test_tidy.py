"""No file of the project contains paths of one machine or addresses of package indexes; constraints are plain pins."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GENERATED = {"build", "dist", "_build", "__pycache__"}

# Written so that the patterns do not match this file.
MACHINE_PATHS = re.compile(r"(?<![\w.$}~-])/(?:work|root|home|tmp|Users)/\w")
INDEX_ADDRESSES = re.compile(r"--(?:extra-)?index[-]url|--find[-]links|https?://[\w.-]+/simple[/]")


def files() -> list[Path]:
    """The files that git tracks or would add; in an unpacked sdist, all files that are not generated."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607  git is found on the PATH
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode == 0 and (ROOT / ".git").exists():
        named = [ROOT / name for name in listing.stdout.split("\0") if name]
        return [path for path in named if path.is_file()]
    hidden = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    return [
        ROOT / path
        for path in hidden
        if not any(part in GENERATED or (part.startswith(".") and part != ".ci") for part in path.parts)
    ]


@pytest.mark.parametrize("pattern", [MACHINE_PATHS, INDEX_ADDRESSES], ids=["machine-paths", "index-addresses"])
def test_files_have_no_paths_or_addresses_of_one_machine(pattern: re.Pattern[str]) -> None:
    found: list[str] = []
    for path in files():
        lines = path.read_bytes().decode("utf-8", errors="ignore").splitlines()
        found += [
            f"{path.relative_to(ROOT)}:{number}: {line}" for number, line in enumerate(lines, 1) if pattern.search(line)
        ]
    assert found == []


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-lowest.txt"])
def test_constraints_are_plain_sorted_pins(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)] == []
    names = [line.partition("==")[0].casefold() for line in lines]
    assert names == sorted(set(names))
