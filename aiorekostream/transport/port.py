"""The port: what the pipeline asks of whatever moves the bytes."""

import datetime
from collections.abc import Callable, Mapping
from typing import Protocol

import attrs

from aiorekostream.limits import Scope

__all__ = ["Reply", "Transport", "ignored"]


def ignored() -> None:
    """What is told to nobody."""


@attrs.frozen
class Reply:
    """An answer of the service that is not an error.

    Attributes:
        body: the members of the answer in AWS's spelling; timestamps as aware ``datetime``.
        request_id: AWS's id of the request, when it came.
        date: the service's own time, to the second, when it came.
    """

    body: Mapping[str, object]
    request_id: str | None = None
    date: datetime.datetime | None = None


class Transport(Protocol):
    """One attempt at one call: it sends once, never repeats, and has no deadline but its own socket timeouts."""

    @property
    def region(self) -> str | None:
        """The Region that calls go to, when it is known."""
        ...

    @property
    def scope(self) -> Scope:
        """What the quotas of the calls belong to; to be asked for once the transport is open."""
        ...

    async def open(self) -> None:
        """Open the connections, if they are not open yet; sending does it too.

        Raises:
            ConfigurationError: no Region, a profile that does not exist, or the transport is closed.
            ConnectError: whoever gives the credentials cannot be reached for a moment.
        """
        ...

    async def send(self, operation: str, body: Mapping[str, object], *, on_sent: Callable[[], None] = ignored) -> Reply:
        """Send one request and read its answer.

        Args:
            operation: AWS's name of the operation, such as ``StartStreamProcessor``.
            body: the members of the request in AWS's spelling.
            on_sent: to be told when the request begins to go out: from then on it may be carried out, and before that
                (while it waits for a connection, or for that to come about) it certainly was not.

        Raises:
            ServiceError: the service answered with an error.
            ConnectError: the request was never sent.
            ConnectionLostError: the request was sent and no answer came back.
            MalformedResponseError: what came back is no answer of this service.
            ConfigurationError: no Region, no credentials, or the transport is closed.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections; a second time does nothing."""
        ...
