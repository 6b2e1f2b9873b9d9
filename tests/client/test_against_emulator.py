"""The client and the emulator over real HTTP, which share no code for AWS's spelling."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

import aiorekostream as rks
from aiorekostream import emulator as emulated
from aiorekostream.domain.responses import ConnectedHomeSettings, FaceSearchSettings
from aiorekostream.errors import MalformedResponseError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_REGION = "us-east-1"
_NOW = rks.ProducerTimestamp(1_700_000_000_000)
_PATIENT = rks.RetryPolicy(
    max_attempts=8, base_delay=0.001, max_delay=0.01, max_apply_delay=0, max_apply_delay_after_close=0
)


def _label_detection(name: str) -> rks.LabelDetectionProcessor:
    return rks.LabelDetectionProcessor(
        name=name,
        kinesis_video_stream_arn=f"arn:aws:kinesisvideo:{_REGION}:123456789012:stream/{name}/1656000000000",
        role_arn="arn:aws:iam::123456789012:role/rekognition",
        labels=["PERSON", "PET"],
        s3_destination=rks.S3Destination("pictures", "doors"),
        sns_topic_arn=f"arn:aws:sns:{_REGION}:123456789012:doors",
        min_confidence=62.5,
        kms_key_id="alias/doors",
        regions_of_interest=[
            rks.BoundingBox(left=0.25, top=0, width=0.5, height=1),
            rks.Polygon([rks.Point(0, 0), rks.Point(1, 0), rks.Point(0.5, 0.5)]),
        ],
        data_sharing_opt_in=False,
        tags={"site": "north"},
    )


def _face_search(name: str) -> rks.FaceSearchProcessor:
    return rks.FaceSearchProcessor(
        name=name,
        kinesis_video_stream_arn=f"arn:aws:kinesisvideo:{_REGION}:123456789012:stream/{name}/1656000000000",
        kinesis_data_stream_arn=f"arn:aws:kinesis:{_REGION}:123456789012:stream/{name}",
        role_arn="arn:aws:iam::123456789012:role/rekognition",
        collection_id="staff",
        face_match_threshold=70,
    )


def _start(name: str, seconds: int = 30) -> rks.LabelDetectionStart:
    return rks.LabelDetectionStart(name=name, start_selector=_NOW, stop_selector=rks.StopSelector(seconds))


@pytest.fixture
async def clock() -> emulated.ManualClock:
    return emulated.ManualClock()


@pytest.fixture
async def emulator(clock: emulated.ManualClock) -> AsyncIterator[emulated.Emulator]:
    async with emulated.Emulator(clock=clock, check_answers=True) as running:
        yield running


@pytest.fixture
async def client(emulator: emulated.Emulator) -> AsyncIterator[rks.Client]:
    async with rks.Client(region=_REGION, endpoint_url=emulator.url, retry=_PATIENT, rate_limiter=None) as opened:
        yield opened


async def test_label_detection_runs_through_its_life_cycle(client: rks.Client, clock: emulated.ManualClock) -> None:
    asked = _label_detection("front-door")
    created = await client.create_stream_processor(asked)
    found = await client.describe_stream_processor("front-door")
    assert found.stream_processor_arn == created.stream_processor_arn
    assert found.kind is rks.ProcessorKind.LABEL_DETECTION
    assert (found.status, found.status_message) == (rks.Status.STOPPED, None)
    assert found.kinesis_video_stream_arn == str(asked.kinesis_video_stream_arn)
    assert found.settings == ConnectedHomeSettings(asked.labels, asked.min_confidence)
    assert found.s3_destination == asked.s3_destination
    assert found.sns_topic_arn == str(asked.sns_topic_arn)
    assert found.role_arn == str(asked.role_arn)
    assert found.kms_key_id == asked.kms_key_id
    assert found.regions_of_interest == asked.regions_of_interest
    assert found.data_sharing_opt_in is False
    assert found.creation_timestamp is not None
    assert found.creation_timestamp.timestamp() == clock.now()
    assert await client.list_tags_for_resource(created.stream_processor_arn) == {"site": "north"}

    session = await client.start_stream_processor(_start("front-door", 30))
    assert session.session_id
    clock.advance(29)
    assert (await client.describe_stream_processor("front-door")).status is rks.Status.STARTING
    clock.advance(2)
    assert (await client.describe_stream_processor("front-door")).status is rks.Status.STOPPED

    await client.update_stream_processor(
        rks.LabelDetectionUpdate(
            name="front-door", labels=[rks.Label.PACKAGE], min_confidence=rks.RESET, regions_of_interest=rks.RESET
        )
    )
    assert (await client.describe_stream_processor("front-door")).status is rks.Status.UPDATING
    clock.advance(5)
    changed = await client.describe_stream_processor("front-door")
    assert (changed.status, changed.regions_of_interest) == (rks.Status.STOPPED, ())
    assert isinstance(changed.settings, ConnectedHomeSettings)
    assert changed.settings.labels == (rks.Label.PACKAGE,)

    await client.delete_stream_processor("front-door")
    clock.advance(10)
    with pytest.raises(rks.ResourceNotFoundError):
        await client.describe_stream_processor("front-door")


async def test_face_search_runs_through_its_life_cycle(client: rks.Client, clock: emulated.ManualClock) -> None:
    await client.create_stream_processor(_face_search("lobby"))
    await client.start_stream_processor(rks.FaceSearchStart("lobby"))
    assert (await client.describe_stream_processor("lobby")).status is rks.Status.STARTING
    clock.advance(5)
    found = await client.describe_stream_processor("lobby")
    assert found.status is rks.Status.RUNNING
    # AWS raises a threshold below 80 to 80.
    assert found.settings == FaceSearchSettings("staff", 80)
    await client.stop_stream_processor("lobby")
    clock.advance(5)
    assert (await client.describe_stream_processor("lobby")).status is rks.Status.STOPPED


async def test_tags_are_added_listed_and_removed(client: rks.Client) -> None:
    arn = (await client.create_stream_processor(_label_detection("front-door"))).stream_processor_arn
    await client.tag_resource(arn, {"owner": "Zoë", "floor": "1"})
    await client.untag_resource(arn, ["site"])
    assert await client.list_tags_for_resource(arn) == {"owner": "Zoë", "floor": "1"}


async def test_list_reads_every_page(client: rks.Client, clock: emulated.ManualClock) -> None:
    for n in range(7):
        await client.create_stream_processor(_label_detection(f"door-{n}"))
    clock.advance(10)
    pages = [len(page.stream_processors) async for page in client.list_stream_processors(max_results=3).pages()]
    assert pages == [3, 3, 1]
    clock.advance(1)  # five pages a second are the quota
    names = {item.name async for item in client.list_stream_processors(max_results=2)}
    assert names == {f"door-{n}" for n in range(7)}


async def test_processor_fails_after_its_start_when_the_role_is_invalid(clock: emulated.ManualClock) -> None:
    role = str(_label_detection("x").role_arn)
    dependency_faults = emulated.DependencyFaults(denied_roles=frozenset({role}))
    async with (
        emulated.Emulator(clock=clock, dependency_faults=dependency_faults) as emulator,
        rks.Client(region=_REGION, endpoint_url=emulator.url) as client,
    ):
        await client.create_stream_processor(_label_detection("front-door"))
        await client.start_stream_processor(_start("front-door"))
        clock.advance(5)
        found = await client.describe_stream_processor("front-door")
    assert (found.status, found.status_message) == (rks.Status.FAILED, "Access denied to Role")


async def test_start_is_retried_until_the_quota_allows_it(client: rks.Client, emulator: emulated.Emulator) -> None:
    await client.create_stream_processor(_label_detection("front-door"))
    emulator.inject(emulated.Throttle(operation="StartStreamProcessor", times=3))
    assert (await client.start_stream_processor(_start("front-door"))).session_id
    assert [call.operation for call in emulator.calls].count("StartStreamProcessor") == 4


async def test_start_is_reconciled_when_its_response_is_lost(client: rks.Client, emulator: emulated.Emulator) -> None:
    await client.create_stream_processor(_label_detection("front-door"))
    emulator.inject(emulated.ResetAfter(operation="StartStreamProcessor"))
    assert await client.start_stream_processor(_start("front-door")) == rks.StartedSession(None, reconciled=True)
    assert [call.operation for call in emulator.calls].count("StartStreamProcessor") == 1


async def test_start_is_retried_when_its_request_is_lost(client: rks.Client, emulator: emulated.Emulator) -> None:
    await client.create_stream_processor(_label_detection("front-door"))
    emulator.inject(emulated.ResetBefore(operation="StartStreamProcessor"))
    session = await client.start_stream_processor(_start("front-door"))
    assert session.session_id
    assert not session.reconciled


async def test_lost_start_is_in_use_when_another_client_was_first(
    client: rks.Client, emulator: emulated.Emulator, clock: emulated.ManualClock
) -> None:
    await client.create_stream_processor(_label_detection("front-door"))
    await client.start_stream_processor(_start("front-door"))
    clock.advance(10)
    emulator.inject(emulated.ResetBefore(operation="StartStreamProcessor"))
    with pytest.raises(rks.ResourceInUseError, match="in use by another client"):
        await client.start_stream_processor(_start("front-door"))


async def test_start_is_unknown_when_its_describe_fails_too(client: rks.Client, emulator: emulated.Emulator) -> None:
    await client.create_stream_processor(_label_detection("front-door"))
    emulator.inject(
        emulated.ResetAfter(operation="StartStreamProcessor"),
        emulated.ErrorResponse(operation="DescribeStreamProcessor", times=None),
    )
    with pytest.raises(rks.UnknownOutcomeError, match="DescribeStreamProcessor failed, too"):
        await client.start_stream_processor(_start("front-door"))


async def test_create_is_reconciled_when_its_response_is_lost(client: rks.Client, emulator: emulated.Emulator) -> None:
    emulator.inject(emulated.ResetAfter(operation="CreateStreamProcessor"))
    created = await client.create_stream_processor(_label_detection("front-door"))
    found = await client.describe_stream_processor("front-door")
    assert created.stream_processor_arn == found.stream_processor_arn
    assert [call.operation for call in emulator.calls].count("CreateStreamProcessor") == 1


async def test_stop_is_reconciled_when_its_response_is_lost(client: rks.Client, emulator: emulated.Emulator) -> None:
    await client.create_stream_processor(_label_detection("front-door"))
    await client.start_stream_processor(_start("front-door"))
    emulator.inject(emulated.ResetAfter(operation="StopStreamProcessor"))
    await client.stop_stream_processor("front-door")
    assert [call.operation for call in emulator.calls].count("StopStreamProcessor") == 1


async def test_read_is_retried_when_its_response_is_lost(client: rks.Client, emulator: emulated.Emulator) -> None:
    await client.create_stream_processor(_label_detection("front-door"))
    emulator.inject(emulated.ResetAfter(operation="DescribeStreamProcessor"))
    assert (await client.describe_stream_processor("front-door")).status is rks.Status.STOPPED


@pytest.mark.parametrize("done", [True, False])
async def test_html_response_is_malformed(client: rks.Client, emulator: emulated.Emulator, *, done: bool) -> None:
    await client.create_stream_processor(_label_detection("front-door"))
    emulator.inject(emulated.MalformedResponse(operation="UpdateStreamProcessor", done=done))
    with pytest.raises(MalformedResponseError):
        await client.update_stream_processor(rks.LabelDetectionUpdate(name="front-door", labels=["ALL"]))


@pytest.mark.parametrize("done", [True, False])
async def test_delete_is_reconciled_when_its_response_is_lost(
    client: rks.Client, emulator: emulated.Emulator, clock: emulated.ManualClock, *, done: bool
) -> None:
    await client.create_stream_processor(_label_detection("front-door"))
    emulator.inject(emulated.MalformedResponse(operation="DeleteStreamProcessor", done=done))
    day = rks.Timeout(total=86_400)  # on the manual clock, which runs ahead of the real connections
    async with rks.Client(
        region=_REGION, endpoint_url=emulator.url, retry=_PATIENT, clock=clock, timeout=day
    ) as patient:
        deleting = asyncio.create_task(patient.delete_stream_processor("front-door"))
        while not deleting.done():  # a deletion takes a while to show: let the time pass in which it is looked for
            clock.advance(0.005)
            await asyncio.sleep(0)
        await deleting
    clock.advance(10)
    with pytest.raises(rks.ResourceNotFoundError):
        await client.describe_stream_processor("front-door")


async def test_call_ends_at_its_deadline_when_the_server_hangs(client: rks.Client, emulator: emulated.Emulator) -> None:
    emulator.inject(emulated.Hang())
    with pytest.raises(rks.DeadlineExceededError):
        await client.with_options(timeout=0.2).describe_stream_processor("front-door")


async def test_denial_names_the_regions_of_the_kind_when_it_has_no_message(emulator: emulated.Emulator) -> None:
    async with rks.Client(region="ap-northeast-1", endpoint_url=emulator.url) as client:
        there = rks.LabelDetectionProcessor(
            name="front-door",
            kinesis_video_stream_arn="arn:aws:kinesisvideo:ap-northeast-1:123456789012:stream/front-door/1",
            role_arn="arn:aws:iam::123456789012:role/rekognition",
            labels=["ALL"],
            s3_destination=rks.S3Destination("pictures"),
            sns_topic_arn="arn:aws:sns:ap-northeast-1:123456789012:doors",
        )
        with pytest.raises(rks.AccessDeniedError) as caught:
            await client.create_stream_processor(there)
    assert caught.value.message == ""
    assert "us-west-2" in caught.value.hint
    assert caught.value.hint in str(caught.value)


async def test_200_concurrent_starts_succeed_without_a_quota() -> None:
    async with (
        emulated.Emulator(quotas=False) as emulator,
        rks.Client(region=_REGION, endpoint_url=emulator.url, max_connections=200, rate_limiter=None) as client,
    ):
        names = [f"camera-{n}" for n in range(200)]
        await asyncio.gather(*(client.create_stream_processor(_label_detection(name)) for name in names))
        sessions = await asyncio.gather(*(client.start_stream_processor(_start(name)) for name in names))
    assert len({session.session_id for session in sessions}) == 200
