"""Waiting and intent over real HTTP, against the emulator in its own time."""

from __future__ import annotations

import asyncio

import pytest

from aiorekostream.client.intent import Intent
from aiorekostream.client.waiting import Watcher
from aiorekostream.codec import parse_processor
from aiorekostream.domain.requests import DeleteRequest, FaceSearchStart
from aiorekostream.domain.status import Status
from aiorekostream.emulator import Emulator, Timings
from aiorekostream.errors import StreamProcessorFailedError
from aiorekostream.operations import DELETE
from aiorekostream.pipeline import Pipeline
from aiorekostream.retry.policy import RetryPolicy
from aiorekostream.transport.aws import AwsTransport
from tests.emulator.samples import faces

_NAMES = [f"camera-{n}" for n in range(6)]


async def test_cameras_are_created_and_run_and_rest_and_go() -> None:
    async with (
        Emulator(timings=Timings(starting=0.1, stopping=0.1, deleting=0.1), check_answers=True) as emulator,
        AwsTransport(region="us-east-1", endpoint_url=emulator.url) as transport,
    ):
        pipeline = Pipeline(transport=transport, retry=RetryPolicy(), total_timeout=30)
        watcher = Watcher(pipeline)
        intent = Intent(pipeline, watcher)
        wanted = [parse_processor(faces(name)) for name in _NAMES]
        assert all([(await intent.created(processor)).created for processor in wanted])
        running = await asyncio.gather(*(intent.running(FaceSearchStart(name)) for name in _NAMES))
        assert {found.status for found in running} == {Status.RUNNING}
        assert (await intent.stopped("camera-0")).status is Status.STOPPED
        report = await intent.created(wanted[0])
        assert (report.created, report.drift) == (False, ())
        await pipeline.call(DELETE, DeleteRequest("camera-0"))
        await watcher.until_deleted("camera-0")
        emulator.fail("camera-1", "Access denied to Kinesis Data")
        with pytest.raises(StreamProcessorFailedError, match="kinesis:PutRecords"):
            await watcher.until_stopped("camera-1")
        operations = [call.operation for call in emulator.calls]
        assert operations.count("ListStreamProcessors") >= 1
        assert operations.count("StopStreamProcessor") == 1
