"""A wrong configuration is a ConfigurationError on the first attempt, and names what to fix."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import logging
import socket
from typing import TYPE_CHECKING

import aiohttp
import attrs
import pytest
from aiobotocore.session import AioSession
from aiohttp.client_reqrep import ConnectionKey

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.transport.aws import AwsTransport
from aiorekostream.transport.misconfiguration import of_connecting
from tests.transport.counterpart import Counterpart, http, proxying, serving, unheard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from aiorekostream.transport.port import Reply

_QUICK = rks.RetryPolicy(base_delay=0.01, max_delay=0.01)


def _paths(*, observed: bool) -> AioSession:
    """A session for the lean path, or one for botocore's."""
    session = AioSession()
    if observed:
        session.register("request-created.rekognition", unheard)
    return session


_both_paths = pytest.mark.parametrize("observed", [False, True], ids=["lean", "botocore"])


async def _refused(
    url: str | None = None, *, region: str | None = "us-east-1", observed: bool = False
) -> errors.ConfigurationError:
    """What the first call of a client raises; it must be the first attempt."""
    attempts: list[None] = []

    class Counted(AwsTransport):
        async def send(
            self, operation: str, body: Mapping[str, object], *, on_sent: Callable[[], None] = lambda: None
        ) -> Reply:
            attempts.append(None)
            return await super().send(operation, body, on_sent=on_sent)

        async def open(self) -> None:
            if not self.is_ready:
                attempts.append(None)
            await super().open()
            attempts.clear()

    transport = Counted(region=region, endpoint_url=url, session=_paths(observed=observed))
    client = rks.Client(transport=transport, retry=_QUICK)
    with pytest.raises(errors.ConfigurationError) as caught:
        await client.start_stream_processor(rks.FaceSearchStart("lobby"))
    await client.aclose()
    await transport.aclose()
    assert len(attempts) == 1
    return caught.value


# -------------------------------------------------------------------------------------------------------------- proxies


@_both_paths
async def test_proxy_that_requires_authentication(
    counterpart: Counterpart, monkeypatch: pytest.MonkeyPatch, *, observed: bool
) -> None:
    counterpart.script = lambda _: http(b"", status=407)
    monkeypatch.setenv("HTTP_PROXY", counterpart.url)
    error = await _refused("http://somewhere.invalid", observed=observed)
    assert "the proxy requires authentication (HTTP 407)" in str(error)


@_both_paths
async def test_tunnel_that_requires_authentication(monkeypatch: pytest.MonkeyPatch, *, observed: bool) -> None:
    async with serving(certificate="localhost") as counterpart, proxying(counterpart, status=407) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        error = await _refused(counterpart.url, observed=observed)
    assert "the proxy requires authentication (HTTP 407)" in str(error)
    assert len(proxy.heads) == 1


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "ftp://h", "http://h:99999", "http://h:x", "http://"])
async def test_proxy_url_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    error = await _refused("https://127.0.0.1:9")
    assert proxy in str(error)
    assert "HTTPS_PROXY" in str(error)


# ----------------------------------------------------------------------------------------- credentials and the endpoint


@pytest.mark.parametrize("ending", ["\n", "\r\n", " ", "\t", "\x00x"])
@pytest.mark.parametrize(
    ("variable", "named"),
    [
        ("AWS_ACCESS_KEY_ID", "access key"),
        ("AWS_SECRET_ACCESS_KEY", "secret key"),
        ("AWS_SESSION_TOKEN", "session token"),
    ],
)
async def test_control_character_in_credentials(
    counterpart: Counterpart, variable: str, named: str, ending: str
) -> None:
    values = {"AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": "secret-2", "AWS_SESSION_TOKEN": "token-3"}
    values[variable] += ending
    session = AioSession()  # the environment cannot hold all of these characters
    session.set_credentials(*values.values())
    client = rks.Client(session=session, region="us-east-1", endpoint_url=counterpart.url, retry=_QUICK)
    with pytest.raises(errors.ConfigurationError, match=f"the {named} contains control characters") as caught:
        await client.start_stream_processor(rks.FaceSearchStart("lobby"))
    await client.aclose()
    assert not any(value.strip() in str(caught.value) for value in values.values())
    assert not counterpart.requests


@_both_paths
async def test_renewed_credentials_are_checked(
    counterpart: Counterpart, monkeypatch: pytest.MonkeyPatch, *, observed: bool
) -> None:
    """Only the lean path names the value; on botocore's, aiohttp refuses the header before anything is sent."""
    session = _paths(observed=observed)
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url, session=session) as transport:
        await transport.send("StopStreamProcessor", {"Name": "a"})
        found = await session.get_credentials()
        assert found is not None
        monkeypatch.setattr(found, "token", "a-token\n")
        with pytest.raises(errors.ConfigurationError, match="control character") as caught:
            await transport.send("StartStreamProcessor", {"Name": "a"})
    assert "a-token" not in str(caught.value)
    assert len(counterpart.requests) == 1


@pytest.mark.parametrize("by_environment", [True, False])
async def test_password_in_the_endpoint(monkeypatch: pytest.MonkeyPatch, *, by_environment: bool) -> None:
    url = "http://user:hunter22@127.0.0.1:9"
    if by_environment:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    error = await _refused(None if by_environment else url)
    assert "the endpoint http://127.0.0.1:9 is given with a user name or a password" in str(error)
    assert "hunter22" not in str(error)


# -------------------------------------------------------------------------------------------------------------- Regions


@pytest.mark.parametrize("region", ["", " "])
@pytest.mark.parametrize("by_environment", [True, False])
async def test_empty_region(monkeypatch: pytest.MonkeyPatch, region: str, *, by_environment: bool) -> None:
    if by_environment:
        monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    error = await _refused("http://127.0.0.1:9", region=None if by_environment else region)
    assert "no AWS Region is set" in str(error)


def _unresolved(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    async def lookup(*_: object, **__: object) -> object:
        raise socket.gaierror(code, "cannot be resolved")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lookup)


@_both_paths
@pytest.mark.parametrize(("region", "meant"), [("us-esat-1", "us-east-1"), ("eu-wset-1", "eu-west-1")])
async def test_nonexistent_region(monkeypatch: pytest.MonkeyPatch, region: str, meant: str, *, observed: bool) -> None:
    _unresolved(monkeypatch, socket.EAI_NONAME)
    error = await _refused(region=region, observed=observed)
    assert f"there is no AWS Region '{region}'" in str(error)
    assert f"did you mean '{meant}'?" in str(error)


@pytest.mark.parametrize(
    ("region", "url", "code"),
    [
        ("eu-north-1", None, socket.EAI_NONAME),  # a Region without Rekognition
        ("us-esat-1", None, socket.EAI_AGAIN),
        ("us-esat-1", "http://nobody.invalid", socket.EAI_NONAME),
    ],
    ids=["known", "no answer", "other host"],
)
async def test_other_failed_lookup_is_retried(
    monkeypatch: pytest.MonkeyPatch, region: str, url: str | None, code: int
) -> None:
    _unresolved(monkeypatch, code)
    async with AwsTransport(region=region, endpoint_url=url) as transport:
        with pytest.raises(errors.ConnectError) as caught:
            await transport.send("StartStreamProcessor", {"Name": "a"})
    assert caught.value.retry_safe


def test_unknown_host_of_aiodns_is_recognized() -> None:
    """Aiohttp looks names up with aiodns where it is installed, which has no error number for this."""
    key = ConnectionKey("rekognition.us-esat-1.amazonaws.com", 443, True, True, None, None, None)  # noqa: FBT003
    regions = frozenset({"us-east-1"})
    for inner, expected in (
        (OSError(None, "Domain name not found"), "there is no AWS Region"),
        (OSError(None, "Timeout while contacting DNS servers"), ""),
    ):
        error = aiohttp.ClientConnectorDNSError(key, inner)
        assert of_connecting(error, region="us-esat-1", regions=regions).startswith(expected)


async def test_refused_connection_is_logged_once_and_retried(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as gone:
        url = gone.url
    caplog.set_level(logging.WARNING, "aiorekostream")
    once = rks.RetryPolicy(max_attempts=3, base_delay=0, max_delay=0)
    async with rks.Client(region="us-east-1", endpoint_url=url, retry=once) as client:
        for _ in range(2):
            with pytest.raises(errors.ConnectError) as caught:
                await client.stop_stream_processor("lobby")
            assert caught.value.attempts == 3
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert record.getMessage().startswith(f"nothing listens at {url.removeprefix('http://')}: ")


# ----------------------------------------------------------------------------------------------- credential providers


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
        client = rks.Client(transport=transport, retry=_QUICK)
        if at_opening:
            client = rks.Client(region="us-east-1", endpoint_url=counterpart.url, retry=_QUICK)
        agent.statuses = [status, status, 200]
        await client.start_stream_processor(rks.FaceSearchStart("lobby"))
        await client.aclose()
    assert len(counterpart.requests) == 1


@pytest.mark.parametrize("status", [404, 401, 403])
async def test_agent_that_refuses_is_configuration_at_once(
    counterpart: Counterpart, agent: _Agent, status: int
) -> None:
    agent.statuses = [status]
    error = await _refused(counterpart.url)
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


async def test_silent_metadata_service_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as gone:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", gone.url)
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    error = await _refused("http://127.0.0.1:9")
    assert "instance metadata service (IMDS" in str(error)
    assert "hop limit" in str(error)


async def test_metadata_service_that_was_not_asked_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    error = await _refused("http://127.0.0.1:9")
    assert "no AWS credentials were found" in str(error)
    assert "IMDS" not in str(error)
