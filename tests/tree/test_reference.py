"""The reference, as it is built: every argument of every public callable is in it, and nothing private is."""

from __future__ import annotations

import enum
import importlib
import inspect
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
# Only the first of several overloads has an id.
_SIGNATURE = re.compile(
    r'<dt class="sig sig-object py" id="([\w.]+)">(.*?</dt>(?:\s*<dt class="sig sig-object py">.*?</dt>)*)', re.DOTALL
)
_PARAMETER = re.compile(r'<em class="sig-param">(.*?)</em>', re.DOTALL)
_BASES = re.compile(r"<p>Bases: (.*?)</p>", re.DOTALL)
_STARRED = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}


def _text(html: str) -> str:
    return re.sub(r"<[^>]+>", "", html)


def _read(built: Path) -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in sorted((built / "reference").glob("*.html")))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The pages of the reference: those that the nox session ``docs`` has built, or else a build of these alone."""
    if (built_docs := os.environ.get("BUILT_DOCS")) is not None:
        return _read(Path(built_docs))
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    shutil.copy(ROOT / "docs" / "conf.py", source)
    shutil.copytree(ROOT / "docs" / "reference", source / "reference")
    command = ("-m", "sphinx", "-q", "-E", "-b", "html", "-D", "root_doc=reference/index", str(source), str(built))
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True)
    return _read(built)


def _public_modules() -> list[str]:
    names: tuple[str, ...] = runpy.run_path(str(ROOT / "docs" / "conf.py"))["MODULES"]
    return ["aiorekostream", *(f"aiorekostream.{name}" for name in names)]


def _public_callables() -> Iterator[tuple[str, set[str], Callable[..., object]]]:
    """Each public function, constructor and method, with the names under which the reference may have it."""
    paths: dict[int, set[str]] = {}
    found: dict[int, object] = {}
    for module in _public_modules():
        for name in importlib.import_module(module).__all__:
            value = getattr(importlib.import_module(module), name)
            if inspect.isclass(value) or inspect.isfunction(value):
                paths.setdefault(id(value), set()).add(f"{module}.{name}")
                found[id(value)] = value
    for key, value in found.items():
        yield min(paths[key]), paths[key], cast("Callable[..., object]", value)
        if not inspect.isclass(value):
            continue
        for base in value.__mro__:
            for name, member in vars(base).items():
                method: object = getattr(member, "__func__", member)
                if inspect.isfunction(method) and not name.startswith("_") and id(base) in found:
                    yield f"{min(paths[key])}.{name}", {f"{path}.{name}" for path in paths[id(base)]}, method


def _arguments(described: Callable[..., object]) -> set[str]:
    if inspect.isclass(described) and (issubclass(described, enum.Enum) or getattr(described, "_is_protocol", False)):
        return set()  # neither is constructed by its users
    try:
        parameters = inspect.signature(described).parameters.values()
    except ValueError:  # an exception without a constructor of its own
        return set()
    return {each.name for each in parameters if each.kind not in _STARRED} - {"self", "cls"}


def test_reference_shows_every_public_argument(pages: str) -> None:
    shown = {
        name: {_text(each).strip("*").split(":")[0].split("=")[0] for each in _PARAMETER.findall(signature)}
        for name, signature in _SIGNATURE.findall(pages)
    }
    missing = {
        name: sorted(lacking)
        for name, paths, described in _public_callables()
        if (lacking := _arguments(described) - set[str]().union(*(shown.get(path, ()) for path in paths)))
    }
    assert missing == {}


def test_reference_shows_the_options_that_programs_tune(pages: str) -> None:
    """The test above would pass if it found no callables."""
    text, dash = _text(pages), "\N{EN DASH}"
    for option in ("max_connections", "poll_interval", "max_in_flight", "max_pending", "when_busy"):
        assert f"{option} {dash} " in text


def test_reference_shows_no_type_variable(pages: str) -> None:
    """A reader looks for what a type variable stands for."""
    signatures = {name: _text(signature) for name, signature in _SIGNATURE.findall(pages)}
    assert "aiorekostream.fleet.FleetRun.report" in signatures
    assert {
        name: text for name, text in signatures.items() if re.search(r"\b_?[A-Z]\w*T(_co)?\b(?<![A-Z]{3})", text)
    } == {}


def test_reference_shows_no_private_base(pages: str) -> None:
    bases = [_text(base) for base in _BASES.findall(pages)]
    assert "ServiceError" in bases
    assert [base for base in bases if re.search(r"\b(_\w+|Validated|object)\b", base)] == []
    assert "Method generated by attrs" not in pages
