"""The contracts of the architecture hold, and each of them notices when it is broken."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = {
    str(contract["id"]): str(contract["name"])
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
}
# What is broken, the file in which, and the line that does it.
BREAKAGES = [
    pytest.param("layers", "clock.py", "import aiorekostream.limits", id="layers-between-strangers"),
    pytest.param("layers", "resilience/verdict.py", "import aiorekostream.transport.port", id="layers-across-rooms"),
    pytest.param("layers", "newcomer.py", "", id="layers-with-an-unplaced-room"),
    pytest.param("siblings", "domain/enums.py", "import aiorekostream.domain.status", id="siblings"),
    pytest.param("pure", "errors.py", "import time", id="pure-directly"),
    pytest.param("pure", "operations.py", "import aiohttp", id="pure-through-a-library"),
    pytest.param("domain", "domain/names.py", "import cattrs", id="domain"),
    pytest.param("one-transport", "pipeline.py", "import aiorekostream.transport.aws", id="one-transport"),
    pytest.param("second-opinion", "emulator/service.py", "import aiorekostream.codec", id="second-opinion"),
]


def broken_contracts(tree: Path) -> set[str]:
    """The ids of the contracts that import-linter finds broken in a tree."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()"]
    options = ["--no-logo", "--no-cache"]
    done = subprocess.run(
        [*command, *options],
        cwd=tree,
        env={"PYTHONPATH": str(tree), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = {key for key, name in CONTRACTS.items() if f"{name} BROKEN" in done.stdout}
    kept = {key for key, name in CONTRACTS.items() if f"{name} KEPT" in done.stdout}
    assert found | kept == CONTRACTS.keys(), done.stdout + done.stderr
    return found


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the package that may be spoilt."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "aiorekostream", tmp_path / "aiorekostream", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_every_contract_is_kept(tree: Path) -> None:
    assert broken_contracts(tree) == set()


@pytest.mark.parametrize(("contract", "file", "line"), BREAKAGES)
def test_a_contract_notices_when_it_is_broken(tree: Path, contract: str, file: str, line: str) -> None:
    spoilt = tree / "aiorekostream" / file
    with spoilt.open("a", encoding="utf-8") as source:
        source.write(f"\n{line}\n")
    assert broken_contracts(tree) == {contract}


def test_every_contract_has_a_breakage() -> None:
    assert {str(case.values[0]) for case in BREAKAGES} == CONTRACTS.keys()
