"""Responses: what is a success, what is malformed, and what each error means."""

from __future__ import annotations

import pytest

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.operations import OPERATIONS
from aiorekostream.transport.aws import AwsTransport
from tests.transport.counterpart import (
    REQUEST_ID,
    Counterpart,
    StubAnswer,
    error,
    http,
    serving,
)
from tests.transport.two_paths import new_session

_START = {"Name": "front-door", "StopSelector": {"MaxDurationInSeconds": 30}}


@pytest.mark.parametrize("operation", ["StopStreamProcessor", "DescribeStreamProcessor", "TagResource"])
@pytest.mark.parametrize(
    "body",
    [
        b"<html>It works!</html>",
        b"[1]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"Name": ',
        b'{"__type": "ThrottlingException"}',
        b"\xef\xbb\xbf{}",
        '{"SessionId": "session-1"}'.encode("utf-16"),
    ],
)
async def test_success_without_a_json_object_is_malformed(
    transport: AwsTransport, counterpart: Counterpart, operation: str, body: bytes
) -> None:
    counterpart.script = lambda _: http(body)
    with pytest.raises(errors.MalformedResponseError) as caught:
        await transport.send(operation, {})
    assert caught.value.request_id == REQUEST_ID
    assert [issue.expected for issue in caught.value.issues] == ["a JSON object that is no error"]
    assert caught.value.retry_safe is OPERATIONS[operation].idempotent


@pytest.mark.parametrize("operation", ["StartStreamProcessor", "DescribeStreamProcessor"])
@pytest.mark.parametrize("status", [201, 202, 203, 204, 206, 299, 300, 304, 305, 399])
async def test_status_below_400_is_malformed_unless_it_is_200(
    transport: AwsTransport, counterpart: Counterpart, operation: str, status: int
) -> None:
    body = b"" if status in {204, 304} else b"{}"
    counterpart.script = lambda _: http(body, status=status)
    with pytest.raises(
        errors.MalformedResponseError, match=f"must be HTTP 200 or an error; got 'HTTP {status}'"
    ) as caught:
        await transport.send(operation, {"Name": "a"})
    assert caught.value.retry_safe is OPERATIONS[operation].idempotent
    assert caught.value.request_id == REQUEST_ID


@pytest.mark.parametrize("operation", ["StartStreamProcessor", "DescribeStreamProcessor"])
@pytest.mark.parametrize(
    "answer",
    [error("RequestTimeoutException", status=408), error("RequestTimeout"), http(b"<html>", status=408)],
    ids=["modelled", "code alone", "page"],
)
async def test_status_408_is_ambiguous_when_the_call_is_not_idempotent(
    transport: AwsTransport, counterpart: Counterpart, operation: str, answer: StubAnswer
) -> None:
    counterpart.script = lambda _: answer
    with pytest.raises(errors.ServiceError) as caught:
        await transport.send(operation, {"Name": "a"})
    assert caught.value.retry_safe is OPERATIONS[operation].idempotent


async def test_empty_answer_to_a_start_is_a_success_without_session_id(counterpart: Counterpart) -> None:
    counterpart.script = lambda _: http(b"")
    async with rks.Client(region="us-east-1", endpoint_url=counterpart.url) as client:
        assert await client.start_stream_processor(rks.FaceSearchStart("lobby")) == rks.StartedSession()


@pytest.mark.parametrize("body", [b"", b"{}"])
async def test_empty_answer_where_members_are_required_is_malformed(counterpart: Counterpart, body: bytes) -> None:
    counterpart.script = lambda _: http(body)
    quick = rks.RetryPolicy(max_attempts=2, base_delay=0, max_delay=0)
    async with rks.Client(region="us-east-1", endpoint_url=counterpart.url, retry=quick) as client:
        with pytest.raises(errors.MalformedResponseError) as caught:
            await client.describe_stream_processor("lobby")
    assert caught.value.retry_safe
    assert len(counterpart.requests) == 2


@pytest.mark.parametrize("member", ['"CreationTimestamp": "yesterday"', '"Settings": 5', '"RegionsOfInterest": 5'])
async def test_member_of_the_wrong_type_is_malformed(counterpart: Counterpart, member: str) -> None:
    counterpart.script = lambda _: http(
        f'{{"Name": "a", "StreamProcessorArn": "arn", "Status": "STOPPED", {member}}}'.encode()
    )
    once = rks.RetryPolicy(max_attempts=1)
    async with rks.Client(region="us-east-1", endpoint_url=counterpart.url, retry=once) as client:
        with pytest.raises(errors.MalformedResponseError) as caught:
            await client.describe_stream_processor("a")
    assert caught.value.retry_safe


async def test_error_has_the_code_and_message_of_aws(transport: AwsTransport, counterpart: Counterpart) -> None:
    counterpart.script = lambda _: error("ThrottlingException", "Slow down", status=500)
    with pytest.raises(errors.ThrottlingError) as caught:
        await transport.send("StopStreamProcessor", {"Name": "a"})
    fault = caught.value
    assert (fault.code, fault.message, fault.http_status) == ("ThrottlingException", "Slow down", 500)
    assert (fault.operation, fault.request_id, fault.retry_safe) == ("StopStreamProcessor", REQUEST_ID, True)


@pytest.mark.parametrize("body", [b"<html>Service Unavailable</html>", b"", b"[1]", b"null", b"{}"])
async def test_error_page_is_a_service_error_with_its_status_as_code(
    transport: AwsTransport, counterpart: Counterpart, body: bytes
) -> None:
    counterpart.script = lambda _: http(body, status=503)
    with pytest.raises(errors.ServiceError) as caught:
        await transport.send("StartStreamProcessor", _START)
    assert type(caught.value) is errors.ServiceError
    assert (caught.value.code, caught.value.http_status, caught.value.request_id) == ("503", 503, REQUEST_ID)
    assert not caught.value.retry_safe


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_not_followed(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a-token-for-aws-alone")
    async with serving() as elsewhere:
        address = elsewhere.url.replace("127.0.0.1", "somebody:hunter2@localhost")
        async with (
            serving(lambda _: http(status=status, headers={"Location": f"{address}/healthy?token=1"})) as counterpart,
            AwsTransport(region="us-east-1", endpoint_url=counterpart.url) as transport,
        ):
            with pytest.raises(errors.ConfigurationError, match=r"redirects to http://localhost:\d+ \(HTTP") as caught:
                await transport.send("StartStreamProcessor", _START)
        assert len(counterpart.requests) == 1
        assert not elsewhere.requests
        assert "hunter2" not in str(caught.value)
        assert not caught.value.retry_safe


@pytest.mark.parametrize("observed", [False, True], ids=["lean", "botocore"])
@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://elsewhere:8443/path?token=1", " to https://elsewhere:8443 ("),
        ("http://[::1]:80/", " to http://[::1]:80 ("),
        ("http://user:hunter2@elsewhere#x", " to http://elsewhere ("),
        ("http://user:hunter2/x@elsewhere/", " ("),
        ("http://user:12/hunter2@elsewhere/", " ("),
        ("http://user:hunter2@[elsewhere", " ("),
        ("//user:hunter2@elsewhere/", " ("),
        ("/healthy", " ("),
        ("", " ("),
        (f"http://{'h' * 300}/", " ("),
        ("http://a-token-for-aws-alone/", " to http://[redacted] ("),
        ("http://\x1b[2J/", " ("),
    ],
)
async def test_redirect_shows_only_a_host(
    counterpart: Counterpart, monkeypatch: pytest.MonkeyPatch, location: str, shown: str, *, observed: bool
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a-token-for-aws-alone")
    counterpart.script = lambda _: http(status=302, headers={"Location": location})
    session = new_session(observed=observed)
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url, session=session) as transport:
        with pytest.raises(errors.ConfigurationError) as caught:
            await transport.send("StartStreamProcessor", _START)
    assert f"the endpoint redirects{shown}HTTP 302)" in str(caught.value)


async def test_code_in_the_header_alone_is_read(transport: AwsTransport, counterpart: Counterpart) -> None:
    header = {"x-amzn-ErrorType": "ResourceInUseException:http://internal.amazon.com/coral/"}
    counterpart.script = lambda _: http(b"{}", status=400, headers=header)
    with pytest.raises(errors.ResourceInUseError):
        await transport.send("StartStreamProcessor", _START)
