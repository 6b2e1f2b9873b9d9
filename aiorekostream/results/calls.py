"""Make calls to the services that carry results, with the package's retries and deadlines."""

import datetime
import random as _random  # noqa: TID251 - the default source of randomness
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar, cast

import attrs

from aiorekostream.clock import Clock, SystemClock
from aiorekostream.errors import CallError, DeadlineExceededError, InvalidRequestError, ValidationIssue
from aiorekostream.retry.policy import RetryPolicy
from aiorekostream.transport.options import AwsSession
from aiorekostream.transport.services import ServiceClient
from aiorekostream.transport.timeout import Timeout

__all__ = ["RetriedCalls", "open_calls"]

_T = TypeVar("_T")


@attrs.frozen(kw_only=True)
class RetriedCalls:
    """Make calls of one service that are safe to repeat.

    Attributes:
        client: makes single attempts.
        retry: how many attempts are made, and when.
        total_timeout: the time of a call with all its attempts, in seconds.
        clock: measures the time and sleeps.
        random: returns a number from 0 to 1 each time.
    """

    client: ServiceClient
    retry: RetryPolicy = attrs.field(factory=RetryPolicy)
    total_timeout: float
    clock: Clock = attrs.field(factory=SystemClock)
    random: Callable[[], float] = _random.random

    async def call(
        self,
        method: str,
        members: Mapping[str, object],
        read: Callable[[dict[str, object]], Awaitable[_T]],
        *,
        extra: float = 0.0,
    ) -> _T:
        """Make a call. See ``ServiceClient.call``.

        Args:
            method: the name of boto3's method.
            members: its keyword arguments.
            read: converts the response.
            extra: seconds that the service may take longer than usual, such as the wait of a long poll.

        Raises:
            CallError: the call did not succeed.
            ConfigurationError: no Region, no credentials, or the client is closed.
        """
        total = self.total_timeout + extra
        deadline = self.clock.now() + total
        attempts = 0

        async def attempt() -> _T:
            nonlocal attempts
            attempts += 1
            return await self.client.call(method, members, read)

        try:
            async with self.clock.timeout_at(deadline):
                return await self.retry.run(
                    attempt,
                    delay=lambda _, number: self.retry.delay(number, self.random()),
                    clock=self.clock,
                    deadline=lambda: deadline,
                )
        except CallError as error:
            error.attempts = attempts
            raise
        except TimeoutError as error:
            raise DeadlineExceededError(
                f"no answer within {total:g} s", operation=method, deadline=total, attempts=attempts, retry_safe=True
            ) from error


def open_calls(
    service: str,
    *,
    region: str | None,
    endpoint_url: str | None,
    profile: str | None,
    session: AwsSession | None,
    retry: RetryPolicy | None,
    timeout: Timeout | datetime.timedelta | float | None,
    clock: Clock | None,
    max_connections: int,
    silence: float = 0.0,
) -> RetriedCalls:
    """Return the calls of a service; its connections are opened on first use.

    Args:
        service: botocore's name of the service.
        region: the Region.
        endpoint_url: the endpoint URL.
        profile: a profile of the AWS config files.
        session: an aiobotocore session with credentials and settings.
        retry: the retries of a call.
        timeout: a ``Timeout``, or the total time of a call; the default ``Timeout`` if there is none.
        clock: measures the time; the event loop's clock if there is none.
        max_connections: the most connections at once.
        silence: seconds for which the service may be silent beyond the read timeout, such as the wait of a long poll.

    Raises:
        InvalidRequestError: arguments break their rules.
        ConfigurationError: both a session and a profile are given.
    """
    # By the types: an object may claim another class, or raise when it is asked.
    if retry is not None and not issubclass(type(retry), RetryPolicy):
        raise InvalidRequestError([ValidationIssue(("retry",), retry, "a RetryPolicy, or None")])
    if timeout is None:
        times = Timeout()
    elif issubclass(type(timeout), Timeout):
        times = cast("Timeout", timeout)
    else:
        times = Timeout(total=cast("float", timeout))
    client = ServiceClient(
        service,
        region=region,
        endpoint_url=endpoint_url,
        profile=profile,
        session=session,
        timeout=attrs.evolve(times, read=times.read + silence),
        max_connections=max_connections,
    )
    return RetriedCalls(
        client=client,
        retry=RetryPolicy() if retry is None else retry,
        total_timeout=times.total,
        clock=SystemClock() if clock is None else clock,
    )
