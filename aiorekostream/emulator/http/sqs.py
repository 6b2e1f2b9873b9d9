"""Serve Amazon SQS: the JSON protocol of boto3, aiobotocore and the current SDKs of other languages.

See https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html. The
older query protocol is not served.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import attrs

from aiorekostream.clock import SystemClock
from aiorekostream.emulator.clocks import EmulatorClock
from aiorekostream.emulator.http.json_service import JsonPlane, JsonService
from aiorekostream.emulator.http.pump import call_at_moment
from aiorekostream.emulator.http.wire import HttpResponse, dumped
from aiorekostream.emulator.world.fields import Fields
from aiorekostream.emulator.world.message_operations import ReceiveOptions, parse_receive, receive
from aiorekostream.emulator.world.queue_context import QueueContext
from aiorekostream.emulator.world.queue_operations import QUEUE_OPERATIONS, execute
from aiorekostream.emulator.world.queues import Queues

if TYPE_CHECKING:
    from aiorekostream.emulator.http.wire import HttpRequest
    from aiorekostream.emulator.world.answers import JsonObject, Refusal
    from aiorekostream.emulator.world.identity import Caller

__all__ = ["SqsPlane"]

_CONTENT_TYPE = "application/x-amz-json-1.0"
_SERVICE = JsonService(target="AmazonSQS.", scope="sqs", operations=QUEUE_OPERATIONS)
_NAMESPACE = "com.amazonaws.sqs#"
# The codes of the query protocol, which SDKs report instead of the names of the errors.
_QUERY_CODES = {
    "BatchEntryIdsNotDistinct": "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
    "BatchRequestTooLong": "AWS.SimpleQueueService.BatchRequestTooLong",
    "EmptyBatchRequest": "AWS.SimpleQueueService.EmptyBatchRequest",
    "InvalidBatchEntryId": "AWS.SimpleQueueService.InvalidBatchEntryId",
    "MessageNotInflight": "AWS.SimpleQueueService.MessageNotInflight",
    "QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue",
    "QueueNameExists": "QueueAlreadyExists",
    "TooManyEntriesInBatchRequest": "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
    "UnsupportedOperation": "AWS.SimpleQueueService.UnsupportedOperation",
}


@attrs.define(kw_only=True)
class SqsPlane(JsonPlane):
    """Serve the API of Amazon SQS.

    Attributes:
        queues: the queues.
        callers: identifies callers.
        pump: makes results when they are due.
        clock: the clock of visibility timeouts, delays and retention.
    """

    queues: Queues
    clock: EmulatorClock

    @property
    def service(self) -> JsonService:
        """See ``JsonPlane.service``."""
        return _SERVICE

    async def execute(self, request: HttpRequest, caller: Caller, operation: str, members: JsonObject) -> HttpResponse:
        """See ``JsonPlane.execute``."""
        base_url = f"http://{request.head.headers.get('host', '')}"
        context = QueueContext(queues=self.queues, caller=caller, now=self.clock.now(), base_url=base_url)
        if operation == "ReceiveMessage":
            return await self._receive(request, context, parse_receive(context, Fields(members)))
        return _encode(execute(context, operation, members).body or {})

    def encode_refusal(self, refusal: Refusal) -> HttpResponse:
        """See ``JsonPlane.encode_refusal``."""
        code, message = refusal.code, refusal.message or ""
        if code == "InvalidParameterException":  # of Fields, which reads the members for Rekognition too
            code, message = "InvalidParameterValue", message.removeprefix("Request has invalid parameters. ")
            if message.endswith(" is required."):
                code = "MissingParameter"
        body = dumped({"__type": f"{_NAMESPACE}{code}", "message": message})
        fault = "Sender" if refusal.status < 500 else "Receiver"  # noqa: PLR2004
        headers = {"x-amzn-query-error": f"{_QUERY_CODES.get(code, code)};{fault}"}
        return HttpResponse(refusal.status, body, _CONTENT_TYPE, headers)

    async def _receive(self, request: HttpRequest, context: QueueContext, options: ReceiveOptions) -> HttpResponse:
        """Receive messages; if there are none, wait for one, for real seconds whichever clock is set."""
        messages = receive(context, options)
        if not messages and options.wait:
            with self.pump.attended():
                messages = await self._wait(request, context, options)
        return _encode({"Messages": messages} if messages else {})

    async def _wait(self, request: HttpRequest, context: QueueContext, options: ReceiveOptions) -> list[JsonObject]:
        real = SystemClock()
        deadline = real.now() + options.wait
        while True:
            woken = asyncio.get_running_loop().create_future()

            def wake(woken: asyncio.Future[None] = woken) -> None:
                if not woken.done():
                    woken.set_result(None)

            ends = [options.queue.listen(wake), request.connection.on_lost(wake), real.call_at(deadline, wake).cancel]
            visible_at = options.queue.next_visible_at()
            if visible_at is not None:
                ends.append(call_at_moment(self.clock, visible_at, wake).cancel)
            try:
                await woken
            finally:
                for end in ends:
                    end()
            # A message must not be received for a caller that has left: it would be invisible for the timeout.
            if request.connection.is_lost:
                raise ConnectionAbortedError("the connection ended while the caller waited for messages")
            messages = receive(attrs.evolve(context, now=self.clock.now()), options)
            if messages or real.now() >= deadline:
                return messages


def _encode(body: JsonObject) -> HttpResponse:
    return HttpResponse(200, dumped(body), _CONTENT_TYPE)
