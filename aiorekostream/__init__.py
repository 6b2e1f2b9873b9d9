"""aiorekostream: Amazon Rekognition stream processors for asyncio, in types that cannot be wrong.

The names that most programs type are here. The others have homes of their own: ``aiorekostream.errors``, ``.domain``
(values), ``.client``, ``.fleet`` (outcomes, runs, reports, events), ``.results`` (what cameras saw),
``.rate_limiting``, ``.limits``, ``.clock``, ``.distributed``, ``.testing``, and ``.emulator``, which stands in for AWS.
``rks.errors`` and the others need no import of their own. A name or a module is loaded when it is first used: a program
that only builds values never loads the client, and nothing loads aiobotocore before a client opens.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiorekostream import client as client
    from aiorekostream import clock as clock
    from aiorekostream import distributed as distributed
    from aiorekostream import domain as domain
    from aiorekostream import emulator as emulator
    from aiorekostream import errors as errors
    from aiorekostream import fleet as fleet
    from aiorekostream import limits as limits
    from aiorekostream import rate_limiting as rate_limiting
    from aiorekostream import results as results
    from aiorekostream import testing as testing
    from aiorekostream.client import Client
    from aiorekostream.codec import parse_processor, parse_start, to_boto3
    from aiorekostream.domain.enums import Label, ProcessorKind
    from aiorekostream.domain.geometry import BoundingBox, Point, Polygon
    from aiorekostream.domain.processors import FaceSearchProcessor, LabelDetectionProcessor, Processor, S3Destination
    from aiorekostream.domain.requests import (
        KEEP,
        RESET,
        FaceSearchStart,
        LabelDetectionStart,
        LabelDetectionUpdate,
        StartRequest,
    )
    from aiorekostream.domain.responses import StartedSession, StreamProcessor
    from aiorekostream.domain.selectors import FragmentNumber, ProducerTimestamp, StopSelector
    from aiorekostream.domain.status import Status
    from aiorekostream.errors import (
        AccessDeniedError,
        AwsGuidanceWarning,
        ConfigurationError,
        DeadlineExceededError,
        InvalidRequestError,
        LimitExceededError,
        NotSentError,
        RekostreamError,
        RequestCancelledError,
        ResourceInUseError,
        ResourceNotFoundError,
        ServiceError,
        StreamProcessorFailedError,
        ThrottlingError,
        TransportError,
        UnknownOutcomeError,
        WaitTimeoutError,
    )
    from aiorekostream.fleet import (
        AlreadyRunning,
        AlreadyStopped,
        Expired,
        Failed,
        Fleet,
        FleetRequest,
        Started,
        Stopped,
        Unknown,
    )
    from aiorekostream.limits import Limits, Quota, using_limits
    from aiorekostream.rate_limiting import LocalRateLimiter
    from aiorekostream.retry.policy import RetryPolicy
    from aiorekostream.transport.service_quotas import read_limits
    from aiorekostream.transport.timeout import Timeout

__version__ = "0.1.0"

__all__ = [
    "KEEP",
    "RESET",
    "AccessDeniedError",
    "AlreadyRunning",
    "AlreadyStopped",
    "AwsGuidanceWarning",
    "BoundingBox",
    "Client",
    "ConfigurationError",
    "DeadlineExceededError",
    "Expired",
    "FaceSearchProcessor",
    "FaceSearchStart",
    "Failed",
    "Fleet",
    "FleetRequest",
    "FragmentNumber",
    "InvalidRequestError",
    "Label",
    "LabelDetectionProcessor",
    "LabelDetectionStart",
    "LabelDetectionUpdate",
    "LimitExceededError",
    "Limits",
    "LocalRateLimiter",
    "NotSentError",
    "Point",
    "Polygon",
    "Processor",
    "ProcessorKind",
    "ProducerTimestamp",
    "Quota",
    "RekostreamError",
    "RequestCancelledError",
    "ResourceInUseError",
    "ResourceNotFoundError",
    "RetryPolicy",
    "S3Destination",
    "ServiceError",
    "StartRequest",
    "Started",
    "StartedSession",
    "Status",
    "StopSelector",
    "Stopped",
    "StreamProcessor",
    "StreamProcessorFailedError",
    "ThrottlingError",
    "Timeout",
    "TransportError",
    "Unknown",
    "UnknownOutcomeError",
    "WaitTimeoutError",
    "parse_processor",
    "parse_start",
    "read_limits",
    "to_boto3",
    "using_limits",
]

# The home of each name: a name is imported from there when it is first used.
_HOMES = {
    "errors": (
        "AccessDeniedError",
        "AwsGuidanceWarning",
        "ConfigurationError",
        "DeadlineExceededError",
        "InvalidRequestError",
        "LimitExceededError",
        "NotSentError",
        "RekostreamError",
        "RequestCancelledError",
        "ResourceInUseError",
        "ResourceNotFoundError",
        "ServiceError",
        "StreamProcessorFailedError",
        "ThrottlingError",
        "TransportError",
        "UnknownOutcomeError",
        "WaitTimeoutError",
    ),
    "limits": (
        "Limits",
        "Quota",
        "using_limits",
    ),
    "domain.enums": (
        "Label",
        "ProcessorKind",
    ),
    "domain.status": ("Status",),
    "domain.geometry": (
        "BoundingBox",
        "Point",
        "Polygon",
    ),
    "domain.selectors": (
        "FragmentNumber",
        "ProducerTimestamp",
        "StopSelector",
    ),
    "domain.processors": (
        "FaceSearchProcessor",
        "LabelDetectionProcessor",
        "Processor",
        "S3Destination",
    ),
    "domain.requests": (
        "FaceSearchStart",
        "KEEP",
        "LabelDetectionStart",
        "LabelDetectionUpdate",
        "RESET",
        "StartRequest",
    ),
    "domain.responses": (
        "StartedSession",
        "StreamProcessor",
    ),
    "codec": (
        "parse_processor",
        "parse_start",
        "to_boto3",
    ),
    "retry.policy": ("RetryPolicy",),
    "rate_limiting": ("LocalRateLimiter",),
    "transport.timeout": ("Timeout",),
    "transport.service_quotas": ("read_limits",),
    "client": ("Client",),
    "fleet": (
        "AlreadyRunning",
        "AlreadyStopped",
        "Expired",
        "Failed",
        "Fleet",
        "FleetRequest",
        "Started",
        "Stopped",
        "Unknown",
    ),
}


# The modules with public names.
_MODULES = (
    "client",
    "clock",
    "distributed",
    "domain",
    "emulator",
    "errors",
    "fleet",
    "limits",
    "rate_limiting",
    "results",
    "testing",
)


if not TYPE_CHECKING:  # to type checkers, a name that is not imported above is a mistake

    def __getattr__(name: str) -> object:
        for home, names in _HOMES.items():
            if name in names:
                found: object = getattr(importlib.import_module(f"{__name__}.{home}"), name)
                # Tracebacks and reprs show the name that users type.
                if callable(found):
                    found.__module__ = __name__
                globals()[name] = found
                return found
        if name in _MODULES:
            try:
                return importlib.import_module(f"{__name__}.{name}")
            except ImportError as error:  # an extra is not installed; help() and inspect skip what has no value
                raise AttributeError(str(error)) from error
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, *_MODULES, "__version__"]
