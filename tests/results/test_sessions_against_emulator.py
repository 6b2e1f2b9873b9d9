"""Sessions, waits and a fleet over HTTP: the emulator's processors, queue and data streams, on a manual clock."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import attrs

import aiorekostream as rks
from aiorekostream import results
from aiorekostream.emulator import (
    Appearance,
    Emulator,
    Footage,
    KnownFace,
    LoseNotification,
    ManualClock,
    Timings,
    VisibleFace,
)
from tests.emulator.aws_services import queue_url
from tests.emulator.clients import until
from tests.emulator.samples import faces, labels
from tests.results.cameras import start_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

FOOTAGE = Footage([Appearance(rks.Label.PERSON, at=2), Appearance(rks.Label.PACKAGE, at=9)])


@attrs.frozen
class SessionStage:
    """An emulator on a clock that it shares with a client, and an entered consumer of its queue."""

    clock: ManualClock
    emulator: Emulator
    client: rks.Client
    consumer: results.SqsConsumer


@contextlib.asynccontextmanager
async def _stage(*cameras: str) -> AsyncGenerator[SessionStage]:
    clock = ManualClock()
    async with (
        Emulator(clock=clock, footage=FOOTAGE, timings=Timings(detecting=0), quotas=False) as emulator,
        rks.Client(region="us-east-1", endpoint_url=emulator.url, clock=clock, rate_limiter=None) as client,
    ):
        for camera in cameras:
            await client.create_stream_processor(rks.parse_processor(labels(camera)))
        async with results.SqsConsumer(await queue_url(emulator.url), region="us-east-1") as consumer:
            yield SessionStage(clock, emulator, client, consumer)


def _seen(events: list[results.StreamProcessorEvent]) -> list[str]:
    return [event.labels[0].label if isinstance(event, results.LabelDetected) else "end" for event in events]


async def test_sessions_of_two_cameras_read_their_events() -> None:
    seen: dict[str, list[results.StreamProcessorEvent]] = {"door": [], "hall": []}
    sessions: list[results.Session[rks.LabelDetectionStart]] = []

    async def read(stage: SessionStage, camera: str) -> None:
        async with results.Session(stage.client, start_of(camera, 30), events=stage.consumer) as session:
            sessions.append(session)
            async for event in session:
                assert event.session_id == session.started.session_id
                assert event.processor_name == camera
                seen[camera].append(event)

    async with _stage(*seen) as stage, asyncio.timeout(120):
        reading = [asyncio.create_task(read(stage, camera)) for camera in seen]
        await until(lambda: len(sessions) == 2)
        stage.clock.advance(3)
        await until(lambda: all(len(events) == 1 for events in seen.values()))
        stage.clock.advance(27)
        await until(lambda: all(len(events) == 3 for events in seen.values()))
        stage.clock.advance(5)
        await asyncio.gather(*reading)
        assert not stage.consumer.report.released
    for events in seen.values():
        assert sorted(_seen(events)) == ["PACKAGE", "PERSON", "end"]
    for session in sessions:
        assert session.result is not None
        assert session.result.processed_duration is not None
        assert session.result.processed_duration.total_seconds() == 30
        assert session.result.status in {rks.Status.STOPPED, None}


async def test_session_whose_notification_is_lost_ends_by_its_status() -> None:
    async with _stage("door") as stage, asyncio.timeout(120):
        stage.emulator.inject(LoseNotification(name="door", event="STREAM_PROCESSING_COMPLETE"))
        async with results.Session(stage.client, start_of("door", 10), events=stage.consumer) as session:
            events: list[results.StreamProcessorEvent] = []

            async def read() -> None:
                async for event in session:
                    events.append(event)  # noqa: PERF401 - the test looks at them on the way

            reading = asyncio.create_task(read())
            stage.clock.advance(10)
            await until(lambda: session.result is not None and len(events) == 2)
            stage.clock.advance(5)
            await reading
        assert sorted(_seen(events)) == ["PACKAGE", "PERSON"]
        assert session.result is not None
        assert (session.result.status, session.result.completed) == (rks.Status.STOPPED, None)


async def test_fleet_and_wait_follow_the_notifications() -> None:
    unclaimed: list[results.StreamProcessorEvent] = []

    async def take(event: results.StreamProcessorEvent) -> None:
        unclaimed.append(event)

    async with _stage("door") as stage, asyncio.timeout(120):
        client = stage.client
        async with (
            results.SessionRouter(stage.consumer, on_unclaimed=take) as router,
            rks.Fleet(client, session_monitor=results.NotifiedSessions(client, router)) as fleet,
        ):
            first = await fleet.submit(start_of("door", 5))
            assert isinstance(first, rks.Started)
            second = asyncio.create_task(fleet.submit(start_of("door", 5)))
            waiting = asyncio.create_task(client.wait_until_finished(first.session, events=router))
            await asyncio.sleep(0)
            stage.clock.advance(5)
            await until(second.done)
            stage.clock.advance(1)  # the poll after the notification takes its turn
            await waiting
            assert isinstance(second.result(), rks.Started)
            assert [event.session_id for event in unclaimed] == [first.session.session_id] * 2
        assert "ListStreamProcessors" not in {call.operation for call in stage.emulator.calls}


async def test_session_of_a_face_search_reads_its_records_and_stops() -> None:
    """The data stream has the records of an earlier session, too."""
    clock, has_started, matches = ManualClock(), asyncio.Event(), list[str]()
    unclaimed: list[results.FaceSearchRecord] = []
    resident = KnownFace("0a1b2c3d-1111-4222-8333-444455556666", external_image_id="resident-01")
    footage = Footage([Appearance(rks.Label.PERSON, at=2, duration=3, face=VisibleFace([resident]))])
    timings = Timings(starting=0, stopping=0, detecting=0)
    start = rks.FaceSearchStart("lobby")

    async def take(record: results.FaceSearchRecord) -> None:
        unclaimed.append(record)

    async def read(session: results.Session[rks.FaceSearchStart]) -> None:
        async with session:
            has_started.set()
            async for record in session:
                names = [str(match.face.external_image_id) for face in record.faces for match in face.matched_faces]
                matches.append(" ".join(names))
                if len(matches) == 8:
                    break

    async with (
        Emulator(clock=clock, footage=footage, timings=timings, quotas=False) as emulator,
        rks.Client(region="us-east-1", endpoint_url=emulator.url, clock=clock, rate_limiter=None) as client,
        asyncio.timeout(120),
    ):
        await client.create_stream_processor(rks.parse_processor(faces("lobby")))
        await client.start_stream_processor(start)
        clock.advance(20)
        await client.stop_stream_processor("lobby")
        clock.advance(20)
        consumer = results.KinesisConsumer("lobby", region="us-east-1", endpoint_url=emulator.url, start="oldest")
        async with consumer, results.SessionRouter(consumer, on_unclaimed=take) as router:
            session = results.Session(client, start, events=router)
            reading = asyncio.create_task(read(session))
            await until(has_started.is_set)
            clock.advance(8)
            await until(lambda: [call.operation for call in emulator.calls].count("StopStreamProcessor") == 2)
            while not reading.done():  # the poll of the stop takes its turn
                await asyncio.sleep(0)
                clock.advance(0.01)
            assert (await client.describe_stream_processor("lobby")).status is rks.Status.STOPPED
            await until(lambda: not consumer.report.unacknowledged)
    assert matches == ["", "", "resident-01", "resident-01", "resident-01", "", "", ""]
    assert len(unclaimed) == 21 + 1  # the second session has not yielded its last one
