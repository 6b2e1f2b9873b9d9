"""Define the nox sessions: checks of the source tree in nox's own environment, and of the wheel in new environments.

``make test`` runs all sessions, two to four in parallel; ``nox --list`` lists them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import nox
import nox.command

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

ROOT = Path(__file__).parent
OLDEST = (3, 11)
OLDEST_NAME = ".".join(map(str, OLDEST))
NEWEST = (3, 14)

# Every test runs, with a part of its random cases: tests/effort.py.
BRIEF = "--hypothesis-profile=brief"

# What is tested against the wheel: all that needs no source tree.
EVERYTHING = ("tests", "README.md", "docs")

# The tests of what the standard library decides: TLS and sockets, processes and signals, the resolution of annotations,
# the order of imports and the clock of asyncio. The other tests run on the oldest Python and on the newest; what passes
# there and fails in between would be a defect of one release of Python.
INTERPRETER = (
    "tests/cli",
    "tests/emulator/test_manual_clock.py",
    "tests/test_annotations.py",
    "tests/test_clock.py",
    "tests/test_constructors.py",
    "tests/test_front_door.py",
    "tests/test_late_imports.py",
    "tests/transport/test_responses.py",
    "tests/transport/test_sending.py",
    "tests/transport/test_tls.py",
)

# The tests that need the source tree or the packages of JavaScript in its environment, and the examples in docstrings.
TREE = ("tests/tree", "tests/api", "tests/emulator/test_javascript.py", "aiorekostream")

# The tests of the built reference, which the session `docs` runs on its own build.
REFERENCE = "tests/tree/test_reference.py"

nox.options.default_venv_backend = "none"

# `tools/lanes.py` takes the sessions in the order of this file. The two that last longest come first, and the shortest
# last, so that the lanes end together.


# ----------------------------------------------------------------------------------------------------------- the wheel


def usable(candidate: str) -> tuple[int, int] | None:
    """Return the version of an interpreter if it works, is a CPython release and is new enough."""
    query = "import sys, venv; v = sys.version_info; print(v.releaselevel, sys.implementation.name, *v[:2])"
    try:
        output = subprocess.run([candidate, "-c", query], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    level, implementation, major, minor = output.stdout.split()
    version = (int(major), int(minor))
    return version if (level, implementation) == ("final", "cpython") and version >= OLDEST else None


def interpreters() -> dict[str, str]:
    """Return one interpreter for each version that this machine has, by version."""
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
def temporary_folder() -> Generator[Path]:
    """Create a folder outside the source tree."""
    with tempfile.TemporaryDirectory(prefix="aiorekostream-") as folder:
        yield Path(folder).resolve()


def build(session: nox.Session, folder: Path) -> Path:
    """Build the sdist, then the wheel from the sdist, and check the contents of both."""
    hatchling = ("python", "-m", "hatchling", "build")
    session.run(*hatchling, "-t", "sdist", "-d", str(folder), silent=True)
    [sdist] = folder.glob("*.tar.gz")
    shutil.unpack_archive(sdist, folder)
    unpacked = sdist.with_suffix("").with_suffix("")
    for needed in ("tests/tree", "typings", "docs/conf.py", "examples", "LICENSE", "conftest.py", "constraints.txt"):
        if not (unpacked / needed).exists():
            session.error(f"the sdist lacks {needed}")
    with session.chdir(unpacked):
        session.run(*hatchling, "-t", "wheel", "-d", str(folder), silent=True)
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        contents = archive.namelist()
    if "aiorekostream/py.typed" not in contents:
        session.error("the wheel lacks py.typed")
    unexpected = sorted({name.split("/")[0] for name in contents if not name.startswith("aiorekostream")})
    if unexpected:
        session.error(f"the wheel contains {', '.join(unexpected)}")
    return wheel


def try_wheel(
    session: nox.Session,
    interpreter: str,
    constraints: str,
    *arguments: str,
    module: Sequence[str] = ("pytest",),
    report: Callable[[Path], None] | None = None,
) -> None:
    """Install the wheel in a new environment and run pytest with the arguments there, outside the source tree.

    Args:
        session: the session that runs it.
        interpreter: the path of the Python.
        constraints: the file with the versions of the dependencies.
        arguments: the arguments of pytest.
        module: the module that is run, with the arguments before those of pytest.
        report: called with the folder of the run after the tests have passed.
    """
    with temporary_folder() as folder:
        wheel = build(session, folder)
        python = str(folder / "env" / "bin" / "python")
        session.run(interpreter, "-m", "venv", "--without-pip", str(folder / "env"), external=True)
        pip = ("python", "-m", "pip", "--python", python, "--disable-pip-version-check")
        session.run(*pip, "install", "-qq", "--no-compile", "-c", constraints, f"{wheel}[cli,redis]", "--group", "test")
        session.run(*pip, "check")

        test_folder = folder / "test-run"
        shutil.copytree(
            ROOT / "tests", test_folder / "tests", ignore=shutil.ignore_patterns("tree", "api", "typing", "__pycache__")
        )
        shutil.copytree(ROOT / "docs", test_folder / "docs", ignore=shutil.ignore_patterns("_build"))
        shutil.copytree(ROOT / "examples", test_folder / "examples", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("README.md", "conftest.py", "pyproject.toml"):
            shutil.copy(ROOT / name, test_folder)
        with session.chdir(test_folder):
            origin = "import aiorekostream, sys; print(sys.version); print(aiorekostream.__file__)"
            output = session.run(python, "-P", "-c", origin, silent=True, external=True)
            session.log(str(output).strip())
            if "site-packages" not in str(output):
                session.error("the tests would not import the installed package")
            # The processes that the tests start find the compiled modules that the first one leaves.
            session.run(
                python,
                *("-P", "-m", *module, "-q", *arguments),
                external=True,
                env={"VIRTUAL_ENV": None, "PYTHONPATH": None, "PYTHONDONTWRITEBYTECODE": None},
            )
        if report is not None:
            report(test_folder)


PRESENT = interpreters()


@nox.session
def lowest(session: nox.Session) -> None:
    """Run all tests against the wheel with the oldest dependencies, on the oldest Python, with branch coverage."""
    if OLDEST_NAME not in PRESENT:
        session.skip(f"Python {OLDEST_NAME} is not installed")

    def report(folder: Path) -> None:
        session.run("coverage", "combine", "--quiet", str(folder / ".coverage"))
        session.run("coverage", "report")

    coverage = ("coverage", "run", "-m", "pytest")
    lowest_versions = "constraints-lowest.txt"
    try_wheel(session, PRESENT[OLDEST_NAME], lowest_versions, BRIEF, *EVERYTHING, module=coverage, report=report)


def on_interpreter(version: str) -> None:
    """Define the session of one interpreter: the newest runs all tests, others those of ``INTERPRETER``."""
    arguments = EVERYTHING if version == list(PRESENT)[-1] else (BRIEF, *INTERPRETER)

    @nox.session(name=f"wheel-{version}", tags=["wheel"])
    def wheel(session: nox.Session) -> None:
        """Run the tests against the installed wheel."""
        try_wheel(session, PRESENT[version], "constraints.txt", *arguments)


# The oldest has a session of its own, `lowest`.
for _version in reversed([version for version in PRESENT if version != OLDEST_NAME] or list(PRESENT)):
    on_interpreter(_version)


# ------------------------------------------------------------------------------------------------------------ the tree


def run_all(session: nox.Session, *commands: str) -> None:
    """Run every command, also after a failure, so that one run reports all failures."""
    failed: list[str] = []
    for command in commands:
        try:
            session.run(*command.split())
        except nox.command.CommandFailed:
            failed.append(command)
    if failed:
        session.error(f"failed: {'; '.join(failed)}")


@nox.session
def types(session: nox.Session) -> None:
    """Run mypy and basedpyright, and verify that the public API is completely typed."""
    run_all(session, "mypy", "basedpyright", "basedpyright --ignoreexternal --verifytypes aiorekostream")


@nox.session
def bench(session: nox.Session) -> None:
    """Run every benchmark at its smallest size, to check that it runs."""
    run_all(session, *(f"python {script} --smoke" for script in sorted(Path("bench").glob("*.py"))))


@nox.session
def tree(session: nox.Session) -> None:
    """Run the tests that need the source tree or its environment, and the examples in docstrings."""
    session.run("pytest", "-q", BRIEF, f"--ignore={REFERENCE}", *TREE, *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation, with warnings as errors, and test the reference that was built."""
    session.run("sphinx-build", "-W", "--keep-going", "-q", "-E", "-b", "html", "docs", "docs/_build")
    session.run("pytest", "-q", REFERENCE, env={"BUILT_DOCS": str(ROOT / "docs" / "_build")})


@nox.session
def lint(session: nox.Session) -> None:
    """Run ruff's linter and check the formatting."""
    run_all(session, "ruff check", "ruff format --check")


@nox.session
def contracts(session: nox.Session) -> None:
    """Check the import contracts."""
    session.run("lint-imports", "--no-cache")


@nox.session
def interpreters_here(session: nox.Session) -> None:
    """Log the versions of Python that the wheel is tested on, and those that are not installed."""
    supported = (f"3.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1))
    missing = [version for version in supported if version not in PRESENT]
    session.log(f"the wheel is tested on {', '.join(PRESENT)}; not installed: {', '.join(missing) or 'none'}")
