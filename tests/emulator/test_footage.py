from __future__ import annotations

import datetime
import math
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiorekostream.domain.enums import Label
from aiorekostream.domain.geometry import BoundingBox
from aiorekostream.emulator import Analyst, Appearance, Footage, KnownFace, RandomFootage, VideoMoment, VisibleFace
from aiorekostream.errors import InvalidRequestError
from tests.effort import part
from tests.emulator.samples import video

START = 1_700_000_000.0


def moment(at: float, *, stream: str = "porch", start: float = START) -> VideoMoment:
    """Return the moment that is a number of seconds after the start of a session."""
    return VideoMoment(stream_arn=video(stream), session_start=start, at=start + at)


def seen(analyst: Analyst, at: float, *, stream: str = "porch") -> list[str]:
    return [detection.subject for detection in analyst.detect(moment(at, stream=stream))]


def changes(analyst: Analyst, *, until: float, stream: str = "porch") -> list[float]:
    """Return the moments at which something may change, in seconds after the start."""
    found: list[float] = []
    at: float | None = START
    while at is not None and at < START + until:
        found.append(at - START)
        at = analyst.next_change(moment(at - START, stream=stream))
    return found


def test_appearance_is_visible_from_its_moment_for_its_duration() -> None:
    footage = Footage([Appearance(Label.PERSON, at=2, duration=3), Appearance(Label.PET, at=4)])
    assert [seen(footage, at) for at in (0, 1.9, 2, 4, 4.9, 5, 1e6)] == [
        [],
        [],
        ["PERSON"],
        ["PERSON", "PET"],
        ["PERSON", "PET"],
        ["PET"],
        ["PET"],
    ]
    assert changes(footage, until=100) == [0, 2, 4, 5]


def test_appearance_is_on_the_streams_of_its_pattern() -> None:
    footage = Footage([Appearance(Label.PERSON, stream="por*"), Appearance(Label.PET, stream=video("garden"))])
    assert [seen(footage, 0, stream=name) for name in ("porch", "garden", "attic")] == [["PERSON"], ["PET"], []]


def test_appearance_at_a_date_is_the_same_for_every_session() -> None:
    at = datetime.datetime.fromtimestamp(START + 60, datetime.UTC)
    footage = Footage([Appearance(Label.PACKAGE, at=at, duration=datetime.timedelta(seconds=10))])
    for start in (START, START + 55):
        visible = [footage.detect(moment(START + second - start, start=start)) for second in (59, 60, 69, 70)]
        assert [len(detections) for detections in visible] == [0, 1, 1, 0]


def test_appearance_has_its_box_and_its_confidence() -> None:
    box = BoundingBox(left=0.1, top=0.2, width=0.3, height=0.4)
    (detection,) = Footage([Appearance("PET", bounding_box=box, confidence=51)]).detect(moment(0))
    assert (detection.subject, detection.bounding_box, detection.confidence) == (Label.PET, box, 51)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"subject": "ALL"}, "subject"),
        ({"subject": "TREE"}, "subject"),
        ({"stream": ""}, "stream"),
        ({"at": -1}, "at"),
        ({"at": datetime.datetime(2026, 1, 1)}, "at"),  # noqa: DTZ001 - a datetime without a time zone
        ({"duration": 0}, "duration"),
        ({"bounding_box": (0, 0, 1, 1)}, "bounding_box"),
        ({"confidence": 101}, "confidence"),
        ({"face": "resident-01"}, "face"),
        ({"subject": "PET", "face": VisibleFace([KnownFace("a")])}, "face"),
    ],
)
def test_appearance_is_refused(changes: dict[str, Any], path: str) -> None:
    given: dict[str, Any] = {"subject": Label.PERSON, **changes}
    with pytest.raises(InvalidRequestError) as caught:
        Appearance(**given)
    assert [issue.path for issue in caught.value.issues] == [path]


def test_footage_is_refused_with_the_place_of_each_issue() -> None:
    given: Any = [Appearance(Label.PERSON), "PERSON"]
    with pytest.raises(InvalidRequestError) as caught:
        Footage(given)
    assert [issue.path for issue in caught.value.issues] == ["appearances[1]"]


def test_appearance_has_its_face() -> None:
    face = VisibleFace([KnownFace("a")])
    (detection,) = Footage([Appearance("PERSON", face=face)]).detect(moment(0))
    assert detection.face is face


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"face_id": ""}, "face_id"),
        ({"collection": ""}, "collection"),
        ({"similarity": 101}, "similarity"),
        ({"external_image_id": ""}, "external_image_id"),
        ({"image_id": 5}, "image_id"),
        ({"index_faces_model_version": 6}, "index_faces_model_version"),
    ],
)
def test_known_face_is_refused(changes: dict[str, Any], path: str) -> None:
    given: dict[str, Any] = {"face_id": "a", **changes}
    with pytest.raises(InvalidRequestError) as caught:
        KnownFace(**given)
    assert [issue.path for issue in caught.value.issues] == [path]


def test_visible_face_is_refused_with_the_place_of_each_issue() -> None:
    known: Any = [KnownFace("a"), "b"]
    box: Any = (0, 0, 1, 1)
    with pytest.raises(InvalidRequestError) as caught:
        VisibleFace(known, bounding_box=box)
    assert [issue.path for issue in caught.value.issues] == ["known_faces[1]", "bounding_box"]


def test_random_footage_depends_on_seed_and_stream() -> None:
    def course(seed: int, stream: str) -> list[tuple[float, list[str]]]:
        footage = RandomFootage(seed=seed)
        return [(at, seen(footage, at, stream=stream)) for at in changes(footage, until=120, stream=stream)]

    courses = [course(seed, stream) for seed in (1, 2) for stream in ("porch", "garden")]
    assert course(1, "porch") == courses[0]
    assert len({str(each) for each in courses}) == 4


def test_random_footage_shows_each_subject_once_in_an_interval() -> None:
    footage = RandomFootage(interval=10, duration=2, subjects=["PERSON", "PET"])
    begun: Counter[str] = Counter()
    before: list[str] = []
    for at in changes(footage, until=1000):
        now = seen(footage, at)
        begun.update(Counter(now) - Counter(before))
        before = now
    # Two appearances may touch, and those of the first and of the last interval may lie outside.
    assert set(begun) == {"PERSON", "PET"}
    assert all(97 <= count <= 101 for count in begun.values()), begun


@pytest.mark.parametrize("seed", range(part(5)))
def test_random_appearance_lasts_for_its_duration(seed: int) -> None:
    """Also where an interval ends meanwhile."""
    footage = RandomFootage(seed=seed, interval=10, duration=8, subjects=["PERSON"])
    before, begun = ["PERSON"], 0
    for at in changes(footage, until=200):
        now = seen(footage, at)
        if now and not before:
            begun += 1
            assert seen(footage, at + 7.99)
        before = now
    assert begun > 3


@pytest.mark.parametrize("seed", range(part(5)))
def test_random_footage_changes_at_the_moments_that_it_tells(seed: int) -> None:
    footage = RandomFootage(seed=seed, interval=10, duration=8)
    moments = [*changes(footage, until=100), 100]
    for begin, end in pairwise(moments):
        for step in range(1, 10):
            assert seen(footage, begin + (end - begin) * step / 10) == seen(footage, begin)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"seed": -1}, "seed"),
        ({"interval": 0}, "interval"),
        ({"interval": 4, "duration": 5}, "duration"),
        ({"subjects": ["TREE"]}, "subjects[0]"),
        ({"known_faces": ["a"]}, "known_faces[0]"),
    ],
)
def test_random_footage_is_refused(changes: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        RandomFootage(**changes)
    assert [issue.path for issue in caught.value.issues] == [path]


SUBJECTS = st.sampled_from([Label.PERSON, Label.PET, Label.PACKAGE])
SECONDS = st.integers(0, 400).map(lambda tenths: tenths / 10)
APPEARANCES = st.builds(Appearance, SUBJECTS, at=SECONDS, duration=st.none() | SECONDS.map(lambda at: at + 0.1))
ANALYSTS = st.builds(Footage, st.lists(APPEARANCES, max_size=6)) | st.builds(
    RandomFootage, seed=st.integers(0, 99), interval=st.sampled_from([5.0, 8.0, 20.0])
)


@given(ANALYSTS, SECONDS, SECONDS)
def test_nothing_changes_before_the_next_change(analyst: Analyst, at: float, later: float) -> None:
    """The emulator asks for no moment in between."""
    change = analyst.next_change(moment(at))
    end = math.inf if change is None else change
    assert end > START + at
    if at <= later and START + later < end:
        assert analyst.detect(moment(later)) == analyst.detect(moment(at))
