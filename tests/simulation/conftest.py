"""Set how many seeds are played, and play one of them again: ``pytest tests/simulation --seed 1234``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.effort import part

if TYPE_CHECKING:
    import pytest

_MANY = 2000
_BLOCK = 100


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=None, help="play only this seed of the simulations")
    parser.addoption("--seeds", type=int, help=f"how many seeds of the simulations are played (default: {_MANY})")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seeds" not in metafunc.fixturenames:
        return
    # The options are not known where these tests were not asked for by name.
    only: int | None = metafunc.config.getoption("seed", None)
    many: int = metafunc.config.getoption("seeds", None) or part(_MANY)
    blocks = [range(only, only + 1)] if only is not None else [range(n, n + _BLOCK) for n in range(0, many, _BLOCK)]
    metafunc.parametrize("seeds", blocks, ids=[f"seed-{block.start}-to-{block.stop - 1}" for block in blocks])
