"""Text of a service in errors, logs and events: on one line, at most 300 characters, without our own credentials."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, cast

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.client.reconcile_rules import Evidence
from aiorekostream.domain.responses import StreamProcessor
from aiorekostream.emulator import ManualClock
from aiorekostream.fleet import FleetEvent, FleetEventType, SessionEnd
from aiorekostream.results.calls import CallOptions, open_calls
from aiorekostream.results.sqs_queue import SqsQueue
from aiorekostream.service_text import one_line
from tests.transport.counterpart import Counterpart, StubAnswer, error, http
from tests.transport.two_paths import new_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_TOKEN = "planted-session-token/+=="
_SHORT = "AKIAPLANTED"
_FORGED = f"a\r\n2026-04-30 CRITICAL forged\x1b[2J\u2028{_TOKEN}\u202e\ud800{_SHORT}{'x' * 5000}"
_LEAD = "a\\r\\n2026-04-30 CRITICAL forged\\x1b[2J\\u2028"
_ONCE = rks.RetryPolicy(max_attempts=1)
_NAMES = {"Name": "lobby", "StreamProcessorArn": "arn:aws:rekognition:us-east-1:123456789012:streamprocessor/lobby"}


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", _SHORT)
    monkeypatch.setenv("AWS_SESSION_TOKEN", _TOKEN)


def _members(members: Mapping[str, object], **headers: str) -> StubAnswer:
    return http(json.dumps(members).encode(), headers=headers)


def _texts(value: object) -> Iterator[str]:
    """Every text in a value, in the values that it consists of, and in what it prints as."""
    inner: list[object] = []
    if isinstance(value, str):
        yield str(value)
    elif isinstance(value, logging.LogRecord):
        inner = [value.getMessage(), vars(value)["status_message"]]
    elif isinstance(value, BaseException):
        inner = [str(value), value.args, value.__cause__, *vars(value).values()]
    elif isinstance(value, (tuple, list)):
        inner = list(cast("Sequence[object]", value))
    elif attrs.has(type(value)):
        cls = cast("type[attrs.AttrsInstance]", type(value))
        inner = [getattr(value, each.name) for each in attrs.fields(cls)]
    else:
        yield repr(value)
    for each in inner:
        yield from _texts(each)


def _assert_shown(*values: object) -> None:
    """The text of the service is there, and can do no harm."""
    texts = [text for value in values for text in _texts(value)]
    assert any("CRITICAL forged" in text for text in texts)
    for text in texts:
        assert text.isprintable()
        assert "x" * 301 not in text
        assert _TOKEN not in text
        assert _SHORT not in text


# -------------------------------------------------------------------------------------------------------- StatusMessage


def _failed(counterpart: Counterpart) -> None:
    """A service whose processor is FAILED, with a message that forges a line and repeats our credentials."""
    answers = {
        "DescribeStreamProcessor": _members({**_NAMES, "Status": "FAILED", "StatusMessage": _FORGED}),
        "ListStreamProcessors": _members({"StreamProcessors": [{"Name": "lobby", "Status": "FAILED"}]}),
        "StartStreamProcessor": _members({"SessionId": "session-1"}),
        "StopStreamProcessor": error("ResourceInUseException", _FORGED),
    }
    counterpart.script = lambda request: answers[request.operation]


def _client(counterpart: Counterpart, *, observed: bool = False, clock: ManualClock | None = None) -> rks.Client:
    session = new_session(observed=observed)
    return rks.Client(region="us-east-1", endpoint_url=counterpart.url, session=session, retry=_ONCE, clock=clock)


@pytest.mark.parametrize("observed", [False, True], ids=["lean", "botocore"])
async def test_status_message_cannot_harm_an_error(counterpart: Counterpart, *, observed: bool) -> None:
    _failed(counterpart)
    clock = ManualClock()
    async with _client(counterpart, observed=observed, clock=clock) as client:
        wait = asyncio.ensure_future(client.wait_until_running("lobby"))
        while not wait.done():
            for _ in range(100):  # turns of the event loop in which a call is certainly answered
                await asyncio.sleep(0)
            clock.advance(0.1)
        with pytest.raises(rks.StreamProcessorFailedError) as caught:
            await wait
    _assert_shown(caught.value)
    message = caught.value.status_message
    assert message is not None
    assert message.startswith(f"{_LEAD}[redacted]")
    assert len(message) == 300


async def test_described_status_message_is_whole_but_for_credentials(counterpart: Counterpart) -> None:
    _failed(counterpart)
    async with _client(counterpart) as client:
        found = await client.describe_stream_processor("lobby")
    assert found.status_message == _FORGED.replace(_TOKEN, "[redacted]").replace(_SHORT, "[redacted]")


async def test_status_message_cannot_harm_an_event_or_a_log(
    counterpart: Counterpart, caplog: pytest.LogCaptureFixture
) -> None:
    _failed(counterpart)
    events: list[FleetEvent] = []
    caplog.set_level(logging.WARNING, "aiorekostream")
    async with _client(counterpart) as client, rks.Fleet(client, on_event=events.append) as fleet:
        ends = fleet.session_ends()
        await fleet.start([rks.FaceSearchStart("lobby")])
        outcomes = (await fleet.stop(["lobby"])).outcomes
        end = await anext(ends)
    ended = [event.session_end for event in events if event.type is FleetEventType.SESSION_ENDED]
    assert ended == [end]
    records = [record for record in caplog.records if "is FAILED" in record.getMessage()]
    assert len(records) == 1
    for shown in (end, records[0]):
        _assert_shown(shown)
    _assert_shown(events, outcomes, records)


@given(st.text())
def test_shown_text_stays_as_it_is(text: str) -> None:
    """An error that is copied or pickled has the same text."""
    shown = one_line(text)
    assert one_line(shown) == shown
    assert SessionEnd("lobby", status_message=shown).status_message == shown
    failed = errors.StreamProcessorFailedError(name="lobby", status_message=text)
    assert failed.status_message == shown


# ------------------------------------------------------------------------------------------------------- other members


def test_unknown_status_cannot_harm_an_error() -> None:
    status = rks.Status(_FORGED.replace(_TOKEN, "").replace(_SHORT, ""))
    waited = errors.WaitTimeoutError(name="lobby", wanted="running", status=status, seconds=1)
    processor = StreamProcessor(name="lobby", stream_processor_arn="arn", status=status)
    _assert_shown(waited, str(Evidence(processor)))


@pytest.mark.parametrize("observed", [False, True], ids=["lean", "botocore"])
async def test_malformed_response_cannot_harm_an_error(counterpart: Counterpart, *, observed: bool) -> None:
    request_id = f"{_TOKEN} CRITICAL forged {'x' * 500}"
    members = {**_NAMES, "Status": [_TOKEN], "RoleArn": {_TOKEN: _FORGED.replace(_SHORT, "")}}
    counterpart.script = lambda _: _members(members, **{"x-amzn-RequestId": request_id})
    async with _client(counterpart, observed=observed) as client:
        with pytest.raises(errors.MalformedResponseError) as caught:
            await client.describe_stream_processor("lobby")
    assert {issue.path for issue in caught.value.issues} == {"Status", "RoleArn"}
    _assert_shown(str(caught.value), caught.value.request_id)


# ---------------------------------------------------------------------------------------------------------------- SQS


async def test_queue_cannot_harm_an_error_or_a_log(counterpart: Counterpart) -> None:
    """The id of a message is written to logs."""
    url = "https://sqs.us-east-1.amazonaws.com/123456789012/doors"
    refused = {"Failed": [{"Id": "0", "Code": _FORGED, "Message": _FORGED, "SenderFault": True}]}
    answers = {
        "ReceiveMessage": _members({"Messages": [{"MessageId": _FORGED, "ReceiptHandle": "receipt", "Body": "body"}]}),
        "DeleteMessageBatch": _members(json.loads(json.dumps(refused).replace(_SHORT, ""))),
        "ChangeMessageVisibilityBatch": error("AccessDenied", _FORGED),
    }
    counterpart.script = lambda request: answers[request.operation]
    options = CallOptions(region="us-east-1", endpoint_url=counterpart.url, max_connections=1)
    queue = SqsQueue(url, open_calls("sqs", options))
    (message,) = await queue.receive(count=1, wait=0, visibility=30)
    (failure,) = await queue.delete([message.receipt])
    with pytest.raises(rks.AccessDeniedError) as caught:
        await queue.change_visibility([message.receipt], [30])
    await queue.aclose()
    assert isinstance(failure, rks.ServiceError)
    for shown in (message.id.replace(_SHORT, ""), failure, failure.code, caught.value):
        _assert_shown(shown)
