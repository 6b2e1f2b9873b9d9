"""Start a session for each motion event in a queue, and handle what the sessions see. Run as many workers as needed.

`python worker.py` reads REDIS_URL, MOTION_QUEUE_URL and RESULTS_QUEUE_URL from the environment, and the other settings
by their upper-case names. A motion event is a message such as `{"camera": "door-1", "at": "2026-01-31T12:00:00Z"}`.
"""

import asyncio
import datetime
import json
import logging
import os
import signal
from collections.abc import Mapping
from typing import Any

import attrs
from aiobotocore.client import AioBaseClient
from aiobotocore.session import get_session

import aiorekostream as rks
from aiorekostream import results
from aiorekostream.distributed import RedisRateLimiter, RedisSessionSlots
from aiorekostream.fleet import StartOutcome

# Motion events that a worker handles at a time.
MOST_AT_ONCE = 200
log = logging.getLogger("motion_workers")


@attrs.frozen(kw_only=True)
class Settings:
    redis_url: str
    motion_queue_url: str
    results_queue_url: str
    aws_default_region: str = "us-east-1"
    expected_hosts: int = attrs.field(default=3, converter=int)  # divide the rates where Redis was never reached
    session_limit: int = attrs.field(default=200, converter=int)  # the quota of the account
    starts_per_second: float = attrs.field(default=20, converter=float)  # the quota of the account
    session_seconds: int = attrs.field(default=30, converter=int)
    deadline_seconds: float = attrs.field(default=25, converter=float)  # after the motion, no start is sent
    visibility_seconds: int = attrs.field(
        default=15, converter=int
    )  # an event of a dead worker is delivered again then
    call_seconds: float = attrs.field(default=5, converter=float)
    poll_seconds: float = attrs.field(default=5, converter=float)

    def __attrs_post_init__(self) -> None:
        if not self.call_seconds < self.visibility_seconds < self.deadline_seconds:
            raise ValueError("the visibility timeout must be between the time of a call and the deadline")
        # A second start for an event then finds the session of the first, and is refused.
        if self.deadline_seconds + self.call_seconds > self.session_seconds:
            raise ValueError("a session must last as long as a start for its event may be sent, and a call")

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Settings":
        names = [field.name for field in attrs.fields(cls)]
        return cls(**{name: environment[name.upper()] for name in names if name.upper() in environment})


async def handle_result(event: results.StreamProcessorEvent) -> None:
    """Handle an event of any session, whichever worker has started it. The same event may come twice."""
    match event:
        case results.LabelDetected(processor_name=camera, labels=labels):
            log.info("%s: sees %s", camera, " and ".join(label.label for label in labels))
        case results.SessionCompleted(processor_name=camera, session_id=session):
            log.info("%s: session %s has ended", camera, session)
        case _:
            log.info("%s", event)


@attrs.define
class Worker:
    settings: Settings
    client: rks.Client
    fleet: rks.Fleet
    sqs: AioBaseClient

    async def run(self) -> None:
        room = asyncio.Semaphore(MOST_AT_ONCE)
        receive: dict[str, object] = {
            "QueueUrl": self.settings.motion_queue_url,
            "VisibilityTimeout": self.settings.visibility_seconds,
            "MaxNumberOfMessages": 10,
            "WaitTimeSeconds": 20,
            "MessageSystemAttributeNames": ["ApproximateReceiveCount"],
        }
        log.info("ready")
        async with asyncio.TaskGroup() as handlers:
            while True:
                response = await self.sqs.receive_message(**receive)
                received = datetime.datetime.now(datetime.UTC)
                for message in response.get("Messages", ()):
                    await room.acquire()
                    handler = handlers.create_task(self.handle(message, received))
                    handler.add_done_callback(lambda _: room.release())

    async def handle(self, message: Mapping[str, Any], received: datetime.datetime) -> None:
        try:
            motion = json.loads(message["Body"])
            at = datetime.datetime.fromisoformat(motion["at"])
            start = rks.LabelDetectionStart(
                name=motion["camera"],
                start_selector=rks.ProducerTimestamp(at),
                stop_selector=rks.StopSelector(self.settings.session_seconds),
            )
        except (ValueError, TypeError, KeyError) as invalid:
            log.warning("%s: left to the redrive policy: %s", message["MessageId"], invalid)
            return
        log.info("%s: received", start.name)
        outcome: StartOutcome
        if int(message["Attributes"]["ApproximateReceiveCount"]) > 1 and await self.is_at_work(start.name):
            outcome = rks.AlreadyRunning(start)  # begun by the worker that had the event before, for one
        else:
            outcome = await self.fleet.submit(start, expires_at=min(self.deadline(at), self.hidden_until(received)))
        if self.is_final(outcome, at):
            log.info("%s: %s", start.name, type(outcome).__name__)
            await self.sqs.delete_message(
                QueueUrl=self.settings.motion_queue_url, ReceiptHandle=message["ReceiptHandle"]
            )
        else:
            log.info("%s: will be delivered again: %s", start.name, outcome)

    async def is_at_work(self, camera: str) -> bool:
        try:
            return (await self.client.describe_stream_processor(camera)).status is rks.Status.STARTING
        except rks.RekostreamError as error:
            log.warning("%s: %s", camera, error)
            return False

    def is_final(self, outcome: StartOutcome, at: datetime.datetime) -> bool:
        match outcome:
            case rks.Started() | rks.AlreadyRunning():
                return True  # a session that runs sees this motion, too, or is that of an earlier delivery
            case rks.Expired():
                return datetime.datetime.now(datetime.UTC) >= self.deadline(at)
            case _:
                return False  # a later delivery finds the session if there is one

    def deadline(self, at: datetime.datetime) -> datetime.datetime:
        return at + datetime.timedelta(seconds=self.settings.deadline_seconds)

    def hidden_until(self, received: datetime.datetime) -> datetime.datetime:
        """When the start must be sent, so that no other worker has the event at the same time."""
        return received + datetime.timedelta(seconds=self.settings.visibility_seconds - self.settings.call_seconds)


async def work(settings: Settings) -> None:
    region, rate = settings.aws_default_region, settings.starts_per_second
    limits = rks.Limits(
        concurrent_label_detection={region: settings.session_limit},
        quotas={"StartStreamProcessor": rks.Quota(rate, burst=rate)},
    )
    async with (
        RedisRateLimiter(settings.redis_url, expected_hosts=settings.expected_hosts) as limiter,
        RedisSessionSlots(settings.redis_url) as slots,
        rks.Client(region=region, rate_limiter=limiter, limits=limits) as opened,
        results.SqsConsumer(settings.results_queue_url, region=region) as consumer,
        results.SessionRouter(consumer, on_unclaimed=handle_result) as router,
        get_session().create_client("sqs", region) as sqs,
    ):
        client = opened.with_options(timeout=settings.call_seconds)
        fleet = rks.Fleet(
            client,
            when_busy="share",
            slots=slots,
            session_monitor=results.NotifiedSessions(client, router),
            poll_interval=settings.poll_seconds,
        )
        async with fleet, asyncio.TaskGroup() as tasks:
            tasks.create_task(Worker(settings, client, fleet, sqs).run())
            tasks.create_task(router.wait())  # it raises the failure of the consumer


async def main() -> None:
    working = asyncio.ensure_future(work(Settings.read(os.environ)))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, working.cancel)
    await asyncio.wait([working])
    if not working.cancelled():
        working.result()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    asyncio.run(main())
