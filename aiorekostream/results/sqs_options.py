"""The options of a consumer of SQS, and the queue that they describe."""

import datetime
import re
from urllib.parse import urlsplit

import attrs

from aiorekostream.clock import Clock
from aiorekostream.domain.fields import seconds, whole_number
from aiorekostream.domain.rules import Validated, collecting, reject
from aiorekostream.results.calls import open_calls
from aiorekostream.results.receivers import LONG_POLL
from aiorekostream.results.sqs_queue import SqsQueue
from aiorekostream.retry.policy import RetryPolicy
from aiorekostream.transport.options import AwsSession
from aiorekostream.transport.timeout import Timeout

__all__ = ["SqsOptions", "open_queue"]

# https://docs.aws.amazon.com/general/latest/gr/sqs-service.html, and the endpoints of before 2014 and of China
_AWS_HOST = re.compile(
    r"(?:sqs(?:-fips)?\.(?P<region>[a-z0-9-]+)|(?P<legacy>[a-z0-9-]+)\.queue)\.amazonaws\.com(?:\.cn)?", re.ASCII
)


def _queue_url(value: str) -> str:
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname or not parts.path.strip("/"):
        reject(value, "the URL of a queue, such as https://sqs.us-east-1.amazonaws.com/123456789012/doors")
    return value


def _in_flight(value: int) -> int:
    return whole_number(value, least=1, most=100_000)


def _receivers(value: int) -> int:
    return whole_number(value, least=1, most=100)


def _visibility(value: datetime.timedelta | float) -> float:
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
    return seconds(value, least=1, most=43_200)


@attrs.frozen(kw_only=True, field_transformer=collecting)
class SqsOptions(Validated):
    """The options of a consumer. See ``SqsConsumer``.

    Attributes:
        queue_url: the URL of the queue.
        max_in_flight: the most messages that are held at a time.
        max_receivers: the most receivers at a time.
        visibility_timeout: in seconds.

    Raises:
        InvalidRequestError: options break their rules; all issues at once.
    """

    queue_url: str = attrs.field(converter=_queue_url)
    max_in_flight: int = attrs.field(converter=_in_flight)
    max_receivers: int = attrs.field(converter=_receivers)
    visibility_timeout: float = attrs.field(converter=_visibility)


def open_queue(
    options: SqsOptions,
    *,
    region: str | None,
    endpoint_url: str | None,
    profile: str | None,
    session: AwsSession | None,
    retry: RetryPolicy | None,
    timeout: Timeout | datetime.timedelta | float | None,
    clock: Clock,
) -> SqsQueue:
    """Return the queue of a consumer; its connections are opened on first use.

    Raises:
        InvalidRequestError: options break their rules.
        ConfigurationError: both a session and a profile are given.
    """
    parts = urlsplit(options.queue_url)
    host = _AWS_HOST.fullmatch(parts.hostname or "")
    if region is None and host is not None:
        region = host["region"] or host["legacy"]
    if endpoint_url is None and host is None:
        endpoint_url = f"{parts.scheme}://{parts.netloc}"
    calls = open_calls(
        "sqs",
        region=region,
        endpoint_url=endpoint_url,
        profile=profile,
        session=session,
        retry=retry,
        timeout=timeout,
        clock=clock,
        silence=LONG_POLL,
        # A receiver and a batch for each, and extensions.
        max_connections=2 * options.max_receivers + 4,
    )
    return SqsQueue(options.queue_url, calls)
