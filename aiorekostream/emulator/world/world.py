"""Hold the emulated state, and execute operations on it.

A pure state machine: the time is an argument, and nothing here reads a clock, uses randomness, awaits or depends on
HTTP. Scheduled transitions (a face search starts to run, a session ends, a deleted processor disappears) are applied
when the world is advanced to their time.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

import attrs

from aiorekostream.domain.status import Event
from aiorekostream.emulator.world import crud, lifecycle
from aiorekostream.emulator.world.accounts import Account
from aiorekostream.emulator.world.answers import BLANK_DENIAL, RefusedError
from aiorekostream.emulator.world.contexts import OperationContext, ScheduledFailure, Timings
from aiorekostream.emulator.world.dependency_faults import DependencyFaults
from aiorekostream.emulator.world.face_sessions import FaceSessions
from aiorekostream.emulator.world.fields import Fields
from aiorekostream.emulator.world.footage import Analyst, Footage
from aiorekostream.emulator.world.identity import Caller
from aiorekostream.emulator.world.label_sessions import LabelSessions
from aiorekostream.emulator.world.processors import ProcessorState, ScheduledTransition
from aiorekostream.emulator.world.result_sink import NoResults, ResultSink
from aiorekostream.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aiorekostream.emulator.world.answers import JsonObject, OperationResult, Success

    _OperationFunction: TypeAlias = Callable[[OperationContext, Fields], Success]

__all__ = ["OPERATIONS", "World"]

_OPERATIONS: Mapping[str, _OperationFunction] = MappingProxyType(
    {
        "CreateStreamProcessor": crud.create,
        "DeleteStreamProcessor": crud.delete,
        "DescribeStreamProcessor": crud.describe,
        "ListStreamProcessors": crud.list_page,
        "ListTagsForResource": crud.list_tags,
        "StartStreamProcessor": lifecycle.start,
        "StopStreamProcessor": lifecycle.stop,
        "TagResource": crud.tag,
        "UntagResource": crud.untag,
        "UpdateStreamProcessor": lifecycle.update,
    }
)

OPERATIONS = tuple(_OPERATIONS)
"""AWS's names of the operations that the emulator implements."""


@attrs.define(kw_only=True)
class World:
    """The state of all accounts of the emulated service.

    Attributes:
        new_id: generates session ids.
        limits: the limits of every account.
        timings: the durations of state changes.
        dependency_faults: the resources that are unavailable; a new value affects subsequent starts.
        analyst: returns what the cameras see; nothing by default. A new value affects subsequent starts.
        sink: takes the results; discarded by default.
    """

    new_id: Callable[[], str]
    limits: Limits = DEFAULT_LIMITS
    timings: Timings = attrs.field(factory=Timings)
    dependency_faults: DependencyFaults = attrs.field(factory=DependencyFaults)
    analyst: Analyst = attrs.field(factory=Footage)
    sink: ResultSink = attrs.field(factory=NoResults)
    _accounts: dict[Caller, Account] = attrs.field(factory=dict, init=False)
    _scheduled_failures: dict[str, ScheduledFailure] = attrs.field(factory=dict, init=False)

    def serve(self, caller: Caller, operation: str, members: JsonObject, now: float) -> OperationResult:
        """Execute one operation, or refuse it without any change.

        Args:
            caller: the account and the Region.
            operation: one of ``OPERATIONS``.
            members: the members of the JSON request.
            now: the time in epoch seconds; a time before that of an earlier request counts as the earlier one's.
        """
        if not self.supports_region(caller.region):
            return BLANK_DENIAL
        # An account is kept only once it has a processor: callers with ever new access keys leave nothing behind.
        account = self._accounts.get(caller) or self._new_account(caller)
        account.advance(now)
        context = OperationContext(
            account=account,
            limits=self.limits,
            timings=self.timings,
            dependency_faults=self.dependency_faults,
            analyst=self.analyst,
            new_id=self.new_id,
            take_scheduled_failure=self._take_scheduled_failure,
        )
        try:
            result = _OPERATIONS[operation](context, Fields(members))
        except RefusedError as error:
            return error.refusal
        if account.processors:
            self._accounts[caller] = account
        return result

    def supports_region(self, region: str) -> bool:
        """Return whether a Region offers stream processors of either kind."""
        return region in self.limits.concurrent_face_search or region in self.limits.concurrent_label_detection

    def account(self, caller: Caller) -> Account:
        """Return an account in a Region; create it on first use."""
        found = self._accounts.get(caller)
        if found is None:
            found = self._accounts[caller] = self._new_account(caller)
        return found

    def states(self, now: float) -> Iterator[ProcessorState]:
        """Yield the state of every processor at ``now``."""
        self.advance(now)
        for account in self._accounts.values():
            for name in account.names:
                processor = account.processors[name]
                yield ProcessorState(
                    name=name,
                    arn=processor.arn,
                    account=account.account_id,
                    region=account.region,
                    kind=processor.kind,
                    status=processor.status,
                    status_message=processor.status_message,
                    session_id=processor.session_id,
                    created=processor.created,
                    updated=processor.updated,
                    tags=tuple(processor.tags.items()),
                    is_being_deleted=processor.removed_at is not None,
                )

    def advance(self, now: float) -> None:
        """Apply every event that is due by ``now``, in every account."""
        for account in self._accounts.values():
            account.advance(now)

    def next_event_at(self) -> float | None:
        """Return when the next event is due, in epoch seconds, or None if no event is queued."""
        due_times = (account.next_event_at() for account in self._accounts.values())
        return min((due_at for due_at in due_times if due_at is not None), default=None)

    def next_result_at(self) -> float | None:
        """Return when the next result may be due, in epoch seconds, or None if no session is in progress."""
        due_times = [due_at for account in self._accounts.values() if (due_at := account.next_result_at()) is not None]
        return min(due_times, default=None)

    def schedule_failure(self, name: str, message: str, now: float, *, after: float = 0.0) -> None:
        """Schedule the failure of every active processor of a name, or, if there is none, of the next one that starts.

        Args:
            name: the name of the processor, in any account and Region.
            message: the StatusMessage.
            now: the time in epoch seconds.
            after: the delay after ``now`` or after the start, in seconds.
        """
        self.advance(now)
        found = False
        for account in self._accounts.values():
            processor = account.processors.get(name)
            if processor is not None and processor.allows(Event.FAIL):
                found = True
                account.put(
                    processor.with_transitions(
                        [ScheduledTransition(account.now + after, Event.FAIL, message), *processor.transitions]
                    )
                )
        if not found:
            self._scheduled_failures[name] = ScheduledFailure(message, after)
        self.advance(now)

    def clear(self) -> None:
        """Remove all accounts and all scheduled failures."""
        self._accounts.clear()
        self._scheduled_failures.clear()

    def _new_account(self, caller: Caller) -> Account:
        sink, timings = self.sink, self.timings
        return Account(
            caller.account,
            caller.region,
            label_sessions=LabelSessions(owner=caller, sink=sink, delay=timings.detecting),
            face_sessions=FaceSessions(owner=caller, sink=sink, interval=timings.sampling, delay=timings.detecting),
        )

    def _take_scheduled_failure(self, name: str) -> ScheduledFailure | None:
        return self._scheduled_failures.pop(name, None)
