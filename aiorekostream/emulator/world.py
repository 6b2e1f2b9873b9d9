"""The emulated world: a pure value machine that takes a caller, an operation, its members and the time, and answers.

It reads no clock, rolls no dice, awaits nothing and knows no HTTP. Things that happen by themselves (a face search
comes to run, a session ends, a deleted processor vanishes) happen when the world is told that their time has come.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

import attrs

from aiorekostream.domain.status import Event
from aiorekostream.emulator import crud, lifecycle, tagging
from aiorekostream.emulator.accounts import Account
from aiorekostream.emulator.answers import BLANK_DENIAL, RefusedError
from aiorekostream.emulator.callers import Caller
from aiorekostream.emulator.contexts import OperationContext, ScheduledFailure
from aiorekostream.emulator.dependency_faults import DependencyFaults
from aiorekostream.emulator.fields import Fields
from aiorekostream.emulator.processors import Step
from aiorekostream.emulator.timings import Timings
from aiorekostream.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aiorekostream.emulator.answers import Answer, JsonObject, Success

    _Operation: TypeAlias = Callable[[OperationContext, Fields], Success]

__all__ = ["OPERATIONS", "World"]

_OPERATIONS: Mapping[str, _Operation] = MappingProxyType(
    {
        "CreateStreamProcessor": crud.create,
        "DeleteStreamProcessor": crud.delete,
        "DescribeStreamProcessor": crud.describe,
        "ListStreamProcessors": crud.listing,
        "ListTagsForResource": tagging.list_tags,
        "StartStreamProcessor": lifecycle.start,
        "StopStreamProcessor": lifecycle.stop,
        "TagResource": tagging.tag,
        "UntagResource": tagging.untag,
        "UpdateStreamProcessor": lifecycle.update,
    }
)

OPERATIONS = tuple(_OPERATIONS)
"""AWS's names of the operations that the world knows."""


@attrs.define(kw_only=True)
class World:
    """Every account of the emulated service.

    Attributes:
        new_id: makes the ids of sessions.
        limits: AWS's numbers.
        timings: how long things take.
        dependency_faults: what is out of reach; it may be replaced at any time and counts for the starts that follow.
    """

    new_id: Callable[[], str]
    limits: Limits = DEFAULT_LIMITS
    timings: Timings = attrs.field(factory=Timings)
    dependency_faults: DependencyFaults = attrs.field(factory=DependencyFaults)
    _accounts: dict[Caller, Account] = attrs.field(factory=dict, init=False)
    _dooms: dict[str, ScheduledFailure] = attrs.field(factory=dict, init=False)

    def serve(self, caller: Caller, operation: str, members: JsonObject, now: float) -> Answer:
        """Carry out one operation, or refuse it and change nothing.

        Args:
            caller: the account and the Region.
            operation: one of ``OPERATIONS``.
            members: the request as JSON says it.
            now: epoch seconds; a time before that of an earlier request counts as that one's.
        """
        if not self.offered(caller.region):
            return BLANK_DENIAL
        account = self.account(caller)
        account.advance(now)
        turn = OperationContext(
            account=account,
            limits=self.limits,
            timings=self.timings,
            dependency_faults=self.dependency_faults,
            new_id=self.new_id,
            take_doom=self._take_doom,
        )
        try:
            return _OPERATIONS[operation](turn, Fields(members))
        except RefusedError as error:
            return error.refusal

    def offered(self, region: str) -> bool:
        """Whether a Region offers stream processors of either kind."""
        return region in self.limits.concurrent_face_search or region in self.limits.concurrent_label_detection

    def account(self, caller: Caller) -> Account:
        """An account in a Region; it comes into being when it is first asked for."""
        found = self._accounts.get(caller)
        if found is None:
            found = self._accounts[caller] = Account(caller.account, caller.region)
        return found

    def accounts(self) -> Iterator[Account]:
        """Every account that has been asked for."""
        return iter(self._accounts.values())

    def advance(self, now: float) -> None:
        """Let everything happen that is due by now, in every account."""
        for account in self._accounts.values():
            account.advance(now)

    def next_moment(self) -> float | None:
        """When the next thing happens by itself, in epoch seconds; None if nothing will."""
        moments = (account.next_moment() for account in self._accounts.values())
        return min((moment for moment in moments if moment is not None), default=None)

    def doom(self, name: str, message: str, now: float, *, after: float = 0.0) -> None:
        """Let every processor of this name that is at work fail, and if there is none, the next one that is started.

        Args:
            name: the name of the processor, in whichever account and Region.
            message: the StatusMessage.
            now: epoch seconds.
            after: how many seconds after now, or after the start, it fails.
        """
        self.advance(now)
        doomed = False
        for account in self._accounts.values():
            processor = account.processors.get(name)
            if processor is not None and processor.allows(Event.FAIL):
                doomed = True
                account.put(processor.bound_for([Step(account.now + after, Event.FAIL, message), *processor.steps]))
        if not doomed:
            self._dooms[name] = ScheduledFailure(message, after)
        self.advance(now)

    def clear(self) -> None:
        """Forget every account, and every failure that was scripted."""
        self._accounts.clear()
        self._dooms.clear()

    def _take_doom(self, name: str) -> ScheduledFailure | None:
        return self._dooms.pop(name, None)
