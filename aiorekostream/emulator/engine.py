"""The engine: the emulated world together with its clock, quotas, script and record."""

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
    """A stream processor as the emulator has it now; no quota is spent on looking.

    Attributes:
        name: its name.
        arn: its ARN.
        account: its account, twelve digits.
        region: its Region.
        kind: face search or label detection.
        status: its status.
        status_message: why it FAILED.
        session_id: the session that it works at or worked at last.
        created: when, in epoch seconds of the emulator's clock.
        updated: what DescribeStreamProcessor calls LastUpdateTimestamp.
        tags: its tags.
        is_being_deleted: whether it was deleted and will soon be gone.
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
    """What the HTTP side and the control endpoints work on.

    Attributes:
        clock: the time.
        world: what there is.
        quotas: the rates that are allowed.
        script: the faults that are waiting.
        record: what happened.
    """

    clock: EmulatorClock
    world: World
    quotas: Quotas
    script: FaultScript
    record: CallLog

    def reset(self) -> None:
        """Forget every processor, fault, call and used quota."""
        self.world.clear()
        self.quotas.clear()
        self.script.clear()
        self.record.clear()

    def advance(self, seconds: float) -> None:
        """Let time pass, if it is driven by hand."""
        if not isinstance(self.clock, ManualClock):
            raise ConfigurationError("only an emulator with a ManualClock can be advanced")
        self.clock.advance(seconds)
        self.world.advance(self.clock.now())

    def fail(self, name: str, status_message: str, *, after: float) -> None:
        """Let a processor fail, now or at its next start."""
        self.world.doom(name, status_message, self.clock.now(), after=after)

    def states(self) -> Iterator[ProcessorState]:
        """Every processor, brought up to date."""
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
                    is_being_deleted=processor.gone_at is not None,
                )
