"""Run the slots of a single fleet through the contract of session slots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests import virtual_time
from tests.fleet.slots_contract import SessionSlotsContract

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from aiorekostream.fleet import SharedSessionSlots


class TestSessionSlots(SessionSlotsContract):
    def run(self, check: Callable[[SharedSessionSlots | None], Coroutine[object, object, None]]) -> None:
        virtual_time.run(check(None))
