"""Read the results of sessions: events from SNS and SQS, records from Kinesis, pictures from S3, AWS Lambda."""

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
from aiorekostream.errors import ConsumerLeaseError, InvalidSignatureError, MalformedEventError
from aiorekostream.results.consumer import Consumer
from aiorekostream.results.delivery import Delivery, SettlementState
from aiorekostream.results.event_ids import EventIds, MemoryEventIds
from aiorekostream.results.kinesis.checkpoints import Checkpoints, ConsumerLease, MemoryCheckpoints
from aiorekostream.results.kinesis.consumer import KinesisConsumer, KinesisReport
from aiorekostream.results.kinesis.port import RecordBatch, RecordStream, Shard, StreamRecord
from aiorekostream.results.kinesis.positions import Position, PositionType, SequenceNumber
from aiorekostream.results.kinesis.sqlite_checkpoints import SqliteCheckpoints
from aiorekostream.results.notified_sessions import NotifiedSessions
from aiorekostream.results.queue_port import MessageQueue, QueueMessage
from aiorekostream.results.s3 import S3Images
from aiorekostream.results.session import Session
from aiorekostream.results.session_options import SessionResult
from aiorekostream.results.session_router import SessionRouter
from aiorekostream.results.sns import SnsMessage, verify_sns_message
from aiorekostream.results.sns_certificates import SnsCertificates
from aiorekostream.results.sqlite_event_ids import SqliteEventIds
from aiorekostream.results.sqs import ConsumerReport, SqsConsumer

__all__ = [
    "Checkpoints",
    "Consumer",
    "ConsumerLease",
    "ConsumerLeaseError",
    "ConsumerReport",
    "Delivery",
    "DetectedFace",
    "DetectedLabel",
    "EventIds",
    "Face",
    "FaceSearchRecord",
    "ImageQuality",
    "InvalidSignatureError",
    "KinesisConsumer",
    "KinesisReport",
    "LabelDetected",
    "Landmark",
    "MalformedEventError",
    "MatchedFace",
    "MemoryCheckpoints",
    "MemoryEventIds",
    "MessageQueue",
    "NotifiedSessions",
    "Pose",
    "Position",
    "PositionType",
    "ProducerTime",
    "QueueMessage",
    "RecordBatch",
    "RecordStream",
    "S3Images",
    "S3Uri",
    "SearchedFace",
    "SequenceNumber",
    "Session",
    "SessionCompleted",
    "SessionResult",
    "SessionRouter",
    "SettlementState",
    "Shard",
    "SnsCertificates",
    "SnsMessage",
    "SqliteCheckpoints",
    "SqliteEventIds",
    "SqsConsumer",
    "StreamProcessorEvent",
    "StreamRecord",
    "UnknownEvent",
    "VideoPosition",
    "parse_face_record",
    "parse_notification",
    "verify_sns_message",
]
