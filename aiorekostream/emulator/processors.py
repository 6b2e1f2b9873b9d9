"""One stream processor of the emulated world, as a value: what it is, its status, and what will happen to it when.

Every change of status goes through the package's table of transitions.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import attrs

from aiorekostream.domain.status import Event, Status, next_status
from aiorekostream.emulator.definitions import ProcessorDefinition

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiorekostream.domain.enums import ProcessorKind

__all__ = ["ACTIVE", "Processor", "Step"]

ACTIVE = frozenset({Status.STARTING, Status.RUNNING, Status.STOPPING})
"""What counts against the number of processors that may work at once. UNCERTAIN for STOPPING: the strict reading."""

_ENDS = frozenset({Event.FINISH, Event.FAIL})


@attrs.frozen
class Step:
    """Something that will happen to a processor.

    Attributes:
        at: when, in epoch seconds.
        event: what.
        message: the StatusMessage that it leaves behind.
    """

    at: float
    event: Event
    message: str | None = None


@attrs.frozen(kw_only=True)
class Processor:
    """A stream processor.

    Attributes:
        name: its name.
        arn: its ARN.
        blueprint: what it was created as, with what updates have changed.
        created: when, in epoch seconds.
        updated: when its status last changed, or a user last started, stopped or updated it.
        status: its status.
        status_message: why it FAILED.
        tags: its tags.
        session_id: the session that it works at or worked at last.
        steps: what will happen to it, in the order of time.
        gone_at: when nothing is left of it, once it has been deleted.
    """

    name: str
    arn: str
    blueprint: ProcessorDefinition
    created: float
    updated: float
    status: Status = Status.STOPPED
    status_message: str | None = None
    tags: Mapping[str, str] = MappingProxyType({})
    session_id: str | None = None
    steps: tuple[Step, ...] = ()
    gone_at: float | None = None

    @property
    def kind(self) -> ProcessorKind:
        """Face search or label detection."""
        return self.blueprint.kind

    @property
    def is_active(self) -> bool:
        """Whether it counts against the number of processors that may work at once."""
        return self.status in ACTIVE and self.gone_at is None

    @property
    def next_moment(self) -> float | None:
        """When the next thing happens to it by itself."""
        moments = [step.at for step in self.steps[:1]]
        if self.gone_at is not None:
            moments.append(self.gone_at)
        return min(moments, default=None)

    def allows(self, event: Event) -> bool:
        """Whether the table of transitions has an answer to this event now."""
        return next_status(self.kind, self.status, event) is not None

    def after(self, event: Event, now: float, *, message: str | None = None) -> Processor:
        """The processor after an event; the same one where the event is not allowed."""
        status = next_status(self.kind, self.status, event)
        if status is None:
            return self
        steps = () if event in _ENDS else self.steps
        return attrs.evolve(self, status=status, status_message=message, updated=now, steps=steps)

    def bound_for(self, steps: Iterable[Step]) -> Processor:
        """The processor with another future."""
        return attrs.evolve(self, steps=tuple(sorted(steps, key=lambda step: step.at)))

    def settled(self, now: float) -> Processor:
        """The processor after everything that has become due."""
        processor = self
        while processor.steps and processor.steps[0].at <= now:
            step, *rest = processor.steps
            remaining = attrs.evolve(processor, steps=tuple(rest))
            processor = remaining.after(step.event, step.at, message=step.message)
        return processor
