"""Calls of Kinesis Data Streams with answers that moto does not give."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from aiorekostream.errors import (
    LimitExceededError,
    MalformedResponseError,
    ProvisionedThroughputExceededError,
    RekostreamError,
)
from aiorekostream.results import Shard
from aiorekostream.results.kinesis.port import is_expired, may_list_later
from tests.results.kinesis.consumers import stream_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from aiorekostream.results.kinesis.service import KinesisStream

ARN = "arn:aws-cn:kinesis:cn-north-1:123456789012:stream/faces"


@contextlib.asynccontextmanager
async def _answering(
    *answers: dict[str, Any], stream: str = "faces", status: int = 200, code: str = ""
) -> AsyncGenerator[tuple[KinesisStream, list[dict[str, Any]]]]:
    """A stream whose service gives answers one after the other, and the requests that it received."""
    requests: list[dict[str, Any]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r")[0])
        requests.append(json.loads(await reader.readexactly(length)))
        content = json.dumps(answers[len(requests) - 1] | ({"__type": code} if code else {})).encode()
        writer.write(
            b"HTTP/1.1 %d .\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (status, len(content), content)
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        opened = stream_of(stream, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        try:
            yield opened, requests
        finally:
            await opened.aclose()


async def test_list_of_shards_has_all_pages() -> None:
    """The token is refused beside the name of the stream."""
    pages: list[dict[str, Any]] = [{"Shards": [{"ShardId": "a"}], "NextToken": "more"}, {"Shards": [{"ShardId": "b"}]}]
    async with _answering(*pages) as (stream, requests):
        assert [shard.id for shard in await stream.shards()] == ["a", "b"]
    assert requests == [{"StreamName": "faces"}, {"NextToken": "more"}]


@pytest.mark.parametrize("stream", ["faces", ARN])
async def test_end_of_a_shard_names_its_children(stream: str) -> None:
    answer: dict[str, Any] = {
        "Records": [],
        "NextShardIterator": None,
        "MillisBehindLatest": 1_500,
        "ChildShards": [{"ShardId": "c", "ParentShards": ["a", "b"], "HashKeyRange": {}}],
    }
    async with _answering(answer, stream=stream) as (opened, requests):
        batch = await opened.read("iterator", count=7)
    assert (batch.next_iterator, batch.behind) == (None, 1.5)
    assert list(batch.children) == [Shard(id="c", parents=("a", "b"))]
    assert requests == [{"ShardIterator": "iterator", "Limit": 7} | ({"StreamARN": ARN} if stream == ARN else {})]


@pytest.mark.parametrize(
    ("operation", "answer", "path"),
    [
        ("shards", "{}", "Shards"),
        ("shards", '{"Shards": [{}]}', "Shards[0].ShardId"),
        ("read", "{}", "Records"),
        ("read", '{"Records": [{"SequenceNumber": "1"}]}', "Records[0].Data"),
        ("read", '{"Records": [{"Data": "e30="}]}', "Records[0].SequenceNumber"),
        ("read", '{"Records": [], "ChildShards": [{}]}', "ChildShards[0].ShardId"),
    ],
)
async def test_answer_that_is_none_of_kinesis_is_malformed(operation: str, answer: str, path: str) -> None:
    async with _answering(json.loads(answer)) as (stream, _):
        with pytest.raises(MalformedResponseError) as caught:
            await (stream.shards() if operation == "shards" else stream.read("iterator", count=1))
    assert [issue.path for issue in caught.value.issues] == [path]
    assert caught.value.retry_safe


@pytest.mark.parametrize(
    ("code", "kind", "expired", "later"),
    [
        ("ExpiredIteratorException", RekostreamError, True, False),
        ("ProvisionedThroughputExceededException", ProvisionedThroughputExceededError, False, True),
        ("KMSThrottlingException", RekostreamError, False, True),
        ("LimitExceededException", LimitExceededError, False, True),
        ("InvalidArgumentException", RekostreamError, False, False),
    ],
)
async def test_errors_of_kinesis_are_told_apart(
    code: str, kind: type[RekostreamError], *, expired: bool, later: bool
) -> None:
    async with _answering({}, status=400, code=code) as (stream, _):
        with pytest.raises(kind, match=code) as caught:
            await stream.read("iterator", count=1)
    assert isinstance(caught.value, RekostreamError)
    assert (is_expired(caught.value), may_list_later(caught.value)) == (expired, later)
