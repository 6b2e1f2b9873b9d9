"""When a host asks for permits, for how many, and which it may use."""

from __future__ import annotations

import itertools

import attrs
import pytest

from aiorekostream.distributed.exchange import LeaseExchange, Report, Taken
from aiorekostream.distributed.lease_book import LEASE_SECONDS, Lease, LeaseBook
from aiorekostream.limits import Quota

_STARTS, _STOPS = Quota(20, 20), Quota(1, 1)


def _book(quota: Quota = _STARTS, *, hosts: int = 3) -> LeaseBook:
    return LeaseBook(quota=quota, slack=0.975, hosts=hosts, patience=0.25)


def _planned(book: LeaseBook, now: float, *, waiting: int = 1) -> LeaseExchange:
    exchange = book.plan(now, waiting=waiting)
    assert exchange is not None
    return exchange


def _lease(
    book: LeaseBook, now: float, *waits: float, waiting: int = 100, hosts: int = 3, retry: float = 0.0
) -> LeaseExchange:
    """Ask, and answer with permits that are due after these waits."""
    exchange = _planned(book, now, waiting=waiting)
    rate = 0.975 if book.quota == _STOPS else book.quota.rate
    taken = Taken(first_number=book._known_number + 1, waits=waits, retry_after=retry, rate=rate, hosts=hosts, now=5.0)
    book.answered(exchange, taken, now)
    return exchange


def _acquired(book: LeaseBook, now: float) -> Lease:
    lease = book.try_acquire(now)
    assert isinstance(lease, Lease)
    return lease


@pytest.mark.parametrize(
    ("quota", "hosts", "want"),
    [(Quota(500, 500), 3, 50), (Quota(100, 100), 3, 10), (_STARTS, 1, 6), (_STARTS, 3, 1), (_STARTS, 100, 1)],
)
def test_batch_is_sized_by_rate_and_hosts(quota: Quota, hosts: int, want: int) -> None:
    assert _planned(_book(quota, hosts=hosts), 0.0, waiting=1000).want == want


def test_host_asks_for_no_more_than_waits_or_was_used_of_late() -> None:
    book = _book(Quota(500, 500))
    assert _lease(book, 0.0, 0.0, waiting=1).want == 1
    for step in range(1, 5):
        _acquired(book, now := step * 0.01)
        assert _lease(book, now, 0.0, waiting=1).want == step
    _acquired(book, 0.05)
    assert _planned(book, 0.05 + 2 * LEASE_SECONDS).want == 1


def test_horizon_has_room_for_a_batch_of_every_host() -> None:
    exchange = _planned(_book(), 0.0, waiting=1000)
    assert exchange.horizon >= 3 * exchange.want / 20


def test_quota_of_one_call_a_second_leases_nothing_ahead() -> None:
    """A request that is late then delays the next one, whichever host sends it."""
    exchange = _planned(_book(_STOPS), 0.0, waiting=1000)
    assert exchange.want == 1
    assert exchange.horizon <= 0.002


def test_permit_is_used_when_it_is_due() -> None:
    book = _book()
    _lease(book, 10.0, 0.0, 0.05)
    assert _acquired(book, 10.0).number == 1
    assert book.try_acquire(10.01) == pytest.approx(10.05)
    assert _acquired(book, 10.05).number == 2


def test_permits_of_a_host_that_wakes_late_are_spread() -> None:
    book = _book()
    _lease(book, 10.0, 0.0, 0.05, 0.1)
    _acquired(book, 10.2)
    assert book.try_acquire(10.2) == pytest.approx(10.2 + 1 / 60)


def test_permit_that_was_due_long_ago_goes_back() -> None:
    book = _book()
    _lease(book, 10.0, 0.0, 0.05, 0.4)
    assert _acquired(book, 10.42).number == 3
    book._ask_at = 10.42
    assert _planned(book, 10.42).reports == [Report("cancelled", 1), Report("cancelled", 2)]


def test_cancelled_permit_is_used_by_the_next_request() -> None:
    book = _book()
    _lease(book, 10.0, 0.0)
    book.cancel(_acquired(book, 10.0), 10.0)
    assert _acquired(book, 10.01).number == 1
    assert book.is_clear


def test_unused_permits_go_back_the_last_one_first() -> None:
    book = _book()
    _lease(book, 10.0, 0.0, 0.05)
    exchange = book.plan_return(10.0)
    assert exchange is not None
    assert (exchange.want, exchange.reports) == (0, [Report("cancelled", 2), Report("cancelled", 1)])


def test_throttle_is_reported_at_once_and_returns_the_lease() -> None:
    book = _book()
    _lease(book, 10.0, 0.0, 0.02, 0.3)
    first, second = _acquired(book, 10.0), _acquired(book, 10.02)
    book.allowed(second, 10.03)
    book.throttled(first, 10.04)
    exchange = _planned(book, 10.04, waiting=0)
    assert exchange.want == 0
    returned, throttled = exchange.reports
    assert returned == Report("cancelled", 3)
    assert (throttled.kind, throttled.number, throttled.overtaking) == ("throttled", 1, 1)
    assert throttled.seconds == pytest.approx(0.04)


def test_late_request_is_reported_where_there_is_no_burst() -> None:
    book = _book(_STOPS)
    _lease(book, 10.0, 0.0)
    book.allowed(_acquired(book, 10.0), 10.3)
    [report] = _planned(book, 10.3, waiting=0).reports
    assert (report.kind, round(report.seconds, 6)) == ("delayed", 0.3)


def test_usual_time_of_an_answer_is_no_delay() -> None:
    book = _book(_STOPS)
    for now in (10.0, 11.1):
        _lease(book, now, 0.0)
        book.allowed(_acquired(book, now), now + 0.2)
        if (exchange := book.plan(now + 0.2, waiting=0)) is not None:
            assert now == 10.0  # only the first one had to connect, as far as the host knows
            book.answered(exchange, Taken(first_number=2, waits=[], retry_after=0, rate=1, hosts=3, now=6.0), now + 0.2)
    assert not book.has_urgent_reports


def test_host_waits_as_long_as_it_was_told() -> None:
    book = _book()
    _lease(book, 10.0, retry=0.7)
    assert book.try_acquire(10.0) == pytest.approx(10.7)
    assert book.plan(10.69, waiting=1) is None
    assert _planned(book, 10.7).want == 1


def test_host_asks_again_within_seconds_however_long_the_wait() -> None:
    book = _book()
    _lease(book, 10.0, retry=1000.0)
    assert book.try_acquire(10.0) == pytest.approx(12.5)
    assert book.delay(10.0, queue_length=0) == pytest.approx(1000)


def test_host_alone_has_its_share_without_a_burst() -> None:
    book = _book(hosts=2)
    book.failed(_planned(book, 0.0), 0.0)
    used, now = list[float](), 0.0
    while now < 2:
        result = book.try_acquire(now)
        if isinstance(result, Lease):
            used.append(now)
        else:
            now = max(result, now + 0.001)
            if book.plan(now, waiting=1) is not None:
                book.failed(LeaseExchange(want=1, horizon=0), now)
    assert len(used) == pytest.approx(20, abs=1)
    assert min(after - before for before, after in itertools.pairwise(used)) == pytest.approx(0.1, abs=0.002)


def test_share_counts_from_the_last_request_on() -> None:
    book = _book(hosts=2)
    _lease(book, 10.0, 0.0, hosts=2)
    _acquired(book, 10.0)
    book.failed(_planned(book, 10.05), 10.05)
    assert book.try_acquire(10.05) == pytest.approx(10.1)


def test_share_is_that_of_the_hosts_last_seen() -> None:
    book = _book(hosts=2)
    _lease(book, 10.0, 0.0, hosts=5)
    _acquired(book, 10.0)
    book.failed(_planned(book, 10.5), 10.5)
    assert book.rate_at(10.5) == pytest.approx(4)


def test_host_alone_asks_once_a_second() -> None:
    book = _book()
    book.failed(_planned(book, 10.0), 10.0)
    assert book.plan(10.99, waiting=5) is None
    assert book.plan(11.0, waiting=5) is not None


def test_host_tells_what_it_granted_alone() -> None:
    book = _book(hosts=2)
    _lease(book, 10.0, 0.0, hosts=2)
    _acquired(book, 10.0)
    book.failed(_planned(book, 10.5), 10.5)
    _acquired(book, 10.5)
    _acquired(book, 10.6)
    exchange = _lease(book, 11.5, 0.0)
    assert (exchange.alone, exchange.sharers, exchange.known_number) == (2, 2, 1)
    assert exchange.known_for == pytest.approx(1.5)
    assert exchange.rested == pytest.approx(0.9)
    _acquired(book, 11.5)
    assert _planned(book, 12.0).alone == 0


def test_reports_of_a_lost_exchange_are_repeated_if_that_is_harmless() -> None:
    """A permit that was returned twice would be used twice."""
    book = _book()
    _lease(book, 10.0, 0.0, 0.3)
    book.throttled(_acquired(book, 10.0), 10.05)
    exchange = _planned(book, 10.05)
    assert [report.kind for report in exchange.reports] == ["cancelled", "throttled"]
    book.failed(exchange, 10.3)
    assert [report.kind for report in _planned(book, 11.3).reports] == ["throttled"]


def test_exchange_is_repeated_with_the_time_that_the_server_named() -> None:
    book = _book()
    exchange = _planned(book, 10.0)
    assert book.too_late(exchange, 77.0, 10.1) == attrs.evolve(exchange, seen=77.0, known_for=0.0)
