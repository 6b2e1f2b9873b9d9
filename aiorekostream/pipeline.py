"""The one path that every call takes.

::

    value -> encode -> [ admit (pace) -> send -> translate fault -> judge ]* -> decode -> value
             codec       resilience      transport                  resilience  codec

Every attempt is paced, and every outcome teaches the pacer. Nothing else in the package sends anything.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import random  # noqa: TID251 - the one place that throws dice where no others are given
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

from aiorekostream.clock import Clock, SystemClock
from aiorekostream.codec import decode, encode
from aiorekostream.errors import CallError, ConnectError, DeadlineExceededError, ServiceError
from aiorekostream.limits import DEFAULT_LIMITS, Limits
from aiorekostream.operations import Operation
from aiorekostream.resilience.paces import PacedCall, Pacing
from aiorekostream.retry.classify import is_retryable, is_throttling
from aiorekostream.retry.policy import RetryPolicy
from aiorekostream.retry.token_bucket import RetryTokenBucket
from aiorekostream.transport.hints import advise
from aiorekostream.transport.port import Transport

if TYPE_CHECKING:
    from aiorekostream.resilience.paces import Admission
    from aiorekostream.transport.port import Reply

__all__ = ["CallEvent", "Pipeline"]

# The part of a call's time that is kept for the answer to its last attempt, in seconds at the most: if its turn comes
# later, it is not sent, since it would be broken off under way.
_ANSWER_SHARE = 0.1
_ANSWER = 2.0
# Event loops may wake a little before the time: so many seconds early, a timeout is still the deadline's own.
_EARLY = 0.05

_RequestT = TypeVar("_RequestT")
_ReplyT = TypeVar("_ReplyT")
_log = logging.getLogger("aiorekostream")


class CallEvent(enum.StrEnum):
    """What happens to a call on its way."""

    QUEUED = "queued"
    """It waits until the pacer lets it through."""
    SENT = "sent"
    """An attempt goes out."""
    THROTTLED = "throttled"
    """The service refused an attempt as too fast."""
    RETRIED = "retried"
    """A failed attempt will be made again."""
    SETTLING = "settling"
    """The answer was lost, and DescribeStreamProcessor is asked what became of the call."""


Notify = Callable[[CallEvent], None]


def _nobody(_: CallEvent) -> None:
    pass


@attrs.frozen(kw_only=True)
class Pipeline:
    """How calls are made: over which transport, with which retries, how fast, and by when they end.

    Attributes:
        transport: moves the bytes.
        retry: how often a call is made.
        total_timeout: a call's time from beginning to end, attempts and waits included, in seconds.
        limits: the account's numbers.
        pacing: lets calls through; ``None`` sends them at once.
        urgent: whether calls go before those that are not.
        retry_tokens: the retries that may still be made.
        clock: tells the time and sleeps.
        random: gives a number from 0 to 1 each time.
    """

    transport: Transport
    retry: RetryPolicy
    total_timeout: float
    limits: Limits = DEFAULT_LIMITS
    pacing: Pacing | None = None
    urgent: bool = False
    retry_tokens: RetryTokenBucket = attrs.field(factory=RetryTokenBucket)
    clock: Clock = attrs.field(factory=SystemClock)
    random: Callable[[], float] = random.random

    async def open(self) -> None:
        """Open the transport, so that its Region and its account are known; again and again while that may help.

        Raises:
            ConfigurationError: no Region, no credentials, or the client is closed.
            ConnectError: the credentials could not be fetched, as often as it was tried.
        """
        await self.retry.run(
            self.transport.open,
            worth=is_retryable,
            delay=lambda _, attempt: self.retry.delay(attempt, self.random()),
            again=lambda _: None,
            clock=self.clock,
            deadline=self.clock.now() + self.total_timeout,
        )

    async def call(
        self,
        operation: Operation[_RequestT, _ReplyT],
        request: _RequestT,
        *,
        notify: Notify | None = None,
        since: float | None = None,
        within: float | None = None,
    ) -> _ReplyT:
        """Make one call.

        Args:
            operation: what is called.
            request: its value.
            notify: told what happens on the way.
            since: the moment whose place in the queue it has, on the clock; now if not given.
            within: the call's time in seconds; ``total_timeout`` if not given.

        Raises:
            InvalidRequestError: the request is not a value of this operation; nothing was sent.
            ServiceError: the service refused it.
            TransportError: it was lost on the way.
            MalformedResponseError: the answer cannot be read.
            DeadlineExceededError: it did not end in time.
            RateLimitedError: it would have had to wait for the pacer, which was told not to.
            ConfigurationError: no Region, no credentials, or the client is closed.
        """
        reply = await self.exchange(operation, request, notify=notify, since=since, within=within)
        return decode(reply.body, operation.reply, operation=operation.name, request_id=reply.request_id)

    async def exchange(
        self,
        operation: Operation[_RequestT, _ReplyT],
        request: _RequestT,
        *,
        notify: Notify | None = None,
        since: float | None = None,
        within: float | None = None,
    ) -> Reply:
        """Make one call, and leave the reply as it came."""
        operation.validate_request(request)
        total = self.total_timeout if within is None else within
        return await _Call(self, operation, encode(request), notify or _nobody, since, total).made()


@attrs.define
class _Call(Generic[_RequestT, _ReplyT]):
    """One call on its way: how many attempts were made, whether one is under way, and what has not come yet."""

    pipeline: Pipeline
    operation: Operation[_RequestT, _ReplyT]
    body: Mapping[str, object]
    notify: Notify
    since: float | None
    total_timeout: float
    begun: float = attrs.field(init=False)
    attempts: int = attrs.field(default=0, init=False)
    retries_paid: int = attrs.field(default=0, init=False)
    under_way: bool = attrs.field(default=False, init=False)
    paced: bool = attrs.field(default=False, init=False)
    lack: str = attrs.field(default="its turn did not come", init=False)

    async def made(self) -> Reply:
        pipeline = self.pipeline
        self.begun = pipeline.clock.now()
        deadline = self.begun + self.total_timeout
        try:
            async with pipeline.clock.timeout_at(deadline):
                reply = await pipeline.retry.run(
                    self._attempt,
                    worth=self._worth,
                    delay=self._delay,
                    again=self._again,
                    clock=pipeline.clock,
                    deadline=deadline,
                )
        except TimeoutError as error:
            if pipeline.clock.now() < deadline - _EARLY:
                raise  # somebody else's, such as a pacing's own
            raise self._too_late(self.total_timeout) from error
        except CallError as error:
            error.attempts = self.attempts
            if isinstance(error, ServiceError):
                error.hint = self._advice(error)
            raise
        pipeline.retry_tokens.succeeded(self.retries_paid)
        return reply

    async def _attempt(self) -> Reply:
        admission = await self._admitted()
        self.paced = admission is not None
        self.attempts += 1
        self.lack = "no connection came about"
        try:
            reply = await self.pipeline.transport.send(self.operation.name, self.body, on_sent=self._sent)
        except CallError as error:
            self.under_way, self.lack = False, "no success"
            if is_throttling(error):
                self.notify(CallEvent.THROTTLED)
                if admission is not None:
                    admission.throttled()
            elif admission is not None and isinstance(error, ServiceError):
                admission.passed()
            raise
        if admission is not None:
            admission.passed()
        return reply

    def _sent(self) -> None:
        self.under_way, self.lack = True, "no answer came"
        self.notify(CallEvent.SENT)

    async def _admitted(self) -> Admission | None:
        pipeline = self.pipeline
        quota = pipeline.limits.quotas.get(self.operation.name)
        if pipeline.pacing is None or quota is None:
            return None
        self.notify(CallEvent.QUEUED)
        if (task := asyncio.current_task()) is not None and task.cancelling():
            # Whoever was told has cancelled the call: that takes effect at the next wait, and there may be none before
            # the request is out.
            await pipeline.clock.sleep(0)
        # The quotas of a client belong to an account, which is known once it is open.
        await pipeline.transport.open()
        call = PacedCall(
            scope=pipeline.transport.scope,
            operation=self.operation.name,
            quota=quota,
            since=self.begun if self.since is None else self.since,
            urgent=pipeline.urgent,
            clock=pipeline.clock,
        )
        admission = await pipeline.pacing.admit(call)
        waited = pipeline.clock.now() - self.begun
        if waited > self.total_timeout - min(_ANSWER, self.total_timeout * _ANSWER_SHARE):
            raise self._too_late(waited)
        return admission

    def _worth(self, error: BaseException) -> bool:
        if not is_retryable(error):
            return False
        if self._costs_nothing(error) or self.pipeline.retry_tokens.has_tokens:
            return True
        _log.debug("no retries are left after %s", error)
        return False

    def _again(self, error: BaseException) -> None:
        if not self._costs_nothing(error):
            self.retries_paid += self.pipeline.retry_tokens.acquire()
        self.notify(CallEvent.RETRIED)

    def _costs_nothing(self, error: BaseException) -> bool:
        """Whether a retry cannot add to the load of a service that is down: a pacer sees to it, or nothing was sent."""
        return self.paced or is_throttling(error) or isinstance(error, ConnectError)

    def _delay(self, error: BaseException, attempt: int) -> float:
        asked = error.retry_after if isinstance(error, ServiceError) else 0.0
        if self.paced and is_throttling(error):
            return asked  # the pacer knows when
        return max(asked, self.pipeline.retry.delay(attempt, self.pipeline.random()))

    def _advice(self, error: ServiceError) -> str:
        return advise(
            error.code,
            error.message,
            operation=error.operation,
            region=self.pipeline.transport.region,
            body=self.body,
            limits=self.pipeline.limits,
        )

    def _too_late(self, seconds: float) -> DeadlineExceededError:
        return DeadlineExceededError(
            f"{self.lack} within {seconds:.3g} s",
            operation=self.operation.name,
            deadline=seconds,
            attempts=self.attempts,
            retry_safe=self.operation.idempotent or not self.under_way,
        )
