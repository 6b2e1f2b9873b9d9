"""Calls take the lean path unless that could be noticed: by a listener, or in what is sent."""

from __future__ import annotations

import functools
import json
import operator
from typing import TYPE_CHECKING, NamedTuple, cast
from unittest import mock

import aiohttp
import botocore.auth
import pytest
from aiobotocore.session import AioSession

from aiorekostream.transport import http
from aiorekostream.transport.attempts import CURRENT, Attempt
from aiorekostream.transport.aws import AwsTransport
from tests.transport.counterpart import REQUEST_ID, Counterpart
from tests.transport.two_paths import CALLS, unheard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aiobotocore.client import AioBaseClient
    from botocore.model import OperationModel


class _Opened(NamedTuple):
    """A transport and its client."""

    transport: AwsTransport
    client: AioBaseClient


@pytest.fixture
async def opened(counterpart: Counterpart) -> AsyncIterator[_Opened]:
    """A transport whose client was seen by an extension of botocore, which adds a base class to it."""
    clients: list[AioBaseClient] = []

    class SeenClient:
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)
            clients.append(cast("AioBaseClient", cast("object", self)))

    def extend(base_classes: list[type], **_: object) -> None:
        base_classes.insert(0, SeenClient)

    session = AioSession()
    session.register("creating-client-class.rekognition", extend)
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url, session=session) as transport:
        [client] = clients
        yield _Opened(transport, client)


_LATER = (
    "before-endpoint-resolution", "request-created", "choose-signer", "before-sign", "before-send", "before-parse",
    "response-received", "needs-retry", "after-call", "after-call-error",
)  # fmt: skip


# The first of these events has no operation in its name.
_NAMES = [f"{event}{scope}" for event in _LATER for scope in ("", ".rekognition")] + [
    f"{event}{scope}" for event in _LATER[1:] for scope in (".*.*", ".rekognition.ListStreamProcessors")
]


@pytest.mark.parametrize("name", _NAMES)
async def test_listener_that_is_added_later_moves_calls_to_botocore(
    opened: _Opened, by_botocore: list[str], name: str
) -> None:
    await opened.transport.send("ListStreamProcessors", {})
    assert not by_botocore
    events = opened.client.meta.events
    events.register(name, unheard)
    await opened.transport.send("ListStreamProcessors", {})
    assert by_botocore == ["ListStreamProcessors"]
    events.unregister(name, unheard)
    await opened.transport.send("ListStreamProcessors", {})
    assert len(by_botocore) == 1


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
    counterpart: Counterpart, by_botocore: list[str], listener: Callable[..., object]
) -> None:
    session = AioSession()
    session.register("before-send.rekognition.StopStreamProcessor", listener)
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url, session=session) as transport:
        await transport.send("StopStreamProcessor", {"Name": "a"})
        await transport.send("StartStreamProcessor", {"Name": "a"})
    assert by_botocore == ["StopStreamProcessor"]


@pytest.mark.parametrize("event", ["provide-client-params", "before-parameter-build", "before-call"])
async def test_listener_to_an_earlier_event_hears_the_lean_path(
    counterpart: Counterpart, by_botocore: list[str], event: str
) -> None:
    heard: list[str] = []
    session = AioSession()

    def hear(model: OperationModel, **_: object) -> None:
        heard.append(model.name)

    session.register(f"{event}.rekognition", hear)
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url, session=session) as transport:
        await transport.send("StopStreamProcessor", {"Name": "a"})
    assert heard == ["StopStreamProcessor"]
    assert not by_botocore


async def test_handler_that_would_run_after_ours_moves_calls_to_botocore(
    opened: _Opened, by_botocore: list[str]
) -> None:
    heard: list[object] = []

    def hear(model: OperationModel, **_: object) -> None:
        heard.append(model)

    opened.client.meta.events.register_last("before-call", hear)
    await opened.transport.send("StopStreamProcessor", {"Name": "a"})
    assert heard
    assert by_botocore == ["StopStreamProcessor"]


async def test_answer_of_a_hook_is_the_reply(counterpart: Counterpart) -> None:
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


@pytest.mark.parametrize("member", ["_request_signer", "_lookup_cache", "_param_definitions", "_credentials"])
async def test_unexpected_members_of_botocore_move_calls_to_botocore(
    counterpart: Counterpart, by_botocore: list[str], monkeypatch: pytest.MonkeyPatch, member: str
) -> None:
    def incompatible(name: str) -> object:
        return operator.attrgetter("gone" if name == member else name)

    monkeypatch.setattr(http, "attrgetter", incompatible)
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url) as transport:
        await transport.send("StopStreamProcessor", {"Name": "a"})
    assert len(counterpart.requests) == len(by_botocore) == 1


@pytest.mark.parametrize("error", [AttributeError("no such member"), TypeError("no such argument")])
async def test_unexpected_members_of_aiohttp_move_calls_to_botocore(
    counterpart: Counterpart, by_botocore: list[str], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(aiohttp, "ClientRequest", mock.Mock(side_effect=error))
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url) as transport:
        await transport.send("StopStreamProcessor", {"Name": "a"})
    assert len(counterpart.requests) == len(by_botocore) == 1


async def test_path_of_the_endpoint_is_botocores(counterpart: Counterpart, by_botocore: list[str]) -> None:
    async with AwsTransport(region="us-east-1", endpoint_url=f"{counterpart.url}/a/b") as transport:
        await transport.send("StopStreamProcessor", {"Name": "a"})
    assert counterpart.requests[0].head.startswith("POST /a/b HTTP/1.1\r\n")
    assert by_botocore == ["StopStreamProcessor"]


async def test_result_has_the_metadata_that_instrumentation_reads(opened: _Opened) -> None:
    token = CURRENT.set(Attempt("StartStreamProcessor", idempotent=False))
    try:
        result = await opened.client.start_stream_processor(Name="a")
    finally:
        CURRENT.reset(token)
    metadata = cast("dict[str, object]", result["ResponseMetadata"])
    assert metadata["RequestId"] == REQUEST_ID
    assert (metadata["HTTPStatusCode"], metadata["RetryAttempts"]) == (200, 0)
    assert cast("dict[str, str]", metadata["HTTPHeaders"])["x-amzn-requestid"] == REQUEST_ID


def test_nothing_is_added_to_botocores_tables() -> None:
    assert {kind.__module__.partition(".")[0] for kind in botocore.auth.AUTH_TYPE_MAPS.values()} <= {
        "aiobotocore",
        "botocore",
    }


async def test_response_is_parsed_once(counterpart: Counterpart) -> None:
    loads = mock.Mock(wraps=json.loads)
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url) as transport:
        operation, body = CALLS[0]
        with mock.patch("json.loads", loads):
            await transport.send(operation, body)
    assert loads.call_count == 1


async def test_nothing_in_aiohttp_is_replaced(counterpart: Counterpart) -> None:
    """Other clients of the process use the same classes."""
    classes = (aiohttp.ClientSession, aiohttp.TCPConnector, aiohttp.BaseConnector, aiohttp.ClientResponse)
    before = [dict(vars(each)) for each in classes]
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url) as transport:
        for operation, body in CALLS:
            await transport.send(operation, body)
        assert [dict(vars(each)) for each in classes] == before
