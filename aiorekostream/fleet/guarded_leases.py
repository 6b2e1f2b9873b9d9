"""Keep exceptions and hangs of shared slots, which may be the user's code, away from the requests of a fleet."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import attrs

from aiorekostream.clock import Clock, is_cancelled
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.responses import StartedSession
from aiorekostream.domain.status import Status
from aiorekostream.fleet.slot_leases import Reservation, SharedSession, SlotLeases

__all__ = ["GuardedLeases"]

_log = logging.getLogger("aiorekostream")

_T = TypeVar("_T")
_AnswerT = TypeVar("_AnswerT", bound=bool | None)


@attrs.frozen(kw_only=True)
class GuardedLeases:
    """See ``SlotLeases``: a report that fails is logged, and a question that fails ends the requests that wait.

    Attributes:
        leases: the slots.
        clock: the client's clock.
        timeout: seconds after which a method that waits is given up.
        on_failure: called with the exception of a question, after the caller has gone on.
    """

    leases: SlotLeases
    clock: Clock
    timeout: float
    on_failure: Callable[[BaseException], None]

    @property
    def needs_sync(self) -> bool:
        """See ``SlotLeases``."""
        return self._ask(lambda: self.leases.needs_sync, default=False)

    def request(self, counts: Mapping[ProcessorKind, int]) -> None:
        """See ``SlotLeases``."""
        self._ask(lambda: self.leases.request(counts), default=None)

    def has_room(self, kind: ProcessorKind) -> bool:
        """See ``SlotLeases``."""
        return self._ask(lambda: self.leases.has_room(kind), default=False)

    def is_full(self, kind: ProcessorKind) -> bool:
        """See ``SlotLeases``."""
        return self._ask(lambda: self.leases.is_full(kind), default=False)

    def take(self, name: str, kind: ProcessorKind) -> None:
        """See ``SlotLeases``."""
        self._report(lambda: self.leases.take(name, kind))

    async def reserve(self, name: str, kind: ProcessorKind, *, call: float, session: float) -> Reservation:
        """See ``SlotLeases``.

        Raises:
            TimeoutError: there was no answer.
            Exception: what the slots have raised, with a ``RuntimeError`` for a ``CancelledError`` of their own.
        """
        return await self._in_time(lambda: self.leases.reserve(name, kind, call=call, session=session))

    def restore(self, name: str, kind: ProcessorKind) -> None:
        """See ``SlotLeases``."""
        self._report(lambda: self.leases.restore(name, kind))

    def occupy(
        self,
        name: str,
        kind: ProcessorKind,
        *,
        seconds: float,
        begins_in: float = 0.0,
        session: StartedSession | None = None,
        is_external: bool = False,
    ) -> None:
        """See ``SlotLeases``."""
        self._report(
            lambda: self.leases.occupy(
                name, kind, seconds=seconds, begins_in=begins_in, session=session, is_external=is_external
            )
        )

    def stopping(self, name: str, seconds: float) -> None:
        """See ``SlotLeases``."""
        self._report(lambda: self.leases.stopping(name, seconds))

    def free(self, name: str, kind: ProcessorKind, status: Status | None = None) -> None:
        """See ``SlotLeases``."""
        self._report(lambda: self.leases.free(name, kind, status))

    async def sessions(self, *, sweep: float = 0.0) -> Sequence[SharedSession] | None:
        """See ``SlotLeases``."""
        try:
            return await self._in_time(lambda: self.leases.sessions(sweep=sweep))
        except Exception:  # noqa: BLE001 - as if the store were out of reach
            _log.exception("the shared slots could not be listed")
            return None

    def end(self, session: SharedSession, status: Status | None) -> None:
        """See ``SlotLeases``."""
        self._report(lambda: self.leases.end(session, status))

    def end_session(self, name: str, kind: ProcessorKind, session_id: str) -> None:
        """See ``SlotLeases``."""
        self._report(lambda: self.leases.end_session(name, kind, session_id))

    def confirm_sync(self) -> None:
        """See ``SlotLeases``."""
        self._report(self.leases.confirm_sync)

    async def _in_time(self, call: Callable[[], Awaitable[_T]]) -> _T:
        try:
            async with self.clock.timeout_at(self.clock.now() + self.timeout):
                return await call()
        except asyncio.CancelledError as error:
            if is_cancelled():
                raise  # else it is of the slots: the task of the fleet would end, although nothing has cancelled it
            raise RuntimeError("the shared slots raised CancelledError") from error

    def _ask(self, question: Callable[[], _AnswerT], *, default: _AnswerT) -> _AnswerT:
        try:
            return question()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - the caller is in the midst of a change
            asyncio.get_running_loop().call_soon(self.on_failure, error)
            return default

    def _report(self, report: Callable[[], None]) -> None:
        try:
            report()
        except (Exception, asyncio.CancelledError):  # noqa: BLE001 - the session is a fact, whether it is recorded or not
            _log.exception("a session could not be reported to the shared slots")
