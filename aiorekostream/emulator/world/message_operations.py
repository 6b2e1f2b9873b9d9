"""Execute the operations of Amazon SQS on messages.

See https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Operations.html.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from aiorekostream.emulator.world.answers import Refusal, RefusedError, Success, refuse
from aiorekostream.emulator.world.queue import MAX_VISIBILITY_TIMEOUT, EmulatedQueue, StoredMessage
from aiorekostream.emulator.world.queue_context import ALL, MAX_MESSAGE_BYTES, QueueContext, invalid_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiorekostream.emulator.world.answers import JsonObject
    from aiorekostream.emulator.world.fields import Fields

__all__ = [
    "ReceiveOptions",
    "change_visibility",
    "change_visibility_batch",
    "delete",
    "delete_batch",
    "parse_receive",
    "receive",
    "send",
    "send_batch",
]

_ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
_MAX_BATCH = 10


@attrs.frozen(kw_only=True)
class ReceiveOptions:
    """A parsed ReceiveMessage request.

    Attributes:
        queue: the queue.
        most: the maximum number of messages.
        wait: how long to wait for a message, in seconds.
        visibility_timeout: how long the messages stay invisible, in seconds.
        attributes: the names of the attributes that the response has.
    """

    queue: EmulatedQueue
    most: int
    wait: int
    visibility_timeout: int
    attributes: frozenset[str]


def send(context: QueueContext, request: Fields) -> Success:
    """Execute SendMessage."""
    return Success(_send(context, context.queue(request), request))


def send_batch(context: QueueContext, request: Fields) -> Success:
    """Execute SendMessageBatch."""
    queue = context.queue(request)
    entries = _entries(request)
    if sum(len((entry.optional_text("MessageBody") or "").encode()) for entry in entries) > MAX_MESSAGE_BYTES:
        message = f"Batch requests cannot be longer than {MAX_MESSAGE_BYTES} bytes."
        raise refuse(Refusal("BatchRequestTooLong", message))
    return _batch(entries, lambda entry: _send(context, queue, entry))


def _send(context: QueueContext, queue: EmulatedQueue, request: Fields) -> dict[str, object]:
    for name in ("MessageAttributes", "MessageSystemAttributes"):
        if request.optional_structure(name) is not None:
            raise refuse(Refusal("UnsupportedOperation", f"The emulator's queues have no {name}."))
    body = request.text("MessageBody")
    if not body:
        raise refuse(Refusal("MissingParameter", "The request must contain the parameter MessageBody."))
    most = queue.settings["MaximumMessageSize"]
    if len(body.encode("utf-8", "surrogatepass")) > most:
        raise invalid_value(f"One or more parameters are invalid. Reason: Message must be shorter than {most} bytes.")
    delay = _whole(request, "DelaySeconds", queue.settings["DelaySeconds"], 0, 900)
    message = context.queues.send(queue, body, context.now, delay=delay)
    return {"MessageId": message.message_id, "MD5OfMessageBody": message.digest}


def parse_receive(context: QueueContext, request: Fields) -> ReceiveOptions:
    """Parse a ReceiveMessage request."""
    queue = context.queue(request)
    names = request.texts("AttributeNames") + request.texts("MessageSystemAttributeNames")
    return ReceiveOptions(
        queue=queue,
        most=_whole(request, "MaxNumberOfMessages", 1, 1, _MAX_BATCH),
        wait=_whole(request, "WaitTimeSeconds", queue.settings["ReceiveMessageWaitTimeSeconds"], 0, 20),
        visibility_timeout=_whole(
            request, "VisibilityTimeout", queue.settings["VisibilityTimeout"], 0, MAX_VISIBILITY_TIMEOUT
        ),
        attributes=frozenset(names),
    )


def receive(context: QueueContext, options: ReceiveOptions) -> list[JsonObject]:
    """Execute ReceiveMessage without waiting, and return the messages."""
    received = context.queues.receive(
        options.queue, context.now, most=options.most, visibility_timeout=options.visibility_timeout
    )
    return [_to_json(message, options, context.caller.account) for message in received]


def _to_json(message: StoredMessage, options: ReceiveOptions, account: str) -> JsonObject:
    found: dict[str, object] = {
        "MessageId": message.message_id,
        "ReceiptHandle": message.receipt_handle,
        "MD5OfBody": message.digest,
        "Body": message.body,
    }
    if options.attributes:
        attributes = {
            "SenderId": account,
            "SentTimestamp": str(int(message.sent_at * 1000)),
            "ApproximateReceiveCount": str(message.receive_count),
            "ApproximateFirstReceiveTimestamp": str(int((message.received_at or 0) * 1000)),
        }
        wanted = options.attributes
        found["Attributes"] = (
            attributes if ALL in wanted else {name: value for name, value in attributes.items() if name in wanted}
        )
    return found


def delete(context: QueueContext, request: Fields) -> Success:
    """Execute DeleteMessage."""
    _delete(context.queue(request), request)
    return Success({})


def delete_batch(context: QueueContext, request: Fields) -> Success:
    """Execute DeleteMessageBatch."""
    queue = context.queue(request)
    return _batch(_entries(request), lambda entry: _delete(queue, entry))


def change_visibility(context: QueueContext, request: Fields) -> Success:
    """Execute ChangeMessageVisibility."""
    _change_visibility(context, context.queue(request), request)
    return Success({})


def change_visibility_batch(context: QueueContext, request: Fields) -> Success:
    """Execute ChangeMessageVisibilityBatch."""
    queue = context.queue(request)
    return _batch(_entries(request), lambda entry: _change_visibility(context, queue, entry))


def _delete(queue: EmulatedQueue, request: Fields) -> dict[str, object]:
    message = _message(queue, request)
    if message is not None:
        queue.remove(message)
    return {}


def _change_visibility(context: QueueContext, queue: EmulatedQueue, request: Fields) -> dict[str, object]:
    timeout = _whole(request, "VisibilityTimeout", -1, 0, MAX_VISIBILITY_TIMEOUT)
    if timeout < 0:
        raise refuse(Refusal("MissingParameter", "The request must contain the parameter VisibilityTimeout."))
    message = _message(queue, request)
    if message is None or message.visible_at <= context.now:
        raise refuse(Refusal("MessageNotInflight", "The message is not in flight: it is visible again, or deleted."))
    if (
        message.latest_receive_at is not None
        and context.now + timeout > message.latest_receive_at + MAX_VISIBILITY_TIMEOUT
    ):
        raise invalid_value(
            f"Total VisibilityTimeout for the message is beyond the limit [{MAX_VISIBILITY_TIMEOUT} seconds]"
        )
    queue.change_visibility(message, context.now, timeout)
    return {}


def _message(queue: EmulatedQueue, request: Fields) -> StoredMessage | None:
    handle = request.text("ReceiptHandle")
    try:
        return queue.find(handle)
    except ValueError:
        message = f'The input receipt handle "{handle[:200]}" is not a valid receipt handle.'
        raise refuse(Refusal("ReceiptHandleIsInvalid", message)) from None


def _entries(request: Fields) -> list[Fields]:
    entries = request.structures("Entries")
    ids = [entry.text("Id") for entry in entries]
    if not entries:
        raise refuse(Refusal("EmptyBatchRequest", "There should be at least one entry in the request."))
    if len(entries) > _MAX_BATCH:
        raise refuse(
            Refusal("TooManyEntriesInBatchRequest", f"Maximum number of entries per request are {_MAX_BATCH}.")
        )
    if any(_ENTRY_ID.fullmatch(entry_id) is None for entry_id in ids):
        raise refuse(Refusal("InvalidBatchEntryId", "An Id is 1 to 80 characters of a-z, A-Z, 0-9, '-' and '_'."))
    if len(set(ids)) < len(ids):
        raise refuse(Refusal("BatchEntryIdsNotDistinct", "Two entries have the same Id."))
    return entries


def _batch(entries: list[Fields], execute_entry: Callable[[Fields], dict[str, object]]) -> Success:
    successful: list[dict[str, object]] = []
    failed: list[dict[str, object]] = []
    for entry in entries:
        entry_id = entry.text("Id")
        try:
            successful.append({"Id": entry_id, **execute_entry(entry)})
        except RefusedError as error:
            refusal = error.refusal
            failed.append({"Id": entry_id, "SenderFault": True, "Code": refusal.code, "Message": refusal.message})
    return Success({"Successful": successful, "Failed": failed} if failed else {"Successful": successful})


def _whole(request: Fields, name: str, default: int, least: int, most: int) -> int:
    value = request.optional_whole(name)
    if value is not None and not least <= value <= most:
        raise invalid_value(
            f"Value {value} for parameter {name} is invalid. Reason: Must be between {least} and {most}."
        )
    return default if value is None else value
