"""Run many requests: read them no faster than there is room for them, and own the report of their outcomes."""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, Awaitable, Callable, Generator, Iterable
from types import TracebackType
from typing import Generic, Self, TypeVar, cast

import attrs

from aiorekostream.clock import is_cancelled
from aiorekostream.domain.requests import StartRequest
from aiorekostream.errors import ConfigurationError
from aiorekostream.fleet.ensure import Ensurer
from aiorekostream.fleet.events import FleetEventType
from aiorekostream.fleet.executor import Executor
from aiorekostream.fleet.outcomes import Failed, Outcome, StartOutcome, StopOutcome
from aiorekostream.fleet.queue import QueuedRequest
from aiorekostream.fleet.report import FleetReport, StartReport, StopReport
from aiorekostream.fleet.requests import FleetRequest

__all__ = ["FleetRun", "PendingRequests", "StartRun", "StopRun"]

_ItemT = TypeVar("_ItemT")
_RequestT = TypeVar("_RequestT", bound=StartRequest | str)
_OutcomeT = TypeVar("_OutcomeT", bound=Outcome)
_ReportT = TypeVar("_ReportT", bound=FleetReport[Outcome])

# So many requests are read before other tasks have their turn: requests that complete at once leave room for ever.
_BATCH = 100


@attrs.define(eq=False)
class PendingRequests(Generic[_ItemT, _RequestT, _OutcomeT]):
    """The requests of a run that have no outcome yet, and the outcomes that were not handed on.

    Attributes:
        executor: carries the requests out.
        queued_request: makes the request of an item; what cannot be one is ``Failed``.
        capacity: the most requests and outcomes at once.
        counts_outcomes: whether outcomes take up room until they are handed on; they are kept if not.
        pending: the requests without an outcome, and the items that they were made of.
        outcomes: the outcomes, in the order in which they came.
        failure: what reading the requests has raised; ``None`` if it was raised to the caller.
        is_source_taken: whether a task that closes the source at its end has taken its first step, or will.
        is_closed_by_source: whether the source has closed the run, and the task that reads it is cancelled.
    """

    executor: Executor[_RequestT] | Ensurer[_RequestT]
    queued_request: Callable[[_ItemT], QueuedRequest[_RequestT] | Failed[_RequestT]]
    capacity: int
    counts_outcomes: bool = attrs.field(default=False, init=False)
    pending: dict[QueuedRequest[_RequestT], _ItemT] = attrs.field(factory=dict, init=False)
    outcomes: deque[_OutcomeT] = attrs.field(factory=deque[_OutcomeT], init=False)
    failure: BaseException | None = attrs.field(default=None, init=False)
    is_source_taken: bool = attrs.field(default=False, init=False)
    is_closed_by_source: bool = attrs.field(default=False, init=False)
    _submitted: int = attrs.field(default=0, init=False)
    _changed: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _loop: asyncio.AbstractEventLoop | None = attrs.field(default=None, init=False)

    async def submit(self, item: _ItemT) -> None:
        """Take a request, and wait until there is room for another one."""
        if self.is_closed_by_source:
            await asyncio.sleep(0)  # noqa: TID251 - the cancellation arrives here
        request = self.queued_request(item)
        if isinstance(request, Failed):
            self._record(request)
            self.executor.notify(FleetEventType.COMPLETED, request.name, request)
        else:
            request.on_complete = self._complete
            self.pending[request] = item
            try:
                self.executor.add(request)
            except ConfigurationError:  # a second event loop
                del self.pending[request]
                raise
        self._submitted += 1
        if self._submitted % _BATCH == 0:
            await asyncio.sleep(0)  # noqa: TID251 - let other tasks run; no time passes
        if not self._has_room():
            await self.wait_for(self._has_room)

    def cancel(self) -> None:
        """Cancel every request; one that was sent gets its true outcome."""
        for request in tuple(self.pending):
            self.executor.cancel(request)

    def cancel_item(self, item: _ItemT) -> bool:
        """Cancel the request of an item, or of an equal one; false where none is pending."""
        equal = [request for request, each in self.pending.items() if each is item or each == item]
        for request in sorted(equal, key=lambda it: (self.pending[it] is not item, it.cancelled))[:1]:
            self.executor.cancel(request)
        return bool(equal)

    def abort(self) -> None:
        """Give every request an outcome now, whatever its call is doing."""
        for request in tuple(self.pending):
            self.executor.abort(request)

    def on_read(self, reader: asyncio.Task[None]) -> None:
        """Record that the source has ended, or cannot be read any further."""
        if not reader.cancelled() and (failure := reader.exception()) is not None:
            self.failure = failure
            self.cancel()
        if not self.pending:  # else the last outcome ends the waits
            self.changed()

    def changed(self) -> None:
        """Let the waits below check again."""
        if not (self._loop and self._loop.is_closed()):
            self._changed.set()

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds."""
        self._loop = asyncio.get_running_loop()
        while not condition():
            self._changed.clear()  # several may wait; each of them checks for itself
            await self._changed.wait()

    def _has_room(self) -> bool:
        return len(self.pending) + (len(self.outcomes) if self.counts_outcomes else 0) < self.capacity

    def _complete(self, request: QueuedRequest[_RequestT], outcome: Outcome) -> None:
        del self.pending[request]
        self._record(outcome)

    def _record(self, outcome: Outcome) -> None:
        self.outcomes.append(cast("_OutcomeT", outcome))  # the executor of starts gives the outcomes of starts
        self.changed()


class FleetRun(Generic[_ItemT, _RequestT, _OutcomeT, _ReportT]):
    """Many requests, and the outcome of each.

    Iterate over it to get each outcome as it comes, or ``await run.wait()`` for the report of all; nothing is read or
    sent before. In an ``async with`` block, leaving the block cancels the queued requests and waits for those in
    flight. The async iterator that it was given is closed at the end.

    ``report`` has the outcomes that were not handed on, at any time: after a cancellation, too.
    """

    __slots__ = ("__weakref__", "_make_report", "_reader", "_requests", "_source")

    def __init__(
        self,
        source: Iterable[_ItemT] | AsyncIterable[_ItemT],
        requests: PendingRequests[_ItemT, _RequestT, _OutcomeT],
        make_report: Callable[[tuple[_OutcomeT, ...]], _ReportT],
    ) -> None:
        """See ``Fleet.iter_start``."""
        self._source = source
        self._requests = requests
        self._make_report = make_report
        self._reader: asyncio.Task[None] | None = None

    @property
    def report(self) -> _ReportT:
        """The outcomes so far that were not handed on."""
        return self._make_report(tuple(self._requests.outcomes))

    async def wait(self) -> _ReportT:
        """Wait until every request has its outcome.

        If this is cancelled, requests that were not sent are cancelled (``Failed`` with ``RequestCancelledError``), and
        those under way get their outcome before the cancellation goes on. A second cancellation does not wait for them:
        they are ``Unknown`` then.

        Returns:
            The report of all outcomes that were not handed on.

        Raises:
            ConfigurationError: the source itself calls it.
            Exception: what reading the requests has raised, with a ``RuntimeError`` for a ``CancelledError`` of the
                source; those that were read have their outcomes.
        """
        await self._wait_for(self._is_over)
        self._raise_failure()
        return self.report

    def cancel(self, request: _ItemT) -> bool:
        """Cancel one request that was read and has no outcome yet; the others go on.

        A request that was not sent is ``Failed`` with ``RequestCancelledError``; one that was gets its true outcome.
        Where several pending requests are equal, it is the one that is this very object, or else the first.

        Args:
            request: the request as the run was given it.

        Returns:
            Whether such a request was pending.
        """
        return self._requests.cancel_item(request)

    async def aclose(self) -> None:
        """Cancel the queued requests, wait for those in flight, and close the source.

        A cancellation while it waits gives what is under way the outcome ``Unknown``. Called by the source itself, it
        does not wait, and the source is cancelled at its next ``await`` or ``yield``.
        """
        reader = self._reader
        if reader is not None:
            reader.cancel()
            if reader is asyncio.current_task():
                self._requests.is_closed_by_source = True
                self._requests.cancel()
                return
        if reader is None or not self._requests.is_source_taken:
            # A reader that is cancelled before its first step closes nothing.
            self._requests.is_source_taken = True
            reader = self._reader = asyncio.create_task(_close(self._source), name="aiorekostream closes a source")
            reader.add_done_callback(self._requests.on_read)
        self._requests.cancel()
        interrupted: asyncio.CancelledError | None = None
        while not self._is_over():
            try:
                await self._requests.wait_for(self._is_over)
            except asyncio.CancelledError as error:
                interrupted = error
                reader.cancel()
                self._requests.abort()
        if interrupted is not None:
            raise interrupted

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _OutcomeT:
        requests = self._requests
        requests.counts_outcomes = True
        await self._wait_for(lambda: bool(requests.outcomes) or self._is_over())
        if not requests.outcomes:
            self._raise_failure()
            raise StopAsyncIteration
        requests.changed()  # there is room for one more
        return requests.outcomes.popleft()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        # A loop that was left without closing the run: cancel the queued requests.
        reader = self._reader
        if reader is None or (loop := reader.get_loop()).is_closed() or (reader.done() and not self._requests.pending):
            return
        loop.call_soon_threadsafe(reader.cancel)
        loop.call_soon_threadsafe(self._requests.cancel)

    async def _wait_for(self, condition: Callable[[], bool]) -> None:
        """Read the source until a condition holds; a cancellation closes the run."""
        if self._reader is not None and self._reader is asyncio.current_task():
            raise ConfigurationError("the source of a run cannot wait for the outcomes of this run")
        if self._reader is None:
            # Without a reference to the run: one that was left is collected while its source is still read.
            reading = _read(self._source, self._requests)
            self._reader = asyncio.create_task(reading, name="aiorekostream reads requests")
            self._reader.add_done_callback(self._requests.on_read)
        try:
            await self._requests.wait_for(condition)
        except asyncio.CancelledError:
            await self.aclose()
            raise

    def _is_over(self) -> bool:
        return self._reader is not None and self._reader.done() and not self._requests.pending

    def _raise_failure(self) -> None:
        failure, self._requests.failure = self._requests.failure, None
        if failure is not None:
            raise failure


class StartRun(FleetRun[StartRequest | FleetRequest, StartRequest, StartOutcome, StartReport]):
    """A run of starts; see ``FleetRun``."""

    __slots__ = ()


class StopRun(FleetRun[str, str, StopOutcome, StopReport]):
    """A run of stops; see ``FleetRun``."""

    __slots__ = ()


async def _read(
    source: Iterable[_ItemT] | AsyncIterable[_ItemT], requests: PendingRequests[_ItemT, _RequestT, _OutcomeT]
) -> None:
    """Read requests while there is room for their outcomes, and close the source at the end."""
    requests.is_source_taken = True
    try:
        if isinstance(source, AsyncIterable):
            items = aiter(source)
            try:
                async for item in items:
                    await requests.submit(item)
            finally:
                await _close(items)
        else:
            for item in source:
                await requests.submit(item)
    except asyncio.CancelledError as error:
        if is_cancelled():
            raise  # else it is the source's own: the report would lack, without an error, what was not read
        raise RuntimeError("the source of the requests raised CancelledError") from error
    finally:
        await _close(source)


async def _close(source: object) -> None:
    """Run the ``finally`` blocks of a generator now rather than when it is collected."""
    if isinstance(source, Generator):
        source.close()
    elif callable(aclose := getattr(source, "aclose", None)):
        await cast("Awaitable[object]", aclose())
