"""Hold the results of a run with the versions that were measured, and store them as JSON."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs
import cattrs

from bench.fleet.runner import FleetRow

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FleetResults", "versions"]

_LIBRARIES = ("aiorekostream", "aiobotocore", "botocore", "aiohttp", "capo-rekognition")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that are installed."""
    found = {"Python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@attrs.frozen
class FleetResults:
    """The results of a run.

    Attributes:
        versions: the versions of Python and the libraries.
        rows: the results, in the order of measurement.
    """

    versions: dict[str, str]
    rows: Sequence[FleetRow]

    def of(self, case: str) -> list[FleetRow]:
        """Return the rows of a case, by its key."""
        return [row for row in self.rows if row.case == case]

    def write(self, file: Path) -> None:
        """Write the results as JSON."""
        file.write_text(json.dumps(cattrs.unstructure(self)) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> FleetResults:
        """Read such a file."""
        return cattrs.structure(json.loads(file.read_text(encoding="utf-8")), cls)
