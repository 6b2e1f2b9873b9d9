"""What to do about a processor that has FAILED, by what its StatusMessage says: a table.

StatusMessage is free text, so it is recognised by a part of it. From
https://docs.aws.amazon.com/rekognition/latest/dg/streaming-video-troubleshooting.html.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["remedy"]

_TROUBLE = "https://docs.aws.amazon.com/rekognition/latest/dg/streaming-video-troubleshooting.html"
_FACE_ROLE = "https://docs.aws.amazon.com/rekognition/latest/dg/api-streaming-video-roles.html"
_LABEL_SETUP = "https://docs.aws.amazon.com/rekognition/latest/dg/streaming-labels-setting-up.html"
_VIDEO = "https://docs.aws.amazon.com/rekognition/latest/dg/setting-up-your-amazon-rekognition-streaming-video-resources.html"
_ANEW = "create it and start again, or delete the processor and create one with another stream (none can be changed)"

# The first part that is found counts.
_REMEDIES: Final = (
    (
        "access denied to role",
        (
            "The processor's role must exist, trust rekognition.amazonaws.com (sts:AssumeRole) and have a permissions"
            f" policy ({_FACE_ROLE}, {_LABEL_SETUP})"
        ),
    ),
    (
        "access denied to kinesis video",
        (
            "The processor's role needs kinesisvideo:GetDataEndpoint and kinesisvideo:GetMedia on the video stream"
            f" ({_TROUBLE})"
        ),
    ),
    (
        "access denied to kinesis data",
        f"The processor's role needs kinesis:PutRecord and kinesis:PutRecords on the data stream ({_TROUBLE})",
    ),
    (
        "collection not found",
        (
            "The face collection must exist in the processor's account and Region: look at its id, or create it and"
            f" start again ({_TROUBLE})"
        ),
    ),
    (
        r"stream \S+ under account \S+ not found",
        f"The Kinesis data stream must exist in the processor's account and Region: {_ANEW} ({_TROUBLE})",
    ),
    (
        r"stream \S+ doesn.t exist",
        f"The Kinesis video stream must exist in the processor's account and Region: {_ANEW} ({_TROUBLE})",
    ),
    ("codec", f"The video must be H.264 in self-contained fragments ({_VIDEO})"),
    (
        "access denied",
        (
            "The processor's role lacks a permission. Both kinds need kinesisvideo:GetDataEndpoint and GetMedia; a face"
            " search needs kinesis:PutRecord and PutRecords; a label detection needs s3:PutObject on its bucket,"
            " sns:Publish on its topic, and kms:Decrypt, Encrypt and GenerateDataKey* on its key, if it has one"
            f" ({_FACE_ROLE}, {_LABEL_SETUP})"
        ),
    ),
)
_PATTERNS: Final = tuple((re.compile(part, re.IGNORECASE), advice) for part, advice in _REMEDIES)


def remedy(status_message: str | None) -> str:
    """What to do about a failure; where the message is missing or unknown, where to read on.

    Args:
        status_message: StatusMessage as Describe has it.
    """
    for pattern, advice in _PATTERNS:
        if pattern.search(status_message or ""):
            return advice
    return f"See {_TROUBLE}. It can be started again from FAILED"
