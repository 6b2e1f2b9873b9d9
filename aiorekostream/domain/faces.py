"""Define what face search reports: the faces of a frame and their matches in a collection, as the service sent them."""

import datetime
from typing import final

import attrs

from aiorekostream.domain.geometry import BoundingBox
from aiorekostream.domain.selectors import FragmentNumber, ProducerTimestamp
from aiorekostream.domain.status import Status
from aiorekostream.domain.video import VideoPosition

__all__ = [
    "DetectedFace",
    "Face",
    "FaceSearchRecord",
    "ImageQuality",
    "Landmark",
    "MatchedFace",
    "Pose",
    "SearchedFace",
]


@final
@attrs.frozen(kw_only=True)
class Landmark:
    """A point of a face, such as the tip of the nose.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_Landmark.html.

    Attributes:
        type: AWS's word for the point; face search sends ``eyeLeft``, ``eyeRight``, ``mouthLeft``, ``mouthRight`` and
            ``nose``.
        x: ratio of the frame's width, from its left edge; outside of 0 to 1 if the point is outside of the frame.
        y: ratio of the frame's height, from its top edge; outside of 0 to 1 if the point is outside of the frame.
    """

    type: str
    x: float
    y: float


@final
@attrs.frozen(kw_only=True)
class Pose:
    """The rotation of a face.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_Pose.html.

    Attributes:
        pitch: the rotation about the horizontal axis, in degrees from -180 to 180.
        roll: the rotation about the axis of view, in degrees from -180 to 180.
        yaw: the rotation about the vertical axis, in degrees from -180 to 180.
    """

    pitch: float
    roll: float
    yaw: float


@final
@attrs.frozen(kw_only=True)
class ImageQuality:
    """The quality of the picture of a face.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_ImageQuality.html.

    Attributes:
        brightness: from 0 to 100; a higher value is a brighter picture.
        sharpness: from 0 to 100; a higher value is a sharper picture.
    """

    brightness: float
    sharpness: float


@final
@attrs.frozen(kw_only=True)
class DetectedFace:
    """A face on the frame.

    See https://docs.aws.amazon.com/rekognition/latest/dg/streaming-video-kinesis-output-reference.html.

    Attributes:
        bounding_box: where the face is on the frame. It may lie partly outside of the frame.
        confidence: the confidence that it is a face, in percent from 0 to 100.
        landmarks: the points of the face, in AWS's order; empty if the record has none.
        pose: the rotation of the face; ``None`` if the record has none.
        quality: the quality of the picture; ``None`` if the record has none.
    """

    bounding_box: BoundingBox
    confidence: float
    landmarks: tuple[Landmark, ...] = ()
    pose: Pose | None = None
    quality: ImageQuality | None = None


@final
@attrs.frozen(kw_only=True)
class Face:
    """A face of a collection.

    See https://docs.aws.amazon.com/rekognition/latest/dg/streaming-video-kinesis-output-reference.html.

    Attributes:
        face_id: AWS's id of the face in the collection.
        image_id: AWS's id of the picture that the face was indexed from; ``None`` if the record has none.
        external_image_id: the caller's id of that picture, as it was given to IndexFaces; ``None`` if none was given.
        bounding_box: where the face is on that picture, not on the frame; ``None`` if the record has none.
        confidence: the confidence that it is a face, in percent from 0 to 100; ``None`` if the record has none.
        index_faces_model_version: the version of the model that indexed the face; ``None`` if the record has none.
    """

    face_id: str
    image_id: str | None = None
    external_image_id: str | None = None
    bounding_box: BoundingBox | None = None
    confidence: float | None = None
    index_faces_model_version: str | None = None


@final
@attrs.frozen(kw_only=True)
class MatchedFace:
    """A face of the collection that is similar to a face on the frame.

    See https://docs.aws.amazon.com/rekognition/latest/dg/streaming-video-kinesis-output-reference.html.

    Attributes:
        face: the face of the collection.
        similarity: the similarity of the two faces, in percent from 0 to 100.
    """

    face: Face
    similarity: float


@final
@attrs.frozen(kw_only=True)
class SearchedFace:
    """A face on the frame, and the faces of the collection that match it (an item of ``FaceSearchResponse``).

    See https://docs.aws.amazon.com/rekognition/latest/dg/streaming-video-kinesis-output-reference-facesearchresponse.html.

    Attributes:
        detected_face: the face on the frame.
        matched_faces: the matches, in AWS's order; empty for a face that is not in the collection.
    """

    detected_face: DetectedFace
    matched_faces: tuple[MatchedFace, ...] = ()


@final
@attrs.frozen(kw_only=True)
class FaceSearchRecord:
    """The faces on one frame of a video stream: a record of a face search.

    Kinesis Data Streams delivers at least once. Rekognition spreads the records of a video stream over all shards, so
    the records of several shards are in no order; ``position`` has the order of the frames.
    See https://docs.aws.amazon.com/rekognition/latest/dg/streaming-video-kinesis-output.html.

    Attributes:
        kinesis_video_stream_arn: the ARN of the video stream.
        position: the frame.
        faces: the faces on the frame, in AWS's order; empty if there is none.
        status: the status of the processor, RUNNING in all records that are known; ``None`` if the record has none.
    """

    kinesis_video_stream_arn: str
    position: VideoPosition
    faces: tuple[SearchedFace, ...]
    status: Status | None = None

    @property
    def frame_time(self) -> datetime.datetime | None:
        """See ``VideoPosition.frame_time``."""
        return self.position.frame_time

    def start_selector(self) -> ProducerTimestamp | FragmentNumber:
        """See ``VideoPosition.start_selector``."""
        return self.position.start_selector()
