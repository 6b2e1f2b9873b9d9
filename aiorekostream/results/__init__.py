"""The results of sessions: typed events from SNS and SQS, pictures from S3, and handlers for AWS Lambda."""

from aiorekostream.codec.notifications import parse_notification
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
from aiorekostream.results.queue_port import MessageQueue, QueueMessage
from aiorekostream.results.s3 import S3Images
from aiorekostream.results.sns import SnsMessage, verify_sns_message
from aiorekostream.results.sns_certificates import SnsCertificates
from aiorekostream.results.sqlite_event_ids import SqliteEventIds
from aiorekostream.results.sqs import ConsumerReport, SqsConsumer

__all__ = [
    "ConsumerReport",
    "Delivery",
    "DetectedLabel",
    "EventIds",
    "InvalidSignatureError",
    "LabelDetected",
    "MalformedEventError",
    "MemoryEventIds",
    "MessageQueue",
    "ProducerTime",
    "QueueMessage",
    "S3Images",
    "S3Uri",
    "SessionCompleted",
    "SettlementState",
    "SnsCertificates",
    "SnsMessage",
    "SqliteEventIds",
    "SqsConsumer",
    "StreamProcessorEvent",
    "UnknownEvent",
    "VideoPosition",
    "parse_notification",
    "verify_sns_message",
]
