"""What one operation has at hand while it is carried out."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.emulator.accounts import Account
from aiorekostream.emulator.dependency_faults import DependencyFaults
from aiorekostream.emulator.timings import Timings
from aiorekostream.limits import Limits

__all__ = ["OperationContext", "ScheduledFailure"]


@attrs.frozen
class ScheduledFailure:
    """A failure that was scripted for a processor's next start.

    Attributes:
        message: the StatusMessage.
        after: how long after the start, in seconds.
    """

    message: str
    after: float


@attrs.frozen(kw_only=True)
class OperationContext:
    """One request's view of the world.

    Attributes:
        account: the caller's account in the Region, brought up to date.
        limits: AWS's numbers.
        timings: how long things take.
        dependency_faults: what is out of reach.
        new_id: makes the id of a session.
        take_doom: the failure that was scripted for the next start of the processor of this name; it is used up.
    """

    account: Account
    limits: Limits
    timings: Timings
    dependency_faults: DependencyFaults
    new_id: Callable[[], str]
    take_doom: Callable[[str], ScheduledFailure | None]

    @property
    def now(self) -> float:
        """The time, in epoch seconds."""
        return self.account.now

    def allowed(self, kind: ProcessorKind) -> int | None:
        """How many processors of a kind may work at once in this Region; None where the kind is not offered."""
        is_face_search = kind is ProcessorKind.FACE_SEARCH
        by_region = self.limits.concurrent_face_search if is_face_search else self.limits.concurrent_label_detection
        return by_region.get(self.account.region)
