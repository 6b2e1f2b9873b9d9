"""Start a session for each motion event: POST `{"motion_at": "2026-01-31T12:00:00Z"}` to /cameras/front-door/motion."""

import asyncio
import datetime
import logging
import os
from collections.abc import AsyncIterator

from aiohttp import web

import aiorekostream as rks

FLEET = web.AppKey("FLEET", rks.Fleet)
LONGEST_DELAY, SESSION = datetime.timedelta(seconds=10), rks.StopSelector(max_duration_in_seconds=30)
STATUSES: dict[type[Exception], int] = {rks.ResourceNotFoundError: 404, rks.RequestCancelledError: 503}  # else 502


async def report_motion(request: web.Request) -> web.Response:
    try:
        at = rks.ProducerTimestamp(datetime.datetime.fromisoformat((await request.json())["motion_at"]))
        start = rks.LabelDetectionStart(name=request.match_info["camera"], start_selector=at, stop_selector=SESSION)
    except (ValueError, TypeError, KeyError) as invalid:
        return web.json_response({"error": str(invalid)}, status=400)
    match await request.app[FLEET].submit(start, expires_at=at.to_datetime() + LONGEST_DELAY):
        case rks.Started(session=session, shared=shared):
            return web.json_response({"outcome": "shared" if shared else "started", "session_id": session.session_id})
        case rks.AlreadyRunning():
            return web.json_response({"outcome": "already running"}, status=409)
        case rks.Expired(waited_for=reason):
            return web.json_response({"outcome": "expired", "waited_for": reason}, status=503)
        case rks.Failed(error=error):
            request.app.logger.warning("%s was not started: %r", start.name, error)
            return web.json_response({"outcome": "failed", "error": str(error)}, status=STATUSES.get(type(error), 502))
        case rks.Unknown(error=error):  # the package logs it
            return web.json_response({"outcome": "unknown", "error": str(error)}, status=502)


async def log_ends(app: web.Application) -> None:
    async for end in app[FLEET].session_ends():
        app.logger.info("the session of %s has ended", end.name)  # the package logs why one is FAILED


def make_app(client: rks.Client) -> web.Application:
    async def run_fleet(app: web.Application) -> AsyncIterator[None]:
        async with client, app[FLEET]:
            watching = asyncio.create_task(log_ends(app))
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
