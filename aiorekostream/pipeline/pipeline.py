"""Make calls: attempts, retries, reconciliation of lost responses, all within one deadline.

All retries of a call are made here, within one number of attempts; what became of an attempt whose response was lost is
reconciled by the ``recover`` that the caller passes in.
"""

from __future__ import annotations

import asyncio
import collections
import logging
import math
import random as _random  # noqa: TID251 - the only default source of randomness; everything else takes an argument
from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeAlias, TypeVar

import attrs

from aiorekostream.clock import Clock, SystemClock, is_cancelled
from aiorekostream.codec import decode, encode, processor_in
from aiorekostream.errors import (
    CallError,
    ConfigurationError,
    DeadlineExceededError,
    RateLimitedError,
    RequestCancelledError,
    ServiceError,
)
from aiorekostream.limits import DEFAULT_LIMITS, Limits, Quota
from aiorekostream.operations import Operation
from aiorekostream.pipeline.failures import NO_PERMIT, CallFailures, cancel_permit, hint_for
from aiorekostream.pipeline.log import CallLogger, log_unreported
from aiorekostream.pipeline.trace import CallTrace
from aiorekostream.rate_limiting.port import Permit, PermitRequest, Priority, RateLimiter
from aiorekostream.retry.policy import RetryPolicy
from aiorekostream.retry.token_bucket import RetryTokenBucket
from aiorekostream.transport.port import CredentialsNotReadyError, Transport

__all__ = ["Pipeline", "Recover"]

_RequestT = TypeVar("_RequestT")
_ReplyT = TypeVar("_ReplyT")
_log = logging.getLogger("aiorekostream")

# The part of a call's time, in seconds at the most, that is kept for the answer to its last attempt: an attempt whose
# permit comes later is not sent, since the deadline would cancel it before its answer.
_ANSWER_SHARE, _ANSWER = 0.1, 2.0
# The part that is kept to reconcile an attempt whose response was lost, in seconds at the most.
_RECOVERY_SHARE, _RECOVERY = 0.25, 10.0
# Event loops may wake a little before the time: a timeout at most this many seconds early is the deadline's own.
_EARLY = 0.05


Recover: TypeAlias = Callable[[CallError, float], Awaitable[_ReplyT]]
"""Determines the outcome of a call after a response was lost.

It is given the error of every attempt from the first lost response on, and the moment of the clock at which the call's
time is over. It returns the value if the call was applied. It raises an error with ``retry_safe`` if the call was
certainly not applied (the pipeline may send it again), or ``UnknownOutcomeError``.
"""


@attrs.frozen(eq=False, repr=False, kw_only=True)
class Pipeline:
    """Make calls: over which transport, with which retries, how fast, and by when they end.

    Attributes:
        transport: moves the bytes.
        retry: how many attempts are made, and when.
        total_timeout: a call's time from beginning to end, attempts and waits included, in seconds.
        limits: the account's numbers.
        rate_limiter: grants permits; ``None`` sends at once.
        urgent: whether calls go before those that are not urgent.
        retry_tokens: the retries that may still be made without a rate limiter.
        connection_locks: by operation, has the calls that find every connection in use wait in turn.
        clock: measures the time and sleeps.
        random: gives a number from 0 to 1 each time.
    """

    transport: Transport
    retry: RetryPolicy
    total_timeout: float
    limits: Limits = DEFAULT_LIMITS
    rate_limiter: RateLimiter | None = None
    urgent: bool = False
    retry_tokens: RetryTokenBucket = attrs.field(factory=RetryTokenBucket)
    connection_locks: Mapping[str, asyncio.Lock] = attrs.field(factory=lambda: collections.defaultdict(asyncio.Lock))
    clock: Clock = attrs.field(factory=SystemClock)
    random: Callable[[], float] = _random.random

    async def open(self) -> None:
        """Open the transport within the time of a call, so that its Region and its account are known.

        Raises:
            ConfigurationError: no Region, no credentials, or the client is closed.
            ConnectError: the credentials could not be fetched.
            DeadlineExceededError: it took longer than ``total_timeout``.
        """
        deadline = self.clock.now() + self.total_timeout
        failures: list[BaseException] = []
        try:
            async with self.clock.timeout_at(deadline):
                await self.retry.run(
                    self.transport.open,
                    delay=lambda _, attempt: self.retry.delay(attempt, self.random()),
                    before_retry=failures.append,
                    clock=self.clock,
                    deadline=lambda: deadline,
                )
        except CredentialsNotReadyError as error:
            raise ConfigurationError(str(error)) from error
        except TimeoutError as error:
            if self.clock.now() < deadline - _EARLY:
                raise
            if failures and isinstance(failures[-1], CredentialsNotReadyError):
                raise ConfigurationError(str(failures[-1])) from error
            message = f"the connection to AWS was not set up within {self.total_timeout:.3g} s"
            raise DeadlineExceededError(
                message, operation="opening the client", deadline=self.total_timeout, retry_safe=True
            ) from error

    def quota(self, operation: str) -> Quota | None:
        """Return the quota that limits the rate of an operation; ``None`` where nothing does.

        Args:
            operation: AWS's name of the operation.
        """
        return None if self.rate_limiter is None else self.limits.quotas.get(operation)

    async def acquire(
        self, operation: str, quota: Quota, *, priority: Priority, within: float, arrived_at: float
    ) -> Permit:
        """Ask the rate limiter for a permit to send one operation. See ``RateLimiter.acquire``.

        The transport must be open: quotas belong to its account and Region.

        Args:
            operation: AWS's name of the operation.
            quota: its quota.
            priority: its place among the requests that wait.
            within: seconds that the caller will wait.
            arrived_at: the moment that orders equal priorities, on the clock.

        Raises:
            RateLimitedError: no permit was available in time.
            ConfigurationError: the rate limiter returned ``None``, with which no call could be limited.
            RuntimeError: the rate limiter raised ``CancelledError``, although nothing has cancelled the caller.
        """
        request = PermitRequest(
            scope=self.transport.scope,
            operation=operation,
            quota=quota,
            priority=priority,
            timeout=within,
            arrived_at=arrived_at,
            clock=self.clock,
        )
        try:
            permit = None if self.rate_limiter is None else await self.rate_limiter.acquire(request)
        except asyncio.CancelledError as error:
            if is_cancelled():
                raise  # else it is of a future of the limiter, and the caller would end without an error
            raise RuntimeError("the rate limiter raised CancelledError") from error
        if permit is None:
            raise ConfigurationError("the rate limiter returned None: its acquire() must return a Permit")
        return permit

    async def call(
        self,
        operation: Operation[_RequestT, _ReplyT],
        request: _RequestT,
        *,
        permit: Permit | None = None,
        trace: CallTrace | None = None,
        recover: Recover[_ReplyT] | None = None,
        priority: Priority | None = None,
        within: float | None = None,
    ) -> _ReplyT:
        """Make one call.

        Args:
            operation: what is called.
            request: its value.
            permit: a permit that the caller holds already, for the first attempt; cancelled if that is not sent.
            trace: where the call writes how far it has come.
            recover: determines the outcome of the call after a response was lost; without it, the loss is raised.
            priority: its place among the requests that wait for a permit; that of ``urgent`` if not given.
            within: the call's time in seconds; ``total_timeout`` if not given.

        Raises:
            InvalidRequestError: the request is not a value of this operation; nothing was sent.
            ServiceError: the service refused it.
            TransportError: it was lost on the way.
            MalformedResponseError: the response cannot be read.
            DeadlineExceededError: it did not end in time.
            UnknownOutcomeError: a response was lost, and ``recover`` could not determine the outcome of the call.
            RateLimitedError: it would have had to wait for a permit longer than the rate limiter waits.
            ConfigurationError: no Region, no credentials, or the client is closed.
        """
        if priority is None:
            priority = Priority.URGENT if self.urgent else Priority.NORMAL
        total = self.total_timeout if within is None else within
        call = _Call(self, operation, trace or CallTrace(), recover, priority, total, permit)
        try:
            if not issubclass(type(request), operation.requests):
                raise operation.invalid_request(request)
            call.body = encode(request)
            return await call.run()
        finally:
            if call.permit is not None:
                cancel_permit(call.permit, operation.name)


@attrs.define(eq=False, repr=False)
class _Call(Generic[_RequestT, _ReplyT]):
    """One call on its way."""

    pipeline: Pipeline
    operation: Operation[_RequestT, _ReplyT]
    trace: CallTrace
    recover: Recover[_ReplyT] | None
    priority: Priority
    total_timeout: float
    permit: Permit | None
    body: Mapping[str, object] = attrs.field(factory=dict[str, object], init=False)
    began: float = attrs.field(init=False)
    answer_by: float = attrs.field(init=False)
    missing: str = attrs.field(default="", init=False)
    log: CallLogger = attrs.field(init=False)
    failures: CallFailures = attrs.field(init=False)

    async def run(self) -> _ReplyT:
        pipeline, total = self.pipeline, self.total_timeout
        self.began = pipeline.clock.now()
        self.log = CallLogger(self.operation.name, self.body, self.trace, pipeline.clock, self.began)
        self.failures = failures = CallFailures(
            policy=pipeline.retry,
            tokens=pipeline.retry_tokens,
            random=pipeline.random,
            trace=self.trace,
            log=self.log,
        )
        kept = min(_RECOVERY, total * _RECOVERY_SHARE) if self.recover is not None else 0.0
        self.answer_by = self.began + max(0.0, total - kept)
        try:
            reply = await pipeline.retry.run(
                self._attempt,
                is_retryable=failures.is_retryable,
                delay=failures.delay,
                before_retry=failures.before_retry,
                clock=pipeline.clock,
                deadline=lambda: min(self.answer_by, self.trace.send_by),
                attempts_made=self.trace.attempts,
            )
        except CallError as error:
            failures.latest = None  # an error that refers to itself is freed late
            if isinstance(error, CredentialsNotReadyError):
                raise ConfigurationError(str(error)) from error
            error.attempts, error.name = self.trace.attempts, processor_in(self.body)
            if isinstance(error, ServiceError) and not error.hint:
                error.hint = hint_for(error, self.body, pipeline.transport.region, pipeline.limits)
            raise
        tokens = pipeline.retry_tokens
        if failures.retries_paid or tokens.tokens < tokens.capacity:
            tokens.succeeded(failures.retries_paid)
        return reply

    async def _attempt(self) -> _ReplyT:
        clock = self.pipeline.clock
        try:
            async with clock.timeout_at(self.answer_by):
                return await self._send()
        except TimeoutError as error:
            if clock.now() < self.answer_by - _EARLY:
                raise  # not of this deadline: of a rate limiter, for instance
            failure: CallError = self._deadline_exceeded()
            failure.__cause__ = error
        except CallError as error:
            failure = error
        try:
            if failure is not self.failures.latest:  # it is, where an attempt was given up before it was sent
                self.failures.add(failure)
                if self.recover is not None and self.trace.lost:
                    return await self._recovered(failure, self.recover)
            raise failure
        finally:
            del failure  # the same

    async def _send(self) -> _ReplyT:
        trace, operation = self.trace, self.operation
        self.missing = "no connection was made"
        permit = await self._acquire()
        failures = self.failures
        if failures.latest is not None and self.pipeline.clock.now() > trace.send_by:
            cancel_permit(permit, operation.name)
            raise failures.latest
        failures.is_limited = permit is not None
        trace.attempts += 1
        try:
            reply = await self.pipeline.transport.send(operation.name, self.body, on_sent=self._sent)
        except BaseException as error:
            if permit is not None:
                failures.report(permit, error)
            raise
        trace.in_flight, trace.reply = False, reply
        if _log.isEnabledFor(logging.DEBUG):
            self.log.attempted("success")
        if permit is not None:
            try:
                permit.allowed()
            except (Exception, asyncio.CancelledError):  # noqa: BLE001 - the rate limiter may be the user's code
                log_unreported(operation.name)
        return decode(reply.body, operation.reply, operation=operation.name, request_id=reply.request_id)

    def _sent(self) -> None:
        trace = self.trace
        if trace.send_by == -math.inf:
            # It was cancelled, and its caller knows that it was not sent; a transport that writes in a task of its own
            # would send it before the cancellation arrives.
            raise RequestCancelledError(name=str(self.body.get("Name", "")))
        trace.in_flight, trace.sent_at = True, self.pipeline.clock.now()
        self.missing = "no answer came"
        if trace.on_event is not None:
            trace.on_event("sent")

    async def _acquire(self) -> Permit | None:
        """Return a permit at a moment at which a connection is free; ``None`` where the operation is not limited.

        No permit ages while its call waits for a connection: a permit that finds none is given back. Then the calls of
        an operation wait for both, first come, first served. None of them takes the connection before it has its
        permit, so it keeps no connection from calls of other operations.
        """
        transport = self.pipeline.transport
        permit = await self._granted()
        if permit is None or transport.is_ready:
            return permit
        cancel_permit(permit, self.operation.name)
        async with self.pipeline.connection_locks[self.operation.name]:
            while True:
                await transport.ready()
                permit = await self._granted()
                if permit is None or transport.is_ready:
                    return permit
                cancel_permit(permit, self.operation.name)

    async def _granted(self) -> Permit | None:
        if self.permit is not None:
            permit, self.permit = self.permit, None
            return permit
        pipeline, operation = self.pipeline, self.operation.name
        quota = pipeline.quota(operation)
        if quota is None:
            return None
        await pipeline.transport.open()
        priority = Priority.RECOVERY if self.trace.attempts > 0 else self.priority
        left = self.answer_by - pipeline.clock.now()
        self.missing = NO_PERMIT
        try:
            permit = await pipeline.acquire(operation, quota, priority=priority, within=left, arrived_at=self.began)
        except RateLimitedError as error:
            if pipeline.clock.now() < self.answer_by - _EARLY:
                raise
            raise self._deadline_exceeded() from error
        if pipeline.clock.now() > self.answer_by - min(_ANSWER, self.total_timeout * _ANSWER_SHARE):
            cancel_permit(permit, operation)
            raise self._deadline_exceeded()
        self.missing = "no connection was made"
        return permit

    async def _recovered(self, failure: CallError, recover: Recover[_ReplyT]) -> _ReplyT:
        """Determine the outcome after a lost response, and log it."""
        self.log.lost(failure)
        try:
            reply = await recover(failure, self.began + self.total_timeout)
        except CallError as error:
            self.log.not_recovered(error)
            raise
        self.log.applied()
        return reply

    def _deadline_exceeded(self) -> DeadlineExceededError:
        seconds = min(self.pipeline.clock.now(), self.answer_by) - self.began
        return self.failures.deadline_exceeded(self.operation, self.missing, seconds)
