"""Any record of face search: what is encoded as AWS does is parsed, and both ways of reading agree."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aiorekostream.codec import parse_face_record
from aiorekostream.codec.lenient import LenientConverter
from aiorekostream.domain.faces import (
    DetectedFace,
    Face,
    FaceSearchRecord,
    ImageQuality,
    Landmark,
    MatchedFace,
    Pose,
    SearchedFace,
)
from aiorekostream.domain.geometry import BoundingBox
from aiorekostream.domain.status import Status
from aiorekostream.errors import MalformedEventError
from tests import strategies
from tests.codec.events import JUNK, assert_returns_or_reports, json_values, milliseconds, without_none
from tests.codec.json_paths import Json, replaced, walk, without
from tests.effort import examples
from tests.payloads import FACE_RECORDS, wire

if TYPE_CHECKING:
    import datetime

STATUS = ("StreamProcessorInformation", "Status")
_TEXT = strategies.sendable_text
_NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
_BOXES = st.builds(BoundingBox, left=_NUMBERS, top=_NUMBERS, width=_NUMBERS, height=_NUMBERS)
_MATCHES = st.builds(
    MatchedFace,
    face=st.builds(
        Face,
        face_id=_TEXT,
        image_id=st.none() | _TEXT,
        external_image_id=st.none() | _TEXT,
        bounding_box=st.none() | _BOXES,
        confidence=st.none() | _NUMBERS,
        index_faces_model_version=st.none() | _TEXT,
    ),
    similarity=_NUMBERS,
)
_DETECTED = st.builds(
    DetectedFace,
    bounding_box=_BOXES,
    confidence=_NUMBERS,
    landmarks=st.lists(st.builds(Landmark, type=_TEXT, x=_NUMBERS, y=_NUMBERS), max_size=2).map(tuple),
    pose=st.none() | st.builds(Pose, pitch=_NUMBERS, roll=_NUMBERS, yaw=_NUMBERS),
    quality=st.none() | st.builds(ImageQuality, brightness=_NUMBERS, sharpness=_NUMBERS),
)
RECORDS = st.builds(
    FaceSearchRecord,
    kinesis_video_stream_arn=_TEXT,
    position=strategies.video_positions,
    faces=st.lists(
        st.builds(SearchedFace, detected_face=_DETECTED, matched_faces=st.lists(_MATCHES, max_size=2).map(tuple)),
        max_size=2,
    ).map(tuple),
    status=st.none() | st.sampled_from(Status) | st.text(min_size=1).map(Status),
)


def _seconds(moment: datetime.datetime | datetime.timedelta) -> float:
    return milliseconds(moment) / 1000


def _capitalized(value: attrs.AttrsInstance | None) -> Json:
    return None if value is None else {name.capitalize(): number for name, number in attrs.asdict(value).items()}


def _reference_face(searched: SearchedFace) -> Json:
    face = searched.detected_face
    detected = {
        "BoundingBox": _capitalized(face.bounding_box),
        "Confidence": face.confidence,
        "Landmarks": [_capitalized(landmark) for landmark in face.landmarks],
        "Pose": _capitalized(face.pose),
        "Quality": _capitalized(face.quality),
    }
    matches = [
        {
            "Similarity": match.similarity,
            "Face": without_none(
                {
                    "FaceId": match.face.face_id,
                    "ImageId": match.face.image_id,
                    "ExternalImageId": match.face.external_image_id,
                    "BoundingBox": _capitalized(match.face.bounding_box),
                    "Confidence": match.face.confidence,
                    "IndexFacesModelVersion": match.face.index_faces_model_version,
                }
            ),
        }
        for match in searched.matched_faces
    ]
    return {"DetectedFace": without_none(detected), "MatchedFaces": matches}


def _reference_encode(record: FaceSearchRecord) -> Json:
    """Encode a record as AWS does, by the tables of its documentation."""
    position = record.position
    return {
        "InputInformation": {
            "KinesisVideo": {
                "StreamArn": record.kinesis_video_stream_arn,
                "FragmentNumber": position.fragment_number.value,
                "ServerTimestamp": _seconds(position.server_timestamp),
                "ProducerTimestamp": _seconds(position.producer_timestamp),
                "FrameOffsetInSeconds": _seconds(position.frame_offset),
            }
        },
        "StreamProcessorInformation": without_none({"Status": record.status and str(record.status)}),
        "FaceSearchResponse": [_reference_face(face) for face in record.faces],
    }


@given(RECORDS)
def test_parse_returns_the_record_that_was_encoded(record: FaceSearchRecord) -> None:
    assert parse_face_record(json.dumps(_reference_encode(record))) == record


@examples(300)
@given(members=RECORDS.map(_reference_encode) | st.sampled_from([wire(name) for name in FACE_RECORDS]), data=st.data())
def test_both_ways_of_reading_agree(members: Json, data: st.DataObject) -> None:
    """A record without its status is never read directly; it equals the others but for the status."""
    if data.draw(st.booleans()):
        path = data.draw(st.sampled_from([path for path, _ in walk(members) if path[0] != STATUS[0]]))
        members = replaced(members, path, data.draw(st.sampled_from([*JUNK, None, 0, -1, 1e12, 0.5, 1.6e9])))
    outcomes: list[object] = []
    for variant in (replaced(members, STATUS, "RUNNING"), without(members, STATUS[:1])):
        try:
            outcomes.append(attrs.evolve(parse_face_record(variant), status=None))
        except MalformedEventError as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("name", FACE_RECORDS)
def test_usual_record_is_read_without_cattrs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(LenientConverter, "structure")
    assert parse_face_record(wire(name)) == FACE_RECORDS[name]


@given(json_values("Records", "records", "kinesis", "data", "Data", "InputInformation"))
@example({"kinesis": {"kinesis": {"Data": {"Records": [{}]}}}})
def test_parse_of_anything_returns_a_record_or_raises_malformed(data: object) -> None:
    assert_returns_or_reports(parse_face_record, data)


@given(RECORDS)
def test_record_is_hashable_and_survives_pickle(record: FaceSearchRecord) -> None:
    copied = pickle.loads(pickle.dumps(record))  # noqa: S301 - a pickle of this test
    assert copied == record
    assert hash(copied) == hash(record)
