"""The package's public names, and the modules that importing it loads."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

import aiorekostream

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
# Each public module has a page of the reference, and `api` describes the package itself.
MODULES = sorted({page.stem for page in REFERENCE.glob("*.md")} - {"index", "api"})
HEAVY_DEPENDENCIES = ("aiobotocore", "aiohttp", "botocore", "cryptography", "cyclopts", "PIL", "rich")
# What programs may extend.
OPEN_CLASSES = {
    *("LocalRateLimiter", "SystemClock", "ManualClock", "RealClock", "ScaledClock", "MemoryTransport"),
    *("Footage", "RandomFootage", "StreamProcessorList", "ValidationIssue"),
}
CLASSES_AND_FUNCTIONS = [
    name
    for name in aiorekostream.__all__
    if inspect.isclass(value := getattr(aiorekostream, name)) or inspect.isroutine(value)
]


def _is_open(value: type) -> bool:
    """Whether a class has subclasses in the package, or may have them in programs, as every exception may."""
    return value.__name__ in OPEN_CLASSES or bool(type.__subclasses__(value)) or issubclass(value, BaseException)


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


@pytest.mark.parametrize("module", MODULES)
def test_public_value_without_subclasses_is_final(module: str) -> None:
    """So a type checker knows that no outcome is two of them, and reports a test for the wrong one."""
    home = importlib.import_module(f"aiorekostream.{module}")
    public = [value for name in home.__all__ if inspect.isclass(value := getattr(home, name))]
    classes = [value for value in public if attrs.has(value) and not _is_open(value)]
    assert [each.__name__ for each in classes if not getattr(each, "__final__", False)] == []


def test_version_equals_that_of_the_distribution() -> None:
    assert aiorekostream.__version__ == importlib.metadata.version("aiorekostream")


@pytest.mark.parametrize("module", ["aiorekostream", "aiorekostream.results", "aiorekostream.results.awslambda"])
def test_import_loads_no_heavy_dependency(module: str) -> None:
    program = f"import {module}, sys; print([name for name in {HEAVY_DEPENDENCIES!r} if name in sys.modules])"
    completed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert completed.stdout.strip() == "[]"


def test_client_loads_nothing_that_it_uses_later() -> None:
    later = (
        "aiorekostream.client.recovery",
        "aiorekostream.client.reconcile_rules",
        "aiorekostream.codec.notifications",
        "aiorekostream.domain.faces",
        "aiorekostream.domain.labels",
        "aiorekostream.domain.s3",
        "aiorekostream.domain.video",
        "aiorekostream.fleet",
        "aiorekostream.transport.hints",
        "tenacity",
    )
    program = (
        f"import aiorekostream, sys; aiorekostream.Client; print([name for name in {later!r} if name in sys.modules])"
    )
    completed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert completed.stdout.strip() == "[]"


def test_fleet_loads_no_recovery_of_lost_responses() -> None:
    program = 'import aiorekostream, sys; aiorekostream.Fleet; print("aiorekostream.client.recovery" in sys.modules)'
    completed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert completed.stdout.strip() == "False"


def test_dir_lists_every_public_name_and_module() -> None:
    assert set(dir(aiorekostream)) == {*aiorekostream.__all__, *MODULES, "__version__"}


@pytest.mark.parametrize("module", MODULES)
def test_public_module_is_loaded_by_its_first_use(module: str) -> None:
    program = f"""
import sys, aiorekostream as rks
assert "aiorekostream.{module}" not in sys.modules
assert rks.{module} is sys.modules["aiorekostream.{module}"]
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_unknown_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'aiorekostream' has no attribute 'error'"):
        getattr(aiorekostream, "error")  # noqa: B009


def test_module_without_its_extra_says_what_to_install() -> None:
    program = """
import sys
sys.modules["redis"] = None
import aiorekostream as rks
assert not hasattr(rks, "distributed")
try:
    rks.distributed
except AttributeError as error:
    print(error)
"""
    completed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install 'aiorekostream[redis]'" in completed.stdout
