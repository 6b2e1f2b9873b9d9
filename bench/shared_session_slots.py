"""Measure how several hosts share the session limit of an account through Redis or Valkey while one of them is killed.

    python bench/shared_session_slots.py [--smoke]

Each host is a process with a client and a fleet on shared session slots; the service is the emulator, which allows more
sessions than the hosts believe, so that it shows how many there are at once. One host is killed while it holds slots.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, TypeAlias, cast

import attrs
import redis

sys.path.insert(0, str(Path(__file__).parents[1]))

import aiorekostream as rks
from aiorekostream.distributed import RedisSessionSlots
from aiorekostream.domain.status import WITHOUT_SESSION, Status
from aiorekostream.emulator import Emulator
from aiorekostream.fleet.slots import MARGIN
from bench.emulator_results import label_detection
from tests.distributed.servers import find_programs, running_server

REGION = "us-east-1"
# Seconds: the timeout of a call, and the longest duration of a session.
CALL, SESSION = 5, 5
_Host: TypeAlias = "subprocess.Popen[str]"
# Seconds between looks at the sessions of the service.
_SAMPLE = 0.01


@attrs.frozen
class SlotCase:
    """What is measured.

    Attributes:
        sessions: the sessions that all hosts are to start together.
        limit: the most sessions at once.
        hosts: the number of hosts.
        killed_at: seconds from the first start until a host is killed.
        waits: whether to wait until every slot is free.
    """

    sessions: int
    limit: int
    hosts: int
    killed_at: float
    waits: bool = True


CASE = SlotCase(sessions=180, limit=40, hosts=3, killed_at=2.0)
SMOKE = SlotCase(sessions=2, limit=2, hosts=2, killed_at=math.inf, waits=False)


async def be_host(case: SlotCase, number: int, url: str, redis_url: str) -> None:
    """Start the host's share of the sessions."""
    limits = rks.Limits(concurrent_label_detection={REGION: case.limit})
    async with (
        RedisSessionSlots(redis_url) as slots,
        rks.Client(region=REGION, endpoint_url=url, limits=limits, rate_limiter=None, timeout=CALL) as client,
        rks.Fleet(client, slots=slots, poll_interval=1) as fleet,
    ):
        names = [f"camera-{index}" for index in range(number, case.sessions, case.hosts)]
        report = await fleet.start(
            rks.LabelDetectionStart(
                name=name,
                start_selector=rks.ProducerTimestamp(1_763_892_000_000),
                stop_selector=rks.StopSelector(max_duration_in_seconds=SESSION),
            )
            for name in names
        )
        print(json.dumps({"started": len(report.started), "asked": len(names)}), flush=True)


def _count_sessions(emulator: Emulator) -> int:
    return sum(Status(state.status) not in WITHOUT_SESSION for state in emulator.processors)


async def _watch(emulator: Emulator, case: SlotCase, killed: _Host, counts: list[int]) -> None:
    """Count the sessions again and again, and kill a host when it is time."""
    began = 0.0
    while True:
        counts.append(_count_sessions(emulator))
        began = began or (time.monotonic() if counts[-1] else 0.0)
        if began and time.monotonic() > began + case.killed_at and killed.poll() is None:
            killed.kill()
        await asyncio.sleep(_SAMPLE)


def _wait_until_free(url: str) -> float:
    """Wait until the server has no slot that is taken; returns the seconds."""
    began = time.monotonic()
    with redis.Redis.from_url(url) as client:
        while sum(client.zcount(key, float(client.time()[0]), "+inf") for key in client.keys("*:slots")):
            time.sleep(_SAMPLE)
    return time.monotonic() - began


def _begin_host(case: SlotCase, number: int, url: str, redis_url: str) -> _Host:
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "an-example"}
    arguments = ["--host", json.dumps(attrs.asdict(case)), str(number), url, redis_url]
    return subprocess.Popen([sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True, env=environment)


def _read_line(host: _Host) -> str:
    return cast("IO[str]", host.stdout).readline()


async def measure(case: SlotCase, program: str) -> None:
    """Run a case once, and print what happened."""
    limits = rks.Limits(concurrent_label_detection={REGION: case.sessions})
    async with Emulator(limits=limits, quotas=False) as emulator:
        for number in range(case.sessions):
            emulator.create_stream_processor(label_detection(number), region=REGION, access_key="AKIAEXAMPLE")
        with running_server(program) as server:
            hosts = [_begin_host(case, number, emulator.url, server.url) for number in range(case.hosts)]
            counts: list[int] = []
            watching = asyncio.create_task(_watch(emulator, case, hosts[0], counts))
            try:
                lines = await asyncio.gather(*(asyncio.to_thread(_read_line, host) for host in hosts))
                returned = await asyncio.to_thread(_wait_until_free, server.url) if case.waits else 0.0
            finally:
                watching.cancel()
                for host in hosts:
                    with host:
                        host.terminate()
    results = [json.loads(line) for line in lines if line]
    print(f"sessions at once: {max(counts)} of {case.limit}")
    print(f"sessions that the living hosts started: {sum(each['started'] for each in results)}")
    print(f"other outcomes of theirs: {sum(each['asked'] - each['started'] for each in results)}")
    if case.waits:
        print(f"every slot is free {returned:.1f} s after the last start; target {CALL + SESSION + MARGIN:g} s")


def main() -> None:
    """Run the case, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="one small run, to check that it runs")
    parser.add_argument("--host", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.host:
        fields, number, url, redis_url = cast("list[str]", options.host)
        asyncio.run(be_host(SlotCase(**json.loads(fields)), int(number), url, redis_url))
        return
    name, program = next(iter(find_programs().items()))
    print(f"server: {name}")
    asyncio.run(measure(SMOKE if options.smoke else CASE, program))


if __name__ == "__main__":
    main()
