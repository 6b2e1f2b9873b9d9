"""aiorekostream: Amazon Rekognition stream processors for asyncio, in types that cannot be wrong.

Everything that a service needs is here; ``aiorekostream.emulator`` stands in for AWS.
"""

from __future__ import annotations

from aiorekostream.client import Client, StreamProcessorList
from aiorekostream.codec import parse_processor, parse_start
from aiorekostream.domain.geometry import BoundingBox, Point, Polygon, RegionOfInterest
from aiorekostream.domain.names import (
    Arn,
    KinesisDataStreamArn,
    KinesisVideoStreamArn,
    RoleArn,
    SNSTopicArn,
    StreamProcessorArn,
)
from aiorekostream.domain.processors import FaceSearchProcessor, LabelDetectionProcessor, Processor, S3Destination
from aiorekostream.domain.replies import (
    ConnectedHomeSettings,
    CreatedStreamProcessor,
    FaceSearchSettings,
    Settings,
    StartedSession,
    StreamProcessor,
    StreamProcessorPage,
    StreamProcessorSummary,
)
from aiorekostream.domain.requests import (
    KEEP,
    RESET,
    FaceSearchStart,
    LabelDetectionStart,
    LabelDetectionUpdate,
    StartRequest,
)
from aiorekostream.domain.selectors import FragmentNumber, ProducerTimestamp, StartSelector, StopSelector
from aiorekostream.domain.status import Status
from aiorekostream.domain.tags import Tags
from aiorekostream.domain.words import Label, ProcessorKind
from aiorekostream.errors import (
    AccessDeniedError,
    CallError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    DeadlineExceededError,
    Fault,
    InternalServerError,
    InvalidPaginationTokenError,
    InvalidParameterError,
    InvalidRequestError,
    LimitExceededError,
    MalformedReplyError,
    ProvisionedThroughputExceededError,
    RekostreamError,
    ResourceInUseError,
    ResourceNotFoundError,
    ServiceError,
    ServiceQuotaExceededError,
    ThrottlingError,
    TransportError,
)
from aiorekostream.limits import DEFAULT_LIMITS, Limits, Quota, using_limits
from aiorekostream.resilience.policy import RetryPolicy
from aiorekostream.transport.memory import MemoryTransport
from aiorekostream.transport.port import Reply, Transport
from aiorekostream.transport.timeout import Timeout

__version__ = "0.1.0"

__all__ = [
    "DEFAULT_LIMITS",
    "KEEP",
    "RESET",
    "AccessDeniedError",
    "Arn",
    "BoundingBox",
    "CallError",
    "Client",
    "ConfigurationError",
    "ConnectError",
    "ConnectedHomeSettings",
    "ConnectionLostError",
    "CreatedStreamProcessor",
    "DeadlineExceededError",
    "FaceSearchProcessor",
    "FaceSearchSettings",
    "FaceSearchStart",
    "Fault",
    "FragmentNumber",
    "InternalServerError",
    "InvalidPaginationTokenError",
    "InvalidParameterError",
    "InvalidRequestError",
    "KinesisDataStreamArn",
    "KinesisVideoStreamArn",
    "Label",
    "LabelDetectionProcessor",
    "LabelDetectionStart",
    "LabelDetectionUpdate",
    "LimitExceededError",
    "Limits",
    "MalformedReplyError",
    "MemoryTransport",
    "Point",
    "Polygon",
    "Processor",
    "ProcessorKind",
    "ProducerTimestamp",
    "ProvisionedThroughputExceededError",
    "Quota",
    "RegionOfInterest",
    "RekostreamError",
    "Reply",
    "ResourceInUseError",
    "ResourceNotFoundError",
    "RetryPolicy",
    "RoleArn",
    "S3Destination",
    "SNSTopicArn",
    "ServiceError",
    "ServiceQuotaExceededError",
    "Settings",
    "StartRequest",
    "StartSelector",
    "StartedSession",
    "Status",
    "StopSelector",
    "StreamProcessor",
    "StreamProcessorArn",
    "StreamProcessorList",
    "StreamProcessorPage",
    "StreamProcessorSummary",
    "Tags",
    "ThrottlingError",
    "Timeout",
    "Transport",
    "TransportError",
    "parse_processor",
    "parse_start",
    "using_limits",
]

# Tracebacks and reprs show the names that users type.
for _public in [globals()[name] for name in __all__]:
    if callable(_public):
        _public.__module__ = __name__
