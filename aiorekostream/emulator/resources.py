"""The resources that a processor names (streams, roles), told apart by their ARNs.

Written without the package's own ARN classes, so that the two readings check each other.
"""

from __future__ import annotations

import re

import attrs

__all__ = ["Stream", "partition_of", "processor_arn", "processor_named"]

_STREAM = re.compile(r"arn:([a-z0-9-]+):(kinesis|kinesisvideo):([a-z0-9-]+):([0-9]{12}):stream/([^/]+)(?:/[0-9]+)?")
_PROCESSOR = re.compile(r"arn:([a-z0-9-]+):rekognition:([a-z0-9-]+):([0-9]{12}):streamprocessor/([a-zA-Z0-9_.\-]+)")
_PARTITIONS = (
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-isob-", "aws-iso-b"),
    ("us-isof-", "aws-iso-f"),
    ("us-iso-", "aws-iso"),
    ("eu-isoe-", "aws-iso-e"),
    ("eusc-", "aws-eusc"),
)


@attrs.frozen
class Stream:
    """A Kinesis stream for video or data; the creation time that may end a video stream's ARN does not tell two apart.

    Attributes:
        partition: ``aws`` and so on.
        service: ``kinesis`` or ``kinesisvideo``.
        region: its Region.
        account: its account, twelve digits.
        name: its name.
        arn: its ARN as it was given, which has no part in comparisons.
    """

    partition: str
    service: str
    region: str
    account: str
    name: str
    arn: str = attrs.field(eq=False)

    @classmethod
    def named(cls, arn: str, service: str) -> Stream | None:
        """The stream of an ARN; None if it is no ARN of a stream of this service."""
        match = _STREAM.fullmatch(arn)
        if match is None or match[2] != service:
            return None
        return cls(match[1], match[2], match[3], match[4], match[5], arn)


def partition_of(region: str) -> str:
    """The partition that a Region belongs to."""
    return next((partition for prefix, partition in _PARTITIONS if region.startswith(prefix)), "aws")


def processor_arn(region: str, account: str, name: str) -> str:
    """The ARN of a stream processor."""
    return f"arn:{partition_of(region)}:rekognition:{region}:{account}:streamprocessor/{name}"


def processor_named(arn: str) -> str | None:
    """The name in a stream processor's ARN; None if it is none."""
    match = _PROCESSOR.fullmatch(arn)
    return None if match is None else match[4]
