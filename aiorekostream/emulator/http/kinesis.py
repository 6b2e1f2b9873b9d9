"""Serve Amazon Kinesis Data Streams: the JSON protocol, over HTTP/1.1.

See https://docs.aws.amazon.com/kinesis/latest/APIReference/Welcome.html. The SDK for Java sends CBOR unless that
is disabled; CBOR is not served.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from aiorekostream.emulator.clocks import EmulatorClock
from aiorekostream.emulator.http.json_service import JsonPlane, JsonService
from aiorekostream.emulator.http.wire import CONTENT_TYPE, HttpResponse, dumped
from aiorekostream.emulator.world.answers import Refusal
from aiorekostream.emulator.world.dependency_faults import DependencyFaults
from aiorekostream.emulator.world.stream_context import StreamContext
from aiorekostream.emulator.world.stream_operations import STREAM_OPERATIONS, execute
from aiorekostream.emulator.world.streams import Streams

if TYPE_CHECKING:
    from aiorekostream.emulator.http.wire import HttpRequest
    from aiorekostream.emulator.world.answers import JsonObject
    from aiorekostream.emulator.world.identity import Caller

__all__ = ["KinesisPlane"]

_LOGGER = logging.getLogger("aiorekostream.emulator")
_SERVICE = JsonService(target="Kinesis_20131202.", scope="kinesis", operations=STREAM_OPERATIONS)
# A request of PutRecords has up to 5 MB of data, which are a third larger in base64.
_MAX_BODY_BYTES = 8 * 1024 * 1024
_CBOR = "application/x-amz-cbor-1.1"


@attrs.define(kw_only=True)
class KinesisPlane(JsonPlane):
    """Serve the API of Kinesis Data Streams.

    Attributes:
        streams: the streams.
        callers: identifies callers.
        pump: makes results when they are due.
        clock: the emulator's clock.
        reader_clock: the clock of read rates and of iterators.
        dependency_faults: returns the streams that are missing, among others.
        limits_reads: whether reads above AWS's rates are refused.
    """

    streams: Streams
    clock: EmulatorClock
    reader_clock: EmulatorClock
    dependency_faults: Callable[[], DependencyFaults]
    limits_reads: bool
    _dropped: int = attrs.field(default=0, init=False)

    @property
    def service(self) -> JsonService:
        """See ``JsonPlane.service``."""
        return _SERVICE

    @property
    def max_body_bytes(self) -> int:
        """See ``Plane.max_body_bytes``."""
        return _MAX_BODY_BYTES

    async def respond(self, request: HttpRequest) -> HttpResponse:
        """See ``Plane.respond``."""
        if request.head.headers.get("content-type", "").startswith(_CBOR):
            message = f"The emulator serves {CONTENT_TYPE}, not CBOR: disable CBOR in the SDK (aws.cborEnabled=false)."
            return self.encode_refusal(Refusal("UnknownOperationException", message))
        return await super().respond(request)

    async def execute(self, request: HttpRequest, caller: Caller, operation: str, members: JsonObject) -> HttpResponse:
        """See ``JsonPlane.execute``."""
        del request
        context = StreamContext(
            streams=self.streams,
            caller=caller,
            now=self.clock.now(),
            reader_now=self.reader_clock.now(),
            dependency_faults=self.dependency_faults(),
            limits_reads=self.limits_reads,
        )
        result = execute(context, operation, members)
        dropped, self._dropped = self.streams.dropped - self._dropped, self.streams.dropped
        if dropped:
            _LOGGER.warning("the data streams are full: %d of the oldest records were removed", dropped)
        return HttpResponse(200, b"" if result.body is None else dumped(result.body))

    def encode_refusal(self, refusal: Refusal) -> HttpResponse:
        """See ``JsonPlane.encode_refusal``."""
        code, message = refusal.code, refusal.message or ""
        if code == "InvalidParameterException":  # of Fields, which reads the members for Rekognition too
            code = "ValidationException"
            message = f"1 validation error detected: {message.removeprefix('Request has invalid parameters. ')}"
        return HttpResponse(refusal.status, dumped({"__type": code, "message": message}))
