"""Waiting and ensuring over real HTTP, against the emulator in its own time."""

from __future__ import annotations

import asyncio

import pytest

from aiorekostream.client import ensure
from aiorekostream.client.pages import StreamProcessorList
from aiorekostream.client.poller import Poller
from aiorekostream.client.wait_conditions import WaitCondition
from aiorekostream.codec import parse_processor
from aiorekostream.domain.requests import DeleteRequest, FaceSearchStart, ListRequest
from aiorekostream.domain.status import Status
from aiorekostream.emulator import Emulator, MalformedResponse, Timings
from aiorekostream.errors import MalformedResponseError, StreamProcessorFailedError
from aiorekostream.operations import DELETE
from aiorekostream.pipeline import Pipeline
from aiorekostream.retry.policy import RetryPolicy
from aiorekostream.transport.aws import AwsTransport
from tests.emulator.samples import faces

_NAMES = [f"camera-{n}" for n in range(6)]


async def test_waits_and_ensure_work_over_http() -> None:
    async with (
        Emulator(timings=Timings(starting=0.1, stopping=0.1, deleting=0.1), check_answers=True) as emulator,
        AwsTransport(region="us-east-1", endpoint_url=emulator.url) as transport,
    ):
        pipeline = Pipeline(transport=transport, retry=RetryPolicy(), total_timeout=30)
        waits = Poller(pipeline)
        wanted = [parse_processor(faces(name)) for name in _NAMES]
        assert all([(await ensure.created(pipeline, waits, processor)).changed for processor in wanted])
        running = await asyncio.gather(*(ensure.running(pipeline, waits, FaceSearchStart(name)) for name in _NAMES))
        assert {found.status for found in running} == {Status.RUNNING}
        assert (await ensure.stopped(pipeline, waits, "camera-0")).status is Status.STOPPED
        report = await ensure.created(pipeline, waits, wanted[0])
        assert (report.changed, report.drift) == (False, ())
        await pipeline.call(DELETE, DeleteRequest("camera-0"))
        await waits.until(WaitCondition.DELETED, "camera-0")
        emulator.fail("camera-1", "Access denied to Kinesis Data")
        with pytest.raises(StreamProcessorFailedError, match="kinesis:PutRecords"):
            await waits.until(WaitCondition.STOPPED, "camera-1")
        operations = [call.operation for call in emulator.calls]
        assert operations.count("ListStreamProcessors") >= 1
        assert operations.count("StopStreamProcessor") == 1


@pytest.mark.parametrize("body", ["", " ", "{}", "\ufeff{}", '{"NextToken": "x"}', '{"StreamProcessors": null}'])
async def test_list_without_processors_is_malformed_over_http(body: str) -> None:
    """An empty account answers an empty list."""
    async with (
        Emulator() as emulator,
        AwsTransport(region="us-east-1", endpoint_url=emulator.url) as transport,
    ):
        pipeline = Pipeline(transport=transport, retry=RetryPolicy(max_attempts=1), total_timeout=30)
        emulator.inject(MalformedResponse(operation="ListStreamProcessors", body=body))
        with pytest.raises(MalformedResponseError) as caught:
            await anext(StreamProcessorList(pipeline, ListRequest()).pages())
        assert caught.value.retry_safe
        assert [item async for item in StreamProcessorList(pipeline, ListRequest())] == []
