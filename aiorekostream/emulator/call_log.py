"""The record: what was asked, what was done and what was answered. It is the truth that tests hold outcomes against."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import attrs

from aiorekostream.emulator.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Sequence


__all__ = ["Call", "CallLog"]

_MOST = 1_000_000


@attrs.frozen(kw_only=True)
class Call:
    """One request that the emulator received.

    Attributes:
        operation: AWS's name of the operation; empty where the request did not say one.
        name: the name of the stream processor; empty where there is none.
        account: the caller's account, twelve digits; empty where the caller is not known.
        region: the Region; empty likewise.
        at: when it came, in epoch seconds of the emulator's clock.
        request_id: the id that the answer bore, or would have borne.
        status: the HTTP status that was answered; None if there was no answer.
        code: AWS's error code that was answered; None for a success, and if there was no answer or not AWS's.
        done: whether the operation was carried out, whatever was answered.
        session_id: the session that was started by it.
        faults: the scripted faults that struck it.
    """

    operation: str = ""
    name: str = ""
    account: str = ""
    region: str = ""
    at: float
    request_id: str
    status: int | None = None
    code: str | None = None
    done: bool = False
    session_id: str | None = None
    faults: tuple[Fault, ...] = ()


@attrs.define
class CallLog:
    """The latest million calls.

    Attributes:
        keeps: whether calls are kept at all.
    """

    keeps: bool = True
    _calls: deque[Call] = attrs.field(factory=lambda: deque(maxlen=_MOST), init=False)

    @property
    def calls(self) -> Sequence[Call]:
        """The calls in the order in which they were decided."""
        return tuple(self._calls)

    def add(self, call: Call) -> None:
        """Keep one."""
        if self.keeps:
            self._calls.append(call)

    def clear(self) -> None:
        """Forget them all."""
        self._calls.clear()
