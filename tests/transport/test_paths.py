"""The lean path and botocore's own send the same bytes and come to the same errors."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import functools
import json
import operator
import os
import sys
from typing import TYPE_CHECKING, Any, cast
from unittest import mock

import aiohttp
import attrs
import botocore.auth
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.regions import AioEndpointRulesetResolver
from aiobotocore.session import AioSession
from botocore import UNSIGNED

from aiorekostream import errors
from aiorekostream.transport import http
from aiorekostream.transport.attempts import CURRENT, Attempt
from aiorekostream.transport.aws import AwsTransport
from aiorekostream.transport.timeout import Timeout
from tests.transport import counterpart as peer
from tests.transport.counterpart import (
    CERTIFICATES,
    RESET,
    Counterpart,
    Request,
    Script,
    StubAnswer,
    error,
    proxying,
    serving,
    unheard,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from botocore.model import OperationModel

_MOMENT = datetime.datetime(2026, 4, 30, 23, 59, 59, tzinfo=datetime.UTC)
_CALLS: tuple[tuple[str, dict[str, object]], ...] = (
    ("StartStreamProcessor", {"Name": "front-door", "StopSelector": {"MaxDurationInSeconds": 30}}),
    ("ListStreamProcessors", {}),
    ("StopStreamProcessor", {"Name": "Äpfel 🍎"}),
)


@pytest.fixture(autouse=True)
def frozen_time() -> Iterator[None]:
    with (
        mock.patch.object(botocore.auth, "get_current_datetime", return_value=_MOMENT),
        mock.patch.object(http, "get_current_datetime", return_value=_MOMENT),
    ):
        yield


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operations that the lean path answered."""
    found: list[str] = []
    parse = http.LeanPath._parsed

    async def noted(self: http.LeanPath, *arguments: object) -> object:
        found.append("lean")
        return await cast("Callable[..., Awaitable[object]]", parse)(self, *arguments)

    monkeypatch.setattr(http.LeanPath, "_parsed", noted)
    return found


def _observed(session: AioSession) -> AioSession:
    """A session whose clients take botocore's path, since a hook of the caller's listens to a later event."""
    session.register("request-created.rekognition", unheard)
    return session


async def _sent(url: str, counterpart: Counterpart, make: Callable[[], AioSession], *, observed: bool) -> list[Request]:
    counterpart.requests.clear()
    session = _observed(make()) if observed else make()
    async with AwsTransport(region="us-east-1", endpoint_url=url, session=session) as transport:
        for operation, body in _CALLS:
            await transport.send(operation, body)
    return [attrs.evolve(request) for request in counterpart.requests]


async def _compare(
    counterpart: Counterpart, answered: list[str], *, url: str = "", make: Callable[[], AioSession] = AioSession
) -> list[Request]:
    counterpart.script = lambda _: peer.http(b'{"StreamProcessors": []}')
    theirs = await _sent(url or counterpart.url, counterpart, make, observed=True)
    assert not answered
    ours = await _sent(url or counterpart.url, counterpart, make, observed=False)
    assert len(answered) == len(ours) == len(_CALLS)
    assert ours == theirs
    return ours


async def test_static_keys(counterpart: Counterpart, answered: list[str]) -> None:
    sent = await _compare(counterpart, answered)
    assert "Credential=AKIAEXAMPLE/20260430/us-east-1/rekognition/" in sent[0].headers["authorization"]


async def test_session_token(counterpart: Counterpart, answered: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a-token/with=signs+")
    sent = await _compare(counterpart, answered)
    assert sent[0].headers["x-amz-security-token"] == "a-token/with=signs+"


async def test_refreshed_credentials(
    counterpart: Counterpart, answered: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
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

    sent = await _compare(counterpart, answered, make=anew)
    assert len({request.headers["x-amz-security-token"] for request in sent}) == len(sent)


async def test_unsigned(counterpart: Counterpart, answered: list[str]) -> None:
    def unsigned() -> AioSession:
        session = AioSession()
        session.set_default_client_config(AioConfig(signature_version=UNSIGNED))
        return session

    sent = await _compare(counterpart, answered, make=unsigned)
    assert "authorization" not in sent[0].headers


async def test_tls_with_a_private_ca(answered: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", os.fspath(CERTIFICATES / "ca.pem"))
    async with serving(certificate="localhost") as counterpart:
        await _compare(counterpart, answered)


@pytest.mark.parametrize("userinfo", ["", "user:hunter22@"])
async def test_http_proxy(
    counterpart: Counterpart, answered: list[str], monkeypatch: pytest.MonkeyPatch, userinfo: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", counterpart.url.replace("//", f"//{userinfo}"))
    sent = await _compare(counterpart, answered, url="http://somewhere.invalid")
    assert sent[0].head.startswith("POST http://somewhere.invalid/ HTTP/1.1\r\nHost: somewhere.invalid\r\n")
    assert ("proxy-authorization" in sent[0].headers) is bool(userinfo)


@pytest.mark.parametrize("userinfo", ["", "user:hunter22@"])
async def test_tunnel_through_a_proxy(answered: list[str], monkeypatch: pytest.MonkeyPatch, userinfo: str) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", os.fspath(CERTIFICATES / "ca.pem"))
    async with serving(certificate="localhost") as counterpart, proxying(counterpart) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", f"//{userinfo}"))
        sent = await _compare(counterpart, answered)
    theirs, ours = proxy.heads
    assert ours == theirs
    assert ("Proxy-Authorization: Basic" in proxy.heads[0]) is bool(userinfo)
    assert "proxy-authorization" not in sent[0].headers


async def test_trace_header_of_lambda(
    counterpart: Counterpart, answered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "cameras")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8")
    sent = await _compare(counterpart, answered)
    assert sent[0].headers["x-amzn-trace-id"].startswith("Root=1-5759e988")


async def test_header_of_a_hook_is_signed(counterpart: Counterpart, answered: list[str]) -> None:
    def with_header() -> AioSession:
        def add(params: dict[str, dict[str, str]], **_: object) -> None:
            params["headers"]["X-Odd"] = "1"

        session = AioSession()
        session.register("before-call.rekognition", add)
        return session

    sent = await _compare(counterpart, answered, make=with_header)
    assert "x-odd" in sent[0].headers["authorization"]


@pytest.mark.parametrize("observed", [False, True], ids=["lean", "botocore"])
@pytest.mark.parametrize("value", ["1\r\nX-Forged: 2", "1\n", "1\r", "\n2"])
async def test_header_of_a_hook_cannot_forge_another(counterpart: Counterpart, value: str, *, observed: bool) -> None:
    session = _observed(AioSession()) if observed else AioSession()

    def add(params: dict[str, dict[str, str]], **_: object) -> None:
        params["headers"]["X-Odd"] = value

    session.register("before-call.rekognition", add)
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url, session=session) as transport:
        with pytest.raises(errors.ConfigurationError, match="control character"):
            await transport.send("StopStreamProcessor", {"Name": "a"})
    assert not counterpart.requests


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
        for operation, body in _CALLS * 3:
            await transport.send(operation, body)
    assert resolved == [operation for operation, _ in _CALLS]


async def test_endpoint_of_the_account(
    answered: list[str],
    resolved: list[str],
    counterpart: Counterpart,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Endpoint rules that name the account: they are resolved for each call, since its credentials may change."""
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
        session = _observed(AioSession()) if observed else AioSession()
        async with AwsTransport(region="us-east-1", session=session) as transport:
            for operation, body in _CALLS * 2:
                await transport.send(operation, body)
        return list(counterpart.requests)

    assert await sent(observed=True) == await sent(observed=False)
    assert len(answered) == 2 * len(_CALLS)
    assert len(resolved) == 4 * len(_CALLS)
    assert "/eu-west-1/rekognition/" in counterpart.requests[0].headers["authorization"]
    assert counterpart.requests[0].headers["host"] == f"127.0.0.1:{port}"


# --------------------------------------------------------------------------------------------------------------- errors


@attrs.frozen
class _Seen:
    """What a caller sees of a send."""

    kind: type[BaseException]
    text: str
    retry_safe: bool
    closed: object
    sent: int
    requests: int


@contextlib.asynccontextmanager
async def _both(url: str) -> AsyncGenerator[tuple[AwsTransport, AwsTransport]]:
    timeout = Timeout(connect=30, read=0.2)
    async with (
        AwsTransport(region="us-east-1", endpoint_url=url, timeout=timeout) as ours,
        AwsTransport(region="us-east-1", endpoint_url=url, timeout=timeout, session=_observed(AioSession())) as theirs,
    ):
        yield ours, theirs


async def _failed(transport: AwsTransport, counterpart: Counterpart | None) -> _Seen:
    sent: list[None] = []
    if counterpart is not None:
        counterpart.requests.clear()
    with pytest.raises(errors.RekostreamError) as caught:
        await transport.send("StartStreamProcessor", {"Name": "a"}, on_sent=lambda: sent.append(None))
    fault = caught.value
    closed = getattr(fault, "closed", None)
    requests = 0 if counterpart is None else len(counterpart.requests)
    return _Seen(type(fault), str(fault), fault.retry_safe, closed, len(sent), requests)


async def _hang(_: Request) -> StubAnswer:
    await asyncio.Event().wait()
    return RESET


_FAILURES: dict[str, Script] = {
    "reset": lambda _: RESET,
    "closed": lambda _: StubAnswer(b"", close=True),
    "half a head": lambda _: StubAnswer(b"HTTP/1.1 200 OK\r\nContent-Len", close=True),
    "half a body": lambda _: StubAnswer(b'HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n{"Sess', close=True),
    "no HTTP": lambda _: StubAnswer(b"this is no HTTP\r\n\r\n", close=True),
    "silence": _hang,
    "throttled": lambda _: error("ThrottlingException", "Slow down"),
    "denied": lambda _: error("AccessDeniedException"),
    "no code": lambda _: peer.http(b'{"__type": null}', status=400),
    "page": lambda _: peer.http(b"<html>", status=503),
    "redirect": lambda _: peer.http(status=302, headers={"Location": "http://user:hunter2@elsewhere/?token=1"}),
    "switching protocols": lambda _: StubAnswer(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", close=True),
    "no content": lambda _: StubAnswer(b"HTTP/1.1 204 No Content\r\n\r\n", close=True),
    "multiple choices": lambda _: peer.http(status=300),
    "not modified": lambda _: peer.http(b"", status=304),
    "byte order mark": lambda _: peer.http(b"\xef\xbb\xbf{}"),
    "null": lambda _: peer.http(b"null"),
    "proxy": lambda _: peer.http(b"", status=407),
}


@pytest.mark.parametrize("name", _FAILURES)
async def test_failure_is_the_same_error_on_both_paths(
    counterpart: Counterpart, answered: list[str], name: str
) -> None:
    counterpart.script = _FAILURES[name]
    async with _both(counterpart.url) as (ours, theirs):
        expected = await _failed(theirs, counterpart)
        assert not answered
        assert await _failed(ours, counterpart) == expected
    assert (expected.sent, expected.requests) == (1, 1)


async def test_unsent_request_is_the_same_error_on_both_paths(answered: list[str]) -> None:
    async with serving() as gone:
        url = gone.url
    for unreachable in (url, "http://nobody.invalid", url.replace("http:", "https:")):
        async with _both(unreachable) as (ours, theirs):
            expected = await _failed(theirs, None)
            assert await _failed(ours, None) == expected
        assert (expected.kind, expected.retry_safe, expected.sent) == (errors.ConnectError, True, 0)
    assert not answered


async def test_connect_timeout_is_the_same_error_on_both_paths(
    counterpart: Counterpart, answered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", hang)
    found: list[_Seen] = []
    for session in (AioSession(), _observed(AioSession())):
        options: dict[str, Any] = {"region": "us-east-1", "session": session, "timeout": Timeout(connect=0.01)}
        async with AwsTransport(endpoint_url=counterpart.url, **options) as transport:
            found.append(await _failed(transport, counterpart))
    assert found[0] == found[1]
    assert (found[0].kind, found[0].retry_safe, found[0].sent) == (errors.ConnectError, True, 0)
    assert "no connection within the connect timeout (ConnectionTimeoutError: Connection timeout" in found[0].text
    assert not answered


@pytest.mark.parametrize("interim", [100, 102, 103])
@pytest.mark.parametrize("observed", [True, False])
async def test_interim_responses_are_skipped(counterpart: Counterpart, interim: int, *, observed: bool) -> None:
    final = peer.http(b'{"SessionId": "session-1"}').data or b""
    counterpart.script = lambda _: StubAnswer(f"HTTP/1.1 {interim} Wait\r\nLink: </x>\r\n\r\n".encode() * 2 + final)
    async with _both(counterpart.url) as (ours, theirs):
        transport = theirs if observed else ours
        for _ in range(2):
            reply = await transport.send("StartStreamProcessor", {"Name": "a"})
            assert reply.body == {"SessionId": "session-1"}
    assert counterpart.connections == 1


# ------------------------------------------------------------------------------------------------------- which path


@pytest.fixture
async def transport(counterpart: Counterpart) -> AsyncIterator[AwsTransport]:
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url) as opened:
        yield opened


_LATER = (
    "before-endpoint-resolution", "request-created", "choose-signer", "before-sign", "before-send", "before-parse",
    "response-received", "needs-retry", "after-call", "after-call-error",
)  # fmt: skip


@pytest.mark.parametrize("event", _LATER)
@pytest.mark.parametrize("scope", ["", ".rekognition", ".*.*", ".rekognition.ListStreamProcessors"])
async def test_listener_that_is_added_later_moves_calls_to_botocore(
    transport: AwsTransport, answered: list[str], event: str, scope: str
) -> None:
    if event == "before-endpoint-resolution" and scope.count(".") > 1:
        pytest.skip("the event has no operation in its name")
    connection = transport._connection
    assert connection is not None
    await transport.send("ListStreamProcessors", {})
    assert len(answered) == 1
    events = connection._client.meta.events

    def hear(**_: object) -> None:
        pass

    events.register(f"{event}{scope}", hear)
    await transport.send("ListStreamProcessors", {})
    assert len(answered) == 1
    events.unregister(f"{event}{scope}", hear)
    await transport.send("ListStreamProcessors", {})
    assert len(answered) == 2


class _EventListener:
    def __call__(self, **_: object) -> None:
        """Hear nothing."""

    def hear(self, **_: object) -> None:
        """Hear nothing, too."""


@pytest.mark.parametrize(
    "listener",
    [_EventListener(), _EventListener().hear, functools.partial(unheard), mock.AsyncMock(return_value=None)],
    ids=["object", "method", "partial", "mock"],
)
async def test_listener_of_any_kind_moves_calls_to_botocore(
    counterpart: Counterpart, answered: list[str], listener: Callable[..., object]
) -> None:
    session = AioSession()
    session.register("before-send.rekognition.StopStreamProcessor", listener)
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url, session=session) as transport:
        await transport.send("StopStreamProcessor", {"Name": "a"})
        assert not answered
        await transport.send("StartStreamProcessor", {"Name": "a"})
    assert len(answered) == 1


@pytest.mark.parametrize("event", ["provide-client-params", "before-parameter-build", "before-call"])
async def test_listener_to_an_earlier_event_hears_the_lean_path(
    counterpart: Counterpart, answered: list[str], event: str
) -> None:
    heard: list[str] = []
    session = AioSession()

    def hear(model: OperationModel, **_: object) -> None:
        heard.append(model.name)

    session.register(f"{event}.rekognition", hear)
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url, session=session) as transport:
        await transport.send("StopStreamProcessor", {"Name": "a"})
    assert heard == ["StopStreamProcessor"]
    assert len(answered) == 1


async def test_handler_that_would_run_after_ours_moves_calls_to_botocore(
    transport: AwsTransport, answered: list[str]
) -> None:
    connection = transport._connection
    assert connection is not None
    heard: list[object] = []

    def hear(model: OperationModel, **_: object) -> None:
        heard.append(model)

    connection._client.meta.events.register_last("before-call", hear)
    await transport.send("StopStreamProcessor", {"Name": "a"})
    assert heard
    assert not answered


async def test_answer_of_a_hook_is_the_reply(counterpart: Counterpart, answered: list[str]) -> None:
    """As botocore's Stubber answers."""
    session = AioSession()
    response = mock.Mock(status_code=200)

    def answer(**_: object) -> object:
        return response, {"SessionId": "stubbed"}

    session.register("before-call.rekognition", answer)
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url, session=session) as transport:
        reply = await transport.send("StartStreamProcessor", {"Name": "a"})
    assert reply.body == {"SessionId": "stubbed"}
    assert not counterpart.requests
    assert not answered


@pytest.mark.parametrize("member", ["_request_signer", "_lookup_cache", "_param_definitions", "_credentials"])
async def test_unexpected_members_of_botocore_move_calls_to_botocore(
    counterpart: Counterpart, answered: list[str], monkeypatch: pytest.MonkeyPatch, member: str
) -> None:
    def incompatible(name: str) -> object:
        return operator.attrgetter("gone" if name == member else name)

    monkeypatch.setattr(http, "attrgetter", incompatible)
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url) as transport:
        await transport.send("StopStreamProcessor", {"Name": "a"})
    assert len(counterpart.requests) == 1
    assert not answered


@pytest.mark.parametrize("error", [AttributeError("no such member"), TypeError("no such argument")])
async def test_unexpected_members_of_aiohttp_move_calls_to_botocore(
    counterpart: Counterpart, answered: list[str], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(aiohttp, "ClientRequest", mock.Mock(side_effect=error))
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url) as transport:
        await transport.send("StopStreamProcessor", {"Name": "a"})
    assert len(counterpart.requests) == 1
    assert not answered


async def test_path_of_the_endpoint_is_botocores(counterpart: Counterpart, answered: list[str]) -> None:
    async with AwsTransport(region="us-east-1", endpoint_url=f"{counterpart.url}/a/b") as transport:
        await transport.send("StopStreamProcessor", {"Name": "a"})
    assert counterpart.requests[0].head.startswith("POST /a/b HTTP/1.1\r\n")
    assert not answered


async def test_result_has_the_metadata_that_instrumentation_reads(transport: AwsTransport) -> None:
    connection = transport._connection
    assert connection is not None
    token = CURRENT.set(Attempt("StopStreamProcessor", idempotent=False))
    try:
        result = await connection._client._make_api_call("StopStreamProcessor", {"Name": "a"})
    finally:
        CURRENT.reset(token)
    metadata = cast("dict[str, object]", result["ResponseMetadata"])
    assert metadata["RequestId"] == peer.REQUEST_ID
    assert (metadata["HTTPStatusCode"], metadata["RetryAttempts"]) == (200, 0)
    assert cast("dict[str, str]", metadata["HTTPHeaders"])["x-amzn-requestid"] == peer.REQUEST_ID


def test_nothing_is_added_to_botocores_tables() -> None:
    assert {kind.__module__.partition(".")[0] for kind in botocore.auth.AUTH_TYPE_MAPS.values()} <= {
        "aiobotocore",
        "botocore",
    }


async def test_response_is_parsed_once(counterpart: Counterpart) -> None:
    loads = mock.Mock(wraps=json.loads)
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url) as transport:
        operation, body = _CALLS[0]
        with mock.patch("json.loads", loads):
            await transport.send(operation, body)
    assert loads.call_count == 1


async def test_nothing_in_aiohttp_is_replaced(counterpart: Counterpart) -> None:
    """Other clients of the process use the same classes."""
    classes = (aiohttp.ClientSession, aiohttp.TCPConnector, aiohttp.BaseConnector, aiohttp.ClientResponse)
    before = [dict(vars(each)) for each in classes]
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url) as transport:
        for operation, body in _CALLS:
            await transport.send(operation, body)
        assert [dict(vars(each)) for each in classes] == before
