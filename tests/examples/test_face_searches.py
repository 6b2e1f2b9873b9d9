"""The manager of face searches of the examples: what it creates, starts, reports and stops."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from aiorekostream.domain import FaceSearchSettings
from examples.face_searches import read, run
from tests.examples.stage import EXAMPLES, ExampleStage, on_stage

if TYPE_CHECKING:
    from pathlib import Path

FILE = EXAMPLES / "cameras.toml"


def _statuses(stage: ExampleStage) -> dict[str, str]:
    return {state.name: state.status for state in stage.emulator.processors}


async def _run(stage: ExampleStage, command: str, path: Path = FILE) -> int:
    return await stage.complete(run(command, read(path), stage.new_client()))


async def test_start_creates_and_starts_what_the_file_names() -> None:
    async with on_stage() as stage:
        assert await _run(stage, "start") == 0
        assert _statuses(stage) == {"lobby": "RUNNING", "garage": "RUNNING"}
        garage = await stage.complete(stage.client.describe_stream_processor("garage"))
    assert isinstance(garage.settings, FaceSearchSettings)
    assert garage.settings.collection_id == "tenants"


async def test_start_changes_nothing_when_all_run() -> None:
    async with on_stage() as stage:
        await _run(stage, "start")
        stage.emulator.clear_calls()
        assert await _run(stage, "start") == 0
        assert not [call for call in stage.emulator.calls if call.operation == "CreateStreamProcessor"]
        assert not stage.starts()


async def test_start_reports_drift(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed = tmp_path / "changed.toml"
    changed.write_text(FILE.read_text(encoding="utf-8").replace('"staff"', '"visitors"'), encoding="utf-8")
    async with on_stage() as stage:
        await _run(stage, "start")
        await _run(stage, "start", changed)
    assert "lobby: collection_id is staff, and should be visitors" in capsys.readouterr().out


async def test_start_reports_a_face_search_that_fails(capsys: pytest.CaptureFixture[str]) -> None:
    async with on_stage() as stage:
        stage.emulator.fail("garage", "Access denied to Role", after=1)
        assert await _run(stage, "start") == 1
        assert _statuses(stage) == {"lobby": "RUNNING", "garage": "FAILED"}
    assert "Access denied to Role" in capsys.readouterr().out


async def test_stop_leaves_all_at_rest() -> None:
    async with on_stage() as stage:
        await _run(stage, "start")
        assert await _run(stage, "stop") == 0
        assert _statuses(stage) == {"lobby": "STOPPED", "garage": "STOPPED"}


async def test_watch_prints_each_end(capsys: pytest.CaptureFixture[str]) -> None:
    async with on_stage() as stage:
        watching = asyncio.create_task(run("watch", read(FILE), stage.new_client()))
        await stage.until(lambda: list(_statuses(stage).values()) == ["RUNNING"] * 2)
        stage.emulator.fail("lobby", "Collection not found", after=5)
        printed = ""

        def has_printed() -> bool:
            nonlocal printed
            printed += capsys.readouterr().out
            return "lobby is FAILED" in printed

        await stage.until(has_printed)
        watching.cancel()
        await stage.until(watching.done)
    assert "lobby is FAILED: Collection not found" in printed
    assert watching.cancelled()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("min_confidence = 50", "lobby: .*unexpected keyword argument 'min_confidence'"),
        ("data_sharing_opt_in = 1", "lobby: data_sharing_opt_in: must be"),
    ],
)
def test_file_is_refused_when_a_setting_is_wrong(tmp_path: Path, line: str, message: str) -> None:
    wrong = tmp_path / "wrong.toml"
    text = FILE.read_text(encoding="utf-8").replace("[defaults]", f"[defaults]\n{line}")
    wrong.write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit, match=message):
        read(wrong)
