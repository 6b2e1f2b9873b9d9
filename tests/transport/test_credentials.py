"""Credentials that are renewed or absent for a moment, and the account that they belong to."""

from __future__ import annotations

import asyncio
import datetime
import json
import logging
import os
import sys
from typing import TYPE_CHECKING

import attrs
import pytest

from aiorekostream import errors
from aiorekostream.client.client import Client
from aiorekostream.rate_limiting.limiter import LocalRateLimiter
from aiorekostream.retry.policy import RetryPolicy
from aiorekostream.transport.aws import AwsTransport
from aiorekostream.transport.timeout import Timeout
from tests.transport.counterpart import Counterpart, Request, StubAnswer, http, serving
from tests.transport.two_paths import new_session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aiorekostream.limits import Scope

_QUICK = RetryPolicy(base_delay=0.01, max_delay=0.01)
_A_CALL = ("StopStreamProcessor", {"Name": "a"})


def _renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **members: str) -> None:
    """Credentials that last for an hour, from a program that is asked for new ones then."""
    lasting = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    secrets = {"SecretAccessKey": "a-secret", "SessionToken": "a-token", "Expiration": lasting.isoformat()}
    answer = json.dumps({"Version": 1, **members, **secrets})
    program = tmp_path / "credentials.py"
    program.write_text(f"print({answer!r})")
    config = tmp_path / "config"
    config.write_text(f"[default]\ncredential_process = {sys.executable} {program}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.fspath(config))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")


async def test_refreshable_credentials_sign_calls(
    counterpart: Counterpart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _renewed(tmp_path, monkeypatch, AccessKeyId="AKIAROLE")
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url) as transport:
        await transport.send(*_A_CALL)
        assert transport.scope.account == "AKIAROLE"
    headers = counterpart.requests[0].headers
    assert "Credential=AKIAROLE/" in headers["authorization"]
    assert headers["x-amz-security-token"] == "a-token"


@pytest.mark.parametrize("observed", [False, True], ids=["lean", "botocore"])
async def test_renewed_credentials_are_logged_without_their_values(
    counterpart: Counterpart,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    observed: bool,
) -> None:
    """Those that end within minutes are renewed for each call; a program gives others each time."""
    _renewed(tmp_path, monkeypatch, AccessKeyId="AKIAROLE")
    program = tmp_path / "credentials.py"
    soon = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=5)).isoformat()
    members = {"Version": 1, "AccessKeyId": "AKIAROLE", "SecretAccessKey": "a-secret", "Expiration": soon}
    program.write_text(
        f"import json, uuid\nprint(json.dumps({members!r} | {{'SessionToken': 'token-' + uuid.uuid4().hex}}))"
    )
    caplog.set_level(logging.INFO, "aiorekostream")
    session = new_session(observed=observed)
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url, session=session) as transport:
        await transport.send(*_A_CALL)
        caplog.clear()
        await transport.send(*_A_CALL)
    assert [record.getMessage() for record in caplog.records if record.name.startswith("aiorekostream")] == [
        "the AWS credentials were renewed"
    ]


async def test_quotas_belong_to_the_account_of_the_credentials(
    counterpart: Counterpart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scopes: set[Scope] = set()
    for key in ("AKIAFIRST", "AKIASECOND"):
        with monkeypatch.context() as patch:
            _renewed(tmp_path, patch, AccessKeyId=key, AccountId="111122223333")
            async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url) as transport:
                scopes.add(transport.scope)
    assert [scope.account for scope in scopes] == ["111122223333"]


@attrs.define
class _Sts:
    """Gives the credentials of a role, five minutes long, so that they are renewed for each call; or does not."""

    troubles: list[str] = attrs.field(factory=list)

    async def __call__(self, _: Request) -> StubAnswer:
        trouble = self.troubles.pop(0) if self.troubles else ""
        if trouble == "silence":
            await asyncio.Event().wait()
        status, code = {
            "busy": (400, "Throttling"),
            "down": (503, "ServiceUnavailable"),
            "no": (403, "AccessDenied"),
        }.get(trouble, (200, ""))
        if code:
            body = f"<ErrorResponse><Error><Code>{code}</Code><Message>Because.</Message></Error></ErrorResponse>"
        else:
            expiration = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=5)
            body = (
                "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>AKIAROLE</AccessKeyId>"
                "<SecretAccessKey>a-secret</SecretAccessKey><SessionToken>a-token</SessionToken>"
                f"<Expiration>{expiration:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials></AssumeRoleResult>"
                "</AssumeRoleResponse>"
            )
        return http(body.encode(), status=status, headers={"Content-Type": "text/xml"})


@pytest.fixture
async def sts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[_Sts]:
    """The service that gives the credentials of the profile's role."""
    config = tmp_path / "config"
    config.write_text(
        "[default]\nrole_arn = arn:aws:iam::111122223333:role/cameras\nsource_profile = base\n"
        "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = a-secret\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", os.fspath(config))
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    sts = _Sts()
    async with serving(sts) as counterpart:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", counterpart.url)
        yield sts


async def test_opening_without_credentials_for_a_moment_is_retry_safe(counterpart: Counterpart, sts: _Sts) -> None:
    sts.troubles = ["busy", "down"]
    transport = AwsTransport(region="us-east-1", endpoint_url=counterpart.url)
    for _ in range(2):
        with pytest.raises(errors.ConnectError, match="the credentials could not be fetched") as caught:
            await transport.open()
        assert caught.value.retry_safe
    await transport.open()
    assert transport.scope.account == "AKIAROLE"
    await transport.aclose()


async def test_role_that_may_not_be_assumed_is_configuration(counterpart: Counterpart, sts: _Sts) -> None:
    sts.troubles = ["no"]
    with pytest.raises(errors.ConfigurationError, match="AssumeRole"):
        await AwsTransport(region="us-east-1", endpoint_url=counterpart.url).open()


@pytest.mark.parametrize("rate_limiter", [None, LocalRateLimiter()], ids=["unlimited", "limited"])
@pytest.mark.parametrize("troubles", [["busy", "down"], ["", "busy", "down"]], ids=["at opening", "at renewal"])
async def test_call_outlives_a_moment_without_credentials(
    counterpart: Counterpart, sts: _Sts, troubles: list[str], rate_limiter: LocalRateLimiter | None
) -> None:
    sts.troubles = list(troubles)
    client = Client(region="us-east-1", endpoint_url=counterpart.url, rate_limiter=rate_limiter, retry=_QUICK)
    await client.stop_stream_processor("lobby")
    await client.aclose()
    assert len(counterpart.requests) == 1


async def test_client_opens_after_a_moment_without_credentials(counterpart: Counterpart, sts: _Sts) -> None:
    sts.troubles = ["busy", "down"]
    async with Client(region="us-east-1", endpoint_url=counterpart.url, retry=_QUICK) as client:
        await client.stop_stream_processor("lobby")
    assert len(counterpart.requests) == 1


@pytest.mark.parametrize("rate_limiter", [None, LocalRateLimiter()], ids=["unlimited", "limited"])
@pytest.mark.parametrize("troubles", [["silence"], ["", "silence"]], ids=["at opening", "at renewal"])
async def test_call_that_waits_for_credentials_was_not_sent(
    counterpart: Counterpart, sts: _Sts, troubles: list[str], rate_limiter: LocalRateLimiter | None
) -> None:
    sts.troubles = list(troubles)
    client = Client(
        region="us-east-1", endpoint_url=counterpart.url, rate_limiter=rate_limiter, timeout=Timeout(total=1)
    )
    with pytest.raises(errors.DeadlineExceededError) as caught:
        await client.stop_stream_processor("lobby")
    assert caught.value.retry_safe
    assert counterpart.requests == []
    await client.aclose()
