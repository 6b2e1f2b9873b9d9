"""Define the options of a consumer of Kinesis Data Streams."""

import re

import attrs

from aiorekostream.domain.fields import text, whole_number
from aiorekostream.domain.rules import collecting, optional
from aiorekostream.results.calls import CallOptions
from aiorekostream.results.kinesis.checkpoints import Checkpoints, MemoryCheckpoints
from aiorekostream.results.kinesis.port import RecordStream
from aiorekostream.results.kinesis.positions import StreamStart, kinesis_name, stream_start

__all__ = ["KinesisOptions"]

# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_StreamDescription.html
_STREAM = re.compile(
    r"(?:arn:aws[a-z-]*:kinesis:(?P<region>[a-z0-9-]+):[0-9]{12}:stream/)?[a-zA-Z0-9_.-]{1,128}", re.ASCII
)


def _stream(value: str) -> str:
    expected = "the name of a stream, 1 to 128 characters of a-z, A-Z, 0-9, '_', '.', '-', or its ARN"
    return text(value, least=1, most=2048, pattern=_STREAM, expected=expected)


def _in_flight(value: int) -> int:
    return whole_number(value, least=1, most=1_000_000)


def _checkpoints(value: Checkpoints | None) -> Checkpoints:
    return MemoryCheckpoints() if value is None else optional(value, "acquire", "release", expected="a Checkpoints")


def _record_stream(value: RecordStream | None) -> RecordStream | None:
    return optional(value, "shards", expected="a RecordStream")


@attrs.frozen(kw_only=True, field_transformer=collecting)
class KinesisOptions(CallOptions):
    """The options of a consumer. See ``KinesisConsumer``.

    Attributes:
        stream: the name or the ARN of the stream.
        start: where it begins without checkpoints.
        name: the name of the consumer.
        max_in_flight: the most records that are held at a time.
        checkpoints: the store of checkpoints.
        record_stream: the stream to use in place of Kinesis.

    Raises:
        InvalidRequestError: options break their rules; all issues at once.
    """

    stream: str = attrs.field(converter=_stream)
    start: StreamStart = attrs.field(converter=stream_start)
    name: str = attrs.field(converter=kinesis_name)
    max_in_flight: int = attrs.field(converter=_in_flight)
    checkpoints: Checkpoints = attrs.field(default=None, converter=_checkpoints)
    record_stream: RecordStream | None = attrs.field(default=None, converter=_record_stream)

    @property
    def stream_region(self) -> str | None:
        """The Region of an ARN; ``None`` for a name."""
        found = _STREAM.fullmatch(self.stream)
        return None if found is None else found["region"]
