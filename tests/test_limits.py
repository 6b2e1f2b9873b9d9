"""Limits: AWS's defaults, those of an account, and the limits in force."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import datetime
import math
import pickle
import threading
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from aiorekostream.codec import parse_start
from aiorekostream.domain.geometry import BoundingBox
from aiorekostream.domain.names import StreamProcessorArn
from aiorekostream.domain.requests import FaceSearchStart, LabelDetectionUpdate, TagRequest, UntagRequest
from aiorekostream.domain.selectors import FragmentNumber, ProducerTimestamp, StopSelector
from aiorekostream.errors import InvalidRequestError
from aiorekostream.limits import DEFAULT_LIMITS, Limits, Quota, limits_in_force, using_limits
from aiorekostream.operations import OPERATIONS
from tests.domain.unusual_inputs import OddInt

if TYPE_CHECKING:
    from collections.abc import Callable

LONGER_SESSIONS = Limits(max_duration_in_seconds=300)
ARN = StreamProcessorArn.parse("arn:aws:rekognition:us-east-1:123456789012:streamprocessor/front-door")


def _is_allowed(seconds: int) -> bool:
    try:
        StopSelector(seconds)
    except InvalidRequestError:
        return False
    return True


# Copied by hand from https://docs.aws.amazon.com/general/latest/gr/rekognition.html, independently of limits.py.
RATES = {
    "CreateStreamProcessor": (20, "L-D6034D02"),
    "DeleteStreamProcessor": (20, "L-66AB9558"),
    "DescribeStreamProcessor": (20, "L-82C6694D"),
    "StartStreamProcessor": (20, "L-71793F35"),
    "UpdateStreamProcessor": (20, "L-0FB781AE"),
    "ListStreamProcessors": (5, "L-CF317234"),
    "StopStreamProcessor": (1, "L-85890340"),
    "TagResource": (10, "L-C141F2F9"),
    "UntagResource": (10, "L-BC04C31B"),
    "ListTagsForResource": (10, "L-711B1E8A"),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_default_quota_has_the_documented_rate_and_code(operation: str) -> None:
    quota = DEFAULT_LIMITS.quotas[operation]
    assert (quota.rate, quota.code) == RATES[operation]
    assert quota.burst >= 1


def test_default_quotas_cover_exactly_the_operations() -> None:
    assert set(DEFAULT_LIMITS.quotas) == set(OPERATIONS) == set(RATES)


def test_default_concurrency_matches_the_documented_regions() -> None:
    assert DEFAULT_LIMITS.concurrent_label_detection == {
        "us-east-1": 200,
        "us-west-2": 200,
        "us-east-2": 40,
        "ap-south-1": 40,
        "eu-west-1": 40,
    }
    faces = ("us-east-1", "us-west-2", "ap-northeast-1", "eu-central-1", "eu-west-1")
    assert DEFAULT_LIMITS.concurrent_face_search == dict.fromkeys(faces, 10)
    assert DEFAULT_LIMITS.max_stream_processors == 10_000


def test_default_limits_are_immutable() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        DEFAULT_LIMITS.max_tags = 5  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    for table in (
        DEFAULT_LIMITS.quotas,
        DEFAULT_LIMITS.concurrent_face_search,
        DEFAULT_LIMITS.concurrent_label_detection,
    ):
        with pytest.raises(TypeError):
            table["us-east-1"] = 5  # type: ignore[index]  # pyright: ignore[reportIndexIssue]


def test_limits_merge_entries_with_the_defaults_and_none_removes() -> None:
    quota = Quota(3, 3)
    limits = Limits(
        quotas={"StopStreamProcessor": quota, "TagResource": None},
        concurrent_face_search={"us-east-1": 25, "eu-west-1": None},
        concurrent_label_detection={"eu-south-1": 7},
    )
    assert limits.quotas["StopStreamProcessor"] is quota
    assert limits.quotas["StartStreamProcessor"] == DEFAULT_LIMITS.quotas["StartStreamProcessor"]
    assert "TagResource" not in limits.quotas
    assert (limits.concurrent_face_search["us-east-1"], limits.concurrent_face_search["us-west-2"]) == (25, 10)
    assert "eu-west-1" not in limits.concurrent_face_search
    assert limits.concurrent_label_detection == {**DEFAULT_LIMITS.concurrent_label_detection, "eu-south-1": 7}


def test_limits_keep_an_entry_removed_when_evolved() -> None:
    limits = attrs.evolve(Limits(quotas={"TagResource": None}), max_tags=5)
    assert "TagResource" not in limits.quotas


def test_limits_do_not_change_when_the_given_dict_changes() -> None:
    given = {"us-east-1": 5}
    limits = Limits(concurrent_face_search=given)
    given["us-east-1"] = 6
    assert limits.concurrent_face_search["us-east-1"] == 5


def test_limits_support_equality_hash_and_pickle() -> None:
    one, other = (Limits(quotas={"StopStreamProcessor": Quota(rate, 3)}) for rate in (3, 4))
    same: object = pickle.loads(pickle.dumps(one))  # noqa: S301 - a pickle of this test
    assert same == one != other
    assert {one, same, other} == {one, other}


@pytest.mark.parametrize("seconds", [300, 300.0, datetime.timedelta(minutes=5)], ids=str)
def test_limits_take_the_duration_as_seconds_or_a_timedelta(seconds: datetime.timedelta | float) -> None:
    assert Limits(max_duration_in_seconds=seconds) == LONGER_SESSIONS
    assert type(Limits(max_duration_in_seconds=seconds).max_duration_in_seconds) is int


@pytest.mark.parametrize(
    "seconds", [0, 1.5, math.nan, datetime.timedelta(seconds=1.5), datetime.timedelta(-1)], ids=str
)
def test_limits_reject_a_duration_that_is_not_whole_seconds(seconds: datetime.timedelta | float) -> None:
    with pytest.raises(InvalidRequestError, match="max_duration_in_seconds: must be a whole number of at least 1"):
        Limits(max_duration_in_seconds=seconds)


def test_limits_keep_plain_numbers_of_subclasses() -> None:
    limits = Limits(max_tags=OddInt(5), concurrent_face_search={"us-east-1": OddInt(6)})
    assert (limits.max_tags, limits.concurrent_face_search["us-east-1"]) == (5, 6)
    assert type(limits.max_tags) is type(limits.concurrent_face_search["us-east-1"]) is int
    assert type(Quota(rate=OddInt(5), burst=1).rate) is int
    with pytest.raises(InvalidRequestError):
        Limits(max_tags=OddInt(-5))


def test_using_limits_rejects_another_value() -> None:
    with pytest.raises(InvalidRequestError, match="limits: must be a Limits"), using_limits(_NONE):
        pass


_RATE = "a finite number of calls a second, at least 0.001"
_COUNT = "a whole number of at least 1"
_NONE: Any = None
_ONE: Any = 1
_FIVE: Any = 5
_SOME: Any = 2.5


@pytest.mark.parametrize(
    ("make", "issues"),
    [
        (lambda: Quota(0, 1), [("rate", 0, _RATE)]),
        (lambda: Quota(-1, 0.5), [("rate", -1, _RATE), ("burst", 0.5, "a finite number of calls, at least 1")]),
        (lambda: Quota(math.inf, 1), [("rate", math.inf, _RATE)]),
        (lambda: Quota(math.nan, 1), [("rate", math.nan, _RATE)]),
        (lambda: Quota(True, 1), [("rate", True, _RATE)]),  # noqa: FBT003
        (lambda: Quota(1, 1, _NONE), [("code", None, "text")]),
        (lambda: Limits(max_tags=0), [("max_tags", 0, _COUNT)]),
        (lambda: Limits(max_labels=_SOME), [("max_labels", 2.5, _COUNT)]),
        (
            lambda: Limits(concurrent_face_search={"us-east-1": 0}, max_tags=-1),
            [("concurrent_face_search.us-east-1", 0, f"{_COUNT}, or None"), ("max_tags", -1, _COUNT)],
        ),
        (lambda: Limits(concurrent_label_detection=_NONE), [("concurrent_label_detection", None, "a mapping")]),
        (
            lambda: Limits(concurrent_label_detection={_ONE: 5}),
            [("concurrent_label_detection.1", 5, "given for a Region's name")],
        ),
        (
            lambda: Limits(quotas={"TagResource": _FIVE}),
            [("quotas.TagResource", 5, "a Quota, or None")],
        ),
    ],
)
def test_limits_and_quota_reject_invalid_numbers(
    make: Callable[[], object], issues: list[tuple[str, object, str]]
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        make()
    assert [(issue.path, str(issue.value), issue.expected) for issue in caught.value.issues] == [
        (path, str(value), expected) for path, value, expected in issues
    ]


def test_limits_reject_a_quota_of_an_unknown_operation() -> None:
    """Such a quota would limit no call."""
    with pytest.raises(InvalidRequestError, match=r"quotas\.startStreamProcessor: .*StartStreamProcessor"):
        Limits(quotas={"startStreamProcessor": Quota(50, 50)})


def test_using_limits_applies_only_inside_the_block() -> None:
    assert not _is_allowed(300)
    with using_limits(LONGER_SESSIONS) as limits:
        assert limits is LONGER_SESSIONS is limits_in_force()
        assert _is_allowed(300)
        assert not _is_allowed(301)
        assert StopSelector(datetime.timedelta(minutes=5)) == StopSelector(300)
        wire = {"Name": "a", "StartSelector": {"KVSStreamStartSelector": {"FragmentNumber": "5"}}}
        parse_start({**wire, "StopSelector": {"MaxDurationInSeconds": 300}})
    assert limits_in_force() is DEFAULT_LIMITS
    assert not _is_allowed(300)


def test_issue_names_the_range_of_the_limits_in_force() -> None:
    with (
        using_limits(LONGER_SESSIONS),
        pytest.raises(InvalidRequestError, match="a whole number of seconds from 1 to 300"),
    ):
        StopSelector(301)


def test_using_limits_restores_the_previous_limits() -> None:
    """Also when blocks are nested and when one raises."""
    with using_limits(LONGER_SESSIONS):
        with contextlib.suppress(InvalidRequestError), using_limits(Limits(max_duration_in_seconds=5)):
            StopSelector(6)
            pytest.fail("6 seconds are more than 5")
        assert _is_allowed(300)
    assert not _is_allowed(300)


async def test_using_limits_applies_to_the_task_and_its_children_only() -> None:
    inside_block, others_done = asyncio.Event(), asyncio.Event()

    async def task_with_limits() -> tuple[bool, bool]:
        with using_limits(LONGER_SESSIONS):
            child = asyncio.create_task(_is_allowed_after(others_done))
            inside_block.set()
            await others_done.wait()
            return _is_allowed(300), await child

    async def other_task() -> bool:
        await inside_block.wait()
        allowed = _is_allowed(300)
        others_done.set()
        return allowed

    with_limits, other = await asyncio.gather(task_with_limits(), other_task())
    assert with_limits == (True, True)
    assert not other


async def _is_allowed_after(event: asyncio.Event) -> bool:
    await event.wait()
    return _is_allowed(300)


def test_using_limits_applies_to_a_thread_only_with_its_context() -> None:
    results: list[bool] = []

    def check() -> None:
        results.append(_is_allowed(300))

    with using_limits(LONGER_SESSIONS):
        without_context = threading.Thread(target=contextvars.Context().run, args=(check,))
        with_context = threading.Thread(target=contextvars.copy_context().run, args=(check,))
        for thread in (without_context, with_context):
            thread.start()
            thread.join()
    assert results == [False, True]


def test_value_stays_valid_when_the_limits_change() -> None:
    with using_limits(LONGER_SESSIONS):
        selector = StopSelector(300)
    assert selector.max_duration_in_seconds == 300


def test_limits_can_lower_the_number_of_tags() -> None:
    with using_limits(Limits(max_tags=1)):
        TagRequest(ARN, {"a": ""})
        with pytest.raises(InvalidRequestError, match="at most 1 tags"):
            TagRequest(ARN, {"a": "", "b": ""})
        with pytest.raises(InvalidRequestError, match="1 to 1 tag keys"):
            UntagRequest(ARN, ["a", "b"])


def test_limits_can_lower_the_number_of_labels() -> None:
    with using_limits(Limits(max_labels=1)), pytest.raises(InvalidRequestError, match="from 1 to 1 of them"):
        LabelDetectionUpdate(name="a", labels=["PET", "PERSON"])


def test_limits_do_not_relax_structural_rules() -> None:
    huge = 10**9
    relaxed = Limits(
        max_duration_in_seconds=huge,
        max_labels=huge,
        max_regions_of_interest=huge,
        max_polygon_points=huge,
        max_tags=huge,
    )
    with using_limits(relaxed):
        for make in (
            lambda: FaceSearchStart("a" * 129),
            lambda: FragmentNumber("1" * 129),
            lambda: ProducerTimestamp(1655930623),
            lambda: StopSelector(0),
            lambda: LabelDetectionUpdate(name="a", labels=["PET", "PET"]),
            lambda: LabelDetectionUpdate(name="a", min_confidence=101),
            lambda: LabelDetectionUpdate(name="a", regions_of_interest=[BoundingBox(left=2, top=0, width=1, height=1)]),
            lambda: TagRequest(ARN, {"aws:a": ""}),
        ):
            with pytest.raises(InvalidRequestError):
                make()
