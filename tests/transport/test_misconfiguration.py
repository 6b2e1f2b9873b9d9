"""A wrong configuration is a ConfigurationError on the first attempt, and names what to fix."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiobotocore.session import AioSession
from aiohttp.client_reqrep import ConnectionKey

import aiorekostream as rks
from aiorekostream import errors, results
from aiorekostream.transport.aws import AwsTransport
from aiorekostream.transport.misconfiguration import of_connecting
from tests.transport.counterpart import Counterpart, http, proxying, serving
from tests.transport.first_calls import QUICK, refused
from tests.transport.two_paths import new_session

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_both_paths = pytest.mark.parametrize("observed", [False, True], ids=["lean", "botocore"])


# -------------------------------------------------------------------------------------------------------------- proxies


@_both_paths
async def test_proxy_that_requires_authentication(
    counterpart: Counterpart, monkeypatch: pytest.MonkeyPatch, *, observed: bool
) -> None:
    counterpart.script = lambda _: http(b"", status=407)
    monkeypatch.setenv("HTTP_PROXY", counterpart.url)
    error = await refused("http://somewhere.invalid", observed=observed)
    assert "the proxy requires authentication (HTTP 407)" in str(error)


@_both_paths
async def test_tunnel_that_requires_authentication(monkeypatch: pytest.MonkeyPatch, *, observed: bool) -> None:
    async with serving(certificate="localhost") as counterpart, proxying(counterpart, status=407) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        error = await refused(counterpart.url, observed=observed)
    assert "the proxy requires authentication (HTTP 407)" in str(error)
    assert len(proxy.heads) == 1


@pytest.mark.parametrize(
    "proxy",
    [
        "socks5://127.0.0.1:1080",
        "ftp://h",
        "HTTP://h:1",  # botocore looks for the host "http"
        "http://h:99999",
        "http://h:x",
        "http://",
        " http://h:1",
        "http://h:1 ",
    ],
)
async def test_proxy_url_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    error = await refused("https://127.0.0.1:9")
    assert proxy in str(error)
    assert "HTTPS_PROXY" in str(error)


@pytest.mark.parametrize("password", ["hunter2#x", "hunter2/x", "hunter2?x", "12/hunter2"])
@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
async def test_password_of_a_proxy_must_be_encoded(monkeypatch: pytest.MonkeyPatch, scheme: str, password: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"{scheme}://user:{password}@h:1")
    error = await refused("http://127.0.0.1:9")
    assert f"the proxy '{scheme}://h:1' cannot be used" in str(error)
    assert "percent-encoded" in str(error)
    assert "hunter2" not in f"{error} {error.__cause__!r} {error.__context__!r}"


# ----------------------------------------------------------------------------------------- credentials and the endpoint


@pytest.mark.parametrize(
    "ending", ["\n", "\r\n", " ", "\t", "\x00x", "\x85x", "\xa0", "\u200b", "\u2028x", "\ufeff", "\udcff"]
)
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
    client = rks.Client(session=session, region="us-east-1", endpoint_url=counterpart.url, retry=QUICK)
    with pytest.raises(errors.ConfigurationError, match=f"the {named} contains control characters") as caught:
        await client.start_stream_processor(rks.FaceSearchStart("lobby"))
    await client.aclose()
    shown = f"{caught.value} {caught.value.__cause__!r} {caught.value.__context__!r}"
    assert not any(value.removesuffix(ending) in shown for value in values.values())
    assert not counterpart.requests


@_both_paths
async def test_renewed_credentials_are_checked(
    counterpart: Counterpart, monkeypatch: pytest.MonkeyPatch, *, observed: bool
) -> None:
    """Only the lean path names the value; on botocore's, aiohttp refuses the header before anything is sent."""
    session = new_session(observed=observed)
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url, session=session) as transport:
        await transport.send("StopStreamProcessor", {"Name": "a"})
        found = await session.get_credentials()
        assert found is not None
        monkeypatch.setattr(found, "token", "a-token\n")
        with pytest.raises(errors.ConfigurationError, match="control character") as caught:
            await transport.send("StartStreamProcessor", {"Name": "a"})
    assert "a-token" not in str(caught.value)
    assert len(counterpart.requests) == 1


@pytest.mark.parametrize("password", ["hunter22", "hunter22/x", "12/hunter22"])
@pytest.mark.parametrize("by_environment", [True, False])
async def test_password_in_the_endpoint(
    monkeypatch: pytest.MonkeyPatch, password: str, *, by_environment: bool
) -> None:
    url = f"http://user:{password}@127.0.0.1:9"
    if by_environment:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    error = await refused(None if by_environment else url)
    assert "the endpoint http://127.0.0.1:9 is given with a user name or a password" in str(error)
    assert "hunter22" not in str(error)


@pytest.mark.parametrize("url", ["127.0.0.1:4599", "no address", "http://", "http://[::1", "user:12/hunter22@h"])
async def test_endpoint_that_is_no_url(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    error = await refused()
    assert "the endpoint is no URL: set endpoint_url=" in str(error)
    assert "AWS_ENDPOINT_URL_REKOGNITION" in str(error)
    assert "hunter22" not in f"{error} {error.__cause__!r} {error.__context__!r}"


async def _read_limits() -> None:
    await rks.read_limits(region="us-east-1")


async def _fetch_picture() -> None:
    async with results.S3Images(region="us-east-1") as images:
        await images.fetch("s3://porch-pictures/a.jpg")


@pytest.mark.parametrize("call", [_read_limits, _fetch_picture])
async def test_endpoint_of_another_service_that_is_no_url(
    monkeypatch: pytest.MonkeyPatch, call: Callable[[], Awaitable[None]]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "user:12/hunter22@h")
    with pytest.raises(errors.ConfigurationError, match="the endpoint is no URL: set endpoint_url=") as caught:
        await call()
    assert "hunter22" not in f"{caught.value} {caught.value.__cause__!r} {caught.value.__context__!r}"


# -------------------------------------------------------------------------------------------------------------- Regions


@pytest.mark.parametrize("region", ["", " "])
@pytest.mark.parametrize("by_environment", [True, False])
async def test_empty_region(monkeypatch: pytest.MonkeyPatch, region: str, *, by_environment: bool) -> None:
    if by_environment:
        monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    error = await refused("http://127.0.0.1:9", region=None if by_environment else region)
    assert "no AWS Region is set" in str(error)


def _unresolved(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    async def lookup(*_: object, **__: object) -> object:
        raise socket.gaierror(code, "cannot be resolved")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lookup)


@_both_paths
@pytest.mark.parametrize(("region", "meant"), [("us-esat-1", "us-east-1"), ("eu-wset-1", "eu-west-1")])
async def test_nonexistent_region(monkeypatch: pytest.MonkeyPatch, region: str, meant: str, *, observed: bool) -> None:
    _unresolved(monkeypatch, socket.EAI_NONAME)
    error = await refused(region=region, observed=observed)
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


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (62, "is for another host"),
        (64, "is for another host"),
        (9, "is expired or not valid yet"),
        (10, "is expired or not valid yet"),
        (18, "is not signed by a known CA"),
        (20, "is not signed by a known CA"),
    ],
)
def test_certificate_is_judged_by_the_code_of_openssl(code: int, expected: str) -> None:
    """See https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/."""
    key = ConnectionKey("door.example", 443, True, True, None, None, None)  # noqa: FBT003
    found = ssl.SSLCertVerificationError("certificate verify failed")
    found.verify_code = code
    error = aiohttp.ClientConnectorCertificateError(key, found)
    text = of_connecting(error, region="us-east-1", regions=frozenset())
    assert text.startswith(f"the certificate of door.example:443 {expected}")


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


async def test_refused_connection_is_logged_again_after_a_success(caplog: pytest.LogCaptureFixture) -> None:
    counterpart = Counterpart(lambda _: http(headers={"Connection": "close"}, close=True))
    caplog.set_level(logging.WARNING, "aiorekostream")
    server = await asyncio.start_server(counterpart.serve, "127.0.0.1", 0)
    port = int(server.sockets[0].getsockname()[1])
    options: dict[str, Any] = {"retry": rks.RetryPolicy(max_attempts=1), "rate_limiter": None}
    async with rks.Client(region="us-east-1", endpoint_url=f"http://127.0.0.1:{port}", **options) as client:
        for _ in range(2):
            await client.stop_stream_processor("lobby")
            server.close()
            await server.wait_closed()
            with pytest.raises(errors.ConnectError):
                await client.stop_stream_processor("lobby")
            server = await asyncio.start_server(counterpart.serve, "127.0.0.1", port)
    server.close()
    assert [record.getMessage()[:26] for record in caplog.records] == ["nothing listens at 127.0.0"] * 2
