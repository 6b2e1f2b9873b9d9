"""Turn an async function of typed events into a handler for AWS Lambda.

The event loop, and what is given as ``resources``, are kept between the invocations of an execution environment::

    import aiorekostream as rks
    from aiorekostream.results import StreamProcessorEvent, awslambda

    client = rks.Client()

    async def on_event(event: StreamProcessorEvent) -> None: ...

    handler = awslambda.sqs_handler(on_event, resources=[client])
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeAlias, TypeVar, cast

import attrs

from aiorekostream.codec.face_records import parse_face_record
from aiorekostream.codec.notifications import parse_notification
from aiorekostream.domain.faces import FaceSearchRecord
from aiorekostream.domain.fields import whole_number
from aiorekostream.domain.labels import StreamProcessorEvent
from aiorekostream.errors import ConfigurationError, MalformedEventError, ValidationIssue
from aiorekostream.service_text import one_line

__all__ = ["LambdaHandler", "kinesis_handler", "sns_handler", "sqs_handler"]

_T = TypeVar("_T")
_Record: TypeAlias = Mapping[str, object]
_Answer: TypeAlias = dict[str, list[dict[str, str]]]
_log = logging.getLogger("aiorekostream")
# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_Record.html
_SEQUENCE_NUMBER = re.compile(r"0|[1-9][0-9]{0,128}")


class _Loop:
    """The event loop of the execution environment, which all handlers share, so that they can share clients."""

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None

    def run(self, work: Callable[[], Awaitable[_T]]) -> _T:
        async def main() -> _T:
            return await work()

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise ConfigurationError("a handler for AWS Lambda is called without a running event loop")
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(main())

    def close(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.close()


_loop = _Loop()


class LambdaHandler(Generic[_T]):
    """A handler for AWS Lambda: call it with an event and a context.

    See ``kinesis_handler``, ``sqs_handler`` and ``sns_handler``.
    """

    def __init__(
        self,
        handle: Callable[[Sequence[_Record]], Awaitable[_T]],
        resources: Iterable[AbstractAsyncContextManager[object]],
    ) -> None:
        """Create a handler; ``kinesis_handler``, ``sqs_handler`` and ``sns_handler`` do."""
        self._handle = handle
        self._resources = tuple(resources)
        self._opened: contextlib.AsyncExitStack | None = None

    def __call__(self, event: Mapping[str, object], context: object = None) -> _T:
        """Handle one invocation.

        Args:
            event: the event, with ``Records``.
            context: Lambda's context, which is not used.

        Raises:
            MalformedEventError: the event has no list of records.
            ConfigurationError: an event loop is running in this thread.
        """
        del context
        records: object = event.get("Records") if isinstance(event, Mapping) else None
        items = cast("list[object]", records) if isinstance(records, list) else [None]
        if not all(isinstance(item, Mapping) for item in items):
            raise MalformedEventError([ValidationIssue(("Records",), event, "an object with a list of objects")])
        return _loop.run(lambda: self._invoke(cast("list[_Record]", items)))

    def close(self) -> None:
        """Close the resources; the next invocation opens them again. For tests: Lambda ends the process instead."""
        if self._opened is not None:
            opened, self._opened = self._opened, None
            _loop.run(opened.aclose)

    async def _invoke(self, records: Sequence[_Record]) -> _T:
        if self._opened is None:
            async with contextlib.AsyncExitStack() as stack:
                for resource in self._resources:
                    await stack.enter_async_context(resource)
                self._opened = stack.pop_all()
        return await self._handle(records)


@attrs.frozen
class _SqsBatch:
    """Handle the messages of a batch, a number of them at a time."""

    function: Callable[[StreamProcessorEvent], Awaitable[object]]
    concurrency: int

    async def handle(self, records: Sequence[_Record]) -> _Answer:
        ids = [_message_id(index, record) for index, record in enumerate(records)]
        semaphore = asyncio.Semaphore(self.concurrency)

        async def succeeds(message_id: str, record: _Record) -> bool:
            async with semaphore:
                try:
                    await self.function(parse_notification(record))
                except MalformedEventError as error:
                    _log.warning("the message %s is malformed: %s", one_line(message_id), error)
                except Exception:  # noqa: BLE001 - the answer names the message
                    _log.exception("the message %s was not handled", one_line(message_id))
                else:
                    return True
                return False

        succeeded = await asyncio.gather(*map(succeeds, ids, records))
        failed = [message_id for message_id, is_handled in zip(ids, succeeded, strict=True) if not is_handled]
        return _answer(failed)


def sqs_handler(
    function: Callable[[StreamProcessorEvent], Awaitable[object]],
    *,
    concurrency: int = 10,
    resources: Iterable[AbstractAsyncContextManager[object]] = (),
) -> LambdaHandler[dict[str, list[dict[str, str]]]]:
    """Return a handler for messages of SQS, with answers that name the messages that failed.

    The event source mapping must have ``ReportBatchItemFailures``: without it, Lambda ignores the answer and deletes
    every message. A message fails if the function raises or the event is malformed; it is delivered again, until the
    queue's redrive policy moves it. Delivery is at least once, so an event may be delivered twice.
    See https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html.

    Args:
        function: an async function that handles one event.
        concurrency: the most events of a batch that are handled at a time, at least 1.
        resources: async context managers, such as a ``Client``, which are entered at the first invocation and stay open
            for the later ones.

    Raises:
        InvalidRequestError: the concurrency is out of its range.
    """
    return LambdaHandler(_SqsBatch(function, whole_number(concurrency, least=1)).handle, resources)


@attrs.frozen
class _KinesisBatch:
    """Handle the records of a batch, a number of them at a time, until one fails."""

    function: Callable[[FaceSearchRecord], Awaitable[object]]
    on_malformed: Callable[[_Record, MalformedEventError], Awaitable[object]] | None
    concurrency: int

    async def handle(self, records: Sequence[_Record]) -> _Answer:
        numbers = [_sequence_number(index, record) for index, record in enumerate(records)]
        semaphore = asyncio.Semaphore(self.concurrency)
        failed: list[str] = []

        async def handle_one(number: str, record: _Record) -> None:
            async with semaphore:
                # Lambda delivers every record from the lowest failed one on again.
                if failed and int(number) > int(failed[0]):
                    return
                try:
                    await self._handle(number, record)
                except Exception:  # noqa: BLE001 - the answer names the record
                    _log.exception("the record %s was not handled", number)
                    failed[:] = [min([number, *failed], key=int)]

        await asyncio.gather(*map(handle_one, numbers, records))
        return _answer(failed)

    async def _handle(self, number: str, record: _Record) -> None:
        try:
            parsed = parse_face_record(record)
        except MalformedEventError as error:
            _log.warning("the record %s is malformed: %s", number, error)
            if self.on_malformed is not None:
                await self.on_malformed(record, error)
        else:
            await self.function(parsed)


def kinesis_handler(
    function: Callable[[FaceSearchRecord], Awaitable[object]],
    *,
    on_malformed: Callable[[Mapping[str, object], MalformedEventError], Awaitable[object]] | None = None,
    concurrency: int = 1,
    resources: Iterable[AbstractAsyncContextManager[object]] = (),
) -> LambdaHandler[dict[str, list[dict[str, str]]]]:
    """Return a handler for records of a face search in Kinesis, with answers that name the lowest record that failed.

    The event source mapping must have ``ReportBatchItemFailures``: without it, Lambda ignores the answer and delivers
    no record again. Lambda delivers the records from the named one on again, in smaller batches if the mapping has
    ``BisectBatchOnFunctionError``, so no record after a failed one is begun. A record fails if the function raises.
    A malformed record is logged and does not fail: every further delivery of it would be malformed, too, and would hold
    up its shard. Delivery is at least once, so a record may be delivered twice.
    See https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html.

    Args:
        function: an async function that handles one record.
        on_malformed: an async function that receives a malformed record, as Lambda has it, and the error, to keep it
            elsewhere. The record fails if the function raises. With ``None``, malformed records are only logged.
        concurrency: the most records of a batch that are handled at a time, at least 1. With 1, they are handled in
            the order of their shard, which is not the order of the frames: see ``FaceSearchRecord``.
        resources: async context managers, such as a ``Client``, which are entered at the first invocation and stay open
            for the later ones.

    Raises:
        InvalidRequestError: the concurrency is out of its range.
    """
    batch = _KinesisBatch(function, on_malformed, whole_number(concurrency, least=1))
    return LambdaHandler(batch.handle, resources)


def sns_handler(
    function: Callable[[StreamProcessorEvent], Awaitable[object]],
    *,
    resources: Iterable[AbstractAsyncContextManager[object]] = (),
) -> LambdaHandler[None]:
    """Return a handler for notifications of SNS, which raises what the function raises.

    Lambda invokes a function twice more when it raises, and then sends the event to its dead-letter queue or failure
    destination. See https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html.

    Args:
        function: an async function that handles one event.
        resources: async context managers, such as a ``Client``, which are entered at the first invocation and stay open
            for the later ones.
    """

    async def handle(records: Sequence[_Record]) -> None:
        errors: list[Exception] = []
        for record in records:  # SNS sends one
            try:
                await function(parse_notification(record))
            except Exception as error:  # noqa: BLE001 - it is raised below
                errors.append(error)
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise ExceptionGroup("notifications were not handled", errors)

    return LambdaHandler(handle, resources)


def _message_id(index: int, record: _Record) -> str:
    message_id = record.get("messageId")
    if not isinstance(message_id, str):
        raise MalformedEventError([ValidationIssue(("Records", index, "messageId"), message_id, "text")])
    return message_id


def _sequence_number(index: int, record: _Record) -> str:
    kinesis = record.get("kinesis")
    number = cast("_Record", kinesis).get("sequenceNumber") if isinstance(kinesis, Mapping) else None
    if not isinstance(number, str) or _SEQUENCE_NUMBER.fullmatch(number) is None:
        path = ("Records", index, "kinesis", "sequenceNumber")
        raise MalformedEventError([ValidationIssue(path, number, "a sequence number: text of 1 to 129 digits")])
    return number


def _answer(failed: Iterable[str]) -> _Answer:
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}
