"""Names: unique classes, a small front door, and test names of bounded length."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import aiorekostream

ROOT = Path(__file__).parents[2]
# About what a reader can survey on one page of the reference.
MAX_PUBLIC_NAMES = 60
# Longer names of tests are cut off in the output of pytest on a terminal of 120 columns.
MAX_TEST_NAME_LENGTH = 70


def _trees(folder: str) -> dict[str, ast.Module]:
    paths = sorted((ROOT / folder).rglob("*.py"))
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def test_class_name_occurs_once() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for folder in ("aiorekostream", "bench", "examples", "tests", "tools"):
        for path, tree in _trees(folder).items():
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef):
                    places[node.name.lstrip("_")].append(f"{path}:{node.lineno}")
    assert places, "no class was found"
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_front_door_is_small() -> None:
    assert len(aiorekostream.__all__) <= MAX_PUBLIC_NAMES


def test_test_names_are_short() -> None:
    names = [
        f"{path}:{node.lineno}: {node.name}"
        for path, tree in _trees("tests").items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and len(node.name) > MAX_TEST_NAME_LENGTH
    ]
    assert names == []
