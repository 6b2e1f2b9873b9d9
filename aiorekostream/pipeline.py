"""The one path that every call takes.

::

    value -> encode -> [ send -> translate fault -> judge ]* -> decode -> value
             codec       transport                  resilience  codec

Nothing else in the package sends anything.
"""

from __future__ import annotations

import logging
import random  # noqa: TID251 - the one place that throws dice where no others are given
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import attrs

from aiorekostream.clock import Clock, SystemClock
from aiorekostream.codec import decode, encode
from aiorekostream.errors import CallError, DeadlineExceededError, Fault, InvalidRequestError, ServiceError
from aiorekostream.limits import DEFAULT_LIMITS, Limits
from aiorekostream.resilience.policy import RetryPolicy
from aiorekostream.transport.advice import advise
from aiorekostream.transport.port import Transport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiorekostream.operations import Operation
    from aiorekostream.transport.port import Reply

__all__ = ["Pipeline"]

_RequestT = TypeVar("_RequestT")
_ReplyT = TypeVar("_ReplyT")
_log = logging.getLogger("aiorekostream")


@attrs.frozen(kw_only=True)
class Pipeline:
    """How calls are made: over which transport, with which retries, and by when they end.

    Attributes:
        transport: moves the bytes.
        retry: how often a call is made.
        total_timeout: a call's time from beginning to end, attempts and waits included, in seconds.
        limits: the account's numbers, for what errors say.
        clock: tells the time and sleeps.
        chance: gives a number from 0 to 1 each time.
    """

    transport: Transport
    retry: RetryPolicy
    total_timeout: float
    limits: Limits = DEFAULT_LIMITS
    clock: Clock = attrs.field(factory=SystemClock)
    chance: Callable[[], float] = random.random

    async def call(self, operation: Operation[_RequestT, _ReplyT], request: _RequestT) -> _ReplyT:
        """Make one call.

        Raises:
            InvalidRequestError: the request is not a value of this operation; nothing was sent.
            ServiceError: the service refused it.
            TransportError: it was lost on the way.
            MalformedReplyError: the answer cannot be read.
            DeadlineExceededError: it did not end in time.
            ConfigurationError: no Region, no credentials, or the client is closed.
        """
        if not isinstance(request, operation.requests):
            names = " or ".join(cls.__name__ for cls in operation.requests)
            raise InvalidRequestError([Fault((), request, f"a {names}")])
        body = encode(request)
        attempts = 0

        async def attempt(number: int) -> Reply:
            nonlocal attempts
            attempts = number
            return await self.transport.send(operation.name, body)

        deadline = self.clock.now() + self.total_timeout
        try:
            async with self.clock.timeout_at(deadline):
                reply = await self.retry.run(attempt, clock=self.clock, deadline=deadline, chance=self.chance)
        except TimeoutError as error:
            raise self._too_late(operation, attempts) from error
        except CallError as error:
            error.attempts = attempts
            if isinstance(error, ServiceError):
                error.hint = self._advice(error, body)
            raise
        return decode(reply.body, operation.reply, operation=operation.name, request_id=reply.request_id)

    def _advice(self, error: ServiceError, body: Mapping[str, object]) -> str:
        return advise(
            error.code,
            error.message,
            operation=error.operation,
            region=self.transport.region,
            body=body,
            limits=self.limits,
        )

    def _too_late(self, operation: Operation[_RequestT, _ReplyT], attempts: int) -> DeadlineExceededError:
        message = f"no answer within {self.total_timeout:g} s"
        return DeadlineExceededError(
            message,
            operation=operation.name,
            deadline=self.total_timeout,
            attempts=attempts,
            retry_safe=operation.repeatable,
        )
