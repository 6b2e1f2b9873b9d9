from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from aiorekostream.emulator.world.video import map_frame, producer_time
from tests.emulator.samples import video

STREAM = video("porch")  # created at 1656000000000
# Seconds; the last is 2100.
MOMENTS = st.integers(1_000_000_000_000, 4_100_000_000_000).map(lambda milliseconds: milliseconds / 1000)


def test_fragment_number_has_the_format_that_was_observed() -> None:
    """It is 2**156, the fragment's place in the stream, the time of its arrival and random bits."""
    frame = map_frame(STREAM, 1_656_000_005.25)
    number = int(frame.fragment_number)
    assert re.fullmatch(r"9134[0-9]{43}", frame.fragment_number)
    assert number >> 156 == 1
    assert number >> 92 & (1 << 64) - 1 == 3
    assert number >> 28 & (1 << 64) - 1 == frame.server_timestamp
    assert frame.producer_timestamp == 1_656_000_004_000
    assert frame.frame_offset == 1_250
    assert frame.server_timestamp > frame.producer_timestamp


def test_time_of_a_fragment_is_in_its_number() -> None:
    """AWS's documentation has a fragment of this server timestamp."""
    published = 1_510_552_593_455
    found = producer_time(str((1 << 156) + (1 << 92) + (published << 28) + 12345))
    assert found is not None
    assert abs(found * 1000 - published) < 1000


def test_number_of_another_format_has_no_time() -> None:
    assert [producer_time(number) for number in ("0", "12345", "9" * 128, str(1 << 156))] == [None] * 4


@given(MOMENTS, MOMENTS)
def test_fragment_numbers_grow_with_time(first: float, second: float) -> None:
    one, other = map_frame(STREAM, first), map_frame(STREAM, second)
    keys = [(int(frame.fragment_number), frame.frame_offset) for frame in (one, other)]
    assert (keys[0] < keys[1], keys[0] == keys[1]) == (first < second, first == second)


@given(MOMENTS)
def test_fragment_contains_its_frame(at: float) -> None:
    frame = map_frame(STREAM, at)
    assert frame.producer_timestamp + frame.frame_offset == round(at * 1000)
    assert 0 <= frame.frame_offset < 2000
    begin = producer_time(frame.fragment_number)
    assert begin is not None
    assert begin == frame.producer_timestamp / 1000
    assert map_frame(STREAM, begin).fragment_number == frame.fragment_number
