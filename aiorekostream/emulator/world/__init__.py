"""Emulate the service as a pure state machine: the time is an argument, and nothing here does I/O.

Nothing in this package reads a clock, uses randomness, awaits or knows HTTP. The wire format, the faults on the way and
the clock are added around it.
"""

from aiorekostream.emulator.world.world import OPERATIONS, World

__all__ = ["OPERATIONS", "World"]
