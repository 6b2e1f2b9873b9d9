"""Start the processor of a session and, if it is a face search, stop it: a face search runs until it is stopped."""

from __future__ import annotations

import asyncio
import datetime
import logging
from typing import TYPE_CHECKING

import attrs

from aiorekostream.client import Client, reconcile
from aiorekostream.domain.requests import DescribeRequest, FaceSearchStart, StartRequest
from aiorekostream.domain.rules import ABSENT
from aiorekostream.domain.status import Status
from aiorekostream.errors import (
    MalformedResponseError,
    ResourceNotFoundError,
    UnknownOutcomeError,
    ValidationIssue,
)
from aiorekostream.operations import DESCRIBE, START, STOP
from aiorekostream.pipeline import CallTrace
from aiorekostream.results.session_rules import earliest_record
from aiorekostream.results.status_polls import failure_message

if TYPE_CHECKING:
    from aiorekostream.domain.responses import StartedSession

__all__ = ["SessionProcessor"]

_log = logging.getLogger("aiorekostream")

_NO_VIDEO = ValidationIssue(("Input", "KinesisVideoStream", "Arn"), ABSENT, "the ARN of the video stream")


@attrs.define(eq=False, kw_only=True)
class SessionProcessor:
    """The processor of one session.

    Attributes:
        client: makes the calls.
        start: the start.
        stop_timeout: the most seconds until a face search is stopped.
    """

    client: Client
    start: StartRequest
    stop_timeout: float
    _date: datetime.datetime | None = attrs.field(default=None, init=False)
    _dated_at: float = attrs.field(default=0.0, init=False)
    _sent_at: float | None = attrs.field(default=None, init=False)

    async def source(self) -> str:
        """Return what the events of the session have in common, as in ``EventKeys.source``, before the start is sent.

        Raises:
            ResourceNotFoundError: there is no such processor.
            MalformedResponseError: the response lacks the video stream of the face search.
        """
        start, pipeline = self.start, self.client.pipeline
        if not isinstance(start, FaceSearchStart):
            return start.name
        trace = CallTrace()
        found = await pipeline.call(DESCRIBE, DescribeRequest(start.name), trace=trace)
        if found.kinesis_video_stream_arn is None:
            raise MalformedResponseError([_NO_VIDEO], operation=DESCRIBE.name, name=start.name, retry_safe=True)
        self._dated_at = pipeline.clock.now()
        # The service's own clock, by which records have their server timestamps: this machine's may be hours off.
        self._date = trace.date or pipeline.clock.wall()
        return found.kinesis_video_stream_arn

    @property
    def since(self) -> datetime.datetime | None:
        """The earliest server timestamp of the session's records, as far as it is known; ``None`` without such a time.

        Before the start is sent, it is that of a start which is sent at once.
        """
        if self._date is None:
            return None
        passed = 0.0 if self._sent_at is None else self._sent_at - self._dated_at
        return earliest_record(self._date, passed=passed)

    async def begin(self) -> StartedSession:
        """Start the processor. See ``Client.start_stream_processor``.

        A cancellation while the start of a face search is under way takes effect when its outcome is known and the
        processor is stopped, or after ``stop_timeout``.
        """
        start, trace = self.start, CallTrace()
        if not isinstance(start, FaceSearchStart):
            return await self.client.start_stream_processor(start)
        starting = asyncio.get_running_loop().create_task(
            reconcile.call(self.client.pipeline, START, start, trace=trace), name="aiorekostream starts a face search"
        )
        try:
            session = await asyncio.shield(starting)
        except asyncio.CancelledError:
            if starting.done() or trace.may_be_applied:
                await self._undo(starting)
            starting.cancel()
            await asyncio.wait([starting])
            raise
        self._sent_at = trace.lost[0].sent_at if trace.lost else trace.sent_at
        return session

    async def end(self, block_error: BaseException | None) -> tuple[Status | None, str | None] | None:
        """Stop a face search when its block is left, and return its status and StatusMessage once it is at rest.

        Args:
            block_error: what the block has raised. A stop that fails is logged then, and raised otherwise.

        Returns:
            No status if the processor was deleted; ``None`` for a label detection, which ends by itself, and for a stop
            that failed.

        Raises:
            UnknownOutcomeError: the stop took longer than ``stop_timeout``, and the processor may still run.
            RekostreamError: the stop failed, and the processor may still run; see ``Client.ensure_stopped``.
        """
        start = self.start
        if not isinstance(start, FaceSearchStart):
            return None
        try:
            return await self._stop(start.name)
        except asyncio.CancelledError:
            _log.error("the stop of %s was cancelled: the processor may still run", start.name)
            raise
        except Exception as failure:
            failure.add_note(f"the session was left, and {start.name} may still run")
            if block_error is None:
                raise
            _log.error("%s may still run: %r", start.name, failure)
            return None

    async def _stop(self, name: str) -> tuple[Status | None, str | None]:
        clock = self.client.pipeline.clock
        client = self.client.with_options(timeout=self.stop_timeout)
        try:
            async with clock.timeout_at(clock.now() + self.stop_timeout):
                status = (await client.ensure_stopped(name, timeout=self.stop_timeout)).status
        except ResourceNotFoundError:
            return None, None
        except TimeoutError as error:
            raise UnknownOutcomeError(
                f"it was not seen at rest within {self.stop_timeout:g} s, and may still run",
                operation=STOP.name,
                name=name,
                hint="Client.ensure_stopped stops it",
            ) from error
        return status, await failure_message(client, name) if status is Status.FAILED else None

    async def _undo(self, starting: asyncio.Task[StartedSession]) -> None:
        """Wait for the outcome of a start that was cancelled, and stop what it has started."""
        clock = self.client.pipeline.clock
        try:
            async with clock.timeout_at(clock.now() + self.stop_timeout):
                try:
                    await starting
                except UnknownOutcomeError:
                    raise
                except Exception:  # noqa: BLE001 - the start has failed, so there is nothing to stop
                    return
            await self._stop(self.start.name)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - the caller raises
            _log.error("the start of %s was cancelled, and the processor may still run: %r", self.start.name, error)
