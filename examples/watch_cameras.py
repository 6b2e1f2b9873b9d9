"""Start a session for each camera that is named on stdin, and log what it sees: `python watch_cameras.py QUEUE_URL`."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator

import aiorekostream as rks
from aiorekostream import results

log = logging.getLogger("watch_cameras")


async def watch(client: rks.Client, events: results.SqsConsumer, camera: str) -> None:
    start_at, stop_after = rks.ProducerTimestamp.now(), rks.StopSelector(max_duration_in_seconds=30)
    start = rks.LabelDetectionStart(name=camera, start_selector=start_at, stop_selector=stop_after)
    try:
        async with results.Session(client, start, events=events) as session:
            async for event in session:
                if isinstance(event, results.LabelDetected):
                    log.info("%s: %s", camera, " and ".join(label.label for label in event.labels))
        log.info("%s: %s", camera, session.result)
    except (rks.ResourceInUseError, rks.ResourceNotFoundError) as error:
        log.warning("%s: %s", camera, error)


async def serve(client: rks.Client, consumer: results.SqsConsumer, cameras: AsyncIterator[str]) -> None:
    async with client, consumer, asyncio.TaskGroup() as sessions:
        async for camera in cameras:
            sessions.create_task(watch(client, consumer, camera))


async def lines() -> AsyncIterator[str]:
    while line := await asyncio.to_thread(sys.stdin.readline):
        yield line.strip()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(serve(rks.Client(), results.SqsConsumer(sys.argv[1]), lines()))
