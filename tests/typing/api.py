"""Types that mypy and basedpyright must infer for the public API. This file is type checked and never run."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, assert_never, assert_type

import aiorekostream as rks
from aiorekostream import results
from aiorekostream.domain.responses import (
    CreatedStreamProcessor,
    StartedSession,
    StreamProcessorPage,
    StreamProcessorSummary,
)
from aiorekostream.domain.tags import Tags
from aiorekostream.errors import ValidationIssue
from aiorekostream.fleet import (
    FleetReport,
    SessionEnd,
    SessionSnapshot,
    StartOutcome,
    StartReport,
    StopOutcome,
    StopReport,
    WaitedFor,
)

if TYPE_CHECKING:
    from aiorekostream.domain.selectors import StartSelector


def start_selector_is_matched_exhaustively(selector: StartSelector) -> int | str:
    match selector:
        case rks.ProducerTimestamp(milliseconds=milliseconds):
            return assert_type(milliseconds, int)
        case rks.FragmentNumber(value=value):
            return assert_type(value, str)
        case _:
            assert_never(selector)


def start_request_is_matched_exhaustively(request: rks.StartRequest) -> StartSelector | None:
    match request:
        case rks.LabelDetectionStart():
            return assert_type(request.start_selector, rks.ProducerTimestamp | rks.FragmentNumber)
        case rks.FaceSearchStart():
            assert_type(request.name, str)
            return None
        case _:
            assert_never(request)


def processor_is_matched_exhaustively(processor: rks.Processor) -> str:
    match processor:
        case rks.FaceSearchProcessor():
            return assert_type(processor.collection_id, str)
        case rks.LabelDetectionProcessor():
            assert_type(processor.labels, tuple[rks.Label, ...])
            return processor.name
        case _:
            assert_never(processor)


def parse_functions_return_typed_requests(arguments: dict[str, object]) -> None:
    assert_type(rks.parse_start(arguments), rks.StartRequest)
    assert_type(rks.parse_processor(arguments), rks.Processor)


def selectors_accept_datetime_and_timedelta(moment: datetime.datetime) -> None:
    assert_type(rks.ProducerTimestamp.from_datetime(moment), rks.ProducerTimestamp)
    rks.ProducerTimestamp(moment)
    rks.StopSelector(max_duration_in_seconds=datetime.timedelta(seconds=30))


def invalid_request_error_has_typed_issues(error: rks.InvalidRequestError) -> None:
    assert_type(error.issues, tuple[ValidationIssue, ...])
    for issue in error.issues:
        assert_type(issue.path, str)


async def client_methods_return_typed_responses(processor: rks.Processor, request: rks.StartRequest) -> None:
    async with rks.Client(region="us-east-1") as client:
        assert_type(client, rks.Client)
        assert_type(await client.create_stream_processor(processor), CreatedStreamProcessor)
        assert_type(await client.start_stream_processor(request), rks.StartedSession)
        assert_type(await client.describe_stream_processor("front-door"), rks.StreamProcessor)
        assert_type(await client.list_tags_for_resource("arn"), Tags)
        async for summary in client.list_stream_processors():
            assert_type(summary, StreamProcessorSummary)
        async for page in client.list_stream_processors(max_results=10).pages():
            assert_type(page, StreamProcessorPage)
        assert_type(client.with_options(timeout=5), rks.Client)


def service_error_has_typed_attributes(error: rks.ServiceError) -> None:
    assert_type(error.code, str)
    assert_type(error.message, str)
    assert_type(error.request_id, str | None)
    assert_type(error.http_status, int)
    assert_type(error.attempts, int)
    assert_type(error.retry_safe, bool)


async def fleet_report_has_typed_outcomes_that_can_be_retried(fleet: rks.Fleet, request: rks.StartRequest) -> None:
    starts = assert_type(await fleet.start([request]), StartReport)
    for failed in starts.failed:
        assert_type(failed.request, rks.StartRequest)
        assert_type(failed.error, Exception)
    await fleet.start(unknown.request for unknown in starts.unknown)
    stops = assert_type(await fleet.stop(["front-door"]), StopReport)
    await fleet.stop(failed.request for failed in stops.failed)
    reports: list[FleetReport[StartOutcome] | FleetReport[StopOutcome]] = [starts, stops]
    for report in reports:
        assert_type(report.counts, dict[str, int])


async def submitted_start_has_a_typed_outcome(fleet: rks.Fleet, request: rks.StartRequest) -> StartedSession | None:
    outcome = assert_type(await fleet.submit(request, expires_at=None, urgent=True), StartOutcome)
    match outcome:
        case rks.Started(session=session):
            assert_type(outcome.shared, bool)
            return assert_type(session, StartedSession)
        case rks.Expired(waited_for=waited_for):
            assert_type(waited_for, WaitedFor | None)
        case rks.Failed(error=error) | rks.Unknown(error=error):
            assert_type(error, Exception)
        case rks.AlreadyRunning():
            assert_type(outcome.name, str)
        case _:
            assert_never(outcome)
    return None


async def ensured_processors_have_typed_outcomes(fleet: rks.Fleet, request: rks.FleetRequest) -> None:
    assert_type(await fleet.ensure_running([request, request.request], timeout=5), StartReport)
    assert_type(await fleet.ensure_stopped(["front-door"], timeout=datetime.timedelta(minutes=1)), StopReport)
    run = fleet.iter_start([request])
    assert_type(run.cancel(request), bool)
    assert_type(fleet.iter_stop(["front-door"]).cancel("front-door"), bool)


async def sessions_of_a_fleet_are_typed(fleet: rks.Fleet) -> None:
    async for end in fleet.session_ends():
        assert_type(end, SessionEnd)
        assert_type(end.status, rks.Status | None)
        assert_type(end.status_message, str | None)
        assert_type(end.session, StartedSession | None)
    sessions = assert_type(await fleet.sync_sessions(), SessionSnapshot)
    assert_type(sessions["front-door"].session, StartedSession | None)
    assert_type(fleet.sessions.as_of, datetime.datetime | None)


async def wrong_words_are_rejected(client: rks.Client, fleet: rks.Fleet, request: rks.StartRequest) -> None:
    """Each comment is an error of the type checkers where it is not needed."""
    rks.Fleet(client, when_busy="wait")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    rks.Fleet(client, when_busy="QUEUE")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    rks.Fleet(client, poll_interval="5s")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    rks.FleetRequest(request, urgent=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    rks.FleetRequest(request, expires_at=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await fleet.submit(request, urgent=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await fleet.submit(request, urgent="no")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await fleet.submit(request, expires_at=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await fleet.submit([request])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await fleet.start(request)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    fleet.iter_start([request]).cancel("front-door")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def deliveries_have_typed_events(consumer: results.SqsConsumer) -> None:
    async for delivery in consumer:
        assert_type(delivery, results.Delivery[results.StreamProcessorEvent])
        async with delivery:
            match delivery.event:
                case results.LabelDetected(labels=labels):
                    assert_type(labels, tuple[results.DetectedLabel, ...])
                    assert_type(labels[0].frame_time, datetime.datetime | None)
                    assert_type(labels[0].start_selector(), rks.ProducerTimestamp | rks.FragmentNumber)
                case results.SessionCompleted(processed_duration=duration):
                    assert_type(duration, datetime.timedelta | None)
                case results.UnknownEvent(type=kind):
                    assert_type(kind, str)
                case _:
                    assert_never(delivery.event)


async def sessions_have_typed_events(client: rks.Client, consumer: results.SqsConsumer) -> None:
    router = assert_type(results.SessionRouter(consumer), results.SessionRouter[results.StreamProcessorEvent])
    start = rks.LabelDetectionStart(
        name="front-door", start_selector=rks.ProducerTimestamp.now(), stop_selector=rks.StopSelector(30)
    )
    async with results.Session(client, start, events=consumer, linger=2) as session:
        assert_type(session, results.Session[rks.LabelDetectionStart])
        assert_type(session.started, StartedSession)
        async for event in session:
            assert_type(event, results.StreamProcessorEvent)
        assert_type(await anext(session), results.StreamProcessorEvent)
    result = assert_type(session.result, results.SessionResult | None)
    if result is not None:
        assert_type(result.status, rks.Status | None)
        assert_type(result.completed, results.SessionCompleted | None)
        assert_type(result.processed_duration, datetime.timedelta | None)
    await client.wait_until_finished(session.started, events=router)
    rks.Fleet(client, session_monitor=results.NotifiedSessions(client, router))


async def sessions_of_face_searches_have_typed_records(client: rks.Client, consumer: results.KinesisConsumer) -> None:
    async def take(record: results.FaceSearchRecord) -> None:
        assert_type(record.faces, tuple[results.SearchedFace, ...])

    router = results.SessionRouter(consumer, on_unclaimed=take)
    assert_type(router, results.SessionRouter[results.FaceSearchRecord])
    async with results.Session(client, rks.FaceSearchStart("lobby"), events=router, stop_timeout=30) as session:
        assert_type(session, results.Session[rks.FaceSearchStart])
        async for record in session:
            assert_type(record, results.FaceSearchRecord)
        assert_type([each async for each in session], list[results.FaceSearchRecord])
    results.Session(client, rks.FaceSearchStart("lobby"), events=consumer.in_order(window=10))


async def sessions_need_a_consumer_of_their_kind(
    client: rks.Client, sqs: results.SqsConsumer, kinesis: results.KinesisConsumer, label: rks.LabelDetectionStart
) -> None:
    """Each comment is an error of the type checkers where it is not needed."""
    face = rks.FaceSearchStart("lobby")
    results.Session(client, face, events=sqs)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue]
    results.Session(client, label, events=kinesis)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue]
    results.Session(client, label, events=sqs, stop_timeout=5)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    router = results.SessionRouter(kinesis)
    results.Session(client, label, events=router)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue]
    results.NotifiedSessions(client, router)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await router.completed("session")  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


async def records_have_typed_events(consumer: results.KinesisConsumer) -> None:
    async for delivery in consumer:
        assert_type(delivery, results.Delivery[results.FaceSearchRecord])
    async for delivery in consumer.in_order(window=10):
        assert_type(delivery.event, results.FaceSearchRecord)
