"""Carry out what the slot books of one fleet decide, in one event loop: ask the server, wake the fleet, log."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from typing import TYPE_CHECKING, cast

import attrs
from redis.exceptions import NoPermissionError

from aiorekostream.distributed.connection import RedisScript, RedisUnavailableError
from aiorekostream.distributed.slot_book import POLL_INTERVAL
from aiorekostream.distributed.slot_exchange import (
    SLOTS_VERSION,
    Listed,
    OtherVersion,
    SlotReply,
    read_list,
    read_slot_reply,
)
from aiorekostream.domain.status import Status
from aiorekostream.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiorekostream.clock import Clock, TimerHandle
    from aiorekostream.distributed.connection import RedisConnection
    from aiorekostream.distributed.outages import OutageLog
    from aiorekostream.distributed.slot_book import SlotBook
    from aiorekostream.distributed.slot_exchange import SlotExchange
    from aiorekostream.domain.enums import ProcessorKind
    from aiorekostream.domain.responses import StartedSession
    from aiorekostream.fleet.slot_leases import Reservation, SharedSession, SlotListener

__all__ = ["LIST_SCRIPT", "SLOTS_SCRIPT", "RedisSlotLeases", "SlotKeys"]

_log = logging.getLogger("aiorekostream")

SLOTS_SCRIPT = RedisScript.read("session_slots.lua")
LIST_SCRIPT = RedisScript.read("session_list.lua")

# Seconds between attempts to listen for the messages of other hosts.
_LISTEN_AGAIN = 1.0


@attrs.frozen
class SlotKeys:
    """The names of the slots of one kind on the server.

    Attributes:
        base: what all of them begin with; it has the hash tag.
    """

    base: str

    @property
    def keys(self) -> list[str]:
        """The keys of the scripts."""
        return [f"{self.base}:slots", f"{self.base}:holders", f"{self.base}:state"]

    @property
    def channel(self) -> str:
        """The channel of messages about freed slots."""
        return f"{self.base}:freed"


class RedisSlotLeases:
    """The shared slots of one account and Region, as one fleet uses them. See ``SlotLeases``.

    Args:
        connection: reaches the server.
        books: decide, by kind.
        keys: the names on the server, by kind.
        clock: the clock of the client.
        listener: the fleet.
        outages: logs when the server is lost and found.
    """

    def __init__(
        self,
        connection: RedisConnection,
        *,
        books: Mapping[ProcessorKind, SlotBook],
        keys: Mapping[ProcessorKind, SlotKeys],
        clock: Clock,
        listener: SlotListener,
        outages: OutageLog,
    ) -> None:
        self._connection, self._books, self._keys = connection, books, keys
        self._clock, self._fleet, self._outages = clock, listener, outages
        self._exchanging: dict[ProcessorKind, asyncio.Task[None]] = {}
        self._timers: dict[ProcessorKind, TimerHandle] = {}
        self._waits: dict[str, asyncio.Future[Reservation]] = {}
        self._epochs: dict[ProcessorKind, str] = {}
        self._listening: asyncio.Task[None] | None = None
        self._was_reached = False
        self._loop = asyncio.get_running_loop()

    # ---------------------------------------------------------------------------------------------------------- leases

    @property
    def needs_sync(self) -> bool:
        """See ``SlotLeases``."""
        return any(book.needs_sync for book in self._books.values())

    def request(self, counts: Mapping[ProcessorKind, int]) -> None:
        """See ``SlotLeases``."""
        for kind, book in self._books.items():
            book.request(counts.get(kind, 0))
            self._pump(kind)

    def has_room(self, kind: ProcessorKind) -> bool:
        """See ``SlotLeases``."""
        return self._books[kind].has_room()

    def is_full(self, kind: ProcessorKind) -> bool:
        """See ``SlotLeases``."""
        return self._books[kind].is_full

    def take(self, name: str, kind: ProcessorKind) -> None:
        """See ``SlotLeases``."""
        self._books[kind].take(name)

    async def reserve(self, name: str, kind: ProcessorKind, *, call: float, session: float) -> Reservation:
        """See ``SlotLeases``."""
        begins_at = self._clock.now() + call
        result = self._books[kind].reserve(name, until=begins_at + session, begins_at=begins_at)
        if isinstance(result, str):
            wait: asyncio.Future[Reservation] = asyncio.get_running_loop().create_future()
            self._waits[result] = wait
            self._pump(kind)
            try:
                return await wait
            finally:
                self._waits.pop(result, None)
        self._pump(kind)
        return result

    # ---------------------------------------------------------------------------------------------------------- reports

    def restore(self, name: str, kind: ProcessorKind) -> None:
        """See ``SlotLeases``."""
        self._books[kind].restore(name)
        self._pump(kind)

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
        now, session_id = self._clock.now(), "" if session is None else session.session_id or ""
        self._books[kind].occupy(
            name, until=now + seconds, begins_at=now + begins_in, session=session_id, is_external=is_external
        )
        self._pump(kind)

    def stopping(self, name: str, seconds: float) -> None:
        """See ``SlotLeases``."""
        for kind, book in self._books.items():
            book.stopping(name, self._clock.now() + seconds)
            self._pump(kind)

    def free(self, name: str, kind: ProcessorKind, status: Status | None = None) -> None:
        """See ``SlotLeases``."""
        self._books[kind].free(name, _text(status))
        self._pump(kind)

    def end(self, session: SharedSession, status: Status | None) -> None:
        """See ``SlotLeases``."""
        self._books[session.kind].end(session.name, session.token, _text(status))
        self._pump(session.kind)

    def end_session(self, name: str, kind: ProcessorKind, session_id: str) -> None:
        """See ``SlotLeases``."""
        self._books[kind].end_session(name, session_id)
        self._pump(kind)

    def confirm_sync(self) -> None:
        """See ``SlotLeases``."""
        for kind, book in self._books.items():
            if book.needs_sync and (epoch := self._epochs.get(kind)):
                book.confirm_sync(epoch)
                self._pump(kind)

    async def sessions(self, *, sweep: float = 0.0) -> Sequence[SharedSession] | None:
        """See ``SlotLeases``."""
        found: list[SharedSession] = []
        for kind, book in self._books.items():
            arguments: list[str | float] = [SLOTS_VERSION, book.host, sweep]
            try:
                reply = await self._connection.run(LIST_SCRIPT, self._keys[kind].keys, arguments, self._clock)
                listed = read_list(reply, kind)
            except Exception:  # noqa: BLE001 - a reply of any kind; the exchanges report that the server is away
                return None
            if not isinstance(listed, Listed):
                return None
            self._epochs[kind] = listed.epoch
            found += listed.sessions
        return found

    async def aclose(self) -> None:
        """Return the leases, stop listening, and close the connection."""
        for kind, book in self._books.items():
            book.request(0)
            if (timer := self._timers.pop(kind, None)) is not None:
                timer.cancel()
            self._pump(kind, waits=False)
        if self._exchanging:
            await asyncio.wait(self._exchanging.values())
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])
            self._listening = None
        await self._connection.aclose()

    # -------------------------------------------------------------------------------------------------------- exchanges

    def _pump(self, kind: ProcessorKind, *, waits: bool = True) -> None:
        """Begin the exchange that is due, or set the timer for the next one."""
        loop = asyncio.get_running_loop()
        if kind in self._exchanging or loop is not self._loop:  # in another loop, the fleet opens other leases
            return
        if (timer := self._timers.pop(kind, None)) is not None:
            timer.cancel()
        book = self._books[kind]
        moment = book.next_moment
        if moment <= self._clock.now():
            if self._listening is None:
                self._listening = loop.create_task(self._listen(), name="aiorekostream listens for freed slots")
            self._exchanging[kind] = loop.create_task(self._exchange(kind), name="aiorekostream shares slots")
        elif waits and moment < math.inf:
            self._timers[kind] = self._clock.call_at(moment, lambda: self._pump(kind))

    async def _exchange(self, kind: ProcessorKind) -> None:
        book = self._books[kind]
        try:
            while (exchange := book.next_exchange(self._clock.now())) is not None:
                try:
                    decided = await self._send(kind, exchange)
                except BaseException:
                    self._decide(book.failed(exchange, self._clock.now()))
                    raise
                self._decide(decided)
                self._fleet.on_change()
        finally:
            del self._exchanging[kind]
        self._pump(kind)

    async def _send(self, kind: ProcessorKind, exchange: SlotExchange) -> dict[str, Reservation]:
        book, keys = self._books[kind], self._keys[kind]
        try:
            arguments = exchange.arguments(book.host, book.limit, keys.channel)
            reply = read_slot_reply(await self._connection.run(SLOTS_SCRIPT, keys.keys, arguments, self._clock))
        except RedisUnavailableError as error:
            if error.is_mistake and not self._was_reached:
                self._fleet.on_mistake(ConfigurationError(f"the session slots cannot be shared: {error}"))
            reason = str(error)
        except Exception as error:  # noqa: BLE001 - a reply of any kind: no request may hang
            reason = f"{type(error).__name__}: {error}"
        else:
            if isinstance(reply, SlotReply):
                self._was_reached = True
                self._outages.found(keys.base)
                return book.answered(exchange, reply, self._clock.now())
            reason = f"no reply within {self._connection.timeout:g} s"
            if isinstance(reply, OtherVersion):
                reason = f"{keys.base} belongs to version {reply.version!r}, and this host has {SLOTS_VERSION!r}"
        effect = f"this host has at most {book.share} sessions" if book.share else "no session is started"
        self._outages.lost(keys.base, reason, effect=effect)
        return book.failed(exchange, self._clock.now())

    def _decide(self, decided: Mapping[str, Reservation]) -> None:
        for token, decision in decided.items():
            wait = self._waits.get(token)
            if wait is not None and not wait.done():
                wait.set_result(decision)

    # --------------------------------------------------------------------------------------------------------- messages

    async def _listen(self) -> None:
        kinds = {keys.channel: kind for kind, keys in self._keys.items()}
        while True:
            is_subscribed = False
            try:
                async for channel, message in self._connection.listen(list(kinds)):
                    is_subscribed = True
                    self._on_message(kinds[channel], message)
            except RedisUnavailableError as error:
                if isinstance(error.__cause__, NoPermissionError):
                    _log.warning("freed session slots are noticed up to %g s late: %s", POLL_INTERVAL, error)
                    return
            if is_subscribed:
                for book in self._books.values():
                    book.report_all(self._clock.now())  # the server may have been restarted
            await self._clock.sleep(_LISTEN_AGAIN)
            for kind in self._books:
                self._pump(kind)

    def _on_message(self, kind: ProcessorKind, message: bytes) -> None:
        book = self._books[kind]
        if message:
            fields = cast("dict[str, str]", json.loads(message))
            if fields["host"] != book.host and book.has_ended(fields["name"], fields["token"]):
                self._fleet.on_end(fields["name"], Status(fields["status"]) if fields["status"] else None)
        if book.wake():
            self._pump(kind)


def _text(status: Status | None) -> str:
    return "" if status is None else status.value
