"""The outcomes of requests to a fleet: exactly one for each request.

A start ends as ``Started``, ``AlreadyRunning``, ``Failed``, ``Expired`` or ``Unknown``; a stop as ``Stopped``,
``AlreadyStopped``, ``Failed`` or ``Unknown``. Match on them::

    match outcome:
        case Started(request, session): ...
        case Failed(request, error): ...
"""

import datetime
from typing import Any, Generic, TypeAlias, TypeVar

import attrs

from aiorekostream.domain.requests import StartRequest
from aiorekostream.domain.responses import StartedSession
from aiorekostream.errors import UnknownOutcomeError

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
class _RequestOutcome(Generic[_RequestT_co]):
    request: _RequestT_co
    tag: Any = attrs.field(default=None, kw_only=True, repr=False, hash=False)

    @property
    def name(self) -> str:
        """The processor."""
        # What was given may be no request at all, which is why it failed.
        request: object = self.request
        return request if isinstance(request, str) else str(getattr(request, "name", request))


@attrs.frozen
class Started(_RequestOutcome[StartRequest]):
    """The processor was started.

    Attributes:
        request: what was asked.
        name: the processor.
        tag: what the ``FleetRequest`` was tagged with; ``None`` for any other request.
        session: the session that began; requests that share it have the same one.
    """

    session: StartedSession


@attrs.frozen
class AlreadyRunning(_RequestOutcome[StartRequest]):
    """The processor is at work already, or is stopping or updating, and not by this request.

    Attributes:
        request: what was asked.
        name: the processor.
        tag: what the ``FleetRequest`` was tagged with; ``None`` for any other request.
    """


@attrs.frozen
class Expired(_RequestOutcome[StartRequest]):
    """The request's deadline passed before it could be sent, so it was not.

    Attributes:
        request: what was asked.
        name: the processor.
        tag: what the ``FleetRequest`` was tagged with; ``None`` for any other request.
        waited: how long the fleet had it, in seconds.
    """

    waited: float


@attrs.frozen
class Stopped(_RequestOutcome[str]):
    """The stop was applied, and the processor is STOPPING or STOPPED.

    Attributes:
        request: the name that was given.
        name: the same.
        tag: ``None``; stops have none.
    """


@attrs.frozen
class AlreadyStopped(_RequestOutcome[str]):
    """There was nothing to stop.

    Attributes:
        request: the name that was given.
        name: the same.
        tag: ``None``; stops have none.
    """


@attrs.frozen
class Failed(_RequestOutcome[_RequestT_co]):
    """The request was not applied.

    Attributes:
        request: what was asked: the start, or the name to stop.
        name: the processor.
        tag: what the ``FleetRequest`` was tagged with; ``None`` for any other request.
        error: the reason.
    """

    error: Exception


@attrs.frozen
class Unknown(_RequestOutcome[_RequestT_co]):
    """The request may have been applied; whether it was could not be determined.

    Attributes:
        request: what was asked: the start, or the name to stop.
        name: the processor.
        tag: what the ``FleetRequest`` was tagged with; ``None`` for any other request.
        error: what is known.
    """

    error: Exception

    @property
    def retry_safe_at(self) -> datetime.datetime | None:
        """When the same request may be made again: from then on the service no longer applies this one.

        The date and time in UTC; ``None`` where it is not known. See ``RetryPolicy.max_apply_delay``.
        """
        return self.error.retry_safe_at if isinstance(self.error, UnknownOutcomeError) else None


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
    | Failed[StartRequest | str]
    | Unknown[StartRequest | str]
)
"""The outcome of either."""
