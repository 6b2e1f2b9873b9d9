"""Notifications as AWS sends them, with made-up values, and the same as values."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

from aiorekostream.domain.enums import Label
from aiorekostream.domain.geometry import BoundingBox
from aiorekostream.domain.labels import DetectedLabel, LabelDetected, SessionCompleted
from aiorekostream.domain.s3 import S3Uri
from aiorekostream.domain.selectors import FragmentNumber
from aiorekostream.domain.tags import Tags
from aiorekostream.domain.video import VideoPosition

__all__ = ["ARN", "COMPLETED", "DETECTED", "TWO_LABELS", "text", "wire"]

ARN = "arn:aws:kinesisvideo:us-east-1:111122223333:stream/porch/1650000000000"


def text(name: str) -> str:
    """The JSON of a payload."""
    return Path(__file__).with_name(f"{name}.json").read_text(encoding="utf-8")


def wire(name: str) -> dict[str, Any]:
    """The parsed JSON of a payload."""
    found: dict[str, Any] = json.loads(text(name))
    return found


def _label(number: int, label: Label, fragment: str, confidence: float | None) -> DetectedLabel:
    return DetectedLabel(
        label=label,
        position=VideoPosition(
            fragment_number=FragmentNumber(fragment),
            server_timestamp=datetime.datetime(2022, 4, 15, 5, 22, 3, 456_000, tzinfo=datetime.UTC),
            producer_timestamp=datetime.datetime(2022, 4, 15, 5, 22, 2, 104_000, tzinfo=datetime.UTC),
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
