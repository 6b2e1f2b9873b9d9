"""SQS as a message queue."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

import attrs

from aiorekostream.error_codes import Category, category_of, error_class
from aiorekostream.errors import MalformedResponseError, RekostreamError, ValidationIssue
from aiorekostream.results.calls import RetriedCalls
from aiorekostream.results.queue_port import QueueMessage
from aiorekostream.service_text import one_line

__all__ = ["SqsQueue"]

_RECEIVE_COUNT = "ApproximateReceiveCount"
_CLIENT_ERROR, _SERVER_ERROR = 400, 500


@attrs.frozen
class SqsQueue:
    """A standard queue of SQS.

    Attributes:
        url: the URL of the queue.
        calls: makes the calls.
    """

    url: str
    calls: RetriedCalls

    async def receive(self, *, count: int, wait: float, visibility: float) -> Sequence[QueueMessage]:
        """See ``MessageQueue.receive``."""
        members: dict[str, object] = {
            "QueueUrl": self.url,
            "MaxNumberOfMessages": count,
            "WaitTimeSeconds": math.floor(wait),
            "VisibilityTimeout": math.ceil(visibility),
            "MessageSystemAttributeNames": [_RECEIVE_COUNT],
        }
        return await self.calls.call("receive_message", members, _received, extra=wait)

    async def delete(self, receipts: Sequence[str]) -> Sequence[RekostreamError | None]:
        """See ``MessageQueue.delete``."""
        entries = [{"Id": str(index), "ReceiptHandle": receipt} for index, receipt in enumerate(receipts)]
        return await self._batch("delete_message_batch", "DeleteMessageBatch", entries)

    async def change_visibility(
        self, receipts: Sequence[str], visibility: Sequence[float]
    ) -> Sequence[RekostreamError | None]:
        """See ``MessageQueue.change_visibility``."""
        entries = [
            {"Id": str(index), "ReceiptHandle": receipt, "VisibilityTimeout": math.ceil(hidden)}
            for index, (receipt, hidden) in enumerate(zip(receipts, visibility, strict=True))
        ]
        return await self._batch("change_message_visibility_batch", "ChangeMessageVisibilityBatch", entries)

    async def aclose(self) -> None:
        """See ``MessageQueue.aclose``."""
        await self.calls.client.aclose()

    async def _batch(
        self, method: str, operation: str, entries: Sequence[Mapping[str, object]]
    ) -> Sequence[RekostreamError | None]:
        async def read(response: dict[str, object]) -> Sequence[RekostreamError | None]:
            failed = {
                str(entry.get("Id")): _entry_error(operation, entry)
                for entry in cast("Sequence[Mapping[str, object]]", response.get("Failed") or ())
            }
            done = {
                str(entry.get("Id"))
                for entry in cast("Sequence[Mapping[str, object]]", response.get("Successful") or ())
            }
            for entry in entries:
                if str(entry["Id"]) not in done | failed.keys():
                    issue = ValidationIssue(("Successful",), sorted(done), f"with the entry {entry['Id']}")
                    raise MalformedResponseError([issue], operation=operation, retry_safe=True)
            return [failed.get(str(entry["Id"])) for entry in entries]

        return await self.calls.call(method, {"QueueUrl": self.url, "Entries": list(entries)}, read)


async def _received(response: dict[str, object]) -> Sequence[QueueMessage]:
    messages = cast("Sequence[Mapping[str, object]]", response.get("Messages") or ())
    return [_message(index, message) for index, message in enumerate(messages)]


def _message(index: int, message: Mapping[str, object]) -> QueueMessage:
    found: dict[str, str] = {}
    for name, key in (("id", "MessageId"), ("receipt", "ReceiptHandle"), ("body", "Body")):
        value = message.get(key)
        if not isinstance(value, str):
            issue = ValidationIssue(("Messages", index, key), value, "text")
            raise MalformedResponseError([issue], operation="ReceiveMessage", retry_safe=True)
        found[name] = one_line(value) if name == "id" else value  # the id is written to logs
    attributes = message.get("Attributes")
    count = cast("Mapping[str, object]", attributes).get(_RECEIVE_COUNT) if isinstance(attributes, Mapping) else None
    return QueueMessage(**found, receive_count=int(count) if isinstance(count, str) and count.isdecimal() else 1)


def _entry_error(operation: str, entry: Mapping[str, object]) -> RekostreamError:
    code = one_line(str(entry.get("Code", "")))
    status = _CLIENT_ERROR if entry.get("SenderFault") else _SERVER_ERROR
    return error_class(code)(
        one_line(str(entry.get("Message", ""))),
        operation=operation,
        code=code,
        http_status=status,
        retry_safe=category_of(code, status) is not Category.HARD,
    )
