"""A run's results as one value: what was measured, with what, and how it is kept in a file."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs
import cattrs

from bench.fleet.turns import Row

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Results", "versions"]

_LIBRARIES = ("aiorekostream", "aiobotocore", "botocore", "aiohttp", "capo-rekognition")


def versions() -> dict[str, str]:
    """The versions of Python and of the libraries that took part; what is not installed is not named."""
    found = {"Python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@attrs.frozen
class Results:
    """What a run found.

    Attributes:
        versions: of Python and the libraries.
        rows: the results, in the order in which they came.
    """

    versions: dict[str, str]
    rows: Sequence[Row]

    def of(self, case: str) -> list[Row]:
        """The rows of a case, by its key."""
        return [row for row in self.rows if row.case == case]

    def write(self, file: Path) -> None:
        """Keep it as JSON."""
        file.write_text(json.dumps(cattrs.unstructure(self)) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> Results:
        """From such a file."""
        return cattrs.structure(json.loads(file.read_text(encoding="utf-8")), cls)
