"""Start a session for each motion event: POST `{"motion_at": "2026-01-31T12:00:00Z"}` to /cameras/front-door/motion."""

import asyncio
import datetime
import logging
import os
from collections.abc import AsyncIterator

from aiohttp import web

import aiorekostream as rks
from aiorekostream.errors import RequestCancelledError

FLEET = web.AppKey("FLEET", rks.Fleet)
LONGEST_DELAY, SESSION = datetime.timedelta(seconds=10), rks.StopSelector(max_duration_in_seconds=30)
log = logging.getLogger("web_service")


async def report_motion(request: web.Request) -> web.Response:
    try:
        at = rks.ProducerTimestamp(datetime.datetime.fromisoformat((await request.json())["motion_at"]))
        start = rks.LabelDetectionStart(name=request.match_info["camera"], start_selector=at, stop_selector=SESSION)
    except (ValueError, TypeError, KeyError) as invalid:
        return web.json_response({"error": str(invalid)}, status=400)
    match await request.app[FLEET].submit(start, expires_at=at.to_datetime() + LONGEST_DELAY):
        case rks.Started(session=session):
            return web.json_response({"outcome": "started", "session_id": session.session_id})
        case rks.AlreadyRunning():
            return web.json_response({"outcome": "already running"}, status=409)
        case rks.Expired() | rks.Failed(error=RequestCancelledError()):
            return web.json_response({"outcome": "not sent"}, status=503)
        case (rks.Failed(error=error) | rks.Unknown(error=error)) as outcome:
            log.warning("%s: %r", outcome.name, error)
            return web.json_response({"outcome": type(outcome).__name__.lower(), "error": str(error)}, status=502)


async def log_failures(fleet: rks.Fleet) -> None:
    async for end in fleet.session_ends():
        if end.status is rks.Status.FAILED:
            log.error("the session of %s is FAILED: %s", end.name, end.status_message)


def make_app(client: rks.Client) -> web.Application:
    async def run_fleet(app: web.Application) -> AsyncIterator[None]:
        async with client, app[FLEET] as fleet:
            watching = asyncio.create_task(log_failures(fleet))
            yield
        await watching  # it ends with the fleet

    app = web.Application()
    app[FLEET] = rks.Fleet(client, when_busy="share")
    app.cleanup_ctx.append(run_fleet)
    app.on_shutdown.append(lambda app: app[FLEET].aclose())  # cancels what is queued, and waits for what is in flight
    app.router.add_post("/cameras/{camera}/motion", report_motion)
    return app


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    web.run_app(make_app(rks.Client()), port=int(os.environ.get("PORT", "8080")))
