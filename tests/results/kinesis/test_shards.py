"""The pure parts: positions, the cursor of a shard, and the graph of shards."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiorekostream.errors import ConfigurationError, InvalidRequestError
from aiorekostream.results import Position, PositionType, SequenceNumber, Shard
from aiorekostream.results.kinesis.cursor import ShardCursor
from aiorekostream.results.kinesis.graph import ShardGraph

OLDEST, END = Position(PositionType.TRIM_HORIZON), Position(PositionType.SHARD_END)
MOMENT = datetime.datetime(2026, 1, 1, 12, 30, 15, 250_000, tzinfo=datetime.UTC)


def _shards(*parents: tuple[int, ...]) -> list[Shard]:
    """Shards named by their place in the list."""
    return [Shard(id=str(number), parents=tuple(map(str, each))) for number, each in enumerate(parents)]


def _begun(shards: list[Shard], positions: dict[str, Position] | None = None) -> ShardGraph:
    graph = ShardGraph()
    graph.begin(shards, {shard.id: OLDEST for shard in shards} | (positions or {}))
    return graph


def _ready(graph: ShardGraph) -> list[str]:
    return [shard_id for shard_id, _ in graph.take_ready()]


# ------------------------------------------------------------------------------------------------------------ positions


@pytest.mark.parametrize(
    ("position", "text"),
    [
        (OLDEST, "TRIM_HORIZON"),
        (END, "SHARD_END"),
        (Position(PositionType.LATEST), "LATEST"),
        (Position.after("49545"), "AFTER_SEQUENCE_NUMBER 49545"),
        (Position(PositionType.AT_SEQUENCE_NUMBER, "0"), "AT_SEQUENCE_NUMBER 0"),
        (Position.at_time(MOMENT), "AT_TIMESTAMP 2026-01-01T12:30:15.250000+00:00"),
    ],
)
def test_position_is_stored_as_text(position: Position, text: str) -> None:
    assert str(position) == text
    assert Position.parse(text) == position


@pytest.mark.parametrize("text", ["", "latest", "AT_TIMESTAMP", "AT_TIMESTAMP soon", "AFTER_SEQUENCE_NUMBER 12x"])
def test_text_that_is_no_position_is_a_configuration_error(text: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Position.parse(text)


def test_sequence_number_is_the_id_of_its_record() -> None:
    number = SequenceNumber("49545115243490985018280067714973144582180062593244200961", shard_id="shardId-000000000006")
    text = "shardId-000000000006:49545115243490985018280067714973144582180062593244200961"
    assert str(number) == text
    assert SequenceNumber.parse(text) == number


@pytest.mark.parametrize("text", ["", "12", ":12", "shardId-1:", "shardId-1:x", "shardId-1:012", "shard Id:1", 9, None])
def test_text_that_is_no_record_id_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError):
        SequenceNumber.parse(text)


# --------------------------------------------------------------------------------------------------------------- cursor


@given(data=st.data(), count=st.integers(0, 30))
def test_cursor_checkpoint_is_before_the_first_unsettled_record(data: st.DataObject, count: int) -> None:
    cursor = ShardCursor("0", OLDEST)
    unsettled: list[int] = []
    read = 0
    while read < count or unsettled:
        if read < count and (not unsettled or data.draw(st.booleans())):
            read += 1
            cursor.read(str(read))
            unsettled.append(read)
        else:
            unsettled.remove(settled := data.draw(st.sampled_from(unsettled)))
            cursor.settle(str(settled))
        settled_up_to = min(unsettled, default=read + 1) - 1
        assert cursor.checkpoint == (Position.after(str(settled_up_to)) if settled_up_to else OLDEST)
        assert cursor.position == Position.after(str(read))
        assert len(cursor) == len(unsettled)
        assert not cursor.is_done
    cursor.reach_end()
    assert cursor.checkpoint == END
    assert cursor.is_done


def test_cursor_is_not_done_while_a_record_is_unsettled() -> None:
    cursor = ShardCursor("0", OLDEST)
    cursor.read("1")
    cursor.read("2")
    cursor.reach_end()
    cursor.settle("1")
    assert (cursor.is_done, cursor.checkpoint) == (False, Position.after("1"))
    cursor.settle("2")
    assert (cursor.is_done, cursor.checkpoint) == (True, END)


# ---------------------------------------------------------------------------------------------------------------- graph


def test_children_are_ready_after_all_their_parents() -> None:
    graph = _begun(_shards((), (), (0,), (0,), (1, 2)))
    assert _ready(graph) == ["0", "1"]
    assert _ready(graph) == []
    graph.finish("0")
    assert _ready(graph) == ["2", "3"]
    graph.finish("1")
    assert _ready(graph) == []
    graph.finish("2")
    assert _ready(graph) == ["4"]
    assert graph.positions() == {"0": END, "1": END, "2": END}


def test_shards_whose_parents_have_expired_are_ready() -> None:
    assert _ready(_begun(_shards((7,), (8, 9), (0, 7)))) == ["0", "1"]


def test_shards_that_are_done_at_the_beginning_are_not_read() -> None:
    graph = _begun(_shards((), (0,)), {"0": END})
    assert _ready(graph) == ["1"]
    assert not graph.lacks_children


def test_new_shards_begin_at_their_oldest_record() -> None:
    graph = _begun(_shards((), ()), {"0": Position(PositionType.LATEST), "1": Position(PositionType.LATEST)})
    graph.take_ready()
    graph.finish("0")
    assert graph.lacks_children
    graph.extend(_shards((), (), (0,), (0,)))
    assert not graph.lacks_children
    assert graph.take_ready() == [("2", OLDEST), ("3", OLDEST)]


def test_resumed_graph_goes_on_at_the_checkpoints() -> None:
    graph = ShardGraph()
    saved = {"0": END, "1": Position.after("5"), "8": END, "9": Position.after("7")}
    assert graph.resume(_shards((), (0,), (0,), (1,)), saved) == ["9"]
    assert graph.take_ready() == [("1", Position.after("5")), ("2", OLDEST)]
    assert graph.positions() == {"0": END, "3": OLDEST}


def test_expired_shards_are_forgotten_unless_they_are_read() -> None:
    graph = _begun(_shards((), (0,), ()))
    assert _ready(graph) == ["0", "2"]
    graph.finish("0")
    assert graph.forget_expired([]) == ["1"]
    assert graph.positions() == {}
    graph.finish("2")
    assert graph.positions() == {"2": END}


@given(data=st.data())
def test_every_shard_is_read_once_and_after_its_parents(data: st.DataObject) -> None:
    """Shards appear in lists while others are read, and lists may lack some of them."""
    shards = _shards(*data.draw(_parents()))
    known = shards[: data.draw(st.integers(0, len(shards)))]
    graph = _begun(known)
    reading: list[str] = []
    done: list[str] = []
    while len(done) < len(shards):
        listed = data.draw(st.lists(st.sampled_from(shards), min_size=1)) if data.draw(st.booleans()) else shards
        graph.extend(listed)
        known = [*known, *listed]
        for shard_id in _ready(graph):
            assert shard_id not in [*reading, *done]
            assert {shard.id for shard in known}.intersection(shards[int(shard_id)].parents) <= set(done)
            reading.append(shard_id)
        if reading:
            done.append(reading.pop(data.draw(st.integers(0, len(reading) - 1))))
            graph.finish(done[-1])
    assert sorted(done) == sorted(shard.id for shard in shards)


@st.composite
def _parents(draw: st.DrawFn) -> list[tuple[int, ...]]:
    """Shards that are made of at most two earlier ones."""
    count = draw(st.integers(1, 12))
    return [
        tuple(draw(st.lists(st.integers(0, number - 1), max_size=2, unique=True)) if number else ())
        for number in range(count)
    ]
