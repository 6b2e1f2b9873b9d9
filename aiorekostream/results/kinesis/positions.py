"""Define positions in a shard: where reading begins, and the text of a checkpoint; pure."""

import datetime
import enum
import re
from typing import Literal, Self, TypeAlias, final

import attrs

from aiorekostream.domain.fields import text
from aiorekostream.domain.rules import Validated, collecting, reject
from aiorekostream.errors import ConfigurationError

__all__ = [
    "SHARD_END",
    "Position",
    "PositionType",
    "SequenceNumber",
    "StreamStart",
    "kinesis_name",
    "record_id",
    "stream_start",
]

# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetShardIterator.html
_SEQUENCE_NUMBER = re.compile(r"0|[1-9][0-9]{0,128}", re.ASCII)
_NAME = re.compile(r"[a-zA-Z0-9_.\-]+", re.ASCII)
_START = '"latest", "oldest", a datetime with a time zone, or a SequenceNumber'


def _sequence_number(value: str) -> str:
    return text(value, least=1, most=129, pattern=_SEQUENCE_NUMBER, expected="a whole number of 1 to 129 digits")


def kinesis_name(value: str) -> str:
    """Validate a name of Kinesis Data Streams, such as the id of a shard."""
    return text(value, least=1, most=128, pattern=_NAME, expected="1 to 128 characters of a-z, A-Z, 0-9, '_', '.', '-'")


@final
@attrs.frozen(field_transformer=collecting)
class SequenceNumber(Validated):
    """The sequence number of a record, and the shard that has it. Sequence numbers are ordered within their shard only.

    ``str()`` of it is the ``id`` of the record's delivery, and the ``eventID`` of the record in AWS Lambda.

    Attributes:
        value: the sequence number, 1 to 129 decimal digits.
        shard_id: the id of the shard, such as ``shardId-000000000000``.

    Raises:
        InvalidRequestError: a field breaks its rule.
    """

    value: str = attrs.field(converter=_sequence_number)
    shard_id: str = attrs.field(converter=kinesis_name, kw_only=True)

    @classmethod
    def parse(cls, delivery_id: str) -> Self:
        """Return the sequence number in the id of a delivery.

        Args:
            delivery_id: the id of the shard and the sequence number, with a colon between them.

        Raises:
            InvalidRequestError: the text is no such id.
        """
        if not isinstance(delivery_id, str) or ":" not in delivery_id:
            reject(delivery_id, "the id of a delivery: the id of a shard, ':' and a sequence number")
        shard_id, _, value = delivery_id.rpartition(":")
        return cls(value, shard_id=shard_id)

    def __str__(self) -> str:
        return record_id(self.shard_id, self.value)


def record_id(shard_id: str, sequence_number: str) -> str:
    """Return the id of a record, in the form of ``eventID`` in AWS Lambda."""
    return f"{shard_id}:{sequence_number}"


StreamStart: TypeAlias = Literal["latest", "oldest"] | datetime.datetime | SequenceNumber
"""Where a consumer begins that has no checkpoint."""


def stream_start(value: StreamStart) -> StreamStart:
    """Validate where a consumer begins."""
    match value:
        case SequenceNumber() | "latest" | "oldest":
            return value
        case datetime.datetime() if value.utcoffset() is not None:
            return value
        case _:
            reject(value, _START)
    return None


class PositionType(enum.Enum):
    """The kind of a position: AWS's types of shard iterators, and the end of a closed shard."""

    LATEST = "LATEST"
    TRIM_HORIZON = "TRIM_HORIZON"
    AT_TIMESTAMP = "AT_TIMESTAMP"
    AT_SEQUENCE_NUMBER = "AT_SEQUENCE_NUMBER"
    AFTER_SEQUENCE_NUMBER = "AFTER_SEQUENCE_NUMBER"
    SHARD_END = "SHARD_END"


_NUMBERED = frozenset({PositionType.AT_SEQUENCE_NUMBER, PositionType.AFTER_SEQUENCE_NUMBER})


@final
@attrs.frozen
class Position:
    """A position in a shard. ``str()`` and ``parse`` convert to the text in a store of checkpoints.

    Attributes:
        type: the kind of position.
        sequence_number: the sequence number, for the two types that have one.
        timestamp: the time of arrival, for ``AT_TIMESTAMP``.
    """

    type: PositionType
    sequence_number: str = ""
    timestamp: datetime.datetime | None = None

    @classmethod
    def after(cls, sequence_number: str) -> Self:
        """Return the position after a record.

        Args:
            sequence_number: the sequence number of the record.
        """
        return cls(PositionType.AFTER_SEQUENCE_NUMBER, sequence_number)

    @classmethod
    def at_time(cls, moment: datetime.datetime) -> Self:
        """Return the position of the first record that arrives at a time or later.

        Args:
            moment: the date and time, with a time zone.
        """
        return cls(PositionType.AT_TIMESTAMP, timestamp=moment)

    @classmethod
    def parse(cls, stored: str) -> Self:
        """Return the position that a store of checkpoints has.

        Args:
            stored: the text of the checkpoint, as ``str(position)`` has written it.

        Raises:
            ConfigurationError: the text is no position.
        """
        kind, _, rest = stored.partition(" ")
        try:
            found = PositionType(kind)
            if found in _NUMBERED:
                return cls(found, _sequence_number(rest))
            if found is PositionType.AT_TIMESTAMP:
                return cls.at_time(datetime.datetime.fromisoformat(rest))
        except ValueError as error:
            raise ConfigurationError(
                f"the store of checkpoints has a position that cannot be read: {stored!r}"
            ) from error
        return cls(found)

    def __str__(self) -> str:
        if self.timestamp is not None:
            return f"{self.type.value} {self.timestamp.isoformat()}"
        return f"{self.type.value} {self.sequence_number}".rstrip()


SHARD_END = Position(PositionType.SHARD_END)
"""The end of a closed shard."""
