"""Define an emulated stream processor as an immutable value: definition, status and scheduled transitions.

Invariant: every change of status is a transition of the package's own table (``aiorekostream.domain.status``).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, final

import attrs

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.status import Event, Status, next_status
from aiorekostream.emulator.world.definitions import ProcessorDefinition

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ACTIVE", "Processor", "ProcessorState", "ScheduledTransition"]

ACTIVE = frozenset({Status.STARTING, Status.RUNNING, Status.STOPPING})
"""The statuses that count as concurrent sessions. UNCERTAIN for STOPPING: the strict reading of AWS's quota."""

_END_EVENTS = frozenset({Event.FINISH, Event.FAIL})


@attrs.frozen
class ScheduledTransition:
    """A future transition of a processor.

    Attributes:
        at: the due time, in epoch seconds.
        event: the event that is applied.
        message: the StatusMessage after the transition.
    """

    at: float
    event: Event
    message: str | None = None


@attrs.frozen(kw_only=True)
class Processor:
    """A stream processor.

    Attributes:
        name: the name.
        arn: the ARN.
        definition: the definition, including updates.
        created: the creation time, in epoch seconds.
        updated: the time of the latest change of status or request to start, stop or update, in epoch seconds.
        status: the status.
        status_message: the reason of a FAILED status.
        tags: the tags.
        session_id: the current session, or else the latest one.
        transitions: the scheduled transitions, in time order.
        removed_at: the time at which a deleted processor disappears, in epoch seconds; None if it is not being deleted.
    """

    name: str
    arn: str
    definition: ProcessorDefinition
    created: float
    updated: float
    status: Status = Status.STOPPED
    status_message: str | None = None
    tags: Mapping[str, str] = MappingProxyType({})
    session_id: str | None = None
    transitions: tuple[ScheduledTransition, ...] = ()
    removed_at: float | None = None

    @property
    def kind(self) -> ProcessorKind:
        """Face search or label detection."""
        return self.definition.kind

    @property
    def is_active(self) -> bool:
        """Whether the processor counts as a concurrent session."""
        return self.status in ACTIVE and self.removed_at is None

    @property
    def next_event_at(self) -> float | None:
        """The time of the next transition or of the removal, in epoch seconds; None if neither is scheduled."""
        due_times = [transition.at for transition in self.transitions[:1]]
        if self.removed_at is not None:
            due_times.append(self.removed_at)
        return min(due_times, default=None)

    def allows(self, event: Event) -> bool:
        """Return whether the current status allows an event."""
        return next_status(self.kind, self.status, event) is not None

    def after(self, event: Event, now: float, *, message: str | None = None) -> Processor:
        """Return the processor after an event, or itself if the event is not allowed."""
        status = next_status(self.kind, self.status, event)
        if status is None:
            return self
        transitions = () if event in _END_EVENTS else self.transitions
        return attrs.evolve(self, status=status, status_message=message, updated=now, transitions=transitions)

    def with_transitions(self, transitions: Iterable[ScheduledTransition]) -> Processor:
        """Return the processor with other scheduled transitions."""
        return attrs.evolve(self, transitions=tuple(sorted(transitions, key=lambda transition: transition.at)))

    def advanced(self, now: float) -> Processor:
        """Return the processor after all transitions that are due by ``now``."""
        processor = self
        while processor.transitions and processor.transitions[0].at <= now:
            due, *rest = processor.transitions
            remaining = attrs.evolve(processor, transitions=tuple(rest))
            processor = remaining.after(due.event, due.at, message=due.message)
        return processor


@final
@attrs.frozen(kw_only=True)
class ProcessorState:
    """The current state of a stream processor. Reading it uses no request quota.

    Attributes:
        name: the name.
        arn: the ARN.
        account: the account, twelve digits.
        region: the Region.
        kind: face search or label detection.
        status: the status.
        status_message: the reason of a FAILED status; None otherwise.
        session_id: the current session, or else the latest one.
        created: the creation time, in epoch seconds of the emulator's clock.
        updated: the LastUpdateTimestamp of DescribeStreamProcessor, in epoch seconds.
        tags: the tags as pairs of key and value.
        is_being_deleted: whether a delete is in progress.
    """

    name: str
    arn: str
    account: str
    region: str
    kind: ProcessorKind
    status: Status
    status_message: str | None
    session_id: str | None
    created: float
    updated: float
    tags: tuple[tuple[str, str], ...]
    is_being_deleted: bool
