"""The numbers that AWS owns: its defaults, and another account's."""

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

if TYPE_CHECKING:
    from collections.abc import Callable

LONGER = Limits(max_duration_in_seconds=300)
ARN = StreamProcessorArn.parse("arn:aws:rekognition:us-east-1:123456789012:streamprocessor/front-door")


def _allowed(seconds: int) -> bool:
    try:
        StopSelector(seconds)
    except InvalidRequestError:
        return False
    return True


# https://docs.aws.amazon.com/general/latest/gr/rekognition.html, read once more and by hand.
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
def test_each_operation_has_awss_rate_and_the_code_of_its_quota(operation: str) -> None:
    quota = DEFAULT_LIMITS.quotas[operation]
    assert (quota.rate, quota.code) == RATES[operation]
    assert quota.burst >= 1


def test_there_is_a_quota_for_each_operation_and_no_other() -> None:
    assert set(DEFAULT_LIMITS.quotas) == set(OPERATIONS) == set(RATES)


def test_each_kind_is_offered_in_awss_regions_with_awss_concurrency() -> None:
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


def test_the_defaults_cannot_be_changed() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        DEFAULT_LIMITS.max_tags = 5  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    for table in (
        DEFAULT_LIMITS.quotas,
        DEFAULT_LIMITS.concurrent_face_search,
        DEFAULT_LIMITS.concurrent_label_detection,
    ):
        with pytest.raises(TypeError):
            table["us-east-1"] = 5  # type: ignore[index]  # pyright: ignore[reportIndexIssue]


def test_what_is_not_named_is_awss_default_and_none_is_no_limit() -> None:
    faster = Quota(3, 3)
    limits = Limits(
        quotas={"StopStreamProcessor": faster, "TagResource": None},
        concurrent_face_search={"us-east-1": 25, "eu-west-1": None},
        concurrent_label_detection={"eu-south-1": 7},
    )
    assert limits.quotas["StopStreamProcessor"] is faster
    assert limits.quotas["StartStreamProcessor"] == DEFAULT_LIMITS.quotas["StartStreamProcessor"]
    assert "TagResource" not in limits.quotas
    assert (limits.concurrent_face_search["us-east-1"], limits.concurrent_face_search["us-west-2"]) == (25, 10)
    assert "eu-west-1" not in limits.concurrent_face_search
    assert limits.concurrent_label_detection == {**DEFAULT_LIMITS.concurrent_label_detection, "eu-south-1": 7}


def test_what_was_taken_away_stays_away_in_a_changed_copy() -> None:
    limits = attrs.evolve(Limits(quotas={"TagResource": None}), max_tags=5)
    assert "TagResource" not in limits.quotas


def test_the_dict_that_was_given_may_be_changed_without_harm() -> None:
    given = {"us-east-1": 5}
    limits = Limits(concurrent_face_search=given)
    given["us-east-1"] = 6
    assert limits.concurrent_face_search["us-east-1"] == 5


def test_limits_are_values_that_can_be_compared_hashed_and_pickled() -> None:
    one, other = (Limits(quotas={"StopStreamProcessor": Quota(rate, 3)}) for rate in (3, 4))
    same: object = pickle.loads(pickle.dumps(one))  # noqa: S301 - our own
    assert same == one != other
    assert {one, same, other} == {one, other}


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
def test_numbers_that_no_account_can_have_are_refused_with_what_is_allowed(
    make: Callable[[], object], issues: list[tuple[str, object, str]]
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        make()
    assert [(issue.path, str(issue.value), issue.expected) for issue in caught.value.issues] == [
        (path, str(value), allowed) for path, value, allowed in issues
    ]


def test_a_quota_of_an_operation_that_there_is_not_is_refused_since_nothing_would_be_paced_by_it() -> None:
    with pytest.raises(InvalidRequestError, match=r"quotas\.startStreamProcessor: .*StartStreamProcessor"):
        Limits(quotas={"startStreamProcessor": Quota(50, 50)})


def test_a_longer_session_is_allowed_inside_the_block_and_nowhere_else() -> None:
    assert not _allowed(300)
    with using_limits(LONGER) as limits:
        assert limits is LONGER is limits_in_force()
        assert _allowed(300)
        assert not _allowed(301)
        assert StopSelector(datetime.timedelta(minutes=5)) == StopSelector(300)
        wire = {"Name": "a", "StartSelector": {"KVSStreamStartSelector": {"FragmentNumber": "5"}}}
        parse_start({**wire, "StopSelector": {"MaxDurationInSeconds": 300}})
    assert limits_in_force() is DEFAULT_LIMITS
    assert not _allowed(300)


def test_the_range_that_a_refusal_names_is_that_of_the_limits_in_force() -> None:
    with using_limits(LONGER), pytest.raises(InvalidRequestError, match="a whole number of seconds from 1 to 300"):
        StopSelector(301)


def test_blocks_inside_blocks_and_blocks_that_fail_give_back_what_was_before() -> None:
    with using_limits(LONGER):
        with contextlib.suppress(InvalidRequestError), using_limits(Limits(max_duration_in_seconds=5)):
            StopSelector(6)
            pytest.fail("6 seconds are more than 5")
        assert _allowed(300)
    assert not _allowed(300)


async def test_limits_hold_for_a_task_and_those_that_it_starts_and_not_for_its_neighbours() -> None:
    inside, outside = asyncio.Event(), asyncio.Event()

    async def raised() -> tuple[bool, bool]:
        with using_limits(LONGER):
            child = asyncio.create_task(_later(outside))
            inside.set()
            await outside.wait()
            return _allowed(300), await child

    async def neighbour() -> bool:
        await inside.wait()
        allowed = _allowed(300)
        outside.set()
        return allowed

    here, there = await asyncio.gather(raised(), neighbour())
    assert here == (True, True)
    assert not there


async def _later(event: asyncio.Event) -> bool:
    await event.wait()
    return _allowed(300)


def test_limits_hold_for_a_thread_only_if_it_is_given_them() -> None:
    found: list[bool] = []

    def look() -> None:
        found.append(_allowed(300))

    with using_limits(LONGER):
        plain = threading.Thread(target=contextvars.Context().run, args=(look,))
        given = threading.Thread(target=contextvars.copy_context().run, args=(look,))
        for thread in (plain, given):
            thread.start()
            thread.join()
    assert found == [False, True]


def test_a_value_stays_what_it_is_when_the_limits_change() -> None:
    with using_limits(LONGER):
        selector = StopSelector(300)
    assert selector.max_duration_in_seconds == 300


def test_fewer_tags_can_be_allowed() -> None:
    with using_limits(Limits(max_tags=1)):
        TagRequest(ARN, {"a": ""})
        with pytest.raises(InvalidRequestError, match="at most 1 tags"):
            TagRequest(ARN, {"a": "", "b": ""})
        with pytest.raises(InvalidRequestError, match="1 to 1 tag keys"):
            UntagRequest(ARN, ["a", "b"])


def test_fewer_labels_can_be_allowed() -> None:
    with using_limits(Limits(max_labels=1)), pytest.raises(InvalidRequestError, match="from 1 to 1 of them"):
        LabelDetectionUpdate(name="a", labels=["PET", "PERSON"])


def test_no_limit_loosens_what_is_a_rule() -> None:
    huge = 10**9
    loose = Limits(
        max_duration_in_seconds=huge,
        max_labels=huge,
        max_regions_of_interest=huge,
        max_polygon_points=huge,
        max_tags=huge,
    )
    with using_limits(loose):
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
