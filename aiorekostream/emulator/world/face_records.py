"""Write the records that a face search puts into its data stream, in AWS's spelling.

The members, their order and their units are those of
https://docs.aws.amazon.com/rekognition/latest/dg/streaming-video-kinesis-output-reference.html and of records that were
seen in public: times are seconds in the notation of Java's doubles, and the offset is a 32-bit float.
"""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import attrs

from aiorekostream.domain.enums import Label
from aiorekostream.domain.geometry import BoundingBox
from aiorekostream.emulator.world.definitions import float32
from aiorekostream.emulator.world.faces import face_in
from aiorekostream.emulator.world.identity import stable_id
from aiorekostream.emulator.world.video import map_frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorekostream.emulator.world.answers import JsonObject
    from aiorekostream.emulator.world.faces import KnownFace
    from aiorekostream.emulator.world.footage import Detection

__all__ = ["FaceTarget", "java_double", "write_record"]

# The observed landmarks, and where they are in the box of an upright face, in ratios of the box.
_LANDMARKS = (
    ("eyeLeft", 0.24, 0.356),
    ("eyeRight", 0.667, 0.36),
    ("mouthLeft", 0.293, 0.711),
    ("mouthRight", 0.618, 0.711),
    ("nose", 0.46, 0.549),
)
# Of the picture with which a face was indexed: where the face was, and how sure Rekognition was of it, in percent.
_INDEXED_BOX = BoundingBox(left=0.25, top=0.125, width=0.375, height=0.5)
_INDEXED_CONFIDENCE = 100.0
# Degrees to either side, and the least quality: the emulator's own choices.
_MAX_ANGLE = 20.0
_LEAST_QUALITY = 40.0
# From here on Java writes a double with an exponent; smaller ones than a thousandth do not occur.
_FIRST_EXPONENT = 1e7


@attrs.frozen(kw_only=True)
class FaceTarget:
    """What a face search compares faces with.

    Attributes:
        collection: the id of the collection.
        threshold: the least similarity that is reported, in percent.
    """

    collection: str
    threshold: float


def write_record(stream_arn: str, at: float, detections: Sequence[Detection], target: FaceTarget) -> bytes:
    """Write the record of a frame.

    Args:
        stream_arn: the ARN of the video stream.
        at: the moment of the frame on the producer's clock, in epoch seconds.
        detections: what is visible.
        target: what the faces are compared with.
    """
    frame = map_frame(stream_arn, at)
    seed = f"{stream_arn} {at}"
    faces = [
        _face(detection, target, f"{seed} {index}")
        for index, detection in enumerate(detections)
        if detection.subject is Label.PERSON
    ]
    video = ",".join(
        (
            f'"StreamArn":{json.dumps(stream_arn)}',
            f'"FragmentNumber":"{frame.fragment_number}"',
            f'"ServerTimestamp":{java_double(frame.server_timestamp / 1000)}',
            f'"ProducerTimestamp":{java_double(frame.producer_timestamp / 1000)}',
            f'"FrameOffsetInSeconds":{float32(frame.frame_offset / 1000)!r}',
        )
    )
    status = '"StreamProcessorInformation":{"Status":"RUNNING"}'
    found = json.dumps(faces, separators=(",", ":"))
    return f'{{"InputInformation":{{"KinesisVideo":{{{video}}}}},{status},"FaceSearchResponse":{found}}}'.encode()


def java_double(value: float) -> str:
    """Return a number as Java writes a double: 1650000123.456 is ``1.650000123456E9``.

    Args:
        value: a number from 0.001.
    """
    if value < _FIRST_EXPONENT:
        return repr(float(value))
    digits = "".join(map(str, Decimal(repr(value)).normalize().as_tuple().digits))
    return f"{digits[0]}.{digits[1:] or '0'}E{Decimal(repr(value)).adjusted()}"


def _face(detection: Detection, target: FaceTarget, seed: str) -> JsonObject:
    box = detection.face.bounding_box or face_in(detection.bounding_box)
    digest = hashlib.blake2b(seed.encode("utf-8", "surrogatepass"), digest_size=5).digest()
    pitch, roll, yaw = (round((byte / 128 - 1) * _MAX_ANGLE, 6) for byte in digest[:3])
    brightness, sharpness = (round(_LEAST_QUALITY + byte / 5, 6) for byte in digest[3:])
    matches = [
        {"Similarity": known.similarity, "Face": _known_face(known)}
        for known in sorted(detection.face.known_faces, key=lambda known: -known.similarity)
        if known.similarity >= target.threshold and fnmatchcase(target.collection, known.collection)
    ]
    detected = {
        "BoundingBox": _box(box),
        "Confidence": detection.confidence,
        "Landmarks": _landmarks(box),
        "Pose": {"Pitch": pitch, "Roll": roll, "Yaw": yaw},
        "Quality": {"Brightness": brightness, "Sharpness": sharpness},
    }
    return {"DetectedFace": detected, "MatchedFaces": matches}


def _known_face(known: KnownFace) -> JsonObject:
    members: dict[str, object] = {
        "BoundingBox": _box(_INDEXED_BOX),
        "FaceId": known.face_id,
        "Confidence": _INDEXED_CONFIDENCE,
        "ImageId": known.image_id or stable_id("image", known.face_id),
    }
    if known.external_image_id is not None:
        members["ExternalImageId"] = known.external_image_id
    if known.index_faces_model_version is not None:
        members["IndexFacesModelVersion"] = known.index_faces_model_version
    return members


def _box(given: BoundingBox) -> JsonObject:
    return {"Height": given.height, "Width": given.width, "Left": given.left, "Top": given.top}


def _landmarks(box: BoundingBox) -> list[JsonObject]:
    return [
        {"X": round(box.left + x * box.width, 8), "Y": round(box.top + y * box.height, 8), "Type": name}
        for name, x, y in _LANDMARKS
    ]
