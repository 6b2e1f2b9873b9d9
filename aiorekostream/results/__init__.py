"""The results of sessions: events from SNS and SQS, face search records, pictures from S3, handlers for AWS Lambda."""

from aiorekostream.codec.face_records import parse_face_record
from aiorekostream.codec.notifications import parse_notification
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
from aiorekostream.domain.labels import (
    DetectedLabel,
    LabelDetected,
    SessionCompleted,
    StreamProcessorEvent,
    UnknownEvent,
)
from aiorekostream.domain.s3 import S3Uri
from aiorekostream.domain.video import ProducerTime, VideoPosition
from aiorekostream.errors import InvalidSignatureError, MalformedEventError
from aiorekostream.results.delivery import Delivery, SettlementState
from aiorekostream.results.event_ids import EventIds, MemoryEventIds
from aiorekostream.results.notified_sessions import NotifiedSessions
from aiorekostream.results.queue_port import MessageQueue, QueueMessage
from aiorekostream.results.s3 import S3Images
from aiorekostream.results.session import Session, SessionResult
from aiorekostream.results.session_router import SessionRouter
from aiorekostream.results.sns import SnsMessage, verify_sns_message
from aiorekostream.results.sns_certificates import SnsCertificates
from aiorekostream.results.sqlite_event_ids import SqliteEventIds
from aiorekostream.results.sqs import ConsumerReport, SqsConsumer

__all__ = [
    "ConsumerReport",
    "Delivery",
    "DetectedFace",
    "DetectedLabel",
    "EventIds",
    "Face",
    "FaceSearchRecord",
    "ImageQuality",
    "InvalidSignatureError",
    "LabelDetected",
    "Landmark",
    "MalformedEventError",
    "MatchedFace",
    "MemoryEventIds",
    "MessageQueue",
    "NotifiedSessions",
    "Pose",
    "ProducerTime",
    "QueueMessage",
    "S3Images",
    "S3Uri",
    "SearchedFace",
    "Session",
    "SessionCompleted",
    "SessionResult",
    "SessionRouter",
    "SettlementState",
    "SnsCertificates",
    "SnsMessage",
    "SqliteEventIds",
    "SqsConsumer",
    "StreamProcessorEvent",
    "UnknownEvent",
    "VideoPosition",
    "parse_face_record",
    "parse_notification",
    "verify_sns_message",
]
