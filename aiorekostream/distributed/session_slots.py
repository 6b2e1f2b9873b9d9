"""Provide the session slots that fleets on many hosts share."""

import asyncio
import datetime
import weakref
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import attrs
from redis.asyncio import Redis

from aiorekostream.clock import Clock, SystemClock
from aiorekostream.distributed.connection import RedisConnection, host_name
from aiorekostream.distributed.options import RedisSlotOptions, describe_server, tagged_key
from aiorekostream.distributed.outages import OutageLog
from aiorekostream.distributed.slot_book import SlotBook
from aiorekostream.distributed.slot_leases import RedisSlotLeases, SlotKeys
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.fleet.slot_leases import SlotListener
from aiorekostream.limits import Scope

__all__ = ["RedisSessionSlots"]


class RedisSessionSlots:
    """Share the limits on concurrent sessions among hosts, through a Redis or Valkey server.

    Every host gives the same ``prefix``, and its clients the same ``limits``. A slot belongs to the session, not to the
    host that started it: it is free again when any host sees the end of the session, or when the session cannot last
    any longer. A start that may have been sent keeps its slot until the timeout of its call, the longest duration of
    its session and 20 seconds have passed, unless it was certainly not applied. Across all hosts, at most one start of
    a processor is under way at a time. Only the server's clock counts.

    While the server is out of reach, no session is started, or only within the share of this host if
    ``expected_hosts`` is given. A server that is empty, at first or after a restart, is filled by one host, which lists
    the sessions of the account and Region; none is started before, and none in the first two seconds. A loss is logged
    at WARNING to ``aiorekostream``, and the recovery at INFO.

    The object may be used by several fleets, in several event loops. Close it in each of them, with ``aclose`` or
    ``async with``. The server's time is real, so a client with another clock cannot share slots.

    Args:
        redis: the URL of the server, such as ``rediss://user:password@host:6379/0``, or a ``redis.asyncio.Redis``,
            which the caller closes, and which belongs to one event loop.
        prefix: the first part of every key; text without braces, of at least 1 character.
        expected_hosts: the number of hosts among which each limit is divided while the server is out of reach, at
            least 1. If not given, no session is started meanwhile.
        timeout: the time without a reply after which the server counts as out of reach, as a ``timedelta`` or in
            seconds from 0.001 to 60.
        account: a name for the account that replaces the one of the scope, for several access keys that draw on one
            limit.

    Raises:
        InvalidRequestError: arguments break their rules; all issues at once. No message contains a password.
    """

    def __init__(
        self,
        redis: str | Redis,
        *,
        prefix: str = "rks",
        expected_hosts: int | None = None,
        timeout: datetime.timedelta | float = 0.25,
        account: str | None = None,
    ) -> None:
        self._options = RedisSlotOptions(
            redis=redis, prefix=prefix, expected_hosts=expected_hosts, timeout=timeout, account=account
        )
        self._outages = OutageLog(describe_server(redis), "session slots")
        self._leases: weakref.WeakKeyDictionary[RedisSlotLeases, asyncio.AbstractEventLoop] = (
            weakref.WeakKeyDictionary()
        )

    def __repr__(self) -> str:
        return f"<RedisSessionSlots at {describe_server(self._options.redis)}, prefix {self._options.prefix!r}>"

    def open(
        self, scope: Scope, *, limits: Mapping[ProcessorKind, int], clock: Clock, listener: SlotListener
    ) -> RedisSlotLeases:
        """Return the slots of one account and Region for one fleet. See ``SharedSessionSlots.open``."""
        options, host = self._options, host_name()
        scope = scope if options.account is None else attrs.evolve(scope, account=options.account)
        hosts = options.expected_hosts
        books = {
            kind: SlotBook(
                kind=kind,
                limit=limit,
                host=host,
                patience=options.timeout,
                share=0 if hosts is None else limit // hosts,
            )
            for kind, limit in limits.items()
        }
        leases = RedisSlotLeases(
            RedisConnection(options.redis, timeout=options.timeout),
            books=books,
            keys={kind: SlotKeys(tagged_key(options.prefix, scope, kind.value)) for kind in limits},
            clock=clock,
            listener=listener,
            outages=self._outages,
        )
        self._leases[leases] = asyncio.get_running_loop()
        return leases

    async def aclose(self) -> None:
        """Return the leased slots, and close the connections of the running event loop. Sessions keep their slots."""
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(leases.aclose() for leases, home in list(self._leases.items()) if home is loop))

    async def __aenter__(self) -> Self:
        """Check the connection; a server that is out of reach is no error.

        Raises:
            ConfigurationError: the server rejects the credentials, or is a replica.
        """
        connection = RedisConnection(self._options.redis, timeout=self._options.timeout)
        try:
            await connection.check(self._options.prefix, SystemClock(), user=repr(self))
        finally:
            await connection.aclose()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
