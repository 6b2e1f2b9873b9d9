"""What a client logs: one DEBUG line for each attempt, and INFO or WARNING for what an operator must know."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

import pytest

import aiorekostream as rks
from aiorekostream import errors
from tests.fleet.service import DESCRIBE, START, Service, faces, lost, once, run, throttling

if TYPE_CHECKING:
    from collections.abc import Callable


def _records(
    caplog: pytest.LogCaptureFixture, before: Callable[[str, str], Exception | None]
) -> list[logging.LogRecord]:
    """Start one face search, and give what was logged."""
    service = Service(before=before)
    service.create("face-0", faces=True)
    caplog.set_level(logging.DEBUG, "aiorekostream")

    async def main() -> None:
        client = service.client()
        with contextlib.suppress(rks.RekostreamError):
            await client.start_stream_processor(faces(1)[0])

    run(main())
    return [record for record in caplog.records if record.name == "aiorekostream"]


def _shown(record: logging.LogRecord, *fields: str) -> list[object]:
    return [vars(record)[field] for field in fields]


def test_smooth_call_logs_one_debug_line(caplog: pytest.LogCaptureFixture) -> None:
    (record,) = _records(caplog, lambda _operation, _name: None)
    assert record.levelno == logging.DEBUG
    assert _shown(record, "operation", "processor", "attempt") == [START, "face-0", 1]
    assert vars(record)["took"] == pytest.approx(0.05)
    assert (
        record.getMessage()
        == "StartStreamProcessor of face-0: attempt 1, sent after 0.000 s, ended after 0.050 s: success"
    )


@pytest.mark.parametrize("retry_after", [0.0, 1.5, 7.0])
def test_each_attempt_logs_the_delay_before_it(retry_after: float, caplog: pytest.LogCaptureFixture) -> None:
    records = _records(caplog, once(throttling(retry_after=retry_after)))
    first, second = (record for record in records if "attempt" in vars(record))
    assert [record.levelno for record in (first, second)] == [logging.DEBUG] * 2
    assert "slow down" in first.getMessage()
    assert _shown(second, "attempt") == [2]
    assert vars(second)["waited"] >= retry_after
    if retry_after:
        assert vars(second)["waited"] == pytest.approx(retry_after, abs=0.2)


@pytest.mark.parametrize("error", [lost(), errors.ConnectionLostError("cut", operation=START, closed=True)])
def test_lost_answer_and_its_resolution_are_logged(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    records = [record for record in _records(caplog, once(error)) if record.levelno > logging.DEBUG]
    assert records
    assert "was lost" in records[0].getMessage()
    assert {record.levelno for record in records} == {logging.INFO}
    for record in records:
        assert _shown(record, "operation", "processor") == [START, "face-0"]


def test_unknown_outcome_is_logged_as_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    def before(operation: str, _name: str) -> Exception | None:
        return lost(operation) if operation in {START, DESCRIBE} else None

    warnings = [record for record in _records(caplog, before) if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "unknown" in warnings[0].getMessage()


def test_smooth_fleet_logs_nothing_above_debug(caplog: pytest.LogCaptureFixture) -> None:
    service = Service()
    service.create(*(f"face-{number}" for number in range(5)), faces=True)
    caplog.set_level(logging.INFO, "aiorekostream")

    async def main() -> None:
        fleet = rks.Fleet(service.client())
        await fleet.start(faces(5))
        await asyncio.sleep(3)
        await fleet.stop([f"face-{number}" for number in range(5)])

    run(main())
    assert caplog.records == []
