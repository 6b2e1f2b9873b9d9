"""A credential provider that is overloaded is retried; one that refuses is a ConfigurationError with its status."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
from typing import TYPE_CHECKING

import attrs
import pytest

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.transport.aws import AwsTransport
from tests.transport.counterpart import Counterpart, StubAnswer, http, serving
from tests.transport.first_calls import QUICK, refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@attrs.define
class _Agent:
    """A container's credential agent that answers these statuses and then credentials, five minutes long."""

    statuses: list[int] = attrs.field(factory=list[int])
    asked: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            self.asked += 1
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0] if self.statuses else 200
            soon = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
            keys = {"AccessKeyId": "AKIATASK", "SecretAccessKey": "a-secret", "Token": "a-token", "Expiration": soon}
            body = json.dumps(keys).encode() if status == 200 else b"<html>"
            if status == 0:
                status = 200
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            await writer.drain()
        writer.close()


@pytest.fixture
async def agent(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[_Agent]:
    agent = _Agent()
    server = await asyncio.start_server(agent.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{port}/credentials")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setattr("aiobotocore.utils.AioContainerMetadataFetcher.RETRY_ATTEMPTS", 1)
    monkeypatch.setattr("aiobotocore.utils.AioContainerMetadataFetcher.SLEEP_TIME", 0)
    # botocore allows an agent 2 seconds, which a loaded machine exceeds.
    monkeypatch.setattr("aiobotocore.utils.AioContainerMetadataFetcher.TIMEOUT_SECONDS", 60)
    yield agent
    server.close()


@pytest.mark.parametrize("at_opening", [True, False])
@pytest.mark.parametrize("status", [500, 503, 429, 400, 0], ids=["500", "503", "429", "400", "no JSON"])
async def test_call_outlives_a_moment_without_the_agent(
    counterpart: Counterpart, agent: _Agent, status: int, *, at_opening: bool
) -> None:
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url) as transport:
        client = rks.Client(transport=transport, retry=QUICK)
        if at_opening:
            client = rks.Client(region="us-east-1", endpoint_url=counterpart.url, retry=QUICK)
        agent.statuses = [status, status, 200]
        await client.start_stream_processor(rks.FaceSearchStart("lobby"))
        await client.aclose()
    assert len(counterpart.requests) == 1


@pytest.mark.parametrize("status", [404, 401, 403])
async def test_agent_that_refuses_is_configuration_at_once(
    counterpart: Counterpart, agent: _Agent, status: int
) -> None:
    agent.statuses = [status]
    error = await refused(counterpart.url)
    assert f"the credential agent of the container answered HTTP {status}" in str(error)
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" in str(error)
    assert agent.asked == 1


async def test_agent_that_answers_400_for_too_long_is_configuration(counterpart: Counterpart, agent: _Agent) -> None:
    agent.statuses = [400]
    retry = rks.RetryPolicy(max_attempts=3, base_delay=0.01, max_delay=0.01)
    client = rks.Client(region="us-east-1", endpoint_url=counterpart.url, retry=retry)
    with pytest.raises(errors.ConfigurationError, match="response 400"):
        await client.start_stream_processor(rks.FaceSearchStart("lobby"))
    assert agent.asked == 3
    with pytest.raises(errors.ConfigurationError, match="response 400"):
        async with client:
            pass
    assert agent.asked == 6
    await client.aclose()


@pytest.fixture
async def sts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Counterpart]:
    """An STS that exchanges a web identity token for credentials."""
    token = tmp_path / "token"
    token.write_text("a-web-identity")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/doors")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    async with serving() as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        yield sts


_REFUSAL = b"<ErrorResponse><Error><Code>Odd</Code><Message>No.</Message></Error></ErrorResponse>"


@pytest.mark.parametrize("body", [_REFUSAL, b"<html>busy", b"upstream connect error", b"{}", b""])
@pytest.mark.parametrize("status", [429, 500, 599])
async def test_overloaded_sts_is_transient(sts: Counterpart, status: int, body: bytes) -> None:
    sts.script = lambda _: http(body, status=status)
    with pytest.raises(errors.ConnectError, match=f"HTTP {status}") as caught:
        await AwsTransport(region="us-east-1", endpoint_url="http://127.0.0.1:9").open()
    assert caught.value.retry_safe


@pytest.mark.parametrize("body", [b"", b"<html>busy"])
async def test_page_of_sts_is_left_to_botocore(sts: Counterpart, body: bytes) -> None:
    """It retries such a response itself, and names the status in words."""
    sts.script = lambda _: http(body, status=503)
    with pytest.raises(errors.ConnectError, match="Service Unavailable"):
        await AwsTransport(region="us-east-1", endpoint_url="http://127.0.0.1:9").open()


@pytest.mark.parametrize(
    "answer",
    [
        http(b"<html>"),
        http(b""),
        StubAnswer(b"HTTP/1.1 abc X\r\n\r\n", close=True),
        StubAnswer(b"?\r\n\r\n", close=True),
    ],
)
async def test_unreadable_sts_is_transient(sts: Counterpart, answer: StubAnswer) -> None:
    sts.script = lambda _: answer
    with pytest.raises(errors.ConnectError):
        await AwsTransport(region="us-east-1", endpoint_url="http://127.0.0.1:9").open()


@pytest.mark.parametrize("body", [_REFUSAL, b"<html>not here", b""])
@pytest.mark.parametrize("status", [400, 403, 404])
async def test_sts_that_refuses_is_configuration_at_once(sts: Counterpart, status: int, body: bytes) -> None:
    sts.script = lambda _: http(body, status=status)
    error = await refused("http://127.0.0.1:9")
    assert f"(HTTP {status})" in str(error)
    assert len(sts.requests) == 1


@pytest.fixture
async def imds(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[int]]:
    """The statuses with which the metadata service of an instance answers, each for good."""
    statuses = [200]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            status = 200 if head.startswith(b"PUT") else statuses[0]
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx".encode())
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    yield statuses
    server.close()


@pytest.mark.parametrize(("status", "fix"), [(401, "hop limit"), (404, "has no role"), (403, "the role of the")])
async def test_metadata_service_that_refuses_is_named(imds: list[int], status: int, fix: str) -> None:
    imds[0] = status
    error = await refused("http://127.0.0.1:9")
    assert f"instance metadata service (IMDS, 169.254.169.254) answered HTTP {status}" in str(error)
    assert fix in str(error)
    assert "did not answer:" not in str(error)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_overloaded_metadata_service_is_transient(imds: list[int], status: int) -> None:
    imds[0] = status
    with pytest.raises(errors.ConnectError, match=f"answered HTTP {status}") as caught:
        await AwsTransport(region="us-east-1", endpoint_url="http://127.0.0.1:9").open()
    assert caught.value.retry_safe


async def test_silent_metadata_service_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as gone:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", gone.url)
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    error = await refused("http://127.0.0.1:9")
    assert "instance metadata service (IMDS" in str(error)
    assert "hop limit" in str(error)


async def test_metadata_service_that_was_not_asked_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    error = await refused("http://127.0.0.1:9")
    assert "no AWS credentials were found" in str(error)
    assert "IMDS" not in str(error)
