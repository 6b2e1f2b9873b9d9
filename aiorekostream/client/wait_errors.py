"""Build the error of each wait that does not end with its condition, with a hint what to do. Pure."""

import re

from aiorekostream.client.wait_conditions import Evaluation, Observation, WaitCondition, Waiter
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.requests import StartRequest
from aiorekostream.domain.status import ACTIVE, Status
from aiorekostream.errors import (
    InvalidRequestError,
    RekostreamError,
    StreamProcessorFailedError,
    ValidationIssue,
    WaitTimeoutError,
    copy_error,
)

__all__ = ["contested_error", "failure_error", "failure_hint", "timeout_error", "wait_error", "wrong_kind_error"]

_LABELS = "https://docs.aws.amazon.com/rekognition/latest/dg/streaming-labels-detection.html"
_TROUBLE = "https://docs.aws.amazon.com/rekognition/latest/dg/streaming-video-troubleshooting.html"
_FACE_ROLE = "https://docs.aws.amazon.com/rekognition/latest/dg/api-streaming-video-roles.html"
_LABEL_SETUP = "https://docs.aws.amazon.com/rekognition/latest/dg/streaming-labels-setting-up.html"
_VIDEO = "https://docs.aws.amazon.com/rekognition/latest/dg/setting-up-your-amazon-rekognition-streaming-video-resources.html"
_ANEW = "create it and start again, or delete the processor and create one with another stream (none can be changed)"
# What to do about a failure, by a pattern of its StatusMessage, which is free text; the first that matches counts. From
# AWS's troubleshooting page.
_FAILURE_HINTS = {
    "access denied to role": (
        "The processor's role must exist, trust rekognition.amazonaws.com (sts:AssumeRole) and have a permissions"
        f" policy ({_FACE_ROLE}, {_LABEL_SETUP})"
    ),
    "access denied to kinesis video": (
        "The processor's role needs kinesisvideo:GetDataEndpoint and kinesisvideo:GetMedia on the video stream"
        f" ({_TROUBLE})"
    ),
    "access denied to kinesis data": (
        f"The processor's role needs kinesis:PutRecord and kinesis:PutRecords on the data stream ({_TROUBLE})"
    ),
    "collection not found": (
        "The face collection must exist in the processor's account and Region: look at its id, or create it and"
        f" start again ({_TROUBLE})"
    ),
    r"stream \S+ under account \S+ not found": (
        f"The Kinesis data stream must exist in the processor's account and Region: {_ANEW} ({_TROUBLE})"
    ),
    r"stream \S+ doesn.t exist": (
        f"The Kinesis video stream must exist in the processor's account and Region: {_ANEW} ({_TROUBLE})"
    ),
    "codec": f"The video must be H.264 in self-contained fragments ({_VIDEO})",
    "access denied": (
        "The processor's role lacks a permission. Both kinds need kinesisvideo:GetDataEndpoint and GetMedia; a face"
        " search needs kinesis:PutRecord and PutRecords; a label detection needs s3:PutObject on its bucket,"
        " sns:Publish on its topic, and kms:Decrypt, Encrypt and GenerateDataKey* on its key, if it has one"
        f" ({_FACE_ROLE}, {_LABEL_SETUP})"
    ),
}
_RIGHT_KIND = {
    WaitCondition.RUNNING: (
        "a face search: a label detection is STARTING as long as it works and never RUNNING, so wait_until_finished is"
        f" what waits for it ({_LABELS})"
    ),
    WaitCondition.FINISHED: (
        "a label detection: a face search runs until it is stopped, so wait_until_running and wait_until_stopped are"
        f" what waits for it ({_LABELS})"
    ),
}

# What to do about a timeout, by the condition and the status that was seen last.
_TIMEOUT_HINTS = {
    (WaitCondition.RUNNING, Status.STOPPED): "No caller seems to have started it",
    (WaitCondition.FINISHED, Status.STARTING): (
        "A session may last as long as the start's stop selector says, and until the end of the video fragment that is"
        f" being analyzed ({_LABELS})"
    ),
    **dict.fromkeys([(WaitCondition.STOPPED, status) for status in ACTIVE], "No caller seems to have stopped it"),
}
# Seconds after which AWS's troubleshooting page calls a processor that is STARTING stuck.
_STUCK = 120.0
_STUCK_HINT = (
    "AWS's advice for a processor that is STARTING for more than two minutes: delete it and create it again, and if"
    f" that does not help, ask AWS Support ({_TROUBLE})"
)


def failure_hint(status_message: str | None) -> str:
    """Look up what to do about a failure; for a missing or unknown message, where to read on.

    Args:
        status_message: StatusMessage as Describe has it.
    """
    for pattern, hint in _FAILURE_HINTS.items():
        if re.search(pattern, status_message or "", re.IGNORECASE):
            return hint
    return f"See {_TROUBLE}. It can be started again from FAILED"


def failure_error(name: str, seen: Observation) -> StreamProcessorFailedError:
    """Build the error of a processor that was seen to be FAILED."""
    hint = failure_hint(seen.message)
    if seen.error is not None:
        hint = "Its StatusMessage says why; reading it requires the permission rekognition:DescribeStreamProcessor"
    failure = StreamProcessorFailedError(name=name, status_message=seen.message, hint=hint)
    failure.__cause__ = seen.error
    return failure


def contested_error(name: str, wanted: str, seconds: float) -> WaitTimeoutError:
    """Build the error of a processor that did not keep a state for so many seconds."""
    hint = "Another client changes it again and again"
    return WaitTimeoutError(name=name, wanted=wanted, status=None, seconds=seconds, hint=hint)


def wrong_kind_error(request: StartRequest, kind: ProcessorKind | None) -> InvalidRequestError:
    """Build the error of a start of a processor that has another kind."""
    issue = ValidationIssue(("request",), request, f"a start of the processor's own kind, {kind}")
    return InvalidRequestError([issue])


def wait_error(waiter: Waiter) -> BaseException | None:
    """Build the error that ends a wait; ``None`` if its condition is satisfied."""
    name, seen = waiter.name, waiter.observation
    match waiter.evaluation:
        case Evaluation.FAILED:
            return failure_error(name, seen)
        case Evaluation.STOPPED_EARLY:
            message = seen.message or "it was STARTING and is STOPPED, and was not seen RUNNING"
            hint = "Another caller stopped it before, or as soon as, it ran: start it again"
            return StreamProcessorFailedError(name=name, status_message=message, hint=hint)
        case Evaluation.WRONG_KIND:
            expected = f"the name of {_RIGHT_KIND[waiter.condition]}"
            return InvalidRequestError([ValidationIssue(("name",), name, expected)])
        case Evaluation.REFUSED:
            # One answer may end several waits, and each must have a traceback of its own.
            return None if seen.error is None else copy_error(seen.error)
        case _:
            return None


def timeout_error(waiter: Waiter, seconds: float) -> RekostreamError:
    """Build the error of a wait that has timed out after so many seconds."""
    name, condition, status = waiter.name, waiter.condition, waiter.status
    is_unexplained = waiter.evaluation is Evaluation.NEEDS_DESCRIBE and condition is not WaitCondition.DELETED
    if status is Status.FAILED and is_unexplained:
        hint = "Its StatusMessage could not be read in time: describe it"
        return StreamProcessorFailedError(name=name, status_message=None, hint=hint)
    hint = "" if status is None else _TIMEOUT_HINTS.get((condition, status), "")
    if seconds >= _STUCK and (condition, status) == (WaitCondition.RUNNING, Status.STARTING):
        hint = _STUCK_HINT
    shown = None if status is None else status.value
    return WaitTimeoutError(name=name, wanted=condition.value, status=shown, seconds=seconds, hint=hint)
