"""A model of the server: runs the package's scripts in this process, in virtual time, on the commands that they use.

``tests/distributed`` runs the same scripts on real servers. Here a script costs a tenth of the time, which simulations
of hundreds of hosts need.
"""

from __future__ import annotations

import asyncio
import json
import math
from typing import TYPE_CHECKING, Any, Self, cast

from lupa.lua51 import LuaRuntime, lua_type
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from aiorekostream.distributed.shared_quota import SCRIPT as RATE_SCRIPT
from aiorekostream.distributed.slot_leases import LIST_SCRIPT, SLOTS_SCRIPT
from tests.simulation.service import EPOCH

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["ScriptRedis", "ScriptServer"]

_SOURCES = {script.digest: script.source for script in (RATE_SCRIPT, SLOTS_SCRIPT, LIST_SCRIPT)}
# Seconds of a round trip.
_TRIP = 0.0005
_BOUNDS: dict[str | float, float] = {"-inf": -math.inf, "+inf": math.inf, "inf": math.inf}


class ScriptServer:
    """The data of the server, and its subscribers.

    Attributes:
        trips: the scripts that were run.
        messages: the messages that were delivered to subscribers.
    """

    def __init__(self) -> None:
        self.trips = self.messages = 0
        self.subscribers: dict[ScriptRedis, asyncio.Queue[tuple[str, bytes] | Exception]] = {}
        self._lua: Any = LuaRuntime(unpack_returned_tuples=True)
        self._hashes: dict[str, dict[str, str]] = {}
        self._sets: dict[str, dict[str, float]] = {}
        # No score is lower, so that most expiries need no search.
        self._earliest: dict[str, float] = {}
        self._scripts: dict[str, Any] = {}
        self._environment = self._lua.table_from(
            {
                "redis": self._lua.table_from({"call": self._call, "pcall": self._call}),
                "cjson": self._lua.table_from({"encode": self._encode, "decode": self._decode}),
            }
        )

    def flush(self) -> None:
        """Lose everything."""
        self._hashes.clear()
        self._sets.clear()

    def run(self, source: str, keys: Sequence[str], arguments: Sequence[str | float]) -> object:
        """Run a script."""
        self.trips += 1
        script = self._scripts.get(source)
        if script is None:
            wrapped = f"return function(redis, cjson, KEYS, ARGV) {source}\nend"
            script = self._scripts[source] = self._lua.execute(wrapped)
        texts = [each if isinstance(each, str) else repr(each) for each in arguments]
        environment = self._environment
        reply = script(environment.redis, environment.cjson, self._lua.table(*keys), self._lua.table(*texts))
        return _from_lua(reply)

    # -------------------------------------------------------------------------------------------------------- commands

    def _call(self, command: str, *arguments: Any) -> Any:  # noqa: ANN401
        command_of = cast("Callable[..., Any]", getattr(self, f"_{command.lower()}"))
        return command_of(*arguments)

    def _encode(self, value: object) -> str:
        return json.dumps(_to_json(value))

    def _decode(self, text: str) -> Any:  # noqa: ANN401
        return self._from_json(json.loads(text))

    def _from_json(self, value: Any) -> Any:  # noqa: ANN401
        if isinstance(value, dict):
            return self._lua.table_from(
                {key: self._from_json(each) for key, each in cast("dict[str, Any]", value).items()}
            )
        return value

    def _time(self) -> Any:  # noqa: ANN401
        seconds, microseconds = divmod(round((asyncio.get_running_loop().time() + EPOCH) * 1e6), 1_000_000)
        return self._lua.table(str(seconds), str(microseconds))

    def _exists(self, key: str) -> int:
        return int(key in self._hashes or key in self._sets)

    def _expire(self, *_: object) -> int:
        return 1

    def _hget(self, key: str, field: str) -> str | bool:
        return self._hashes.get(key, {}).get(field, False)

    def _hmget(self, key: str, *fields: str) -> Any:  # noqa: ANN401
        stored = self._hashes.get(key, {})
        return self._lua.table(*(stored.get(field, False) for field in fields))

    def _hgetall(self, key: str) -> Any:  # noqa: ANN401
        return self._lua.table(*(each for item in self._hashes.get(key, {}).items() for each in item))

    def _hset(self, key: str, *items: str | float) -> int:
        stored = self._hashes.setdefault(key, {})
        for field, value in zip(items[::2], items[1::2], strict=True):
            stored[str(field)] = _text(value)
        return 1

    def _hdel(self, key: str, field: str) -> int:
        return int(self._hashes.get(key, {}).pop(field, None) is not None)

    def _zadd(self, key: str, score: str | float, member: str) -> int:
        moment = _bound(score)
        self._sets.setdefault(key, {})[member] = moment
        self._earliest[key] = min(moment, self._earliest.get(key, math.inf))
        return 1

    def _zcard(self, key: str) -> int:
        return len(self._sets.get(key, ()))

    def _zscore(self, key: str, member: str) -> str | bool:
        score = self._sets.get(key, {}).get(member)
        return False if score is None else _text(score)

    def _zrem(self, key: str, member: str) -> int:
        return int(self._sets.get(key, {}).pop(member, None) is not None)

    def _zrange(self, key: str, *_: object) -> Any:  # noqa: ANN401
        """Return the first member with its score, which is all that is asked for."""
        stored = self._sets.get(key)
        if not stored:
            return self._lua.table()
        first = min(stored, key=lambda member: (stored[member], member))
        return self._lua.table(first, _text(stored[first]))

    def _zrangebyscore(self, key: str, _least: str, most: str) -> Any:  # noqa: ANN401
        return self._lua.table(*self._between(key, -math.inf, float(most)))

    def _zremrangebyscore(self, key: str, least: str | float, most: str | float) -> int:
        for member in self._between(key, _bound(least), _bound(most)):
            del self._sets[key][member]
        return 1

    def _between(self, key: str, least: float, most: float) -> list[str]:
        if self._earliest.get(key, math.inf) > most:
            return []
        stored = self._sets.get(key, {})
        self._earliest[key] = min(stored.values(), default=math.inf)
        return [member for member, score in stored.items() if least <= score <= most]

    def _publish(self, channel: str, message: str) -> int:
        for queue in self.subscribers.values():
            self.messages += 1
            queue.put_nowait((channel, message.encode()))
        return len(self.subscribers)


class ScriptRedis(Redis):
    """A host's client of the server.

    Attributes:
        server: the server.
        trouble: why it cannot be reached; empty if it can.
    """

    server: ScriptServer
    trouble = ""

    @classmethod
    def of(cls, server: ScriptServer) -> Self:
        """Return a client of a server."""
        client = cls.from_url("redis://model")
        client.server = server
        return client

    async def execute_command(self, *args: str | float, **_: object) -> object:
        """Run a script; there are no other commands."""
        self.check()
        await asyncio.sleep(_TRIP)
        source, count = _SOURCES[str(args[1])] if args[0] == "EVALSHA" else str(args[1]), int(args[2])
        return self.server.run(source, [str(key) for key in args[3 : 3 + count]], args[3 + count :])

    def check(self) -> None:
        """Raise an error if the server cannot be reached."""
        if self.trouble:
            raise RedisConnectionError(self.trouble)

    def break_down(self, trouble: str) -> None:
        """Lose the server, and the subscription."""
        self.trouble = trouble
        if (queue := self.server.subscribers.pop(self, None)) is not None:
            queue.put_nowait(RedisConnectionError(trouble))

    def pubsub(self) -> Any:  # noqa: ANN401
        """Return a subscription to all channels."""
        return _Subscription(self)


class _Subscription:
    def __init__(self, client: ScriptRedis) -> None:
        self._client = client

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._client.server.subscribers.pop(self._client, None)

    async def subscribe(self, *channels: str) -> None:
        self._client.check()
        self._queue: asyncio.Queue[tuple[str, bytes] | Exception] = asyncio.Queue()
        self._client.server.subscribers[self._client] = self._queue
        self._new = list(channels)

    async def get_message(self, **_: object) -> dict[str, object]:
        if self._new:
            return {"type": "subscribe", "channel": self._new.pop(), "data": 1}
        message = await self._queue.get()
        if isinstance(message, Exception):
            raise message
        return {"type": "message", "channel": message[0], "data": message[1]}


def _bound(value: str | float) -> float:
    return _BOUNDS[value] if value in _BOUNDS else float(value)


def _text(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return "inf" if value == math.inf else format(value, ".17g")


def _to_json(value: Any) -> Any:  # noqa: ANN401
    if lua_type(value) == "table":
        return {key: _to_json(each) for key, each in value.items()}
    return value


def _from_lua(value: Any) -> object:  # noqa: ANN401
    if lua_type(value) == "table":
        return [_from_lua(value[number]) for number in range(1, len(value) + 1)]
    if isinstance(value, str):
        return value.encode()
    return int(value) if isinstance(value, float) else value
