"""The client over a transport in memory: the requests that it sends, and the values and errors that it returns."""

from __future__ import annotations

import asyncio
import pydoc
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import pytest

import aiorekostream as rks
from aiorekostream.domain.names import StreamProcessorArn
from aiorekostream.domain.responses import CreatedStreamProcessor
from aiorekostream.domain.tags import Tags
from aiorekostream.emulator import Emulator
from aiorekostream.errors import ConnectError, MalformedResponseError
from aiorekostream.testing import MemoryTransport
from tests.fleet.service import OpensLate
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Mapping

_ARN = "arn:aws:rekognition:us-east-1:123456789012:streamprocessor/front-door"
_VIDEO = "arn:aws:kinesisvideo:us-east-1:123456789012:stream/front-door/1656000000000"
_FACE_SEARCH = rks.FaceSearchProcessor(
    name="lobby",
    kinesis_video_stream_arn=_VIDEO,
    kinesis_data_stream_arn="arn:aws:kinesis:us-east-1:123456789012:stream/faces",
    role_arn="arn:aws:iam::123456789012:role/rekognition",
    collection_id="staff",
)


def _client(answer: Mapping[str, object] | Exception | None = None) -> tuple[rks.Client, MemoryTransport]:
    transport = MemoryTransport(lambda _operation, _body: {} if answer is None else answer)
    return rks.Client(transport=transport), transport


_Call = Callable[[rks.Client], Awaitable[object]]


_NAMED = {"Name": "front-door"}
_VERBS: list[
    tuple[Callable[[rks.Client], Awaitable[object]], str, Mapping[str, object], Mapping[str, object], object]
] = [
    (
        lambda client: client.create_stream_processor(_FACE_SEARCH),
        "CreateStreamProcessor",
        {
            "Name": "lobby",
            "Input": {"KinesisVideoStream": {"Arn": _VIDEO}},
            "Output": {"KinesisDataStream": {"Arn": "arn:aws:kinesis:us-east-1:123456789012:stream/faces"}},
            "RoleArn": "arn:aws:iam::123456789012:role/rekognition",
            "Settings": {"FaceSearch": {"CollectionId": "staff"}},
        },
        {"StreamProcessorArn": _ARN},
        CreatedStreamProcessor(_ARN),
    ),
    (
        lambda client: client.start_stream_processor(
            rks.LabelDetectionStart(
                name="front-door", start_selector=rks.FragmentNumber("91"), stop_selector=rks.StopSelector(30)
            )
        ),
        "StartStreamProcessor",
        {
            **_NAMED,
            "StartSelector": {"KVSStreamStartSelector": {"FragmentNumber": "91"}},
            "StopSelector": {"MaxDurationInSeconds": 30},
        },
        {"SessionId": "s-1"},
        rks.StartedSession("s-1"),
    ),
    (
        lambda client: client.start_stream_processor(rks.FaceSearchStart("front-door")),
        "StartStreamProcessor",
        _NAMED,
        {},
        rks.StartedSession(None),
    ),
    (lambda client: client.stop_stream_processor("front-door"), "StopStreamProcessor", _NAMED, {}, None),
    (
        lambda client: client.describe_stream_processor("front-door"),
        "DescribeStreamProcessor",
        _NAMED,
        {**_NAMED, "StreamProcessorArn": _ARN, "Status": "STOPPED"},
        rks.StreamProcessor(name="front-door", stream_processor_arn=_ARN, status=rks.Status.STOPPED),
    ),
    (
        lambda client: client.update_stream_processor(
            rks.LabelDetectionUpdate(name="front-door", labels=["PET"], min_confidence=rks.RESET)
        ),
        "UpdateStreamProcessor",
        {
            **_NAMED,
            "SettingsForUpdate": {"ConnectedHomeForUpdate": {"Labels": ["PET"]}},
            "ParametersToDelete": ["ConnectedHomeMinConfidence"],
        },
        {},
        None,
    ),
    (lambda client: client.delete_stream_processor("front-door"), "DeleteStreamProcessor", _NAMED, {}, None),
    (
        lambda client: client.tag_resource(_ARN, {"site": "north"}),
        "TagResource",
        {"ResourceArn": _ARN, "Tags": {"site": "north"}},
        {},
        None,
    ),
    (
        lambda client: client.untag_resource(StreamProcessorArn.parse(_ARN), ["site"]),
        "UntagResource",
        {"ResourceArn": _ARN, "TagKeys": ["site"]},
        {},
        None,
    ),
    (
        lambda client: client.list_tags_for_resource(_ARN),
        "ListTagsForResource",
        {"ResourceArn": _ARN},
        {"Tags": {"aws:cloudformation:stack-name": "doors"}},
        Tags({"aws:cloudformation:stack-name": "doors"}),
    ),
]


@pytest.mark.parametrize(("call", "operation", "sent", "answer", "result"), _VERBS, ids=range(len(_VERBS)))
async def test_method_sends_its_operation_and_returns_its_value(
    call: _Call,
    operation: str,
    sent: Mapping[str, object],
    answer: Mapping[str, object],
    result: object,
) -> None:
    client, transport = _client(answer)
    assert await call(client) == result
    assert transport.calls == [(operation, sent)]


_BAD_CALLS: list[tuple[_Call, str]] = [
    (lambda client: client.stop_stream_processor("front door"), "name"),
    (lambda client: client.stop_stream_processor(""), "name"),
    (lambda client: client.describe_stream_processor("door\n"), "name"),
    (lambda client: client.delete_stream_processor("x" * 129), "name"),
    (lambda client: client.tag_resource("front-door", {"a": "b"}), "resource_arn"),
    (lambda client: client.tag_resource(_ARN, {"aws:a": "b"}), "tags.aws:a"),
    (lambda client: client.tag_resource(_ARN, {}), "tags"),
    (lambda client: client.untag_resource(_ARN, "site"), "tag_keys"),
    (lambda client: client.untag_resource(_ARN, ["site", "site"]), "tag_keys"),
    (lambda client: client.list_tags_for_resource(_VIDEO), "resource_arn"),
]


@pytest.mark.parametrize(("call", "path"), _BAD_CALLS, ids=range(len(_BAD_CALLS)))
async def test_client_rejects_invalid_arguments_before_sending(call: _Call, path: str) -> None:
    client, transport = _client()
    with pytest.raises(rks.InvalidRequestError) as caught:
        await call(client)
    assert [issue.path for issue in caught.value.issues] == [path]
    assert transport.calls == []


async def test_client_rejects_a_video_stream_of_another_region() -> None:
    transport = MemoryTransport(lambda _operation, _body: {}, region="eu-west-1")
    with pytest.raises(rks.InvalidRequestError, match=r"a stream in the client's Region, eu-west-1"):
        await rks.Client(transport=transport).create_stream_processor(_FACE_SEARCH)
    assert transport.calls == []


async def test_hint_has_the_numbers_of_the_limits_of_the_client() -> None:
    granted = rks.Limits(quotas={"StopStreamProcessor": rks.Quota(3, 3, "L-85890340")})
    throttled = rks.ThrottlingError(
        "", operation="StopStreamProcessor", code="ThrottlingException", http_status=400, retry_safe=True
    )
    client, _ = _client(throttled)
    with pytest.raises(rks.ThrottlingError) as caught:
        await client.with_options(limits=granted, retry=rks.RetryPolicy(max_attempts=1)).stop_stream_processor("lobby")
    assert "3 times a second in us-east-1" in caught.value.hint
    assert "L-85890340" in caught.value.hint
    assert caught.value.hint in str(caught.value)


def _pages(*pages: Mapping[str, object]) -> MemoryTransport:
    answers = iter(pages)
    return MemoryTransport(lambda _operation, _body: next(answers))


_FIRST = {
    "StreamProcessors": [{"Name": "a", "Status": "STOPPED"}, {"Name": "b", "Status": "DREAMING"}],
    "NextToken": "2",
}
_LAST = {"StreamProcessors": [{"Name": "c", "Status": "RUNNING"}]}


async def test_list_iterates_over_its_items() -> None:
    transport = _pages(_FIRST, _LAST)
    found = [item async for item in rks.Client(transport=transport).list_stream_processors(max_results=2)]
    assert [(item.name, str(item.status)) for item in found] == [("a", "STOPPED"), ("b", "DREAMING"), ("c", "RUNNING")]
    assert [body for _, body in transport.calls] == [{"MaxResults": 2}, {"MaxResults": 2, "NextToken": "2"}]


async def test_list_requests_each_page_only_when_it_is_read() -> None:
    transport = _pages(_FIRST, _LAST)
    async for page in rks.Client(transport=transport).list_stream_processors().pages():
        assert [item.name for item in page.stream_processors] == ["a", "b"]
        break
    assert len(transport.calls) == 1


async def test_list_raises_when_a_page_repeats_its_token() -> None:
    transport = MemoryTransport(lambda _operation, _body: _FIRST)
    with pytest.raises(MalformedResponseError, match="NextToken"):
        async for _ in rks.Client(transport=transport).list_stream_processors():
            pass
    assert len(transport.calls) == 2


async def test_list_raises_when_page_tokens_form_a_cycle() -> None:
    onward = {None: "a", "a": "b", "b": "c", "c": "a"}
    transport = MemoryTransport(
        lambda _operation, body: {
            "StreamProcessors": [],
            "NextToken": onward[cast("str | None", body.get("NextToken"))],
        }
    )
    with pytest.raises(MalformedResponseError, match="NextToken"):
        async for _ in rks.Client(transport=transport).list_stream_processors():
            pass
    assert len(transport.calls) == 4


@pytest.mark.parametrize("max_results", [0, -1, True, "7"])
def test_list_rejects_an_invalid_page_size(max_results: int) -> None:
    client, _ = _client()
    with pytest.raises(rks.InvalidRequestError, match="max_results"):
        client.list_stream_processors(max_results=max_results)


async def test_view_shares_the_transport_and_has_its_own_options() -> None:
    throttled = rks.ThrottlingError("", operation="S", code="ThrottlingException", http_status=400, retry_safe=True)
    client, transport = _client(throttled)
    view = client.with_options(retry=rks.RetryPolicy(max_attempts=1))
    with pytest.raises(rks.ThrottlingError):
        await view.stop_stream_processor("lobby")
    assert len(transport.calls) == 1


async def test_view_may_have_a_shorter_timeout() -> None:
    async def silence(_operation: str, _body: Mapping[str, object]) -> Mapping[str, object]:
        await asyncio.get_running_loop().create_future()
        return {}

    client = rks.Client(transport=MemoryTransport(silence)).with_options(timeout=0.01)
    with pytest.raises(rks.DeadlineExceededError, match=r"0\.01 s"):
        await client.describe_stream_processor("lobby")


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_view_rejects_an_invalid_timeout(seconds: float) -> None:
    client, _ = _client()
    with pytest.raises(rks.InvalidRequestError):
        client.with_options(timeout=seconds)


async def test_closed_view_leaves_the_client_open() -> None:
    async with rks.Client(region="us-east-1", endpoint_url="http://127.0.0.1:1") as client:
        await client.with_options().aclose()
        with pytest.raises(ConnectError):
            await client.with_options(retry=rks.RetryPolicy(max_attempts=1)).stop_stream_processor("lobby")


async def test_closed_client_raises_configuration_error() -> None:
    client = rks.Client(region="us-east-1", endpoint_url="http://127.0.0.1:1")
    await client.aclose()
    await client.aclose()
    with pytest.raises(rks.ConfigurationError, match="closed"):
        await client.stop_stream_processor("lobby")


def test_client_rejects_transport_options_with_a_transport() -> None:
    with pytest.raises(rks.InvalidRequestError, match="transport"):
        rks.Client(region="us-east-1", transport=MemoryTransport(lambda _operation, _body: {}))


def test_client_reports_every_invalid_option_at_once() -> None:
    wrong = cast("Any", {"retry": 3, "rate_limiter": 5, "limits": {}, "timeout": "2.5"})
    with pytest.raises(rks.InvalidRequestError) as caught:
        rks.Client(**wrong)
    assert {issue.path for issue in caught.value.issues} == {"retry", "rate_limiter", "limits", "timeout"}
    with pytest.raises(rks.InvalidRequestError, match="retry: must be a RetryPolicy; got 3"):
        _client()[0].with_options(**cast("Any", {"retry": 3}))


@pytest.mark.parametrize("argument", ["front-door", {"Name": "front-door"}, None, rks.StopSelector(10)])
@pytest.mark.parametrize(
    "verb", ["create_stream_processor", "start_stream_processor", "ensure_running", "ensure_created"]
)
async def test_client_rejects_values_that_are_not_requests(verb: str, argument: object) -> None:
    client, transport = _client()
    with pytest.raises(rks.InvalidRequestError, match="must be a FaceSearch"):
        await getattr(client, verb)(argument)
    assert not transport.calls


def test_client_is_immutable() -> None:
    client, _ = _client()
    with pytest.raises(AttributeError):
        client.region = "eu-west-1"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def test_repr_of_client_has_the_region_and_no_credentials() -> None:
    client = rks.Client(region="us-east-1", endpoint_url="http://127.0.0.1:1")
    assert "us-east-1" in repr(client)
    assert "an-example-and-no-secret" not in repr(client)


def test_client_opens_when_credentials_fail_for_a_moment() -> None:
    async def scene() -> int:
        async with rks.Client(transport=(transport := OpensLate(lambda _operation, _body: {}, failures=3))):
            return transport.failures

    assert run(scene()) == 0


@pytest.mark.parametrize("positional", ["us-east-1", None, 5])
def test_client_says_how_to_name_an_option_given_by_position(positional: object) -> None:
    with pytest.raises(rks.InvalidRequestError, match=r"Client\(region='us-east-1'\)"):
        rks.Client(positional)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("option", "value"),
    [("region", "us-east-1"), ("endpoint_url", "http://x"), ("profile", "p"), ("max_connections", 5)],
)
def test_client_refuses_what_belongs_to_the_transport_to_aws(option: str, value: object) -> None:
    options = cast("Any", {option: value})
    with pytest.raises(rks.InvalidRequestError) as caught:
        rks.Client(transport=MemoryTransport(lambda _operation, _body: {}), **options)
    assert [issue.path for issue in caught.value.issues] == [option]


def test_help_of_the_client_shows_no_long_values() -> None:
    text = pydoc.plain(pydoc.render_doc(rks.Client))
    assert "region: str | None = None" in text
    assert "Quota(" not in text
    assert "0x" not in text


def test_create_without_a_region_argument_is_checked_before_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Region comes from the AWS configuration, which the client reads when it opens."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    async def main() -> int:
        async with Emulator() as emulator, rks.Client(endpoint_url=emulator.url) as opened:
            first = rks.Client(endpoint_url=emulator.url)
            elsewhere = rks.FaceSearchProcessor(
                name="lobby",
                kinesis_video_stream_arn="arn:aws:kinesisvideo:us-west-2:111122223333:stream/lobby/1656000000000",
                kinesis_data_stream_arn="arn:aws:kinesis:us-west-2:111122223333:stream/lobby",
                role_arn="arn:aws:iam::111122223333:role/rekognition",
                collection_id="staff",
            )
            for client in (first, opened):
                for create in (client.create_stream_processor, client.ensure_created):
                    with pytest.raises(rks.InvalidRequestError, match="us-east-1"):
                        await create(elsewhere)
            await first.aclose()
            return len(emulator.calls)

    assert asyncio.run(main()) == 0
