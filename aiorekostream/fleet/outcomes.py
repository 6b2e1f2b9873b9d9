"""The outcomes of requests to a fleet: exactly one for each request.

A start ends as ``Started``, ``AlreadyRunning``, ``Failed``, ``Expired`` or ``Unknown``; a stop as ``Stopped``,
``AlreadyStopped``, ``Failed`` or ``Unknown``. Match on them::

    match outcome:
        case Started(request, session): ...
        case Failed(request, error): ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

import attrs

from aiorekostream.domain.requests import StartRequest
from aiorekostream.domain.responses import StartedSession
from aiorekostream.errors import UnknownOutcomeError

if TYPE_CHECKING:
    import datetime

__all__ = [
    "AlreadyRunning",
    "AlreadyStopped",
    "Expired",
    "Failed",
    "Outcome",
    "StartOutcome",
    "Started",
    "StopOutcome",
    "Stopped",
    "Unknown",
]

_RequestT_co = TypeVar("_RequestT_co", bound=StartRequest | str, covariant=True)


@attrs.frozen
class Started:
    """The processor was started.

    Attributes:
        request: what was asked.
        session: the session that began; requests that share it have the same one.
    """

    request: StartRequest
    session: StartedSession

    @property
    def name(self) -> str:
        """The processor."""
        return self.request.name


@attrs.frozen
class AlreadyRunning:
    """The processor is at work already, or is stopping or updating, and not by this request.

    Attributes:
        request: what was asked.
    """

    request: StartRequest

    @property
    def name(self) -> str:
        """The processor."""
        return self.request.name


@attrs.frozen
class Expired:
    """The request's deadline passed before it could be sent, so it was not.

    Attributes:
        request: what was asked.
        waited: how long the fleet had it, in seconds.
    """

    request: StartRequest
    waited: float

    @property
    def name(self) -> str:
        """The processor."""
        return self.request.name


@attrs.frozen
class Stopped:
    """The stop was applied, and the processor is STOPPING or STOPPED.

    Attributes:
        request: the name that was given.
    """

    request: str

    @property
    def name(self) -> str:
        """The processor."""
        return self.request


@attrs.frozen
class AlreadyStopped:
    """There was nothing to stop.

    Attributes:
        request: the name that was given.
    """

    request: str

    @property
    def name(self) -> str:
        """The processor."""
        return self.request


@attrs.frozen
class Failed(Generic[_RequestT_co]):
    """The request was not applied.

    Attributes:
        request: what was asked: the start, or the name to stop.
        error: the reason.
    """

    request: _RequestT_co
    error: Exception

    @property
    def name(self) -> str:
        """The processor."""
        return _name(self.request)


@attrs.frozen
class Unknown(Generic[_RequestT_co]):
    """The request may have been applied; whether it was could not be determined.

    Attributes:
        request: what was asked: the start, or the name to stop.
        error: what is known.
    """

    request: _RequestT_co
    error: Exception

    @property
    def retry_safe_at(self) -> datetime.datetime | None:
        """When the same request may be made again: from then on the service no longer applies this one.

        The date and time in UTC; ``None`` where it is not known. See ``RetryPolicy.max_apply_delay``.
        """
        return self.error.retry_safe_at if isinstance(self.error, UnknownOutcomeError) else None

    @property
    def name(self) -> str:
        """The processor."""
        return _name(self.request)


StartOutcome: TypeAlias = Started | AlreadyRunning | Failed[StartRequest] | Expired | Unknown[StartRequest]
"""The outcome of a start."""

StopOutcome: TypeAlias = Stopped | AlreadyStopped | Failed[str] | Unknown[str]
"""The outcome of a stop."""

Outcome: TypeAlias = (
    Started
    | AlreadyRunning
    | Expired
    | Stopped
    | AlreadyStopped
    | Failed[StartRequest]
    | Unknown[StartRequest]
    | Failed[str]
    | Unknown[str]
)
"""The outcome of either."""


def _name(request: StartRequest | str) -> str:
    # What was given may be no request at all, which is why it failed.
    return request if isinstance(request, str) else str(getattr(request, "name", request))
