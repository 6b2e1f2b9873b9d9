"""The contracts of import-linter are kept, and each of them detects a violation."""

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
# The contract, the file that violates it, and the line that is appended to the file.
VIOLATIONS = [
    pytest.param("layers", "clock.py", "import aiorekostream.limits", id="layers-unrelated-modules"),
    pytest.param("layers", "retry/classify.py", "import aiorekostream.transport.port", id="layers-same-layer"),
    pytest.param("layers", "unplaced.py", "", id="layers-unplaced-module"),
    pytest.param("siblings", "domain/enums.py", "import aiorekostream.domain.status", id="siblings"),
    pytest.param("pure", "errors.py", "import time", id="pure-directly"),
    pytest.param("pure", "operations.py", "import aiohttp", id="pure-through-a-library"),
    pytest.param("pure", "emulator/world/crud.py", "import asyncio", id="pure-world-of-the-emulator"),
    pytest.param("domain", "domain/names.py", "import cattrs", id="domain"),
    pytest.param("one-transport", "pipeline/pipeline.py", "import aiorekostream.transport.aws", id="one-transport"),
    pytest.param("one-services", "client/client.py", "import aiorekostream.transport.services", id="one-services"),
    pytest.param("second-opinion", "emulator/service.py", "import aiorekostream.codec", id="second-opinion"),
]


def broken_contracts(tree: Path) -> set[str]:
    """Return the ids of the contracts that import-linter reports as broken in a tree."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()"]
    options = ["--no-logo", "--no-cache"]
    completed = subprocess.run(
        [*command, *options],
        cwd=tree,
        env={"PYTHONPATH": str(tree), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    broken = {key for key, name in CONTRACTS.items() if f"{name} BROKEN" in completed.stdout}
    kept = {key for key, name in CONTRACTS.items() if f"{name} KEPT" in completed.stdout}
    assert broken | kept == CONTRACTS.keys(), completed.stdout + completed.stderr
    return broken


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the package that a test may modify."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "aiorekostream", tmp_path / "aiorekostream", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_contracts_are_kept(tree: Path) -> None:
    assert broken_contracts(tree) == set()


@pytest.mark.parametrize(("contract", "file", "line"), VIOLATIONS)
def test_contract_reports_its_violation(tree: Path, contract: str, file: str, line: str) -> None:
    modified = tree / "aiorekostream" / file
    assert modified.exists() or file == "unplaced.py"
    with modified.open("a", encoding="utf-8") as source:
        source.write(f"\n{line}\n")
    assert broken_contracts(tree) == {contract}


def test_every_contract_has_a_violation() -> None:
    assert {str(case.values[0]) for case in VIOLATIONS} == CONTRACTS.keys()
