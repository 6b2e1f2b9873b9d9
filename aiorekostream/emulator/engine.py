"""Combine the emulated world with its clock, quotas, fault script and call log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.status import Status
from aiorekostream.emulator.call_log import CallLog
from aiorekostream.emulator.clocks import EmulatorClock, ManualClock
from aiorekostream.emulator.fault_script import FaultScript
from aiorekostream.emulator.quotas import Quotas
from aiorekostream.emulator.world import World
from aiorekostream.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator


__all__ = ["Engine", "ProcessorState"]


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


@attrs.define(kw_only=True)
class Engine:
    """The shared state of the request handlers and the control endpoints.

    Attributes:
        clock: the clock.
        world: the emulated state.
        quotas: the request quotas.
        fault_script: the pending faults.
        call_log: the recorded calls.
    """

    clock: EmulatorClock
    world: World
    quotas: Quotas
    fault_script: FaultScript
    call_log: CallLog

    def reset(self) -> None:
        """Remove all processors, faults and calls, and refill the quotas."""
        self.world.clear()
        self.quotas.clear()
        self.fault_script.clear()
        self.call_log.clear()

    def advance(self, seconds: float) -> None:
        """Advance the clock.

        Raises:
            ConfigurationError: the clock is not a ``ManualClock``.
        """
        if not isinstance(self.clock, ManualClock):
            raise ConfigurationError(f"cannot advance a {type(self.clock).__name__}: use Emulator(clock=ManualClock())")
        self.clock.advance(seconds)
        self.world.advance(self.clock.now())

    def fail(self, name: str, status_message: str, *, after: float) -> None:
        """Schedule the failure of a processor. See ``Emulator.fail``."""
        self.world.schedule_failure(name, status_message, self.clock.now(), after=after)

    def states(self) -> Iterator[ProcessorState]:
        """Yield the current state of every processor."""
        self.world.advance(self.clock.now())
        for account in self.world.accounts():
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
