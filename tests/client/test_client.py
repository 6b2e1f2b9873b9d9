"""The client over a transport in memory: what it sends, and what it makes of the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import pytest

import aiorekostream as rks
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


def _client(answer: Mapping[str, object] | Exception | None = None) -> tuple[rks.Client, rks.MemoryTransport]:
    transport = rks.MemoryTransport(lambda _operation, _body: {} if answer is None else answer)
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
        rks.CreatedStreamProcessor(_ARN),
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
        lambda client: client.untag_resource(rks.StreamProcessorArn.parse(_ARN), ["site"]),
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
        rks.Tags({"aws:cloudformation:stack-name": "doors"}),
    ),
]


@pytest.mark.parametrize(("call", "operation", "sent", "answer", "result"), _VERBS, ids=range(len(_VERBS)))
async def test_each_verb_sends_its_operation_and_returns_its_value(
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
async def test_bad_arguments_are_refused_before_anything_is_sent(call: _Call, path: str) -> None:
    client, transport = _client()
    with pytest.raises(rks.InvalidRequestError) as caught:
        await call(client)
    assert [issue.path for issue in caught.value.issues] == [path]
    assert transport.calls == []


async def test_a_video_stream_of_another_region_is_refused_before_anything_is_sent() -> None:
    transport = rks.MemoryTransport(lambda _operation, _body: {}, region="eu-west-1")
    with pytest.raises(rks.InvalidRequestError, match=r"a stream in the client's Region, eu-west-1"):
        await rks.Client(transport=transport).create_stream_processor(_FACE_SEARCH)
    assert transport.calls == []


async def test_an_error_says_what_to_do_in_numbers_of_the_client_s_own_limits() -> None:
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


def _pages(*pages: Mapping[str, object]) -> rks.MemoryTransport:
    answers = iter(pages)
    return rks.MemoryTransport(lambda _operation, _body: next(answers))


_FIRST = {
    "StreamProcessors": [{"Name": "a", "Status": "STOPPED"}, {"Name": "b", "Status": "DREAMING"}],
    "NextToken": "2",
}
_LAST = {"StreamProcessors": [{"Name": "c", "Status": "RUNNING"}]}


async def test_a_list_is_its_items() -> None:
    transport = _pages(_FIRST, _LAST)
    found = [item async for item in rks.Client(transport=transport).list_stream_processors(max_results=2)]
    assert [(item.name, str(item.status)) for item in found] == [("a", "STOPPED"), ("b", "DREAMING"), ("c", "RUNNING")]
    assert [body for _, body in transport.calls] == [{"MaxResults": 2}, {"MaxResults": 2, "NextToken": "2"}]


async def test_a_list_is_its_pages_and_asks_for_one_only_when_it_is_wanted() -> None:
    transport = _pages(_FIRST, _LAST)
    async for page in rks.Client(transport=transport).list_stream_processors().pages():
        assert [item.name for item in page.stream_processors] == ["a", "b"]
        break
    assert len(transport.calls) == 1


async def test_pages_that_lead_back_to_themselves_end_in_an_error() -> None:
    transport = rks.MemoryTransport(lambda _operation, _body: _FIRST)
    with pytest.raises(rks.MalformedResponseError, match="NextToken"):
        async for _ in rks.Client(transport=transport).list_stream_processors():
            pass
    assert len(transport.calls) == 2


async def test_pages_that_lead_round_in_a_circle_end_in_an_error() -> None:
    onward = {None: "a", "a": "b", "b": "c", "c": "a"}
    transport = rks.MemoryTransport(
        lambda _operation, body: {"NextToken": onward[cast("str | None", body.get("NextToken"))]}
    )
    with pytest.raises(rks.MalformedResponseError, match="NextToken"):
        async for _ in rks.Client(transport=transport).list_stream_processors():
            pass
    assert len(transport.calls) == 4


@pytest.mark.parametrize("max_results", [0, -1, True, "7"])
def test_a_page_size_that_makes_no_sense_is_refused_at_once(max_results: int) -> None:
    client, _ = _client()
    with pytest.raises(rks.InvalidRequestError, match="max_results"):
        client.list_stream_processors(max_results=max_results)


async def test_a_view_has_options_of_its_own_on_the_same_connections() -> None:
    throttled = rks.ThrottlingError("", operation="S", code="ThrottlingException", http_status=400, retry_safe=True)
    client, transport = _client(throttled)
    view = client.with_options(retry=rks.RetryPolicy(max_attempts=1))
    with pytest.raises(rks.ThrottlingError):
        await view.stop_stream_processor("lobby")
    assert len(transport.calls) == 1


async def test_a_view_may_have_less_time() -> None:
    async def silence(_operation: str, _body: Mapping[str, object]) -> Mapping[str, object]:
        await asyncio.get_running_loop().create_future()
        return {}

    client = rks.Client(transport=rks.MemoryTransport(silence)).with_options(total_timeout=0.01)
    with pytest.raises(rks.DeadlineExceededError, match=r"0\.01 s"):
        await client.describe_stream_processor("lobby")


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_a_view_without_any_time_is_refused(seconds: float) -> None:
    client, _ = _client()
    with pytest.raises(rks.InvalidRequestError):
        client.with_options(total_timeout=seconds)


async def test_closing_a_view_leaves_the_connections_open() -> None:
    async with rks.Client(region="us-east-1", endpoint_url="http://127.0.0.1:1") as client:
        await client.with_options().aclose()
        with pytest.raises(rks.ConnectError):
            await client.with_options(retry=rks.RetryPolicy(max_attempts=1)).stop_stream_processor("lobby")


async def test_a_closed_client_says_so_instead_of_sending() -> None:
    client = rks.Client(region="us-east-1", endpoint_url="http://127.0.0.1:1")
    await client.aclose()
    await client.aclose()
    with pytest.raises(rks.ConfigurationError, match="closed"):
        await client.stop_stream_processor("lobby")


def test_a_transport_of_your_own_takes_no_address() -> None:
    with pytest.raises(rks.InvalidRequestError, match="transport"):
        rks.Client(region="us-east-1", transport=rks.MemoryTransport(lambda _operation, _body: {}))


def test_options_that_are_something_else_are_refused_at_once_and_all_together() -> None:
    wrong = cast("Any", {"retry": 3, "pacing": 5, "limits": {}, "timeout": 2.5})
    with pytest.raises(rks.InvalidRequestError) as caught:
        rks.Client(**wrong)
    assert {issue.path for issue in caught.value.issues} == {"retry", "pacing", "limits", "timeout"}
    with pytest.raises(rks.InvalidRequestError, match="retry: must be a RetryPolicy; got 3"):
        _client()[0].with_options(**cast("Any", {"retry": 3}))


@pytest.mark.parametrize("argument", ["front-door", {"Name": "front-door"}, None, rks.StopSelector(10)])
@pytest.mark.parametrize(
    "verb", ["create_stream_processor", "start_stream_processor", "ensure_running", "ensure_created"]
)
async def test_what_is_no_request_is_refused_before_anything_is_sent(verb: str, argument: object) -> None:
    client, transport = _client()
    with pytest.raises(rks.InvalidRequestError, match="must be a FaceSearch"):
        await getattr(client, verb)(argument)
    assert not transport.calls


def test_a_client_never_changes() -> None:
    client, _ = _client()
    with pytest.raises(AttributeError):
        client.region = "eu-west-1"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def test_a_client_shows_where_it_sends_and_no_credentials() -> None:
    client = rks.Client(region="us-east-1", endpoint_url="http://127.0.0.1:1")
    assert "us-east-1" in repr(client)
    assert "an-example-and-no-secret" not in repr(client)


def test_a_client_whose_credentials_cannot_be_fetched_for_a_moment_opens_all_the_same() -> None:
    async def scene() -> int:
        async with rks.Client(transport=(transport := OpensLate(lambda _operation, _body: {}, failures=3))):
            return transport.failures

    assert run(scene()) == 0
