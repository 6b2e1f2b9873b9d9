"""The records of a video in the order of its frames."""

from __future__ import annotations

import asyncio
import datetime
import math
from collections import defaultdict
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiorekostream.errors import InvalidRequestError
from aiorekostream.results import MalformedEventError
from aiorekostream.results.kinesis.order import VideoOrder
from tests.results.kinesis.consumers import CountedCheckpoints, consumer_of, next_of
from tests.results.kinesis.memory_stream import VIDEO, MemoryStream, face_record
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiorekostream.results import Delivery, FaceSearchRecord

OTHER = VIDEO.replace("porch", "garden")


async def _take(deliveries: AsyncIterator[Delivery[FaceSearchRecord]], count: int) -> list[tuple[int, bool]]:
    """Handle deliveries, and return their fragments and whether they are late."""
    taken: list[tuple[int, bool]] = []
    async with asyncio.timeout(10_000):
        async for delivery in deliveries:
            async with delivery:
                taken.append((int(delivery.event.position.fragment_number), delivery.is_late))
            if len(taken) == count:
                break
    return taken


def test_records_of_all_shards_come_in_the_order_of_frames() -> None:
    async def scenario() -> None:
        stream = MemoryStream(4)
        for number, shard in enumerate(stream.open_shards()):
            stream.put(shard, *(face_record(fragment) for fragment in range(number, 100, 4)))
        async with consumer_of(stream) as consumer:
            taken = await _take(consumer.in_order(window=5), 100)
            assert taken == [(fragment, False) for fragment in range(100)]
            assert asyncio.get_running_loop().time() <= 7
            assert consumer.report.acknowledged == 100

    run(scenario())


def test_frames_of_one_fragment_are_sorted_by_their_offset() -> None:
    async def scenario() -> None:
        stream = MemoryStream(1)
        offsets = [2.5, 0.0, 1.25]
        stream.put(stream.only, *(face_record(1, offset=offset) for offset in offsets))
        async with consumer_of(stream) as consumer, aclosing(consumer.in_order()) as deliveries:
            found = [(await anext(deliveries)).event.position.frame_offset.total_seconds() for _ in offsets]
        assert found == sorted(offsets)

    run(scenario())


def test_record_that_arrives_after_its_window_is_late() -> None:
    async def scenario() -> None:
        stream = MemoryStream(1)
        [shard] = stream.open_shards()
        stream.put(shard, face_record(7))
        async with consumer_of(stream) as consumer:
            deliveries = consumer.in_order(window=datetime.timedelta(seconds=5))
            await (await anext(deliveries)).ack()
            stream.put(shard, face_record(3), face_record(2, video=OTHER), face_record(7), face_record(8))
            began = asyncio.get_running_loop().time()
            first = await anext(deliveries)
            assert (int(first.event.position.fragment_number), first.is_late) == (3, True)
            assert asyncio.get_running_loop().time() - began <= 2
            rest = [await anext(deliveries) for _ in range(3)]
            found = [(int(delivery.event.position.fragment_number), delivery.is_late) for delivery in rest]
            assert found == [(2, False), (7, False), (8, False)]
            await deliveries.aclose()

    run(scenario())


def test_malformed_record_is_not_held() -> None:
    async def scenario() -> None:
        stream = MemoryStream(1)
        stream.put(stream.only, face_record(2), b"junk", face_record(1))
        async with consumer_of(stream) as consumer, aclosing(consumer.in_order()) as deliveries:
            malformed = await anext(deliveries)
            assert asyncio.get_running_loop().time() <= 1
            with pytest.raises(MalformedEventError):
                _ = malformed.event
            assert [int((await anext(deliveries)).event.position.fragment_number) for _ in range(2)] == [1, 2]

    run(scenario())


def test_small_inbox_does_not_wait_for_the_window() -> None:
    async def scenario() -> None:
        stream = MemoryStream(1)
        stream.put(stream.only, *map(face_record, range(100)))
        async with consumer_of(stream, max_in_flight=10) as consumer:
            assert len(await _take(consumer.in_order(window=3_600), 90)) == 90
            assert asyncio.get_running_loop().time() <= 60

    run(scenario())


def test_stop_delivers_what_is_held_in_order() -> None:
    async def scenario() -> None:
        stream = MemoryStream(1)
        stream.put(stream.only, face_record(3), face_record(1), face_record(2))
        async with consumer_of(stream) as consumer:
            taking = asyncio.create_task(_take(consumer.in_order(window=100), 10))
            await asyncio.sleep(5)
            await consumer.stop()
            assert await taking == [(1, False), (2, False), (3, False)]
        assert consumer.report.unacknowledged == ()

    run(scenario())


def test_closed_iteration_gives_back_what_it_holds() -> None:
    async def scenario() -> None:
        stream = MemoryStream(1)
        stream.put(stream.only, face_record(3), face_record(1), face_record(2))
        async with consumer_of(stream) as consumer:
            async with aclosing(consumer.in_order()) as deliveries:
                await (await anext(deliveries)).ack()
            assert sorted(await _take(consumer, 2)) == [(2, False), (3, False)]

    run(scenario())


def test_timeout_of_the_store_ends_the_iteration() -> None:
    """It is told apart from the end of a window."""

    async def scenario() -> None:
        stream, checkpoints = MemoryStream(1), CountedCheckpoints()
        stream.put(stream.only, face_record(1), face_record(2))
        async with consumer_of(stream, checkpoints=checkpoints) as consumer:
            deliveries = consumer.in_order(window=100)
            await (await next_of(consumer)).ack()
            checkpoints.error = TimeoutError("the store is slow")
            with pytest.raises(TimeoutError, match="the store is slow"):
                await anext(deliveries)
            await deliveries.aclose()

    run(scenario())


@pytest.mark.parametrize("window", [-1, 3_601, math.nan])
def test_window_out_of_range_is_refused(window: float) -> None:
    consumer = consumer_of(MemoryStream(1))
    with pytest.raises(InvalidRequestError, match="from 0 to 3600"):
        consumer.in_order(window=window)


_Arrival = tuple[float, str, int]
_ARRIVALS = st.lists(st.tuples(st.floats(0, 3), st.sampled_from("ab"), st.integers(0, 20)), max_size=60)


@given(arrivals=_ARRIVALS, window=st.floats(0, 10), most=st.integers(0, 20))
def test_order_releases_each_item_once_in_order_and_in_time(arrivals: list[_Arrival], window: float, most: int) -> None:
    order: VideoOrder[int] = VideoOrder(window=window, most=most)
    keys = {number: (video, (key, datetime.timedelta())) for number, (_, video, key) in enumerate(arrivals)}
    arrived: dict[int, float] = {}
    released: defaultdict[str, list[int]] = defaultdict(list)
    late: list[int] = []
    now = 0.0
    for number, (pause, video, key) in enumerate(arrivals):
        now += pause
        while (item := order.pop(now)) is not None:
            released[keys[item][0]].append(item)
        if order.add(now, video, (key, datetime.timedelta()), number):
            arrived[number] = now
        else:
            late.append(number)
            assert key < arrivals[released[video][-1]][2]
        while (item := order.pop(now)) is not None:
            released[keys[item][0]].append(item)
        held = set(arrived) - {each for items in released.values() for each in items}
        assert len(held) <= most
        assert all(now < arrived[each] + window for each in held)
        assert order.next_moment >= now or not held
    while (item := order.pop(math.inf)) is not None:
        released[keys[item][0]].append(item)
    for items in released.values():
        assert [keys[item][1] for item in items] == sorted(keys[item][1] for item in items)
    assert sorted([*late, *(item for items in released.values() for item in items)]) == list(range(len(arrivals)))
    assert order.next_moment == math.inf


def test_order_forgets_the_video_that_is_idle_for_the_longest_time() -> None:
    """A video that is forgotten has no late items, and one that holds an item is never forgotten."""
    order: VideoOrder[str] = VideoOrder(window=1, most=100, most_videos=2)

    def add(now: float, video: str, frame: int) -> bool:
        return order.add(now, video, (frame, datetime.timedelta()), f"{video}{frame}")

    assert add(0, "a", 5)
    assert add(0, "b", 5)
    assert [order.pop(2), order.pop(2), order.pop(2)] == ["a5", "b5", None]
    assert not add(3, "a", 4)
    assert add(3, "c", 5)  # forgets b
    assert not add(3, "a", 4)
    assert add(3, "b", 4)
    assert [order.pop(5) for _ in range(3)] == ["c5", "b4", None]
    held = [f"{video}1" for video in "defg"]
    assert all(add(6, video, 1) for video in "defg")
    assert [order.pop(8) for _ in range(5)] == [*held, None]
