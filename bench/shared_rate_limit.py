"""Measure how several hosts share the quota of an account through Redis or Valkey.

    python bench/shared_rate_limit.py [CASE...] [--runs 3] [--smoke]

Each host is a process with a client, a fleet and a ``RedisRateLimiter``. The service is a token bucket behind HTTP in
this process, which rejects every call above the true quota. The time is that from the signal to begin to the last
accepted call, over the least time in which the quota allows as many calls; the table has the median of the runs. Round
trips are counted by the Redis server.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias, cast

import attrs
import redis
from redis.exceptions import RedisError

sys.path.insert(0, str(Path(__file__).parents[1]))

import aiorekostream as rks
from aiorekostream.distributed import RedisRateLimiter
from tests.distributed.servers import Server, find_programs, running_server

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

START, STOP = "StartStreamProcessor", "StopStreamProcessor"
REGION = "us-east-1"
# Seconds from the arrival of a call to its answer.
LATENCY = 0.03
_UNLIMITED = 100_000
# Seconds until a disturbance of the server begins, and after which its end is due.
_DISTURBED_AT, _DISTURBED_FOR = 3.0, 3.0


@attrs.frozen
class RateCase:
    """What is measured.

    Attributes:
        key: its name on the command line.
        title: its name in the table.
        count: the calls of all hosts together.
        rate: the true quota, in calls a second.
        burst: its burst.
        hosts: the number of hosts.
        target: the target for time over ideal.
        throttles: the target for the number of rejected calls.
        operation: what is called.
        believed: the quota that the hosts believe in; the true one if ``None``.
        disturbance: what happens to the Redis server, or to a host.
    """

    key: str
    title: str
    count: int
    rate: float
    burst: float
    target: float
    throttles: float
    hosts: int = 3
    operation: str = START
    believed: tuple[float, float] | None = None
    disturbance: str = ""

    @property
    def ideal(self) -> float:
        """The least time in seconds."""
        return (self.count - self.burst) / self.rate


CASES = (
    RateCase("starts", "200 starts, 20/s, burst 20", 200, 20, 20, 1.05, 0),
    RateCase("ten", "ten hosts, 400 starts", 400, 20, 20, 1.05, 1, hosts=10),
    # Of 212 calls, 12 are 6 %.
    RateCase("lower", "true quota 7/s, 20 believed, 200 starts", 200, 7, 7, 1.10, 12, believed=(20, 20)),
    RateCase("stops", "20 stops, 1/s, burst 1", 20, 1, 1, 1.10, 1, operation=STOP),
    RateCase("fast", "3,000 starts, 500/s", 3000, 500, 500, 1.05, 0),
    RateCase("killed", "Redis killed at 3 s", 200, 20, 20, 1.10, 1, disturbance="killed"),
    RateCase("emptied", "Redis killed at 3 s, back empty at 6 s", 200, 20, 20, 1.10, 1, disturbance="emptied"),
    RateCase("hung", "Redis hung from 3 s to 6 s", 200, 20, 20, 1.10, 1, disturbance="hung"),
    RateCase("host", "a host killed at 3 s, 300 starts", 300, 20, 20, 1.05, 0, disturbance="host"),
)


# ------------------------------------------------------------------------------------------------------------- service


class LimitedService:
    """A strict token bucket behind HTTP."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst, self._level, self._at = rate, burst, burst, time.monotonic()
        self.accepted: list[float] = []
        self.throttled: list[float] = []

    def answer(self, operation: bytes) -> tuple[int, bytes]:
        """Decide about a call that arrives now."""
        now = time.monotonic()
        self._level = min(self._burst, self._level + (now - self._at) * self._rate)
        self._at = now
        if self._level < 1 - 1e-6:
            self.throttled.append(now)
            return 400, b'{"__type":"ThrottlingException","Message":"Rate exceeded"}'
        self._level -= 1
        self.accepted.append(now)
        return 200, b'{"SessionId":"0c3f2f3e-7a60-4b6b-9a55-8a2f9d6d1d5b"}' if b"Start" in operation else b"{}"


class _LimitedProtocol(asyncio.Protocol):
    def __init__(self, service: LimitedService) -> None:
        self._service = service
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, rest = self._received.partition(b"\r\n\r\n")
        lower = head.lower()
        if blank and len(rest) >= int(lower.partition(b"content-length:")[2].split(b"\r\n")[0]):
            self._received = b""
            target = head[lower.index(b"x-amz-target:") :].split(b"\r\n")[0]
            status, body = self._service.answer(target)
            answer = b"HTTP/1.1 %d X\r\nx-amzn-RequestId: 6f1c8e9c\r\nContent-Type: application/x-amz-json-1.1\r\n"
            message = (answer + b"Content-Length: %d\r\n\r\n%b") % (status, len(body), body)
            asyncio.get_running_loop().call_later(LATENCY, self._transport.write, message)


@contextlib.asynccontextmanager
async def serving(service: LimitedService) -> AsyncGenerator[str]:
    """Listen on a free port, and yield the URL."""
    server = await asyncio.get_running_loop().create_server(lambda: _LimitedProtocol(service), "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


# ---------------------------------------------------------------------------------------------------------------- host


async def be_host(case: RateCase, number: int, url: str, redis_url: str) -> None:
    """Make the host's share of the calls, once a line is read."""
    rate, burst = case.believed or (case.rate, case.burst)
    quota = rks.Quota(rate, burst)
    limits = rks.Limits(quotas={case.operation: quota}, concurrent_label_detection={REGION: _UNLIMITED})
    names = [f"camera-{number}-{index}" for index in range(number, case.count, case.hosts)]
    async with (
        RedisRateLimiter(redis_url, expected_hosts=case.hosts) as limiter,
        rks.Client(
            region=REGION,
            endpoint_url=url,
            limits=limits,
            timeout=rks.Timeout(total=600),
            rate_limiter=limiter,
        ) as client,
    ):
        fleet = rks.Fleet(client)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        if case.operation == STOP:
            outcomes: Sequence[object] = (await fleet.stop(names)).outcomes
        else:
            outcomes = (await fleet.start(map(_start, names))).outcomes
        done = sum(isinstance(outcome, rks.Started | rks.Stopped) for outcome in outcomes)
        print(json.dumps({"done": done, "asked": len(names)}), flush=True)


def _start(name: str) -> rks.LabelDetectionStart:
    return rks.LabelDetectionStart(
        name=name,
        start_selector=rks.ProducerTimestamp(1_763_892_000_000),
        stop_selector=rks.StopSelector(max_duration_in_seconds=120),
    )


# ----------------------------------------------------------------------------------------------------------------- run


@attrs.frozen
class RateRun:
    """The figures of one run."""

    ratio: float
    throttled: int
    trips: float
    lost: int


_Host: TypeAlias = "subprocess.Popen[str]"


def _begin_host(case: RateCase, number: int, url: str, redis_url: str) -> _Host:
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "an-example"}
    return subprocess.Popen(
        [sys.executable, __file__, "--host", json.dumps(attrs.asdict(case)), str(number), url, redis_url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def _read_line(host: _Host) -> str:
    return cast("IO[str]", host.stdout).readline()


async def _disturb(case: RateCase, server: Server, hosts: Sequence[_Host]) -> None:
    steps: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
        "killed": (server.kill, lambda: None),
        "emptied": (server.kill, server.start),
        "hung": (server.hang, server.resume),
        "host": (hosts[0].kill, lambda: None),
    }
    if case.disturbance:
        begin, end = steps[case.disturbance]
        await asyncio.sleep(_DISTURBED_AT)
        begin()
        await asyncio.sleep(_DISTURBED_FOR)
        end()


def _count_trips(server: Server) -> int:
    try:
        with redis.Redis.from_url(server.url) as client:
            stats = client.info("commandstats")
    except RedisError:
        return 0
    return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("eval", "evalsha"))


async def run_case(case: RateCase, program: str) -> RateRun:
    """Run a case once."""
    service = LimitedService(case.rate, case.burst)
    with running_server(program) as server:
        async with serving(service) as url:
            hosts = [_begin_host(case, number, url, server.url) for number in range(case.hosts)]
            try:
                await asyncio.gather(*(asyncio.to_thread(_read_line, host) for host in hosts))
                trips = _count_trips(server)
                began = time.monotonic()
                for host in hosts:
                    stdin = cast("IO[str]", host.stdin)
                    stdin.write("go\n")
                    stdin.flush()
                disturbing = asyncio.create_task(_disturb(case, server, hosts))
                lines = await asyncio.gather(*(asyncio.to_thread(_read_line, host) for host in hosts))
                disturbing.cancel()
                await asyncio.gather(disturbing, return_exceptions=True)
                # A server that was restarted has forgotten them.
                trips = -1 if case.disturbance in {"killed", "emptied"} else _count_trips(server) - trips
            finally:
                for host in hosts:
                    with host:
                        host.terminate()
    results = [json.loads(line) for line in lines if line]
    lost = sum(result["asked"] - result["done"] for result in results)
    elapsed = service.accepted[-1] - began
    ideal = (len(service.accepted) - case.burst) / case.rate
    if "-v" in sys.argv:
        print([round(moment - began, 3) for moment in service.accepted][:60])
        print("throttled", [round(moment - began, 3) for moment in service.throttled])
    return RateRun(elapsed / ideal, len(service.throttled), trips / len(service.accepted), lost)


def _smaller(case: RateCase) -> RateCase:
    return attrs.evolve(case, count=4, hosts=2, rate=20, burst=2, believed=None, disturbance="")


def main() -> None:
    """Run the cases, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help=", ".join(case.key for case in CASES))
    parser.add_argument("--runs", type=int, default=3, help="runs of each case")
    parser.add_argument("--smoke", action="store_true", help="one small run, to check that it runs")
    parser.add_argument("-v", action="store_true", help="print the moments of the calls")
    parser.add_argument("--host", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.host:
        fields, number, url, redis_url = cast("list[str]", options.host)
        asyncio.run(be_host(RateCase(**json.loads(fields)), int(number), url, redis_url))
        return
    name, program = next(iter(find_programs().items()))
    cases = [case for case in CASES if not options.cases or case.key in options.cases]
    if options.smoke:
        cases = [_smaller(CASES[0])]
    print(f"server: {name}")
    print("| case | time / ideal | throttled | round trips per call | lost | target |")
    print("|---|---:|---:|---:|---:|---|")
    for case in cases:
        runs = [asyncio.run(run_case(case, program)) for _ in range(1 if options.smoke else options.runs)]
        ratio, throttled, trips = (
            statistics.median(getattr(run, name) for run in runs) for name in ("ratio", "throttled", "trips")
        )
        lost = sum(run.lost for run in runs)
        target = f"{case.target:g}, {case.throttles:g}"
        counted = f"{trips:.2f}" if trips >= 0 else "-"
        print(f"| {case.title} | {ratio:.3f} | {throttled:g} | {counted} | {lost} | {target} |", flush=True)


if __name__ == "__main__":
    main()
