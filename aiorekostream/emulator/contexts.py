"""Define the context in which one operation executes."""

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
    """A failure that is scheduled for a processor's next start.

    Attributes:
        message: the StatusMessage.
        after: the delay after the start, in seconds.
    """

    message: str
    after: float


@attrs.frozen(kw_only=True)
class OperationContext:
    """The state and the configuration that one operation works on.

    Attributes:
        account: the caller's account in the Region, advanced to the time of the request.
        limits: the account's limits.
        timings: the durations of state changes.
        dependency_faults: the resources that are unavailable.
        new_id: generates a session id.
        take_scheduled_failure: returns and removes the failure that is scheduled for a processor's next start.
    """

    account: Account
    limits: Limits
    timings: Timings
    dependency_faults: DependencyFaults
    new_id: Callable[[], str]
    take_scheduled_failure: Callable[[str], ScheduledFailure | None]

    @property
    def now(self) -> float:
        """The time of the request, in epoch seconds."""
        return self.account.now

    def max_active(self, kind: ProcessorKind) -> int | None:
        """Return the maximum number of active processors of a kind; None if the Region does not offer the kind."""
        is_face_search = kind is ProcessorKind.FACE_SEARCH
        by_region = self.limits.concurrent_face_search if is_face_search else self.limits.concurrent_label_detection
        return by_region.get(self.account.region)
