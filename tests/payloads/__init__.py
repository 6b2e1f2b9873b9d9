"""Notifications and face search records as AWS sends them, with made-up values, and the same as values."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

from aiorekostream.domain.enums import Label
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
from aiorekostream.domain.labels import DetectedLabel, LabelDetected, SessionCompleted
from aiorekostream.domain.s3 import S3Uri
from aiorekostream.domain.selectors import FragmentNumber
from aiorekostream.domain.status import Status
from aiorekostream.domain.tags import Tags
from aiorekostream.domain.video import VideoPosition

__all__ = [
    "ARN",
    "COMPLETED",
    "DETECTED",
    "FACE_RECORDS",
    "TWO_LABELS",
    "text",
    "wire",
]

ARN = "arn:aws:kinesisvideo:us-east-1:111122223333:stream/porch/1650000000000"


def text(name: str) -> str:
    """The JSON of a payload."""
    return Path(__file__).with_name(f"{name}.json").read_text(encoding="utf-8")


def wire(name: str) -> dict[str, Any]:
    """The parsed JSON of a payload."""
    found: dict[str, Any] = json.loads(text(name))
    return found


SERVER_TIME = datetime.datetime(2022, 4, 15, 5, 22, 3, 456_000, tzinfo=datetime.UTC)
PRODUCER_TIME = datetime.datetime(2022, 4, 15, 5, 22, 2, 104_000, tzinfo=datetime.UTC)


def _label(number: int, label: Label, fragment: str, confidence: float | None) -> DetectedLabel:
    return DetectedLabel(
        label=label,
        position=VideoPosition(
            fragment_number=FragmentNumber(fragment),
            server_timestamp=SERVER_TIME,
            producer_timestamp=PRODUCER_TIME,
            frame_offset=datetime.timedelta(milliseconds=400),
        ),
        bounding_box=BoundingBox(left=0.125, top=0.25, width=0.1875, height=0.5),
        frame_image=S3Uri("porch-pictures", f"events/porch/sess-0001/frame-{number}.jpg"),
        cropped_image=S3Uri("porch-pictures", f"events/porch/sess-0001/crop-{number}.jpg"),
        confidence=confidence,
        id=f"lab-{number}",
    )


DETECTED = LabelDetected(
    event_id="evt-0001",
    session_id="sess-0001",
    labels=(_label(1, Label.PERSON, "91343852333181432595704229087630110451736768642", 97.25),),
    processor_name="porch",
    kinesis_video_stream_arn=ARN,
    tags=Tags({"site": "north"}),
)
TWO_LABELS = LabelDetected(
    event_id="evt-0002",
    session_id="sess-0001",
    labels=(
        _label(1, Label.PERSON, "91343852333181432595704229087630110451660159234", None),
        _label(2, Label.PACKAGE, "91343852333181432595704229087630110451541577345", None),
    ),
    processor_name="porch",
    kinesis_video_stream_arn=ARN,
)
COMPLETED = SessionCompleted(
    event_id="evt-0009",
    session_id="sess-0001",
    processed_duration=datetime.timedelta(milliseconds=30_016),
    message="Stream processing has completed.",
    processor_name="porch",
    kinesis_video_stream_arn=ARN,
    tags=Tags({"site": "north"}),
)


def _face_record(fragment: str, offset: int, *faces: SearchedFace) -> FaceSearchRecord:
    return FaceSearchRecord(
        kinesis_video_stream_arn=ARN,
        position=VideoPosition(
            fragment_number=FragmentNumber(fragment),
            server_timestamp=SERVER_TIME,
            producer_timestamp=PRODUCER_TIME,
            frame_offset=datetime.timedelta(milliseconds=offset),
        ),
        faces=faces,
        status=Status.RUNNING,
    )


def _face(confidence: float, *matches: MatchedFace) -> SearchedFace:
    return SearchedFace(
        detected_face=DetectedFace(
            bounding_box=BoundingBox(left=0.40625, top=0.25, width=0.1875, height=0.3125),
            confidence=confidence,
            landmarks=(
                Landmark(type="eyeLeft", x=0.4512345, y=0.3612345),
                Landmark(type="eyeRight", x=0.5312345, y=0.36234567),
                Landmark(type="mouthLeft", x=0.4612345, y=0.47123456),
                Landmark(type="mouthRight", x=0.52123456, y=0.4712345),
                Landmark(type="nose", x=0.49123457, y=0.4212345),
            ),
            pose=Pose(pitch=-2.125, roll=1.75, yaw=-11.5),
            quality=ImageQuality(brightness=51.25, sharpness=67.25),
        ),
        matched_faces=matches,
    )


def _match(similarity: float, model_version: str | None = None) -> MatchedFace:
    return MatchedFace(
        face=Face(
            face_id="0a1b2c3d-1111-4222-8333-444455556666",
            image_id="5d4c3b2a-1111-3222-9333-444455556666",
            external_image_id="resident-01",
            bounding_box=BoundingBox(left=0.25, top=0.125, width=0.375, height=0.5),
            confidence=100.0,
            index_faces_model_version=model_version,
        ),
        similarity=similarity,
    )


FACE_RECORDS = {
    "face-record-unknown-face": _face_record("91343852333181432590752468930488589352006740803", 2841, _face(99.25)),
    "face-record-one-match": _face_record(
        "91343852333181432590752468930488589352174253278", 1117, _face(100.0, _match(98.41207))
    ),
    "face-record-no-face": _face_record("91343852333181432590752468930488589352094546501", 3841),
    "face-record-model-version-and-unknown-keys": _face_record(
        "91343852333181432590752468930488589351932774397", 2000, _face(99.0, _match(91.5, "6.0"))
    ),
}
"""The records of face search, by the name of the payload."""
