"""Call the emulator with boto3. Every response is validated against Amazon's model (check_answers)."""

from __future__ import annotations

import asyncio
import datetime
from typing import TYPE_CHECKING

import pytest

from aiorekostream.emulator import DependencyFaults, Emulator, ManualClock
from aiorekostream.limits import Limits, Quota
from tests.emulator.clients import Boto, boto
from tests.emulator.samples import faces, labels, session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(clock=ManualClock(1_700_000_000.123), check_answers=True) as emulator:
        yield emulator


@pytest.fixture
async def rekognition(emulator: Emulator) -> AsyncIterator[Boto]:
    async with boto(emulator.url) as client:
        yield client


async def test_label_detection_runs_through_its_life_cycle(emulator: Emulator, rekognition: Boto) -> None:
    created = await rekognition("create_stream_processor", **labels("door", Tags={"team": "doors"}))
    arn = created["StreamProcessorArn"]
    started = await rekognition("start_stream_processor", **session("door", seconds=30))
    assert started["SessionId"]
    described = await rekognition("describe_stream_processor", Name="door")
    assert described["Status"] == "STARTING"
    assert described["CreationTimestamp"] == datetime.datetime.fromtimestamp(1_700_000_000.123, datetime.UTC)
    assert "StatusMessage" not in described
    emulator.advance(30)
    assert await rekognition("list_stream_processors") == {"StreamProcessors": [{"Name": "door", "Status": "STOPPED"}]}
    assert await rekognition("update_stream_processor", Name="door", ParametersToDelete=["RegionsOfInterest"]) == {}
    assert await rekognition.status("door") == "UPDATING"
    emulator.advance(1)
    assert await rekognition("list_tags_for_resource", ResourceArn=arn) == {"Tags": {"team": "doors"}}
    assert await rekognition("tag_resource", ResourceArn=arn, Tags={"floor": "1"}) == {}
    assert await rekognition("untag_resource", ResourceArn=arn, TagKeys=["team"]) == {}
    assert await rekognition("list_tags_for_resource", ResourceArn=arn) == {"Tags": {"floor": "1"}}
    assert await rekognition("delete_stream_processor", Name="door") == {}
    emulator.advance(2)
    code, _, status = await rekognition.refused("describe_stream_processor", Name="door")
    assert (code, status) == ("ResourceNotFoundException", 400)


async def test_face_search_runs_through_its_life_cycle(emulator: Emulator, rekognition: Boto) -> None:
    await rekognition("create_stream_processor", **faces("lobby"))
    assert await rekognition("start_stream_processor", Name="lobby") == {}
    emulator.advance(2)
    assert await rekognition.status("lobby") == "RUNNING"
    assert await rekognition("stop_stream_processor", Name="lobby") == {}
    assert await rekognition.status("lobby") == "STOPPING"
    emulator.advance(1)
    assert await rekognition.status("lobby") == "STOPPED"


async def test_describe_returns_the_reason_of_a_failure(emulator: Emulator, rekognition: Boto) -> None:
    emulator.dependency_faults = DependencyFaults(denied_roles=["*"])
    await rekognition("create_stream_processor", **labels("door"))
    await rekognition("start_stream_processor", **session("door"))
    emulator.advance(1)
    described = await rekognition("describe_stream_processor", Name="door")
    assert (described["Status"], described["StatusMessage"]) == ("FAILED", "Access denied to Role")


async def test_errors_have_the_codes_messages_and_statuses_of_aws(rekognition: Boto) -> None:
    assert await rekognition.refused("stop_stream_processor", Name="no-such") == (
        "ResourceNotFoundException",
        "Stream processor no-such not found.",
        400,
    )
    await rekognition("create_stream_processor", **labels("door"))
    assert await rekognition.refused("create_stream_processor", **labels("door")) == (
        "ResourceInUseException",
        "Stream processor name already in use.",
        400,
    )
    code, message, status = await rekognition.refused("start_stream_processor", Name="door")
    assert (code, status) == ("InvalidParameterException", 400)
    assert message.startswith("Request has invalid parameters.")
    assert (await rekognition.refused("describe_stream_processor", Name="a b"))[0] == "InvalidParameterException"
    assert (await rekognition.refused("list_stream_processors", NextToken="x"))[0] == (
        "InvalidPaginationTokenException"
    )


async def test_create_is_denied_without_message_when_region_lacks_the_kind(emulator: Emulator) -> None:
    async with boto(emulator.url, region="ap-south-1") as mumbai, boto(emulator.url, region="sa-east-1") as sao_paulo:
        # Without a message in the response, botocore reports an empty string or its own placeholder.
        code, message, status = await mumbai.refused("create_stream_processor", **faces("lobby"))
        assert (code, status) == ("AccessDeniedException", 400)
        assert message in {"", "Unknown"}
        assert (await sao_paulo.refused("list_stream_processors"))[0] == "AccessDeniedException"


async def test_access_keys_have_separate_accounts(emulator: Emulator, rekognition: Boto) -> None:
    await rekognition("create_stream_processor", **labels("door"))
    async with boto(emulator.url, key="AKIAOTHER") as other:
        assert await other("list_stream_processors") == {"StreamProcessors": []}
        await other("create_stream_processor", **labels("door"))
    assert len({state.account for state in emulator.processors}) == 2


async def test_accounts_option_sets_the_account_of_a_key() -> None:
    async with (
        Emulator(accounts={"AKIAMINE": "123456789012"}, check_answers=True) as emulator,
        boto(emulator.url, key="AKIAMINE") as mine,
    ):
        arn = (await mine("create_stream_processor", **labels("door")))["StreamProcessorArn"]
        assert arn == "arn:aws:rekognition:us-east-1:123456789012:streamprocessor/door"


async def test_requests_above_the_quota_are_refused_until_the_clock_advances(
    emulator: Emulator, rekognition: Boto
) -> None:
    await rekognition("create_stream_processor", **faces("lobby"))
    await rekognition("start_stream_processor", Name="lobby")
    await rekognition("stop_stream_processor", Name="lobby")
    assert await rekognition.refused("stop_stream_processor", Name="lobby") == (
        "ThrottlingException",
        "Slow down; sudden increase in rate of requests.",
        400,
    )
    emulator.advance(1)
    assert (await rekognition.refused("stop_stream_processor", Name="lobby"))[0] == "ResourceInUseException"


async def test_quotas_follow_limits_and_can_be_disabled() -> None:
    limits = Limits(quotas={"ListStreamProcessors": Quota(1, 3, "")})
    choices = [(Emulator(clock=ManualClock(), limits=limits), 7), (Emulator(clock=ManualClock(), quotas=False), 0)]
    for choice, expected in choices:
        refusals = expected
        async with choice as emulator, boto(emulator.url) as rekognition:
            for _ in range(10):
                try:
                    await rekognition("list_stream_processors")
                except rekognition.client.exceptions.ThrottlingException:
                    refusals -= 1
            assert refusals == 0


async def test_signatures_are_verified_when_credentials_are_given() -> None:
    async with Emulator(credentials={"AKIAEXAMPLE": "right"}) as emulator:
        async with boto(emulator.url, secret="right") as known:
            assert await known("list_stream_processors") == {"StreamProcessors": []}
        async with boto(emulator.url, secret="wrong") as wrong:
            code, _, status = await wrong.refused("list_stream_processors")
            assert (code, status) == ("InvalidSignatureException", 403)
        async with boto(emulator.url, key="AKIAOTHER") as unknown:
            code, _, status = await unknown.refused("list_stream_processors")
            assert (code, status) == ("UnrecognizedClientException", 403)


async def test_paginator_of_boto3_reads_every_page(emulator: Emulator, rekognition: Boto) -> None:
    for index in range(20):
        await rekognition("create_stream_processor", **labels(f"door-{index:02}"))

    def names() -> list[str]:
        pages = rekognition.client.get_paginator("list_stream_processors").paginate(PaginationConfig={"PageSize": 6})
        return [item["Name"] for page in pages for item in page["StreamProcessors"]]

    assert await asyncio.to_thread(names) == [f"door-{index:02}" for index in range(20)]
    assert len([call for call in emulator.calls if call.operation == "ListStreamProcessors"]) == 4


async def test_calls_record_what_was_executed_and_the_response(emulator: Emulator, rekognition: Boto) -> None:
    await rekognition("create_stream_processor", **labels("door"))
    started = await rekognition("start_stream_processor", **session("door"))
    await rekognition.refused("start_stream_processor", **session("door"))
    create, start, again = emulator.calls
    assert (create.operation, create.name, create.region, create.status) == (
        "CreateStreamProcessor",
        "door",
        "us-east-1",
        200,
    )
    assert (start.done, start.session_id, start.code, start.at) == (True, started["SessionId"], None, 1_700_000_000.123)
    assert (again.done, again.session_id, again.code, again.status) == (False, None, "ResourceInUseException", 400)
    emulator.clear_calls()
    assert emulator.calls == ()
