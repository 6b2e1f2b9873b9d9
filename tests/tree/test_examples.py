"""The examples stay small, and the how-to guides quote them."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Lines: programs that a reader copies.
LONGEST = {
    "web_service.py": 60,
    "face_searches.py": 50,
    "start_camera.py": 15,
    "watch_cameras.py": 40,
    "motion_workers/worker.py": 185,
}


@pytest.mark.parametrize("name", LONGEST)
def test_example_is_short(name: str) -> None:
    assert len((ROOT / "examples" / name).read_text(encoding="utf-8").splitlines()) <= LONGEST[name]


def test_every_example_is_quoted_by_a_guide() -> None:
    guides = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "how-to").glob("*.md"))
    folder = ROOT / "examples"
    files = sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*.*") if "__pycache__" not in path.parts
    )
    assert [name for name in files if f"{{literalinclude}} ../../examples/{name}" not in guides] == []
