"""Use a real server in virtual time: the script reads the time of the event loop, and time stands still on the way."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar, cast

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError

from tests import virtual_time

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["EPOCH", "RealIoLoop", "TroubledRedis", "VirtualRedis", "run", "script_at"]

_T = TypeVar("_T")
# Seconds that a server may take to answer before a test fails.
_PATIENCE = 20.0
# Seconds for which a loop waits for what the server publishes with the reply to a command, before so long a jump.
_PUBLISHING, _JUMP = 0.02, 1.0
# Any moment; the server's clock has nothing to do with the hosts' clocks.
EPOCH = 1_700_000_000.0


class RealIoLoop(virtual_time.VirtualLoop):
    """A loop whose time stands still while a command is on its way to the server, or nothing else is to happen."""

    def __init__(self) -> None:
        super().__init__()
        self.commands = 0
        self.is_subscribed = self.may_hear = False
        selector = cast("selectors.SelectSelector", cast("Any", self)._selector)
        in_virtual_time = selector.select

        def select(timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            is_real = timeout is None or (self.commands and timeout != 0)
            seconds = _PATIENCE if is_real else 0.0
            if timeout is not None and timeout > _JUMP and self.may_hear:
                seconds, self.may_hear = max(seconds, _PUBLISHING), False
            ready = selectors.SelectSelector.select(selector, seconds) if seconds else []
            return ready or in_virtual_time(timeout)

        selector.select = select  # type: ignore[method-assign]


class _VirtualPubSub(PubSub):
    """A subscription that takes no time to begin."""

    async def subscribe(self, *channels: str) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, RealIoLoop)
        loop.commands += 1
        try:
            await super().subscribe(*channels)
            loop.is_subscribed = True
        finally:
            loop.commands -= 1


class VirtualRedis(Redis):
    """A client whose scripts read the time of the event loop.

    Attributes:
        offset: seconds by which the server's clock differs.
        trips: the scripts that were sent.
    """

    offset = 0.0
    trips = 0

    def pubsub(self) -> PubSub:
        return _VirtualPubSub(self.connection_pool)

    async def execute_command(self, *args: str | float, **options: object) -> object:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, RealIoLoop)
        loop.commands += 1
        try:
            if args[0] not in {"EVAL", "EVALSHA"}:
                return await super().execute_command(*args, **options)
            if args[0] == "EVALSHA":
                raise NoScriptError
            source = script_at(str(args[1]), loop.time() + EPOCH + self.offset)
            self.trips += 1
            return await super().execute_command("EVAL", source, *args[2:], **options)
        finally:
            loop.commands -= 1
            loop.may_hear = loop.is_subscribed


class TroubledRedis(VirtualRedis):
    """A server that a test takes away from one host.

    Attributes:
        trouble: what is wrong: ``"hung"``, ``"nonsense"``, or the message of a lost connection; empty for nothing.
    """

    trouble = ""

    async def execute_command(self, *args: str | float, **options: object) -> object:
        if self.trouble == "hung":
            await asyncio.get_running_loop().create_future()
        if self.trouble == "nonsense":
            return 7
        if self.trouble:
            raise RedisConnectionError(self.trouble)
        return await super().execute_command(*args, **options)


async def wait_for_slots(url: str, taken: int) -> None:
    """Wait until hosts have reported so many slots to a server.

    A server that restarts takes real time, in which any virtual time may pass. The pools of the hosts may still have
    connections to the server that was killed.
    """
    async with VirtualRedis.from_url(url) as reader:
        for _ in range(600):
            keys = cast("list[bytes]", await reader.execute_command("KEYS", "rks:*:slots"))
            if keys and await reader.execute_command("ZCARD", keys[0].decode()) == taken:
                return
            await asyncio.sleep(0.1)
    message = f"{taken} slots were not reported within a minute"
    raise AssertionError(message)


def script_at(source: str, now: float) -> str:
    """Return the script with this time instead of the server's."""
    assert "redis.call('TIME')" in source
    seconds, microseconds = divmod(round(now * 1e6), 1_000_000)
    return source.replace("redis.call('TIME')", f"{{'{seconds}', '{microseconds}'}}")


def run(coroutine: Coroutine[object, object, _T]) -> _T:
    """Run a coroutine to its end, in virtual time but for the server."""
    with asyncio.Runner(loop_factory=RealIoLoop) as runner:
        return runner.run(coroutine)
