"""What is written: nothing that says nothing, and nothing but JSON."""

from __future__ import annotations

import datetime

import pytest

from aiorekostream.codec import encode
from aiorekostream.domain.requests import RESET, LabelDetectionStart, LabelDetectionUpdate, ListRequest
from aiorekostream.domain.selectors import FragmentNumber, ProducerTimestamp, StopSelector


def test_what_is_not_given_is_not_sent() -> None:
    assert encode(ListRequest()) == {}
    assert encode(ListRequest(max_results=5)) == {"MaxResults": 5}


@pytest.mark.parametrize("value", [False, 0.0])
def test_false_and_zero_are_sent(value: object) -> None:
    update = (
        LabelDetectionUpdate(name="a", data_sharing_opt_in=False)
        if value is False
        else LabelDetectionUpdate(name="a", min_confidence=0)
    )
    assert len(encode(update)) == 2


def test_a_moment_is_sent_in_milliseconds_and_exactly_one_selector() -> None:
    moment = datetime.datetime(2022, 6, 22, 20, 43, 43, 123999, tzinfo=datetime.UTC)
    for selector, wire in (
        (ProducerTimestamp.from_datetime(moment), {"ProducerTimestamp": 1655930623123}),
        (FragmentNumber("007"), {"FragmentNumber": "007"}),
    ):
        start = LabelDetectionStart(name="a", start_selector=selector, stop_selector=StopSelector())
        assert encode(start)["StartSelector"] == {"KVSStreamStartSelector": wire}


def test_the_default_duration_is_sent_and_not_left_to_aws() -> None:
    start = LabelDetectionStart(name="a", start_selector=FragmentNumber("5"), stop_selector=StopSelector())
    assert encode(start)["StopSelector"] == {"MaxDurationInSeconds": 10}


def test_a_parameter_is_set_or_deleted_and_never_both() -> None:
    wire = encode(LabelDetectionUpdate(name="a", labels=["PET"], min_confidence=RESET))
    assert wire == {
        "Name": "a",
        "SettingsForUpdate": {"ConnectedHomeForUpdate": {"Labels": ["PET"]}},
        "ParametersToDelete": ["ConnectedHomeMinConfidence"],
    }


def test_what_was_written_can_be_changed_without_changing_the_value() -> None:
    update = LabelDetectionUpdate(name="a", labels=["PET"], regions_of_interest=[])
    wire = encode(update)
    wire.clear()
    assert encode(update)["Name"] == "a"
