"""Parse ARNs, of every partition: one class for each kind of resource that a processor refers to.

The patterns are written by hand. Those of the API's model accept roles and topics of the ``aws`` partition only, and
refuse valid ones of GovCloud and China.
"""

import re
from typing import ClassVar, Self, final

import attrs

from aiorekostream.domain.rules import convert_safely, reject

__all__ = ["Arn", "KinesisDataStreamArn", "KinesisVideoStreamArn", "RoleArn", "SNSTopicArn", "StreamProcessorArn"]

_PARTITION = r"aws(?:-[a-z]+)*"
_REGION = r"[a-z]{2,}(?:-[a-z]+)+-[0-9]+"
_ACCOUNT = r"[0-9]{12}"
_STREAM = r"[a-zA-Z0-9_.\-]"


@attrs.frozen
class Arn:
    """The parts of an ARN: read with ``parse`` of one of the classes below, written with ``str``.

    See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html.

    Attributes:
        partition: ``aws``, ``aws-cn``, ``aws-us-gov`` and so on.
        region: the Region; empty for a global service such as IAM.
        account_id: the account, twelve digits.
        resource: the last part, such as ``stream/front-door/1656000000000``.
    """

    _service: ClassVar[str] = "*"
    # Compiled by `re` on first use. This one matches nothing: only the classes below have instances.
    _pattern: ClassVar[str] = r"(?!)"
    _example: ClassVar[str] = "those of the classes KinesisVideoStreamArn, KinesisDataStreamArn, RoleArn and so on"

    partition: str
    region: str
    account_id: str
    resource: str

    def __attrs_post_init__(self) -> None:
        parts = (self.partition, self.region, self.account_id, self.resource)
        if not all(type(part) is str for part in parts) or re.fullmatch(self._pattern, str(self)) is None:
            reject(parts, f"an ARN such as {self._example}")

    @classmethod
    def parse(cls, value: str | Self) -> Self:
        """Parse an ARN of this class from text; an instance of this class is returned as it is.

        Raises:
            InvalidRequestError: the value is not an ARN of this kind.
        """
        return convert_safely(cls._parse, value)

    @classmethod
    def _parse(cls, value: str | Self) -> Self:
        if isinstance(value, cls):
            return value
        match = re.fullmatch(cls._pattern, str.__str__(value)) if isinstance(value, str) else None
        if match is None:
            reject(value, f"an ARN such as {cls._example}")
        return cls(*match.group("partition", "region", "account_id", "resource"))

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self._service}:{self.region}:{self.account_id}:{self.resource}"


def _pattern_of(service: str, region: str, resource: str) -> str:
    return (
        rf"arn:(?P<partition>{_PARTITION}):{service}:(?P<region>{region}):(?P<account_id>{_ACCOUNT}):"
        rf"(?P<resource>{resource})"
    )


@final
class KinesisVideoStreamArn(Arn):
    """A Kinesis video stream, ``arn:aws:kinesisvideo:<region>:<account>:stream/<name>/<creation time>``.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_KinesisVideoStream.html.
    """

    __slots__ = ()

    _service = "kinesisvideo"
    # Kinesis Video Streams always appends the creation time, but examples in Rekognition's documentation omit it.
    _pattern = _pattern_of(_service, _REGION, rf"stream/{_STREAM}{{1,256}}(?:/[0-9]+)?")
    _example = "arn:aws:kinesisvideo:us-east-1:123456789012:stream/front-door/1656000000000"


@final
class KinesisDataStreamArn(Arn):
    """A Kinesis data stream, ``arn:aws:kinesis:<region>:<account>:stream/<name>``.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_KinesisDataStream.html.
    """

    __slots__ = ()

    _service = "kinesis"
    _pattern = _pattern_of(_service, _REGION, rf"stream/{_STREAM}{{1,128}}")
    _example = "arn:aws:kinesis:us-east-1:123456789012:stream/faces"


@final
class SNSTopicArn(Arn):
    """An SNS topic, ``arn:aws:sns:<region>:<account>:<name>``.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_StreamProcessorNotificationChannel.html.
    """

    __slots__ = ()

    _service = "sns"
    _pattern = _pattern_of(_service, _REGION, r"[a-zA-Z0-9_\-]{1,256}(?:\.fifo)?")
    _example = "arn:aws:sns:us-east-1:123456789012:AmazonRekognitionDoors"


@final
class RoleArn(Arn):
    """An IAM role, ``arn:aws:iam::<account>:role/<path and name>``.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_CreateStreamProcessor.html.
    """

    __slots__ = ()

    _service = "iam"
    _pattern = _pattern_of(_service, "", r"role/[a-zA-Z_0-9+=,.@\-/]*[a-zA-Z_0-9+=,.@\-]")
    _example = "arn:aws:iam::123456789012:role/Rekognition"


@final
class StreamProcessorArn(Arn):
    """A stream processor, ``arn:aws:rekognition:<region>:<account>:streamprocessor/<name>``.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_TagResource.html.
    """

    __slots__ = ()

    _service = "rekognition"
    _pattern = _pattern_of(_service, _REGION, r"streamprocessor/[a-zA-Z0-9_.\-]{1,128}")
    _example = "arn:aws:rekognition:us-east-1:123456789012:streamprocessor/front-door"


def kinesis_video_stream_arn(value: str | KinesisVideoStreamArn) -> KinesisVideoStreamArn:
    """Convert text to an ARN; a parsed ARN is returned as it is."""
    return KinesisVideoStreamArn.parse(value)


def kinesis_data_stream_arn(value: str | KinesisDataStreamArn) -> KinesisDataStreamArn:
    """Convert text to an ARN; a parsed ARN is returned as it is."""
    return KinesisDataStreamArn.parse(value)


def sns_topic_arn(value: str | SNSTopicArn) -> SNSTopicArn:
    """Convert text to an ARN; a parsed ARN is returned as it is."""
    return SNSTopicArn.parse(value)


def role_arn(value: str | RoleArn) -> RoleArn:
    """Convert text to an ARN; a parsed ARN is returned as it is."""
    return RoleArn.parse(value)


def stream_processor_arn(value: str | StreamProcessorArn) -> StreamProcessorArn:
    """Convert text to an ARN; a parsed ARN is returned as it is."""
    return StreamProcessorArn.parse(value)
