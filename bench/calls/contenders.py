"""Define the ways to make one StartStreamProcessor, and a server process that answers it with little work."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import IO, Protocol, TypeAlias, cast

import aiohttp
from aiobotocore.session import AioSession
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

import aiorekostream as rks
from aiorekostream.transport.aws import AwsTransport

__all__ = [
    "ENVIRONMENT",
    "REQUEST",
    "Call",
    "Open",
    "bare",
    "capo",
    "floor",
    "is_capo_installed",
    "limited",
    "serve",
    "serving",
    "start",
    "transport",
    "unlimited",
]

Call: TypeAlias = Callable[[], Awaitable[object]]
Open: TypeAlias = Callable[[str], AbstractAsyncContextManager[Call]]
"""Opens a client at a URL."""

_TIMESTAMP_MS = 1_763_892_000_000
REQUEST: Mapping[str, object] = {
    "Name": "front-door",
    "StartSelector": {"KVSStreamStartSelector": {"ProducerTimestamp": _TIMESTAMP_MS}},
    "StopSelector": {"MaxDurationInSeconds": 30},
}
_ANSWER = b'{"SessionId":"0c3f2f3e-7a60-4b6b-9a55-8a2f9d6d1d5b"}'
_KEYS = ReadOnlyCredentials("AKIAEXAMPLE", "an-example-and-no-secret", None)
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": _KEYS.access_key,
    "AWS_SECRET_ACCESS_KEY": _KEYS.secret_key,
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
_POOL = 100
_CAPO = "capo_rekognition"


# --------------------------------------------------------------------------------------------------------- the service


class _FastServer(asyncio.Protocol):
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


class _Silent(asyncio.Protocol):
    """Accept every request and answer none."""


async def serve(*, silent: bool = False) -> None:
    """Serve on a free port, and print it."""
    server = await asyncio.get_running_loop().create_server(_Silent if silent else _FastServer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def serving(script: str, *arguments: str) -> Generator[str]:
    """Run the server in another process, so that only the work of the client is counted; its URL.

    Args:
        script: a script that calls ``serve`` when its first argument is ``serve``.
        arguments: further arguments of the script.
    """
    command = [sys.executable, script, "serve", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield f"http://127.0.0.1:{int(cast('IO[str]', server.stdout).readline())}"
        finally:
            server.terminate()


# --------------------------------------------------------------------------------------------------------- the clients


@contextlib.asynccontextmanager
async def floor(url: str) -> AsyncGenerator[Call]:
    """Call with aiohttp and botocore's signer by hand: the least that a client on them can cost."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_POOL)) as session:
        signer = SigV4Auth(_KEYS, "rekognition", "us-east-1")
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": "RekognitionService.StartStreamProcessor",
        }

        async def call() -> object:
            body = json.dumps(REQUEST).encode()
            request = AWSRequest("POST", url, headers, body)
            signer.add_auth(request)
            async with session.post(url, data=body, headers=dict(request.headers.items())) as response:
                return json.loads(await response.read())

        yield call


@contextlib.asynccontextmanager
async def bare(url: str) -> AsyncGenerator[Call]:
    """Call through an aiobotocore client with its defaults."""
    async with AioSession().create_client("rekognition", endpoint_url=url) as client:

        async def call() -> object:
            return await client.start_stream_processor(**REQUEST)

        yield call


class _CapoClient(Protocol):
    async def start_stream_processor(self, name: str, *, start_selector: object, stop_selector: object) -> object: ...


def is_capo_installed() -> bool:
    """Whether capo-rekognition can be imported."""
    return importlib.util.find_spec(_CAPO) is not None


@contextlib.asynccontextmanager
async def capo(url: str) -> AsyncGenerator[Call]:
    """Call through capo-rekognition with a pool of 100 connections."""
    sdk, http = importlib.import_module(_CAPO), importlib.import_module("zapros")
    pool = {"max_connections_per_host": _POOL, "max_idle_connections_per_host": _POOL}
    handler = cast("Callable[..., object]", http.AsyncStdNetworkHandler)
    make = cast("Callable[..., AbstractAsyncContextManager[_CapoClient]]", sdk.AsyncRekognitionClient)
    async with make(http_handler=handler(http1=pool), region="us-east-1", endpoint=url) as client:

        async def call() -> object:
            return await client.start_stream_processor(
                "front-door",
                start_selector={"kvs_stream_start_selector": {"producer_timestamp": _TIMESTAMP_MS}},
                stop_selector={"max_duration_in_seconds": 30},
            )

        yield call


@contextlib.asynccontextmanager
async def transport(url: str) -> AsyncGenerator[Call]:
    """Call through the package's transport alone."""
    async with AwsTransport(endpoint_url=url) as aws:

        async def call() -> object:
            return await aws.send("StartStreamProcessor", REQUEST)

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


def start() -> rks.LabelDetectionStart:
    """Return the request as a value."""
    return rks.LabelDetectionStart(
        name="front-door",
        start_selector=rks.ProducerTimestamp(_TIMESTAMP_MS),
        stop_selector=rks.StopSelector(max_duration_in_seconds=30),
    )


def _call(client: rks.Client) -> Call:
    async def call() -> object:
        return await client.start_stream_processor(start())

    return call
