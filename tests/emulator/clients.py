"""Provide two clients of an emulator that share no code with the package: boto3 in a thread, and a raw socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import attrs
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

_config: Any = Config
ONCE = _config(retries={"total_max_attempts": 1, "mode": "standard"}, parameter_validation=False, read_timeout=20)
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260101/us-east-1/rekognition/aws4_request, "
    "SignedHeaders=host, Signature=0000"
)


@attrs.frozen
class Boto:
    """A boto3 client without retries and without parameter validation."""

    client: Any

    async def __call__(self, verb: str, **members: object) -> dict[str, Any]:
        """Call a method, and return the response without its metadata."""
        response = await asyncio.to_thread(getattr(self.client, verb), **members)
        assert response["ResponseMetadata"].pop("RequestId")
        return {name: value for name, value in response.items() if name != "ResponseMetadata"}

    async def refused(self, verb: str, **members: object) -> tuple[str, str, int]:
        """Call a method that fails, and return the error code, the message and the HTTP status."""
        try:
            await self(verb, **members)
        except ClientError as error:
            response: Any = error.response
            status: int = response["ResponseMetadata"]["HTTPStatusCode"]
            return response["Error"]["Code"], response["Error"]["Message"], status
        raise AssertionError("the call was not refused")

    async def status(self, name: str) -> str:
        response = await self("describe_stream_processor", Name=name)
        return str(response["Status"])


@contextlib.asynccontextmanager
async def boto(
    url: str, *, region: str = "us-east-1", key: str = "AKIAEXAMPLE", secret: str = "x"
) -> AsyncGenerator[Boto]:
    client = await asyncio.to_thread(
        boto3.client,
        "rekognition",
        region_name=region,
        endpoint_url=url,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=ONCE,
    )
    try:
        yield Boto(client)
    finally:
        client.close()


@attrs.frozen
class Raw:
    """A raw HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        members: dict[str, Any] = json.loads(self.body)
        return members


async def exchange(url: str, sent: bytes, *, end: bool = False) -> Raw:
    """Send bytes on a new connection and read one response.

    Args:
        url: the emulator's URL.
        sent: the bytes.
        end: whether to close the sending side after the bytes.

    Raises:
        ConnectionError: the emulator sent no response.
    """
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        with contextlib.suppress(ConnectionError):  # the emulator may respond and close before it has read everything
            writer.write(sent)
            await writer.drain()
            if end:
                writer.write_eof()
        head = await _head(reader)
        lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        return Raw(int(lines[0].split()[1]), headers, await reader.readexactly(int(headers.get("content-length", "0"))))
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def until(has_happened: Callable[[], object]) -> None:
    """Run the event loop until a condition holds."""
    while not has_happened():  # noqa: ASYNC110 - the condition depends on the other side of a socket
        await asyncio.sleep(0)


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return (await reader.readuntil(b"\r\n\r\n")).strip()
    except asyncio.IncompleteReadError as error:
        raise ConnectionResetError("no response") from error


def http(
    *, method: str = "POST", path: str = "/", headers: Mapping[str, str | None] | None = None, body: bytes = b"{}"
) -> bytes:
    """Build an HTTP request; a header with the value None is omitted."""
    given: dict[str, str | None] = {
        "Host": "127.0.0.1",
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "RekognitionService.ListStreamProcessors",
        "Authorization": AUTHORIZATION,
        "Content-Length": str(len(body)),
        **(headers or {}),
    }
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items() if value is not None)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
