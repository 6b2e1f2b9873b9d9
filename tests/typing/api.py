"""What type checkers must conclude about the public names. mypy and basedpyright read this file; nobody runs it."""

from __future__ import annotations

import datetime
from typing import assert_never, assert_type

import aiorekostream as rks


def a_start_selector_is_matched_exhaustively(selector: rks.StartSelector) -> int | str:
    match selector:
        case rks.ProducerTimestamp(milliseconds=milliseconds):
            return assert_type(milliseconds, int)
        case rks.FragmentNumber(value=value):
            return assert_type(value, str)
        case _:
            assert_never(selector)


def a_start_request_is_matched_exhaustively(request: rks.StartRequest) -> rks.StartSelector | None:
    match request:
        case rks.LabelDetectionStart():
            return assert_type(request.start_selector, rks.ProducerTimestamp | rks.FragmentNumber)
        case rks.FaceSearchStart():
            assert_type(request.name, str)
            return None
        case _:
            assert_never(request)


def a_processor_is_matched_exhaustively(processor: rks.Processor) -> str:
    match processor:
        case rks.FaceSearchProcessor():
            return assert_type(processor.collection_id, str)
        case rks.LabelDetectionProcessor():
            assert_type(processor.labels, tuple[rks.Label, ...])
            return processor.name
        case _:
            assert_never(processor)


def what_was_read_is_as_typed_as_what_was_written(arguments: dict[str, object]) -> None:
    assert_type(rks.parse_start(arguments), rks.StartRequest)
    assert_type(rks.parse_processor(arguments), rks.Processor)


def time_is_taken_as_such(moment: datetime.datetime) -> None:
    assert_type(rks.ProducerTimestamp.from_datetime(moment), rks.ProducerTimestamp)
    rks.ProducerTimestamp(moment)
    rks.StopSelector(max_duration_in_seconds=datetime.timedelta(seconds=30))


def every_fault_has_its_place(error: rks.InvalidRequestError) -> None:
    assert_type(error.issues, tuple[rks.ValidationIssue, ...])
    for issue in error.issues:
        assert_type(issue.path, str)


async def the_client_answers_in_types(processor: rks.Processor, request: rks.StartRequest) -> None:
    async with rks.Client(region="us-east-1") as client:
        assert_type(client, rks.Client)
        assert_type(await client.create_stream_processor(processor), rks.CreatedStreamProcessor)
        assert_type(await client.start_stream_processor(request), rks.StartedSession)
        assert_type(await client.describe_stream_processor("front-door"), rks.StreamProcessor)
        assert_type(await client.list_tags_for_resource("arn"), rks.Tags)
        async for summary in client.list_stream_processors():
            assert_type(summary, rks.StreamProcessorSummary)
        async for page in client.list_stream_processors(max_results=10).pages():
            assert_type(page, rks.StreamProcessorPage)
        assert_type(client.with_options(total_timeout=5), rks.Client)


def an_error_of_the_service_says_what_it_is(error: rks.ServiceError) -> None:
    assert_type(error.code, str)
    assert_type(error.message, str)
    assert_type(error.request_id, str | None)
    assert_type(error.http_status, int)
    assert_type(error.attempts, int)
    assert_type(error.retry_safe, bool)


async def what_a_fleet_reports_can_be_read_and_asked_for_again(fleet: rks.Fleet, request: rks.StartRequest) -> None:
    starts = assert_type(await fleet.start([request]), rks.StartReport)
    for failed in starts.failed:
        assert_type(failed.request, rks.StartRequest)
        assert_type(failed.error, Exception)
    await fleet.start(doubtful.request for doubtful in starts.unknown)
    stops = assert_type(await fleet.stop(["front-door"]), rks.StopReport)
    await fleet.stop(failed.request for failed in stops.failed)
    reports: list[rks.FleetReport[rks.StartOutcome] | rks.FleetReport[rks.StopOutcome]] = [starts, stops]
    for report in reports:
        assert_type(report.counts, dict[str, int])
