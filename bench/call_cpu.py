"""Measure the CPU time of one StartStreamProcessor, against a bare aiobotocore client with its defaults.

    python bench/call_cpu.py [--rounds 31] [--calls 150] [--smoke]

The server is another process on loopback, so only the work of the client is counted. The paths take turns: transport
alone, client without a rate limiter, client with one whose quota is never reached. The figure that counts is the median
of the paired ratios to aiobotocore.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import IO, cast

from aiobotocore.session import AioSession

import aiorekostream as rks
from aiorekostream.transport.aws import AwsTransport

Call = Callable[[], Awaitable[object]]

_TIMESTAMP_MS = 1_763_892_000_000
_REQUEST: Mapping[str, object] = {
    "Name": "front-door",
    "StartSelector": {"KVSStreamStartSelector": {"ProducerTimestamp": _TIMESTAMP_MS}},
    "StopSelector": {"MaxDurationInSeconds": 30},
}
_ANSWER = b'{"SessionId":"0c3f2f3e-7a60-4b6b-9a55-8a2f9d6d1d5b"}'
_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "an-example-and-no-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


class _Server(asyncio.Protocol):
    """Answer every request alike, with as little work as possible."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, rest = self._received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
        if blank and len(rest) >= int(length):
            self._received = b""
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nx-amzn-RequestId: 6f1c8e9c-0d57-4e8b-9f2b-1f5d0e5f6a77\r\n"
                b"Content-Type: application/x-amz-json-1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(_ANSWER), _ANSWER)
            )


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Server, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.asynccontextmanager
async def bare(url: str) -> AsyncGenerator[Call]:
    """Call through an aiobotocore client with its defaults."""
    async with AioSession().create_client("rekognition", endpoint_url=url) as client:

        async def call() -> object:
            return await client.start_stream_processor(**_REQUEST)

        yield call


@contextlib.asynccontextmanager
async def transport(url: str) -> AsyncGenerator[Call]:
    """Call through the package's transport alone."""
    async with AwsTransport(endpoint_url=url) as aws:

        async def call() -> object:
            return await aws.send("StartStreamProcessor", _REQUEST)

        yield call


@contextlib.asynccontextmanager
async def unlimited(url: str) -> AsyncGenerator[Call]:
    """Call through a client without a rate limiter, from a value to a value."""
    async with rks.Client(endpoint_url=url, rate_limiter=None) as client:
        yield _call(client)


@contextlib.asynccontextmanager
async def limited(url: str) -> AsyncGenerator[Call]:
    """Call through a client with a rate limiter whose quota is never reached, so that no call waits."""
    limits = rks.Limits(quotas={"StartStreamProcessor": rks.Quota(1e6, 1e6)})
    async with rks.Client(endpoint_url=url, limits=limits) as client:
        yield _call(client)


def _call(client: rks.Client) -> Call:
    async def call() -> object:
        return await client.start_stream_processor(
            rks.LabelDetectionStart(
                name="front-door",
                start_selector=rks.ProducerTimestamp(_TIMESTAMP_MS),
                stop_selector=rks.StopSelector(max_duration_in_seconds=30),
            )
        )

    return call


PATHS = (bare, transport, unlimited, limited)


async def measure(url: str, rounds: int, calls: int) -> dict[str, list[float]]:
    """Return the microseconds of CPU for each call in each round, by path."""
    found: dict[str, list[float]] = {}
    async with contextlib.AsyncExitStack() as stack:
        paths = {path.__name__: await stack.enter_async_context(path(url)) for path in PATHS}
        for number in range(rounds + 1):
            for name, call in paths.items():
                began = time.process_time()
                for _ in range(calls):
                    await call()
                if number:  # the first round warms up
                    found.setdefault(name, []).append((time.process_time() - began) / calls * 1e6)
    return found


def main() -> None:
    """Measure and print."""
    if sys.argv[1:] == ["serve"]:
        asyncio.run(_serve())
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--calls", type=int, default=150, help="calls in a round")
    parser.add_argument("--smoke", action="store_true", help="as little as possible, to check that it runs")
    options = parser.parse_args()
    rounds, calls = (1, 3) if options.smoke else (options.rounds, options.calls)
    os.environ.update(_ENVIRONMENT)
    with subprocess.Popen([sys.executable, __file__, "serve"], stdout=subprocess.PIPE, text=True) as server:
        try:
            port = int(cast("IO[str]", server.stdout).readline())
            found = asyncio.run(measure(f"http://127.0.0.1:{port}", rounds, calls))
        finally:
            server.terminate()
    print(f"CPU of one StartStreamProcessor, medians of {rounds} rounds of {calls} calls, paths taking turns")
    for name, figures in found.items():
        median = statistics.median(figures)
        ratio = statistics.median(each / base for each, base in zip(figures, found["bare"], strict=True))
        print(f"{name:10}{median:7.0f} us   {ratio:.2f} of bare   ({min(figures):.0f} to {max(figures):.0f})")


if __name__ == "__main__":
    main()
