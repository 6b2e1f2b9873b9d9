"""Define what the operations of Kinesis Data Streams work on, and the tokens that they return."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, cast

import attrs

from aiorekostream.emulator.world.answers import Refusal, RefusedError, refuse
from aiorekostream.emulator.world.dependency_faults import DependencyFaults
from aiorekostream.emulator.world.identity import Caller, Stream
from aiorekostream.emulator.world.streams import Streams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorekostream.emulator.world.fields import Fields
    from aiorekostream.emulator.world.shard import EmulatedShard
    from aiorekostream.emulator.world.stream import EmulatedStream

__all__ = ["TOKEN_LIFE", "StreamContext", "invalid_argument", "read_token", "write_token"]

TOKEN_LIFE = 300.0
"""Seconds; how long AWS accepts a shard iterator and the token of a page."""


@attrs.frozen(kw_only=True)
class StreamContext:
    """What one operation works on.

    Attributes:
        streams: all streams.
        caller: the account and the Region.
        now: the time on the emulator's clock, in epoch seconds.
        reader_now: the time on the readers' clock, in epoch seconds; rates and iterators are measured with it.
        dependency_faults: the streams that are missing, among others.
        limits_reads: whether reads above AWS's rates are refused.
    """

    streams: Streams
    caller: Caller
    now: float
    reader_now: float
    dependency_faults: DependencyFaults
    limits_reads: bool

    def exists(self, stream: EmulatedStream) -> bool:
        """Return whether a stream is not missing by a dependency fault."""
        return not self.dependency_faults.is_missing_data_stream(stream.arn, stream.name)

    def name(self, request: Fields) -> str:
        """Return the name of the stream that a request is for, by name or by ARN.

        An ARN may be of another account: a processor may name such a one, and its stream is in the account of the
        processor.
        """
        name, arn = request.optional_text("StreamName"), request.optional_text("StreamARN")
        if arn is None:
            if name is None:
                raise invalid_argument("Either StreamName or StreamARN must be present.")
            return name
        stream = Stream.from_arn(arn, "kinesis")
        if stream is None or stream.region != self.caller.region or name not in {None, stream.name}:
            raise invalid_argument(f"StreamARN {arn[:200]} is not the ARN of a stream in {self.caller.region}.")
        return stream.name

    def stream(self, request: Fields) -> EmulatedStream:
        """Return the stream that a request is for, with the records that have arrived."""
        return self.named(self.name(request))

    def named(self, name: str) -> EmulatedStream:
        """Return the stream of a name, with the records that have arrived."""
        found = self.streams.get(self.caller, name)
        if found is None or not self.exists(found):
            message = f"Stream {name[:128]} under account {self.caller.account} not found."
            raise refuse(Refusal("ResourceNotFoundException", message))
        found.advance(self.now)
        self.streams.enforce_bounds()
        return found

    def shard(self, stream: EmulatedStream, shard_id: str) -> EmulatedShard:
        """Return a shard of a stream."""
        found = stream.shards.get(shard_id)
        if found is None:
            message = (
                f"Could not find shard {shard_id[:128]} in stream {stream.name} under account {self.caller.account}."
            )
            raise refuse(Refusal("ResourceNotFoundException", message))
        return found


def invalid_argument(message: str) -> RefusedError:
    """Return the refusal of an argument that AWS's model allows."""
    return refuse(Refusal("InvalidArgumentException", message))


def write_token(*parts: str | float) -> str:
    """Return a token that contains texts and numbers."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


def read_token(token: str, *types: type) -> Sequence[object] | None:
    """Return the texts and numbers of a token; None if they are not of the given types."""
    try:
        parts: object = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, RecursionError):
        return None
    if not isinstance(parts, list):
        return None
    found = cast("list[object]", parts)
    return found if [type(part) for part in found] == list(types) else None
