"""Update the constraints: resolve the dependencies in new environments and pin the installed versions.

``constraints.txt`` pins the newest version of everything that CI uses, ``constraints-lowest.txt`` the oldest version
of each of the package's dependencies that its ranges allow. Both contain only names and versions, no index URLs.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

PIN = re.compile(r"^[A-Za-z0-9._-]+==[^ ]+$")


def resolved(folder: Path, *requirements: str) -> list[str]:
    """Install requirements in a new environment, and return the installed packages as pins."""
    python = str(folder / "bin" / "python")
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    subprocess.run([*pip, "install", "-q", "--upgrade", "pip"], check=True)
    subprocess.run([*pip, "install", "-q", *requirements], check=True)
    frozen = subprocess.run(
        [*pip, "freeze", "--all", "--exclude", "aiorekostream", "--exclude", "setuptools"],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = frozen.stdout.splitlines()
    invalid = [line for line in lines if not PIN.match(line)]
    if invalid:
        sys.exit(f"pip freeze returned lines that are not name==version: {invalid}")
    return lines


def oldest(requirements: list[str]) -> list[str]:
    """Return the lower bound of each requirement as a pin."""
    return [re.sub(r">=([^,]+).*", r"==\1", requirement) for requirement in requirements]


def main() -> None:
    """Write both constraints files."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    own = project["dependencies"] + [line for extra in project["optional-dependencies"].values() for line in extra]
    with tempfile.TemporaryDirectory() as folder:
        newest = resolved(Path(folder) / "newest", ".[cli,redis]", "--group", "dev")
        Path("constraints.txt").write_text("\n".join(newest) + "\n", encoding="utf-8")
        lowest = resolved(Path(folder) / "oldest", *oldest(own), ".[cli,redis]", "--group", "test")
        Path("constraints-lowest.txt").write_text("\n".join(lowest) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
