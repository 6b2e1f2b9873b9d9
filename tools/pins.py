"""Renew the constraints: resolve once in new environments, and write down what was installed.

``constraints.txt`` pins the newest of everything that CI uses, ``constraints-lowest.txt`` the oldest of each dependency
of the package that its ranges admit. Both hold names and versions only, no address of any index.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

PIN = re.compile(r"^[A-Za-z0-9._-]+==[^ ]+$")


def resolved(folder: Path, *wanted: str) -> list[str]:
    """What pip installs for these wishes, as pins."""
    python = str(folder / "bin" / "python")
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    subprocess.run([*pip, "install", "-q", "--upgrade", "pip"], check=True)
    subprocess.run([*pip, "install", "-q", *wanted], check=True)
    frozen = subprocess.run(
        [*pip, "freeze", "--all", "--exclude", "aiorekostream", "--exclude", "setuptools"],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = frozen.stdout.splitlines()
    strange = [line for line in lines if not PIN.match(line)]
    if strange:
        sys.exit(f"these are no plain pins: {strange}")
    return lines


def oldest(requirements: list[str]) -> list[str]:
    """The lower bound of each requirement as a pin."""
    return [re.sub(r">=([^,]+).*", r"==\1", requirement) for requirement in requirements]


def main() -> None:
    """Write both files."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    own = project["dependencies"] + [wish for extra in project["optional-dependencies"].values() for wish in extra]
    with tempfile.TemporaryDirectory() as folder:
        newest = resolved(Path(folder) / "newest", ".[cli]", "--group", "dev")
        Path("constraints.txt").write_text("\n".join(newest) + "\n", encoding="utf-8")
        least = resolved(Path(folder) / "oldest", *oldest(own), ".[cli]", "--group", "test")
        Path("constraints-lowest.txt").write_text("\n".join(least) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
