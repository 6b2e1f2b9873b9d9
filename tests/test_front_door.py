"""The package's public names, and the modules that importing it loads."""

from __future__ import annotations

import importlib.metadata
import inspect
import subprocess
import sys

import pytest

import aiorekostream

HEAVY_DEPENDENCIES = ("aiobotocore", "aiohttp", "botocore", "cryptography", "cyclopts", "PIL", "rich")
CLASSES_AND_FUNCTIONS = [
    name
    for name in aiorekostream.__all__
    if inspect.isclass(value := getattr(aiorekostream, name)) or inspect.isroutine(value)
]


def _isort_key(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)


def test_all_is_sorted_without_duplicates() -> None:
    assert list(aiorekostream.__all__) == sorted(set(aiorekostream.__all__), key=_isort_key)


def test_package_has_no_public_names_outside_all() -> None:
    public = {name for name in vars(aiorekostream) if not name.startswith("_")}
    modules = {name for name in public if inspect.ismodule(getattr(aiorekostream, name))}
    assert public - modules - {"TYPE_CHECKING", "annotations"} <= set(aiorekostream.__all__)


@pytest.mark.parametrize("name", CLASSES_AND_FUNCTIONS)
def test_public_name_has_a_docstring_and_the_package_as_module(name: str) -> None:
    value = getattr(aiorekostream, name)
    assert value.__module__ == "aiorekostream"
    assert inspect.getdoc(value)


def test_version_equals_that_of_the_distribution() -> None:
    assert aiorekostream.__version__ == importlib.metadata.version("aiorekostream")


@pytest.mark.parametrize("module", ["aiorekostream", "aiorekostream.results", "aiorekostream.results.awslambda"])
def test_import_loads_no_heavy_dependency(module: str) -> None:
    program = f"import {module}, sys; print([name for name in {HEAVY_DEPENDENCIES!r} if name in sys.modules])"
    completed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert completed.stdout.strip() == "[]"


def test_dir_lists_every_public_name() -> None:
    assert set(aiorekostream.__all__) <= set(dir(aiorekostream))
