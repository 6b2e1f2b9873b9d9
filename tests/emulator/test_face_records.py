"""What the records of face searches contain, and how they are spelled."""

from __future__ import annotations

import json
import re
from typing import cast

import pytest

from aiorekostream.domain.enums import Label
from aiorekostream.domain.geometry import BoundingBox
from aiorekostream.emulator import Analyst, Appearance, Footage, KnownFace, RandomFootage, Timings, VisibleFace
from aiorekostream.emulator.world.face_records import java_double
from aiorekostream.results import parse_face_record
from tests.emulator.face_searches import BEGIN, GUEST, RESIDENT, lobby, person
from tests.emulator.samples import video
from tests.payloads import text

EVERYONE = Footage(
    [
        person(RESIDENT, GUEST),
        Appearance(Label.PERSON, at=100, duration=300),
        Appearance(
            Label.PERSON,
            at=200,
            face=VisibleFace([GUEST], bounding_box=BoundingBox(left=-0.125, top=0.9, width=0.25, height=0.25)),
        ),
        Appearance(Label.PET),
    ]
)


def test_record_is_spelled_as_at_aws() -> None:
    """The members, their order and the notation of the numbers are those of the records that were seen in public."""
    aws = lobby(person(RESIDENT), Input={"KinesisVideoStream": {"Arn": video("lobby")}})
    aws.done("StartStreamProcessor", Name="lobby")
    aws.wait(5)
    first, second = (record.data.decode() for record in aws.stored()[1:3])
    sample = text("face-record-one-match")
    assert keys(json.loads(first)) == keys(json.loads(sample))
    notation = re.compile(r'"ServerTimestamp":1\.[0-9]+E9,"ProducerTimestamp":1\.[0-9]+E9,"FrameOffsetInSeconds":')
    assert notation.search(sample)
    assert notation.search(first)
    assert notation.search(second)
    video_of = json.loads(first)["InputInformation"]["KinesisVideo"]
    assert video_of["StreamArn"] == video("lobby")
    # A fragment begins at each even second, and a frame is analyzed at each whole one.
    assert (video_of["ProducerTimestamp"], video_of["FrameOffsetInSeconds"]) == (BEGIN, 1.0)
    assert json.loads(first)["StreamProcessorInformation"] == {"Status": "RUNNING"}


def keys(value: object) -> object:
    """Return the names of all members, in their order."""
    if isinstance(value, dict):
        return [(name, keys(member)) for name, member in cast("dict[str, object]", value).items()]
    return [keys(item) for item in cast("list[object]", value)] if isinstance(value, list) else None


def test_record_without_a_person_has_no_face() -> None:
    aws = lobby(Appearance(Label.PET))
    aws.done("StartStreamProcessor", Name="lobby")
    aws.wait(1)
    (record,) = aws.stored()
    assert record.data.endswith(b',"FaceSearchResponse":[]}')


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1_650_000_123.456, "1.650000123456E9"),
        (1_700_000_000, "1.7E9"),
        (10_000_000, "1.0E7"),
        (9_999_999.5, "9999999.5"),
        (722.643, "722.643"),
        (0.0, "0.0"),
    ],
)
def test_numbers_are_in_the_notation_of_java(value: float, written: str) -> None:
    assert java_double(value) == written
    assert json.loads(written) == value


def test_offset_is_a_32_bit_float() -> None:
    aws = lobby(timings=Timings(starting=0.841, detecting=0))
    aws.done("StartStreamProcessor", Name="lobby")
    aws.wait(2)
    assert b'"FrameOffsetInSeconds":1.840999960899353' in aws.stored()[1].data


def test_face_of_a_person_is_in_the_upper_part_of_the_box() -> None:
    box = BoundingBox(left=0.25, top=0.25, width=0.5, height=0.5)
    aws = lobby(Appearance(Label.PERSON, bounding_box=box, confidence=88.5))
    aws.done("StartStreamProcessor", Name="lobby")
    aws.wait(1)
    (face,) = aws.records()[0]["FaceSearchResponse"]
    assert face["MatchedFaces"] == []
    detected = face["DetectedFace"]
    assert detected["BoundingBox"] == {"Height": 0.125, "Width": 0.25, "Left": 0.375, "Top": 0.25}
    assert detected["Confidence"] == 88.5
    assert [mark["Type"] for mark in detected["Landmarks"]] == [
        "eyeLeft",
        "eyeRight",
        "mouthLeft",
        "mouthRight",
        "nose",
    ]
    assert all(0.375 < mark["X"] < 0.625 and 0.25 < mark["Y"] < 0.375 for mark in detected["Landmarks"])
    assert all(-90 <= angle <= 90 for angle in detected["Pose"].values())
    assert all(0 <= value <= 100 for value in detected["Quality"].values())


def test_face_may_lie_partly_outside_the_frame() -> None:
    box = BoundingBox(left=-0.0625, top=0.875, width=0.1875, height=0.3125)
    aws = lobby(person(box=box))
    aws.done("StartStreamProcessor", Name="lobby")
    aws.wait(1)
    (face,) = aws.records()[0]["FaceSearchResponse"]
    assert face["DetectedFace"]["BoundingBox"] == {"Height": 0.3125, "Width": 0.1875, "Left": -0.0625, "Top": 0.875}


def test_matches_are_ordered_by_similarity() -> None:
    aws = lobby(person(RESIDENT, GUEST))
    aws.done("StartStreamProcessor", Name="lobby")
    aws.wait(1)
    guest, resident = aws.records()[0]["FaceSearchResponse"][0]["MatchedFaces"]
    assert (guest["Similarity"], resident["Similarity"]) == (99.5, 98.25)
    assert guest["Face"]["FaceId"] == GUEST.face_id
    assert guest["Face"]["IndexFacesModelVersion"] == "6.0"
    assert "ExternalImageId" not in guest["Face"]
    assert resident["Face"]["ExternalImageId"] == "resident-01"
    assert "IndexFacesModelVersion" not in resident["Face"]


@pytest.mark.parametrize(
    ("settings", "known", "matches"),
    [
        ({"CollectionId": "staff"}, KnownFace("a", similarity=80), 1),
        ({"CollectionId": "staff"}, KnownFace("a", similarity=79.9), 0),
        ({"CollectionId": "staff", "FaceMatchThreshold": 60}, KnownFace("a", similarity=79.9), 0),
        ({"CollectionId": "staff", "FaceMatchThreshold": 95}, KnownFace("a", similarity=94), 0),
        ({"CollectionId": "staff"}, KnownFace("a", collection="st*"), 1),
        ({"CollectionId": "staff"}, KnownFace("a", collection="guests"), 0),
    ],
)
def test_match_depends_on_collection_and_threshold(settings: object, known: KnownFace, matches: int) -> None:
    """AWS raises a threshold below 80 to it."""
    aws = lobby(person(known), Settings={"FaceSearch": settings})
    aws.done("StartStreamProcessor", Name="lobby")
    aws.wait(1)
    assert len(aws.records()[0]["FaceSearchResponse"][0]["MatchedFaces"]) == matches


@pytest.mark.parametrize("analyst", [EVERYONE, RandomFootage(interval=7, known_faces=[RESIDENT, GUEST])])
def test_every_record_is_read_by_the_package(analyst: Analyst) -> None:
    """The emulator spells records by itself, without the package's codec."""
    aws = lobby(analyst=analyst, timings=Timings(starting=0.123, detecting=0, sampling=1.7))
    aws.done("StartStreamProcessor", Name="lobby")
    aws.wait(600)
    records = aws.stored()
    assert len(records) == 353
    for record in records:
        found, members = parse_face_record(record.data), json.loads(record.data)
        assert found.frame_time is not None
        # The lag of 0 s: the record arrives when the frame was seen.
        assert abs(found.frame_time.timestamp() - record.arrived_at) < 0.002
        faces = members["FaceSearchResponse"]
        assert [
            [(match.similarity, match.face.face_id, match.face.external_image_id) for match in face.matched_faces]
            for face in found.faces
        ] == [
            [
                (match["Similarity"], match["Face"]["FaceId"], match["Face"].get("ExternalImageId"))
                for match in face["MatchedFaces"]
            ]
            for face in faces
        ]
        for face, wire in zip(found.faces, faces, strict=True):
            assert face.detected_face.bounding_box.left == wire["DetectedFace"]["BoundingBox"]["Left"]


def test_partition_keys_are_random_ids() -> None:
    aws = lobby()
    aws.done("StartStreamProcessor", Name="lobby")
    aws.wait(100)
    found = [record.partition_key for record in aws.stored()]
    assert len(set(found)) == len(found) == 100
    assert all(
        re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", key) for key in found
    )


def test_record_is_the_same_however_often_it_is_read() -> None:
    faces_seen = RandomFootage(interval=3, duration=3, known_faces=[RESIDENT, GUEST], subjects=[Label.PERSON])
    aws = lobby(analyst=faces_seen)
    aws.done("StartStreamProcessor", Name="lobby")
    aws.wait(300)
    first, second = aws.records(), aws.records()
    assert first == second
    seen = [
        [match["Face"]["FaceId"] for match in face["MatchedFaces"]]
        for record in first
        for face in record["FaceSearchResponse"]
    ]
    for expected in ([], [RESIDENT.face_id], [GUEST.face_id]):
        assert seen.count(expected) > len(seen) / 6
