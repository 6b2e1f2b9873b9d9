"""Encoding of requests: fields without a value are omitted."""

from __future__ import annotations

import datetime

import pytest

from aiorekostream.codec import encode
from aiorekostream.domain.requests import RESET, LabelDetectionStart, LabelDetectionUpdate, ListRequest
from aiorekostream.domain.selectors import FragmentNumber, ProducerTimestamp, StopSelector


def test_encode_omits_fields_that_are_not_given() -> None:
    assert encode(ListRequest()) == {}
    assert encode(ListRequest(max_results=5)) == {"MaxResults": 5}


@pytest.mark.parametrize("value", [False, 0.0])
def test_encode_keeps_false_and_zero(value: object) -> None:
    update = (
        LabelDetectionUpdate(name="a", data_sharing_opt_in=False)
        if value is False
        else LabelDetectionUpdate(name="a", min_confidence=0)
    )
    assert len(encode(update)) == 2


def test_encode_writes_exactly_one_start_selector() -> None:
    """A timestamp is written in milliseconds."""
    recorded = datetime.datetime(2022, 6, 22, 20, 43, 43, 123999, tzinfo=datetime.UTC)
    for selector, wire in (
        (ProducerTimestamp.from_datetime(recorded), {"ProducerTimestamp": 1655930623123}),
        (FragmentNumber("007"), {"FragmentNumber": "007"}),
    ):
        start = LabelDetectionStart(name="a", start_selector=selector, stop_selector=StopSelector())
        assert encode(start)["StartSelector"] == {"KVSStreamStartSelector": wire}


def test_encode_writes_the_default_duration() -> None:
    start = LabelDetectionStart(name="a", start_selector=FragmentNumber("5"), stop_selector=StopSelector())
    assert encode(start)["StopSelector"] == {"MaxDurationInSeconds": 10}


def test_encode_either_sets_or_deletes_a_parameter() -> None:
    wire = encode(LabelDetectionUpdate(name="a", labels=["PET"], min_confidence=RESET))
    assert wire == {
        "Name": "a",
        "SettingsForUpdate": {"ConnectedHomeForUpdate": {"Labels": ["PET"]}},
        "ParametersToDelete": ["ConnectedHomeMinConfidence"],
    }


def test_encode_returns_a_new_object_each_time() -> None:
    update = LabelDetectionUpdate(name="a", labels=["PET"], regions_of_interest=[])
    wire = encode(update)
    wire.clear()
    assert encode(update)["Name"] == "a"
