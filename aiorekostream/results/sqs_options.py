"""Define the options of a consumer of SQS, and the queue that they describe."""

import datetime
import re
from urllib.parse import urlsplit

import attrs

from aiorekostream.domain.fields import seconds, whole_number
from aiorekostream.domain.rules import collecting, optional, reject
from aiorekostream.results.calls import CallOptions, open_calls
from aiorekostream.results.event_ids import EventIds, MemoryEventIds
from aiorekostream.results.queue_port import MessageQueue
from aiorekostream.results.receivers import LONG_POLL
from aiorekostream.results.sqs_queue import SqsQueue

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


def _event_ids(value: EventIds | None) -> EventIds:
    return MemoryEventIds() if value is None else optional(value, "known", "add", expected="an EventIds")


def _queue(value: MessageQueue | None) -> MessageQueue | None:
    return optional(value, "receive", "delete", expected="a MessageQueue")


@attrs.frozen(kw_only=True, field_transformer=collecting)
class SqsOptions(CallOptions):
    """The options of a consumer. See ``SqsConsumer``.

    Attributes:
        queue_url: the URL of the queue.
        max_in_flight: the most messages that are held at a time.
        max_receivers: the most receivers at a time.
        visibility_timeout: in seconds.
        event_ids: remembers acknowledged events.
        queue: the queue to use in place of SQS.

    Raises:
        InvalidRequestError: options break their rules; all issues at once.
    """

    queue_url: str = attrs.field(converter=_queue_url)
    max_in_flight: int = attrs.field(converter=_in_flight)
    max_receivers: int = attrs.field(converter=_receivers)
    visibility_timeout: float = attrs.field(converter=_visibility)
    event_ids: EventIds = attrs.field(default=None, converter=_event_ids)
    queue: MessageQueue | None = attrs.field(default=None, converter=_queue)


def open_queue(options: SqsOptions) -> SqsQueue:
    """Return the queue that options describe; its connections are opened on first use."""
    parts = urlsplit(options.queue_url)
    host = _AWS_HOST.fullmatch(parts.hostname or "")
    calls = open_calls(
        "sqs",
        options,
        region=None if host is None else host["region"] or host["legacy"],
        endpoint_url=f"{parts.scheme}://{parts.netloc}" if host is None else None,
        silence=LONG_POLL,
        # A receiver and a batch for each, and extensions.
        max_connections=2 * options.max_receivers + 4,
    )
    return SqsQueue(options.queue_url, calls)
