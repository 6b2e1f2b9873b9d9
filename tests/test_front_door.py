"""The front door: what ``import aiorekostream`` gives, and what it costs."""

from __future__ import annotations

import importlib.metadata
import inspect
import subprocess
import sys

import pytest

import aiorekostream

HEAVY = ("aiobotocore", "aiohttp", "botocore", "cyclopts", "rich")
DESCRIBED = [
    name
    for name in aiorekostream.__all__
    if inspect.isclass(it := getattr(aiorekostream, name)) or inspect.isroutine(it)
]


def _isort_style(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)


def test_the_names_are_sorted_and_none_comes_twice() -> None:
    assert list(aiorekostream.__all__) == sorted(set(aiorekostream.__all__), key=_isort_style)


def test_there_are_no_other_public_names() -> None:
    public = {name for name in vars(aiorekostream) if not name.startswith("_")}
    modules = {name for name in public if inspect.ismodule(getattr(aiorekostream, name))}
    assert public - modules - {"TYPE_CHECKING", "annotations"} <= set(aiorekostream.__all__)


@pytest.mark.parametrize("name", DESCRIBED)
def test_a_public_name_says_where_it_is_found_and_what_it_is(name: str) -> None:
    it = getattr(aiorekostream, name)
    assert it.__module__ == "aiorekostream"
    assert inspect.getdoc(it)


def test_the_version_is_that_of_the_distribution() -> None:
    assert aiorekostream.__version__ == importlib.metadata.version("aiorekostream")


def test_importing_the_package_imports_nothing_heavy() -> None:
    program = f"import aiorekostream, sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_names_are_listed_for_whoever_explores() -> None:
    assert set(aiorekostream.__all__) <= set(dir(aiorekostream))
