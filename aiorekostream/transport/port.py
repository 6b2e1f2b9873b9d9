"""Define the transport port: how the pipeline sends one attempt of a call."""

import datetime
from collections.abc import Callable, Mapping
from typing import Protocol, final

import attrs

from aiorekostream.errors import ConnectError
from aiorekostream.limits import Scope

__all__ = ["CredentialsNotReadyError", "Reply", "Transport", "http_date", "ignored"]


def ignored() -> None:
    """Ignore the notification; the default of ``on_sent``."""


class CredentialsNotReadyError(ConnectError):
    """The credential provider refused in a way that may pass: Amazon ECS answers HTTP 400 until a task has its role.

    The pipeline retries it until the deadline of the call, and raises a ``ConfigurationError`` then.
    """


def http_date(text: str | None) -> datetime.datetime | None:
    """Return the moment of an HTTP date in any of its three formats; ``None`` if the text is none.

    See https://www.rfc-editor.org/rfc/rfc9110.html#section-5.6.7: a date without a zone, as C's ``asctime`` writes it,
    is in UTC.
    """
    import email.utils  # noqa: PLC0415 - few programs need it, and it takes milliseconds

    try:
        moment = email.utils.parsedate_to_datetime(text or "")
    except (ValueError, OverflowError):
        return None
    return moment if moment.utcoffset() is not None else moment.replace(tzinfo=datetime.UTC)


@final
@attrs.frozen
class Reply:
    """A successful response of the service.

    Attributes:
        body: the members of the response in AWS's spelling. A timestamp is a number of seconds since 1970, as AWS
            writes it, or an aware ``datetime``.
        request_id: AWS's id of the request; ``None`` if the response has none.
    """

    body: Mapping[str, object]
    request_id: str | None = None
    _date: datetime.datetime | str | None = attrs.field(default=None, alias="date")

    @property
    def date(self) -> datetime.datetime | None:
        """The service's date and time, with a resolution of one second; ``None`` if the response has none.

        The argument ``date`` is a ``datetime`` or the text of the header Date, which is parsed on access: only a call
        whose response was lost needs it.
        """
        return http_date(self._date) if isinstance(self._date, str) else self._date


class Transport(Protocol):
    """Send requests.

    Each ``send`` is one attempt: a transport never retries, and has no deadline except its connect and read timeouts.
    """

    @property
    def region(self) -> str | None:
        """The Region of the calls; ``None`` if it is not known yet."""
        ...

    @property
    def scope(self) -> Scope:
        """The endpoint, Region and account that the quotas belong to.

        Raises:
            ConfigurationError: the transport is not open.
        """
        ...

    async def open(self) -> None:
        """Open the transport unless it is open. ``send`` opens it, too.

        Raises:
            ConfigurationError: no Region, an unknown profile, or the transport is closed.
            ConnectError: the credential provider is unreachable at the moment.
        """
        ...

    @property
    def is_ready(self) -> bool:
        """Whether the transport is open and ``send`` finds a free connection at once."""
        ...

    async def ready(self) -> None:
        """Open the transport unless it is open, and wait until a connection is free. Nothing is reserved.

        A caller that holds something that ages, such as a permit, waits here first and checks ``is_ready`` after.

        Raises:
            ConfigurationError: see ``open``.
            ConnectError: see ``open``.
        """
        ...

    async def send(self, operation: str, body: Mapping[str, object], *, on_sent: Callable[[], None] = ignored) -> Reply:
        """Send one request and return its response. Waits for a free connection before the request is built.

        Args:
            operation: AWS's name of the operation, such as ``StartStreamProcessor``.
            body: the members of the request in AWS's spelling.
            on_sent: a callback without arguments, called immediately before the first byte is written. From then on
                the service may apply the request; before, while waiting for a connection, it cannot.

        Raises:
            ServiceError: the service returned an error.
            ConnectError: the request was never sent.
            ConnectionLostError: the request was sent and no response was received.
            MalformedResponseError: the response is not one of this service.
            ConfigurationError: no Region, no credentials, or the transport is closed.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections. Has no effect on a closed transport."""
        ...
