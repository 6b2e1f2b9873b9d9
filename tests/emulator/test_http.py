"""Send valid and invalid input over HTTP: the emulator responds in AWS's format and continues to serve."""

from __future__ import annotations

import asyncio
import datetime
import email.utils
import json
import logging
import re
from typing import TYPE_CHECKING

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from aiorekostream.emulator import Emulator, ManualClock
from tests.effort import examples
from tests.emulator.clients import AUTHORIZATION, exchange, http
from tests.emulator.samples import labels

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

KNOWN = {
    "IncompleteSignatureException",
    "InvalidParameterException",
    "InvalidSignatureException",
    "MalformedHttpRequestException",
    "MissingAuthenticationTokenException",
    "RequestEntityTooLargeException",
    "SerializationException",
    "UnknownOperationException",
    "InvalidPaginationTokenException",
    "ResourceNotFoundException",
    "RequestTimeoutException",
}
DEEP = b"[" * 100_000
TARGET = "RekognitionService."


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(clock=ManualClock(1_700_000_000.5), check_answers=True, quotas=False) as emulator:
        yield emulator


async def still_serves(emulator: Emulator) -> None:
    response = await exchange(emulator.url, http())
    assert (response.status, response.json) == (200, {"StreamProcessors": []})


async def test_responses_are_in_the_json_protocol_of_aws(emulator: Emulator) -> None:
    create = http(headers={"X-Amz-Target": f"{TARGET}CreateStreamProcessor"}, body=json.dumps(labels("door")).encode())
    response = await exchange(emulator.url, create)
    assert response.headers["content-type"] == "application/x-amz-json-1.1"
    assert re.fullmatch(r"[0-9a-f-]{36}", response.headers["x-amzn-requestid"])
    describe = http(headers={"X-Amz-Target": f"{TARGET}DescribeStreamProcessor"}, body=b'{"Name":"door"}')
    response = await exchange(emulator.url, describe)
    assert b'"CreationTimestamp":1700000000.5,' in response.body


@pytest.mark.parametrize(
    ("operation", "body", "expected"),
    [
        ("UpdateStreamProcessor", {"Name": "door"}, b""),
        ("DeleteStreamProcessor", {"Name": "door"}, b""),
        ("StopStreamProcessor", {"Name": "door"}, b""),
        ("ListStreamProcessors", {}, b'{"StreamProcessors":[{"Name":"door","Status":"STARTING"}]}'),
    ],
)
async def test_stop_update_and_delete_respond_with_empty_bodies(
    emulator: Emulator, operation: str, body: Mapping[str, object], expected: bytes
) -> None:
    """ListStreamProcessors is the counterexample with a body."""
    calls: list[tuple[str, Mapping[str, object]]] = [("CreateStreamProcessor", labels("door")), (operation, body)]
    if operation in {"StopStreamProcessor", "ListStreamProcessors"}:
        start = {
            "Name": "door",
            "StartSelector": {"KVSStreamStartSelector": {"FragmentNumber": "1"}},
            "StopSelector": {},
        }
        calls.insert(1, ("StartStreamProcessor", start))
    responses = [
        await exchange(emulator.url, http(headers={"X-Amz-Target": TARGET + verb}, body=json.dumps(members).encode()))
        for verb, members in calls
    ]
    assert {response.status for response in responses} == {200}
    assert responses[-1].body == expected


async def test_error_has_type_code_message_and_log_reference(emulator: Emulator) -> None:
    sent = http(headers={"X-Amz-Target": f"{TARGET}DescribeStreamProcessor"}, body=b'{"Name":"door"}')
    response = await exchange(emulator.url, sent)
    assert response.json == {
        "__type": "ResourceNotFoundException",
        "Code": "ResourceNotFoundException",
        "Message": "Stream processor door not found.",
        "Logref": response.headers["x-amzn-requestid"],
    }


async def test_denial_in_an_unsupported_region_contains_only_the_type(emulator: Emulator) -> None:
    sent = http(headers={"Authorization": AUTHORIZATION.replace("us-east-1", "sa-east-1")})
    response = await exchange(emulator.url, sent)
    assert (response.status, response.body) == (400, b'{"__type":"AccessDeniedException"}')


@pytest.mark.parametrize("sent", [http(), http(body=b"?"), http(method="GET", path="/_emulator/health")])
async def test_date_is_real_time_and_emulator_date_is_emulated(emulator: Emulator, sent: bytes) -> None:
    before = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    response = await exchange(emulator.url, sent)
    real = email.utils.parsedate_to_datetime(response.headers["date"])
    assert before <= real <= datetime.datetime.now(datetime.UTC)
    assert response.headers["x-emulator-date"] == "Tue, 14 Nov 2023 22:13:20 GMT"


async def test_empty_body_counts_as_an_empty_object(emulator: Emulator) -> None:
    assert (await exchange(emulator.url, http(body=b""))).status == 200


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (http(body=b"no json"), 400, "SerializationException"),
        (http(body=b"[]"), 400, "SerializationException"),
        (http(body=b"null"), 400, "SerializationException"),
        (http(body=b'{"MaxResults": NaN}'), 400, "SerializationException"),
        (http(body=b'{"MaxResults": 1e999}'), 400, "SerializationException"),
        (http(body=b'{"MaxResults": ' + b"9" * 5000 + b"}"), 400, "SerializationException"),
        (http(body=b'{"NextToken": "\xff\xfe"}'), 400, "SerializationException"),
        (http(body=b'{"NextToken": "\\ud800"}'), 400, "InvalidPaginationTokenException"),
        (http(body=DEEP), 400, "SerializationException"),
        (http(body=b'{"a":' * 50_000), 400, "SerializationException"),
        (http(body=b'{"Wrong": 1}'), 400, "InvalidParameterException"),
        (http(headers={"X-Amz-Target": None}), 404, "UnknownOperationException"),
        (http(headers={"X-Amz-Target": "DynamoDB.ListTables"}), 404, "UnknownOperationException"),
        (http(headers={"X-Amz-Target": TARGET}), 404, "UnknownOperationException"),
        (http(headers={"X-Amz-Target": f"{TARGET}DetectFaces"}), 404, "UnknownOperationException"),
        (http(headers={"X-Amz-Target": f"{TARGET}\xff"}), 404, "UnknownOperationException"),
        (http(headers={"Content-Type": "text/html"}), 404, "UnknownOperationException"),
        (http(method="GET", headers={"Content-Length": None}, body=b""), 404, "UnknownOperationException"),
        (http(path="/elsewhere"), 404, "UnknownOperationException"),
        (http(path="/?x=1"), 404, "UnknownOperationException"),
        (http(headers={"Authorization": None}), 403, "MissingAuthenticationTokenException"),
        (http(headers={"Authorization": "Basic \xff"}), 403, "IncompleteSignatureException"),
        (http(body=b"x" * (10 * 1024 * 1024)), 413, "RequestEntityTooLargeException"),
        (http(headers={"Content-Length": "-5"}), 400, "MalformedHttpRequestException"),
        (http(headers={"Content-Length": "five"}), 400, "MalformedHttpRequestException"),
        (http(headers={"Content-Length": "9" * 18}), 413, "RequestEntityTooLargeException"),
        (http(headers={"Content-Length": "9" * 40}), 400, "MalformedHttpRequestException"),
        (
            http(headers={"Content-Length": None, "Transfer-Encoding": "chunked"}, body=b"zz\r\n{}\r\n0\r\n\r\n"),
            400,
            "MalformedHttpRequestException",
        ),
        (http(headers={"X-Long": "x" * 20_000}), 400, "MalformedHttpRequestException"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "MalformedHttpRequestException"),
        (b"hello\r\n\r\n", 400, "MalformedHttpRequestException"),
        (b"POST / HTTP/9.9\r\n\r\n", 400, "MalformedHttpRequestException"),
    ],
    ids=range(32),
)
async def test_invalid_input_is_refused_with_an_error_of_aws(
    emulator: Emulator, sent: bytes, status: int, code: str
) -> None:
    """The emulator serves further requests afterwards."""
    response = await exchange(emulator.url, sent)
    assert (response.status, response.json["__type"], response.json["Code"]) == (status, code, code)
    assert response.json["Message"]
    await still_serves(emulator)


async def test_chunked_body_is_read(emulator: Emulator) -> None:
    sent = http(headers={"Content-Length": None, "Transfer-Encoding": "chunked"}, body=b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")
    assert (await exchange(emulator.url, sent)).status == 200


async def test_expect_100_continue_is_confirmed(emulator: Emulator) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
    writer.write(http(headers={"Expect": "100-continue", "Content-Length": "2"}, body=b""))
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"{}")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
    writer.close()
    await writer.wait_closed()


async def test_other_requests_are_served_when_a_caller_disconnects(emulator: Emulator) -> None:
    for sent in (b"", b"POST / HT", http(body=b"{}")[:-1], http(headers={"Content-Length": "1000"})):
        reader, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
        writer.write(sent)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert reader is not None
    await still_serves(emulator)


async def test_pipelined_requests_get_their_responses_in_order(emulator: Emulator) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
    writer.write(http() * 50)
    for _ in range(50):
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert await reader.readexactly(len(b'{"StreamProcessors":[]}')) == b'{"StreamProcessors":[]}'
    writer.close()
    await writer.wait_closed()


async def test_exception_in_the_emulator_is_an_internal_failure_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class BrokenClock:
        def now(self) -> float:
            if armed:
                raise ZeroDivisionError("the clock is broken")
            return 0.0

    armed = False
    async with Emulator(clock=BrokenClock()) as emulator:
        armed = True
        with caplog.at_level(logging.ERROR, "aiorekostream.emulator"):
            response = await exchange(emulator.url, http())
        assert (response.status, response.json["__type"]) == (500, "InternalFailure")
        assert "the clock is broken" in caplog.text
        armed = False
        await still_serves(emulator)


_VALUES = st.one_of(
    st.none(),
    st.sampled_from(["0", "RekognitionService.StartStreamProcessor", "RekognitionService.TagResource", AUTHORIZATION]),
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40),
)
_HEADERS = st.dictionaries(st.sampled_from(["Content-Type", "X-Amz-Target", "Authorization"]), _VALUES, max_size=3)
_BODIES = st.one_of(
    st.binary(max_size=300),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.sampled_from(["Name", "door"]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9) | st.just("Name"), inner),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
)
_FRAMING = st.fixed_dictionaries(
    {},
    optional={
        "Content-Length": st.one_of(st.none(), st.integers(-5, 400).map(str), st.text("0123456789 -+x", max_size=30)),
        "Transfer-Encoding": st.sampled_from(["chunked", "gzip, chunked", "x"]),
        "Expect": st.sampled_from(["100-continue", "the worst"]),
        "Connection": st.sampled_from(["close", "upgrade"]),
        "Content-Encoding": st.sampled_from(["gzip", "deflate", "br"]),
    },
)
_FUZZ = settings(examples(200), suppress_health_check=[HealthCheck.too_slow])


def _request(headers: Mapping[str, str | None], body: bytes) -> bytes:
    return http(headers=headers, body=body)


def _fuzz(inputs: st.SearchStrategy[bytes], *, may_end: bool) -> None:
    with asyncio.Runner() as runner:
        emulator = runner.run(_start_emulator())

        async def attack(sent: bytes) -> None:
            try:
                response = await exchange(emulator.url, sent, end=may_end)
            except ConnectionError:
                assert may_end
                return
            assert response.status in {100, 200, 400, 403, 404, 408, 413}
            if response.status >= 400:
                assert response.json["__type"] in KNOWN

        @_FUZZ
        @given(sent=inputs)
        def run(sent: bytes) -> None:
            runner.run(attack(sent))

        try:
            run()
            runner.run(still_serves(emulator))
            assert all(call.code != "InternalFailure" for call in emulator.calls)
        finally:
            runner.run(emulator.aclose())


def test_arbitrary_headers_and_bodies_get_responses_of_aws() -> None:
    _fuzz(st.builds(_request, _HEADERS, _BODIES), may_end=False)


def test_emulator_serves_after_arbitrary_bytes() -> None:
    framed = st.builds(_request, _FRAMING, _BODIES)
    _fuzz(st.one_of(framed, st.binary(max_size=200)), may_end=True)


async def _start_emulator() -> Emulator:
    emulator = Emulator(quotas=False, check_answers=True)
    await emulator.start()
    return emulator
