"""Session slots: when a session takes one, and when it is free again."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.responses import StartedSession
from aiorekostream.fleet.slots import MARGIN, SessionSlot, SessionSlots
from tests.fleet.granted_slots import GrantedSlots

if TYPE_CHECKING:
    from aiorekostream.domain.status import Status

LABELS, FACES = ProcessorKind.LABEL_DETECTION, ProcessorKind.FACE_SEARCH


def full(limit: int = 2) -> SessionSlots:
    slots = SessionSlots({LABELS: limit, FACES: 1})
    for number in range(limit):
        end = 10 + number
        slots.occupy(f"c{number}", SessionSlot(LABELS, since=0, expected_end=end, latest_end=end + MARGIN), now=0)
    return slots


def test_slots_are_full_at_the_limit_of_their_kind_alone() -> None:
    slots = full()
    assert not slots.has_room(LABELS)
    assert slots.has_room(FACES)
    assert (slots.count(LABELS), len(slots), "c0" in slots, "c2" in slots) == (2, 2, True, False)


def test_slots_are_never_full_without_a_limit() -> None:
    slots = SessionSlots()
    for number in range(1000):
        slots.reserve(f"c{number}", LABELS)
    assert slots.has_room(LABELS)


def test_slot_expires_when_its_session_cannot_last_any_longer() -> None:
    slots = full()
    assert slots.next_change == 10 + MARGIN
    assert list(slots.expire(10 + MARGIN - 0.001)) == []
    assert list(slots.expire(10 + MARGIN)) == ["c0"]
    assert slots.has_room(LABELS)


def test_slot_does_not_expire_when_reserved_or_without_an_end() -> None:
    slots = SessionSlots()
    slots.reserve("a", LABELS)
    slots.occupy("b", SessionSlot(FACES, since=0, expected_end=math.inf, latest_end=math.inf), now=0)
    assert slots.next_change == math.inf
    assert list(slots.expire(1e9)) == []


def test_slot_does_not_expire_when_it_was_freed() -> None:
    slots = SessionSlots()
    slots.occupy("a", SessionSlot(LABELS, since=0, expected_end=10, latest_end=30), now=0)
    slots.free("a")
    assert slots.next_change == math.inf
    assert list(slots.expire(30)) == []


def test_slot_expires_once_when_its_store_reports_the_end_meanwhile() -> None:
    """A store that many hosts share may report an end while it receives another one."""

    class Store(GrantedSlots):
        def free(self, name: str, kind: ProcessorKind, status: Status | None = None) -> None:
            super().free(name, kind, status)
            slots.free("c1")

    slots = full()
    slots.leases = Store()
    assert list(slots.expire(1000)) == ["c0"]
    assert (slots.count(LABELS), slots.next_change) == (0, math.inf)


def test_slots_count_a_processor_once() -> None:
    slots = SessionSlots({LABELS: 1})
    slots.occupy("a", SessionSlot(LABELS, since=0, expected_end=5, latest_end=25), now=0)
    slots.reserve("a", LABELS)
    assert slots.count(LABELS) == 1
    assert list(slots.expire(100)) == []


def test_slot_counts_for_its_present_kind_alone() -> None:
    slots = SessionSlots({LABELS: 1, FACES: 1})
    slots.mark_stopping("a", 0)
    for kind in (LABELS, FACES):
        slots.occupy("a", SessionSlot(kind, since=0), now=0)
        assert [slots.count(each) for each in (None, LABELS, FACES)] == [0, kind is LABELS, kind is FACES]


def test_slot_is_free_again_when_its_start_is_not_applied() -> None:
    slots = SessionSlots({LABELS: 1})
    slots.reserve("a", LABELS)
    assert not slots.has_room(LABELS)
    slots.restore("a")
    assert slots.has_room(LABELS)


def test_slot_of_an_older_session_is_restored_when_a_start_is_not_applied() -> None:
    slots = SessionSlots({LABELS: 1})
    slots.occupy("a", SessionSlot(LABELS, since=0, expected_end=5, latest_end=25), now=0)
    older = slots.get("a")
    slots.reserve("a", LABELS)
    slots.restore("a")
    assert slots.get("a") is older
    assert slots.next_change == 25


def test_slot_lasts_for_the_margin_after_a_stop() -> None:
    slots = SessionSlots()
    slots.occupy("a", SessionSlot(FACES, since=0, session=StartedSession()), now=0)
    slots.mark_stopping("a", 100)
    slot = slots.get("a")
    assert slot is not None
    assert (slot.expected_end, slots.next_change) == (100, 100 + MARGIN)
    assert slot.session == StartedSession(), "it has not ended yet"


def test_stop_does_not_end_a_slot_whose_start_is_dispatched() -> None:
    slots = SessionSlots()
    slots.reserve("a", FACES)
    slots.mark_stopping("a", 5)
    assert list(slots.expire(5 + MARGIN)) == []
    assert "a" in slots


def test_stop_takes_no_room_when_the_kind_is_not_known() -> None:
    slots = SessionSlots({LABELS: 1, FACES: 1})
    slots.mark_stopping("a", 100)
    assert "a" in slots
    assert slots.has_room(LABELS)
    assert slots.has_room(FACES)
    assert slots.begun_before(101) == {"a": slots.get("a")}
    assert list(slots.expire(100 + MARGIN)) == ["a"]


def test_limit_is_lowered_to_the_taken_slots_by_a_refusal() -> None:
    slots = SessionSlots({LABELS: 10}, retry_interval=5)
    for name in "abc":
        slots.occupy(name, SessionSlot(LABELS, since=0, expected_end=100, latest_end=120), now=0)
    slots.learn_limit(LABELS, now=1)
    assert slots.next_change == 6, "the limit rises, and no session ends before"
    slots.occupy("d", SessionSlot(FACES, since=0, latest_end=4), now=0)
    assert slots.next_change == 4
    assert not slots.has_room(LABELS)
    assert slots.has_room(FACES)
    slots.free("a")
    assert slots.has_room(LABELS)


def test_learned_limit_rises_faster_and_faster_until_it_is_forgotten() -> None:
    slots = SessionSlots({LABELS: 10}, retry_interval=5)
    slots.learn_limit(LABELS, now=0)
    heights: list[int] = []
    for moment in (0, 5, 10, 15, 20):
        slots.expire(moment)
        while slots.has_room(LABELS) and len(slots) < 100:
            slots.reserve(f"c{len(slots)}", LABELS)
        heights.append(len(slots))
    assert heights == [0, 1, 3, 7, 10]
    assert slots.next_change == math.inf


def test_slots_begun_before_a_moment_exclude_dispatched_starts() -> None:
    slots = SessionSlots()
    slots.reserve("dispatched", LABELS)
    slots.occupy("old", SessionSlot(LABELS, since=5, expected_end=20, latest_end=40), now=5)
    slots.occupy("new", SessionSlot(LABELS, since=9.5, expected_end=20, latest_end=40), now=9.5)
    assert set(slots.begun_before(9)) == {"old"}
