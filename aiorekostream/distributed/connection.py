"""Run scripts on a Redis or Valkey server, and translate whatever can go wrong there into one error."""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
import os
import platform
import uuid
from typing import TYPE_CHECKING

import attrs
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from aiorekostream.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence
    from typing import Self

    from aiorekostream.clock import Clock

__all__ = ["RedisConnection", "RedisScript", "RedisUnavailableError", "host_name"]

# Connections of one event loop. Each quota has at most one script under way, and there are ten quotas.
_MAX_CONNECTIONS = 16
# Seconds, after which the same connection is read again. A read without a time of its own ends after the client's
# `socket_timeout` in redis-py 8.0, which takes the silence of a channel for a lost connection.
_READ_FOR = 3600.0

_HINTS: Mapping[type[RedisError], str] = {
    AuthenticationError: "check the user name and the password in the URL",
    NoPermissionError: "the user needs the commands and the keys that the documentation lists",
    ReadOnlyError: "the server is a replica; give the address of the primary",
    OutOfMemoryError: "raise maxmemory, and use the policy noeviction",
}
# These come from the configuration, so that waiting does not help.
_MISTAKES = (AuthenticationError, NoPermissionError, ReadOnlyError)

_WRITE = "return redis.call('SET', KEYS[1], '1', 'PX', 1000)"


def host_name() -> str:
    """Return a name under which other hosts see one event loop of this process; each call returns another one."""
    return f"{platform.node()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


class RedisUnavailableError(Exception):
    """The server cannot be reached, did not answer in time, or cannot run the script.

    Attributes:
        is_mistake: whether the configuration must be corrected.
    """

    def __init__(self, message: str, *, is_mistake: bool = False) -> None:
        super().__init__(message)
        self.is_mistake = is_mistake


@attrs.frozen
class RedisScript:
    """A Lua script.

    Attributes:
        source: its text.
    """

    source: str

    @functools.cached_property
    def digest(self) -> str:
        """The name by which the server knows it."""
        return hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()

    @classmethod
    def read(cls, name: str) -> Self:
        """Read a script from this package."""
        return cls(importlib.resources.files("aiorekostream.distributed").joinpath(name).read_text(encoding="utf-8"))


class RedisConnection:
    """Run scripts from one event loop. A script is sent once, with no retries: it may have run when its reply is lost.

    Args:
        target: a URL, or a client, which stays the caller's to close.
        timeout: seconds until a reply counts as lost.
    """

    def __init__(self, target: str | Redis, *, timeout: float) -> None:
        self.timeout = timeout
        self._is_own = isinstance(target, str)
        if isinstance(target, str):
            pool = BlockingConnectionPool.from_url(
                target, max_connections=_MAX_CONNECTIONS, timeout=timeout, retry=Retry(NoBackoff(), 0)
            )
            target = Redis.from_pool(pool)
        self._client = target

    async def run(
        self, script: RedisScript, keys: Sequence[str], arguments: Sequence[str | float], clock: Clock
    ) -> object:
        """Run a script, and return its reply.

        Raises:
            RedisUnavailableError: there was no reply, or an error.
        """
        try:
            async with clock.timeout_at(clock.now() + self.timeout):
                try:
                    return await self._evaluate("EVALSHA", script.digest, keys, arguments)
                except NoScriptError:  # the server is new, was restarted, or its scripts were flushed
                    return await self._evaluate("EVAL", script.source, keys, arguments)
        except TimeoutError as error:
            raise RedisUnavailableError(f"no reply within {self.timeout:g} s") from error
        except (RedisError, OSError) as error:
            raise _unavailable(error, keys) from error

    async def check(self, prefix: str, clock: Clock, *, user: str) -> None:
        """Write a key, to find mistakes of the configuration. A server that is out of reach is no error.

        Args:
            prefix: the first part of the key.
            clock: measures the timeout.
            user: what uses the connection, for the message.

        Raises:
            ConfigurationError: the server rejects the credentials, or is a replica.
        """
        try:
            await self.run(RedisScript(_WRITE), [f"{prefix}:{{check}}"], (), clock)
        except RedisUnavailableError as error:
            if error.is_mistake:
                raise ConfigurationError(f"{user} cannot be used: {error}") from error

    async def listen(self, channels: Sequence[str]) -> AsyncGenerator[tuple[str, bytes]]:
        """Yield the messages of channels, with the channel of each; an empty one of each channel at the beginning.

        Raises:
            RedisUnavailableError: the connection is lost.
        """
        try:
            async with self._client.pubsub() as subscription:
                await subscription.subscribe(*channels)
                while True:
                    message = await subscription.get_message(timeout=_READ_FOR)
                    if message is not None and message["type"] in {"subscribe", "message"}:
                        data = message["data"] if message["type"] == "message" else b""
                        yield _decoded(message["channel"]), data
        except (RedisError, OSError) as error:
            raise _unavailable(error, channels) from error

    async def aclose(self) -> None:
        """Close the connections, unless the caller gave the client."""
        if self._is_own:
            await self._client.aclose()

    async def _evaluate(
        self, command: str, script: str, keys: Sequence[str], arguments: Sequence[str | float]
    ) -> object:
        reply: object = await self._client.execute_command(command, script, len(keys), *keys, *arguments)
        return reply


def _decoded(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _unavailable(error: Exception, keys: Sequence[str]) -> RedisUnavailableError:
    hint = next((hint for kind, hint in _HINTS.items() if isinstance(error, kind)), "")
    if isinstance(error, ResponseError) and "WRONGTYPE" in str(error):
        hint = f"another program uses one of the keys {', '.join(keys)}; choose another prefix"
    message = f"{type(error).__name__}: {error}"
    return RedisUnavailableError(f"{message}; {hint}" if hint else message, is_mistake=isinstance(error, _MISTAKES))
