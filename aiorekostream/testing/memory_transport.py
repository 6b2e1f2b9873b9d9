"""Provide a transport without a network, for tests."""

import inspect
import itertools
from collections.abc import Awaitable, Callable, Mapping

import attrs

from aiorekostream.errors import ConfigurationError
from aiorekostream.limits import Scope
from aiorekostream.transport.port import Reply, ignored

__all__ = ["Answer", "Handler", "MemoryTransport"]

Answer = Mapping[str, object] | Reply | Exception
"""The result of a handler: the members of the reply in AWS's spelling, a whole reply, or an error to raise."""

Handler = Callable[[str, Mapping[str, object]], Answer | Awaitable[Answer]]
"""A function, plain or ``async``, of the operation's name and the request's members in AWS's spelling."""


# No two transports of a process are the same address, not even one after the other.
_numbers = itertools.count(1)


@attrs.define
class MemoryTransport:
    """Answers every call from a function, and remembers the calls.

    An exception that the handler answers or raises is raised to the caller as it is.

    Example::

        transport = MemoryTransport(lambda operation, body: {"SessionId": "session-1"})

    Attributes:
        handler: the function that answers.
        region: the Region that the transport says it calls.
        calls: every call so far: the operation's name and the request's members.
        closed: whether ``aclose`` was called.
    """

    handler: Handler
    region: str | None = attrs.field(default="us-east-1", kw_only=True)
    calls: list[tuple[str, Mapping[str, object]]] = attrs.field(factory=list, init=False)
    closed: bool = attrs.field(default=False, init=False)
    _endpoint: str = attrs.field(factory=lambda: f"memory-{next(_numbers)}", init=False, repr=False)

    async def open(self) -> None:
        """Be ready.

        Raises:
            ConfigurationError: the transport is closed.
        """
        if self.closed:
            raise ConfigurationError("the transport is closed: create a new client")

    @property
    def is_ready(self) -> bool:
        """Always, until it is closed."""
        return not self.closed

    async def ready(self) -> None:
        """Be ready, as ``open`` is.

        Raises:
            ConfigurationError: the transport is closed.
        """
        await self.open()

    @property
    def scope(self) -> Scope:
        """Shared with no other transport."""
        return Scope(endpoint=self._endpoint, region=self.region or "", account="")

    async def send(self, operation: str, body: Mapping[str, object], *, on_sent: Callable[[], None] = ignored) -> Reply:
        """Return what the handler answers. See ``Transport.send``.

        Raises:
            ConfigurationError: the transport is closed.
        """
        await self.open()
        self.calls.append((operation, body))
        on_sent()
        answer = self.handler(operation, body)
        if inspect.isawaitable(answer):
            answer = await answer
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Reply):
            return answer
        return Reply(answer, f"memory-{len(self.calls)}")

    async def aclose(self) -> None:
        """Take no more calls; a second time does nothing."""
        self.closed = True
