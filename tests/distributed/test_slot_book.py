"""What a host and the script of shared slots tell each other when the server was emptied, or has hung."""

from __future__ import annotations

import fakeredis
import pytest

from aiorekostream.distributed.exchange import TooLate
from aiorekostream.distributed.slot_book import SlotBook
from aiorekostream.distributed.slot_exchange import SlotExchange, SlotReply, read_slot_reply
from aiorekostream.distributed.slot_leases import SLOTS_SCRIPT, SlotKeys
from aiorekostream.domain.enums import ProcessorKind
from tests.distributed.virtual_redis import EPOCH, script_at

KEYS = SlotKeys("rks:{slots}")


def exchanged(server: fakeredis.FakeRedis, exchange: SlotExchange, now: float) -> object:
    """The reply of the script, which a server runs at a moment."""
    arguments = exchange.arguments("host", 4, KEYS.channel)
    return read_slot_reply(server.eval(script_at(SLOTS_SCRIPT.source, EPOCH + now), 3, *KEYS.keys, *arguments))


def told(book: SlotBook, server: fakeredis.FakeRedis, now: float) -> list[tuple[str, str]]:
    """Let a host tell the server its news, and return the verbs and the processors."""
    exchange = book.next_exchange(now)
    assert exchange is not None
    reply = exchanged(server, exchange, now)
    assert isinstance(reply, SlotReply)
    book.answered(exchange, reply, now)
    return [(command.verb, command.name) for command in exchange.commands]


def test_book_reports_its_sessions_again_to_an_emptied_server() -> None:
    """The connection was not lost: only the reply shows that the server has nothing."""
    server = fakeredis.FakeRedis()
    book = SlotBook(kind=ProcessorKind.LABEL_DETECTION, limit=4, host="host", patience=1.0)
    book.occupy("camera-0", until=100.0, begins_at=0.0, session="s", is_external=False)
    assert told(book, server, 0.0) == [("keep", "camera-0")]
    server.flushall()
    book.request(1)
    assert told(book, server, 1.0) == []
    assert told(book, server, 1.0) == [("keep", "camera-0")]
    assert [name for name, _ in server.zrange(KEYS.keys[0], 0, -1, withscores=True)] == [b"camera-0"]


@pytest.mark.parametrize(("late", "is_done"), [(0.9, True), (1.1, False)])
def test_script_does_nothing_that_a_hung_server_runs_late(late: float, *, is_done: bool) -> None:
    server = fakeredis.FakeRedis()
    book = SlotBook(kind=ProcessorKind.LABEL_DETECTION, limit=4, host="host", patience=1.0)
    book.request(1)
    told(book, server, 0.0)
    book.occupy("camera-0", until=100.0, begins_at=0.0, session="s", is_external=False)
    exchange = book.next_exchange(10.0)
    assert exchange is not None
    assert isinstance(exchanged(server, exchange, 10.0 + late), SlotReply if is_done else TooLate)
    ends = dict(server.zrange(KEYS.keys[0], 0, -1, withscores=True))
    assert ends == ({b"camera-0": pytest.approx(EPOCH + 100.0 + late)} if is_done else {})
