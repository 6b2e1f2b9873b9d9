"""Slots and agendas, by themselves."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.replies import StartedSession
from aiorekostream.fleet.agenda import Agenda
from aiorekostream.fleet.slots import MARGIN, Slots

LABELS, FACES = ProcessorKind.LABEL_DETECTION, ProcessorKind.FACE_SEARCH


def full(limit: int = 2) -> Slots:
    slots = Slots({LABELS: limit, FACES: 1})
    for number in range(limit):
        slots.begun(f"c{number}", LABELS, now=0, expected=10 + number, latest=10 + number + MARGIN)
    return slots


def test_a_kind_is_full_at_its_limit_and_the_other_is_not() -> None:
    slots = full()
    assert not slots.room(LABELS)
    assert slots.room(FACES)
    assert (slots.count(LABELS), len(slots), "c0" in slots, "c2" in slots) == (2, 2, True, False)


def test_a_kind_without_a_limit_is_never_full() -> None:
    slots = Slots()
    for number in range(1000):
        slots.reserve(f"c{number}", LABELS)
    assert slots.room(LABELS)


def test_a_slot_comes_free_when_its_session_cannot_last_any_longer() -> None:
    slots = full()
    assert slots.next_change == 10 + MARGIN
    assert slots.lapse(10 + MARGIN - 0.001) == []
    assert slots.lapse(10 + MARGIN) == ["c0"]
    assert slots.room(LABELS)


def test_a_slot_that_is_reserved_or_runs_for_ever_does_not_lapse() -> None:
    slots = Slots()
    slots.reserve("a", LABELS)
    slots.begun("b", FACES, now=0, expected=math.inf, latest=math.inf)
    assert slots.next_change == math.inf
    assert slots.lapse(1e9) == []


def test_a_processor_has_one_slot_however_often_it_is_taken() -> None:
    slots = Slots({LABELS: 1})
    slots.begun("a", LABELS, now=0, expected=5, latest=25)
    slots.reserve("a", LABELS)
    assert slots.count(LABELS) == 1
    assert slots.lapse(100) == []


def test_a_stopped_session_keeps_its_slot_until_the_margin_is_over() -> None:
    slots = Slots()
    slots.begun("a", FACES, now=0, expected=math.inf, latest=math.inf, session=StartedSession())
    slots.ending("a", 100)
    hold = slots.held("a")
    assert hold is not None
    assert (hold.expected, hold.session, slots.next_change) == (100, None, 100 + MARGIN)


def test_what_was_told_to_stop_is_known_to_be_stopping_although_nobody_knows_its_kind() -> None:
    slots = Slots({LABELS: 1, FACES: 1})
    slots.ending("a", 100)
    assert "a" in slots
    assert slots.room(LABELS)
    assert slots.room(FACES)
    assert slots.begun_before(101) == {"a": slots.held("a")}
    assert slots.lapse(100 + MARGIN) == ["a"]


def test_a_refusal_by_the_service_lowers_the_limit_to_what_is_held() -> None:
    slots = Slots({LABELS: 10}, pause=5)
    for name in "abc":
        slots.begun(name, LABELS, now=0, expected=100, latest=120)
    slots.refused(LABELS, now=1)
    assert not slots.room(LABELS)
    slots.release("a")
    assert slots.room(LABELS)


def test_after_a_refusal_the_limit_rises_faster_and_faster_until_it_is_forgotten() -> None:
    slots = Slots({LABELS: 10}, pause=5)
    slots.refused(LABELS, now=0)
    heights: list[int] = []
    for moment in (0, 5, 10, 15, 20):
        slots.lapse(moment)
        while slots.room(LABELS) and len(slots) < 100:
            slots.reserve(f"c{len(slots)}", LABELS)
        heights.append(len(slots))
    assert heights == [0, 1, 3, 7, 10]
    assert slots.next_change == math.inf


def test_sessions_that_began_lately_are_not_asked_about() -> None:
    slots = Slots()
    slots.reserve("on its way", LABELS)
    slots.begun("old", LABELS, now=5, expected=20, latest=40)
    slots.begun("new", LABELS, now=9.5, expected=20, latest=40)
    assert set(slots.begun_before(9)) == {"old"}


@given(
    st.lists(st.tuples(st.sampled_from("abcde"), st.one_of(st.none(), st.floats(0, 100), st.just(math.inf)))),
    st.floats(0, 100),
)
def test_an_agenda_knows_the_latest_word_on_each_key(changes: list[tuple[str, float | None]], now: float) -> None:
    agenda, model = Agenda[str](), dict[str, float]()
    for key, moment in changes:
        if moment is None:
            agenda.strike(key)
        else:
            agenda.put(key, moment)
        model.pop(key, None)
        if moment is not None and moment < math.inf:
            model[key] = moment
        assert agenda.next == min(model.values(), default=math.inf)
        assert len(agenda) == len(model)
    due = agenda.due(now)
    assert sorted(due) == sorted(key for key, moment in model.items() if moment <= now)
    assert [model[key] for key in due] == sorted(model[key] for key in due)


def test_an_agenda_does_not_grow_with_what_was_struck_out() -> None:
    agenda = Agenda[int]()
    for number in range(10_000):
        agenda.put(number, 1e6)
        agenda.strike(number)
    assert len(agenda._heap) < 100
