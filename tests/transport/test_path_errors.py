"""The lean path and botocore's own come to the same errors."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from aiorekostream import errors
from aiorekostream.transport.aws import AwsTransport
from aiorekostream.transport.timeout import Timeout
from tests.transport import counterpart as peer
from tests.transport.counterpart import RESET, Counterpart, Request, Script, StubAnswer, error, serving
from tests.transport.two_paths import new_session

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

_each_path = pytest.mark.parametrize("observed", [False, True], ids=["lean", "botocore"])


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
        AwsTransport(
            region="us-east-1", endpoint_url=url, timeout=timeout, session=new_session(observed=True)
        ) as theirs,
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
    counterpart: Counterpart, by_botocore: list[str], name: str
) -> None:
    counterpart.script = _FAILURES[name]
    async with _both(counterpart.url) as (ours, theirs):
        expected = await _failed(theirs, counterpart)
        assert by_botocore == ["StartStreamProcessor"]
        assert await _failed(ours, counterpart) == expected
    assert len(by_botocore) == 1
    assert (expected.sent, expected.requests) == (1, 1)


async def test_unsent_request_is_the_same_error_on_both_paths(by_botocore: list[str]) -> None:
    async with serving() as gone:
        url = gone.url
    for unreachable in (url, "http://nobody.invalid", url.replace("http:", "https:")):
        async with _both(unreachable) as (ours, theirs):
            expected = await _failed(theirs, None)
            assert await _failed(ours, None) == expected
        assert (expected.kind, expected.retry_safe, expected.sent) == (errors.ConnectError, True, 0)
    assert by_botocore == ["StartStreamProcessor"] * 3


async def test_connect_timeout_is_the_same_error_on_both_paths(
    counterpart: Counterpart, by_botocore: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", hang)
    found: list[_Seen] = []
    for observed in (False, True):
        session = new_session(observed=observed)
        options: dict[str, Any] = {"region": "us-east-1", "session": session, "timeout": Timeout(connect=0.01)}
        async with AwsTransport(endpoint_url=counterpart.url, **options) as transport:
            found.append(await _failed(transport, counterpart))
    assert found[0] == found[1]
    assert (found[0].kind, found[0].retry_safe, found[0].sent) == (errors.ConnectError, True, 0)
    assert "no connection within the connect timeout (ConnectionTimeoutError: Connection timeout" in found[0].text
    assert by_botocore == ["StartStreamProcessor"]


@pytest.mark.parametrize("interim", [100, 102, 103])
@_each_path
async def test_interim_responses_are_skipped(counterpart: Counterpart, interim: int, *, observed: bool) -> None:
    final = peer.http(b'{"SessionId": "session-1"}').data or b""
    counterpart.script = lambda _: StubAnswer(f"HTTP/1.1 {interim} Wait\r\nLink: </x>\r\n\r\n".encode() * 2 + final)
    session = new_session(observed=observed)
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url, session=session) as transport:
        for _ in range(2):
            reply = await transport.send("StartStreamProcessor", {"Name": "a"})
            assert reply.body == {"SessionId": "session-1"}
    assert counterpart.connections == 1


@_each_path
@pytest.mark.parametrize("value", ["1\r\nX-Forged: 2", "1\n", "1\r", "\n2"])
async def test_header_of_a_hook_cannot_forge_another(counterpart: Counterpart, value: str, *, observed: bool) -> None:
    session = new_session(observed=observed)

    def add(params: dict[str, dict[str, str]], **_: object) -> None:
        params["headers"]["X-Odd"] = value

    session.register("before-call.rekognition", add)
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url, session=session) as transport:
        with pytest.raises(errors.ConfigurationError, match="control character"):
            await transport.send("StopStreamProcessor", {"Name": "a"})
    assert not counterpart.requests
