"""Settings: arguments, the environment, profiles and sessions, and errors that name what is wrong."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore import UNSIGNED

from aiorekostream import errors
from aiorekostream.transport.aws import AwsTransport
from aiorekostream.transport.timeout import Timeout

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.transport.counterpart import Counterpart

_A_CALL = ("StopStreamProcessor", {"Name": "a"})


@pytest.mark.parametrize("option", ["region", "endpoint_url", "profile"])
def test_transport_rejects_options_that_are_not_text(option: str) -> None:
    wrong = cast("Any", {option: 5})
    with pytest.raises(errors.InvalidRequestError, match=f"{option}: must be text"):
        AwsTransport(**wrong)


async def test_region_is_known_when_given_or_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    assert AwsTransport(region="us-west-2").region == "us-west-2"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    transport = AwsTransport()
    assert transport.region is None
    async with transport:
        assert transport.region == "eu-west-1"


async def test_endpoint_of_the_environment_is_used(counterpart: Counterpart, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_REKOGNITION", counterpart.url)
    async with AwsTransport(region="us-east-1") as transport:
        await transport.send(*_A_CALL)
    assert len(counterpart.requests) == 1


@pytest.fixture
def config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config"
    path.write_text("""
[profile cameras]
region = ap-south-1
aws_access_key_id = AKIACAMERAS
aws_secret_access_key = a-secret-of-the-cameras
""")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.fspath(path))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    return path


@pytest.mark.usefixtures("config_file")
@pytest.mark.parametrize("by_environment", [True, False])
async def test_profile_gives_region_and_credentials(
    counterpart: Counterpart, monkeypatch: pytest.MonkeyPatch, *, by_environment: bool
) -> None:
    if by_environment:
        monkeypatch.setenv("AWS_PROFILE", "cameras")
    profile = None if by_environment else "cameras"
    async with AwsTransport(profile=profile, endpoint_url=counterpart.url) as transport:
        await transport.send(*_A_CALL)
        assert transport.region == "ap-south-1"
    authorization = counterpart.requests[0].headers["authorization"]
    assert "Credential=AKIACAMERAS/" in authorization
    assert "/ap-south-1/rekognition/aws4_request" in authorization


async def _no_region() -> None:
    await AwsTransport().open()


async def _no_credentials() -> None:
    os.environ.pop("AWS_ACCESS_KEY_ID")
    os.environ.pop("AWS_SECRET_ACCESS_KEY")
    await AwsTransport(region="us-east-1").open()


async def _half_credentials() -> None:
    os.environ.pop("AWS_SECRET_ACCESS_KEY")
    await AwsTransport(region="us-east-1").open()


async def _no_such_profile() -> None:
    await AwsTransport(region="us-east-1", profile="gone").open()


async def _no_such_profile_of_a_session() -> None:
    await AwsTransport(region="us-east-1", session=AioSession(profile="gone")).open()


async def _bad_endpoint() -> None:
    await AwsTransport(region="us-east-1", endpoint_url="no address").open()


async def _bad_region() -> None:
    await AwsTransport(region="us east 1").open()


def test_session_and_profile_are_not_given_together() -> None:
    with pytest.raises(errors.InvalidRequestError, match=r"profile: .*not both"):
        AwsTransport(session=AioSession(), profile="cameras")


@pytest.mark.parametrize(
    ("attempt", "says"),
    [
        (_no_region, "AWS_DEFAULT_REGION"),
        (_no_credentials, "AWS_ACCESS_KEY_ID"),
        (_half_credentials, "incomplete"),
        (_no_such_profile, "AWS_PROFILE"),
        (_no_such_profile_of_a_session, "AWS_PROFILE"),
        (_bad_endpoint, "no address"),
        (_bad_region, "us east 1"),
    ],
)
async def test_configuration_error_names_the_setting(attempt: Callable[[], Awaitable[None]], says: str) -> None:
    with pytest.raises(errors.ConfigurationError, match=says):
        await attempt()


async def test_credentials_that_appear_later_are_found_by_the_next_call(
    counterpart: Counterpart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    transport = AwsTransport(region="us-east-1", endpoint_url=counterpart.url)
    with pytest.raises(errors.ConfigurationError):
        await transport.send(*_A_CALL)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIALATER")
    await transport.send(*_A_CALL)
    await transport.aclose()
    assert "AKIALATER" in counterpart.requests[0].headers["authorization"]


async def test_session_of_the_callers_own_keeps_its_credentials_and_hooks(counterpart: Counterpart) -> None:
    session = AioSession()
    session.set_credentials("AKIAMINE", "my-secret", "my-token")
    heard: list[str] = []

    async def hear(event_name: str, **_: object) -> None:
        heard.append(event_name.partition(".")[0])

    events = (
        "provide-client-params", "before-call", "request-created", "choose-signer", "before-sign", "before-send",
        "before-parse", "response-received", "needs-retry", "after-call",
    )  # fmt: skip
    for event in events:
        session.register(f"{event}.rekognition", hear)
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url, session=session) as transport:
        await transport.send(*_A_CALL)
    assert heard == list(events)
    headers = counterpart.requests[0].headers
    assert "Credential=AKIAMINE/" in headers["authorization"]
    assert headers["x-amz-security-token"] == "my-token"


async def test_session_without_signatures_needs_no_credentials(
    counterpart: Counterpart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    session = AioSession()
    session.set_default_client_config(AioConfig(signature_version=UNSIGNED))
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url, session=session) as transport:
        await transport.send(*_A_CALL)
    assert "authorization" not in counterpart.requests[0].headers


@pytest.mark.parametrize("number", [0, -1, 1.5, True, "10"])
def test_max_connections_is_a_positive_integer(number: int) -> None:
    with pytest.raises(errors.InvalidRequestError, match="max_connections"):
        AwsTransport(max_connections=number)


def test_transport_reports_every_invalid_timeout_at_once() -> None:
    with pytest.raises(errors.InvalidRequestError) as caught:
        Timeout(connect=0, read=float("inf"), total=True)
    assert [fault.path for fault in caught.value.issues] == ["connect", "read", "total"]
    assert Timeout(connect=1).connect == 1
    assert AwsTransport(timeout=Timeout(read=3)).timeout.read == 3
