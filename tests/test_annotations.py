"""The annotations of every public name can be resolved at run time, without aiobotocore."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cattrs.preconf.json import make_converter
from hypothesis import given
from hypothesis import strategies as st

import aiorekostream
from aiorekostream.domain.requests import LabelDetectionUpdate
from tests.annotations import PUBLIC_MODULES
from tests.effort import examples
from tests.strategies import VALUES

ROOT = Path(__file__).parents[1]
# cattrs cannot tell KEEP and RESET from the other values of a field.
READABLE = [cls for cls in VALUES if cls is not LabelDetectionUpdate]


def _failures(*modules: str) -> list[str]:
    command = [sys.executable, "-m", "tests.annotations", *modules]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize("module", ["aiorekostream.errors", "aiorekostream.fleet"])
def test_annotations_resolve_when_only_this_module_is_imported(module: str) -> None:
    assert _failures(module) == []


@pytest.mark.parametrize("modules", [PUBLIC_MODULES, PUBLIC_MODULES[::-1]], ids=["front door first", "last"])
def test_annotations_resolve_in_any_order_of_imports(modules: tuple[str, ...]) -> None:
    """The front door renames the modules of its classes when they are first used."""
    assert _failures(*modules) == []


def test_annotations_of_the_emulator_resolve() -> None:
    """It serves HTTP, so it loads aiohttp."""
    assert _failures("aiorekostream.emulator") == ["aiohttp was loaded"]


@pytest.mark.filterwarnings("ignore::aiorekostream.errors.AwsGuidanceWarning")
@pytest.mark.parametrize("cls", READABLE, ids=lambda cls: cls.__name__)
@examples(10)
@given(data=st.data())
def test_value_round_trips_through_a_converter_of_cattrs(cls: type, data: st.DataObject) -> None:
    value, converter = data.draw(VALUES[cls]), make_converter()
    assert converter.structure(converter.unstructure(value), cls) == value


@pytest.mark.parametrize(
    "value",
    [
        aiorekostream.Limits(max_duration_in_seconds=300, quotas={"TagResource": aiorekostream.Quota(1, 2)}),
        aiorekostream.RetryPolicy(max_attempts=3),
        aiorekostream.Timeout(total=5),
        aiorekostream.FleetRequest(aiorekostream.FaceSearchStart("lobby"), urgent=True),
        aiorekostream.LocalRateLimiter(wait=False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_options_round_trip_through_a_converter_of_cattrs(value: object) -> None:
    converter = make_converter()
    assert converter.structure(converter.unstructure(value), type(value)) == value
