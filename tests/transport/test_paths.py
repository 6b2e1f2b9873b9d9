"""The lean path and botocore's own send the same bytes."""

from __future__ import annotations

import datetime
import json
import os
import sys
from typing import TYPE_CHECKING, cast
from unittest import mock

import botocore.auth
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.regions import AioEndpointRulesetResolver
from aiobotocore.session import AioSession
from botocore import UNSIGNED

from aiorekostream.transport import http
from aiorekostream.transport.aws import AwsTransport
from tests.transport import counterpart as peer
from tests.transport.counterpart import (
    CERTIFICATES,
    Counterpart,
    Request,
    proxying,
    serving,
)
from tests.transport.two_paths import CALLS, new_session, observe

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from botocore.model import OperationModel

_MOMENT = datetime.datetime(2026, 4, 30, 23, 59, 59, tzinfo=datetime.UTC)


@pytest.fixture(autouse=True)
def frozen_time() -> Iterator[None]:
    with (
        mock.patch.object(botocore.auth, "get_current_datetime", return_value=_MOMENT),
        mock.patch.object(http, "get_current_datetime", return_value=_MOMENT),
    ):
        yield


async def _sent(url: str, counterpart: Counterpart, make: Callable[[], AioSession], *, observed: bool) -> list[Request]:
    counterpart.requests.clear()
    session = observe(make()) if observed else make()
    async with AwsTransport(region="us-east-1", endpoint_url=url, session=session) as transport:
        for operation, body in CALLS:
            await transport.send(operation, body)
    return list(counterpart.requests)


async def _compare(
    counterpart: Counterpart, by_botocore: list[str], *, url: str = "", make: Callable[[], AioSession] = AioSession
) -> list[Request]:
    counterpart.script = lambda _: peer.http(b'{"StreamProcessors": []}')
    theirs = await _sent(url or counterpart.url, counterpart, make, observed=True)
    assert by_botocore == [operation for operation, _ in CALLS]
    ours = await _sent(url or counterpart.url, counterpart, make, observed=False)
    assert len(by_botocore) == len(ours) == len(CALLS)
    assert ours == theirs
    return ours


async def test_bytes_are_the_same_with_static_keys(counterpart: Counterpart, by_botocore: list[str]) -> None:
    sent = await _compare(counterpart, by_botocore)
    assert "Credential=AKIAEXAMPLE/20260430/us-east-1/rekognition/" in sent[0].headers["authorization"]


async def test_bytes_are_the_same_with_a_session_token(
    counterpart: Counterpart, by_botocore: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a-token/with=signs+")
    sent = await _compare(counterpart, by_botocore)
    assert sent[0].headers["x-amz-security-token"] == "a-token/with=signs+"


async def test_bytes_are_the_same_with_refreshed_credentials(
    counterpart: Counterpart, by_botocore: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The program names a new key each time, and its keys are so short-lived that each call asks for new ones."""
    program = tmp_path / "credentials.py"
    count = tmp_path / "count"
    program.write_text(
        "import datetime, json, pathlib, sys\n"
        f"count = pathlib.Path({os.fspath(count)!r}); number = int(count.read_text()) + 1\n"
        "count.write_text(str(number))\n"
        "soon = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=5)).isoformat()\n"
        "print(json.dumps({'Version': 1, 'AccessKeyId': f'AKIA{number}', 'SecretAccessKey': f'secret-{number}',"
        " 'SessionToken': f'token-{number}', 'Expiration': soon}))\n"
    )
    config = tmp_path / "config"
    config.write_text(f"[default]\ncredential_process = {sys.executable} {program}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.fspath(config))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    def anew() -> AioSession:
        count.write_text("0")
        return AioSession()

    sent = await _compare(counterpart, by_botocore, make=anew)
    assert len({request.headers["x-amz-security-token"] for request in sent}) == len(sent)


async def test_bytes_are_the_same_without_a_signature(counterpart: Counterpart, by_botocore: list[str]) -> None:
    def unsigned() -> AioSession:
        session = AioSession()
        session.set_default_client_config(AioConfig(signature_version=UNSIGNED))
        return session

    sent = await _compare(counterpart, by_botocore, make=unsigned)
    assert "authorization" not in sent[0].headers


async def test_bytes_are_the_same_over_tls_with_a_private_ca(
    by_botocore: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", os.fspath(CERTIFICATES / "ca.pem"))
    async with serving(certificate="localhost") as counterpart:
        await _compare(counterpart, by_botocore)


@pytest.mark.parametrize("userinfo", ["", "user:hunter22@"])
async def test_bytes_are_the_same_through_a_proxy(
    counterpart: Counterpart, by_botocore: list[str], monkeypatch: pytest.MonkeyPatch, userinfo: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", counterpart.url.replace("//", f"//{userinfo}"))
    sent = await _compare(counterpart, by_botocore, url="http://somewhere.invalid")
    assert sent[0].head.startswith("POST http://somewhere.invalid/ HTTP/1.1\r\nHost: somewhere.invalid\r\n")
    assert ("proxy-authorization" in sent[0].headers) is bool(userinfo)


@pytest.mark.parametrize("userinfo", ["", "user:hunter22@"])
async def test_bytes_are_the_same_through_a_tunnel(
    by_botocore: list[str], monkeypatch: pytest.MonkeyPatch, userinfo: str
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", os.fspath(CERTIFICATES / "ca.pem"))
    async with serving(certificate="localhost") as counterpart, proxying(counterpart) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", f"//{userinfo}"))
        sent = await _compare(counterpart, by_botocore)
    theirs, ours = proxy.heads
    assert ours == theirs
    assert ("Proxy-Authorization: Basic" in proxy.heads[0]) is bool(userinfo)
    assert "proxy-authorization" not in sent[0].headers


async def test_bytes_are_the_same_with_the_trace_header_of_lambda(
    counterpart: Counterpart, by_botocore: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "cameras")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8")
    sent = await _compare(counterpart, by_botocore)
    assert sent[0].headers["x-amzn-trace-id"].startswith("Root=1-5759e988")


async def test_header_of_a_hook_is_signed(counterpart: Counterpart, by_botocore: list[str]) -> None:
    def with_header() -> AioSession:
        def add(params: dict[str, dict[str, str]], **_: object) -> None:
            params["headers"]["X-Odd"] = "1"

        session = AioSession()
        session.register("before-call.rekognition", add)
        return session

    sent = await _compare(counterpart, by_botocore, make=with_header)
    assert "x-odd" in sent[0].headers["authorization"]


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operations whose endpoint rules botocore resolved."""
    found: list[str] = []
    resolve = AioEndpointRulesetResolver.construct_endpoint

    async def noted(self: object, operation_model: OperationModel, *arguments: object, **options: object) -> object:
        found.append(operation_model.name)
        return await cast("Callable[..., Awaitable[object]]", resolve)(self, operation_model, *arguments, **options)

    monkeypatch.setattr(AioEndpointRulesetResolver, "construct_endpoint", noted)
    return found


async def test_endpoint_rules_are_resolved_once_for_an_operation(counterpart: Counterpart, resolved: list[str]) -> None:
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url) as transport:
        for operation, body in CALLS * 3:
            await transport.send(operation, body)
    assert resolved == [operation for operation, _ in CALLS]


async def test_endpoint_rules_that_name_the_account_are_resolved_each_time(
    by_botocore: list[str],
    resolved: list[str],
    counterpart: Counterpart,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The credentials of a client may change."""
    folder = tmp_path / "rekognition" / "2016-06-27"
    folder.mkdir(parents=True)
    port = counterpart.url.rpartition(":")[2]
    builtin = {"required": False, "documentation": "", "type": "String"}
    rules: dict[str, object] = {
        "version": "1.0",
        "parameters": {
            "Region": {"builtIn": "AWS::Region", **builtin},
            "AccountId": {"builtIn": "AWS::Auth::AccountId", **builtin},
        },
        "rules": [
            {
                "conditions": [{"fn": "isSet", "argv": [{"ref": "AccountId"}]}],
                "endpoint": {
                    "url": f"http://127.0.0.{{AccountId}}:{port}",
                    "properties": {"authSchemes": [{"name": "sigv4", "signingRegion": "eu-west-1"}]},
                    "headers": {},
                },
                "type": "endpoint",
            }
        ],
    }
    (folder / "endpoint-rule-set-1.json").write_text(json.dumps(rules))
    monkeypatch.setenv("AWS_DATA_PATH", os.fspath(tmp_path))
    monkeypatch.setenv("AWS_ACCOUNT_ID", "1")

    async def sent(*, observed: bool) -> list[Request]:
        counterpart.requests.clear()
        session = new_session(observed=observed)
        async with AwsTransport(region="us-east-1", session=session) as transport:
            for operation, body in CALLS * 2:
                await transport.send(operation, body)
        return list(counterpart.requests)

    assert await sent(observed=True) == await sent(observed=False)
    assert len(by_botocore) == 2 * len(CALLS)
    assert len(resolved) == 4 * len(CALLS)
    assert "/eu-west-1/rekognition/" in counterpart.requests[0].headers["authorization"]
    assert counterpart.requests[0].headers["host"] == f"127.0.0.1:{port}"
