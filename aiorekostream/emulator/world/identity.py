"""Identify callers and resources: the account of an access key, and the ARNs of streams and stream processors.

Independent of the package's own ARN classes, so that tests compare two implementations.
"""

from __future__ import annotations

import hashlib
import re
import uuid

import attrs

__all__ = ["Caller", "Stream", "account_for_key", "partition_of", "processor_arn", "processor_name", "stable_id"]


_STREAM = re.compile(
    r"arn:([a-z0-9-]+):(kinesis|kinesisvideo):([a-z0-9-]+):([0-9]{12}):stream/([a-zA-Z0-9_.\-]+)(?:/[0-9]+)?"
)
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
class Caller:
    """The identity of a caller.

    Attributes:
        account: the account id, twelve digits.
        region: the Region that the request is signed for.
    """

    account: str
    region: str


def account_for_key(access_key: str) -> str:
    """Derive a stable account id of twelve digits from an access key."""
    number = int.from_bytes(hashlib.sha256(access_key.encode()).digest()[:8], "big")
    return f"{10**11 + number % (9 * 10**11)}"


@attrs.frozen
class Stream:
    """A Kinesis video or data stream.

    Two ARNs of a video stream that differ only in the optional creation time are the same stream.

    Attributes:
        partition: the partition, such as ``aws``.
        service: ``kinesis`` or ``kinesisvideo``.
        region: the Region.
        account: the account, twelve digits.
        name: the name.
        arn: the ARN as given; ignored in comparisons.
    """

    partition: str
    service: str
    region: str
    account: str
    name: str
    arn: str = attrs.field(eq=False)

    @classmethod
    def from_arn(cls, arn: str, service: str) -> Stream | None:
        """Parse the ARN of a stream; return None if it is not an ARN of a stream of this service."""
        match = _STREAM.fullmatch(arn)
        if match is None or match[2] != service:
            return None
        return cls(match[1], match[2], match[3], match[4], match[5], arn)


def partition_of(region: str) -> str:
    """Return the partition of a Region."""
    return next((partition for prefix, partition in _PARTITIONS if region.startswith(prefix)), "aws")


def processor_arn(region: str, account: str, name: str) -> str:
    """Build the ARN of a stream processor."""
    return f"arn:{partition_of(region)}:rekognition:{region}:{account}:streamprocessor/{name}"


def processor_name(arn: str) -> str | None:
    """Return the name in the ARN of a stream processor; None for any other string."""
    match = _PROCESSOR.fullmatch(arn)
    return None if match is None else match[4]


def stable_id(*parts: str) -> str:
    """Return an id in the format of a UUID that is always the same for the same parts."""
    digest = hashlib.blake2b("\n".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return str(uuid.UUID(bytes=digest, version=4))
