"""Read the emulator's data streams with ``KinesisConsumer``, over HTTP."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING

from aiorekostream.domain.enums import Label
from aiorekostream.emulator import Appearance, Emulator, Footage, KnownFace, ManualClock, Timings, VisibleFace
from aiorekostream.results import KinesisConsumer
from tests.emulator.aws_services import KEY, AsyncClient, service
from tests.emulator.samples import faces
from tests.payloads import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


def use_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")


async def test_records_of_a_face_search_are_consumed(monkeypatch: pytest.MonkeyPatch) -> None:
    use_key(monkeypatch)
    footage = Footage([Appearance(Label.PERSON, at=2, face=VisibleFace([KnownFace("a", external_image_id="guest")]))])
    timings = Timings(starting=0, detecting=0)
    async with Emulator(clock=ManualClock(), footage=footage, timings=timings) as emulator:
        emulator.create_stream_processor(faces("lobby"), region="us-east-1", access_key=KEY)
        rekognition = service("rekognition", emulator.url)
        await rekognition("start_stream_processor", Name="lobby")
        emulator.advance(4)
        found: list[list[str | None]] = []
        async with KinesisConsumer("lobby", region="us-east-1", endpoint_url=emulator.url, start="oldest") as consumer:
            while len(found) < 5:
                async with await anext(consumer) as delivery:
                    matches = [match for face in delivery.event.faces for match in face.matched_faces]
                    found.append([match.face.external_image_id for match in matches])
        assert found == [[], [], ["guest"], ["guest"], ["guest"]]
        rekognition.client.close()


async def put(kinesis: AsyncClient, numbers: Iterator[int], records: int) -> None:
    """Write records, each with a name of its own for the video stream."""
    entries = [
        {"Data": text("face-record-one-match").replace("porch", f"porch-{number}"), "PartitionKey": str(number)}
        for number in (next(numbers) for _ in range(records))
    ]
    await kinesis("put_records", StreamName="s", Records=entries)


async def test_resharded_stream_is_consumed_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream is split and merged while it is read."""
    use_key(monkeypatch)
    numbers, found = count(), Counter[str]()
    async with Emulator() as emulator:
        kinesis = service("kinesis", emulator.url)
        await kinesis("create_stream", StreamName="s", ShardCount=4)

        async def consume() -> None:
            async with KinesisConsumer("s", region="us-east-1", endpoint_url=emulator.url, start="oldest") as consumer:
                while len(found) < 100:
                    async with await anext(consumer) as delivery:
                        found[delivery.event.kinesis_video_stream_arn] += 1

        await put(kinesis, numbers, 20)
        consuming = asyncio.create_task(consume())
        for step in range(4):
            await put(kinesis, numbers, 20)
            shards = (await kinesis("list_shards", StreamName="s", ShardFilter={"Type": "AT_LATEST"}))["Shards"]
            first, second = sorted(shards, key=lambda each: int(each["HashKeyRange"]["StartingHashKey"]))[:2]
            if step % 2:
                pair = {"ShardToMerge": first["ShardId"], "AdjacentShardToMerge": second["ShardId"]}
                await kinesis("merge_shards", StreamName="s", **pair)
            else:
                middle = str(int(first["HashKeyRange"]["EndingHashKey"]) // 2)
                split = {"ShardToSplit": first["ShardId"], "NewStartingHashKey": middle}
                await kinesis("split_shard", StreamName="s", **split)
        await consuming
        kinesis.client.close()
    assert set(found.values()) == {1}
    assert len(found) == 100
