"""What must hold, as sessions: of the tree in the environment that nox runs in, and of the wheel in new ones.

``make test`` runs all of them two at a time; ``nox --list`` names them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import nox
import nox.command

if TYPE_CHECKING:
    from collections.abc import Generator

ROOT = Path(__file__).parent
OLDEST = (3, 11)
NEWEST = (3, 14)

nox.options.default_venv_backend = "none"


# ------------------------------------------------------------------------------------------------------------ the tree


def run_all(session: nox.Session, *commands: str) -> None:
    """Run every command, also after one that failed, so that one run tells everything."""
    failed: list[str] = []
    for command in commands:
        try:
            session.run(*command.split())
        except nox.command.CommandFailed:
            failed.append(command)
    if failed:
        session.error(f"failed: {'; '.join(failed)}")


@nox.session
def unit(session: nox.Session) -> None:
    """Run the tests and the examples, with coverage by branch."""
    session.run("coverage", "run", "-m", "pytest", *session.posargs)
    session.run("coverage", "report")


@nox.session
def types(session: nox.Session) -> None:
    """Ask mypy, basedpyright, and whether the public interface is typed completely."""
    run_all(session, "mypy", "basedpyright", "basedpyright --ignoreexternal --verifytypes aiorekostream")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    session.run("sphinx-build", "-W", "--keep-going", "-q", "-E", "-b", "html", "docs", "docs/_build")


@nox.session
def bench(session: nox.Session) -> None:
    """Run every benchmark at its smallest, to see that it still runs."""
    run_all(session, *(f"python {script} --smoke" for script in sorted(Path("bench").glob("*.py"))))


@nox.session
def lint(session: nox.Session) -> None:
    """Check rules and form."""
    run_all(session, "ruff check", "ruff format --check")


@nox.session
def contracts(session: nox.Session) -> None:
    """Check who may know whom."""
    session.run("lint-imports", "--no-cache")


# ----------------------------------------------------------------------------------------------------------- the wheel


def usable(candidate: str) -> tuple[int, int] | None:
    """The version of an interpreter that works, is released, and is new enough."""
    question = "import sys, venv; v = sys.version_info; print(v.releaselevel, sys.implementation.name, *v[:2])"
    try:
        answer = subprocess.run([candidate, "-c", question], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    level, implementation, major, minor = answer.stdout.split()
    version = (int(major), int(minor))
    return version if (level, implementation) == ("final", "cpython") and version >= OLDEST else None


def interpreters() -> dict[str, str]:
    """One interpreter for each version that this machine has, by version."""
    names = [f"python3.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 4)]
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    paths = [sys.executable, *filter(None, map(shutil.which, names))]
    paths += [str(path) for path in sorted(pyenv.glob("versions/*/bin/python3"))]
    found: dict[tuple[int, int], str] = {}
    for path in paths:
        version = usable(path)
        if version is not None:
            found.setdefault(version, path)
    return {f"{major}.{minor}": found[major, minor] for major, minor in sorted(found)}


@contextlib.contextmanager
def elsewhere() -> Generator[Path]:
    """A folder that is no part of the source tree."""
    with tempfile.TemporaryDirectory(prefix="aiorekostream-") as folder:
        yield Path(folder).resolve()


def build(session: nox.Session, folder: Path) -> Path:
    """Build the sdist, then the wheel from the sdist, and look into both."""
    hatchling = ("python", "-m", "hatchling", "build")
    session.run(*hatchling, "-t", "sdist", "-d", str(folder), silent=True)
    [sdist] = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    unpacked = sdist.with_suffix("").with_suffix("")
    for needed in ("tests/tree", "typings", "docs/conf.py", "LICENSE", "conftest.py", "constraints.txt"):
        if not (unpacked / needed).exists():
            session.error(f"the sdist lacks {needed}")
    with session.chdir(unpacked):
        session.run(*hatchling, "-t", "wheel", "-d", str(folder), silent=True)
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = archive.namelist()
    if "aiorekostream/py.typed" not in inside:
        session.error("the wheel lacks py.typed")
    strangers = sorted({name.split("/")[0] for name in inside if not name.startswith("aiorekostream")})
    if strangers:
        session.error(f"the wheel contains {', '.join(strangers)}")
    return wheel


def try_wheel(session: nox.Session, interpreter: str, constraints: str) -> None:
    """Install the wheel in a new environment and run the tests there, with no source tree in sight."""
    with elsewhere() as folder:
        wheel = build(session, folder)
        python = str(folder / "env" / "bin" / "python")
        session.run(interpreter, "-m", "venv", "--without-pip", str(folder / "env"), external=True)
        pip = ("python", "-m", "pip", "--python", python, "--disable-pip-version-check")
        session.run(*pip, "install", "-qq", "-c", constraints, f"{wheel}[cli]", "--group", "test")
        session.run(*pip, "check")

        away = folder / "away"
        shutil.copytree(
            ROOT / "tests", away / "tests", ignore=shutil.ignore_patterns("tree", "api", "typing", "__pycache__")
        )
        shutil.copytree(ROOT / "docs", away / "docs", ignore=shutil.ignore_patterns("_build"))
        for name in ("README.md", "conftest.py", "pyproject.toml"):
            shutil.copy(ROOT / name, away)
        with session.chdir(away):
            origin = "import aiorekostream, sys; print(sys.version); print(aiorekostream.__file__)"
            said = session.run(python, "-P", "-c", origin, silent=True, external=True)
            session.log(str(said).strip())
            if "site-packages" not in str(said):
                session.error("this is not the installed package")
            session.run(
                python,
                *("-P", "-m", "pytest", "-q", "--hypothesis-profile=brief", "tests", "README.md", "docs"),
                external=True,
                env={"VIRTUAL_ENV": None, "PYTHONPATH": None},
            )


PRESENT = interpreters()


def on_interpreter(version: str) -> None:
    """Make the session of one interpreter."""

    @nox.session(name=f"wheel-{version}", tags=["wheel"])
    def wheel(session: nox.Session) -> None:
        """Run the tests against the installed wheel."""
        try_wheel(session, PRESENT[version], "constraints.txt")


for _version in PRESENT:
    on_interpreter(_version)


@nox.session
def lowest(session: nox.Session) -> None:
    """Run the tests against the installed wheel with the oldest dependencies, on the oldest Python."""
    version = ".".join(map(str, OLDEST))
    if version not in PRESENT:
        session.skip(f"there is no Python {version} here")
    try_wheel(session, PRESENT[version], "constraints-lowest.txt")


@nox.session
def interpreters_here(session: nox.Session) -> None:
    """Name the versions of Python that the wheel is tested on, and those that are not on this machine."""
    wanted = (f"3.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1))
    missing = [version for version in wanted if version not in PRESENT]
    session.log(f"the wheel is tested on {', '.join(PRESENT)}; not on this machine: {', '.join(missing) or 'none'}")
