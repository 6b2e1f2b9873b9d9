"""Deliver results to another server of SNS, S3 and Kinesis, such as moto's, in the order in which they were made."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import ipaddress
import itertools
import logging
import urllib.parse
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

import attrs
from aiobotocore.client import AioBaseClient
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session

from aiorekostream.clock import SystemClock
from aiorekostream.emulator.pictures import render
from aiorekostream.emulator.world.identity import Stream
from aiorekostream.emulator.world.notifications import SUBJECT, Notification
from aiorekostream.emulator.world.objects import Picture, StoredObject
from aiorekostream.emulator.world.shard import ProducedRecord
from aiorekostream.emulator.world.stream import RecordSource
from aiorekostream.errors import ConfigurationError

if TYPE_CHECKING:
    from aiorekostream.emulator.world.identity import Caller

__all__ = ["RemoteDestination", "check_target"]

_LOGGER = logging.getLogger("aiorekostream.emulator")
# Results that wait to be sent; the emulator's own choice. The oldest ones are dropped beyond it.
_MAX_PENDING = 10_000
# Records of face searches that wait, each of which takes less than 100 bytes.
_MAX_PENDING_RECORDS = 1_000_000
# Requests at once: results of one kind that follow each other. Records of one stream share a request.
_MAX_BATCH = 8
_MAX_RECORDS = 500
# Real seconds of one request, and for what is pending when the emulator closes.
_REQUEST_TIMEOUT = 10
_CLOSING_TIMEOUT = 5
# Buckets are of no Region here: the server has one name for all of them.
_S3_REGION = "us-east-1"


def check_target(url: str, *, allow_remote: bool) -> None:
    """Check the URL to which results are delivered.

    Raises:
        ConfigurationError: the URL is not one of HTTP, or its host is another machine and that is not allowed.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError(f"cannot deliver to {url!r}: give a URL such as http://127.0.0.1:5000")
    if not (allow_remote or _is_loopback(parts.hostname)):
        raise ConfigurationError(
            f"cannot deliver to {parts.hostname}: it is not this machine. Use allow_remote=True or the option"
            " --allow-remote if the results of the emulator may go there"
        )


def _read_model(session: AioSession, service: str) -> None:
    loader = session.get_component("data_loader")
    for kind in ("service-2", "endpoint-rule-set-1"):
        loader.load_service_model(service, kind)


def _count(result: _Result) -> int:
    return len(result.records) if isinstance(result, _StreamRecords) else 1


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


@attrs.define(eq=False)
class _StreamRecords:
    """Records of a face search, of one request."""

    stream: Stream
    records: list[ProducedRecord] = attrs.field(factory=list)


_Result: TypeAlias = Notification | StoredObject | _StreamRecords


@attrs.define(kw_only=True, eq=False)
class RemoteDestination:
    """A server of SNS, S3 and Kinesis. A ``ResultDestination``.

    Credentials of the environment are used only for another machine: on this one, a fixed key is.

    Attributes:
        url: the URL of the server.
        undelivered: how many results could not be delivered.
    """

    url: str
    undelivered: int = attrs.field(default=0, init=False)
    _pending: deque[_Result] = attrs.field(factory=deque, init=False)
    # The latest pending request of each stream, by the stream's ARN.
    _latest: dict[str, _StreamRecords] = attrs.field(factory=dict, init=False)
    _pending_records: int = attrs.field(default=0, init=False)
    _sources: list[tuple[float, int, Stream, RecordSource]] = attrs.field(factory=list, init=False)
    _numbers: Iterator[int] = attrs.field(factory=itertools.count, init=False)
    _has_work: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _is_idle: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _clients: dict[tuple[str, str], AioBaseClient] = attrs.field(factory=dict, init=False)
    _session: AioSession = attrs.field(factory=get_session, init=False)
    _stack: contextlib.AsyncExitStack = attrs.field(factory=contextlib.AsyncExitStack, init=False)
    _task: asyncio.Task[None] | None = attrs.field(default=None, init=False)

    def start(self) -> None:
        """Begin to send, on the running event loop."""
        self._task = asyncio.create_task(self._run())

    async def aclose(self) -> None:
        """Send what is pending, for up to five seconds, and end."""
        task, self._task = self._task, None
        if task is None:
            return
        clock = SystemClock()
        with contextlib.suppress(TimeoutError):
            async with clock.timeout_at(clock.now() + _CLOSING_TIMEOUT):
                await self._is_idle.wait()
        dropped = 0
        while self._pending:
            dropped += _count(self._take())
        self._drop(dropped, "the emulator closes")
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await self._stack.aclose()
        self._clients.clear()

    def open(self, owner: Caller, topic_arn: str, bucket: str, now: float) -> None:
        """See ``ResultStore.open``. The topic and the bucket are the server's."""

    def store(self, stored: StoredObject) -> None:
        """See ``ResultStore.store``."""
        self._add(stored)

    def deliver(self, notification: Notification) -> None:
        """See ``ResultDestination.deliver``."""
        self._add(notification)

    def open_stream(self, owner: Caller, stream: Stream, now: float) -> None:
        """See ``ResultStore.open_stream``. The stream is the server's."""

    def attach(self, owner: Caller, stream: Stream, source: RecordSource, now: float) -> None:
        """See ``ResultStore.attach``. The account is that of the stream's ARN."""
        del owner, now
        self._schedule(stream, source)

    def advance(self, now: float) -> None:
        """See ``ResultDestination.advance``."""
        while self._sources and self._sources[0][0] <= now:
            _, _, stream, source = heapq.heappop(self._sources)
            records = source.take_due(now, _MAX_PENDING_RECORDS)
            self._add_records(stream, records)
            self._schedule(stream, source)

    def next_due(self) -> float | None:
        """See ``ResultDestination.next_due``."""
        return self._sources[0][0] if self._sources else None

    def clear(self) -> None:
        """Drop what is pending."""
        while self._pending:
            self._take()
        self._sources.clear()

    def _schedule(self, stream: Stream, source: RecordSource) -> None:
        due_at = source.next_due()
        if due_at is not None:
            heapq.heappush(self._sources, (due_at, next(self._numbers), stream, source))

    def _add(self, result: _Result) -> None:
        if len(self._pending) >= _MAX_PENDING:
            self._drop(_count(self._take()), "too many results are pending")
        self._pending.append(result)
        self._is_idle.clear()
        self._has_work.set()

    def _add_records(self, stream: Stream, records: Sequence[ProducedRecord]) -> None:
        """Add records to the latest request of their stream, or to a new one if it is full or sent."""
        for record in records:
            latest = self._latest.get(stream.arn)
            if latest is None or len(latest.records) >= _MAX_RECORDS:
                latest = self._latest[stream.arn] = _StreamRecords(stream)
                self._add(latest)
            latest.records.append(record)
        self._pending_records += len(records)
        while self._pending_records > _MAX_PENDING_RECORDS:
            self._drop(_count(self._take()), "too many results are pending")

    def _take(self) -> _Result:
        """Remove the oldest pending result, and return it."""
        result = self._pending.popleft()
        if isinstance(result, _StreamRecords):
            self._pending_records -= len(result.records)
            if self._latest.get(result.stream.arn) is result:
                del self._latest[result.stream.arn]
        return result

    def _drop(self, count: int, reason: str) -> None:
        if count:
            self.undelivered += count
            _LOGGER.warning("%d results were not delivered to %s: %s", count, self.url, reason)

    async def _run(self) -> None:
        while True:
            while not self._pending:
                self._is_idle.set()
                self._has_work.clear()
                await self._has_work.wait()
            await asyncio.gather(*map(self._send, self._next_batch()))

    def _next_batch(self) -> list[_Result]:
        """Take results of one kind: pictures before the notification that names them, and a stream's in their order."""
        batch: list[_Result] = []
        streams: set[str] = set()
        while self._pending and len(batch) < _MAX_BATCH:
            result = self._pending[0]
            if batch and type(result) is not type(batch[0]):
                break
            if isinstance(result, _StreamRecords):
                if result.stream.arn in streams:
                    break
                streams.add(result.stream.arn)
            batch.append(self._take())
        return batch

    async def _send(self, result: _Result) -> None:
        try:
            if isinstance(result, Notification):
                client = await self._client("sns", result.topic_arn.split(":")[3])
                await client.publish(TopicArn=result.topic_arn, Subject=SUBJECT, Message=result.message)
                return
            if isinstance(result, _StreamRecords):
                client = await self._client("kinesis", result.stream.region)
                entries = [{"Data": each.render(), "PartitionKey": each.partition_key} for each in result.records]
                response = await client.put_records(StreamName=result.stream.name, Records=entries)
                failed = response.get("FailedRecordCount")
                self._drop(failed if isinstance(failed, int) else 0, "the server refused them")
                return
            is_picture = isinstance(result.content, Picture)
            client = await self._client("s3", _S3_REGION)
            await client.put_object(
                Bucket=result.bucket,
                Key=result.key,
                Body=render(result.content) if isinstance(result.content, Picture) else result.content,
                ContentType="image/jpeg" if is_picture else "application/json",
                **({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": result.kms_key} if result.kms_key else {}),
            )
        except Exception as error:  # noqa: BLE001 - whatever the server does, the emulator goes on
            self._drop(_count(result), f"{type(error).__name__}: {error}")

    async def _client(self, service: str, region: str) -> AioBaseClient:
        found = self._clients.get((service, region))
        if found is None:
            is_local = _is_loopback(urllib.parse.urlsplit(self.url).hostname or "")
            key = "emulator" if is_local else None
            config = AioConfig(
                connect_timeout=_REQUEST_TIMEOUT,
                read_timeout=_REQUEST_TIMEOUT,
                retries={"total_max_attempts": 1, "mode": "standard"},
                s3={"addressing_style": "path"},
            )
            # Reading a service's model takes a tenth of a second, too long for the event loop.
            await asyncio.to_thread(_read_model, self._session, service)
            creator = self._session.create_client(
                service,
                region_name=region,
                endpoint_url=self.url,
                aws_access_key_id=key,
                aws_secret_access_key=key,
                config=config,
            )
            found = await self._stack.enter_async_context(creator)
            # Another task may have opened one meanwhile; both stay open until the end.
            self._clients[service, region] = found
        return found
