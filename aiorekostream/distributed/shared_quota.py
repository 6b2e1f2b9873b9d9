"""Carry out what the lease book of one quota decides, in one event loop: ask the server, wake the queue, log."""

from __future__ import annotations

import asyncio
import functools
import logging
from typing import TYPE_CHECKING

from aiorekostream.distributed.connection import RedisScript, RedisUnavailableError
from aiorekostream.distributed.exchange import VERSION, ForeignVersion, TooLate, read_reply
from aiorekostream.distributed.lease_book import Lease, LeaseBook
from aiorekostream.rate_limiting.permit_queue import PermitQueue
from aiorekostream.rate_limiting.port import RateStatus
from aiorekostream.rate_limiting.token_bucket import LOGGED_DECREASE

if TYPE_CHECKING:
    from aiorekostream.clock import Clock, TimerHandle
    from aiorekostream.distributed.connection import RedisConnection
    from aiorekostream.distributed.exchange import LeaseExchange, Taken
    from aiorekostream.distributed.outages import OutageLog
    from aiorekostream.rate_limiting.token_bucket import Grant

__all__ = ["SCRIPT", "SharedQuota"]

_log = logging.getLogger("aiorekostream")

SCRIPT = RedisScript.read("rate_limit.lua")

# Seconds without a request after which leased permits go back.
_IDLE_AFTER = 0.1


class SharedQuota:
    """Grant the permits of one quota that many hosts share.

    Args:
        book: decides.
        clock: the clock of the client.
        connection: reaches the server.
        keys: the keys of the bucket and of its hosts.
        host: the name of this host, unique among all hosts and event loops.
        outages: logs when the server is lost and found.
    """

    def __init__(
        self,
        book: LeaseBook,
        *,
        clock: Clock,
        connection: RedisConnection,
        keys: tuple[str, str],
        host: str,
        outages: OutageLog,
    ) -> None:
        self.book = book
        self.queue: PermitQueue = PermitQueue(self, clock)
        self._clock, self._connection, self._keys, self._host, self._outages = clock, connection, keys, host, outages
        self._exchanging: asyncio.Task[None] | None = None
        self._idle_timer: TimerHandle | None = None
        self._used_at = 0.0
        self._logged_rate: float | None = None

    # ------------------------------------------------------------------------------------------- a source of the queue

    def try_acquire(self, now: float) -> Lease | float:
        """See ``LeaseBook.try_acquire``; also asks the server for more when that is due."""
        result = self.book.try_acquire(now)
        if isinstance(result, Lease):
            self._used_at = now
            self._pump(waiting=max(0, len(self.queue) - 1))
        elif self._pump(waiting=max(1, len(self.queue))):
            return self.book.try_acquire(now)  # the reply comes by itself, so that the moment to ask is past
        return result

    def delay(self, now: float, *, queue_length: int) -> float:
        """See ``LeaseBook.delay``."""
        return self.book.delay(now, queue_length=queue_length)

    def cancel(self, grant: Grant) -> None:
        """Take back a permit that was not used."""
        if isinstance(grant, Lease):
            self.book.cancel(grant, self._clock.now())
            self._after_report()

    # --------------------------------------------------------------------------------------------------------- reports

    def allowed(self, lease: Lease) -> None:
        """See ``LeaseBook.allowed``."""
        self.book.allowed(lease, self._clock.now())
        self._after_report()

    def throttled(self, lease: Lease) -> None:
        """See ``LeaseBook.throttled``."""
        self.book.throttled(lease, self._clock.now())
        self._after_report()

    def _after_report(self) -> None:
        if self.queue:
            self.queue.reschedule()
        else:
            self._pump(waiting=0)

    def status(self) -> RateStatus:
        """Return what this host knows."""
        book = self.book
        return RateStatus(
            believed_rate=book.quota.rate,
            used_rate=book.rate_at(self._clock.now()),
            queue_length=len(self.queue),
            hosts=book.hosts,
            leased_permits=len(book.leases),
            reachable=book.alone is None,
        )

    # -------------------------------------------------------------------------------------------------------- exchanges

    async def refresh(self) -> None:
        """Ask for a permit unless one is leased, and wait for the answer, which never takes long."""
        if not self.book.leases:
            self._pump(waiting=1)
        if self._exchanging is not None:
            await asyncio.wait([self._exchanging])

    async def aclose(self) -> None:
        """Return what is leased."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        if self._exchanging is not None:
            await asyncio.wait([self._exchanging])
        if (exchange := self.book.plan_return(self._clock.now())) is not None:
            await self._exchange(exchange)

    def _pump(self, *, waiting: int) -> bool:
        """Ask the server if that is due; returns whether it was."""
        exchange = self.book.plan(self._clock.now(), waiting=waiting)
        if exchange is not None:
            self._begin(exchange)
        if self._idle_timer is None and not self.book.is_clear:
            self._idle_timer = self._clock.call_at(self._clock.now() + _IDLE_AFTER, self._look_whether_idle)
        return exchange is not None

    def _begin(self, exchange: LeaseExchange) -> None:
        task = asyncio.get_running_loop().create_task(self._exchange(exchange), name="aiorekostream leases permits")
        self._exchanging = task
        task.add_done_callback(functools.partial(self._ended, exchange))

    def _ended(self, exchange: LeaseExchange, task: asyncio.Task[None]) -> None:
        self._exchanging = None
        if task.cancelled():  # from outside, as by a program that cancels every task
            self.book.failed(exchange, self._clock.now())
        else:
            task.result()
        self._after_report()

    def _look_whether_idle(self) -> None:
        self._idle_timer, now = None, self._clock.now()
        is_idle = not self.queue and now >= self._used_at + _IDLE_AFTER
        if is_idle and (exchange := self.book.plan_return(now)) is not None:
            self._begin(exchange)
        else:
            self._pump(waiting=len(self.queue))

    async def _exchange(self, exchange: LeaseExchange) -> None:
        book = self.book
        try:
            reply = await self._send(exchange)
            if isinstance(reply, TooLate):
                reply = await self._send(book.too_late(exchange, reply.now, self._clock.now()))
        except RedisUnavailableError as error:
            self._go_on_alone(exchange, str(error))
            return
        except Exception as error:  # noqa: BLE001 - a reply of any kind: no waiter may hang
            self._go_on_alone(exchange, f"{type(error).__name__}: {error}")
            return
        if isinstance(reply, TooLate):
            self._go_on_alone(exchange, f"no reply within {self._connection.timeout:g} s")
            return
        if isinstance(reply, ForeignVersion):
            reason = f"{self._keys[0]} belongs to version {reply.version!r}, and this host has version {VERSION!r}"
            self._go_on_alone(exchange, reason, hosts=reply.hosts)
            return
        book.answered(exchange, reply, self._clock.now())
        self._outages.found(self._keys[0])
        self._log_change(reply.rate)

    async def _send(self, exchange: LeaseExchange) -> Taken | ForeignVersion | TooLate:
        arguments = exchange.arguments(self._host, self.book.quota, self.book.slack)
        return read_reply(await self._connection.run(SCRIPT, self._keys, arguments, self._clock))

    def _go_on_alone(self, exchange: LeaseExchange, reason: str, *, hosts: int | None = None) -> None:
        now = self._clock.now()
        self.book.failed(exchange, now, hosts=hosts)
        share = f"{self.book.operation}: {self.book.rate_at(now):.3g} calls/s"
        self._outages.lost(self._keys[0], reason, effect=f"this host continues with its share ({share})")

    def _log_change(self, rate: float) -> None:
        book = self.book
        most = book.quota.rate if book.has_room else book.quota.rate * book.slack
        before = self._logged_rate or most
        if rate < LOGGED_DECREASE * before:
            message, self._logged_rate = "%s: rate decreased from %.3g to %.3g calls/s after a throttle", rate
        elif self._logged_rate is not None and rate >= most:
            message, self._logged_rate = "%s: rate recovered from %.3g to %.3g calls/s", None
        else:
            return
        fields = {"operation": book.operation, "rate_before": before, "rate_after": rate}
        _log.info(message, book.operation, before, rate, extra=fields)
