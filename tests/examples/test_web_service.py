"""The web service of the examples: what it answers, what it logs, and how it shuts down."""

from __future__ import annotations

import asyncio
import datetime
import logging
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer

from aiorekostream.emulator import Emulator, ManualClock
from examples.web_service import make_app
from tests.examples.stage import EXAMPLES, REGION, ExampleStage, on_stage
from tests.fleet.service import label

if TYPE_CHECKING:
    from aiohttp import web


async def _post(
    cameras: TestClient[web.Request, web.Application], name: str, motion_at: datetime.datetime
) -> tuple[int, dict[str, object]]:
    async with cameras.post(f"/cameras/{name}/motion", json={"motion_at": motion_at.isoformat()}) as response:
        return response.status, await response.json()


def _served(stage: ExampleStage) -> TestClient[web.Request, web.Application]:
    return TestClient(TestServer(make_app(stage.client)))


async def test_events_of_one_session_have_the_same_session_id() -> None:
    async with on_stage() as stage, _served(stage) as cameras:
        await stage.create("door")
        answers = [await _post(cameras, "door", stage.clock.wall()) for _ in range(3)]
        [applied] = [call.session_id for call in stage.emulator.calls if call.session_id]
    assert answers == [(200, {"outcome": word, "session_id": applied}) for word in ("started", "shared", "shared")]


@pytest.mark.parametrize(
    "body",
    ["", "[]", "{}", '{"motion_at": 5}', '{"motion_at": "noon"}', '{"motion_at": "2026-01-31T12:00:00"}'],
)
async def test_event_is_refused_when_it_has_no_valid_time(body: str) -> None:
    async with on_stage() as stage, _served(stage) as cameras:
        async with cameras.post("/cameras/door/motion", data=body) as response:
            assert response.status == 400
            assert (await response.json())["error"]
        assert not stage.starts()


async def test_event_is_not_sent_when_it_is_older_than_ten_seconds() -> None:
    async with on_stage() as stage, _served(stage) as cameras:
        await stage.create("door")
        old = stage.clock.wall() - datetime.timedelta(seconds=11)
        assert await _post(cameras, "door", old) == (503, {"outcome": "expired", "waited_for": None})
        assert not stage.starts()


async def test_event_is_refused_when_another_client_has_a_session() -> None:
    async with on_stage() as stage, _served(stage) as cameras:
        await stage.create("door")
        await stage.client.start_stream_processor(label("door"))
        answer = await stage.complete(_post(cameras, "door", stage.clock.wall()))
        assert answer == (409, {"outcome": "already running"})


async def test_event_of_an_unknown_camera_fails(caplog: pytest.LogCaptureFixture) -> None:
    async with on_stage() as stage, _served(stage) as cameras:
        status, answer = await _post(cameras, "attic", stage.clock.wall())
    assert (status, answer["outcome"]) == (404, "failed")
    assert "attic" in caplog.text


async def test_failed_session_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with on_stage() as stage, _served(stage) as cameras:
        await stage.create("door")
        await _post(cameras, "door", stage.clock.wall())
        stage.emulator.fail("door", "Access denied to Role", after=1)
        await stage.until(lambda: "the session of door has ended" in caplog.text)
    failures = [each for each in caplog.record_tuples if "FAILED" in each[2]]
    assert failures == [("aiorekostream", logging.WARNING, "the session of door is FAILED: Access denied to Role")]


async def test_shutdown_answers_every_event() -> None:
    """What is queued when the service is told to stop was not sent; what was sent has its session."""
    async with on_stage() as stage:
        names = [f"door-{number}" for number in range(30)]
        await stage.complete(stage.create(*names))
        async with _served(stage) as cameras:
            posts = [asyncio.create_task(_post(cameras, name, stage.clock.wall())) for name in names]
            await stage.until(lambda: len(stage.starts()) >= 10)
            await cameras.server.close()
            statuses = [status for status, _ in await asyncio.gather(*posts)]
        assert statuses.count(200) == len(stage.starts()) < len(names)
        assert statuses.count(503) == len(names) - len(stage.starts())


async def test_program_ends_when_it_is_terminated() -> None:
    async with Emulator(clock=ManualClock()) as emulator:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = {"AWS_ENDPOINT_URL_REKOGNITION": emulator.url, "AWS_DEFAULT_REGION": REGION, "PORT": str(port)}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(EXAMPLES / "web_service.py")),
            env={**os.environ, **settings, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(EXAMPLES.parent)},
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        while b"Running on" not in (line := await process.stdout.readline()):
            assert line, "the program has ended"
        motion = {"motion_at": datetime.datetime.now(datetime.UTC).isoformat()}
        url = f"http://127.0.0.1:{port}/cameras/attic/motion"
        async with aiohttp.ClientSession() as session, session.post(url, json=motion) as response:
            assert (await response.json())["outcome"] == "failed"
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
