"""One send is one HTTP request on a free connection, and says whether it may have been applied."""

from __future__ import annotations

import asyncio
import datetime
import json
import os
from typing import TYPE_CHECKING

import pytest
from aiobotocore.session import AioSession

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.transport.aws import AwsTransport
from aiorekostream.transport.timeout import Timeout
from tests.transport.counterpart import (
    REQUEST_ID,
    RESET,
    Counterpart,
    Request,
    StubAnswer,
    error,
    http,
    serving,
)
from tests.transport.two_paths import new_session

if TYPE_CHECKING:
    from pathlib import Path

    from aiorekostream.transport.port import Reply

_NO_HTTP = b"this is no HTTP\r\n\r\n"
_START = {"Name": "front-door", "StopSelector": {"MaxDurationInSeconds": 30}}


async def test_call_is_sent_in_aws_spelling_and_its_response_returned(
    transport: AwsTransport, counterpart: Counterpart
) -> None:
    counterpart.script = lambda _: http(b'{"SessionId": "session-1"}')
    reply = await transport.send("StartStreamProcessor", _START)
    assert reply.body == {"SessionId": "session-1"}
    assert reply.request_id == REQUEST_ID
    (request,) = counterpart.requests
    assert (request.operation, request.members) == ("StartStreamProcessor", _START)


async def test_members_are_returned_as_the_service_wrote_them(
    transport: AwsTransport, counterpart: Counterpart
) -> None:
    members = {"CreationTimestamp": 1532449292.712, "Name": "a", "RegionsOfInterest": [{"Circle": {"X": 1}}], "New": 1}
    counterpart.script = lambda _: http(json.dumps(members).encode())
    assert (await transport.send("DescribeStreamProcessor", {"Name": "a"})).body == members


async def test_timestamps_become_aware_datetimes(counterpart: Counterpart) -> None:
    counterpart.script = lambda _: http(
        b'{"Name": "a", "StreamProcessorArn": "arn", "Status": "STOPPED", "CreationTimestamp": 1532449292.712}'
    )
    async with rks.Client(region="us-east-1", endpoint_url=counterpart.url) as client:
        found = await client.describe_stream_processor("a")
    assert found.creation_timestamp == datetime.datetime(2018, 7, 24, 16, 21, 32, 712000, datetime.UTC)


@pytest.mark.parametrize("body", [b"", b"{}", b" \n"])
async def test_response_without_members_is_empty(
    transport: AwsTransport, counterpart: Counterpart, body: bytes
) -> None:
    counterpart.script = lambda _: http(body)
    assert (await transport.send("StopStreamProcessor", {"Name": "a"})).body == {}


async def test_product_and_its_parts_are_named_to_the_service(
    transport: AwsTransport, counterpart: Counterpart
) -> None:
    await transport.send("StopStreamProcessor", {"Name": "a"})
    products = [part.partition("/")[0] for part in counterpart.requests[0].headers["user-agent"].split()]
    assert products == ["aiorekostream", "aiobotocore", "Python", "botocore"]


@pytest.mark.parametrize(
    "answer",
    [
        RESET,
        error("ThrottlingException", "Slow down"),
        error("ThrottlingException", status=500),
        error("ProvisionedThroughputExceededException"),
        error("InternalServerError", status=500),
        http(b"<html>", status=503),
        http(b"<html>", status=200),
    ],
    ids=["reset", "throttled", "throttled with 500", "too fast", "failed", "503 page", "200 page"],
)
@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
async def test_failed_send_is_one_http_request_in_any_environment(
    counterpart: Counterpart, answer: StubAnswer, mode: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text(f"[default]\nmax_attempts = 7\nretry_mode = {mode}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.fspath(config))
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "9")
    monkeypatch.setenv("AWS_RETRY_MODE", mode)
    monkeypatch.setenv("AWS_NEW_RETRIES_2026", "true")
    counterpart.script = lambda _: answer
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url) as transport:
        with pytest.raises(errors.CallError):
            await transport.send("StartStreamProcessor", _START)
    assert len(counterpart.requests) == 1


async def test_sends_use_every_connection_at_once() -> None:
    together = asyncio.Barrier(40)

    async def wait_for_the_others(_: Request) -> StubAnswer:
        await together.wait()
        return http()

    async with (
        serving(wait_for_the_others) as counterpart,
        AwsTransport(region="us-east-1", endpoint_url=counterpart.url, max_connections=40) as transport,
    ):
        await asyncio.gather(*(transport.send("StopStreamProcessor", {"Name": f"n{n}"}) for n in range(40)))
        assert (counterpart.connections, len(counterpart.requests)) == (40, 40)


async def test_more_sends_than_connections_wait_for_a_free_one(counterpart: Counterpart) -> None:
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url, max_connections=2) as transport:
        await asyncio.gather(*(transport.send("StopStreamProcessor", {"Name": f"n{n}"}) for n in range(20)))
    assert len(counterpart.requests) == 20
    assert counterpart.connections <= 2


async def test_request_is_built_when_a_connection_is_free() -> None:
    held, freed = asyncio.Event(), asyncio.Event()
    built: list[str] = []
    sent: list[str] = []

    async def hold(request: Request) -> StubAnswer:
        if request.members == {"Name": "first"}:
            held.set()
            await freed.wait()
        return http()

    session = AioSession()

    def note(params: dict[str, str], **_: object) -> None:
        built.append(params["Name"])

    session.register("provide-client-params.rekognition", note)
    async with (
        serving(hold) as counterpart,
        AwsTransport(endpoint_url=counterpart.url, region="us-east-1", session=session, max_connections=1) as transport,
    ):

        def send(name: str) -> asyncio.Task[Reply]:
            return asyncio.create_task(
                transport.send("StopStreamProcessor", {"Name": name}, on_sent=lambda: sent.append(name))
            )

        assert transport.is_ready
        first = send("first")
        await held.wait()
        assert not transport.is_ready
        waits = asyncio.create_task(transport.ready())
        second = send("second")
        third = send("third")
        for _ in range(50):  # turns of the loop in which they could go on, if they could
            await asyncio.sleep(0)
        assert built == sent == ["first"]
        assert not waits.done()
        freed.set()
        await asyncio.gather(first, second, third, waits)
        assert built == sent == ["first", "second", "third"]
        assert [request.members for request in counterpart.requests] == [{"Name": name} for name in sent]
        assert transport.is_ready


async def test_call_that_waits_for_a_connection_was_not_sent() -> None:
    """The only connection is taken by a call that the service does not answer."""
    held = asyncio.Event()

    async def hang(_: Request) -> StubAnswer:
        held.set()
        await asyncio.Event().wait()
        return http()

    async with (
        serving(hang) as counterpart,
        rks.Client(region="us-east-1", endpoint_url=counterpart.url, max_connections=1) as client,
    ):
        hangs = asyncio.create_task(client.stop_stream_processor("first"))
        await held.wait()
        with pytest.raises(errors.DeadlineExceededError, match="no connection was made") as caught:
            await client.with_options(timeout=0.1, rate_limiter=None).start_stream_processor(
                rks.FaceSearchStart("lobby")
            )
        hangs.cancel()
    assert caught.value.retry_safe
    assert [request.operation for request in counterpart.requests] == ["StopStreamProcessor"]


@pytest.mark.parametrize("observed", [False, True], ids=["lean", "botocore"])
async def test_nothing_is_written_when_the_caller_withdraws(counterpart: Counterpart, *, observed: bool) -> None:
    """The last moment is after the connection was made; the notification raises then."""

    class WithdrawnError(Exception):
        pass

    def withdraw() -> None:
        raise WithdrawnError

    session = new_session(observed=observed)
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url, session=session) as transport:
        with pytest.raises(errors.RekostreamError):
            await transport.send("StartStreamProcessor", _START, on_sent=withdraw)
        await transport.send("StopStreamProcessor", {"Name": "a"})
    assert [request.operation for request in counterpart.requests] == ["StopStreamProcessor"]


async def test_refused_connection_was_never_sent() -> None:
    async with serving() as gone:
        url = gone.url
    async with AwsTransport(region="us-east-1", endpoint_url=url) as transport:
        with pytest.raises(errors.ConnectError) as caught:
            await transport.send("StartStreamProcessor", _START)
    assert caught.value.retry_safe
    assert str(caught.value) == f"StartStreamProcessor: no connection to {url[7:]}: Connection refused"


async def test_unknown_host_was_never_sent() -> None:
    async with AwsTransport(region="us-east-1", endpoint_url="http://nobody.invalid") as transport:
        with pytest.raises(errors.ConnectError, match="no connection to nobody"):
            await transport.send("StartStreamProcessor", _START)


async def test_failed_tls_handshake_was_never_sent(counterpart: Counterpart) -> None:
    counterpart.accepts = False
    url = counterpart.url.replace("http:", "https:")
    async with AwsTransport(region="us-east-1", endpoint_url=url) as transport:
        with pytest.raises(errors.ConnectError):
            await transport.send("StartStreamProcessor", _START)


async def test_proxy_that_refuses_was_never_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as gone:
        monkeypatch.setenv("HTTP_PROXY", gone.url)
    async with AwsTransport(region="us-east-1", endpoint_url="http://somewhere.invalid") as transport:
        with pytest.raises(errors.ConnectError, match=f"no connection to the proxy {gone.url[7:]}: Connection refused"):
            await transport.send("StartStreamProcessor", _START)


async def test_proxy_of_the_environment_is_used(counterpart: Counterpart, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", counterpart.url)
    async with AwsTransport(region="us-east-1", endpoint_url="http://somewhere.invalid") as transport:
        await transport.send("StopStreamProcessor", {"Name": "a"})
    assert counterpart.requests[0].headers["host"] == "somewhere.invalid"


@pytest.mark.parametrize(
    "answer",
    [
        RESET,
        StubAnswer(b"", close=True),
        StubAnswer(b"HTTP/1.1 200 OK\r\nContent-Len", close=True),
        StubAnswer(b'HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n{"Sess', close=True),
        StubAnswer(_NO_HTTP, close=True),
    ],
    ids=["reset", "closed", "half a head", "half a body", "no HTTP"],
)
@pytest.mark.parametrize(("operation", "idempotent"), [("StartStreamProcessor", False), ("TagResource", True)])
async def test_lost_answer_may_have_been_applied(
    transport: AwsTransport, counterpart: Counterpart, answer: StubAnswer, operation: str, *, idempotent: bool
) -> None:
    counterpart.script = lambda _: answer
    with pytest.raises(errors.ConnectionLostError) as caught:
        await transport.send(operation, {})
    assert caught.value.retry_safe is idempotent
    assert caught.value.closed is (answer.data != _NO_HTTP)
    assert ("the connection was closed before the response" in str(caught.value)) is caught.value.closed
    assert len(counterpart.requests) == 1


async def test_connection_closed_before_the_request_is_read_is_ambiguous(
    transport: AwsTransport, counterpart: Counterpart
) -> None:
    counterpart.accepts = False
    with pytest.raises(errors.ConnectionLostError) as caught:
        await transport.send("StartStreamProcessor", _START)
    assert caught.value.closed


async def test_call_is_lost_after_the_read_timeout() -> None:
    silence = asyncio.Event()

    async def hang(_: Request) -> StubAnswer:
        await silence.wait()
        return http()

    async with (
        serving(hang) as counterpart,
        AwsTransport(region="us-east-1", endpoint_url=counterpart.url, timeout=Timeout(read=0.05)) as transport,
    ):
        with pytest.raises(errors.ConnectionLostError) as caught:
            await transport.send("StartStreamProcessor", _START)
    assert not caught.value.closed


async def test_closed_keep_alive_connection_is_not_used_again(
    transport: AwsTransport, counterpart: Counterpart
) -> None:
    counterpart.script = lambda _: http(headers={"Connection": "close"}, close=True)
    for _ in range(3):
        await transport.send("StopStreamProcessor", {"Name": "a"})
    assert counterpart.connections == 3


async def test_cancelled_send_is_cancelled_and_leaves_the_transport_usable() -> None:
    under_way = asyncio.Event()
    silence = asyncio.Event()

    async def hang(request: Request) -> StubAnswer:
        if request.operation == "StartStreamProcessor":
            under_way.set()
            await silence.wait()
        return http()

    async with (
        serving(hang) as counterpart,
        AwsTransport(region="us-east-1", endpoint_url=counterpart.url) as transport,
    ):
        sending = asyncio.create_task(transport.send("StartStreamProcessor", _START))
        await under_way.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await transport.send("StopStreamProcessor", {"Name": "a"})


async def test_operation_of_another_feature_is_not_sent(transport: AwsTransport, counterpart: Counterpart) -> None:
    with pytest.raises(errors.ConfigurationError):
        await transport.send("DetectFaces", {})
    assert not counterpart.requests


async def test_value_that_botocore_cannot_encode_is_not_sent(transport: AwsTransport, counterpart: Counterpart) -> None:
    with pytest.raises(errors.ConfigurationError):
        await transport.send("StartStreamProcessor", {"Nmae": "a"})
    assert not counterpart.requests


async def test_thousand_names_come_in_one_page(transport: AwsTransport, counterpart: Counterpart) -> None:
    page = {"StreamProcessors": [{"Name": f"n{n}", "Status": "STOPPED"} for n in range(1000)], "NextToken": "more"}
    counterpart.script = lambda _: http(json.dumps(page).encode())
    assert (await transport.send("ListStreamProcessors", {})).body == page
