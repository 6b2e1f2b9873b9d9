"""Positions in video, addresses in S3, and the order of fragments."""

from __future__ import annotations

import datetime
import pickle

import attrs
import pytest
from hypothesis import given

from aiorekostream.domain.s3 import S3Uri
from aiorekostream.domain.selectors import FragmentNumber, ProducerTimestamp
from aiorekostream.errors import InvalidRequestError
from tests import strategies
from tests.payloads import COMPLETED, DETECTED, TWO_LABELS

LABEL = DETECTED.labels[0]


def test_frame_time_is_the_producers_time_and_the_offset() -> None:
    assert LABEL.frame_time == datetime.datetime(2022, 4, 15, 5, 22, 2, 504_000, tzinfo=datetime.UTC)


def test_start_selector_is_the_producers_time_in_milliseconds() -> None:
    assert LABEL.start_selector() == ProducerTimestamp(1_650_000_122_104)


def test_start_selector_is_the_fragment_when_producer_time_is_relative() -> None:
    position = attrs.evolve(LABEL.position, producer_timestamp=datetime.timedelta(seconds=722.643))
    label = attrs.evolve(LABEL, position=position)
    assert label.frame_time is None
    assert label.start_selector() == LABEL.position.fragment_number


def test_fragment_numbers_are_ordered_as_numbers() -> None:
    short, long = FragmentNumber("9"), FragmentNumber("10")
    assert short < long
    assert sorted([long, short]) == [short, long]
    assert max(TWO_LABELS.labels, key=lambda label: label.position.fragment_number).id == "lab-1"


@given(strategies.fragment_numbers, strategies.fragment_numbers)
def test_order_of_fragment_numbers_agrees_with_equality(one: FragmentNumber, other: FragmentNumber) -> None:
    assert (one < other) + (one == other) + (one > other) == 1
    if int(one) != int(other):
        assert (one < other) is (int(one) < int(other))


@pytest.mark.parametrize("key", ["a", "a/b//c", "a?b#c", "%20 é", "/"])
def test_s3_uri_keeps_every_character_of_its_key(key: str) -> None:
    uri = S3Uri.parse(f"s3://doors/{key}")
    assert (uri.bucket, uri.key, str(uri)) == ("doors", key, f"s3://doors/{key}")
    assert S3Uri.parse(uri) is uri


@pytest.mark.parametrize("value", ["", "s3://doors", "s3://doors/", "s3:///key", "http://doors/key", "s3://a/key", 5])
def test_s3_uri_rejects_other_text(value: str) -> None:
    with pytest.raises(InvalidRequestError, match="s3://bucket/key"):
        S3Uri.parse(value)


@pytest.mark.parametrize(("bucket", "key"), [("no bucket", "key"), ("doors", ""), ("doors", None), (None, "key")])
def test_s3_uri_rejects_invalid_parts(bucket: str, key: str) -> None:
    with pytest.raises(InvalidRequestError):
        S3Uri(bucket, key)


@pytest.mark.parametrize("event", [DETECTED, TWO_LABELS, COMPLETED])
def test_event_is_hashable_and_survives_pickle(event: object) -> None:
    assert pickle.loads(pickle.dumps(event)) == event  # noqa: S301 - a pickle of this test
    assert hash(event) == hash(pickle.loads(pickle.dumps(event)))  # noqa: S301 - the same
