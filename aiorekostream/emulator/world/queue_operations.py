"""Execute the operations of Amazon SQS on queues, and find the function of each operation.

See https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Operations.html. The operations are those
that a consumer needs, and those with which a test sets up a queue and sends messages of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias, cast

from aiorekostream.emulator.world import message_operations as messages
from aiorekostream.emulator.world.answers import Refusal, RefusedError, Success, refuse
from aiorekostream.emulator.world.fields import Fields
from aiorekostream.emulator.world.queue import MAX_VISIBILITY_TIMEOUT, EmulatedQueue, RedrivePolicy
from aiorekostream.emulator.world.queue_context import ALL, MAX_MESSAGE_BYTES, NO_QUEUE, QueueContext, invalid_value

if TYPE_CHECKING:
    from aiorekostream.emulator.world.answers import JsonObject

__all__ = ["QUEUE_OPERATIONS", "execute"]

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_MAX_RECEIVE_COUNT = 1_000
# The range of each attribute that is a number.
_RANGES: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "DelaySeconds": (0, 900),
        "MaximumMessageSize": (1_024, MAX_MESSAGE_BYTES),
        "MessageRetentionPeriod": (60, 1_209_600),
        "ReceiveMessageWaitTimeSeconds": (0, 20),
        "VisibilityTimeout": (0, MAX_VISIBILITY_TIMEOUT),
    }
)


def create_queue(context: QueueContext, request: Fields) -> Success:
    """Execute CreateQueue. A queue that a topic made gets the attributes; any other must have the same ones."""
    name = request.text("QueueName")
    if _NAME.fullmatch(name) is None:
        raise invalid_value(
            "The queue name is 1 to 80 characters of a-z, A-Z, 0-9, '-' and '_'; the emulator has no FIFO."
        )
    settings, redrive = _attributes(context, request)
    before = context.queues.get(context.caller, name)
    queue = context.queues.open(context.caller, name, context.now)
    if queue is None:
        raise refuse(Refusal("OverLimit", "The emulator has too many queues.", 403))
    if before is None or before.is_implicit:
        queue.is_implicit = False
        _set(queue, settings, redrive, context.now)
    elif any(queue.settings[key] != value for key, value in settings.items()) or redrive not in {None, queue.redrive}:
        message = "A queue already exists with the same name and a different value for an attribute."
        raise refuse(Refusal("QueueNameExists", message))
    return Success({"QueueUrl": context.url(queue)})


def get_queue_url(context: QueueContext, request: Fields) -> Success:
    """Execute GetQueueUrl."""
    owner = request.optional_text("QueueOwnerAWSAccountId")
    queue = context.queues.get(context.caller, request.text("QueueName"))
    if queue is None or owner not in {None, queue.owner.account}:
        raise refuse(NO_QUEUE)
    return Success({"QueueUrl": context.url(queue)})


def list_queues(context: QueueContext, request: Fields) -> Success:
    """Execute ListQueues, on one page."""
    prefix = request.optional_text("QueueNamePrefix") or ""
    queues = [queue for queue in context.queues.of(context.caller) if queue.name.startswith(prefix)]
    return Success({"QueueUrls": [context.url(queue) for queue in queues]} if queues else {})


def delete_queue(context: QueueContext, request: Fields) -> Success:
    """Execute DeleteQueue."""
    context.queues.delete(context.queue(request))
    return Success({})


def purge_queue(context: QueueContext, request: Fields) -> Success:
    """Execute PurgeQueue."""
    context.queue(request).purge()
    return Success({})


def get_attributes(context: QueueContext, request: Fields) -> Success:
    """Execute GetQueueAttributes."""
    queue = context.queue(request)
    visible, in_flight, delayed = queue.counts(context.now)
    attributes = {
        **{name: str(value) for name, value in queue.settings.items()},
        "ApproximateNumberOfMessages": str(visible),
        "ApproximateNumberOfMessagesDelayed": str(delayed),
        "ApproximateNumberOfMessagesNotVisible": str(in_flight),
        "CreatedTimestamp": str(int(queue.created)),
        "LastModifiedTimestamp": str(int(queue.modified)),
        "QueueArn": queue.arn,
    }
    if queue.redrive is not None:
        policy = {
            "deadLetterTargetArn": queue.redrive.dead_letter_arn,
            "maxReceiveCount": queue.redrive.max_receive_count,
        }
        attributes["RedrivePolicy"] = json.dumps(policy)
    names = set(request.texts("AttributeNames"))
    wanted = attributes if ALL in names else {name: value for name, value in attributes.items() if name in names}
    return Success({"Attributes": wanted} if wanted else {})


def set_attributes(context: QueueContext, request: Fields) -> Success:
    """Execute SetQueueAttributes."""
    queue = context.queue(request)
    settings, redrive = _attributes(context, request)
    queue.is_implicit = False
    if request.text_map("Attributes").get("RedrivePolicy") == "":
        queue.redrive = None
    _set(queue, settings, redrive, context.now)
    return Success({})


def _set(queue: EmulatedQueue, settings: Mapping[str, int], redrive: RedrivePolicy | None, now: float) -> None:
    queue.settings.update(settings)
    queue.redrive = redrive or queue.redrive
    queue.modified = now


def _attributes(context: QueueContext, request: Fields) -> tuple[dict[str, int], RedrivePolicy | None]:
    settings: dict[str, int] = {}
    redrive: RedrivePolicy | None = None
    for name, value in request.text_map("Attributes").items():
        if name == "RedrivePolicy":
            redrive = _redrive_policy(value) if value else None
            if redrive is not None and context.queues.by_arn(context.caller, redrive.dead_letter_arn) is None:
                raise invalid_value(
                    "Value for parameter RedrivePolicy is invalid. Reason: Dead letter target does not exist."
                )
        elif name not in _RANGES:
            raise refuse(Refusal("InvalidAttributeName", f"The emulator's queues have no attribute {name[:100]}."))
        else:
            least, most = _RANGES[name]
            if not value.isdecimal() or not least <= int(value) <= most:
                raise refuse(Refusal("InvalidAttributeValue", f"{name} must be from {least} to {most}."))
            settings[name] = int(value)
    return settings, redrive


def _redrive_policy(value: str) -> RedrivePolicy:
    try:
        policy = Fields(cast("JsonObject", json.loads(value)))
        arn, count = policy.text("deadLetterTargetArn"), int(str(policy.members["maxReceiveCount"]))
    except (ValueError, KeyError, AttributeError, RecursionError, RefusedError) as error:
        message = "RedrivePolicy must be JSON with deadLetterTargetArn and maxReceiveCount."
        raise refuse(Refusal("InvalidAttributeValue", message)) from error
    if not 1 <= count <= _MAX_RECEIVE_COUNT:
        raise refuse(Refusal("InvalidAttributeValue", "maxReceiveCount must be from 1 to 1000."))
    return RedrivePolicy(arn, count)


_QueueOperation: TypeAlias = Callable[[QueueContext, Fields], Success]
_OPERATIONS: Mapping[str, _QueueOperation] = MappingProxyType(
    {
        "ChangeMessageVisibility": messages.change_visibility,
        "ChangeMessageVisibilityBatch": messages.change_visibility_batch,
        "CreateQueue": create_queue,
        "DeleteMessage": messages.delete,
        "DeleteMessageBatch": messages.delete_batch,
        "DeleteQueue": delete_queue,
        "GetQueueAttributes": get_attributes,
        "GetQueueUrl": get_queue_url,
        "ListQueues": list_queues,
        "PurgeQueue": purge_queue,
        "SendMessage": messages.send,
        "SendMessageBatch": messages.send_batch,
        "SetQueueAttributes": set_attributes,
    }
)

QUEUE_OPERATIONS = frozenset({*_OPERATIONS, "ReceiveMessage"})
"""AWS's names of the operations on queues."""


def execute(context: QueueContext, operation: str, members: JsonObject) -> Success:
    """Execute an operation other than ReceiveMessage.

    Raises:
        RefusedError: the request is refused.
    """
    return _OPERATIONS[operation](context, Fields(members))
