"""Define the transport port: how the pipeline sends one attempt of a call."""

import datetime
from collections.abc import Callable, Mapping
from typing import Protocol

import attrs

from aiorekostream.limits import Scope

__all__ = ["Reply", "Transport", "ignored"]


def ignored() -> None:
    """Ignore the notification; the default of ``on_sent``."""


@attrs.frozen
class Reply:
    """A successful response of the service.

    Attributes:
        body: the members of the response in AWS's spelling; timestamps as aware ``datetime``.
        request_id: AWS's id of the request; ``None`` if the response has none.
        date: the service's date and time, with a resolution of one second; ``None`` if the response has none.
    """

    body: Mapping[str, object]
    request_id: str | None = None
    date: datetime.datetime | None = None


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

    async def send(self, operation: str, body: Mapping[str, object], *, on_sent: Callable[[], None] = ignored) -> Reply:
        """Send one request and return its response.

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
