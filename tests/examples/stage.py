"""Run the examples against an emulator over HTTP, on a manual clock that they share with it."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import aiorekostream as rks
from aiorekostream.emulator import Emulator, ManualClock
from tests.emulator.samples import labels

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine

__all__ = ["EXAMPLES", "REGION", "ExampleStage", "complete_calls", "on_stage"]

_T = TypeVar("_T")
EXAMPLES = Path(__file__).parents[2] / "examples"
REGION = "us-east-1"
# Turns of the event loop in which a call over HTTP is certainly answered. Too few only let more time pass.
_TURNS = 100
_STEP = 0.1  # seconds


async def complete_calls() -> None:
    """Let the calls that are under way over HTTP be answered, and the answers be read."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)


class ExampleStage:
    """An emulator, its clock, and a client on that clock."""

    def __init__(self, emulator: Emulator, clock: ManualClock) -> None:
        self.emulator = emulator
        self.clock = clock
        self._unopened: list[rks.Client] = []
        self.client = self.new_client()

    def new_client(self) -> rks.Client:
        """Another client, for a program that closes its own."""
        return self.hold_for(rks.Client(region=REGION, endpoint_url=self.emulator.url, clock=self.clock))

    def hold_for(self, client: rks.Client) -> rks.Client:
        """Hold the clock until a client is open, and return the client."""
        self._unopened.append(client)
        return client

    async def create(self, *names: str) -> None:
        """Create label detections."""
        for name in names:
            await self.client.create_stream_processor(rks.parse_processor(labels(name)))

    def starts(self) -> list[str | None]:
        """The processors of the starts that were applied."""
        return [call.name for call in self.emulator.calls if call.operation == "StartStreamProcessor" and call.done]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let time pass until a condition holds."""
        while not condition():
            await complete_calls()
            # Opening takes real time, during which the clock must stand: a call's time would pass in no time.
            while self._unopened:
                await self._unopened.pop().pipeline.open()
            self.clock.advance(_STEP)

    async def complete(self, program: Coroutine[object, object, _T]) -> _T:
        """Let time pass until a program ends."""
        task = asyncio.create_task(program)
        await self.until(task.done)
        return await task


@contextlib.asynccontextmanager
async def on_stage() -> AsyncGenerator[ExampleStage]:
    """Start an emulator, and let the program under test close the client."""
    clock = ManualClock()
    async with Emulator(clock=clock) as emulator:
        stage = ExampleStage(emulator, clock)
        try:
            yield stage
        finally:
            await stage.client.aclose()
