"""What hosts send together, each at its share of the rate, and without a word between them."""

from __future__ import annotations

import itertools

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiorekostream.distributed.exchange import LeaseExchange, Taken
from aiorekostream.distributed.host_share import HostShare
from aiorekostream.distributed.lease_book import Lease, LeaseBook
from aiorekostream.limits import Quota
from aiorekostream.rate_limiting.token_bucket import Grant

_BURST = 20
_LOST = LeaseExchange(want=1, horizon=0)


@attrs.frozen
class _Demand:
    """What a host is asked for during an outage, in multiples of the time in which each host may send once.

    Attributes:
        granted: how long before the outage the server granted a request; ``None`` if it never did.
        first: how long after its begin the first request comes.
        gaps: how long after each request the next one comes.
    """

    granted: float | None
    first: float
    gaps: list[float]


_DEMANDS = st.builds(
    _Demand,
    st.none() | st.floats(1, 5),
    st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0, 3),
    st.lists(st.sampled_from([0.0, 2.0]) | st.floats(0, 3), max_size=3),
)


def _book(number: int, quota: Quota, *, hosts: int) -> LeaseBook:
    return LeaseBook(quota=quota, slack=1, hosts=hosts, host=f"host-{number}")


def _acquire(book: LeaseBook, now: float) -> float:
    """Return when a request of this moment is sent; the server does not answer."""
    while not isinstance(result := book.try_acquire(now), Lease):
        if book.plan(now, waiting=1) is not None:
            book.failed(_LOST, now)
        else:
            assert result > now
            now = result
    return now


def _sent(book: LeaseBook, demand: _Demand, *, begin: float, period: float) -> list[float]:
    if demand.granted is not None:
        at = begin - demand.granted * period
        assert book.plan(at, waiting=1) is not None
        taken = Taken(first_number=1, waits=[0.0], retry_after=0, rate=book.quota.rate, hosts=book.hosts, now=1)
        book.answered(_LOST, taken, at)
        assert isinstance(book.try_acquire(at), Lease)
    sent = [_acquire(book, begin + demand.first * period)]
    for gap in demand.gaps:
        sent.append(_acquire(book, sent[-1] + gap * period))
    return sent


def _excess(moments: list[float], rate: float) -> float:
    """The most by which the requests of any window exceed those of the rate."""
    level, before, most = 0.0, 0.0, 0.0
    for moment in sorted(moments):
        level = max(0.0, level - (moment - before) * rate) + 1
        before, most = moment, max(most, level)
    return most


@settings(deadline=None, max_examples=60)
@given(
    demands=st.lists(_DEMANDS, min_size=2, max_size=8),
    hosts=st.integers(2, 100),
    rate=st.floats(0.5, 500),
    begin=st.floats(100, 1e6),
)
def test_hosts_alone_never_exceed_the_burst(demands: list[_Demand], hosts: int, rate: float, begin: float) -> None:
    period = hosts / rate
    moments: list[float] = []
    for number, demand in zip(range(hosts), itertools.cycle(demands), strict=False):
        book = _book(number, Quota(rate, _BURST), hosts=hosts)
        moments += _sent(book, demand, begin=begin + 5 * period, period=period)
    assert _excess(moments, rate) <= _BURST


def test_host_that_begins_alone_waits_for_its_turn() -> None:
    """The turns of all hosts lie within the time in which each of them may send once."""
    turns = [_acquire(_book(number, Quota(20, _BURST), hosts=100), 1000.0) - 1000 for number in range(100)]
    assert 0 <= min(turns) < 0.5
    assert 4.5 < max(turns) < 5
    assert len({round(turn, 3) for turn in turns}) > 90


def test_host_that_sent_of_late_counts_from_that_request() -> None:
    book = _book(0, Quota(20, _BURST), hosts=100)
    assert _sent(book, _Demand(0.5, 0.25, [0.0]), begin=1000.0, period=5.0) == pytest.approx([1002.5, 1007.5])


def test_request_whose_timer_is_late_goes_at_once() -> None:
    """A turn that is missed by more waits for the next one."""
    share = HostShare(0.2, 1.0, slack=1, phase=0.5)
    assert share.try_acquire(1001.0) == pytest.approx(1002.5)
    assert share.try_acquire(1002.65) == pytest.approx(1007.5)
    assert isinstance(share.try_acquire(1007.52), Grant)


def test_delay_includes_the_wait_for_the_turn() -> None:
    assert HostShare(0.2, 1.0, slack=1, phase=0.5).delay(1001.0, queue_length=2) == pytest.approx(1.5 + 10)


def test_cancelled_turn_is_used_by_the_next_request() -> None:
    share = HostShare(0.2, 1.0, slack=1, phase=0.5)
    grant = share.try_acquire(1002.5)
    assert isinstance(grant, Grant)
    share.cancel(grant)
    assert isinstance(share.try_acquire(1002.51), Grant)
