"""aiorekostream: Amazon Rekognition stream processors for asyncio, in types that cannot be wrong.

Everything that a service needs is here; ``aiorekostream.emulator`` stands in for AWS. A name is loaded when it is first
used: a program that only builds values never loads the client, and nothing loads aiobotocore before a client opens.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiorekostream.client import Client, Drift, EnsuredProcessor, EnsuredRunning, StreamProcessorList
    from aiorekostream.codec import parse_processor, parse_start
    from aiorekostream.domain.enums import Label, ProcessorKind
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
    from aiorekostream.errors import (
        AccessDeniedError,
        CallError,
        ConfigurationError,
        ConnectError,
        ConnectionLostError,
        DeadlineExceededError,
        InternalServerError,
        InvalidPaginationTokenError,
        InvalidParameterError,
        InvalidRequestError,
        LimitExceededError,
        MalformedResponseError,
        NotSentError,
        ProcessorBusyError,
        ProvisionedThroughputExceededError,
        RateLimitedError,
        RekostreamError,
        RequestCancelledError,
        ResourceInUseError,
        ResourceNotFoundError,
        ServiceError,
        ServiceQuotaExceededError,
        StreamProcessorFailedError,
        ThrottlingError,
        TransportError,
        UnknownOutcomeError,
        ValidationIssue,
        WaitTimeoutError,
    )
    from aiorekostream.fleet import (
        AlreadyRunning,
        AlreadyStopped,
        Ends,
        Expired,
        Failed,
        Fleet,
        FleetReport,
        FleetRequest,
        Progress,
        Started,
        StartOutcome,
        StartReport,
        Step,
        StopOutcome,
        Stopped,
        StopReport,
        Unknown,
        WhenBusy,
    )
    from aiorekostream.limits import DEFAULT_LIMITS, Limits, Quota, Scope, using_limits
    from aiorekostream.pipeline import CallEvent
    from aiorekostream.resilience.paces import Admission, LocalPacing, PacedCall, Pacing
    from aiorekostream.retry.policy import RetryPolicy
    from aiorekostream.transport.memory import MemoryTransport
    from aiorekostream.transport.port import Reply, Transport
    from aiorekostream.transport.service_quotas import read_limits
    from aiorekostream.transport.timeout import Timeout

__version__ = "0.1.0"

__all__ = [
    "DEFAULT_LIMITS",
    "KEEP",
    "RESET",
    "AccessDeniedError",
    "Admission",
    "AlreadyRunning",
    "AlreadyStopped",
    "Arn",
    "BoundingBox",
    "CallError",
    "CallEvent",
    "Client",
    "ConfigurationError",
    "ConnectError",
    "ConnectedHomeSettings",
    "ConnectionLostError",
    "CreatedStreamProcessor",
    "DeadlineExceededError",
    "Drift",
    "Ends",
    "EnsuredProcessor",
    "EnsuredRunning",
    "Expired",
    "FaceSearchProcessor",
    "FaceSearchSettings",
    "FaceSearchStart",
    "Failed",
    "Fleet",
    "FleetReport",
    "FleetRequest",
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
    "LocalPacing",
    "MalformedResponseError",
    "MemoryTransport",
    "NotSentError",
    "PacedCall",
    "Pacing",
    "Point",
    "Polygon",
    "Processor",
    "ProcessorBusyError",
    "ProcessorKind",
    "ProducerTimestamp",
    "Progress",
    "ProvisionedThroughputExceededError",
    "Quota",
    "RateLimitedError",
    "RegionOfInterest",
    "RekostreamError",
    "Reply",
    "RequestCancelledError",
    "ResourceInUseError",
    "ResourceNotFoundError",
    "RetryPolicy",
    "RoleArn",
    "S3Destination",
    "SNSTopicArn",
    "Scope",
    "ServiceError",
    "ServiceQuotaExceededError",
    "Settings",
    "StartOutcome",
    "StartReport",
    "StartRequest",
    "StartSelector",
    "Started",
    "StartedSession",
    "Status",
    "Step",
    "StopOutcome",
    "StopReport",
    "StopSelector",
    "Stopped",
    "StreamProcessor",
    "StreamProcessorArn",
    "StreamProcessorFailedError",
    "StreamProcessorList",
    "StreamProcessorPage",
    "StreamProcessorSummary",
    "Tags",
    "ThrottlingError",
    "Timeout",
    "Transport",
    "TransportError",
    "Unknown",
    "UnknownOutcomeError",
    "ValidationIssue",
    "WaitTimeoutError",
    "WhenBusy",
    "parse_processor",
    "parse_start",
    "read_limits",
    "using_limits",
]

# Where the names live, the rooms that need the fewest others first.
_ROOMS = (
    "errors",
    "limits",
    "domain.enums",
    "domain.status",
    "domain.names",
    "domain.tags",
    "domain.geometry",
    "domain.selectors",
    "domain.processors",
    "domain.requests",
    "domain.replies",
    "codec",
    "retry.policy",
    "resilience.paces",
    "transport.port",
    "transport.timeout",
    "transport.memory",
    "transport.service_quotas",
    "pipeline",
    "client",
    "fleet",
)


if not TYPE_CHECKING:  # to type checkers, a name that is not imported above is a mistake

    def __getattr__(name: str) -> object:
        if name in __all__:
            for room in _ROOMS:
                module = importlib.import_module(f"{__name__}.{room}")
                if name in module.__all__:
                    found: object = getattr(module, name)
                    # Tracebacks and reprs show the name that users type.
                    if callable(found):
                        found.__module__ = __name__
                    globals()[name] = found
                    return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
