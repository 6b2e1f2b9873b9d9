"""Two clients of a running emulator that share no code with the package: boto3 on a thread, and bytes on a socket."""

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
    """boto3, one HTTP request for each call, nothing checked before it is sent."""

    client: Any

    async def __call__(self, verb: str, **members: object) -> dict[str, Any]:
        """The answer without its metadata."""
        answer = await asyncio.to_thread(getattr(self.client, verb), **members)
        assert answer["ResponseMetadata"].pop("RequestId")
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}

    async def refused(self, verb: str, **members: object) -> tuple[str, str, int]:
        """The code, the message and the HTTP status of a refusal."""
        try:
            await self(verb, **members)
        except ClientError as error:
            answer: Any = error.response
            return answer["Error"]["Code"], answer["Error"]["Message"], answer["ResponseMetadata"]["HTTPStatusCode"]
        raise AssertionError("the call was not refused")

    async def status(self, name: str) -> str:
        answer = await self("describe_stream_processor", Name=name)
        return str(answer["Status"])


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
    """An HTTP answer as bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        members: dict[str, Any] = json.loads(self.body)
        return members


async def exchange(url: str, sent: bytes, *, end: bool = False) -> Raw:
    """Send bytes on a new connection, and nothing after them if so told, and read one answer.

    Raises:
        ConnectionError: there was none.
    """
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        with contextlib.suppress(ConnectionError):  # the other side may have answered and gone before it is all sent
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
    """Let the event loop turn until something has happened."""
    while not has_happened():  # noqa: ASYNC110 - what is waited for is on the other side of a socket
        await asyncio.sleep(0)


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return (await reader.readuntil(b"\r\n\r\n")).strip()
    except asyncio.IncompleteReadError as error:
        raise ConnectionResetError("no answer") from error


def http(
    *, method: str = "POST", path: str = "/", headers: Mapping[str, str | None] | None = None, body: bytes = b"{}"
) -> bytes:
    """A request as bytes; a header of None is left out."""
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
