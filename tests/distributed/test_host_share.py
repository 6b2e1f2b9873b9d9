"""What hosts send together, each at its share of the rate, while they cannot communicate."""

from __future__ import annotations

import itertools

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiorekostream.distributed.exchange import LeaseExchange, Taken
from aiorekostream.distributed.host_share import HostShare, Membership, latest_membership
from aiorekostream.distributed.lease_book import Lease, LeaseBook
from aiorekostream.limits import Quota
from aiorekostream.rate_limiting.token_bucket import DUE_WITHIN, Grant
from tests.effort import examples

_LOST = LeaseExchange(want=1, horizon=0)
# Seconds by which the server's clock is ahead.
_AHEAD = 1_700_000_000.0


@attrs.frozen
class _Demand:
    """When requests come during an outage, in multiples of the time in which each host may send once.

    Attributes:
        first: how long after its begin the first one comes.
        gaps: how long after each request the next one comes.
    """

    first: float
    gaps: list[float]


_DEMANDS = st.builds(
    _Demand,
    st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0, 3),
    st.lists(st.sampled_from([0.0, 2.0]) | st.floats(0, 3), max_size=4),
)


def _books(hosts: int, quota: Quota, begin: float, *, skew: float = 0.0) -> list[LeaseBook]:
    """Return the books of hosts that the server told their places; each clock is ahead of the one before by a skew."""
    books = [LeaseBook(quota=quota, slack=1, hosts=hosts) for _ in range(hosts)]
    for rank, book in enumerate(books):
        now = begin + rank * skew
        assert book.plan(now, waiting=1) is not None
        taken = Taken(
            first_number=1, waits=[], retry_after=0, rate=quota.rate, hosts=hosts, rank=rank, now=begin + _AHEAD
        )
        book.answered(_LOST, taken, now)
    return books


def _acquire(book: LeaseBook, now: float) -> float:
    """Return when a request of this moment is sent; the server does not answer."""
    while not isinstance(result := book.try_acquire(now), Lease):
        if book.plan(now, waiting=1) is not None:
            book.failed(_LOST, now)
        else:
            assert result > now
            now = result
    return now


def _excess(moments: list[float], rate: float) -> float:
    """The most by which the requests of any window exceed those of the rate."""
    level, before, most = 0.0, 0.0, 0.0
    for moment in sorted(moments):
        level = max(0.0, level - (moment - before) * rate) + 1
        before, most = moment, max(most, level)
    return most


@examples(60)
@given(
    demands=st.lists(_DEMANDS, min_size=1, max_size=8),
    hosts=st.integers(4, 100),
    rate=st.floats(0.5, 50),
    skew=st.floats(0, 10),
)
def test_hosts_alone_never_send_together(demands: list[_Demand], hosts: int, rate: float, skew: float) -> None:
    """Whenever requests come, all hosts together send them at the rate, without any burst."""
    period, moments = hosts / rate, list[float]()
    books = _books(hosts, Quota(rate, 20), 0.0, skew=skew)
    for rank, (book, demand) in enumerate(zip(books, itertools.cycle(demands), strict=False)):
        ahead = rank * skew
        now = _acquire(book, ahead + (1 + demand.first) * period)
        moments.append(now - ahead)
        for gap in demand.gaps:
            now = _acquire(book, now + gap * period)
            moments.append(now - ahead)
    assert _excess(moments, rate) <= 1 + 2 * rate * DUE_WITHIN + 0.01


def test_hosts_alone_use_the_whole_rate() -> None:
    moments: list[float] = []
    for book in _books(10, Quota(20, 20), 100.0):
        now = 100.0
        while now < 110:
            moments.append(now := _acquire(book, now))
    assert sum(moment < 110 for moment in moments) == pytest.approx(200, abs=10)


def test_few_hosts_have_a_call_ready() -> None:
    """The service's bucket has room for one call of each."""
    assert [_acquire(book, 100.0) for book in _books(3, Quota(20, 20), 99.0)] == [100.0] * 3


def test_permits_that_are_left_count_against_the_share() -> None:
    [book, *_] = _books(10, Quota(20, 20), 100.0)
    exchange = LeaseExchange(want=1, horizon=1)
    book.answered(exchange, Taken(first_number=2, waits=[0.4], retry_after=0, rate=20, hosts=10, now=_AHEAD), 100.0)
    book.failed(_LOST, 100.1)
    assert _acquire(book, 100.1) == pytest.approx(100.4)
    assert _acquire(book, 100.4) >= 100.4 + 0.25


def test_host_without_any_reply_has_turns_that_follow_from_its_name() -> None:
    turns = [_acquire(_beginner(f"host-{number}"), 1000.0) - 1000 for number in range(100)]
    assert 0 <= min(turns) < 0.5
    assert 4.5 < max(turns) < 5
    assert len({round(turn, 3) for turn in turns}) > 90


def _beginner(name: str) -> LeaseBook:
    return LeaseBook(quota=Quota(20, 20), slack=1, hosts=100, memberships={"": Membership.guessed(name, 100)})


def _share() -> HostShare:
    """Return a share whose turns are at 2.5 s, 7.5 s, and so on."""
    return HostShare(0.2, 1.0, slack=1, membership=Membership(100, 0.5), room=3)


def test_request_that_waited_and_is_late_goes_at_once() -> None:
    share = _share()
    assert share.try_acquire(1001.0) == pytest.approx(1002.5)
    assert isinstance(share.try_acquire(1002.59), Grant)
    assert share.try_acquire(1002.59) == pytest.approx(1007.5)
    assert share.try_acquire(1007.7) == pytest.approx(1012.5)


def test_request_that_comes_after_the_turn_waits_for_the_next() -> None:
    assert _share().try_acquire(1002.51) == pytest.approx(1007.5)


def test_delay_includes_the_wait_for_the_turn() -> None:
    assert _share().delay(1001.0, queue_length=2) == pytest.approx(1.5 + 10)


def test_cancelled_turn_is_used_by_the_next_request() -> None:
    share = _share()
    grant = share.try_acquire(1002.5)
    assert isinstance(grant, Grant)
    share.cancel(grant)
    assert isinstance(share.try_acquire(1002.51), Grant)


def test_latest_membership_is_that_in_the_largest_recent_group() -> None:
    """Not every host uses every quota, and the number of hosts changes."""
    guess, old, few, many = (
        Membership(2),
        Membership(200, heard_at=80.0),
        Membership(3, heard_at=100.0),
        Membership(40, heard_at=95.0),
    )
    assert latest_membership([guess, old, few, many]) == many
    assert latest_membership([guess, few]) == few
    assert latest_membership([guess]) == guess


def test_quota_that_few_hosts_used_is_shared_among_all() -> None:
    [book, *_] = _books(2, Quota(20, 20), 100.0)
    book.memberships["StartStreamProcessor"] = Membership(50, 0.5, 0.0, heard_at=99.0)
    book.failed(_LOST, 100.5)
    assert book.rate_at(100.5) == pytest.approx(0.4)


def test_reply_to_a_report_does_not_change_the_share() -> None:
    """The script counts only hosts that asked for permits of late, so this one may be missing from the number."""
    [book, *_] = _books(10, Quota(20, 20), 100.0)
    others = Taken(first_number=1, waits=[], retry_after=0, rate=20, hosts=9, rank=9, now=_AHEAD + 15)
    book.answered(LeaseExchange(want=0, horizon=0), others, 115.0)
    book.failed(_LOST, 116.0)
    assert book.rate_at(116.0) == pytest.approx(2)
