"""The results of sessions: typed events from SQS."""

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
from aiorekostream.errors import MalformedEventError
from aiorekostream.results.delivery import Delivery, SettlementState
from aiorekostream.results.event_ids import EventIds, MemoryEventIds
from aiorekostream.results.queue_port import MessageQueue, QueueMessage
from aiorekostream.results.sqlite_event_ids import SqliteEventIds
from aiorekostream.results.sqs import ConsumerReport, SqsConsumer

__all__ = [
    "ConsumerReport",
    "Delivery",
    "DetectedLabel",
    "EventIds",
    "LabelDetected",
    "MalformedEventError",
    "MemoryEventIds",
    "MessageQueue",
    "ProducerTime",
    "QueueMessage",
    "S3Uri",
    "SessionCompleted",
    "SettlementState",
    "SqliteEventIds",
    "SqsConsumer",
    "StreamProcessorEvent",
    "UnknownEvent",
    "VideoPosition",
    "parse_notification",
]
