"""Write the messages that a label detection publishes to its topic, in AWS's spelling, and SNS's envelope around them.

The members, their order and their units are those of
https://docs.aws.amazon.com/rekognition/latest/dg/streaming-labels-detection.html. Names begin with a small letter,
unlike those of the API, and times are milliseconds. The emulator spells them by itself, without the package's
codec. UNCERTAIN: the spelling inside ``startStreamProcessorRequest``, the unit of ``serverTimestamp`` (milliseconds as
those of the producer), and the text of ``streamProcessingResults``, which is the emulator's own.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import cast

import attrs

from aiorekostream.emulator.world.answers import JsonObject
from aiorekostream.emulator.world.footage import Detection
from aiorekostream.emulator.world.identity import Caller, stable_id
from aiorekostream.emulator.world.video import FrameMapping

__all__ = [
    "LABEL_DETECTED",
    "SESSION_COMPLETED",
    "SUBJECT",
    "Notification",
    "SessionFacts",
    "SightedLabel",
]

LABEL_DETECTED, SESSION_COMPLETED = "LABEL_DETECTED", "STREAM_PROCESSING_COMPLETE"
SUBJECT = "Rekognition Stream Processing Event"
"""The subject of every message."""

_COMPLETED_MESSAGE = "Stream processing has completed."
_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "Name": "name",
        "StartSelector": "startSelector",
        "KVSStreamStartSelector": "kvsStreamStartSelector",
        "ProducerTimestamp": "producerTimestamp",
        "FragmentNumber": "fragmentNumber",
        "StopSelector": "stopSelector",
        "MaxDurationInSeconds": "maxDurationInSeconds",
    }
)


@attrs.frozen(kw_only=True)
class SessionFacts:
    """What every message of a session repeats.

    Attributes:
        session_id: the session.
        stream_arn: the ARN of the video stream.
        tags: the tags of the processor.
        request: the members of StartStreamProcessor, in AWS's spelling.
    """

    session_id: str
    stream_arn: str
    tags: Mapping[str, str]
    request: JsonObject

    def label_detected(self, event_id: str, labels: Sequence[JsonObject]) -> JsonObject:
        """Return the message of a first detection."""
        return {
            "inputInformation": {"kinesisVideo": {"streamArn": self.stream_arn}},
            "eventNamespace": {"type": LABEL_DETECTED},
            "labels": list(labels),
            **self._common(event_id),
        }

    def session_completed(self, event_id: str, processed_milliseconds: int) -> JsonObject:
        """Return the message of the end of a session."""
        video = {"streamArn": self.stream_arn, "processedVideoDurationMillis": processed_milliseconds}
        return {
            "inputInformation": {"kinesisVideo": video},
            "eventNamespace": {"type": SESSION_COMPLETED},
            "streamProcessingResults": {"message": _COMPLETED_MESSAGE},
            **self._common(event_id),
        }

    def _common(self, event_id: str) -> JsonObject:
        return {
            "eventId": event_id,
            "tags": dict(self.tags),
            "sessionId": self.session_id,
            "startStreamProcessorRequest": _in_camel_case(self.request),
        }


@attrs.frozen(kw_only=True)
class SightedLabel:
    """One detection of a message.

    Attributes:
        label_id: the id of the label.
        detection: what was detected.
        frame: where it is in the video.
        frame_uri: the picture of the frame.
        crop_uri: the picture of the detected subject.
    """

    label_id: str
    detection: Detection
    frame: FrameMapping
    frame_uri: str
    crop_uri: str

    def to_json(self) -> JsonObject:
        """Return the element of ``labels``."""
        box, frame = self.detection.bounding_box, self.frame
        return {
            "id": self.label_id,
            "name": str(self.detection.subject),
            "frameImageUri": self.frame_uri,
            "croppedImageUri": self.crop_uri,
            "videoMapping": {
                "kinesisVideoMapping": {
                    "fragmentNumber": frame.fragment_number,
                    "serverTimestamp": frame.server_timestamp,
                    "producerTimestamp": frame.producer_timestamp,
                    "frameOffsetMillis": frame.frame_offset,
                }
            },
            "boundingBox": {"left": box.left, "top": box.top, "height": box.height, "width": box.width},
            "confidence": self.detection.confidence,
        }


@attrs.frozen(kw_only=True)
class Notification:
    """A message to a topic.

    Attributes:
        owner: the account and the Region of the processor.
        topic_arn: the ARN of the topic.
        processor: the name of the processor.
        event: ``LABEL_DETECTED`` or ``STREAM_PROCESSING_COMPLETE``.
        event_id: the id of the event.
        at: when it is published, in epoch seconds.
        message: the message, as JSON.
    """

    owner: Caller
    topic_arn: str
    processor: str
    event: str
    event_id: str
    at: float
    message: str

    @property
    def topic_name(self) -> str:
        """The name of the topic."""
        return self.topic_arn.rpartition(":")[2]

    def envelope(self) -> str:
        """Return the message in SNS's envelope, as a queue without raw message delivery receives it.

        The signature is not valid: the emulator has no certificate of Amazon's.
        """
        time = datetime.datetime.fromtimestamp(round(self.at, 3), datetime.UTC)
        subscription = f"{self.topic_arn}:{stable_id(self.topic_arn)}"
        host = f"https://sns.{self.owner.region}.amazonaws.com"
        members = {
            "Type": "Notification",
            "MessageId": stable_id("message", self.event_id),
            "TopicArn": self.topic_arn,
            "Subject": SUBJECT,
            "Message": self.message,
            "Timestamp": f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03}Z",
            "SignatureVersion": "1",
            "Signature": "RW11bGF0ZWQ=",
            "SigningCertURL": f"{host}/SimpleNotificationService-00000000000000000000000000000000.pem",
            "UnsubscribeURL": f"{host}/?Action=Unsubscribe&SubscriptionArn={subscription}",
        }
        # The white space is that of SNS.
        lines = ",\n".join(f'  "{name}" : {json.dumps(value)}' for name, value in members.items())
        return f"{{\n{lines}\n}}"


def _in_camel_case(value: object) -> object:
    if isinstance(value, Mapping):
        members = cast("JsonObject", value)
        return {_NAMES.get(name, name): _in_camel_case(item) for name, item in members.items()}
    return value
