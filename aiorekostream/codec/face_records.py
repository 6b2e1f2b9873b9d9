"""Decode the records of face search: what AWS may add or leave out is no error, what is malformed is.

AWS's names and units are those of https://docs.aws.amazon.com/rekognition/latest/dg/streaming-video-kinesis-output.html.
Times are seconds: doubles of Java, in exponent notation, and 32-bit floats. Both are rounded to milliseconds.

As in ``codec/notifications.py``, the usual shape is read directly and any other with cattrs, which decides and has the
path of every issue. Invariant: what ``_direct`` returns equals what cattrs returns.
"""

from __future__ import annotations

import datetime
import math
from typing import TYPE_CHECKING, cast

from aiorekostream.codec.direct import bounding_box, setters, video_position
from aiorekostream.codec.envelopes import unwrap_face_record
from aiorekostream.codec.lenient import LenientConverter, Members, number, text, unreadable
from aiorekostream.codec.times import Times
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
from aiorekostream.domain.video import ProducerTime, VideoPosition

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["parse_face_record"]


def parse_face_record(data: object) -> FaceSearchRecord:
    """Parse a record of a face search, in any of its envelopes.

    Accepted are the record itself, a record of an AWS Lambda event of Kinesis, a record of a transformation event of
    Amazon Data Firehose, a record of GetRecords (as boto3 or the AWS CLI return it), and such an event if it has one
    record. New members, landmarks and statuses are accepted, and so are absent members, except those that say what was
    seen where: the video stream and the position in it, the list of faces, the box and the confidence of a face on the
    frame, the similarity and the id of a face that matches.

    See https://docs.aws.amazon.com/rekognition/latest/dg/streaming-video-kinesis-output.html.

    Args:
        data: JSON as bytes (UTF-8) or text, or a mapping. It is parsed with orjson if the extra ``fast`` is installed.

    Raises:
        MalformedEventError: the data is no such record, or members are absent or have the wrong type; ``issues`` has
            the path of each.
    """
    members, steps = unwrap_face_record(data)
    try:
        return _direct(members)
    except Exception:  # noqa: BLE001 - whatever the direct way cannot read, cattrs accepts or explains
        return _converter.structure(members, FaceSearchRecord, steps)


# ------------------------------------------------------------------------------------------------------ the direct way

_STATUSES = {str(status): status for status in Status}
_set_type, _set_x, _set_y = setters(Landmark)


def _direct(members: Members) -> FaceSearchRecord:
    """Read the usual shape; raise any exception, for any other."""
    video = members["InputInformation"]["KinesisVideo"]
    arn, faces = video["StreamArn"], members["FaceSearchResponse"]
    server, producer, offset = video["ServerTimestamp"], video["ProducerTimestamp"], video["FrameOffsetInSeconds"]
    if not (
        type(arn) is str
        and type(faces) is list
        and type(server) is type(producer) is float
        and (type(offset) is float or type(offset) is int)
    ):
        raise TypeError
    return FaceSearchRecord(
        kinesis_video_stream_arn=arn,
        position=video_position(
            video["FragmentNumber"],
            server=round(server * 1000),
            producer=round(producer * 1000),
            offset=round(offset * 1000),
        ),
        faces=tuple([_direct_face(face) for face in cast("list[Members]", faces)]),
        status=_STATUSES[members["StreamProcessorInformation"]["Status"]],
    )


def _direct_face(members: Members) -> SearchedFace:
    face, matches = members["DetectedFace"], members["MatchedFaces"]
    confidence, landmarks, pose, quality = face["Confidence"], face["Landmarks"], face["Pose"], face["Quality"]
    pitch, roll, yaw = pose["Pitch"], pose["Roll"], pose["Yaw"]
    brightness, sharpness = quality["Brightness"], quality["Sharpness"]
    if not (
        type(landmarks) is type(matches) is list
        and type(confidence) is type(pitch) is type(roll) is type(yaw) is type(brightness) is type(sharpness) is float
        and math.isfinite(confidence + pitch + roll + yaw + brightness + sharpness)
    ):
        raise TypeError
    return SearchedFace(
        detected_face=DetectedFace(
            bounding_box=_direct_box(face["BoundingBox"]),
            confidence=confidence,
            landmarks=_direct_landmarks(cast("list[Members]", landmarks)),
            pose=Pose(pitch=pitch, roll=roll, yaw=yaw),
            quality=ImageQuality(brightness=brightness, sharpness=sharpness),
        ),
        matched_faces=tuple([_direct_match(match) for match in cast("list[Members]", matches)]),
    )


def _direct_match(members: Members) -> MatchedFace:
    face, similarity = members["Face"], members["Similarity"]
    face_id, image_id, confidence = face["FaceId"], face["ImageId"], face["Confidence"]
    external_image_id, version = face.get("ExternalImageId"), face.get("IndexFacesModelVersion")
    if not (
        type(face_id) is type(image_id) is str
        and (external_image_id is None or type(external_image_id) is str)
        and (version is None or type(version) is str)
        and type(similarity) is type(confidence) is float
        and math.isfinite(similarity + confidence)
    ):
        raise TypeError
    return MatchedFace(
        face=Face(
            face_id=face_id,
            image_id=image_id,
            external_image_id=external_image_id,
            bounding_box=_direct_box(face["BoundingBox"]),
            confidence=confidence,
            index_faces_model_version=version,
        ),
        similarity=similarity,
    )


def _direct_landmarks(items: list[Members]) -> tuple[Landmark, ...]:
    landmarks: list[Landmark] = []
    total = 0.0  # finite only if all numbers are: one check for all of them
    for members in items:
        kind, x, y = members["Type"], members["X"], members["Y"]
        if not (type(kind) is str and type(x) is type(y) is float):
            raise TypeError
        total += x + y
        landmark: Landmark = object.__new__(Landmark)
        _set_type(landmark, kind)
        _set_x(landmark, x)
        _set_y(landmark, y)
        landmarks.append(landmark)
    if not math.isfinite(total):
        raise ValueError
    return tuple(landmarks)


def _direct_box(members: Members) -> BoundingBox:
    return bounding_box(members["Left"], members["Top"], members["Width"], members["Height"])


# --------------------------------------------------------------------------------------------------------- with cattrs

_PATHS: Mapping[type, Mapping[str, str]] = {
    BoundingBox: {"left": "Left", "top": "Top", "width": "Width", "height": "Height"},
    VideoPosition: {
        "fragment_number": "FragmentNumber",
        "server_timestamp": "ServerTimestamp",
        "producer_timestamp": "ProducerTimestamp",
        "frame_offset": "FrameOffsetInSeconds",
    },
    Landmark: {"type": "Type", "x": "X", "y": "Y"},
    Pose: {"pitch": "Pitch", "roll": "Roll", "yaw": "Yaw"},
    ImageQuality: {"brightness": "Brightness", "sharpness": "Sharpness"},
    DetectedFace: {
        "bounding_box": "BoundingBox",
        "confidence": "Confidence",
        "landmarks": "Landmarks",
        "pose": "Pose",
        "quality": "Quality",
    },
    Face: {
        "face_id": "FaceId",
        "image_id": "ImageId",
        "external_image_id": "ExternalImageId",
        "bounding_box": "BoundingBox",
        "confidence": "Confidence",
        "index_faces_model_version": "IndexFacesModelVersion",
    },
    MatchedFace: {"face": "Face", "similarity": "Similarity"},
    SearchedFace: {"detected_face": "DetectedFace", "matched_faces": "MatchedFaces"},
    FaceSearchRecord: {
        "kinesis_video_stream_arn": "InputInformation.KinesisVideo.StreamArn",
        "position": "InputInformation.KinesisVideo",
        "faces": "FaceSearchResponse",
        "status": "StreamProcessorInformation.Status",
    },
}


def _milliseconds(value: object) -> int:
    try:
        return round(number(value) * 1000)
    except OverflowError as error:
        raise unreadable(value, "a finite number of seconds") from error


_TIMES = Times("seconds", _milliseconds)
_converter = LenientConverter(
    _PATHS,
    {
        datetime.timedelta: _TIMES.duration,
        datetime.datetime: _TIMES.moment,
        ProducerTime: _TIMES.producer_time,
        Status: lambda value: Status(text(value)),
    },
)
