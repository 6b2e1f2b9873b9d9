"""Which poll comes next, and which waits its result ends."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import pytest

from aiorekostream.client.poll_planner import DescribePoll, Idle, ListPoll, PollPlanner
from aiorekostream.client.wait_conditions import Evaluation, Observation, WaitCondition
from aiorekostream.client.wait_errors import timeout_error
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.responses import StreamProcessorPage, StreamProcessorSummary
from aiorekostream.domain.status import Status
from aiorekostream.errors import AccessDeniedError, InvalidParameterError, ResourceNotFoundError, WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiorekostream.client.wait_conditions import Waiter

_FACES, _LABELS = ProcessorKind.FACE_SEARCH, ProcessorKind.LABEL_DETECTION
_C, _S, _E = WaitCondition, Status, Evaluation
_STARTING = Observation(status=_S.STARTING, kind=_FACES, described=True)
_NOT_FOUND = ResourceNotFoundError("?", operation="D", code="ResourceNotFoundException", http_status=400)
_ABSENT = Observation(status=None, described=True, error=_NOT_FOUND)
_DENIED = AccessDeniedError("?", operation="D", code="AccessDeniedException", http_status=400)
_INVALID = InvalidParameterError("?", operation="D", code="InvalidParameterException", http_status=400)
_REFUSED = Observation(status=None, described=True, error=_DENIED)
_MANY = [f"camera-{n:03}" for n in range(100)]


def _planner(names: Iterable[str] = (), condition: WaitCondition = _C.RUNNING, *, pages: int = 1) -> PollPlanner:
    planner = PollPlanner(20, 5, pages)
    for name in names:
        planner.join(name, condition, 0)
    return planner


def _page(statuses: dict[str, Status], next_token: str | None = None) -> StreamProcessorPage:
    return StreamProcessorPage(
        tuple(StreamProcessorSummary(name, status) for name, status in statuses.items()), next_token
    )


def _describe(planner: PollPlanner, now: float) -> DescribePoll:
    poll = planner.next_poll(now)
    assert isinstance(poll, DescribePoll)
    return poll


def _list(planner: PollPlanner, now: float) -> ListPoll:
    poll = planner.next_poll(now)
    assert isinstance(poll, ListPoll)
    return poll


def _idle_until(planner: PollPlanner, now: float) -> float:
    poll = planner.next_poll(now)
    assert isinstance(poll, Idle)
    return poll.until


def _deny(planner: PollPlanner, now: float) -> list[Waiter]:
    """Refuse a Describe."""
    return planner.described(_describe(planner, now), _REFUSED, now=now, random=0.5)


def _sweep(planner: PollPlanner, statuses: dict[str, Status], now: float, *, pages: int = 1) -> list[Waiter]:
    """Read a list whose last page has the entries."""
    results: list[Waiter] = []
    for page in range(1, pages + 1):
        poll = _list(planner, now)
        answer = _page(statuses) if page == pages else _page({}, f"page-{page}")
        results += planner.listed(poll, answer, now=now, random=0.5)
    return results


@pytest.mark.parametrize(
    ("names", "pages", "expected"), [(1, 1, True), (4, 1, True), (5, 1, False), (40, 10, True), (41, 10, False)]
)
def test_four_names_a_page_are_described(names: int, pages: int, *, expected: bool) -> None:
    """Then Describe takes no more of its quota's time than a sweep of its own."""
    planner = _planner(map(str, range(names)), pages=pages)
    assert isinstance(planner.next_poll(0), DescribePoll) is expected


def test_planner_is_idle_without_waits() -> None:
    assert _idle_until(_planner(), 0) == math.inf


def test_new_wait_is_polled_at_once_and_again_after_an_interval() -> None:
    planner = _planner("a")
    poll = _describe(planner, 0)
    assert poll.name == "a"
    assert planner.described(poll, _STARTING, now=0.1, random=0.5) == []
    assert _idle_until(planner, 0.1) == pytest.approx(0.6)
    assert _describe(planner, 0.6).name == "a"


def test_many_waits_share_one_sweep() -> None:
    planner = _planner("abcdef")
    results = _sweep(planner, {"a": _S.RUNNING, **dict.fromkeys("bcdef", _S.STARTING), "z": _S.FAILED}, 0.1)
    assert [(each.name, each.evaluation) for each in results] == [("a", _E.SATISFIED)]
    assert _idle_until(planner, 0.1) == pytest.approx(0.6)


def test_ten_thousand_waits_cost_ten_pages_a_sweep() -> None:
    names = [f"camera-{n}" for n in range(10_000)]
    planner = _planner(names)
    calls = 0
    while not isinstance(poll := planner.next_poll(0), Idle):
        assert isinstance(poll, ListPoll)
        part = names[calls * 1000 : calls * 1000 + 1000]
        calls += 1
        token = f"page-{calls}" if calls < 10 else None
        planner.listed(poll, _page(dict.fromkeys(part, _S.STARTING), token), now=0, random=0.5)
    assert calls == planner.pages == 10


def test_sweep_asks_for_each_page_with_the_token_of_the_last() -> None:
    planner = _planner("abcdef")
    tokens: list[str | None] = []
    for following in ("x", "y", None):
        poll = _list(planner, 0)
        tokens.append(poll.request.next_token)
        planner.listed(poll, _page({}, following), now=0, random=0.5)
    assert tokens == [None, "x", "y"]


def test_sweep_takes_half_of_the_quota_at_most() -> None:
    planner = _planner(_MANY)
    _sweep(planner, dict.fromkeys(_MANY, _S.STARTING), 0, pages=10)
    assert _idle_until(planner, 0) == pytest.approx(4)


def test_describe_takes_half_of_the_quota_at_most() -> None:
    planner = _planner(_MANY[:20], pages=10)
    described: list[str] = []
    now = 0.0
    for _ in range(20):
        poll = _describe(planner, now)
        described.append(poll.name)
        planner.described(poll, _STARTING, now=now, random=0.5)
        now = _idle_until(planner, now)
    assert sorted(described) == _MANY[:20]
    assert now == pytest.approx(2)


def test_successor_keeps_the_share_of_the_quota() -> None:
    planner = _planner(_MANY)
    _sweep(planner, {}, 0, pages=10)
    successor = planner.successor(1)
    for name in _MANY:
        successor.join(name, _C.RUNNING, 1)
    assert _idle_until(successor, 1) == pytest.approx(4)
    few = planner.successor(1)
    few.join("a", _C.RUNNING, 1)
    assert _describe(few, 1).name == "a"


def test_successor_is_not_held_up_by_the_time_of_another_loop() -> None:
    planner = _planner(_MANY)
    poll = _list(planner, 1e6)
    planner.listed(poll, _page({}), now=1e6, random=0.5)
    successor = planner.successor(0)
    for name in _MANY:
        successor.join(name, _C.RUNNING, 0)
    assert _idle_until(successor, 0) <= 1


def test_waits_that_leave_make_room_for_the_others() -> None:
    planner = _planner(_MANY)
    planner.can_list = False
    first = _describe(planner, 0)
    planner.described(first, _STARTING, now=0, random=0.5)
    for waiter in planner.waiters():
        if waiter.name != first.name:
            planner.leave(waiter)
    assert _idle_until(planner, 0.4) == pytest.approx(0.5)
    assert _describe(planner, 0.5).name == first.name


def test_only_failed_processors_are_described_among_many() -> None:
    planner = _planner("abcdef")
    statuses = {"a": _S.STARTING, "b": _S.FAILED, "c": _S.STOPPED, **dict.fromkeys("def", _S.STARTING)}
    assert _sweep(planner, statuses, 1.1) == []
    poll = _describe(planner, 1.1)
    assert poll.name == "b"
    failed = Observation(status=_S.FAILED, message="Collection not found", described=True)
    (result,) = planner.described(poll, failed, now=1.2, random=0.5)
    assert (result.name, result.evaluation) == ("b", _E.FAILED)
    assert _idle_until(planner, 1.3) > 1.3


@pytest.mark.parametrize(
    ("condition", "status", "kind", "expected"),
    [
        (_C.FINISHED, _S.STOPPED, _LABELS, _E.SATISFIED),
        (_C.FINISHED, _S.FAILED, _LABELS, _E.FAILED),
        (_C.RUNNING, _S.FAILED, _FACES, _E.FAILED),
    ],
)
def test_status_of_an_earlier_session_is_polled_again_after_a_second(
    condition: WaitCondition, status: Status, kind: ProcessorKind, expected: Evaluation
) -> None:
    planner = _planner("a", condition)
    seen = Observation(status=status, kind=kind, described=True)
    assert planner.described(_describe(planner, 0), seen, now=0.1, random=0.5) == []
    (waiter,) = planner.waiters()
    assert isinstance(timeout_error(waiter, 0.5), WaitTimeoutError)
    assert _idle_until(planner, 0.2) == 1
    (result,) = planner.described(_describe(planner, 1), seen, now=1, random=0.5)
    assert result.evaluation is expected


def test_session_seen_at_work_ends_however_soon() -> None:
    planner = _planner("a", _C.FINISHED)
    results: list[Waiter] = []
    for now, status in ((0.1, _S.STARTING), (0.7, _S.STOPPED)):
        seen = Observation(status=status, kind=_LABELS, described=True)
        results += planner.described(_describe(planner, now), seen, now=now, random=0.5)
    assert [result.evaluation for result in results] == [_E.SATISFIED]


def test_poll_counts_only_for_waits_that_began_before_it() -> None:
    planner = _planner("a", _C.STOPPED)
    poll = _describe(planner, 0)
    late = planner.join("a", _C.STOPPED, 0)
    (result,) = planner.described(poll, Observation(status=_S.STOPPED, described=True), now=0, random=0.5)
    assert result is not late
    assert planner.waiters() == (late,)
    assert _describe(planner, 0.1).name == "a"


def test_wait_that_joins_during_a_poll_is_due_at_once() -> None:
    planner = _planner("a")
    poll = _describe(planner, 0)
    planner.join("a", _C.RUNNING, 0.05)
    assert planner.described(poll, _STARTING, now=0.1, random=0.5) == []
    assert _describe(planner, 0.1).name == "a"


@pytest.mark.parametrize("condition", _C)
@pytest.mark.parametrize("pages", [1, 3])
def test_absence_from_the_list_is_a_reason_to_describe(condition: WaitCondition, pages: int) -> None:
    planner = _planner("abcdefghijkl", condition)
    assert _sweep(planner, {}, 10, pages=pages) == []
    described: set[str] = set()
    for now in range(30, 42):
        poll = _describe(planner, now)
        described.add(poll.name)
        (result,) = planner.described(poll, _ABSENT, now=now, random=0.5)
        by_absence = condition in {_C.DELETED, _C.OBSERVED}
        assert result.evaluation is (_E.SATISFIED if by_absence else _E.REFUSED)
    assert described == set("abcdefghijkl")


def test_processor_left_out_of_the_list_is_not_deleted() -> None:
    """No list ends a wait for deletion while Describe shows the processor."""
    planner = _planner("abcdef", _C.DELETED)
    running = Observation(status=_S.RUNNING, kind=_FACES, described=True)
    now = 0.0
    for _ in range(200):
        match planner.next_poll(now):
            case ListPoll() as poll:
                assert planner.listed(poll, _page({}), now=now, random=0.5) == []
            case DescribePoll() as poll:
                assert planner.described(poll, running, now=now, random=0.5) == []
            case Idle(until):
                now = until
    assert len(planner.waiters()) == 6


def test_lost_poll_is_repeated_after_two_seconds() -> None:
    few = _planner("a")
    few.lost(_describe(few, 0), 1)
    assert _idle_until(few, 1) == 3
    many = _planner("abcdef")
    many.lost(_list(many, 0), 1)
    assert _idle_until(many, 1) == 3
    assert _list(many, 3).request.next_token is None


def test_lost_sweep_keeps_to_the_share_of_the_quota() -> None:
    planner = _planner(_MANY, pages=10)
    planner.lost(_list(planner, 0), 0.5)
    assert _idle_until(planner, 1) == pytest.approx(4)


def test_lost_describe_of_a_failed_processor_is_repeated() -> None:
    planner = _planner("abcdef")
    _sweep(planner, {**dict.fromkeys("acdef", _S.STARTING), "b": _S.FAILED}, 1)
    poll = _describe(planner, 1.1)
    planner.lost(poll, 1.2)
    _sweep(planner, dict.fromkeys("acdef", _S.STARTING), 1.6)
    assert _idle_until(planner, 1.7) > 1.7
    names: list[str] = []
    while not isinstance(following := planner.next_poll(3.2), Idle):
        if isinstance(following, DescribePoll):
            names.append(following.name)
            planner.lost(following, 3.2)
        else:
            planner.listed(following, _page(dict.fromkeys("acdef", _S.STARTING)), now=3.2, random=0.5)
    assert names == ["b"]


def test_page_that_names_an_earlier_page_as_the_next_ends_the_sweep() -> None:
    planner = _planner("abcdef", _C.DELETED)
    for token in ("x", "y", "x"):
        assert planner.listed(_list(planner, 0), _page({}, token), now=0, random=0.5) == []
    assert _idle_until(planner, 0) == 2
    assert _list(planner, 2).request.next_token is None


def test_describes_and_pages_take_turns() -> None:
    """A long sweep does not hold up Describe, nor a backlog of failures the sweep."""
    planner = _planner(_MANY, _C.STOPPED)
    _sweep(planner, {**dict.fromkeys(_MANY[:50], _S.FAILED), **dict.fromkeys(_MANY[50:], _S.STARTING)}, 0)
    kinds = ""
    for step in range(20):
        poll = planner.next_poll(now := 10 + step)
        if isinstance(poll, ListPoll):
            kinds += "L"
            page = _page(dict.fromkeys(_MANY[50:], _S.STARTING), f"page-{step}")
            planner.listed(poll, page, now=now, random=0.5)
        elif isinstance(poll, DescribePoll):
            kinds += "D"
            planner.described(poll, Observation(status=_S.FAILED, described=True), now=now, random=0.5)
    assert kinds in {"LD" * 10, "DL" * 10}


def test_backlog_of_failures_does_not_hold_up_a_few_others() -> None:
    planner = _planner(_MANY, _C.STOPPED)
    _sweep(planner, {**dict.fromkeys(_MANY[:99], _S.FAILED), _MANY[99]: _S.RUNNING}, 0)
    polls = [planner.next_poll(10 + n) for n in range(2)]
    assert _MANY[99] in {poll.name for poll in polls if isinstance(poll, DescribePoll)}


def test_failed_processor_is_left_out_of_later_sweeps() -> None:
    """A wait that only Describe can end needs no sweep, so that a backlog of failures costs no pages."""
    planner = _planner(_MANY, _C.STOPPED)
    _sweep(planner, dict.fromkeys(_MANY, _S.FAILED), 0)
    for n in range(100):
        poll = _describe(planner, 10 + n)
        (result,) = planner.described(poll, Observation(status=_S.FAILED, described=True), now=10 + n, random=0.5)
        assert result.name == poll.name
    assert _idle_until(planner, 1000) == math.inf


def test_processor_without_waits_is_not_described() -> None:
    planner = _planner("abcdef")
    _sweep(planner, {**dict.fromkeys("acdef", _S.STARTING), "b": _S.FAILED}, 1.1)
    for waiter in planner.waiters():
        if waiter.name == "b":
            planner.leave(waiter)
            planner.leave(waiter)
    planner.join("b", _C.RUNNING, 1.1)
    assert _idle_until(planner, 1.1) > 1.1  # the new wait is due with the next sweep


def test_wait_that_joins_during_a_sweep_is_due_with_the_next() -> None:
    planner = _planner("abcdef")
    poll = _list(planner, 0)
    planner.join("g", _C.RUNNING, 0.1)
    planner.listed(poll, _page(dict.fromkeys("abcdef", _S.STARTING)), now=0.2, random=0.5)
    assert _idle_until(planner, 0.3) == pytest.approx(0.4)  # as soon as the share of the quota allows


def test_slow_starts_are_described_once_and_two_a_page() -> None:
    planner = _planner("abcdefaa")
    described: list[list[str]] = []
    for now in (0, 11, 22, 33, 44):
        assert _sweep(planner, dict.fromkeys("abcdef", _S.STARTING), now) == []
        described.append([])
        while isinstance(poll := planner.next_poll(now + len(described[-1]) / 10), DescribePoll):
            described[-1].append(poll.name)
            assert planner.described(poll, _STARTING, now=now, random=0.5) == []
    assert described == [[], ["a", "b"], ["c", "d"], ["e", "f"], []]


def test_denied_describe_leaves_its_waits_to_the_sweep() -> None:
    planner = _planner("abcdef", _C.STOPPED)
    _sweep(planner, {"a": _S.FAILED, **dict.fromkeys("bcdef", _S.RUNNING)}, 1)
    assert _deny(planner, 1) == []
    (result,) = _sweep(planner, {"a": _S.FAILED, **dict.fromkeys("bcdef", _S.RUNNING)}, 2)
    assert (result.name, result.evaluation, result.observation.error) == ("a", _E.FAILED, _DENIED)
    for waiter in planner.waiters():
        if waiter.name != "b":
            planner.leave(waiter)
    assert _deny(planner, 10) == []
    (result,) = _sweep(planner, {"b": _S.STOPPED}, 10)
    assert (result.name, result.evaluation) == ("b", _E.SATISFIED)


def test_processor_denied_during_a_sweep_is_listed_by_the_next() -> None:
    planner = _planner("abcdefghij", _C.STOPPED)
    statuses = {"a": _S.FAILED, **dict.fromkeys("bcdefghij", _S.RUNNING)}
    page = _page(statuses, "x")
    assert planner.listed(_list(planner, 1), page, now=1, random=0.5) == []
    assert _deny(planner, 1) == []
    assert planner.listed(_list(planner, 1), _page({}), now=1, random=0.5) == []
    (result,) = _sweep(planner, statuses, 2)
    assert (result.name, result.evaluation, result.observation.error) == ("a", _E.FAILED, _DENIED)


def test_sweeps_for_a_denied_processor_do_not_delay_describes() -> None:
    planner = _planner("ab")
    assert _deny(planner, 0) == []
    described: list[float] = []
    now = 0.1
    while now < 60:
        match planner.next_poll(now):
            case ListPoll() as poll:
                planner.listed(poll, _page(dict.fromkeys("ab", _S.STARTING)), now=now, random=0.5)
            case DescribePoll() as poll:
                assert poll.name == "b"
                described.append(now)
                planner.described(poll, _STARTING, now=now, random=0.5)
            case Idle(until):
                now = until
                planner.join("a", _C.RUNNING, now)  # so that the list is read again and again
    assert len([moment for moment in described if moment > 20]) >= 5


@pytest.mark.parametrize("condition", [_C.DELETED, _C.OBSERVED, _C.STOPPED])
def test_absence_is_refused_when_describe_is_denied(condition: WaitCondition) -> None:
    planner = _planner("abcdef", condition)
    _sweep(planner, {}, 10)
    assert _deny(planner, 10) == []
    (result,) = _sweep(planner, {}, 11)
    assert (result.evaluation, result.observation.error) == (_E.REFUSED, _DENIED)


def test_waits_are_listed_when_describe_is_denied() -> None:
    planner = _planner("a", _C.STOPPED)
    assert _deny(planner, 0) == []
    (result,) = _sweep(planner, {"a": _S.STOPPED}, 0)
    assert result.evaluation is _E.SATISFIED


def test_sweeps_for_a_denied_processor_pause() -> None:
    planner = _planner("a", _C.STOPPED)
    assert _deny(planner, 20) == []
    assert _sweep(planner, {"a": _S.RUNNING}, 20) == []
    assert _idle_until(planner, 20) == pytest.approx(25)


def test_processor_that_may_be_neither_listed_nor_described_is_refused() -> None:
    planner = _planner("a", _C.OBSERVED)
    assert _deny(planner, 0) == []
    _list(planner, 0)
    planner.list_denied(0)
    (result,) = _deny(planner, 1)
    assert result.evaluation is _E.REFUSED
    assert _idle_until(planner, 9) == math.inf


def test_other_refusal_ends_only_the_waits_before_the_poll() -> None:
    planner = _planner("a")
    poll = _describe(planner, 0)
    late = planner.join("a", _C.RUNNING, 0)
    (result,) = planner.described(poll, attrs.evolve(_REFUSED, error=_INVALID), now=0, random=0.5)
    assert result is not late
    assert planner.waiters() == (late,)
    assert _describe(planner, 1).name == "a"
