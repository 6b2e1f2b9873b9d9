"""Define the port of record streams: what ``KinesisConsumer`` needs of Kinesis Data Streams."""

import datetime
from collections.abc import Sequence
from typing import Protocol, final

import attrs

from aiorekostream.errors import LimitExceededError, RekostreamError, ResourceInUseError, ServiceError
from aiorekostream.results.kinesis.positions import Position
from aiorekostream.results.queue_port import may_succeed_later

__all__ = ["MAX_RECORDS", "RecordBatch", "RecordStream", "Shard", "StreamRecord", "is_expired", "may_list_later"]

# Records of one read: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html.
MAX_RECORDS = 10_000


@final
@attrs.frozen(kw_only=True)
class StreamRecord:
    """A record of a shard.

    Attributes:
        sequence_number: its number, which grows within the shard.
        data: its content.
        arrived_at: when the stream received it, in UTC; ``None`` if the service omits it.
    """

    sequence_number: str
    data: bytes
    arrived_at: datetime.datetime | None = None


@final
@attrs.frozen(kw_only=True)
class Shard:
    """A shard of a stream.

    Attributes:
        id: its id.
        parents: the ids of the shards that it was made of: none, one after a split, two after a merge. The stream may
            not have them any more.
        is_closed: whether it takes no records any more, because it was split or merged.
    """

    id: str
    parents: tuple[str, ...] = ()
    is_closed: bool = False


@final
@attrs.frozen(kw_only=True)
class RecordBatch:
    """The answer to a read.

    Attributes:
        records: the records, in their order; there may be none although later ones exist.
        next_iterator: the iterator of the next read; ``None`` at the end of a closed shard.
        behind: seconds from the arrival of the last record read to now; 0 at the tip of the shard.
        children: at the end of a closed shard, the shards that it was split or merged into.
    """

    records: Sequence[StreamRecord]
    next_iterator: str | None
    behind: float = 0.0
    children: Sequence[Shard] = ()


class RecordStream(Protocol):
    """A stream of records in shards that can be split and merged.

    Every call has its own retries and deadline, and is safe to repeat.
    """

    async def shards(self) -> Sequence[Shard]:
        """Return the shards whose records are kept, open and closed.

        Raises:
            ResourceNotFoundError: the stream does not exist.
            LimitExceededError: too many lists at once; retry later.
            ResourceInUseError: the stream is being created; retry later.
        """
        ...

    async def iterator(self, shard_id: str, position: Position) -> str:
        """Return an iterator, which expires after five minutes.

        Args:
            shard_id: the id of the shard.
            position: where it begins; not the end of the shard.

        Raises:
            ResourceNotFoundError: the shard, or the stream, does not exist any more.
        """
        ...

    async def read(self, iterator: str, *, count: int) -> RecordBatch:
        """Read records.

        Args:
            iterator: the iterator of the shard, or the next one of the last read.
            count: the most records, 1 to 10,000.

        Raises:
            ServiceError: with the code ``ExpiredIteratorException``, the iterator has expired.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections. Has no effect on a closed stream."""
        ...


def is_expired(error: RekostreamError) -> bool:
    """Return whether the error means that an iterator has expired."""
    return isinstance(error, ServiceError) and error.code == "ExpiredIteratorException"


def may_list_later(error: RekostreamError) -> bool:
    """Return whether a list of shards that failed, with all its retries, may succeed later."""
    # Kinesis calls too many lists at once LimitExceeded, and a stream that is being created in use.
    # https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListShards.html
    return may_succeed_later(error) or isinstance(error, LimitExceededError | ResourceInUseError)
