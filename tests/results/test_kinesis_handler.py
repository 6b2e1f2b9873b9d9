"""The handler for AWS Lambda of face search records in Kinesis."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aiorekostream.errors import InvalidRequestError, MalformedEventError
from aiorekostream.results import awslambda
from tests.payloads import FACE_RECORDS, wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aiorekostream.domain.faces import FaceSearchRecord

pytestmark = pytest.mark.usefixtures("event_loop_of_lambda")


def _kinesis(*numbers: int, malformed: Iterable[int] = ()) -> dict[str, Any]:
    """An event of records whose streams are their sequence numbers."""
    template = wire("face-lambda-event")["Records"][0]
    members = wire("face-record-unknown-face")
    records: list[dict[str, Any]] = []
    for number in numbers:
        members["InputInformation"]["KinesisVideo"]["StreamArn"] = f"stream/{number}"
        data = "junk" if number in malformed else base64.b64encode(json.dumps(members).encode()).decode()
        kinesis = {**template["kinesis"], "sequenceNumber": str(number), "data": data}
        records.append({**template, "kinesis": kinesis})
    return {"Records": records}


def _failed(*numbers: int) -> dict[str, list[dict[str, str]]]:
    return {"batchItemFailures": [{"itemIdentifier": str(number)} for number in numbers]}


class _Recorder:
    """A function for ``kinesis_handler`` that fails on some records."""

    def __init__(self, *failing: int) -> None:
        self.failing = failing
        self.handled: list[int] = []
        self.running = self.most = 0

    async def __call__(self, record: FaceSearchRecord) -> None:
        number = int(record.kinesis_video_stream_arn.removeprefix("stream/"))
        self.running += 1
        self.most = max(self.most, self.running)
        for _ in range(5):
            await asyncio.sleep(0)
        self.running -= 1
        self.handled.append(number)
        if number in self.failing:
            raise ZeroDivisionError


def test_kinesis_handler_handles_every_record() -> None:
    handled: list[FaceSearchRecord] = []

    async def handle(record: FaceSearchRecord) -> None:
        handled.append(record)

    assert awslambda.kinesis_handler(handle)(wire("face-lambda-event"), None) == _failed()
    assert handled == [FACE_RECORDS["face-record-unknown-face"], FACE_RECORDS["face-record-one-match"]]


def test_kinesis_handler_names_the_record_that_failed(caplog: pytest.LogCaptureFixture) -> None:
    """The records after it are delivered again, so they are not begun."""
    record = _Recorder(3, 4)
    assert awslambda.kinesis_handler(record)(_kinesis(1, 2, 3, 4, 5)) == _failed(3)
    assert record.handled == [1, 2, 3]
    assert [entry.levelno for entry in caplog.records if entry.name == "aiorekostream"] == [logging.ERROR]


def test_kinesis_handler_names_the_lowest_record_of_several_that_failed() -> None:
    record = _Recorder(9, 10, 11)
    assert awslambda.kinesis_handler(record, concurrency=4)(_kinesis(10, 9, 11, 12, 13)) == _failed(9)
    assert sorted(record.handled) == [9, 10, 11, 12]


@given(st.permutations(range(7, 13)), st.sets(st.integers(7, 12), min_size=1), st.integers(1, 3))
@example([10, 9, 11], {10}, 1)
def test_kinesis_handler_handles_every_record_below_its_answer(
    numbers: list[int], failing: set[int], concurrency: int
) -> None:
    """Lambda takes them as handled, whatever their order. Sequence numbers are compared as numbers, not as text."""
    record = _Recorder(*failing)
    answer = awslambda.kinesis_handler(record, concurrency=concurrency)(_kinesis(*numbers))
    assert answer == _failed(min(failing))
    assert {number for number in numbers if number <= min(failing)} <= set(record.handled)


@pytest.mark.parametrize("concurrency", [1, 3])
def test_kinesis_handler_handles_so_many_at_a_time(concurrency: int) -> None:
    record = _Recorder()
    assert awslambda.kinesis_handler(record, concurrency=concurrency)(_kinesis(*range(9))) == _failed()
    assert record.most == concurrency
    assert sorted(record.handled) == list(range(9))


def test_kinesis_handler_reports_a_malformed_record_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    malformed: list[str] = []

    async def keep(record: Mapping[str, Any], error: MalformedEventError) -> None:
        assert [issue.path for issue in error.issues] == ["kinesis.data"]
        malformed.append(record["kinesis"]["sequenceNumber"])

    record = _Recorder()
    event = _kinesis(1, 2, 3, malformed=[2])
    assert awslambda.kinesis_handler(record, on_malformed=keep)(event) == _failed()
    assert awslambda.kinesis_handler(record)(event) == _failed()
    assert (record.handled, malformed) == ([1, 3, 1, 3], ["2"])
    assert [entry.levelno for entry in caplog.records if entry.name == "aiorekostream"] == [logging.WARNING] * 2


def test_kinesis_handler_fails_a_malformed_record_that_could_not_be_kept() -> None:
    async def keep(_: Mapping[str, Any], __: MalformedEventError) -> None:
        raise OSError

    record = _Recorder()
    event = _kinesis(1, 2, 3, malformed=[2])
    assert awslambda.kinesis_handler(record, on_malformed=keep)(event) == _failed(2)
    assert record.handled == [1]


@pytest.mark.parametrize("kinesis", [None, "junk", {}, {"sequenceNumber": 1}, {"sequenceNumber": "-1"}])
def test_record_without_a_sequence_number_is_malformed(kinesis: object) -> None:
    event = _kinesis(1, 2)
    event["Records"][1]["kinesis"] = kinesis
    with pytest.raises(MalformedEventError) as caught:
        awslambda.kinesis_handler(_Recorder())(event)
    assert [issue.path for issue in caught.value.issues] == ["Records[1].kinesis.sequenceNumber"]


def test_concurrency_of_a_kinesis_handler_is_validated() -> None:
    with pytest.raises(InvalidRequestError):
        awslambda.kinesis_handler(_Recorder(), concurrency=0)
