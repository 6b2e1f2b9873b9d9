"""Run the motion workers on this machine, against the emulator: `python run_locally.py`. Some of them are killed.

A Redis or Valkey server is needed: REDIS_URL has its URL, or `redis-server` or `valkey-server` is on the PATH.
"""

import asyncio
import contextlib
import datetime
import json
import logging
import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

import attrs
from aiobotocore.client import AioBaseClient
from aiobotocore.session import get_session

import aiorekostream as rks
from aiorekostream.emulator import Appearance, Emulator, Footage, Timings

WORKER = Path(__file__).with_name("worker.py")
REGION, ACCOUNT = "us-east-1", "111122223333"
KEY, SECRET = "AKIALOCAL", "local"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
# Of the workers, by the names of their environment variables: everything is quicker than in production.
SETTINGS = {
    "SESSION_LIMIT": "12",
    "SESSION_SECONDS": "6",
    "DEADLINE_SECONDS": "4.5",
    "VISIBILITY_SECONDS": "3",
    "CALL_SECONDS": "1.5",
    "POLL_SECONDS": "1",
}
REDIS_PORT = 6390
LONGEST, PAUSE = 120.0, 0.002  # seconds: of a run, and between looks at the emulator
log = logging.getLogger("motion_workers")


@attrs.define
class MotionReport:
    """What became of the motion events.

    Attributes:
        outcomes: what the workers said, by camera, in order; each camera has one motion event.
        sessions: the number of sessions, by camera.
        most_at_once: the most sessions that there were at a time.
        handled: the ids of the sessions whose end a worker has handled.
        kills: the number of workers that were killed.
    """

    outcomes: dict[str, list[str]] = attrs.field(factory=dict[str, list[str]])
    sessions: Counter[str] = attrs.field(factory=Counter[str])
    most_at_once: int = 0
    handled: set[str] = attrs.field(factory=set[str])
    kills: int = 0


def processor(camera: str) -> Mapping[str, object]:
    return {
        "Name": camera,
        "Input": {"KinesisVideoStream": {"Arn": f"arn:aws:kinesisvideo:{REGION}:{ACCOUNT}:stream/{camera}/1"}},
        "Output": {"S3Destination": {"Bucket": "pictures"}},
        "Settings": {"ConnectedHome": {"Labels": ["PERSON"]}},
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/cameras",
        "NotificationChannel": {"SNSTopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:results"},
    }


@attrs.define
class Workers:
    """The worker processes, and what they log.

    Attributes:
        environment: of each worker.
        report: has what they log.
        owners: the worker that has received an event last, by camera.
    """

    environment: Mapping[str, str]
    report: MotionReport
    owners: dict[str, asyncio.subprocess.Process] = attrs.field(factory=dict[str, asyncio.subprocess.Process])
    _running: dict[asyncio.subprocess.Process, asyncio.Task[None]] = attrs.field(factory=dict, init=False)
    _starting: list[asyncio.Task[None]] = attrs.field(factory=list, init=False)

    async def start(self) -> None:
        """Start a worker, and wait until it is ready or has ended."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(WORKER), env=self.environment, stderr=asyncio.subprocess.PIPE
        )
        ready = asyncio.Event()
        self._running[process] = asyncio.create_task(self._read(process, ready))
        await ready.wait()

    async def kill(self, camera: str) -> bool:
        """Kill the worker that has received the event of a camera, if it still runs, and let another one start."""
        process = self.owners[camera]
        if process not in self._running:
            return False
        log.info("kill the worker of %s", camera)
        self.report.kills += 1
        await self._end(process)
        self._starting.append(asyncio.create_task(self.start()))
        return True

    async def complete(self) -> None:
        """Wait until a worker is ready in place of each that was killed."""
        await asyncio.gather(*self._starting)

    def check(self) -> None:
        """Raise an error if a worker has ended by itself."""
        for process in self._running:
            if process.returncode is not None:
                raise RuntimeError(f"a worker has ended by itself, with status {process.returncode}")

    async def end(self) -> None:
        """Kill all workers, those that are not ready yet included."""
        for starting in self._starting:
            starting.cancel()
        await asyncio.gather(*self._starting, return_exceptions=True)
        await asyncio.gather(*map(self._end, tuple(self._running)))

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        reading = self._running.pop(process)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await reading

    async def _read(self, process: asyncio.subprocess.Process, ready: asyncio.Event) -> None:
        while process.stderr is not None and (line := await process.stderr.readline()):
            text = line.decode().strip()
            log.info("[%s] %s", process.pid, text)
            camera, _, said = text.partition(": ")
            if text == "ready":
                ready.set()
            elif said == "received":
                self.owners[camera] = process
            elif said.startswith("session ") and said.endswith(" has ended"):
                self.report.handled.add(said.split()[1])
            elif said in {"Started", "AlreadyRunning", "Expired"}:
                self.report.outcomes.setdefault(camera, []).append(said)
        ready.set()


def count_sessions(emulator: Emulator, report: MotionReport, starts_before: int) -> str | None:
    """Count what the emulator has done since the last look; returns the camera of the last start, if there is one."""
    starts = [call for call in emulator.calls if call.operation == "StartStreamProcessor" and call.done]
    report.sessions = Counter(call.name for call in starts)
    at_work = sum(each.status is rks.Status.STARTING for each in emulator.processors)
    report.most_at_once = max(report.most_at_once, at_work)
    return starts[-1].name if len(starts) > starts_before else None


async def send_motion(team: Workers, sqs: AioBaseClient, queue_url: str, cameras: list[str]) -> None:
    for camera in cameras:
        await team.complete()
        body = json.dumps({"camera": camera, "at": datetime.datetime.now(datetime.UTC).isoformat()})
        await sqs.send_message(QueueUrl=queue_url, MessageBody=body)
        await asyncio.sleep(float(SETTINGS["SESSION_SECONDS"]) / int(SETTINGS["SESSION_LIMIT"]))


@contextlib.asynccontextmanager
async def local_service(cameras: list[str]) -> AsyncGenerator[tuple[Emulator, AioBaseClient, dict[str, str]]]:
    """Run the emulator with its queues; yields it, a client of SQS, and the environment of the workers."""
    footage, timings = Footage([Appearance(rks.Label.PERSON, at=1)]), Timings(detecting=0)
    async with Emulator(footage=footage, timings=timings, accounts={KEY: ACCOUNT}) as emulator:
        for camera in cameras:
            emulator.create_stream_processor(processor(camera), region=REGION, access_key=KEY)
        creator = get_session().create_client(
            "sqs", REGION, endpoint_url=emulator.url, aws_access_key_id=KEY, aws_secret_access_key=SECRET
        )
        async with creator as sqs:
            motion = await sqs.create_queue(QueueName="motion")
            found = await sqs.get_queue_url(QueueName="results")
            yield (
                emulator,
                sqs,
                {
                    **CREDENTIALS,
                    "AWS_DEFAULT_REGION": REGION,
                    "AWS_ENDPOINT_URL": emulator.url,
                    "MOTION_QUEUE_URL": str(motion["QueueUrl"]),
                    "RESULTS_QUEUE_URL": str(found["QueueUrl"]),
                },
            )


async def run(redis_url: str, *, events: int = 24, kills: int = 4, workers: int = 3, seed: int = 0) -> MotionReport:
    """Send motion events, kill workers between starts and acknowledgements, and wait until each event has its outcome.

    Args:
        redis_url: the URL of a server whose data may be changed.
        events: the number of motion events.
        kills: the number of workers to kill.
        workers: the number of workers.
        seed: selects which starts cost their worker its life.
    """
    report, cameras = MotionReport(), [f"camera-{number}" for number in range(events)]
    deadly = sorted(random.Random(seed).sample(range(1, events // 2), kills))  # noqa: S311 - to be repeated
    async with local_service(cameras) as (emulator, sqs, environment), asyncio.timeout(LONGEST):
        team = Workers({**os.environ, **SETTINGS, **environment, "REDIS_URL": redis_url}, report)
        try:
            await asyncio.gather(*(team.start() for _ in range(workers)))
            sending = asyncio.create_task(send_motion(team, sqs, environment["MOTION_QUEUE_URL"], cameras))
            while len(report.outcomes) < events or len(report.handled) < report.sessions.total():
                team.check()
                started = count_sessions(emulator, report, report.sessions.total())
                is_due = started is not None and deadly and report.sessions.total() >= deadly[0]
                if started is not None and is_due and await team.kill(started):
                    del deadly[0]
                await asyncio.sleep(PAUSE)
            await sending
        finally:
            await team.end()
    return report


@contextlib.asynccontextmanager
async def local_redis() -> AsyncGenerator[str]:
    """Run a server, unless REDIS_URL has the URL of one."""
    if (url := os.environ.get("REDIS_URL")) is not None:
        yield url
        return
    program = shutil.which("valkey-server") or shutil.which("redis-server")
    if program is None:
        sys.exit("install Redis or Valkey, or set REDIS_URL to the URL of a server for tests")
    with tempfile.TemporaryDirectory() as folder:
        server = await asyncio.create_subprocess_exec(
            *(program, "--port", str(REDIS_PORT), "--save", "", "--dir", folder), stdout=asyncio.subprocess.DEVNULL
        )
        try:
            yield f"redis://127.0.0.1:{REDIS_PORT}/0"
        finally:
            server.terminate()
            await server.wait()


async def main() -> None:
    async with local_redis() as url:
        report = await run(url)
    print(Counter(outcomes[-1] for outcomes in report.outcomes.values()), "outcomes")
    print(f"{report.sessions.total()} sessions, at most {max(report.sessions.values())} for one event")
    print(f"at most {report.most_at_once} sessions at once, {report.kills} workers killed")


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(message)s")
    log.setLevel(logging.INFO)
    asyncio.run(main())
