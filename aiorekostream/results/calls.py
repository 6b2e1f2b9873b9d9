"""Make calls to the services that carry results, with the package's retries and deadlines."""

import random as _random  # noqa: TID251 - the default source of randomness
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TypeVar

import attrs

from aiorekostream.clock import Clock, SystemClock
from aiorekostream.domain.rules import Validated, collecting, optional, reject
from aiorekostream.errors import CallError, DeadlineExceededError, InvalidRequestError, ValidationIssue
from aiorekostream.retry.policy import RetryPolicy
from aiorekostream.transport.options import AwsSession, transport_options
from aiorekostream.transport.services import ServiceClient
from aiorekostream.transport.timeout import Timeout, timeout_of

__all__ = ["CallOptions", "RetriedCalls", "open_calls"]

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


def _retry(value: RetryPolicy | None) -> RetryPolicy:
    # By the type: an object may claim another class, or raise when it is asked.
    if value is not None and not issubclass(type(value), RetryPolicy):
        reject(value, "a RetryPolicy, or None")
    return RetryPolicy() if value is None else value


def _clock(value: Clock | None) -> Clock:
    return SystemClock() if value is None else optional(value, "now", "call_at", expected="a Clock")


@attrs.frozen(kw_only=True, field_transformer=collecting)
class CallOptions(Validated):
    """The options of the calls of a service.

    Attributes:
        region: the Region.
        endpoint_url: the endpoint URL.
        profile: a profile of the AWS config files.
        session: an aiobotocore session with credentials and settings.
        retry: the retries of a call.
        timeout: a ``Timeout``, or the total time of a call; the default ``Timeout`` if there is none.
        clock: measures the time; the event loop's clock if there is none.
        max_connections: the most connections at once; 100 if there is no number.

    Raises:
        InvalidRequestError: options break their rules; all issues at once.
    """

    region: str | None = None
    endpoint_url: str | None = None
    profile: str | None = None
    session: AwsSession | None = None
    retry: RetryPolicy = attrs.field(default=None, converter=_retry)
    timeout: Timeout = attrs.field(default=None, converter=timeout_of)
    clock: Clock = attrs.field(default=None, converter=_clock)
    max_connections: int | None = None

    def _contradictions(self) -> Iterator[ValidationIssue]:
        try:
            transport_options(
                region=self.region,
                endpoint_url=self.endpoint_url,
                profile=self.profile,
                session=self.session,
                timeout=None,
                max_connections=self.max_connections,
            )
        except InvalidRequestError as error:
            yield from error.issues


def open_calls(
    service: str,
    options: CallOptions,
    *,
    region: str | None = None,
    endpoint_url: str | None = None,
    max_connections: int | None = None,
    silence: float = 0.0,
) -> RetriedCalls:
    """Return the calls of a service; its connections are opened on first use.

    Args:
        service: botocore's name of the service.
        options: the options of the calls.
        region: the Region where the options have none.
        endpoint_url: the endpoint URL where the options have none.
        max_connections: the most connections at once where the options have no number.
        silence: seconds for which the service may be silent beyond the read timeout, such as the wait of a long poll.
    """
    client = ServiceClient(
        service,
        region=region if options.region is None else options.region,
        endpoint_url=endpoint_url if options.endpoint_url is None else options.endpoint_url,
        profile=options.profile,
        session=options.session,
        timeout=attrs.evolve(options.timeout, read=options.timeout.read + silence),
        max_connections=max_connections if options.max_connections is None else options.max_connections,
    )
    return RetriedCalls(client=client, retry=options.retry, total_timeout=options.timeout.total, clock=options.clock)
