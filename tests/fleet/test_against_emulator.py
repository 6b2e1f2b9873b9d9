"""A fleet and the emulator, over real HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiorekostream as rks
from aiorekostream import emulator as emulated
from aiorekostream.fleet import Fleet, Started
from tests.fleet.service import labels, names

if TYPE_CHECKING:
    from collections.abc import Sequence

_REGION = "eu-west-1"


async def _create(client: rks.Client, processors: Sequence[str]) -> None:
    for name in processors:
        await client.create_stream_processor(
            rks.LabelDetectionProcessor(
                name=name,
                kinesis_video_stream_arn=f"arn:aws:kinesisvideo:{_REGION}:123456789012:stream/{name}/1656000000000",
                role_arn="arn:aws:iam::123456789012:role/rekognition",
                labels=["PERSON"],
                s3_destination=rks.S3Destination("pictures"),
                sns_topic_arn=f"arn:aws:sns:{_REGION}:123456789012:doors",
            )
        )


async def test_outcomes_agree_with_the_calls_of_the_emulator() -> None:
    async with (
        emulated.Emulator(quotas=False) as emulator,
        rks.Client(region=_REGION, endpoint_url=emulator.url, rate_limiter=None) as client,
    ):
        await _create(client, names(40))
        emulator.inject(emulated.ResetAfter(operation="StartStreamProcessor", times=3))
        report = await Fleet(client).start(labels(40, 120))
        recorded = {call.name: call.session_id for call in emulator.calls if call.session_id}
    assert len(report.started) == 40
    assert sum(it.session.reconciled for it in report.started) == 3
    for it in report.started:
        assert it.session.session_id == (None if it.session.reconciled else recorded[it.name])


async def test_more_processors_than_slots_are_started_as_sessions_end() -> None:
    clock = emulated.ScaledClock(50)
    async with (
        emulated.Emulator(quotas=False, clock=clock) as emulator,
        rks.Client(region=_REGION, endpoint_url=emulator.url, rate_limiter=None) as client,
    ):
        await _create(client, names(60))
        fleet = Fleet(client, poll_interval=0.2)
        outcomes = [outcome async for outcome in fleet.iter_start(labels(60, 50))]
        states = emulator.calls
    assert all(isinstance(outcome, Started) for outcome in outcomes)
    assert len(outcomes) == 60
    assert {call.code for call in states if call.operation == "StartStreamProcessor"} == {None}


async def test_stop_leaves_no_processor_at_work() -> None:
    async with (
        emulated.Emulator(quotas=False) as emulator,
        rks.Client(region=_REGION, endpoint_url=emulator.url, rate_limiter=None) as client,
    ):
        await _create(client, names(20))
        fleet = Fleet(client)
        await fleet.start(labels(10, 120))
        report = await fleet.stop(names(20))
        await asyncio.sleep(0)
        busy = {state.name for state in emulator.processors if state.status == "STARTING"}
    assert report.counts == {"stopped": 10, "already stopped": 10}
    assert not busy
